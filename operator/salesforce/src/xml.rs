//! XML as SOAP answers have it: read into a small tree, names without their prefix.
//!
//! Only answers that are bounded are read so; the zip in an answer is taken out before
//! ([`crate::metadata`]), so that what is left is small.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// The deepest that an answer nests; Salesforce's answers stay below ten.
const DEEPEST: usize = 64;

/// What is wrong with an XML text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {detail}")]
pub(crate) struct XmlError {
    /// Where.
    pub(crate) offset: u64,
    /// What.
    pub(crate) detail: String,
}

/// An element: its name without prefix, its text, its children.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    text: String,
    pub(crate) children: Vec<Element>,
    /// `xsi:nil="true"`: null, not empty.
    nil: bool,
}

impl Element {
    /// The first child with this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children with this name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of a child; `None` where there is no such child, or null.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.child(name).and_then(Self::own_text)
    }

    /// The texts of all children with this name.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        self.all(name).filter_map(Self::own_text).map(str::to_owned).collect()
    }

    /// The element's own text; `None` for null.
    pub(crate) fn own_text(&self) -> Option<&str> {
        (!self.nil).then_some(self.text.as_str())
    }

    /// A child that says `true`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// A child's whole number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.trim().parse().ok()
    }
}

/// Reads a text. Entities that a document declares itself are refused: Salesforce has none.
pub(crate) fn parse(text: &str) -> Result<Element, XmlError> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    loop {
        let event = reader.read_event();
        let offset = reader.buffer_position();
        let wrong = |detail: String| XmlError { offset, detail };
        match event.map_err(|error| wrong(error.to_string()))? {
            Event::Start(start) => {
                if open.len() >= DEEPEST {
                    return Err(wrong(format!("it nests deeper than {DEEPEST}")));
                }
                open.push(begun(&start).map_err(wrong)?);
            }
            Event::Empty(start) => {
                let element = begun(&start).map_err(wrong)?;
                match open.last_mut() {
                    Some(parent) => parent.children.push(element),
                    None => return Ok(element),
                }
            }
            Event::End(_) => {
                let Some(done) = open.pop() else { return Err(wrong("an end without beginning".to_owned())) };
                match open.last_mut() {
                    Some(parent) => parent.children.push(done),
                    None => return Ok(done),
                }
            }
            Event::Text(text) => {
                let text = text.xml10_content().map_err(|error| wrong(error.to_string()))?;
                push(&mut open, &text);
            }
            Event::CData(text) => {
                let text = text.xml10_content().map_err(|error| wrong(error.to_string()))?;
                push(&mut open, &text);
            }
            Event::GeneralRef(reference) => {
                let text = resolve(&reference).map_err(wrong)?;
                push(&mut open, text.encode_utf8(&mut [0; 4]));
            }
            Event::DocType(_) => return Err(wrong("it has a document type, which no answer has".to_owned())),
            Event::Eof => return Err(wrong("it ends before its root does".to_owned())),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
}

fn push(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn begun(start: &BytesStart<'_>) -> Result<Element, String> {
    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
    let mut nil = false;
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        nil |= attribute.key.local_name().as_ref() == b"nil" && matches!(&*attribute.value, b"true" | b"1");
    }
    Ok(Element { name, nil, ..Element::default() })
}

fn resolve(reference: &BytesRef<'_>) -> Result<char, String> {
    if let Some(character) = reference.resolve_char_ref().map_err(|error| error.to_string())? {
        return Ok(character);
    }
    match &**reference {
        b"amp" => Ok('&'),
        b"lt" => Ok('<'),
        b"gt" => Ok('>'),
        b"quot" => Ok('"'),
        b"apos" => Ok('\''),
        other => {
            Err(format!("it names the entity &{};, which is none of XML's", String::from_utf8_lossy(other)))
        }
    }
}

/// Text for XML. Characters that XML 1.0 cannot hold are left out.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    let forbidden = |c: char| matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}');
    if text.contains(forbidden) {
        return Cow::Owned(quick_xml::escape::escape(text.replace(forbidden, "")).into_owned());
    }
    quick_xml::escape::escape(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_texts_references_and_null() {
        let root = parse("<?xml version=\"1.0\"?><s:a xmlns:s=\"x\"><b>1 &lt; 2 &#38; <![CDATA[<3>]]></b><c xsi:nil=\"true\"/><b/></s:a>").unwrap();
        assert_eq!(root.name, "a");
        assert_eq!(root.text("b"), Some("1 < 2 & <3>"));
        assert_eq!(root.text("c"), None);
        assert_eq!(root.texts("b"), ["1 < 2 & <3>", ""]);
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for text in [
            "",
            "plain",
            "<a><b></a>",
            "<a>",
            "<a>&own;</a>",
            "<!DOCTYPE a [<!ENTITY x 'y'>]><a/>",
            "<a b='1' b='2'/>",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"<a>".repeat(100_000)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn what_is_escaped_reads_back(text in "[ -~\\n\u{e4}\u{1f600}]*") {
            let root = parse(&format!("<a><b>{}</b></a>", escape(&text))).unwrap();
            proptest::prop_assert_eq!(root.text("b"), Some(text.as_str()));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = parse(&text);
        }
    }
}
