//! What is closed and what is archived: tasks, events, cases, opportunities; e-mails that were sent.

use super::super::{Refusal, Transaction};
use crate::schema::full::is_custom;
use crate::store::Row;
use crate::value::calendar::DAY_MS;
use crate::value::{Cell, Id, Value};

/// An activity is archived when it has been over for so many days (help page "Archived Activities").
const ARCHIVED_AFTER_DAYS: i64 = 365;
/// The status of an e-mail that is a draft (object reference, EmailMessage).
const DRAFT: &str = "5";

impl Transaction<'_> {
    /// Fills in what the status or stage says: whether the record is closed, and won.
    pub(super) fn close(&self, object: usize, row: &mut Row) {
        let status = |field: &str, row: &Row| match self.named(object, row, field) {
            Cell::Text(text) => text.to_owned(),
            _ => String::new(),
        };
        let flags: &[(&str, bool)] = match self.described(object).name.as_str() {
            "Task" => &[("IsClosed", status("Status", row) == "Completed")],
            "Case" => &[("IsClosed", status("Status", row) == "Closed")],
            _ => {
                let stage = status("StageName", row);
                &[("IsClosed", stage.starts_with("Closed")), ("IsWon", stage == "Closed Won")]
            }
        };
        for (field, value) in flags {
            self.set(object, row, field, Some(Value::Bool(*value)));
        }
    }

    /// Refuses to change an e-mail that is not a draft any more; fields that the org has added stay open.
    pub(super) fn check_draft(&self, object: usize, row: &Row, before: Option<&Row>) -> Result<(), Refusal> {
        let Some(before) = before else { return Ok(()) };
        let status = self.named(object, before, "Status");
        if matches!(status, Cell::Text(DRAFT) | Cell::Null) {
            return Ok(());
        }
        let described = self.described(object);
        let open = |name: &str| is_custom(name) || name == "IsExternallyVisible";
        let changed = (0..described.fields.len())
            .find(|field| before.get(*field) != row.get(*field) && !open(&described.fields[*field].name));
        match changed {
            None => Ok(()),
            Some(field) => {
                let message = "an e-mail message that is not a draft cannot be changed";
                Err(Refusal::field("INSUFFICIENT_ACCESS_OR_READONLY", &described.fields[field].name, message))
            }
        }
    }

    /// Archives activities that have been over for a year: only queryAll shows them from then on. How many there were.
    pub fn archive_activities(&mut self) -> usize {
        let until = self.at - ARCHIVED_AFTER_DAYS * DAY_MS;
        let mut archived = 0;
        for name in ["Task", "Event"] {
            let Some(object) = self.world.schema.find(name) else { continue };
            if self.described(object).find("IsArchived").is_none() {
                continue;
            }
            let stored = self.world.database.table(object).stored_rows();
            let old: Vec<Id> = stored
                .filter(|row| !row.deleted && self.is_over(object, row, until))
                .map(|row| row.id)
                .collect();
            for id in old {
                let Some((_, mut row)) = self.find(id) else { continue };
                row.deleted = true;
                self.set(object, &mut row, "IsArchived", Some(Value::Bool(true)));
                self.write(object, row);
                archived += 1;
            }
        }
        archived
    }

    /// Whether an event was over, or a task is closed and was due, before some time.
    fn is_over(&self, object: usize, row: &Row, until: i64) -> bool {
        let is_task = self.described(object).name == "Task";
        if is_task && self.named(object, row, "IsClosed") != Cell::Bool(true) {
            return false;
        }
        let dates = if is_task { ["ActivityDate", "CreatedDate"] } else { ["EndDateTime", "ActivityDate"] };
        let at = dates.into_iter().find_map(|field| match self.named(object, row, field) {
            Cell::DateTime(at) => Some(at),
            Cell::Date(days) => Some(i64::from(days) * DAY_MS),
            _ => None,
        });
        at.is_some_and(|at| at < until)
    }
}
