//! A running org written to an org directory, which loads to an equal one: the same ids, times, deleted rows and next
//! ids.
//!
//! ```text
//! org.yaml          settings, users as they are now
//! saved.yaml        that it was saved, and numbers that nothing else tells (next ids, last autonumbers)
//! describes/X.json  every object, as describe gives it
//! data/X.csv        stored rows with all their fields; deleted ones, too
//! bin/X.csv         deletions, those of rows that are gone for good included
//! generated/X.json  what generated rows are made from; only changed ones stand in data
//! files/            contents of files
//! metadata/         components; metadata.csv tells whose which file is
//! automations.json  what fires, and custom labels
//! certificates/     of connected apps
//! ```
//!
//! Sessions, jobs, cursors and the day's counts are no part of it.

mod components;
mod load;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

pub(super) use load::{is_saved, load};
use serde::{Deserialize, Serialize};

use super::automation;
use super::settings::{Settings, User};
use super::site::Site;
use crate::schema::Schema;
use crate::server::OrgState;
use crate::store::{Content, Hidden, World};
use crate::value::calendar::rest_datetime;

/// The file that tells that a directory was saved.
const MANIFEST: &str = "saved.yaml";
/// The form of what is written here.
const FORMAT: u32 = 1;

/// Why an org could not be saved. Nothing is left behind then.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// There is something already.
    #[error("{} is there and not empty; name a new directory", .0.display())]
    Exists(PathBuf),
    /// A file cannot be read or written.
    #[error("{}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something of the org has no form in a directory.
    #[error("{0}")]
    Form(String),
}

impl SaveError {
    fn file(file: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |source| Self::File { file: file.to_owned(), source }
    }
}

/// What was written.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    /// Where.
    pub directory: PathBuf,
    /// Rows.
    pub rows: u64,
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// `saved.yaml`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Manifest {
    format: u32,
    saved_at: String,
    objects: BTreeMap<String, Numbers>,
}

/// Numbers of an object that neither its describe nor its rows tell.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Numbers {
    /// When its schema was changed, milliseconds since 1970.
    changed: i64,
    /// Rows that users have inserted: the next one gets the id after theirs.
    #[serde(default, skip_serializing_if = "is_zero")]
    inserted: u64,
    /// The last number of autonumber fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    numbers: BTreeMap<String, u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde gives a reference
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Writes an org to a new directory: all of it, or nothing.
pub(crate) fn save(org: &OrgState, directory: &Path) -> Result<Saved, SaveError> {
    let users = org.users.all().iter().map(|user| User::clone(user)).collect();
    save_world(&org.now(), &org.org, users, directory)
}

fn save_world(world: &World, site: &Site, users: Vec<User>, directory: &Path) -> Result<Saved, SaveError> {
    let taken = match fs::read_dir(directory) {
        Ok(mut listed) => listed.next().is_some(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(_) => true,
    };
    if taken {
        return Err(SaveError::Exists(directory.to_owned()));
    }
    let name = directory.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| SaveError::Form("name the directory".to_owned()))?;
    let begun = directory.with_file_name(format!(".{name}.{}", std::process::id()));
    if begun.exists() {
        fs::remove_dir_all(&begun).map_err(SaveError::file(&begun))?; // of a process that died
    }
    let mut writer = Writer::new(&begun)?;
    let written = write(&mut writer, world, &site.settings, users, &site.directory)
        .and_then(|()| fs::rename(&begun, directory).map_err(SaveError::file(directory)));
    if let Err(error) = written {
        // what cannot be removed is told by the error that is given, which names the disk
        let _ = fs::remove_dir_all(&begun);
        return Err(error);
    }
    Ok(Saved { directory: directory.to_owned(), ..writer.saved })
}

/// Writes files below a folder, and counts them.
struct Writer {
    folder: PathBuf,
    saved: Saved,
}

impl Writer {
    fn new(folder: &Path) -> Result<Self, SaveError> {
        fs::create_dir_all(folder).map_err(SaveError::file(folder))?;
        Ok(Self { folder: folder.to_owned(), saved: Saved::default() })
    }

