//! `$`-variables.

use super::record::Record;
use super::{FormulaError, Given};
use crate::store::Bounds;
use crate::value::{Cell, Id};

/// 1900-01-01T00:00:00Z, which `$System.OriginDateTime` is documented to be.
const ORIGIN: i64 = -2_208_988_800_000;

impl Record<'_> {
    /// The value of a `$`-variable.
    pub(super) fn global(&self, path: &[String]) -> Result<Given, FormulaError> {
        let unknown = || FormulaError::Field(path.join("."));
        let (first, rest) = path.split_first().ok_or_else(unknown)?;
        match first.to_ascii_lowercase().as_str() {
            "$user" => self.of_user(&[], rest),
            "$profile" => self.of_user(&["Profile"], rest),
            "$userrole" => self.of_user(&["UserRole"], rest),
            "$organization" => {
                let object = self.schema.find("Organization").ok_or_else(unknown)?;
                let table = self.database.table(object);
                let row = table.scan(Bounds::ALL, false).next();
                row.map_or(Ok(Given::Null), |row| self.from(object, table.id_of(row), rest))
            }
            "$recordtype" => {
                let mut path = vec!["RecordType".to_owned()];
                path.extend_from_slice(rest);
                super::Context::field(self, &path)
            }
            "$label" => {
                let label = rest.last().and_then(|name| self.database.surroundings().label(name));
                label.map(Given::text).ok_or_else(unknown)
            }
            // a permission that nobody has is one that the user has not
            "$permission" => {
                let of_user = self.user.and_then(|user| self.database.surroundings().permissions.get(&user));
                let has =
                    rest.first().is_some_and(|name| of_user.is_some_and(|of_user| of_user.contains(name)));
                Ok(Given::Bool(has))
            }
            "$setup" => self.setting(rest).ok_or_else(unknown)?,
            "$custommetadata" => self.custom_metadata(rest).ok_or_else(unknown)?,
            "$system" if rest.first().is_some_and(|name| name.eq_ignore_ascii_case("OriginDateTime")) => {
                Ok(Given::DateTime(ORIGIN))
            }
            _ => Err(unknown()),
        }
    }

    fn of_user(&self, way: &[&str], rest: &[String]) -> Result<Given, FormulaError> {
        let (Some(user), Some(object)) = (self.user, self.schema.find("User")) else {
            return Ok(Given::Null);
        };
        let mut path: Vec<String> = way.iter().map(|name| (*name).to_owned()).collect();
        path.extend_from_slice(rest);
        self.from(object, user, &path)
    }

    /// A field of a hierarchy custom setting: the user's, or else the profile's, or else the org's (documented).
    fn setting(&self, path: &[String]) -> Option<Result<Given, FormulaError>> {
        let [object, field] = path else { return None };
        let object = self.schema.find(object)?;
        let described = self.schema.object(object);
        let (field, owner) = (described.find(field)?, described.find("SetupOwnerId")?);
        let mut owners: Vec<Id> = self.user.into_iter().collect();
        if let Ok(Given::Id(profile)) = self.of_user(&[], &["ProfileId".to_owned()]) {
            owners.push(profile);
        }
        if let Some(organization) = self.schema.find("Organization") {
            let table = self.database.table(organization);
            owners.extend(table.scan(Bounds::ALL, false).next().map(|row| table.id_of(row)));
        }
        for id in owners {
            for record in self.database.with_value(self.schema, object, owner, Cell::Id(id)) {
                let row = self.database.find(object, record)?;
                match self.other(object, row).value(field) {
                    Ok(Given::Null) => {}
                    value => return Some(value),
                }
            }
        }
        Some(Ok(Given::Null))
    }

    /// A field of a record of a custom metadata type: `$CustomMetadata.Type__mdt.Record.Field__c`.
    fn custom_metadata(&self, path: &[String]) -> Option<Result<Given, FormulaError>> {
        let [object, record, field] = path else { return None };
        let object = self.schema.find(object)?;
        let described = self.schema.object(object);
        let (field, name) = (described.find(field)?, described.find("DeveloperName")?);
        let found = self.database.with_value(self.schema, object, name, Cell::Text(record));
        let row = self.database.find(object, *found.first()?)?;
        Some(self.other(object, row).value(field))
    }
}
