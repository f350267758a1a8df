//! Whether a document is what every reader of XML takes. Our own readers pass over faults that do not concern them; a document that is
//! handed on to others is held against all of XML 1.0 that quick-xml leaves to its callers. Namespaces and external DTDs are not looked at.

use std::io::BufRead;

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::{DEPTH_MAX, ReadError, value};
use crate::text::is_carried;

/// Reads a document to its end.
pub fn well_formed(from: impl BufRead) -> Result<(), ReadError> {
    let mut reader = Reader::from_reader(from);
    reader.config_mut().check_comments = true;
    let (mut block, mut depth, mut roots, mut first) = (Vec::new(), 0_usize, 0_usize, true);
    loop {
        block.clear();
        let inside = depth > 0;
        let event = reader.read_event_into(&mut block)?;
        match &event {
            Event::Start(start) | Event::Empty(start) => {
                roots += usize::from(!inside);
                let is_empty = matches!(event, Event::Empty(_));
                if roots > 1 {
                    return Err(ReadError::Form("more than one root"));
                }
                if depth >= DEPTH_MAX {
                    return Err(ReadError::Depth);
                }
                element(start)?;
                depth += usize::from(!is_empty);
            }
            // That it closes what was opened, quick-xml checks.
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Text(part) => text(&part.xml10_content(), inside)?,
            Event::CData(_) if !inside => return Err(ReadError::Form("text outside of the root")),
            Event::CData(part) => carried(&part.xml10_content())?,
            Event::GeneralRef(_) if !inside => return Err(ReadError::Form("text outside of the root")),
            Event::GeneralRef(reference) => match reference.resolve_char_ref()? {
                Some(character) => carried(character.encode_utf8(&mut [0; 4]))?,
                None if ["amp", "lt", "gt", "quot", "apos"].contains(&reference.xml10_content().as_ref()) => {}
                None => return Err(ReadError::Entity(reference.xml10_content().into_owned())),
            },
            Event::Decl(_) if !first => return Err(ReadError::Form("a declaration that is not the first thing")),
            Event::Decl(declaration) => {
                let encoding = declaration.encoding().transpose()?;
                if encoding.is_some_and(|name| !["utf-8", "us-ascii"].contains(&name.to_lowercase().as_str())) {
                    return Err(ReadError::Form("its encoding is not UTF-8"));
                }
            }
            Event::DocType(_) if roots > 0 => return Err(ReadError::Form("a DOCTYPE behind the root")),
            // Entities and defaults of its own: other readers would see another document.
            Event::DocType(kind) if kind.xml10_content().contains('[') => {
                return Err(ReadError::Form("a DOCTYPE with declarations"));
            }
            Event::Comment(comment) => carried(&comment.xml10_content())?,
            Event::PI(_) | Event::DocType(_) => {}
            Event::Eof if inside || roots == 0 => return Err(ReadError::Truncated),
            Event::Eof => return Ok(()),
        }
        first = false;
    }
}

fn element(start: &BytesStart<'_>) -> Result<(), ReadError> {
    name(start.name().as_ref())?;
    for attribute in start.attributes() {
        let attribute = attribute?;
        name(attribute.key.as_ref())?;
        if attribute.value.contains('<') {
            return Err(ReadError::Form("`<` in an attribute"));
        }
        carried(&value(&attribute)?)?;
    }
    Ok(())
}

fn name(text: &str) -> Result<(), ReadError> {
    let begins = |letter: char| letter.is_alphabetic() || matches!(letter, '_' | ':');
    let goes_on = |letter: char| begins(letter) || letter.is_alphanumeric() || matches!(letter, '-' | '.' | '\u{b7}');
    if text.starts_with(begins) && text.chars().all(goes_on) {
        return Ok(());
    }
    Err(ReadError::Form("a name that is none"))
}

fn text(text: &str, inside: bool) -> Result<(), ReadError> {
    if !inside && !text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Err(ReadError::Form("text outside of the root"));
    }
    if text.contains("]]>") {
        return Err(ReadError::Form("`]]>` in a text"));
    }
    carried(text)
}

fn carried(text: &str) -> Result<(), ReadError> {
    if text.chars().all(is_carried) {
        return Ok(());
    }
    Err(ReadError::Form("a character that XML does not have"))
}

#[cfg(test)]
mod tests {
    use super::{ReadError, well_formed};

    #[test]
    fn documents_of_other_tools_are_taken() {
        for good in [
            "<a/>",
            "\u{feff}<?xml version=\"1.0\"?>\n<!-- x -->\n<a b='&lt;' c=\"'\">é&#233;&amp;<![CDATA[<]]></a>\n<!-- y -->\n",
            "<?xml version='1.0' encoding='UTF-8'?><!DOCTYPE comps PUBLIC \"-//Red Hat, Inc.//DTD Comps info//EN\" \"comps.dtd\">\n<comps><x:y xml:lang=\"de\"/></comps>",
        ] {
            well_formed(good.as_bytes()).unwrap_or_else(|error| panic!("{good}: {error}"));
        }
    }

    #[test]
    fn what_other_readers_would_refuse_is_refused() {
        for bad in [
            "",
            "text",
            "<a>",
            "<a></b>",
            "<a/><a/>",
            "<a/>x",
            "x<a/>",
            "<a b='1' b='2'/>",
            "<a b=1/>",
            "<a b/>",
            "<a b='<'/>",
            "<1/>",
            "<a b='&own;'/>",
            "<a>&own;</a>",
            "<a>&</a>",
            "<a>]]></a>",
            "<a>\u{1}</a>",
            "<a>&#1;</a>",
            "<a b='&#0;'/>",
            "<a><!-- -- --></a>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>",
            "<a/><!DOCTYPE a>",
            "<a><?xml version='1.0'?></a>",
            "<?xml version='1.0' encoding='UTF-16'?><a/>",
            "<a/><![CDATA[x]]>",
            "<a/>&amp;",
        ] {
            well_formed(bad.as_bytes()).expect_err(bad);
        }
        well_formed(&b"<a>\xe9</a>"[..]).expect_err("Latin-1");
        let deep = "<a>".repeat(40) + &"</a>".repeat(40);
        assert!(matches!(well_formed(deep.as_bytes()), Err(ReadError::Depth)));
    }
}
