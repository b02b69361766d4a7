//! Envelopes of SOAP 1.1: a request's header, operation and content, and the answers and faults around what a handler
//! wrote. Namespaces and elements after the Partner WSDL 47.0 and the Metadata WSDLs 47.0 and 63.0.

use std::borrow::Cow;

use http::StatusCode;
use roxmltree::{Document, Node, NodeId};

use crate::web::{Answer, ApiError};

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// One of the SOAP APIs, by the letter in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// `u`: records of any object as name and value.
    Partner,
    /// `c`: records in the types of one org.
    Enterprise,
    /// `m`: metadata.
    Metadata,
    /// `T`: the Tooling API.
    Tooling,
}

impl Api {
    /// By the letter behind `/services/Soap/`.
    pub(crate) fn of(letter: &str) -> Option<Self> {
        match letter {
            "u" => Some(Self::Partner),
            "c" => Some(Self::Enterprise),
            "m" => Some(Self::Metadata),
            "t" | "T" => Some(Self::Tooling),
            _ => None,
        }
    }

    /// Its letter.
    pub(crate) fn letter(self) -> &'static str {
        match self {
            Self::Partner => "u",
            Self::Enterprise => "c",
            Self::Metadata => "m",
            Self::Tooling => "T",
        }
    }

    /// The namespace of operations and answers.
    fn namespace(self) -> &'static str {
        match self {
            Self::Partner => "urn:partner.soap.sforce.com",
            Self::Enterprise => "urn:enterprise.soap.sforce.com",
            Self::Metadata => "http://soap.sforce.com/2006/04/metadata",
            Self::Tooling => "urn:tooling.soap.sforce.com",
        }
    }

    /// The namespace of records within answers.
    fn records(self) -> &'static str {
        match self {
            Self::Partner => "urn:sobject.partner.soap.sforce.com",
            Self::Enterprise => "urn:sobject.enterprise.soap.sforce.com",
            Self::Metadata => "http://soap.sforce.com/2006/04/metadata",
            Self::Tooling => "urn:sobject.tooling.soap.sforce.com",
        }
    }

    /// The namespace of fault codes and details.
    fn faults(self) -> &'static str {
        match self {
            Self::Partner => "urn:fault.partner.soap.sforce.com",
            Self::Enterprise => "urn:fault.enterprise.soap.sforce.com",
            Self::Metadata => "http://soap.sforce.com/2006/04/metadata",
            Self::Tooling => "urn:fault.tooling.soap.sforce.com",
        }
    }
}

/// A request's envelope.
#[derive(Debug)]
pub(crate) struct Envelope<'i> {
    document: Document<'i>,
    header: Option<NodeId>,
    operation: NodeId,
}

impl<'i> Envelope<'i> {
    /// Reads an envelope; document type definitions are refused. The fault says what is wrong with it.
    pub(crate) fn parse(text: &'i str) -> Result<Self, Fault> {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let document = Document::parse(text).map_err(|error| Fault::client(error.to_string()))?;
        let root = document.root_element();
        let body = child(root, "Body").filter(|_| root.tag_name().name() == "Envelope");
        let body = body.ok_or_else(|| Fault::client("the message is no SOAP envelope with a body"))?;
        let operation = body.children().find(Node::is_element).map(|node| node.id());
        let operation = operation.ok_or_else(Fault::no_operation)?;
        let header = child(root, "Header").map(|node| node.id());
        Ok(Self { document, header, operation })
    }

    /// The element of the operation: its name tells which, its children are the arguments.
    pub(crate) fn operation(&self) -> Node<'_, 'i> {
        self.node(self.operation)
    }

    /// The operation's name without its prefix.
    pub(crate) fn name(&self) -> &str {
        self.operation().tag_name().name()
    }

    /// A header, by its name without prefix.
    pub(crate) fn header(&self, name: &str) -> Option<Node<'_, 'i>> {
        child(self.node(self.header?), name)
    }

    /// The session id, from `SessionHeader`.
    pub(crate) fn session(&self) -> Option<String> {
        let session = text_of(self.header("SessionHeader")?, "sessionId")?;
        Some(session.trim().to_owned()).filter(|session| !session.is_empty())
    }

    /// A flag within a header, such as `AllOrNoneHeader`'s `allOrNone`; false where there is none.
    pub(crate) fn flag(&self, header: &str, name: &str) -> bool {
        let told = self.header(header).and_then(|header| text_of(header, name));
        told.is_some_and(|told| matches!(told.trim(), "true" | "1"))
    }

