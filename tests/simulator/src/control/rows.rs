//! Rows as they are shown: all fields, nothing hidden.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::schema::View;
use crate::soql::Plan;
use crate::store::{Database, RowRef, World, plain};
use crate::value::{Cell, Id};
use crate::web::ApiError;

/// Which rows of an object are asked for.
pub(super) struct Listing<'a> {
    pub(super) offset: u64,
    pub(super) limit: u64,
    pub(super) with_deleted: bool,
    /// A condition as it would stand behind WHERE.
    pub(super) condition: Option<&'a str>,
}

impl Listing<'_> {
    /// How many rows there are, and the page of them that was asked for.
    pub(super) fn read<T>(
        &self,
        world: &World,
        object: usize,
        mut show: impl FnMut(&World, usize, Id, RowRef<'_>) -> T,
    ) -> Result<(u64, Vec<T>), ApiError> {
        let Some(condition) = self.condition else {
            let table = world.database.table(object);
            let mut scan = table.scan(crate::store::Bounds::ALL, self.with_deleted);
            scan.leave_out(self.offset);
            let most = usize::try_from(self.limit).unwrap_or(usize::MAX);
            let rows = scan.take(most).map(|row| show(world, object, table.id_of(row), row)).collect();
            return Ok((table.count(self.with_deleted), rows));
        };
        let text = format!("SELECT Id FROM {} WHERE {condition}", world.schema.object(object).name);
        let plan = Arc::new(Plan::of(&world.schema, &View::everything(), &text)?);
        let database: Database = world.database.clone();
        let cursor = plan.open(database, self.with_deleted);
        let rows = cursor.rows(self.offset, self.limit);
        let rows = rows.map(|row| show(world, object, cursor.id(row), row)).collect();
        Ok((cursor.total(), rows))
    }
}

/// A record by its id, whether it is deleted or not.
pub(super) fn one(world: &World, id: Id) -> Option<Json> {
    let object = world.schema.find_prefix(id.prefix())?;
    let row = world.database.find(object, id)?;
    Some(json(world, object, id, row))
}

/// A row in JSON.
pub(super) fn json(world: &World, object: usize, id: Id, row: RowRef<'_>) -> Json {
    let described = world.schema.object(object);
    let mut map = Map::new();
    map.insert("attributes".to_owned(), serde_json::json!({"type": described.name, "id": id.to_string()}));
    let mut scratch = String::new();
    for (number, field) in described.fields.iter().enumerate() {
        if field.kind.is_compound() {
            continue;
        }
        let value = match world.database.cell(&world.schema, object, row, number, &mut scratch) {
            Cell::Null => Json::Null,
            Cell::Bool(value) => Json::Bool(value),
            Cell::Int(number) => Json::from(number),
            cell @ Cell::Number(_) => serde_json::from_str(&plain(cell)).unwrap_or(Json::Null),
            cell => Json::String(plain(cell)),
        };
        map.insert(field.name.clone(), value);
    }
    Json::Object(map)
}

/// The text of a cell; empty for null.
pub(super) fn cell(world: &World, object: usize, row: RowRef<'_>, field: usize) -> String {
    plain(world.database.cell(&world.schema, object, row, field, &mut String::new()))
}
