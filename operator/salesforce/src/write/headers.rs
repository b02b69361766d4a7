//! What the org is asked to leave out while it writes. There is no header that bypasses triggers, flows or validation.

use http::{HeaderName, HeaderValue};

use crate::transport::Call;

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteOptions {
    /// Saves also what a duplicate rule only warns of; one that blocks still blocks.
    pub allow_duplicates: bool,
    /// Lets assignment rules give cases and leads another owner than the row says.
    pub auto_assign: bool,
    /// A collection in which one row is refused is taken back whole.
    pub all_or_none: bool,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self { allow_duplicates: true, auto_assign: false, all_or_none: false }
    }
}

impl WriteOptions {
    /// Puts the headers of REST into a call.
    pub(crate) fn put(self, call: Call) -> Call {
        let set = |call: Call, name: &'static str, value: &'static str| {
            call.header(HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let duplicates = if self.allow_duplicates {
            "allowSave=true; includeRecordDetails=false"
        } else {
            "allowSave=false; includeRecordDetails=false"
        };
        let call = set(call, "sforce-duplicate-rule-header", duplicates);
        let call = set(call, "sforce-auto-assign", if self.auto_assign { "TRUE" } else { "FALSE" });
        set(call, "sforce-mru", "updateMru=false")
    }

    /// The same as SOAP headers, in the namespace of the call.
    pub(crate) fn soap(self) -> String {
        format!(
            "<DuplicateRuleHeader><allowSave>{}</allowSave><includeRecordDetails>false</includeRecordDetails>\
             <runAsCurrentUser>true</runAsCurrentUser></DuplicateRuleHeader>",
            self.allow_duplicates
        )
    }
}
