//! The users of an org while it runs: an administrator may change what one of them may do and see.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use secrecy::SecretString;
use serde::Deserialize;

use super::people;
use super::settings::User;
use crate::schema::Schema;
use crate::server::OrgState;
use crate::store::World;

/// The users by number; a number stays a user's own.
#[derive(Debug)]
pub(crate) struct Users(RwLock<Vec<Arc<User>>>);

impl Users {
    /// The users as loaded.
    pub(crate) fn new(users: &[User]) -> Self {
        Self(RwLock::new(users.iter().cloned().map(Arc::new).collect()))
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<User>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A user as it is now.
    pub(crate) fn get(&self, number: usize) -> Option<Arc<User>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(number).cloned()
    }

    /// A user by user name, in any case.
    pub(crate) fn find(&self, name: &str) -> Option<(usize, Arc<User>)> {
        let users = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let number = users.iter().position(|user| user.username.eq_ignore_ascii_case(name))?;
        Some((number, users[number].clone()))
    }

    /// Changes a user; name and id stay. The answer is the user as it is from now on.
    pub(crate) fn change(&self, number: usize, change: impl FnOnce(&mut User)) -> Option<Arc<User>> {
        let mut users = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let slot = users.get_mut(number)?;
        let mut user = User::clone(slot);
        change(&mut user);
        user.username.clone_from(&slot.username);
        user.id.clone_from(&slot.id);
        *slot = Arc::new(user);
        Some(slot.clone())
    }
}

/// What an administrator changes of a user; what is left out stays.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Change {
    permissions: Option<Vec<String>>,
    hidden_fields: Option<BTreeSet<String>>,
    hidden_objects: Option<BTreeSet<String>>,
    /// Whether the user may sign in.
    pub(crate) active: Option<bool>,
    password: Option<String>,
}

impl OrgState {
    /// Changes a user, with the rows that show it. Calls that run meanwhile go on
    /// with what the user was allowed at their beginning. The error is a message for a person.
    pub(crate) fn change_user(&self, number: usize, change: Change) -> Result<(), String> {
        self.change_at(|world, at| {
            check(&change, &world.schema)?;
            hide(world, number, &change);
            let changed = self.users.change(number, |user| {
                if let Some(permissions) = &change.permissions {
                    user.permissions.clone_from(permissions);
                }
                if let Some(active) = change.active {
                    user.active = active;
                }
                if let Some(password) = change.password {
                    user.password = Some(SecretString::from(password));
                }
            });
            let user = changed.ok_or_else(|| "there is no such user".to_owned())?;
            people::show_change(world, number, &user, at);
            Ok(())
        })
    }
}

fn check(change: &Change, schema: &Schema) -> Result<(), String> {
    if let Some(object) = change.hidden_objects.iter().flatten().find(|name| schema.find(name).is_none()) {
        return Err(format!("hiddenObjects: {object} is not in the schema"));
    }
    let unknown = |name: &&String| {
        let field =
            name.split_once('.').and_then(|(object, field)| schema.object(schema.find(object)?).find(field));
        field.is_none()
    };
    match change.hidden_fields.iter().flatten().find(unknown) {
        Some(field) => Err(format!("hiddenFields: {field} is not in the schema; give Object.Field")),
        None => Ok(()),
    }
}

fn hide(world: &mut World, number: usize, change: &Change) {
    if let Some(hidden) = Arc::make_mut(&mut world.hidden).get_mut(number) {
        if let Some(fields) = &change.hidden_fields {
            hidden.fields.clone_from(fields);
        }
        if let Some(objects) = &change.hidden_objects {
            hidden.objects.clone_from(objects);
        }
    }
}
