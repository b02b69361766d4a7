//! What makes a record's content refused.

use super::picklist::master_record_type;
use super::{Cells, Refusal, Transaction};
use crate::schema::{Field, FieldType};
use crate::store::Row;
use crate::value::{Cell, Id};

/// Audit fields that the permission to set them opens, on insert alone.
const AUDIT: [&str; 4] = ["CreatedById", "CreatedDate", "LastModifiedById", "LastModifiedDate"];
/// Standard objects whose audit fields can be set; custom ones all can (help page "Enable Create Audit Fields").
const AUDITED: [&str; 26] = [
    "Account",
    "ArticleVersion",
    "Attachment",
    "CampaignMember",
    "Case",
    "CaseComment",
    "Contact",
    "ContentVersion",
    "Contract",
    "EmailMessage",
    "Event",
    "FeedComment",
    "FeedItem",
    "Holiday",
    "Idea",
    "IdeaComment",
    "KnowledgeArticleVersion",
    "Lead",
    "Note",
    "Opportunity",
    "Order",
    "Question",
    "Quote",
    "Solution",
    "Task",
    "Vote",
];
/// Parents above a record at most, where its own object is its parent.
const DEEPEST: usize = 500;

impl Transaction<'_> {
    /// Fields that the user may not write.
    pub(super) fn check_writable(&self, object: usize, cells: &Cells, insert: bool) -> Result<(), Refusal> {
        let described = self.described(object);
        let audited = insert
            && self.actor.sets_audit_fields
            && (described.is_custom() || AUDITED.contains(&described.name.as_str()));
        let writable = |field: &Field| {
            let audit = audited && AUDIT.contains(&field.name.as_str());
            audit || if insert { field.createable } else { field.updateable }
        };
        let refused = cells.iter().map(|(field, _)| &described.fields[*field]);
        let refused: Vec<String> =
            refused.filter(|field| !writable(field)).map(|field| field.name.clone()).collect();
        if refused.is_empty() {
            return Ok(());
        }
        let message = format!(
            "Unable to create/update fields: {}. Please check the security settings of this field and verify that it \
             is read/write for your profile or permission set.",
            refused.join(", ")
        );
        Err(Refusal { code: "INVALID_FIELD_FOR_INSERT_UPDATE", message, fields: refused })
    }

    /// Holds the fields that were set against the schema, and the row as a whole against what is required.
    pub(super) fn check_row(
        &mut self,
        object: usize,
        row: &Row,
        set: &[usize],
        insert: bool,
    ) -> Result<(), Refusal> {
        self.check_required(object, row, set, insert)?;
        if insert {
            self.check_times(object, row)?;
        }
        for &field in set {
            self.check_cell(object, row, field)?;
        }
        for &field in set {
            self.check_unique(object, row, field)?;
        }
        Ok(())
    }

    fn check_required(&self, object: usize, row: &Row, set: &[usize], insert: bool) -> Result<(), Refusal> {
        let described = self.described(object);
        let missing = described.fields.iter().enumerate().filter(|(number, field)| {
            let asked = if insert { field.required } else { set.contains(number) && !field.nillable };
            asked && field.kind != FieldType::Boolean && row.get(*number) == Cell::Null
        });
        let fields: Vec<String> = missing.map(|(_, field)| field.name.clone()).collect();
        if fields.is_empty() {
            return Ok(());
        }
        let message = format!("Required fields are missing: [{}]", fields.join(", "));
        Err(Refusal { code: "REQUIRED_FIELD_MISSING", message, fields })
    }

    /// A record was not changed before it was made.
    fn check_times(&self, object: usize, row: &Row) -> Result<(), Refusal> {
        let stamps = self.described(object).stamps;
        let at = |field: Option<usize>| match field.map(|field| row.get(field)) {
            Some(Cell::DateTime(at)) => Some(at),
            _ => None,
        };
        match (at(stamps.created), at(stamps.modified)) {
            (Some(made), Some(changed)) if changed < made => {
                let message = "Last Modified Date before Created Date";
                Err(Refusal::field("FIELD_INTEGRITY_EXCEPTION", "LastModifiedDate", message))
            }
            _ => Ok(()),
        }
    }

    fn check_cell(&self, object: usize, row: &Row, number: usize) -> Result<(), Refusal> {
        let field = &self.described(object).fields[number];
        match row.get(number) {
            Cell::Text(text) => match field.kind {
                FieldType::Picklist | FieldType::MultiPicklist => {
                    check_length(field, text)?;
                    self.check_picklist(object, row, number, text)
                }
                _ => check_text(field, text),
            },
            Cell::Number(decimal) => {
                let (units, scale) = decimal.parts();
                let whole = units.unsigned_abs() / 10u64.pow(u32::from(scale));
                let most = u32::from(field.precision.saturating_sub(field.scale));
                let outside =
                    field.precision > 0 && 10u64.checked_pow(most).is_some_and(|most| whole >= most);
                if outside { Err(out_of_range(field)) } else { Ok(()) }
            }
            Cell::Id(id) if field.kind == FieldType::Reference => {
                self.check_reference(object, row, field, id)
            }
            _ => Ok(()),
        }
    }

    fn check_reference(&self, object: usize, row: &Row, field: &Field, id: Id) -> Result<(), Refusal> {
        if field.name == "RecordTypeId" && (id == master_record_type() || self.has_record_types(object)) {
            return self.check_record_type(object, id);
        }
        let Some(target) = self.object_of(id) else {
            // ids of what the schema does not describe are beyond what can be judged
            let judged = field.reference_to.iter().all(|target| self.world.schema.find(target).is_some());
            return if judged { Err(wrong_type(field, id)) } else { Ok(()) };
        };
        let name = &self.described(target).name;
        if !field.reference_to.contains(name) {
            return Err(wrong_type(field, id));
        }
        if id == row.id {
            return Err(circular());
        }
        self.is_alive(id)?;
        if target == object && self.is_below(object, field, id, row.id) {
            return Err(circular());
        }
        Ok(())
    }

    /// Whether a record is, through this field, below another one.
    fn is_below(&self, object: usize, field: &Field, mut id: Id, above: Id) -> bool {
        let Some(number) = self.described(object).find(&field.name) else { return false };
        for _ in 0..DEEPEST {
            let Some(found) = self.world.database.find(object, id) else { return false };
            let mut scratch = String::new();
            let cell = self.world.database.cell(&self.world.schema, object, found, number, &mut scratch);
            match cell {
                Cell::Id(parent) if parent == above => return true,
                Cell::Id(parent) => id = parent,
                _ => return false,
            }
        }
        false
    }
}