    fn node(&self, id: NodeId) -> Node<'_, 'i> {
        // ids come from this document, so there always is such a node
        self.document.get_node(id).unwrap_or_else(|| self.document.root())
    }
}

/// The first child element of this local name.
pub(crate) fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.is_element() && child.tag_name().name() == name)
}

/// All child elements of this local name.
pub(crate) fn children<'a, 'i>(node: Node<'a, 'i>, name: &str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.is_element() && child.tag_name().name() == name)
}

/// The text of an element: character data and CDATA, as it stands.
pub(crate) fn text(node: Node<'_, '_>) -> String {
    node.children().filter(Node::is_text).filter_map(|text| text.text()).collect()
}

/// The text of the first child of this local name; nothing where there is none.
pub(crate) fn text_of(node: Node<'_, '_>, name: &str) -> Option<String> {
    child(node, name).map(text)
}

/// The texts of all children of this local name.
pub(crate) fn texts(node: Node<'_, '_>, name: &str) -> Vec<String> {
    children(node, name).map(text).collect()
}

/// Whether an element says that it is null.
pub(crate) fn is_nil(node: Node<'_, '_>) -> bool {
    node.attribute((XSI, "nil")).is_some_and(|nil| matches!(nil, "true" | "1"))
}

/// The type that an element says it has (`xsi:type="sf:Account"`), without its prefix.
pub(crate) fn type_of<'a>(node: Node<'a, '_>) -> Option<&'a str> {
    let named = node.attribute((XSI, "type"))?;
    named.rsplit(':').next()
}

/// The operation's name as far as it can be told without reading the message: what logs and fault plans go by.
pub(crate) fn peek(body: &[u8]) -> &str {
    /// Headers that come before it are not longer.
    const FAR_ENOUGH: usize = 16 * 1024;
    let head = &body[..body.len().min(FAR_ENOUGH)];
    let head = match std::str::from_utf8(head) {
        Ok(head) => head,
        Err(error) => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default(),
    };
    let mut in_body = false;
    for tag in head.split('<').skip(1) {
        let name = tag.split([' ', '\t', '\r', '\n', '/', '>']).next().unwrap_or_default();
        let name = name.rsplit(':').next().unwrap_or_default();
        if in_body && !tag.starts_with('!') {
            return name;
        }
        in_body |= name == "Body";
    }
    ""
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct Fault {
    /// The type of its detail: `UnexpectedErrorFault`, `LoginFault`, …
    pub(crate) kind: &'static str,
    /// `INVALID_SESSION_ID`, …
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Fault {
    /// A fault with this code; the kind of its detail is the one that the WSDL has for the code.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        let kind = match code {
            "INVALID_FIELD" => "InvalidFieldFault",
            "INVALID_TYPE" => "InvalidSObjectFault",
            "MALFORMED_QUERY" => "MalformedQueryFault",
            "MALFORMED_SEARCH" => "MalformedSearchFault",
            "INVALID_QUERY_LOCATOR" => "InvalidQueryLocatorFault",
            "MALFORMED_ID" | "INVALID_ID_FIELD" => "InvalidIdFault",
            _ => "UnexpectedErrorFault",
        };
        Self { kind, code, message: message.into() }
    }

    /// A dead session, as SOAP says it.
    pub(crate) fn session() -> Self {
        Self::new("INVALID_SESSION_ID", "Invalid Session ID found in SessionHeader: Illegal Session")
    }

    /// An operation that the API does not have.
    pub(crate) fn no_operation() -> Self {
        let message = "No operation available for request, please check the WSDL for the service.";
        Self::new("UNKNOWN_EXCEPTION", message)
    }

    /// A message that cannot be read.
    pub(crate) fn client(message: impl Into<String>) -> Self {
        Self { kind: "", code: "Client", message: message.into() }
    }

    /// The answer: HTTP 500 with the fault in the body.
    pub(crate) fn answer(&self, api: Api) -> Answer {
        let Self { kind, code, message } = self;
        let message = escape_text(message);
        let fault = if kind.is_empty() {
            format!("<faultcode>soapenv:{code}</faultcode><faultstring>{message}</faultstring>")
        } else if api == Api::Metadata {
            // the metadata WSDL declares no details
            format!("<faultcode>sf:{code}</faultcode><faultstring>{code}: {message}</faultstring>")
        } else {
            format!(
                "<faultcode>sf:{code}</faultcode><faultstring>{code}: {message}</faultstring><detail>\
                 <sf:{kind} xsi:type=\"sf:{kind}\"><sf:exceptionCode>{code}</sf:exceptionCode>\
                 <sf:exceptionMessage>{message}</sf:exceptionMessage>{place}</sf:{kind}></detail>",
                place = if query_fault(kind) { "<sf:row>-1</sf:row><sf:column>-1</sf:column>" } else { "" },
            )
        };
        let fault = format!("<soapenv:Fault>{fault}</soapenv:Fault>");
        wrap(StatusCode::INTERNAL_SERVER_ERROR, api, api.faults(), "", &fault)
    }
}

