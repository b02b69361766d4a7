//! An org directory, read: settings, schema and data. The same directory always gives the same org.

mod automation;
mod contents;
mod error;
mod fill;
mod model;
mod people;
mod records;
pub(crate) mod save;
mod settings;
mod site;
mod source;
mod standard;
#[cfg(test)]
pub(crate) mod tests;
mod users;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use error::LoadError;
pub use save::{SaveError, Saved};
pub use settings::{ApiVersions, ConnectedApp, Flow, Limits, OrgType, Settings, User};
pub use site::Site;
pub(crate) use source::{ValueSets, field_of, object_of};
pub(crate) use users::{Change, Users};

use crate::automation::Automations;
use crate::metadata;
use crate::schema::{FieldType, Schema, View};
use crate::store::generator::Pool;
use crate::store::{Database, Generator, Table, World};
use crate::value::Id;

/// What generated rows are drawn from, so that every start gives the same ones.
const SEED: u64 = 0x4F72_676B_6565_7021;

/// An org as it was loaded: what it is, what it is made of, and its rows.
#[derive(Clone, Debug)]
pub struct Org {
    /// `org.yaml`.
    pub settings: Settings,
    /// Objects and fields.
    pub schema: Arc<Schema>,
    /// Rows as loaded.
    pub database: Database,
    /// Components of metadata.
    pub metadata: metadata::Store,
    /// What fires when records change.
    pub automations: Arc<Automations>,
    /// Where it was loaded from.
    pub directory: PathBuf,
}

impl Org {
    /// Loads an org directory, and adds generated rows: `(object, how many)`.
    pub fn load(directory: &Path, scale: &[(String, u64)]) -> Result<Self, LoadError> {
        let file = directory.join("org.yaml");
        let mut settings: Settings = serde_yaml::from_str(&error::read(&file)?)
            .map_err(|error| LoadError::file(&file, error.to_string()))?;
        if save::is_saved(directory) {
            return save::load(directory, settings, scale);
        }
        let schema = model::load(directory, &settings.metadata)?;
        check(&mut settings, &schema, directory).map_err(|message| LoadError::file(&file, message))?;
        let mut tables: Vec<Table> = schema.objects().iter().map(|_| Table::default()).collect();
        people::add(&mut settings, &schema, &mut tables);
        let owner = settings.users.first().and_then(|user| user.id.as_deref()).and_then(Id::parse);
        let records = records::load(&directory.join("data"), &schema)?;
        check_blobs(&records, &schema, &directory.join("files"))?;
        fill::fill(&records, &schema, &mut tables, owner)?;
        generate(scale, &schema, &mut tables)?;
        let database = Database::new(tables).indexed(&schema);
        let schema = Arc::new(schema);
        let stamp = metadata::Stamp { at: people::SET_UP, by: owner.unwrap_or(Id::LOWEST) };
        let metadata = metadata::source::load(&model::folders(directory, &settings.metadata), stamp)?;
        let mut world =
            World { schema, database, hidden: Arc::default(), metadata, automations: Arc::default() };
        contents::complete(&mut world, directory, owner)?;
        automation::add(&mut world, &settings, directory)?;
        let World { schema, database, metadata, automations, .. } = world;
        Ok(Self { settings, schema, database, metadata, automations, directory: directory.to_owned() })
    }

    /// The id of 18 characters.
    pub fn id(&self) -> &str {
        self.settings.id.as_deref().unwrap_or_default()
    }

    /// A user by user name, in any case.
    pub fn user(&self, username: &str) -> Option<&User> {
        self.settings.users.iter().find(|user| user.username.eq_ignore_ascii_case(username))
    }

    /// What a user may see.
    pub fn view(&self, user: &User) -> View {
        let number = self.settings.users.iter().position(|known| known.username == user.username);
        site::view(&self.schema, user, number, &site::hidden_of(user))
    }

    /// What stays as it is while the org runs, and what changes.
    pub fn into_parts(self) -> (Site, World) {
        let hidden = self.settings.users.iter().map(site::hidden_of).collect();
        let world = World {
            schema: self.schema,
            database: self.database,
            hidden: Arc::new(hidden),
            metadata: self.metadata,
            automations: self.automations,
        };
        (Site { settings: self.settings, directory: self.directory }, world)
    }
}

