//! XML as libxml2 writes it for createrepo_c: text as UTF-8, attributes in ASCII. Characters that XML cannot carry are left out, so that
//! whatever a model holds, the result is well-formed.

use std::fmt::{Display, Write as _};

use crate::text::is_carried;

/// First line of every file.
pub(super) const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// `<name>text</name>` on a line of its own.
pub(super) fn element(to: &mut String, indent: &str, name: &str, text: &str) {
    open(to, indent, name);
    to.push('>');
    content(to, text);
    close(to, "", name);
}

/// `<name`, to which attributes can be added.
pub(super) fn open(to: &mut String, indent: &str, name: &str) {
    to.push_str(indent);
    to.push('<');
    to.push_str(name);
}

/// `</name>` and the end of the line.
pub(super) fn close(to: &mut String, indent: &str, name: &str) {
    to.push_str(indent);
    to.push_str("</");
    to.push_str(name);
    to.push_str(">\n");
}

/// ` name="value"`.
pub(super) fn attribute(to: &mut String, name: &str, value: &str) {
    to.push(' ');
    to.push_str(name);
    to.push_str("=\"");
    let mut rest = value;
    while let Some(at) = rest.bytes().position(|byte| !is_plain_attribute(byte)) {
        to.push_str(&rest[..at]);
        let mut characters = rest[at..].chars();
        let character = characters.next().expect("a byte was found there");
        rest = characters.as_str();
        match character {
            '"' => to.push_str("&quot;"),
            '\t' => to.push_str("&#9;"),
            '\n' => to.push_str("&#10;"),
            '\r' => to.push_str("&#13;"),
            '\u{80}'.. if is_carried(character) => reference(to, character),
            _ => markup(to, character),
        }
    }
    to.push_str(rest);
    to.push('"');
}

/// ` name="number"`.
pub(super) fn number(to: &mut String, name: &str, value: impl Display) {
    write!(to, " {name}=\"{value}\"").expect("a string takes everything");
}

/// Text between tags.
pub(super) fn content(to: &mut String, text: &str) {
    let mut rest = text;
    // 0xef begins the two characters beyond control characters that XML cannot carry.
    while let Some(at) = rest.bytes().position(|byte| !is_plain_text(byte)) {
        to.push_str(&rest[..at]);
        let mut characters = rest[at..].chars();
        let character = characters.next().expect("a byte was found there");
        rest = characters.as_str();
        match character {
            '\r' => to.push_str("&#13;"),
            '\t' | '\n' => to.push(character),
            '\u{80}'.. if is_carried(character) => to.push(character),
            _ => markup(to, character),
        }
    }
    to.push_str(rest);
}

/// What stands for itself in text: no markup, no control character, nothing that may begin a character that is not carried.
fn is_plain_text(byte: u8) -> bool {
    byte >= b' ' && !matches!(byte, b'&' | b'<' | b'>' | 0xef) || matches!(byte, b'\t' | b'\n')
}

fn is_plain_attribute(byte: u8) -> bool {
    (b' '..0x80).contains(&byte) && !matches!(byte, b'&' | b'<' | b'>' | b'"')
}

/// Markup, or nothing for what cannot be carried.
fn markup(to: &mut String, character: char) {
    match character {
        '&' => to.push_str("&amp;"),
        '<' => to.push_str("&lt;"),
        '>' => to.push_str("&gt;"),
        _ => {}
    }
}

fn reference(to: &mut String, character: char) {
    write!(to, "&#x{:X};", u32::from(character)).expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::{attribute, content};

    #[test]
    fn text_and_attributes_are_escaped_as_libxml2_does() {
        let mut text = String::new();
        content(&mut text, "a<b>&\"'\t\n\ré\u{ff21}\u{fffe}\u{1}\u{1f600}");
        assert_eq!(text, "a&lt;b&gt;&amp;\"'\t\n&#13;é\u{ff21}\u{1f600}");
        let mut text = String::new();
        attribute(&mut text, "n", "a<b>&\"'\t\n\ré\u{ffff}\u{1}\u{7f}\u{1f600}.");
        assert_eq!(text, " n=\"a&lt;b&gt;&amp;&quot;'&#9;&#10;&#13;&#xE9;\u{7f}&#x1F600;.\"");
    }
}
