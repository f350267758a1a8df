//! Words as a shell takes them.

/// One word, whatever is in it.
#[must_use]
pub fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_one_word_to_a_shell() {
        assert_eq!(quoted("it's; rm"), r"'it'\''s; rm'");
    }
}
