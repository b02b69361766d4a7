//! Metadata documents: a small tree of elements, and the form in which Salesforce writes them.
//!
//! Salesforce keeps metadata in a database and writes it anew at each retrieve, so what comes back differs in form from
//! what was sent: the XML declaration, four spaces per level, elements in the order of the Metadata WSDL, no comments,
//! no CDATA, `&quot;` and `&apos;` in text, and `<a/>` for what is empty.

use std::borrow::Cow;
use std::fmt::Write as _;

use roxmltree::{Document, Node, ParsingOptions};

/// The namespace of all metadata.
pub(crate) const NAMESPACE: &str = "http://soap.sforce.com/2006/04/metadata";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
const XSD: &str = "http://www.w3.org/2001/XMLSchema";
/// Levels at most; metadata has about ten.
const DEEPEST: usize = 100;
/// Nodes of a document at most, so that a small file cannot take all memory.
const MOST_NODES: u32 = 4_000_000;

/// Why a document cannot be read, and where (both count from 1).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct XmlError {
    /// What is wrong.
    pub message: String,
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

/// An element of a metadata document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// Its name without prefix.
    pub(crate) name: String,
    /// `xsi:type` and `xsi:nil`, by their names with prefix.
    pub(crate) attributes: Vec<(String, String)>,
    /// Elements within.
    pub(crate) children: Vec<Element>,
    /// Text, where there are no elements within.
    pub(crate) text: String,
    /// Line where it begins, from 1; 0 where it was not read.
    pub(crate) line: u32,
}

impl Element {
    /// An element without content.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// An element with text.
    pub(crate) fn with_text(name: &str, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::new(name) }
    }

    /// Reads a document; its root is the answer.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, XmlError> {
        let at_start = |message: &str| XmlError { message: message.to_owned(), line: 1, column: 1 };
        let text = std::str::from_utf8(bytes).map_err(|_| at_start("the file is not UTF-8"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
        let document = Document::parse_with_options(text, options).map_err(|error| XmlError {
            message: error.to_string(),
            line: error.pos().row,
            column: error.pos().col,
        })?;
        let lines: Vec<usize> = memchr::memchr_iter(b'\n', text.as_bytes()).collect();
        read(document.root_element(), &lines, 0).ok_or_else(|| at_start("elements are nested too deep"))
    }

    /// The first child of this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The children of this name.
    pub(crate) fn children_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first child of this name, without space around it.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim())
    }

    /// Whether a child of this name says `true`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.text_of(name) == Some("true")
    }

    /// Adds a child with text.
    pub(crate) fn push(&mut self, name: &str, text: impl Into<String>) {
        self.children.push(Self::with_text(name, text));
    }

    /// Puts a child with text in the place of all others of its name.
    pub(crate) fn set(&mut self, name: &str, text: impl Into<String>) {
        self.children.retain(|child| child.name != name);
        self.push(name, text);
    }

    /// Puts elements at all levels into the order of the WSDL; those of one name keep theirs.
    pub(crate) fn sort(&mut self) {
        let flow = self.name == "Flow";
        order(self, flow, true);
    }

    /// The document with this root.
    pub(crate) fn document(&self) -> Vec<u8> {
        let mut out = String::with_capacity(1_024);
        out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let mut spaces = format!(" xmlns=\"{NAMESPACE}\"");
        if typed(self) {
            // custom metadata declares both, in this order (retrieved packages in NPSP's repository)
            let _ = write!(spaces, " xmlns:xsi=\"{XSI}\" xmlns:xsd=\"{XSD}\"");
        }
        write(self, &spaces, 0, &mut out);
        out.into_bytes()
    }

    /// What stands within the element, on one line, with a prefix for `xsi` that the surrounding document declares.
    pub(crate) fn write_flat(&self, out: &mut String) {
        for child in &self.children {
            out.push('<');
            out.push_str(&child.name);
            for (name, value) in &child.attributes {
                let _ = write!(out, " {name}=\"{}\"", escape(value));
            }
            out.push('>');
            if child.children.is_empty() {
                out.push_str(&escape(&child.text));
            } else {
                child.write_flat(out);
            }
            let _ = write!(out, "</{}>", child.name);
        }
    }
}

/// Text as Salesforce writes it in documents: both quotes are escaped, too.
fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'', '\r']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\r' => out.push_str("&#xd;"),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn read(node: Node<'_, '_>, lines: &[usize], depth: usize) -> Option<Element> {
    if depth > DEEPEST {
        return None;
    }
    let attributes = node.attributes().map(|attribute| {
        let prefix = if attribute.namespace() == Some(XSI) { "xsi:" } else { "" };
        (format!("{prefix}{}", attribute.name()), attribute.value().to_owned())
    });
    let begins = node.range().start;
    let mut element = Element {
        name: node.tag_name().name().to_owned(),
        attributes: attributes.collect(),
        line: lines.partition_point(|end| *end < begins) as u32 + 1,
        ..Element::default()
    };
    for child in node.children() {
        if child.is_element() {
            element.children.push(read(child, lines, depth + 1)?);
        } else if child.is_text() {
            element.text.push_str(child.text().unwrap_or_default());
        }
    }
    if !element.children.is_empty() {
        element.text.clear();
    }
    Some(element)
}

