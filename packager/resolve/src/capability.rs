//! Capabilities as rpm writes them: `name`, `name = 1:2.0-3`, `libc.so.6(GLIBC_2.34)(64bit)`, `/usr/bin/sh`.
//!
//! Versions are compared as lib/rpmvercmp.c and lib/rpmds.c of rpm do; the comparison itself is the crate `rpm-version`.

use std::cmp::Ordering;
use std::fmt;

use rpm_version::Evr;

/// How versions must relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `=`
    Equal,
    /// `>=`
    GreaterOrEqual,
    /// `>`
    Greater,
}

impl Relation {
    fn parse(text: &str) -> Option<Relation> {
        Some(match text {
            "<" => Relation::Less,
            "<=" => Relation::LessOrEqual,
            "=" | "==" => Relation::Equal,
            ">=" => Relation::GreaterOrEqual,
            ">" => Relation::Greater,
            _ => return None,
        })
    }

    fn symbol(self) -> &'static str {
        match self {
            Relation::Less => "<",
            Relation::LessOrEqual => "<=",
            Relation::Equal => "=",
            Relation::GreaterOrEqual => ">=",
            Relation::Greater => ">",
        }
    }

    /// The half-lines of versions below, at and above a point that the relation covers.
    fn covers(self) -> (bool, bool, bool) {
        match self {
            Relation::Less => (true, false, false),
            Relation::LessOrEqual => (true, true, false),
            Relation::Equal => (false, true, false),
            Relation::GreaterOrEqual => (false, true, true),
            Relation::Greater => (false, false, true),
        }
    }
}

/// A name, perhaps with a range of versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Capability {
    /// Everything before the relation.
    pub name: String,
    /// Relation and version, `[epoch:]version[-release]`.
    pub version: Option<(Relation, String)>,
}

impl Capability {
    /// Reads a capability.
    #[must_use]
    pub fn parse(text: &str) -> Capability {
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default().to_owned();
        let version = match (words.next().and_then(Relation::parse), words.next()) {
            (Some(relation), Some(version)) => Some((relation, version.to_owned())),
            _ => None,
        };
        Capability { name, version }
    }

    /// Whether the provided capability `self` answers the requirement: same name and overlapping ranges.
    #[must_use]
    pub fn satisfies(&self, requirement: &Capability) -> bool {
        if self.name != requirement.name {
            return false;
        }
        let (Some((have, provided)), Some((want, required))) = (&self.version, &requirement.version) else {
            // A requirement without a version takes anything; an unversioned provide answers no versioned requirement.
            return requirement.version.is_none();
        };
        let (have, want) = (have.covers(), want.covers());
        match compare(provided, required) {
            Ordering::Less => have.2 || want.0,
            Ordering::Greater => have.0 || want.2,
            Ordering::Equal => (have.0 && want.0) || (have.1 && want.1) || (have.2 && want.2),
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.version {
            Some((relation, version)) => write!(f, " {} {version}", relation.symbol()),
            None => Ok(()),
        }
    }
}

/// Compares `[epoch:]version[-release]`; a release that one side lacks is not compared.
#[must_use]
pub fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (Evr::parse(left), Evr::parse(right));
    let epoch = |evr: &Evr<'_>| evr.epoch().parse::<u64>().unwrap_or(0);
    epoch(&left)
        .cmp(&epoch(&right))
        .then_with(|| rpm_version::rpm_evr_compare(left.version(), right.version()))
        .then_with(|| match (left.release(), right.release()) {
            ("", _) | (_, "") => Ordering::Equal,
            (a, b) => rpm_version::rpm_evr_compare(a, b),
        })
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{self, Equal, Greater, Less};

    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{Capability, compare};

    #[test]
    fn versions_compare_like_rpm() {
        // Pairs and results from tests/rpmvercmp.at of rpm.
        let cases: [(&str, &str, Ordering); 22] = [
            ("1.0", "1.0", Equal),
            ("1.0", "2.0", Less),
            ("2.0.1", "2.0", Greater),
            ("2.0.1a", "2.0.1", Greater),
            ("5.5p1", "5.5p2", Less),
            ("5.5p10", "5.5p1", Greater),
            ("10xyz", "10.1xyz", Less),
            ("xyz10", "xyz10.1", Less),
            ("xyz.4", "8", Less),
            ("5.5p2", "5.6p1", Less),
            ("6.0.rc1", "6.0", Greater),
            ("10b2", "10a1", Greater),
            ("1.0aa", "1.0a", Greater),
            ("10.0001", "10.1", Equal),
            ("4.999.9", "5.0", Less),
            ("20101122", "20101121", Greater),
            ("1.0~rc1", "1.0", Less),
            ("1.0~rc1~git123", "1.0~rc1", Less),
            ("1.0^", "1.0", Greater),
            ("1.0^git1", "1.0.1", Less),
            ("1.0~rc1^git1", "1.0~rc1", Greater),
            ("1:0.5", "2.0", Greater),
        ];
        for (left, right, expected) in cases {
            assert_eq!(compare(left, right), expected, "{left} {right}");
            assert_eq!(compare(right, left), expected.reverse(), "{right} {left}");
        }
    }

    #[test]
    fn ranges_must_overlap() {
        let answers =
            |provided: &str, required: &str| Capability::parse(provided).satisfies(&Capability::parse(required));
        assert!(answers("a = 1.0-1", "a"));
        assert!(answers("a = 1.0-1.el9", "a = 1.0"));
        assert!(answers("a = 1.0", "a >= 0.9"));
        assert!(!answers("a = 1.0", "a > 1.0"));
        assert!(!answers("a", "a = 1.0"));
        assert!(!answers("a = 1.0-1", "a = 1.0-2"));
        assert!(answers("a >= 1", "a <= 2"));
        assert!(answers("libc.so.6(GLIBC_2.17)(64bit)", "libc.so.6(GLIBC_2.17)(64bit)"));
    }

    proptest! {
        #[test]
        fn comparison_is_antisymmetric(left in "[0-9a-c.~^]{1,8}", right in "[0-9a-c.~^]{1,8}") {
            prop_assert_eq!(compare(&left, &right), compare(&right, &left).reverse());
        }
    }
}
