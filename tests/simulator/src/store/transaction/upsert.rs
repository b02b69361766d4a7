//! Upsert: a record is changed if one has its key, and made otherwise.

use super::{Cells, Refusal, Transaction};
use crate::schema::FieldType;
use crate::value::{Id, Value};

/// Why an upsert is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpsertRefusal {
    /// As any change is.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Several records have the key (REST answers 300 with their addresses, all else `DUPLICATE_EXTERNAL_ID`).
    #[error("{} records have this external id", .0.len())]
    Several(Vec<Id>),
}

impl UpsertRefusal {
    /// The refusal as collections, SOAP and Bulk give it.
    pub fn into_refusal(self, key: &str) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Several(ids) => {
                // the words of the recorded answers of Bulk and SOAP list the ids
                let ids: Vec<String> = ids.iter().map(Id::to_string).collect();
                let message =
                    format!("{key}: more than one record found for external id field: [{}]", ids.join(", "));
                Refusal::field("DUPLICATE_EXTERNAL_ID", key, message)
            }
        }
    }
}

impl Transaction<'_> {
    /// Changes the record that has the value of `key` which is among the cells, or makes one if there is none. The
    /// key is an external id, another field that the describe calls `idLookup`, or `Id`: with an id the record must
    /// exist, without one a record is made. The answer is the record's id and whether it was made.
    pub fn upsert(
        &mut self,
        object: usize,
        key: usize,
        mut cells: Cells,
    ) -> Result<(Id, bool), UpsertRefusal> {
        let field = &self.described(object).fields[key];
        let (name, by_id) = (field.name.clone(), field.kind == FieldType::Id);
        if !(field.external_id || field.id_lookup || by_id) {
            let message = format!(
                "Field name provided, {name} does not match an External ID, Salesforce Id, or indexed field for {}",
                self.described(object).name
            );
            return Err(Refusal::field("INVALID_FIELD", &name, message).into());
        }
        let writable = !by_id && !field.auto_number && field.createable;
        let updateable = writable && field.updateable;
        let value = cells.iter().find(|(field, _)| *field == key).and_then(|(_, value)| value.clone());
        match value {
            None if by_id => {
                cells.retain(|(field, _)| *field != key);
                Ok((self.insert(object, cells)?, true))
            }
            None => Err(Refusal::field("MISSING_ARGUMENT", &name, format!("{name} not specified")).into()),
            Some(Value::Id(id)) if by_id => {
                if self.object_of(id) != Some(object) {
                    let message = format!("{name}: id value of incorrect type: {id}");
                    return Err(Refusal::field("MALFORMED_ID", &name, message).into());
                }
                cells.retain(|(field, _)| *field != key);
                self.update(id, cells)?;
                Ok((id, false))
            }
            Some(value) => match self.find_by(object, key, value.as_cell()).as_slice() {
                [] => Ok((self.insert(object, cells)?, true)),
                [id] => {
                    let id = *id;
                    // the record has the value; that it may be given does not make it writable
                    if !updateable {
                        cells.retain(|(field, _)| *field != key);
                    }
                    self.update(id, cells)?;
                    Ok((id, false))
                }
                several => Err(UpsertRefusal::Several(several.to_vec())),
            },
        }
    }
}