fn check_length(field: &Field, text: &str) -> Result<(), Refusal> {
    let bounded = field.length > 0 && field.kind != FieldType::Base64;
    if bounded && text.len() > field.length && text.chars().count() > field.length {
        let message = format!("{}: data value too large: {text} (max length={})", field.label, field.length);
        return Err(Refusal::field("STRING_TOO_LONG", &field.name, message));
    }
    Ok(())
}

fn check_text(field: &Field, text: &str) -> Result<(), Refusal> {
    check_length(field, text)?;
    if field.kind == FieldType::Email && !is_email(text) {
        let message = format!("{}: invalid email address: {text}", field.label);
        return Err(Refusal::field("INVALID_EMAIL_ADDRESS", &field.name, message));
    }
    Ok(())
}

fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && domain.contains('.')
            && !domain.starts_with('.')
            && !text.contains(char::is_whitespace)
    })
}

fn out_of_range(field: &Field) -> Refusal {
    let message = format!("{}: value outside of valid range on numeric field", field.label);
    Refusal::field("NUMBER_OUTSIDE_VALID_RANGE", &field.name, message)
}

fn wrong_type(field: &Field, id: Id) -> Refusal {
    let message = format!("{}: id value of incorrect type: {id}", field.label);
    Refusal::field("FIELD_INTEGRITY_EXCEPTION", &field.name, message)
}

fn circular() -> Refusal {
    Refusal::new("CIRCULAR_DEPENDENCY", "attempt to violate hierarchy constraints")
}