/// Faults that extend `ApiQueryFault`, which tells row and column.
fn query_fault(kind: &str) -> bool {
    matches!(
        kind,
        "InvalidFieldFault" | "InvalidSObjectFault" | "MalformedQueryFault" | "MalformedSearchFault"
    )
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        if error.code == "INVALID_SESSION_ID" {
            return Self::session();
        }
        Self::new(error.code, error.message)
    }
}

/// An answer: what goes into the header (may be empty), and the element of the answer itself.
pub(crate) fn answer(api: Api, header: &str, content: &str) -> Answer {
    wrap(StatusCode::OK, api, api.records(), header, content)
}

fn wrap(status: StatusCode, api: Api, sf: &str, header: &str, content: &str) -> Answer {
    let header =
        if header.is_empty() { String::new() } else { format!("<soapenv:Header>{header}</soapenv:Header>") };
    let body = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="{}" xmlns:sf="{sf}" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="{XSI}">{header}<soapenv:Body>{content}</soapenv:Body></soapenv:Envelope>"#,
        api.namespace()
    );
    Answer::bytes(status, "text/xml;charset=UTF-8", body)
}

/// Text for elements: quotes are left as they are, so it is not for attributes. Line ends stay what they are; characters
/// that XML cannot hold are left out.
pub(crate) fn escape_text(text: &str) -> Cow<'_, str> {
    let special = |c: char| match c {
        '&' | '<' | '>' | '\r' | '\u{fffe}' | '\u{ffff}' => true,
        '\n' | '\t' => false,
        c => c < ' ',
    };
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#xd;"),
            c if special(c) => {}
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Writes `<name>text</name>`.
pub(crate) fn tag(out: &mut String, name: &str, text: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    out.push_str(&escape_text(text));
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// Writes `<name xsi:nil="true"/>`.
pub(crate) fn nil(out: &mut String, name: &str) {
    out.push('<');
    out.push_str(name);
    out.push_str(" xsi:nil=\"true\"/>");
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MESSAGE: &str = "\u{feff}<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/' xmlns='urn:partner.soap.sforce.com' \
         xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'><e:Header><SessionHeader><sessionId> 00D!x </sessionId></SessionHeader>\
         <AllOrNoneHeader><allOrNone>true</allOrNone></AllOrNoneHeader></e:Header><e:Body><n:login xmlns:n='x'>\
         <n:username>a&amp;b<![CDATA[<c>]]></n:username><password xsi:nil='true'/></n:login></e:Body></e:Envelope>";

    #[test]
    fn envelopes_are_read_whatever_their_prefixes() {
        let envelope = Envelope::parse(MESSAGE).unwrap();
        assert_eq!(envelope.session().as_deref(), Some("00D!x"));
        assert!(envelope.flag("AllOrNoneHeader", "allOrNone"));
        assert_eq!(envelope.name(), "login");
        assert_eq!(text_of(envelope.operation(), "username").as_deref(), Some("a&b<c>"));
        assert!(is_nil(child(envelope.operation(), "password").unwrap()));
        assert_eq!(peek(MESSAGE.as_bytes()), "login");
    }

    #[test]
    fn what_is_no_envelope_is_a_fault() {
        for text in [
            "",
            "<a/>",
            "<Envelope/>",
            "<Envelope><Body/></Envelope>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        ] {
            assert!(Envelope::parse(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "[<>/:a-zB &;!\\[\\]é\"=-]{0,60}", value in "\\PC{0,20}") {
            let _ = (Envelope::parse(&text).is_ok(), peek(text.as_bytes()));
            let whole = format!("<Envelope><Body><a>{}</a></Body></Envelope>", escape_text(&value));
            let envelope = Envelope::parse(&whole).unwrap();
            proptest::prop_assert_eq!(super::text(envelope.operation()), value);
        }
    }
}
