//! Types of metadata in `repomd.xml`: which can be attached, and which are other forms of one.

use packager_repodata::model::Data;

use super::AttachError;
use crate::stored::is_of_list;

/// What types of other forms of the same metadata end in: createrepo_c's compressed groups, databases, zchunk.
const FORMS: [&str; 6] = ["_gz", "_bz2", "_xz", "_zst", "_zck", "_db"];

/// Whether an entry is of a type, in whatever form.
pub(super) fn is(data: &Data, kind: &str) -> bool {
    data.kind == kind || type_of(&data.kind) == kind
}

/// A type without its form.
pub(super) fn type_of(kind: &str) -> &str {
    FORMS.iter().find_map(|form| kind.strip_suffix(form)).filter(|kind| !kind.is_empty()).unwrap_or(kind)
}

/// Refuses types that are none, and those that others write.
pub(super) fn possible(kind: &str) -> Result<(), AttachError> {
    let letters = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "_-".contains(letter);
    if !kind.starts_with(|first: char| first.is_ascii_lowercase()) || !kind.chars().all(letters) {
        return Err(AttachError::Kind(kind.to_owned()));
    }
    let of = type_of(kind);
    if is_of_list(kind) {
        return Err(AttachError::List(kind.to_owned()));
    }
    if of != kind {
        return Err(AttachError::Form { kind: kind.to_owned(), of: of.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{AttachError, possible, type_of};

    #[test]
    fn forms_are_of_their_types() {
        for (kind, of) in [
            ("group_gz", "group"),
            ("updateinfo_zck", "updateinfo"),
            ("primary_db", "primary"),
            ("modules", "modules"),
            ("_gz", "_gz"),
        ] {
            assert_eq!(type_of(kind), of);
        }
        for good in ["group", "updateinfo", "productid", "modules", "appstream-icons", "x_86"] {
            possible(good).expect(good);
        }
        for bad in ["", "Group", "1", "_gz", "a/b", "a b", "..", "é"] {
            assert!(matches!(possible(bad), Err(AttachError::Kind(_))), "{bad}");
        }
        for list in ["primary", "filelists", "other", "primary_db", "other_zck", "filelists-ext"] {
            assert!(matches!(possible(list), Err(AttachError::List(_))), "{list}");
        }
        assert!(matches!(possible("group_gz"), Err(AttachError::Form { of, .. }) if of == "group"));
    }
}
