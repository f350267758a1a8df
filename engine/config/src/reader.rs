//! Typed reading of one section of the file.
//!
//! A [`Section`] knows which keys it may have. Opening it reports keys given twice and keys that do not belong; each
//! getter reports a value of the wrong type. A key without a value counts as not given, as it does in DAOS.

use std::ops::RangeInclusive;
use std::rc::Rc;

use types::FaultName;

use crate::document::{Entry, Kind, Mark, Node};
use crate::report::{Report, quote};
use crate::suggest;

/// The keys of one kind of section.
pub(crate) struct Schema {
    /// For messages, as in `engines[].storage[]`; empty for the top of the file.
    pub(crate) name: &'static str,
    pub(crate) keys: &'static [&'static str],
    /// Earlier or neighbouring spellings and what to write instead.
    pub(crate) hints: &'static [(&'static str, &'static str)],
    /// Other sections of the same file, for keys that were indented wrongly.
    pub(crate) relatives: &'static [&'static Schema],
}

/// A value and where it was given.
#[derive(Debug, Clone)]
pub(crate) struct Given<T> {
    pub(crate) value: T,
    pub(crate) mark: Mark,
    pub(crate) path: String,
}

impl<T> Given<T> {
    /// The same place with another value.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Given<U> {
        Given { value: change(self.value), mark: self.mark, path: self.path }
    }
}

/// What is wrong with a value and how to make it right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) description: String,
    pub(crate) remedy: String,
}

impl Problem {
    pub(crate) fn new(description: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem { description: description.into(), remedy: remedy.into() }
    }
}

/// One mapping of the file.
#[derive(Clone)]
pub(crate) struct Section {
    node: Rc<Node>,
    path: String,
    schema: &'static Schema,
}

impl Section {
    /// Takes `node` for a section of `schema`; reports when it is none, and its duplicate and unknown keys.
    pub(crate) fn open(
        report: &mut Report,
        node: &Rc<Node>,
        path: impl Into<String>,
        schema: &'static Schema,
    ) -> Option<Section> {
        let path = path.into();
        let Kind::Mapping(mapping) = &node.kind else {
            report.error_at(
                node.mark,
                &path,
                format!("expected a section with keys, found {}", node.describe()),
                format!("write the keys of {} as `key: value` lines", schema.title()),
            );
            return None;
        };
        let section = Section { node: Rc::clone(node), path, schema };
        for duplicate in &mapping.duplicates {
            let key = quote(&duplicate.key);
            report.error_at(
                duplicate.mark,
                &section.at(&duplicate.key),
                format!("the key {key} is given twice, first on line {}", duplicate.first.line),
                format!("remove one of the two {key}"),
            );
        }
        for entry in &mapping.entries {
            if !schema.keys.contains(&entry.key.as_str()) {
                let description = format!("unknown key {} {}", quote(&entry.key), schema.position());
                let path = section.at(&entry.key);
                report.error_at(entry.key_mark, &path, description, suggest::for_key(&entry.key, schema));
            }
        }
        Some(section)
    }

    /// Where the section begins.
    pub(crate) fn mark(&self) -> Mark {
        self.node.mark
    }

    /// The section's own path.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The path of `key` in this section.
    pub(crate) fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The place of `key`, or of the section when the key is absent.
    pub(crate) fn mark_of(&self, key: &str) -> Mark {
        self.entry(key).map_or(self.node.mark, |entry| entry.key_mark)
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        debug_assert!(self.schema.keys.contains(&key), "`{key}` is read but not in the schema");
        let Kind::Mapping(mapping) = &self.node.kind else { return None };
        mapping.entries.iter().find(|entry| entry.key == key && !entry.value.is_null())
    }

    /// Every entry, for sections whose keys are values.
    pub(crate) fn node(&self, key: &str) -> Option<Given<Rc<Node>>> {
        let entry = self.entry(key)?;
        Some(Given { value: Rc::clone(&entry.value), mark: entry.value.mark, path: self.at(key) })
    }

    /// True when `key` has a value.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// A text; an empty one counts as not given.
    pub(crate) fn text(&self, report: &mut Report, key: &str) -> Option<Given<String>> {
        let given = self.node(key)?;
        text_of(report, given).filter(|given| !given.value.is_empty())
    }

