//! Content of files: its size and checksum, and what the server makes by itself when a file's version is
//! inserted: the document, and the links to its owner and its first place.

use md5::{Digest as _, Md5};

use super::{Cells, Refusal, Transaction};
use crate::store::{Content, Row};
use crate::value::{Cell, Decimal, Id, Value};

/// Object, field of the content, field of its size, and field of its MD5.
pub(crate) const CONTENTS: [(&str, &str, &str, &str); 5] = [
    ("Attachment", "Body", "BodyLength", ""),
    ("ContentVersion", "VersionData", "ContentSize", "Checksum"),
    ("Document", "Body", "BodyLength", ""),
    ("EventLogFile", "LogFile", "LogFileLength", ""),
    ("StaticResource", "Body", "BodyLength", ""),
];
/// What the keys of kept contents begin with; a file of the org directory may not be named so.
const KEY: &str = "kept-";

/// The key under which a content is kept: it tells MD5 and size.
pub fn file_key(content: &Content) -> String {
    format!("{KEY}{}-{}", content.md5(), content.length())
}

/// The MD5 of a content in hexadecimal digits, as `Checksum` has it.
pub(crate) fn md5_hex(content: &[u8]) -> String {
    Md5::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// MD5 and size that a key tells.
fn told(key: &str) -> Option<(&str, i64)> {
    let (checksum, size) = key.strip_prefix(KEY)?.split_once('-')?;
    Some((checksum, size.parse().ok()?))
}

impl Transaction<'_> {
    /// Keeps a content; the answer is what a base64 field holds of it.
    pub fn keep_file(&mut self, content: impl Into<Content>) -> Value {
        let content = content.into();
        let key = file_key(&content);
        self.world.database.keep_file(&key, content);
        Value::Text(key.into())
    }

    /// Fills in size and checksum of the record's content.
    pub(super) fn measure(&self, object: usize, row: &mut Row) {
        let described = self.described(object);
        let contents = CONTENTS.iter().filter(|(name, ..)| *name == described.name);
        for (_, content, size, checksum) in contents {
            let Some(Cell::Text(key)) = described.find(content).map(|field| row.get(field)) else { continue };
            let Some((sum, bytes)) = told(key) else { continue };
            let sum = Value::Text(sum.into());
            let decimal = described.find(size).is_some_and(|size| described.fields[size].kind.is_decimal());
            let bytes = if decimal { Value::Number(Decimal::new(bytes, 0)) } else { Value::Int(bytes) };
            self.set(object, row, size, Some(bytes));
            self.set(object, row, checksum, Some(sum));
        }
    }

    /// What the server makes by itself beside a record that was inserted.
    pub(super) fn after_insert(&mut self, object: usize, id: Id) -> Result<(), Refusal> {
        if self.described(object).name == "ContentVersion" {
            self.publish(object, id)?;
        }
        Ok(())
    }

    /// Makes documents and links for versions that were loaded without, each when its version was made.
    pub(crate) fn publish_loaded(&mut self) -> Result<(), Refusal> {
        let Some(versions) = self.world.schema.find("ContentVersion") else { return Ok(()) };
        let described = self.described(versions);
        let (Some(document), Some(created)) =
            (described.find("ContentDocumentId"), described.find("CreatedDate"))
        else {
            return Ok(());
        };
        let rows = self.world.database.table(versions).stored_rows();
        let lonely: Vec<(Id, Cell<'_>)> = rows
            .filter(|row| !row.deleted && row.get(document) == Cell::Null)
            .map(|row| (row.id, row.get(created)))
            .collect();
        let lonely: Vec<(Id, i64)> = lonely
            .into_iter()
            .map(|(id, created)| (id, if let Cell::DateTime(at) = created { at } else { self.at }))
            .collect();
        for (id, at) in lonely {
            self.at = at;
            self.publish(versions, id)?;
        }
        Ok(())
    }

    /// Refuses a content that there is no room for, and a version without content, which no field of the describe says
    /// is required.
    pub(super) fn check_content(&self, object: usize, row: &Row) -> Result<(), Refusal> {
        let described = self.described(object);
        let contents = CONTENTS.iter().find(|(name, ..)| *name == described.name);
        if contents.is_some_and(|(_, content, ..)| self.named(object, row, content) != Cell::Null) {
            self.check_file_room()?;
        }
        if described.name != "ContentVersion" {
            return Ok(());
        }
        let filled = |name: &str| described.find(name).is_some_and(|field| row.get(field) != Cell::Null);
        let missing = ["PathOnClient", "VersionData"].iter().filter(|name| !filled(name));
        let missing: Vec<String> = missing.map(|name| (*name).to_owned()).collect();
        if missing.is_empty() || filled("ContentUrl") {
            return Ok(());
        }
        let message = format!("Required fields are missing: [{}]", missing.join(", "));
        Err(Refusal { code: "REQUIRED_FIELD_MISSING", message, fields: missing })
    }

    fn publish(&mut self, versions: usize, id: Id) -> Result<(), Refusal> {
        let Some(documents) = self.world.schema.find("ContentDocument") else { return Ok(()) };
        let Some((_, mut version)) = self.find(id) else { return Ok(()) };
        let value = |name: &str, version: &Row| {
            let field = self.world.schema.object(versions).find(name)?;
            version.get(field).to_value()
        };
        let known = value("ContentDocumentId", &version);
        let path = match value("PathOnClient", &version) {
            Some(Value::Text(path)) => path,
            _ => "file".into(),
        };
        let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let title = value("Title", &version).unwrap_or_else(|| Value::Text(stem.into()));
        let kind = if extension.is_empty() { "UNKNOWN".to_owned() } else { extension.to_uppercase() };
        let (size, owner) = (value("ContentSize", &version), value("OwnerId", &version));
        let place = value("FirstPublishLocationId", &version);
        let shared = [
            ("Title", Some(title)),
            ("FileType", Some(Value::Text(kind.into()))),
            ("FileExtension", (!extension.is_empty()).then(|| Value::Text(extension.into()))),
        ];
        let of_document = [
            ("ContentSize", size),
            ("LatestPublishedVersionId", Some(Value::Id(id))),
            ("ContentModifiedDate", Some(Value::DateTime(self.at))),
        ];
        let mut number = 1;
        let document = match known {
            Some(Value::Id(document)) => {
                number = 1 + self.retire(versions, document, id);
                let (_, mut row) = self.alive(document)?;
                for (name, value) in shared.iter().cloned().chain(of_document) {
                    self.set(documents, &mut row, name, value);
                }
                self.stamp(documents, &mut row, true);
                self.write(documents, row);
                document
            }
            _ => {
                let mut cells = shared.to_vec();
                cells.extend(of_document);
                cells.push(("OwnerId", owner.clone()));
                self.insert_own(documents, &cells)
            }
        };
        for (name, value) in shared {
            self.set(versions, &mut version, name, value);
        }
        self.set(versions, &mut version, "ContentDocumentId", Some(Value::Id(document)));
        self.set(versions, &mut version, "VersionNumber", Some(Value::Text(number.to_string().into())));
        self.set(versions, &mut version, "IsLatest", Some(Value::Bool(true)));
        self.write(versions, version);
        if number == 1 {
            // the owner's own share, then the place that the file was put to
            let places = [(owner, "I"), (place, "V")];
            // one link is enough where the owner's is the first place
            let places = if places[0].0 == places[1].0 { &places[..1] } else { &places[..] };
            for (entity, share) in places.iter().cloned().filter_map(|(entity, share)| Some((entity?, share)))
            {
                self.link(document, entity, share);
            }
        }
        Ok(())
    }

    /// The versions of a document that there were are not the latest any more; the highest number among them.
    fn retire(&mut self, versions: usize, document: Id, newest: Id) -> u64 {
        let described = self.described(versions);
        let Some(of_document) = described.find("ContentDocumentId") else { return 0 };
        let number = described.find("VersionNumber");
        let holders = self.records_with(versions, of_document, document);
        let mut highest = 0;
        for id in holders.into_iter().filter(|id| *id != newest) {
            let Some((_, mut row)) = self.find(id) else { continue };
            if let Some(Cell::Text(text)) = number.map(|number| row.get(number)) {
                highest = highest.max(text.parse().unwrap_or_default());
            }
            self.set(versions, &mut row, "IsLatest", Some(Value::Bool(false)));
            self.stamp(versions, &mut row, false);
            self.write(versions, row);
        }
        highest
    }

    fn link(&mut self, document: Id, entity: Value, share: &str) {
        let Some(links) = self.world.schema.find("ContentDocumentLink") else { return };
        let cells = [
            ("ContentDocumentId", Some(Value::Id(document))),
            ("LinkedEntityId", Some(entity)),
            ("ShareType", Some(Value::Text(share.into()))),
            ("Visibility", Some(Value::Text("AllUsers".into()))),
        ];
        self.insert_own(links, &cells);
    }

    /// Inserts what users may not insert themselves.
    pub(super) fn insert_own(&mut self, object: usize, cells: &[(&str, Option<Value>)]) -> Id {
        let described = self.world.schema.object(object);
        let given: Cells =
            cells.iter().filter_map(|(name, value)| Some((described.find(name)?, value.clone()))).collect();
        let prefix = described.key_prefix.unwrap_or(*b"000");
        let mut row = Row::new(self.world.database.table_mut(object).next_id(prefix));
        for (field, value) in given {
            row.set(field, value);
        }
        self.complete(object, &mut row);
        self.number(object, &mut row);
        let id = row.id;
        self.write(object, row);
        id
    }
}
