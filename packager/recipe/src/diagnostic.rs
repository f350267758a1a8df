//! What is wrong in a file a person wrote: where, the offending text, and what to write instead.

use std::fmt;

use serde_saphyr::{Error, Location, Spanned};

/// One finding in one file. `Display` gives the lines a person reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file as the caller named it.
    pub file: String,
    /// Line, from 1; 0 when the finding concerns the whole file.
    pub line: u64,
    /// Column in characters, from 1; 0 when the finding concerns the whole file.
    pub column: u64,
    /// What is wrong.
    pub message: String,
    /// The remedy, when one is known.
    pub hint: Option<String>,
    /// The text of the line.
    pub text: String,
}

impl std::error::Error for Diagnostic {}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}", self.file, self.message)?;
        } else {
            write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
            let number = self.line.to_string();
            let margin = " ".repeat(number.len());
            let before = usize::try_from(self.column.saturating_sub(1)).unwrap_or(0);
            // Of a long line, what is around the place.
            let begin = if before < SHOWN_MOST { 0 } else { before - SHOWN_MOST / 2 };
            let shown: String = self.text.chars().skip(begin).take(SHOWN_MOST).collect();
            let indent = " ".repeat(before - begin);
            write!(f, "\n{margin} |\n{number} | {shown}\n{margin} | {indent}^")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

/// A text and its name: makes diagnostics that point into it.
#[derive(Debug, Clone, Copy)]
pub struct Page<'t> {
    /// Name of the file for messages.
    pub file: &'t str,
    /// Its whole text.
    pub text: &'t str,
}

impl Page<'_> {
    /// A finding at a value that was read with its position.
    #[must_use]
    pub fn at<T>(&self, place: &Spanned<T>, message: impl Into<String>, hint: Option<String>) -> Diagnostic {
        self.place(Some(place.referenced), message.into(), hint)
    }

    /// A finding at the first key of a name.
    #[must_use]
    pub fn at_key(&self, key: &str, message: impl Into<String>, hint: Option<String>) -> Diagnostic {
        let is_key = |line: &str| {
            let rest = line.trim_start().trim_start_matches(['"', '\'']).strip_prefix(key);
            rest.is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':'))
        };
        let found = (1_u64..).zip(self.text.lines()).find(|(_, line)| is_key(line));
        let (line, column) = found.map_or((0, 0), |(number, line)| {
            let indent = line.chars().take_while(|letter| letter.is_whitespace()).count();
            (number, u64::try_from(indent).unwrap_or(0) + 1)
        });
        self.here(line, column, message.into(), hint)
    }

    /// Reads the text. `yes` is no boolean and `<<` no key: who writes them means something that would silently be something else.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, Diagnostic> {
        let options = serde_saphyr::options! { strict_booleans: true, merge_keys: serde_saphyr::MergeKeyPolicy::Error };
        serde_saphyr::from_str_with_options(self.text, options).map_err(|error| self.reading(&error))
    }

    /// A finding at the first place of a text outside of comments.
    #[must_use]
    pub fn at_text(&self, wanted: &str, message: impl Into<String>, hint: Option<String>) -> Option<Diagnostic> {
        let lines = (1_u64..).zip(self.text.lines()).filter(|(_, line)| !line.trim_start().starts_with('#'));
        let mut found = lines.filter_map(|(number, line)| Some((number, line[..line.find(wanted)?].chars().count())));
        let (line, before) = found.next()?;
        Some(self.here(line, u64::try_from(before).unwrap_or(0) + 1, message.into(), hint))
    }

    /// What the YAML reader found, in our words and with a suggestion for misspelt keys.
    #[must_use]
    pub fn reading(&self, error: &Error) -> Diagnostic {
        let plain = error.without_snippet();
        if self.text.trim().is_empty() {
            return self.place(None, "the file is empty".to_owned(), Some("write it, or take it away".to_owned()));
        }
        match plain {
            Error::SerdeUnknownField { field, expected, location, .. } => {
                let hint = match nearest(field, expected.iter().copied()) {
                    Some(known) => format!("write `{known}` if that is what you mean, or remove the key"),
                    None => format!("known keys here: {}", list(expected)),
                };
                self.place(Some(*location), format!("unknown key `{field}`"), Some(hint))
            }
            Error::SerdeUnknownVariant { variant, expected, location, .. } => {
                let hint = match nearest(variant, expected.iter().copied()) {
                    Some(known) => format!("write `{known}` if that is what you mean"),
                    None => format!("one of {}", list(expected)),
                };
                self.place(Some(*location), format!("unknown value `{variant}`"), Some(hint))
            }
            other => {
                let (message, hint) = worded(other);
                self.place(other.location(), message, hint)
            }
        }
    }

    fn place(&self, location: Option<Location>, message: String, hint: Option<String>) -> Diagnostic {
        let (line, column) = location.map_or((0, 0), |at| (at.line(), at.column()));
        self.here(line, column, message, hint)
    }

    fn here(&self, line: u64, column: u64, message: String, hint: Option<String>) -> Diagnostic {
        let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
        let text = if line == 0 { "" } else { self.text.lines().nth(index).unwrap_or("") };
        Diagnostic { file: self.file.to_owned(), line, column, message, hint, text: text.to_owned() }
    }
}

