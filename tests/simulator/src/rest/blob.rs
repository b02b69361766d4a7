//! The content of a base64 field: a file of the org directory, whose name the cell holds, or one that was
//! written since the org runs.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Component, Path};
use std::sync::Arc;

use super::Call;
use crate::schema::FieldType;
use crate::soql::Plan;
use crate::value::{Cell, Id};
use crate::web::{Answer, ApiError};

/// The type of every content, as Salesforce spells it.
const KIND: &str = "application/octetstream";
const PIECE: usize = 64 * 1024;

/// The content of a base64 field, as a whole.
pub(crate) fn content(call: &Call<'_>, number: usize, id: Id, field: &str) -> Option<Vec<u8>> {
    let object = call.world.schema.object(number);
    let row = call.world.database.find(number, id)?;
    let mut scratch = String::new();
    let field = object.find(field)?;
    let cell = call.world.database.cell(&call.world.schema, number, row, field, &mut scratch);
    let Cell::Text(name) = cell else { return None };
    if let Some(content) = call.world.database.file(name) {
        return content.to_bytes().ok().map(|content| content.to_vec());
    }
    let name = Path::new(name);
    let inside = name.components().all(|part| matches!(part, Component::Normal(_)));
    inside.then(|| std::fs::read(call.org.org.directory.join("files").join(name)).ok()).flatten()
}

/// `GET sobjects/X/ID/Field`.
pub(super) fn answer(call: &Call<'_>, number: usize, id: Id, field: &str) -> Result<Answer, ApiError> {
    let object = call.world.schema.object(number);
    let field = object.find(field).filter(|field| call.view.sees_field(number, *field));
    let field = field.map(|field| &object.fields[field]).filter(|field| field.kind == FieldType::Base64);
    let field = field.ok_or_else(ApiError::not_found)?;
    let query = format!("SELECT {} FROM {} WHERE Id = '{id}'", field.name, object.name);
    let plan = Arc::new(Plan::of(&call.world.schema, &call.view, &query)?);
    let cursor = plan.open(call.world.database.clone(), false);
    let row = cursor.rows(0, 1).next().ok_or_else(ApiError::not_found)?;
    let mut scratch = String::new();
    let Cell::Text(name) = cursor.cell(row, 0, &mut scratch) else { return Err(ApiError::not_found()) };
    if let Some(content) = call.world.database.file(name) {
        return Ok(Answer::stream(KIND, Box::new(move |out| content.write_to(out))));
    }
    let name = Path::new(name);
    if !name.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(ApiError::not_found());
    }
    let path = call.org.org.directory.join("files").join(name);
    let mut file = File::open(&path).map_err(|_| ApiError::not_found())?;
    Ok(Answer::stream(
        KIND,
        Box::new(move |out| {
            let mut piece = vec![0; PIECE];
            loop {
                match file.read(&mut piece) {
                    Ok(0) => return Ok(()),
                    Ok(read) => out.write_all(&piece[..read])?,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }),
    ))
}
