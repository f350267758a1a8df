//! Capabilities as rpm writes them: `name`, `name = 1:2.0-3`, `libc.so.6(GLIBC_2.34)(64bit)`, `/usr/bin/sh`.
//!
//! Ranges overlap as in `rpmverOverlap` of rpm: a side without a version overlaps everything, and a release that one side lacks is
//! not compared. The total order of versions is in `evr.rs`, rich dependencies are in `dependency.rs`.

use std::cmp::Ordering;
use std::fmt;

use crate::evr::{Parts, compare_part, parts};

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
    pub(crate) fn parse(text: &str) -> Option<Relation> {
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
    /// Reads a capability, and takes what it can of a text that is none: for lists that rpm wrote. [`crate::Dependency::parse`] says
    /// what is wrong instead.
    #[must_use]
    pub fn parse(text: &str) -> Capability {
        let (name, range) = split(text);
        Capability { name: name.to_owned(), version: range.map(|(relation, version)| (relation, version.to_owned())) }
    }

    /// Whether the provided capability `self` answers the requirement: same name and overlapping ranges.
    #[must_use]
    pub fn satisfies(&self, requirement: &Capability) -> bool {
        self.name == requirement.name && overlap(self.range(), requirement.range())
    }

    /// The versions it is about; all of them when `None`.
    pub(crate) fn range(&self) -> Option<Range<'_>> {
        self.version.as_ref().map(|(relation, version)| (*relation, version.as_str()))
    }
}

/// All versions on one side of one, or that one.
pub(crate) type Range<'a> = (Relation, &'a str);

/// Name and range of a capability that rpm wrote, without a copy.
pub(crate) fn split(text: &str) -> (&str, Option<Range<'_>>) {
    let mut words = text.split_ascii_whitespace();
    let name = words.next().unwrap_or_default();
    match (words.next().and_then(Relation::parse), words.next()) {
        (Some(relation), Some(version)) => (name, Some((relation, version))),
        _ => (name, None),
    }
}

/// Whether two ranges have a version in common.
pub(crate) fn overlap(have: Option<Range<'_>>, want: Option<Range<'_>>) -> bool {
    let (Some((have, provided)), Some((want, required))) = (have, want) else { return true };
    let (provided, required) = (parts(provided), parts(required));
    let (left, right) = (have.covers(), want.covers());
    match compare_ranges(provided, required) {
        Ordering::Less => left.2 || right.0,
        Ordering::Greater => left.0 || right.2,
        Ordering::Equal => {
            // The side without a release stands for every release of its version.
            let every = match (provided.2, required.2) {
                (Some(_), None) => right.1,
                (None, Some(_)) => left.1,
                _ => false,
            };
            every || (left.0 && right.0) || (left.1 && right.1) || (left.2 && right.2)
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

/// Compares `[epoch:]version[-release]` as dependencies do; a release that one side lacks is not compared.
#[must_use]
pub fn compare(left: &str, right: &str) -> Ordering {
    compare_ranges(parts(left), parts(right))
}

fn compare_ranges(left: Parts<'_>, right: Parts<'_>) -> Ordering {
    compare_part(left.0.unwrap_or("0"), right.0.unwrap_or("0")).then_with(|| compare_part(left.1, right.1)).then_with(
        || match (left.2, right.2) {
            (Some(left), Some(right)) => compare_part(left, right),
            _ => Ordering::Equal,
        },
    )
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
        assert!(answers("a", "a = 1.0"));
        assert!(answers("a >= 1.0", "a < 1.0-1"));
        assert!(!answers("a = 1.0-1", "a < 1.0"));
        assert!(!answers("a = 1:1.0-1", "a = 1.0"));
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
