//! Versions as rpm takes them.

use crate::values::is_word;

/// What rpm takes beside letters and digits; `-` parts the version from the release.
const MARKS: &str = "._+~^";

/// Whether rpm takes a text as a version.
pub(crate) fn is_version(text: &str) -> bool {
    is_word(text, MARKS)
}

/// Whether a text is numbers with dots between them.
pub(crate) fn is_release(text: &str) -> bool {
    text.split('.').all(|part| part.parse::<u32>().is_ok())
}

/// rpm's spelling of a version of cargo: `1.0.0-rc.1` comes before `1.0.0`, which rpm says with a tilde. Further hyphens are rare, and
/// underscores keep their order.
pub(crate) fn of_cargo(version: &str) -> String {
    let (release, build) = version.split_at(version.find('+').unwrap_or(version.len()));
    format!("{}{build}", release.replacen('-', "~", 1)).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::{is_release, is_version, of_cargo};

    #[test]
    fn versions_are_what_rpm_takes() {
        for good in ["1", "2.31.1", "1.0~rc1", "2023.11+git5", "1^20260101", "v7_2"] {
            assert!(is_version(good), "{good}");
        }
        for bad in ["", "2.31-1", ".5", "~1", "1 2", "1/2", "1:2", "1%2", "é"] {
            assert!(!is_version(bad), "{bad}");
        }
    }

    #[test]
    fn releases_are_numbers() {
        for good in ["1", "1.85", "1.85.0"] {
            assert!(is_release(good), "{good}");
        }
        for bad in ["", "stable", "1.", ".5", "1.85-beta", ">= 1"] {
            assert!(!is_release(bad), "{bad}");
        }
    }

    #[test]
    fn what_comes_before_a_release_is_spelt_with_a_tilde() {
        assert_eq!(of_cargo("1.2.3"), "1.2.3");
        assert_eq!(of_cargo("1.0.0-rc.1"), "1.0.0~rc.1");
        assert_eq!(of_cargo("1.0.0-rc-1+b.2"), "1.0.0~rc_1+b.2");
        assert_eq!(of_cargo("1.0.0+git-5"), "1.0.0+git_5");
    }
}
