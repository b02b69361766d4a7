//! What stays as it is while an org runs: its settings and its directory. Rows and schema are in the
//! [`World`], which changes.

use std::path::PathBuf;

use super::people;
use super::settings::{Settings, User};
use crate::schema::{Schema, View};
use crate::store::{Hidden, World};
use crate::value::Id;

/// The part of an org that does not change while it runs.
#[derive(Clone, Debug)]
pub struct Site {
    /// `org.yaml`.
    pub settings: Settings,
    /// Where it was loaded from.
    pub directory: PathBuf,
}

impl Site {
    /// The id of 18 characters.
    pub fn id(&self) -> &str {
        self.settings.id.as_deref().unwrap_or_default()
    }

    /// What a user, given by number and as it is now, may see of a world.
    pub fn view(&self, world: &World, number: usize, user: &User) -> View {
        let nothing = Hidden::default();
        let hidden = world.hidden.get(number).unwrap_or(&nothing);
        view(&world.schema, user, Some(number), hidden)
    }
}

/// What `org.yaml` hides from a user.
pub(super) fn hidden_of(user: &User) -> Hidden {
    Hidden {
        fields: user.hidden_fields.iter().cloned().collect(),
        objects: user.hidden_objects.iter().cloned().collect(),
    }
}

/// What a user may see; names that the schema does not have (any more) hide nothing.
pub(super) fn view(schema: &Schema, user: &User, number: Option<usize>, hidden: &Hidden) -> View {
    let field = |name: &String| {
        let (object, field) = name.split_once('.')?;
        let object = schema.find(object)?;
        Some((object, schema.object(object).find(field)?))
    };
    View {
        user: user.id.as_deref().and_then(Id::parse),
        access: number.map(people::access_id),
        query_all_files: user.may("QueryAllFiles"),
        hidden_objects: hidden.objects.iter().filter_map(|name| schema.find(name)).collect(),
        hidden_fields: hidden.fields.iter().filter_map(field).collect(),
    }
}
