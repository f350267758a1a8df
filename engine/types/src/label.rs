//! Labels: the human name of a pool or container.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest label, in bytes (DAOS: DAOS_PROP_LABEL_MAX_LEN).
const MAX_BYTES: usize = 127;

/// A valid label: 1 to 127 characters of `[A-Za-z0-9:._-]` that do not parse as a UUID.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

/// Why a text is not a label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// No characters.
    #[error("a label must have at least one character")]
    Empty,
    /// Too many characters.
    #[error("a label of {0} characters is longer than the limit of {MAX_BYTES}")]
    TooLong(usize),
    /// A character outside the alphabet.
    #[error("label `{label}` has the character {found:?}; allowed are letters, digits and `:._-`")]
    Character {
        /// The text given.
        label: String,
        /// The first character that is not allowed.
        found: char,
    },
    /// It would be taken for a UUID.
    #[error("label `{0}` reads as a UUID; choose a name that cannot be confused with one")]
    Uuid(String),
}

impl Label {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = LabelError;
    fn from_str(text: &str) -> Result<Label, LabelError> {
        if text.is_empty() {
            return Err(LabelError::Empty);
        }
        if text.chars().count() > MAX_BYTES {
            return Err(LabelError::TooLong(text.chars().count()));
        }
        if let Some(found) = text.chars().find(|c| !c.is_ascii_alphanumeric() && !":._-".contains(*c)) {
            return Err(LabelError::Character { label: text.to_owned(), found });
        }
        if Uuid::parse_str(text).is_ok() {
            return Err(LabelError::Uuid(text.to_owned()));
        }
        Ok(Label(text.to_owned()))
    }
}

impl TryFrom<String> for Label {
    type Error = LabelError;
    fn try_from(text: String) -> Result<Label, LabelError> {
        text.parse()
    }
}

impl From<Label> for String {
    fn from(label: Label) -> String {
        label.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Label({})", self.0)
    }
}

/// How a person names a pool or a container: by UUID or by label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// The text read as a UUID.
    Uuid(Uuid),
    /// Anything else that is a valid label.
    Label(Label),
}

impl FromStr for Reference {
    type Err = LabelError;
    fn from_str(text: &str) -> Result<Reference, LabelError> {
        match Uuid::parse_str(text) {
            Ok(uuid) => Ok(Reference::Uuid(uuid)),
            Err(_) => text.parse().map(Reference::Label),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Uuid(uuid) => uuid.fmt(f),
            Reference::Label(label) => label.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_and_the_length_are_enforced() {
        assert!("tank-1.a:b_c".parse::<Label>().is_ok());
        assert!("x".repeat(127).parse::<Label>().is_ok());
        assert_eq!("x".repeat(128).parse::<Label>(), Err(LabelError::TooLong(128)));
        assert_eq!("".parse::<Label>(), Err(LabelError::Empty));
        assert!(matches!("a b".parse::<Label>(), Err(LabelError::Character { found: ' ', .. })));
        assert!(matches!("pöol".parse::<Label>(), Err(LabelError::Character { found: 'ö', .. })));
    }

    #[test]
    fn a_uuid_is_a_reference_but_never_a_label() {
        let uuid = "5a3c9b1e-0d5f-4a5e-9d0c-0e6f6a1b2c3d";
        assert!(matches!(uuid.parse::<Label>(), Err(LabelError::Uuid(_))));
        assert!(matches!(uuid.parse::<Reference>(), Ok(Reference::Uuid(_))));
        assert!(matches!("tank".parse::<Reference>(), Ok(Reference::Label(_))));
    }
}
