//! A transaction of rows, each of which stands or falls alone.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::columns::Columns;
use super::outcomes::Outcome;
use super::prepare::{Parent, Prepared};
use super::{Load, Operation};
use crate::store::transaction::{Assignment, Options, Refusal, Transaction};
use crate::value::{Cell, Id, Value};

/// A row on its way: what it is made of, or why it is refused.
pub(crate) type Ready = Result<Prepared, Refusal>;

impl Load {
    /// Refuses the rows that the fault plan wants refused. `first` is the number of the first one in the job, from 1.
    pub(crate) fn refuse<'a>(&self, first: u64, rows: &mut [Ready], texts: impl Iterator<Item = &'a [u8]>) {
        let faults = self.faults.read().unwrap_or_else(PoisonError::into_inner);
        if faults.is_empty() {
            return;
        }
        for ((number, row), text) in (first..).zip(rows).zip(texts) {
            if let Some(refusal) = faults.iter().find_map(|fault| fault.refusal(number, text)) {
                *row = Err(refusal);
            }
        }
    }

    /// Writes rows in one transaction, which keeps what it has locked for as long as the org's settings say.
    pub(crate) fn write(&self, columns: &Columns, rows: &[Ready]) -> Vec<Outcome> {
        let assignment = self.assignment.map_or(Assignment::None, Assignment::Rule);
        let options = Options { assignment, ..Options::default() };
        let work = |transaction: &mut Transaction<'_>| Ok(self.write_in(transaction, columns, rows));
        let lasts = self.org.org.settings.limits.bulk_chunk_ms;
        let written: Result<Vec<Outcome>, ()> = if lasts == 0 {
            self.org.transact_with(self.user, &options, work)
        } else {
            let (written, held) = self.org.transact_held(self.user, &options, work);
            std::thread::sleep(Duration::from_millis(lasts));
            drop(held);
            written
        };
        // the transaction itself refuses nothing
        written.unwrap_or_else(|()| vec![Outcome::Unprocessed; rows.len()])
    }

    fn write_in(&self, transaction: &mut Transaction<'_>, columns: &Columns, rows: &[Ready]) -> Vec<Outcome> {
        if !Arc::ptr_eq(&transaction.world().schema, &columns.schema) {
            // an administrator changed the schema meanwhile: numbers of fields may be others now
            let refusal =
                Refusal::new("UNKNOWN_EXCEPTION", "the schema changed while the batch was processed");
            return rows.iter().map(|row| failed(row, &refusal)).collect();
        }
        let doubled = doubled(columns, rows);
        if matches!(self.operation, Operation::Delete | Operation::HardDelete) {
            return self.delete(transaction, columns, rows, &doubled);
        }
        let mut outcomes = Vec::with_capacity(rows.len());
        for (number, row) in rows.iter().enumerate() {
            let done = match (doubled.get(&number), row) {
                (Some(refusal), _) | (None, Err(refusal)) => Err(refusal.clone()),
                (None, Ok(row)) => self.write_row(transaction, columns, row),
            };
            outcomes.push(match done {
                Ok((id, created)) => Outcome::Done { id, created },
                Err(refusal) => Outcome::Failed { id: id_of(row), refusal },
            });
        }
        outcomes
    }

    fn write_row(
        &self,
        transaction: &mut Transaction<'_>,
        columns: &Columns,
        row: &Prepared,
    ) -> Result<(Id, bool), Refusal> {
        let mut cells = Vec::with_capacity(row.cells.len() + row.parents.len());
        cells.extend_from_slice(&row.cells);
        for parent in &row.parents {
            let id = find_parent(transaction, columns, parent)?;
            cells.push((parent.field, Some(Value::Id(id))));
        }
        match (self.operation, columns.key, row.id) {
            (Operation::Upsert, Some(key), _) => {
                let name = &columns.described().fields[key].name;
                let done = transaction.upsert(columns.object, key, cells);
                done.map_err(|refusal| refusal.into_refusal(name))
            }
            (_, _, Some(id)) => {
                if transaction.object_of(id) != Some(columns.object) {
                    return Err(wrong_object(columns, id));
                }
                transaction.update(id, cells).map(|()| (id, false))
            }
            _ => transaction.insert(columns.object, cells).map(|id| (id, true)),
        }
    }

    fn delete(
        &self,
        transaction: &mut Transaction<'_>,
        columns: &Columns,
        rows: &[Ready],
        doubled: &HashMap<usize, Refusal>,
    ) -> Vec<Outcome> {
        let refused = |number: usize| match (doubled.get(&number), &rows[number]) {
            (Some(refusal), _) | (None, Err(refusal)) => Some(refusal.clone()),
            (None, Ok(row)) => match row.id {
                Some(id) if transaction.object_of(id) != Some(columns.object) => {
                    Some(wrong_object(columns, id))
                }
                _ => None,
            },
        };
        let refused: Vec<Option<Refusal>> = (0..rows.len()).map(refused).collect();
        let wanted = rows.iter().zip(&refused).filter(|(_, refused)| refused.is_none());
        let ids: Vec<Id> = wanted.filter_map(|(row, _)| id_of(row)).collect();
        let done = match self.operation {
            Operation::HardDelete => transaction.hard_delete_all(&ids),
            _ => transaction.delete_all(&ids),
        };
        let mut done = done.into_iter();
        let outcome = |(row, refused): (&Ready, Option<Refusal>)| {
            let id = id_of(row);
            match (id, refused.map_or_else(|| done.next().unwrap_or(Ok(())), Err)) {
                (Some(id), Ok(())) => Outcome::Done { id, created: false },
                (id, Err(refusal)) => Outcome::Failed { id, refusal },
                (None, Ok(())) => Outcome::Unprocessed,
            }
        };
        rows.iter().zip(refused).map(outcome).collect()
    }
}

