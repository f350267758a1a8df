//! `[epoch:]version[-release]`, as rpm takes it apart and orders it.
//!
//! Two orders, as in rpm. [`Evr`] is ordered totally (`rpmverCmp` of rpmio/rpmver.c: what `rpm.vercmp` answers, and what decides
//! which of two packages is newer); a missing release is less than any. Ranges of dependencies do not compare a release that one side
//! lacks (`rpmverOverlap`); that is in `capability.rs`. The comparison of one part is the crate `rpm-version`.

use std::cmp::Ordering;
use std::fmt;

use crate::fault::ParseError;

/// Epoch, version and release.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Evr {
    /// Digits; `None` is the same as `0`.
    pub epoch: Option<String>,
    /// What upstream calls it.
    pub version: String,
    /// The build, when it is named.
    pub release: Option<String>,
}

impl Evr {
    /// Takes any text apart as rpm does (`parseEVR`): digits before the first `:` are the epoch, what follows the last `-` the release.
    #[must_use]
    pub fn split(text: &str) -> Evr {
        let (epoch, version, release) = parts(text);
        Evr { epoch: epoch.map(str::to_owned), version: version.to_owned(), release: release.map(str::to_owned) }
    }

    /// Reads what a package may be called: stricter than [`Evr::split`], and it says what is wrong and where.
    pub fn parse(text: &str) -> Result<Evr, ParseError> {
        let fault = |at: usize, expected: &str| Err(ParseError::new(text, at, expected));
        let mut at = 0;
        let mut evr = Evr { epoch: None, version: String::new(), release: None };
        let mut rest = text;
        if let Some((epoch, after)) = text.split_once(':') {
            if let Some(odd) = epoch.find(|c: char| !c.is_ascii_digit()) {
                return fault(odd, "an epoch of digits only before `:`");
            }
            if epoch.is_empty() {
                return fault(0, "an epoch before `:`");
            }
            if epoch.parse::<u32>().is_err() {
                return fault(0, "an epoch below 4294967296");
            }
            evr.epoch = Some(epoch.to_owned());
            at = epoch.len() + 1;
            rest = after;
        }
        let (version, release) = match rest.rsplit_once('-') {
            Some((version, release)) => (version, Some(release)),
            None => (rest, None),
        };
        for (part, what, start) in
            [(Some(version), "version", at), (release, "release", at + version.len() + usize::from(release.is_some()))]
        {
            let Some(part) = part else { continue };
            if part.is_empty() {
                return fault(start, &format!("a {what}"));
            }
            if let Some(odd) = part.find(|c: char| !c.is_ascii_alphanumeric() && !"._+~^".contains(c)) {
                return fault(start + odd, &format!("a {what} of letters, digits and `.`, `_`, `+`, `~`, `^`"));
            }
        }
        evr.version = version.to_owned();
        evr.release = release.map(str::to_owned);
        Ok(evr)
    }

    /// The epoch as rpm compares it.
    fn epoch_text(&self) -> &str {
        self.epoch.as_deref().unwrap_or("0")
    }
}

impl fmt::Display for Evr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(epoch) = &self.epoch {
            write!(f, "{epoch}:")?;
        }
        f.write_str(&self.version)?;
        match &self.release {
            Some(release) => write!(f, "-{release}"),
            None => Ok(()),
        }
    }
}

impl PartialOrd for Evr {
    fn partial_cmp(&self, other: &Evr) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Evr {
    fn cmp(&self, other: &Evr) -> Ordering {
        compare_part(self.epoch_text(), other.epoch_text())
            .then_with(|| compare_part(&self.version, &other.version))
            .then_with(|| match (&self.release, &other.release) {
                (Some(left), Some(right)) => compare_part(left, right),
                (left, right) => left.is_some().cmp(&right.is_some()),
            })
    }
}

/// Epoch, version and release, borrowed.
pub(crate) type Parts<'a> = (Option<&'a str>, &'a str, Option<&'a str>);

/// Takes a text apart; see [`Evr::split`].
pub(crate) fn parts(text: &str) -> Parts<'_> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (epoch, rest) = match text[digits..].strip_prefix(':') {
        Some(rest) => (Some(if digits == 0 { "0" } else { &text[..digits] }), rest),
        None => (None, text),
    };
    match rest.rsplit_once('-') {
        Some((version, release)) => (epoch, version, Some(release)),
        None => (epoch, rest, None),
    }
}

/// `rpmvercmp`: one part, without epoch and release.
pub(crate) fn compare_part(left: &str, right: &str) -> Ordering {
    // The crate compares three parts; the outer two are equal here.
    rpm_version::Evr::new("", left, "").cmp(&rpm_version::Evr::new("", right, ""))
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{self, Equal, Greater, Less};

    use proptest::prelude::{prop_assert_eq, proptest};

    use super::Evr;

    #[test]
    fn the_order_is_rpms() {
        let cases: [(&str, &str, Ordering); 9] = [
            ("1.0", "1.0-1", Less),
            ("1.0-1", "1.0-~1", Greater),
            ("0:1.0", "1.0", Equal),
            ("1:0.1", "9-9", Greater),
            ("01:1", "1:1", Equal),
            ("1.0~rc1-1", "1.0-1", Less),
            ("1.0^git1-1", "1.0-1", Greater),
            ("1.0-1~a", "1.0-1", Less),
            ("1.0-1^a", "1.0-1", Greater),
        ];
        for (left, right, expected) in cases {
            assert_eq!(Evr::split(left).cmp(&Evr::split(right)), expected, "{left} {right}");
            assert_eq!(Evr::split(right).cmp(&Evr::split(left)), expected.reverse(), "{right} {left}");
        }
    }

    #[test]
    fn mistakes_have_a_column() {
        let said: Vec<String> = ["", "a:1", ":1", "1-", "-1", "1 0-1", "1.0-1-1", "99999999999:1", "1:", "1.0-rc é"]
            .into_iter()
            .map(|text| Evr::parse(text).expect_err(text).to_string())
            .collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        ``, column 1: expected a version, found the end
        `a:1`, column 1: expected an epoch of digits only before `:`, found `a:1`
        `:1`, column 1: expected an epoch before `:`, found `:1`
        `1-`, column 3: expected a release, found the end
        `-1`, column 1: expected a version, found `-1`
        `1 0-1`, column 2: expected a version of letters, digits and `.`, `_`, `+`, `~`, `^`, found ` 0-1`
        `1.0-1-1`, column 4: expected a version of letters, digits and `.`, `_`, `+`, `~`, `^`, found `-1-1`
        `99999999999:1`, column 1: expected an epoch below 4294967296, found `99999999999:1`
        `1:`, column 3: expected a version, found the end
        `1.0-rc é`, column 7: expected a release of letters, digits and `.`, `_`, `+`, `~`, `^`, found ` é`
        "#);
    }

    proptest! {
        #[test]
        fn what_is_read_is_printed(text in "([0-9]{1,3}:)?[0-9a-z.~^+_]{1,8}(-[0-9a-z.]{1,4})?") {
            prop_assert_eq!(Evr::parse(&text).expect("well formed").to_string(), text.clone());
            prop_assert_eq!(Evr::split(&text), Evr::parse(&text).expect("well formed"));
        }
    }
}
