//! Nodes of the tree.

use std::rc::Rc;

/// A place in the text, both from 1; `Mark::NOWHERE` has zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Mark {
    /// For what the text does not contain.
    pub(crate) const NOWHERE: Mark = Mark { line: 0, column: 0 };
    /// The beginning of the text.
    pub(crate) const START: Mark = Mark { line: 1, column: 1 };
}

/// One node.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) mark: Mark,
    pub(crate) kind: Kind,
    /// Nodes below and including this one after every alias is followed.
    pub(crate) weight: usize,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// `plain` is false for quoted and block scalars, whose text is never a number, a boolean or null.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Rc<Node>>),
    Mapping(Mapping),
}

/// The pairs of a mapping.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mapping {
    pub(crate) entries: Vec<Entry>,
    /// Keys given again; their values are dropped.
    pub(crate) duplicates: Vec<Duplicate>,
}

/// A key given again.
#[derive(Debug, Clone)]
pub(crate) struct Duplicate {
    pub(crate) key: String,
    pub(crate) mark: Mark,
    pub(crate) first: Mark,
}

/// One pair of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_mark: Mark,
    pub(crate) value: Rc<Node>,
}

impl Node {
    /// True for `~`, `null` and nothing at all.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// True for `{}`.
    pub(crate) fn is_empty_section(&self) -> bool {
        matches!(&self.kind, Kind::Mapping(mapping) if mapping.entries.is_empty() && mapping.duplicates.is_empty())
    }

    /// In words, for "expected a list, found ...".
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            Kind::Scalar { text, .. } => crate::report::quote(text),
            Kind::Sequence(_) => "a list".to_owned(),
            Kind::Mapping(_) => "a section with keys".to_owned(),
        }
    }
}