    /// The place of a file, whose folder is made.
    fn place(&mut self, name: &str) -> Result<PathBuf, SaveError> {
        let file = self.folder.join(name);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(SaveError::file(folder))?;
        }
        self.saved.files += 1;
        Ok(file)
    }

    fn write(&mut self, name: &str, content: &[u8]) -> Result<(), SaveError> {
        let file = self.place(name)?;
        self.saved.bytes += content.len() as u64;
        fs::write(&file, content).map_err(SaveError::file(&file))
    }

    fn content(&mut self, name: &str, content: &Content) -> Result<(), SaveError> {
        let place = self.place(name)?;
        self.saved.bytes += content.length();
        let mut file = File::create(&place).map_err(SaveError::file(&place))?;
        content.write_to(&mut file).map_err(SaveError::file(&place))
    }

    fn copy(&mut self, from: &Path, name: &str) -> Result<(), SaveError> {
        let file = self.place(name)?;
        self.saved.bytes += fs::copy(from, &file).map_err(SaveError::file(from))?;
        Ok(())
    }

    fn json(&mut self, name: &str, content: &impl Serialize) -> Result<(), SaveError> {
        let text = serde_json::to_vec_pretty(content).map_err(|error| SaveError::Form(error.to_string()))?;
        self.write(name, &text)
    }

    fn yaml(&mut self, name: &str, content: &impl Serialize) -> Result<(), SaveError> {
        let text = serde_yaml::to_string(content).map_err(|error| SaveError::Form(error.to_string()))?;
        self.write(name, text.as_bytes())
    }
}

fn write(
    writer: &mut Writer,
    world: &World,
    settings: &Settings,
    users: Vec<User>,
    from: &Path,
) -> Result<(), SaveError> {
    let settings = settings_now(writer, world, settings, users)?;
    writer.yaml("org.yaml", &settings)?;
    let mut objects = BTreeMap::new();
    for (number, object) in world.schema.objects().iter().enumerate() {
        writer.json(&format!("describes/{}.json", object.name), &object.full_describe())?;
        let numbers = rows::write(writer, world, number)?;
        objects.insert(object.name.clone(), numbers);
    }
    rows::files(writer, world, &from.join("files"))?;
    components::write(writer, &world.metadata)?;
    if let Some(automations) = automation::Saved::of(world) {
        writer.json(automation::SAVED, &automations)?;
    }
    let saved_at = rest_datetime(crate::value::calendar::now_ms());
    writer.yaml(MANIFEST, &Manifest { format: FORMAT, saved_at, objects })
}

/// The settings of a directory of its own, with the users as they are now.
fn settings_now(
    writer: &mut Writer,
    world: &World,
    settings: &Settings,
    mut users: Vec<User>,
) -> Result<Settings, SaveError> {
    for (user, hidden) in users.iter_mut().zip(world.hidden.iter()) {
        let known = known_of(hidden, &world.schema);
        (user.hidden_fields, user.hidden_objects) = known;
    }
    let mut settings = Settings { users, metadata: Vec::new(), automation: None, ..settings.clone() };
    for (number, app) in settings.connected_apps.iter_mut().enumerate() {
        // one that is not there is missed by whoever signs in with it, and by nobody else
        if let Some(certificate) = app.certificate.as_mut().filter(|certificate| certificate.exists()) {
            let name = format!("certificates/{}.pem", number + 1);
            writer.copy(certificate, &name)?;
            *certificate = name.into();
        }
    }
    Ok(settings)
}

/// What is hidden, as far as the schema still has it; other names hide nothing.
fn known_of(hidden: &Hidden, schema: &Schema) -> (Vec<String>, Vec<String>) {
    let has_field = |name: &&String| {
        let found = name.split_once('.').and_then(|(object, field)| {
            let object = schema.find(object)?;
            schema.object(object).find(field)
        });
        found.is_some()
    };
    let has_object = |name: &&String| schema.find(name).is_some();
    (
        hidden.fields.iter().filter(has_field).cloned().collect(),
        hidden.objects.iter().filter(has_object).cloned().collect(),
    )
}