    /// A text that `parse` turns into something else.
    pub(crate) fn parsed<T>(
        &self,
        report: &mut Report,
        key: &str,
        fault: FaultName,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Option<Given<T>> {
        let given = self.text(report, key)?;
        parsed(report, given, fault, parse)
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(
        &self,
        report: &mut Report,
        key: &str,
        fault: FaultName,
        words: &[(&'static str, T)],
    ) -> Option<Given<T>> {
        self.parsed(report, key, fault, |text| {
            if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
                return Ok(*value);
            }
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            Err(Problem::new(
                format!("{} is not a value of `{key}`", quote(text)),
                suggest::for_word(text, &names, &format!("`{key}`")),
            ))
        })
    }

    /// A truth value.
    pub(crate) fn boolean(&self, report: &mut Report, key: &str) -> Option<Given<bool>> {
        let given = self.node(key)?;
        if let Kind::Scalar { text, plain: true } = &given.value.kind
            && let Some(value) = boolean(text)
        {
            return Some(given.map(|_| value));
        }
        let found = given.value.describe();
        let quoted = matches!(&given.value.kind, Kind::Scalar { plain: false, text } if boolean(text).is_some());
        let remedy = if quoted { "remove the quotes".to_owned() } else { format!("set `{key}` to `true` or `false`") };
        report.error_at(given.mark, &given.path, format!("`{key}` must be true or false, found {found}"), remedy);
        None
    }

    /// A whole number within `range`.
    pub(crate) fn integer(
        &self,
        report: &mut Report,
        key: &str,
        range: RangeInclusive<i64>,
        fault: FaultName,
    ) -> Option<Given<i64>> {
        let given = self.node(key)?;
        match integer_of(&given.value) {
            Ok(value) if range.contains(&value) => Some(given.map(|_| value)),
            outside @ (Ok(_) | Err(NotInteger::TooLarge)) => {
                let (found, low, high) = (given.value.describe(), range.start(), range.end());
                let below = matches!(outside, Ok(value) if value < *low);
                let (description, remedy) = if *high < i64::from(u32::MAX) {
                    (format!("is {found}, outside {low} to {high}"), format!("a number from {low} to {high}"))
                } else if below {
                    (format!("is {found}, below the least value {low}"), format!("{low} or more"))
                } else {
                    (format!("is {found}, above the limit {high}"), "a smaller number".to_owned())
                };
                let (description, remedy) = (format!("`{key}` {description}"), format!("set `{key}` to {remedy}"));
                report.fault(fault, given.mark, &given.path, description, remedy);
                None
            }
            Err(NotInteger::Text(remedy)) => {
                let description = format!("`{key}` must be a whole number, found {}", given.value.describe());
                report.fault(fault, given.mark, &given.path, description, remedy);
                None
            }
        }
    }

    /// A whole number that fits `u32`, at least `least`.
    pub(crate) fn count(&self, report: &mut Report, key: &str, least: u32, fault: FaultName) -> Option<Given<u32>> {
        let given = self.integer(report, key, i64::from(least)..=i64::from(u32::MAX), fault)?;
        Some(given.map(|value| u32::try_from(value).expect("the range ends at u32::MAX")))
    }

    /// A port number; `least` is 0 where 0 means off.
    pub(crate) fn port(&self, report: &mut Report, key: &str, least: u16, fault: FaultName) -> Option<Given<u16>> {
        let given = self.integer(report, key, i64::from(least)..=i64::from(u16::MAX), fault)?;
        Some(given.map(|value| u16::try_from(value).expect("the range ends at u16::MAX")))
    }

    /// A list of texts. Items that are none are reported and left out.
    pub(crate) fn texts(&self, report: &mut Report, key: &str) -> Option<Given<Vec<Given<String>>>> {
        let given = self.node(key)?;
        let Kind::Sequence(items) = &given.value.kind else {
            let description = format!("`{key}` must be a list, found {}", given.value.describe());
            let remedy = match &given.value.kind {
                Kind::Scalar { text, .. } => format!("write it as a list: `{key}: [{text}]`"),
                _ => format!("write the items of `{key}` as `- item` lines"),
            };
            report.error_at(given.mark, &given.path, description, remedy);
            return None;
        };
        let mut texts = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{}[{index}]", given.path);
            let item = Given { value: Rc::clone(item), mark: item.mark, path };
            if item.value.is_null() {
                let remedy = "remove the item or give it a value";
                report.error_at(item.mark, &item.path, format!("an item of `{key}` has no value"), remedy);
            } else if let Some(text) = text_of(report, item) {
                texts.push(text);
            }
        }
        Some(Given { value: texts, mark: given.mark, path: given.path })
    }

    /// A section below this one.
    pub(crate) fn section(&self, report: &mut Report, key: &str, schema: &'static Schema) -> Option<Section> {
        let given = self.node(key)?;
        Section::open(report, &given.value, given.path, schema)
    }

    /// A list of sections. Items that are none are reported and left out.
    pub(crate) fn sections(
        &self,
        report: &mut Report,
        key: &str,
        schema: &'static Schema,
    ) -> Option<Given<Vec<Section>>> {
        let given = self.node(key)?;
        let Kind::Sequence(items) = &given.value.kind else {
            let description = format!("`{key}` must be a list, found {}", given.value.describe());
            report.error_at(given.mark, &given.path, description, format!("begin each entry of `{key}` with `- `"));
            return None;
        };
        let mut sections = Vec::new();
        for (index, item) in items.iter().enumerate() {
            sections.extend(Section::open(report, item, format!("{}[{index}]", given.path), schema));
        }
        Some(Given { value: sections, mark: given.mark, path: given.path })
    }
}

impl Schema {
    /// For "found here".
    fn position(&self) -> String {
        if self.name.is_empty() { "at the top level".to_owned() } else { format!("in `{}`", self.name) }
    }

    /// For messages.
    pub(crate) fn title(&self) -> String {
        if self.name.is_empty() { "the top level".to_owned() } else { format!("`{}`", self.name) }
    }
}

/// A text, whatever a plain scalar would otherwise mean: `name: 1` is the name `1`, as in DAOS.
fn text_of(report: &mut Report, given: Given<Rc<Node>>) -> Option<Given<String>> {
    if let Kind::Scalar { text, .. } = &given.value.kind {
        if text.contains('\0') {
            report.error_at(given.mark, &given.path, "the value has a zero byte", "remove the zero byte");
            return None;
        }
        let text = text.clone();
        return Some(given.map(|_| text));
    }
    let description = format!("expected a single value, found {}", given.value.describe());
    report.error_at(given.mark, &given.path, description, "write one value on the line of its key");
    None
}

/// `parse` applied to a given text, with its problem reported as `fault`.
pub(crate) fn parsed<T>(
    report: &mut Report,
    given: Given<String>,
    fault: FaultName,
    parse: impl FnOnce(&str) -> Result<T, Problem>,
) -> Option<Given<T>> {
    match parse(&given.value) {
        Ok(value) => Some(given.map(|_| value)),
        Err(problem) => {
            report.fault(fault, given.mark, &given.path, problem.description, problem.remedy);
            None
        }
    }
}

/// YAML 1.1's words, because DAOS reads with a YAML 1.1 library.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

enum NotInteger {
    TooLarge,
    /// Something else, with the remedy.
    Text(&'static str),
}

fn integer_of(node: &Node) -> Result<i64, NotInteger> {
    let Kind::Scalar { text, plain } = &node.kind else { return Err(NotInteger::Text("write one whole number")) };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        (16, hex)
    } else if let Some(octal) = digits.strip_prefix("0o") {
        (8, octal)
    } else {
        (10, digits)
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(NotInteger::Text(if text.contains('.') {
            "write a whole number without a fraction"
        } else {
            "write a whole number without a unit"
        }));
    }
    if !plain {
        return Err(NotInteger::Text("remove the quotes"));
    }
    if radix == 10 && digits.len() > 1 && digits.starts_with('0') {
        // YAML 1.1 reads this as octal, YAML 1.2 as decimal.
        return Err(NotInteger::Text("remove the leading zero, or write an octal number as `0o...`"));
    }
    let magnitude = i64::from_str_radix(digits, radix).map_err(|_| NotInteger::TooLarge)?;
    Ok(if negative { -magnitude } else { magnitude })
}