/// Whether a type is told anywhere, so that the root declares the prefix.
fn typed(element: &Element) -> bool {
    element.attributes.iter().any(|(name, _)| name.starts_with("xsi:")) || element.children.iter().any(typed)
}

fn write(element: &Element, attributes: &str, depth: usize, out: &mut String) {
    let indent = |out: &mut String| (0..depth).for_each(|_| out.push_str("    "));
    indent(out);
    out.push('<');
    out.push_str(&element.name);
    out.push_str(attributes);
    for (name, value) in &element.attributes {
        // the schema's place says nothing to Salesforce
        if name != "xsi:schemaLocation" {
            let _ = write!(out, " {name}=\"{}\"", escape(value));
        }
    }
    if !element.children.is_empty() {
        out.push_str(">\n");
        for child in &element.children {
            write(child, "", depth + 1, out);
        }
        indent(out);
        let _ = writeln!(out, "</{}>", element.name);
    } else if element.text.is_empty() {
        out.push_str("/>\n");
    } else {
        let _ = writeln!(out, ">{}</{}>", escape(&element.text), element.name);
    }
}

/// What types of the WSDL inherit stands before what is their own, and their own is in the order of the alphabet. These
/// are the inherited elements that are out of that order, by the name of the element that has them; `fullName` of
/// `Metadata` is first everywhere.
fn inherited(element: &Element, flow: bool, root: bool) -> &'static [&'static str] {
    // FlowBaseElement, FlowElement, FlowNode
    const NODE: &[&str] = &[
        "processMetadataValues",
        "description",
        "name",
        "elementSubtype",
        "label",
        "locationX",
        "locationY",
    ];
    const RULE: &[&str] = &["accessLevel", "accountSettings", "description", "label", "sharedTo"];
    match element.name.as_str() {
        _ if flow && !root => {
            if element.child("locationX").is_some() {
                NODE
            } else {
                &NODE[..3]
            }
        }
        "sharingCriteriaRules" | "sharingGuestRules" | "sharingOwnerRules" | "sharingTerritoryRules" => RULE,
        // CustomValue, which values of standard picklists extend
        "standardValue" => &["color", "default", "description", "isActive", "label"],
        "picklistValues" => &["color", "default", "description", "isActive"],
        "Role" | "Territory" => &[
            "caseAccessLevel",
            "contactAccessLevel",
            "description",
            "mayForecastManagerShare",
            "name",
            "opportunityAccessLevel",
        ],
        // an app's overrides extend an object's
        "actionOverrides" => {
            &["actionName", "comment", "content", "formFactor", "skipRecordTypeSelect", "type"]
        }
        _ => &[],
    }
}

fn order(element: &mut Element, flow: bool, root: bool) {
    let first = inherited(element, flow, root);
    let rank = |name: &str| {
        if name == "fullName" {
            return 0;
        }
        first.iter().position(|known| *known == name).map_or(first.len() + 1, |at| at + 1)
    };
    element.children.sort_by(|a, b| rank(&a.name).cmp(&rank(&b.name)).then_with(|| a.name.cmp(&b.name)));
    for child in &mut element.children {
        order(child, flow, false);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn documents_get_the_form_that_salesforce_writes() {
        let read = b"<CustomMetadata xmlns='http://soap.sforce.com/2006/04/metadata' xmlns:x='http://www.w3.org/2001/XMLSchema-instance'>\
            <!-- gone --><values><value x:type='xsd:string'><![CDATA[a<\"b']]></value><field>A__c</field></values>\n\
            <label>L</label><description/></CustomMetadata>";
        let mut root = Element::parse(read).unwrap();
        root.sort();
        let written = String::from_utf8(root.document()).unwrap();
        assert_eq!(
            written,
            r#"<?xml version="1.0" encoding="UTF-8"?>
<CustomMetadata xmlns="http://soap.sforce.com/2006/04/metadata" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
    <description/>
    <label>L</label>
    <values>
        <field>A__c</field>
        <value xsi:type="xsd:string">a&lt;&quot;b&apos;</value>
    </values>
</CustomMetadata>
"#
        );
        let again = Element::parse(written.as_bytes()).unwrap();
        assert_eq!(again.document(), written.as_bytes());
    }

    #[test]
    fn elements_of_flows_begin_with_what_they_inherit() {
        let read = b"<Flow><status>Active</status><screens><allowBack>true</allowBack><label>L</label><locationX>1</locationX>\
            <name>S</name><fields><fieldType>x</fieldType><name>f</name><label>z</label></fields></screens></Flow>";
        let mut root = Element::parse(read).unwrap();
        root.sort();
        let names = |element: &Element| {
            element.children.iter().map(|child| child.name.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(&root), "screens status");
        assert_eq!(names(&root.children[0]), "name label locationX allowBack fields");
        assert_eq!(names(&root.children[0].children[4]), "name fieldType label");
    }

    #[test]
    fn what_is_no_xml_tells_where() {
        let error = Element::parse(b"<a>\n  <b>\n</a>").unwrap_err();
        assert_eq!(error.line, 3);
        assert!(Element::parse("<a>".repeat(500).as_bytes()).is_err());
        let deep = format!("{}{}", "<a>".repeat(300), "</a>".repeat(300));
        assert!(Element::parse(deep.as_bytes()).is_err());
        assert!(Element::parse(b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>").is_err());
    }
}
