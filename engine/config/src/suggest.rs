//! "Did you mean": the nearest known word.

use crate::reader::Schema;
use crate::report::quote;

/// Longest word compared; longer ones are no slips of the finger, and the comparison is quadratic.
const MAX_COMPARED_CHARS: usize = 64;

/// Longest list of keys that helps instead of hiding the remedy.
const MAX_LISTED: usize = 12;

/// The remedy for an unknown key.
pub(crate) fn for_key(key: &str, schema: &Schema) -> String {
    if let Some((_, hint)) = schema.hints.iter().find(|(old, _)| *old == key) {
        return (*hint).to_owned();
    }
    if let Some(relative) = schema.relatives.iter().find(|relative| relative.keys.contains(&key)) {
        return format!("move {} to {}, where it belongs", quote(key), relative.title());
    }
    if let Some(known) = nearest(key, schema.keys) {
        return format!("write `{known}` if that is what you mean, or remove the key");
    }
    let near = schema.relatives.iter().find_map(|relative| Some((nearest(key, relative.keys)?, relative.title())));
    match near {
        Some((known, title)) => format!("write `{known}` below {title} if that is what you mean, or remove the key"),
        None if schema.keys.len() > MAX_LISTED => "remove the key".to_owned(),
        None => format!("remove the key; {} has {}", schema.title(), list(schema.keys)),
    }
}

/// The remedy for an unknown value.
pub(crate) fn for_word(word: &str, known: &[&str], what: &str) -> String {
    match nearest(word, known) {
        Some(near) => format!("write `{near}` if that is what you mean; {what} takes {}", list(known)),
        None => format!("set {what} to one of {}", list(known)),
    }
}

/// `a`, `b`, `c`.
pub(crate) fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The known word with the fewest slips, if there are few enough.
fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let length = word.chars().count();
    if length > MAX_COMPARED_CHARS {
        return None;
    }
    let allowed = (length / 3).clamp(1, 4);
    let folded = word.to_lowercase().replace('-', "_");
    known
        .iter()
        .map(|candidate| (distance(&folded, &candidate.to_lowercase()), *candidate))
        .filter(|(slips, candidate)| *slips <= allowed && *slips < candidate.len())
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (a, b, slips) in [
            ("targets", "targets", 0),
            ("tragets", "targets", 1),
            ("target", "targets", 1),
            ("abc", "xyz", 3),
            ("", "ab", 2),
        ] {
            assert_eq!(distance(a, b), slips, "{a} {b}");
        }
    }

    #[test]
    fn only_near_words_are_suggested() {
        let known = ["targets", "log_file", "provider"];
        assert_eq!(nearest("tragets", &known), Some("targets"));
        assert_eq!(nearest("logfile", &known), Some("log_file"));
        assert_eq!(nearest("log-file", &known), Some("log_file"));
        assert_eq!(nearest("entirely_else", &known), None);
        assert_eq!(nearest(&"x".repeat(1000), &known), None);
    }
}
