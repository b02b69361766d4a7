//! The rows that every org has: the organization, its users with their profiles and permissions, and the record
//! types of its objects.

use serde_json::Value as Json;

use super::settings::{OrgType, Settings, User};
use crate::schema::{Object, Schema};
use crate::store::{Row, RowRef, Table, World};
use crate::value::{Id, Value};

/// When the org was set up: 2020-01-01T00:00:00Z. Rows that come with it are as old.
pub(super) const SET_UP: i64 = 1_577_836_800_000;

/// Fills the built-in tables, and the ids that `org.yaml` leaves open.
pub(super) fn add(settings: &mut Settings, schema: &Schema, tables: &mut [Table]) {
    let org = settings.id.as_deref().and_then(Id::parse).unwrap_or_else(|| {
        let hash = settings.name.bytes().fold(0u64, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(b)));
        Id::new(*b"00D", hash % 62u64.pow(8))
    });
    settings.id = Some(org.to_string());
    for (n, user) in settings.users.iter_mut().enumerate() {
        let id = user.id.as_deref().and_then(Id::parse).unwrap_or_else(|| Id::new(*b"005", n as u64 + 1));
        user.id = Some(id.to_string());
    }
    let first = settings.users.first().and_then(|user| user.id.as_deref()).and_then(Id::parse);
    let mut put = |object: &str, id: Id, cells: &[(&str, Option<Value>)]| {
        let Some(number) = schema.find(object) else { return };
        let described = schema.object(number);
        let mut row = Row::new(id);
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(field) = described.find(name) {
                row.set(field, value);
            }
        };
        set("Id", Some(Value::Id(id)));
        for stamp in ["CreatedDate", "LastModifiedDate", "SystemModstamp"] {
            set(stamp, Some(Value::DateTime(SET_UP)));
        }
        for by in ["CreatedById", "LastModifiedById"] {
            set(by, first.map(Value::Id));
        }
        for (name, value) in cells {
            set(name, value.clone());
        }
        tables[number].put(row);
    };
    put("Organization", org, &organization(settings));
    let mut profiles: Vec<&str> = settings.users.iter().map(|user| user.profile.as_str()).collect();
    profiles.sort_unstable();
    profiles.dedup();
    for (n, profile) in profiles.iter().enumerate() {
        let cells = [("Name", text(profile)), ("UserType", text("Standard"))];
        put("Profile", Id::new(*b"00e", n as u64 + 1), &cells);
    }
    for (n, user) in settings.users.iter().enumerate() {
        let Some(id) = user.id.as_deref().and_then(Id::parse) else { continue };
        let profile = profiles.iter().position(|p| *p == user.profile).unwrap_or_default();
        let local = user.username.split('@').next().unwrap_or(&user.username);
        let cells = [
            ("Username", text(&user.username)),
            ("FirstName", user.first_name.as_deref().and_then(text)),
            ("LastName", text(user.last_name.as_deref().unwrap_or(local))),
            ("Email", text(&user.username)),
            ("Alias", text(&local.chars().take(8).collect::<String>())),
            ("IsActive", Some(Value::Bool(user.active))),
            ("ProfileId", Some(Value::Id(Id::new(*b"00e", profile as u64 + 1)))),
            ("UserType", text("Standard")),
            ("TimeZoneSidKey", text("GMT")),
            ("LocaleSidKey", text("en_US")),
            ("LanguageLocaleKey", text("en_US")),
            ("EmailEncodingKey", text("UTF-8")),
        ];
        put("User", id, &cells);
        let mut cells = permissions(schema, user);
        cells.push(("LastCacheUpdate", Some(Value::DateTime(SET_UP))));
        put("UserPermissionAccess", access_id(n), &cells);
    }
    for object in schema.objects() {
        for (id, name, developer_name, active) in record_types(object) {
            let cells = [
                ("Name", text(name)),
                ("DeveloperName", text(developer_name)),
                ("SobjectType", text(&object.name)),
                ("IsActive", Some(Value::Bool(active))),
            ];
            put("RecordType", id, &cells);
        }
    }
}

/// The cells of `UserPermissionAccess` that tell what a user may do.
fn permissions<'a>(schema: &'a Schema, user: &User) -> Vec<(&'a str, Option<Value>)> {
    let cell = |field: &'a str| (field, Some(Value::Bool(user.may(&field["Permissions".len()..]))));
    permission_fields(schema).map(cell).collect()
}

/// Writes into the rows of the n-th user what was changed of it at a time, in milliseconds since 1970.
pub(super) fn show_change(world: &mut World, n: usize, user: &User, now_ms: i64) {
    let now = Some(Value::DateTime(now_ms));
    let schema = world.schema.clone();
    if let Some(id) = user.id.as_deref().and_then(Id::parse) {
        let cells = [
            ("IsActive", Some(Value::Bool(user.active))),
            ("LastModifiedDate", now.clone()),
            ("SystemModstamp", now.clone()),
        ];
        set_cells(world, "User", id, &cells);
    }
    let mut cells = permissions(&schema, user);
    cells.push(("LastCacheUpdate", now));
    set_cells(world, "UserPermissionAccess", access_id(n), &cells);
}

fn set_cells(world: &mut World, object: &str, id: Id, cells: &[(&str, Option<Value>)]) {
    let Some(number) = world.schema.find(object) else { return };
    let Some(RowRef::Stored(row)) = world.database.find(number, id) else { return };
    let mut row = row.clone();
    let described = world.schema.object(number);
    for (name, value) in cells {
        if let Some(field) = described.find(name) {
            row.set(field, value.clone());
        }
    }
    world.database.table_mut(number).put(row);
}

/// The row of `UserPermissionAccess` of the n-th user.
pub(super) fn access_id(n: usize) -> Id {
    Id::new(*b"000", n as u64 + 1)
}

fn organization(settings: &Settings) -> [(&'static str, Option<Value>); 9] {
    let sandbox = settings.r#type == OrgType::Sandbox;
    [
        ("Name", text(&settings.name)),
        ("OrganizationType", text(&settings.edition)),
        ("IsSandbox", Some(Value::Bool(sandbox))),
        ("InstanceName", text(if sandbox { "CS5" } else { "NA5" })),
        ("LanguageLocaleKey", text("en_US")),
        ("DefaultLocaleSidKey", text("en_US")),
        ("TimeZoneSidKey", text("GMT")),
        ("FiscalYearStartMonth", Some(Value::Int(1))),
        ("UiSkin", text("Theme3")),
    ]
}

fn permission_fields(schema: &Schema) -> impl Iterator<Item = &str> {
    let fields = schema.find("UserPermissionAccess").map(|n| schema.object(n).fields.as_slice());
    fields.unwrap_or_default().iter().map(|f| f.name.as_str()).filter(|name| name.starts_with("Permissions"))
}

/// Record types of an object without Master: id, name, developer name, whether active.
pub(super) fn record_types(object: &Object) -> impl Iterator<Item = (Id, &str, &str, bool)> {
    let infos = object.describe.get("recordTypeInfos").and_then(Json::as_array).map(Vec::as_slice);
    infos.unwrap_or_default().iter().filter(|info| info["master"] != Json::Bool(true)).filter_map(|info| {
        let name = info["name"].as_str()?;
        let developer_name = info["developerName"].as_str().unwrap_or(name);
        Some((
            Id::parse(info["recordTypeId"].as_str()?)?,
            name,
            developer_name,
            info["active"] != Json::Bool(false),
        ))
    })
}

fn text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| Value::Text(text.into()))
}