/// How much of a line is shown.
const SHOWN_MOST: usize = 400;

/// What the YAML reader found and what to do about it, where that is not a key or a word nobody knows.
fn worded(error: &Error) -> (String, Option<String>) {
    let mut message = error.to_string();
    // The reader repeats the position at the end of its sentence; we print it in front.
    if let Some(end) = message.rfind(" at line ") {
        message.truncate(end);
    }
    let (message, hint) = match error {
        Error::DuplicateMappingKey { key, .. } => {
            (format!("the key `{}` is here twice", key.as_deref().unwrap_or("?")), "remove one of the two")
        }
        Error::SerdeMissingField { field, .. } => {
            (format!("the key `{field}` is missing"), "add it beside the keys that are there")
        }
        Error::NullIntoString { .. } => ("the value is missing".to_owned(), "write a text behind the colon"),
        Error::InvalidScalar { ty, .. } if ty.starts_with(['i', 'u']) => {
            ("expected a whole number".to_owned(), "write one that is not negative, without quotes")
        }
        Error::InvalidScalar { .. } | Error::Unexpected { .. } | Error::SerdeInvalidType { .. } => {
            (message, "write a value of the expected kind: a text, a list like `[a, b]`, or keys with values")
        }
        // What the scanner says.
        Error::ExternalMessage { .. } | Error::Eof { .. } => {
            (message, "look at indentation, brackets, quotes and colons, here and in the line before")
        }
        _ => return (message, None),
    };
    (message, Some(hint.to_owned()))
}

/// What to write in place of a name that nobody has: the nearest one, or one of all.
pub fn among<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    instead(name, known.iter().copied()).unwrap_or_else(|| format!("one of {}", known.join(", ")))
}

/// The known word nearest to what was written, if it is near enough to be a slip of the finger.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    within((word.chars().count() / 3).clamp(1, 3), word, known)
}

/// The hint for a word that nobody knows, if it was meant to be one that is known.
pub(crate) fn instead<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    nearest(word, known).map(|near| format!("write `{near}`"))
}

/// The known word that differs in one letter, for where other words are right too: `libpsm2-devel` is no slip of `libpmem-devel`, nor of
/// `libpsm3-devel`.
pub(crate) fn one_letter_off<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let letters = |text: &str| text.replace(|letter: char| letter.is_ascii_digit(), "");
    let own = letters(word);
    within(1, word, known).filter(|near| letters(near) != own)
}

fn within<'k>(allowed: usize, word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // In capitals it is the same word.
    let apart = |candidate: &str| match word.eq_ignore_ascii_case(candidate) {
        true => 0,
        false => strsim::damerau_levenshtein(word, candidate),
    };
    known
        .into_iter()
        .map(|candidate| (apart(candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