/// The record that a row names.
fn id_of(row: &Ready) -> Option<Id> {
    row.as_ref().ok().and_then(|row| row.id)
}

fn failed(row: &Ready, refusal: &Refusal) -> Outcome {
    Outcome::Failed { id: id_of(row), refusal: row.as_ref().err().unwrap_or(refusal).clone() }
}

fn wrong_object(columns: &Columns, id: Id) -> Refusal {
    let message = format!("{} ID: id value of incorrect type: {id}", columns.described().name);
    Refusal::field("MALFORMED_ID", "Id", message)
}

/// Rows that name the same record as another one of the transaction: none of them is written.
fn doubled(columns: &Columns, rows: &[Ready]) -> HashMap<usize, Refusal> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut doubled = HashMap::new();
    for (number, row) in rows.iter().enumerate() {
        let Ok(row) = row else { continue };
        let (name, field, text) = match (columns.key, &row.key, row.id) {
            (Some(key), Some(value), _) => {
                let field = &columns.described().fields[key];
                let text = crate::store::plain(value.as_cell());
                (
                    "external id",
                    field.name.clone(),
                    if field.case_sensitive { text } else { text.to_lowercase() },
                )
            }
            (_, _, Some(id)) => ("id", "Id".to_owned(), id.to_string()),
            _ => continue,
        };
        let message = format!("Duplicate {name} specified: {text}");
        if let Some(first) = seen.insert(text, number) {
            let refusal = Refusal::field("DUPLICATE_VALUE", &field, message);
            doubled.entry(first).or_insert_with(|| refusal.clone());
            doubled.insert(number, refusal);
        }
    }
    doubled
}

/// The record that a row names by a field of it.
fn find_parent(transaction: &mut Transaction<'_>, columns: &Columns, parent: &Parent) -> Result<Id, Refusal> {
    let name = &columns.described().fields[parent.field].name;
    let value = parent.value.as_ref().map(Value::as_cell);
    if let Some(Cell::Id(id)) = value {
        return Ok(id);
    }
    let (object, key) = parent.by;
    let found = value.map(|value| transaction.find_by(object, key, value)).unwrap_or_default();
    let target = columns.schema.object(object);
    let (key, text) = (&target.fields[key].name, &parent.text);
    match found.as_slice() {
        [id] => Ok(*id),
        [] => {
            let message = format!(
                "Foreign key external ID: {text} not found for field {key} in entity {}",
                target.name
            );
            Err(Refusal::field("INVALID_FIELD", name, message))
        }
        _ => {
            let message = format!("{key}: more than one record found for external id field");
            Err(Refusal::field("DUPLICATE_EXTERNAL_ID", name, message))
        }
    }
}
