//! Text of headers: bytes of no declared encoding, made into characters that XML 1.0 can carry.

/// Valid UTF-8 is taken as it is; anything else as Latin-1, which every byte sequence is. Characters that XML cannot carry are left out.
#[must_use]
pub fn clean(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(is_carried) => text.to_owned(),
        Ok(text) => text.chars().filter(|character| is_carried(*character)).collect(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).filter(|character| is_carried(*character)).collect(),
    }
}

/// The `Char` production of XML 1.0; surrogates are no `char`.
#[must_use]
pub fn is_carried(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn utf8_stays_and_anything_else_is_latin1() {
        assert_eq!(clean("é\t\r\n\u{1f600}".as_bytes()), "é\t\r\n\u{1f600}");
        assert_eq!(clean(b"caf\xe9 \xa4\x80"), "café ¤\u{80}");
        // Latin-1 that is UTF-8 by chance cannot be told from it.
        assert_eq!(clean(b"\xc3\xa9"), "é");
    }

    #[test]
    fn what_xml_cannot_carry_is_left_out() {
        assert_eq!(clean("a\u{1}b\u{1f}c\u{7f}é\u{fffe}\u{ffff}".as_bytes()), "abc\u{7f}é");
        assert_eq!(clean(b"a\x02\xe9"), "aé");
    }
}
