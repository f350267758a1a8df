//! What is wrong with a text, and at which column.

use std::fmt;

/// A text that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The whole text.
    pub text: String,
    /// Column of the fault in characters, from 1.
    pub column: usize,
    /// What should stand there.
    pub expected: String,
}

impl ParseError {
    /// A fault at a byte offset of a text.
    pub(crate) fn new(text: &str, offset: usize, expected: impl Into<String>) -> ParseError {
        let column = text.char_indices().take_while(|(at, _)| *at < offset).count() + 1;
        ParseError { text: text.to_owned(), column, expected: expected.into() }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, column {}: expected {}", self.text, self.column, self.expected)?;
        let rest: String = self.text.chars().skip(self.column - 1).take(20).collect();
        if rest.is_empty() { f.write_str(", found the end") } else { write!(f, ", found `{rest}`") }
    }
}

impl std::error::Error for ParseError {}
