//! Records of which there may be only one of a kind, though no single field says so.

use super::super::{Refusal, Transaction};
use crate::store::Row;
use crate::value::{Id, Value};

/// Object, the fields that together occur once, and what Salesforce says of a second one; without words of its own it
/// says which record there is.
const ONCE: [(&str, &[&str], Option<&str>); 7] = [
    (
        "AccountContactRelation",
        &["AccountId", "ContactId"],
        Some("There's already a relationship between this contact and account."),
    ),
    ("CampaignMember", &["CampaignId", "ContactId", "LeadId"], Some("Already a campaign member.")),
    ("CampaignMemberStatus", &["CampaignId", "Label"], None),
    ("ContentDocumentLink", &["ContentDocumentId", "LinkedEntityId"], None),
    ("GroupMember", &["GroupId", "UserOrGroupId"], None),
    ("PermissionSetAssignment", &["PermissionSetId", "AssigneeId"], None),
    (
        "PricebookEntry",
        &["Pricebook2Id", "Product2Id", "CurrencyIsoCode"],
        Some("This price definition already exists in this price book"),
    ),
];

impl Transaction<'_> {
    /// Refuses a second record of a kind.
    pub(super) fn check_twins(&self, object: usize, row: &Row) -> Result<(), Refusal> {
        let described = self.described(object);
        let rule = ONCE.iter().find(|(name, ..)| *name == described.name);
        let Some((name, fields, words)) = rule else { return Ok(()) };
        let Some(first) = self.parent(object, row, fields[0]) else { return Ok(()) };
        let cell = |field: &str| self.named(object, row, field).to_value();
        let same = |id: &Id| {
            *id != row.id && fields[1..].iter().all(|field| self.field_of(*id, field) == cell(field))
        };
        // what all but nobody shares is looked through
        let narrow = fields[1..].iter().find_map(|field| Some((*field, self.parent(object, row, field)?)));
        let (field, value) = narrow.unwrap_or((fields[0], first));
        let of_first = |id: &Id| self.field_of(*id, fields[0]) == Some(Value::Id(first));
        let twin = self.children_of(name, field, value).into_iter().find(|id| of_first(id) && same(id));
        match (twin, words) {
            (None, _) => Ok(()),
            (Some(_), Some(words)) => Err(Refusal::new("DUPLICATE_VALUE", *words)),
            (Some(id), None) => {
                let message =
                    format!("duplicate value found: unknown duplicates value on record with id: {id}");
                Err(Refusal::new("DUPLICATE_VALUE", message))
            }
        }
    }
}