/// Holds the settings against the schema and each other, and makes paths absolute.
fn check(settings: &mut Settings, schema: &Schema, directory: &Path) -> Result<(), String> {
    settings.check()?;
    if settings.users.is_empty() {
        return Err("users: an org needs at least one user".to_owned());
    }
    if let Some(id) =
        settings.id.as_deref().filter(|id| Id::parse(id).is_none_or(|id| id.prefix() != *b"00D"))
    {
        return Err(format!(
            "id: `{id}` is not the id of an org (00D…, 15 or 18 characters); leave it out to get one"
        ));
    }
    for user in &settings.users {
        let name = &user.username;
        if settings.users.iter().filter(|other| other.username.eq_ignore_ascii_case(name)).count() > 1 {
            return Err(format!("users: there are two of {name}; user names are unique"));
        }
        if let Some(object) = user.hidden_objects.iter().find(|object| schema.find(object).is_none()) {
            return Err(format!("users, {name}, hiddenObjects: {object} is not in the schema"));
        }
        let known = |field: &&String| {
            let found = field
                .split_once('.')
                .and_then(|(object, field)| schema.object(schema.find(object)?).find(field));
            found.is_none()
        };
        if let Some(field) = user.hidden_fields.iter().find(known) {
            return Err(format!(
                "users, {name}, hiddenFields: {field} is not in the schema; give Object.Field"
            ));
        }
    }
    for app in &mut settings.connected_apps {
        let is_known =
            |user: &&str| settings.users.iter().any(|known| known.username.eq_ignore_ascii_case(user));
        if let Some(user) = app.run_as.as_deref().filter(|user| !is_known(user)) {
            return Err(format!("connectedApps, {}, runAs: there is no user {user}", app.client_id));
        }
        if let Some(certificate) = app.certificate.as_mut() {
            *certificate = directory.join(&*certificate);
        }
    }
    for version in [&settings.api_versions.oldest, &settings.api_versions.newest] {
        if version.split_once('.').is_none_or(|(number, rest)| number.parse::<u16>().is_err() || rest != "0")
        {
            return Err(format!("apiVersions: `{version}` is not a version; write it as \"62.0\""));
        }
    }
    Ok(())
}

/// Cells of base64 fields name files of the folder `files`.
fn check_blobs(records: &[records::Record], schema: &Schema, folder: &Path) -> Result<(), LoadError> {
    for record in records {
        for (number, content) in &record.cells {
            let field = &schema.object(record.object).fields[*number];
            if field.kind == FieldType::Base64 && !folder.join(content).is_file() {
                let message = format!("{}: there is no file {content} in {}", field.name, folder.display());
                return Err(record.wrong(message));
            }
        }
    }
    Ok(())
}

fn generate(scale: &[(String, u64)], schema: &Schema, tables: &mut [Table]) -> Result<(), LoadError> {
    let mut counts: HashMap<usize, u64> = HashMap::new();
    for (object, count) in scale {
        let wrong = |message: &str| LoadError::Scale {
            object: object.clone(),
            count: *count,
            message: message.to_owned(),
        };
        let number = schema.find(object).ok_or_else(|| wrong("the org has no such object"))?;
        if schema.object(number).key_prefix.is_none() {
            return Err(wrong("its records have no ids of their own"));
        }
        *counts.entry(number).or_default() += count;
    }
    let stored: Vec<Vec<Id>> = tables.iter().map(|table| table.stored_ids().collect()).collect();
    for (&number, &count) in &counts {
        let object = schema.object(number);
        let Some(prefix) = object.key_prefix else { continue };
        let pool_of = |target: &str| {
            let target = schema.find(target)?;
            match (counts.get(&target), schema.object(target).key_prefix) {
                (Some(count), Some(prefix)) if *count > 0 => Some(Pool::Generated(prefix, *count)),
                _ => (!stored[target].is_empty()).then(|| Pool::Ids(stored[target].clone())),
            }
        };
        tables[number].set_generator(Generator::new(object, prefix, count, SEED, pool_of));
    }
    Ok(())
}
