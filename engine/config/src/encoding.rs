//! From the bytes of a file to its text. All three files are UTF-8, as YAML asks; what is not is a finding with its place.

use types::FaultName;

use crate::{Finding, Severity};

/// The text of a configuration file, or where it stops being UTF-8.
pub fn text(bytes: Vec<u8>) -> Result<String, Finding> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let before = std::str::from_utf8(&bytes[..at]).expect("valid up to here");
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        let what = match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "the file is UTF-16, not UTF-8".to_owned(),
            _ => format!("the byte 0x{:02x} is not UTF-8", bytes[at]),
        };
        Finding {
            severity: Severity::Error,
            name: FaultName::ServerConfigBadConfig,
            line,
            column,
            path: String::new(),
            description: what,
            resolution: "save the file as UTF-8; if it is no text at all, name the right file".to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_that_is_not_utf_8_is_found() {
        assert_eq!(text("name: \u{e9}\n".into()), Ok("name: \u{e9}\n".to_owned()));
        for (bytes, line, column, words) in [
            (&b"name: a\n# caf\xe9\n"[..], 2, 6, "0xe9"),
            (b"\xff\xfen\0a\0", 1, 1, "UTF-16"),
            (b"\x7fELF\x02\xc3\xa9\xff", 1, 7, "0xff"),
            (b"cut short \xc3", 1, 11, "0xc3"),
        ] {
            let finding = text(bytes.to_vec()).expect_err(words);
            assert_eq!((finding.line, finding.column), (line, column), "{words}");
            assert!(finding.description.contains(words) && finding.resolution.contains("UTF-8"), "{finding:?}");
        }
    }
}
