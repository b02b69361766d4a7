//! What one user may see. Salesforce does not say that something is hidden: it is as if it were not there.

use std::collections::HashSet;

use crate::value::Id;

/// What one user may see.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The user's id.
    pub user: Option<Id>,
    /// The one row of `UserPermissionAccess` that the user sees: the own one.
    pub access: Option<Id>,
    /// May read files and their links whoever owns them.
    pub query_all_files: bool,
    /// Numbers of hidden objects.
    pub hidden_objects: HashSet<usize>,
    /// Object and field numbers of hidden fields.
    pub hidden_fields: HashSet<(usize, usize)>,
}

impl View {
    /// A view in which nothing is hidden.
    pub fn everything() -> Self {
        Self { query_all_files: true, ..Self::default() }
    }

    /// Whether the user may see an object.
    pub fn sees_object(&self, object: usize) -> bool {
        !self.hidden_objects.contains(&object)
    }

    /// Whether the user may see a field of an object.
    pub fn sees_field(&self, object: usize, field: usize) -> bool {
        !self.hidden_fields.contains(&(object, field))
    }
}
