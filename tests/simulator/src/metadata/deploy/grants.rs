//! What users see after profiles were deployed.

use std::sync::Arc;

use super::effect::document;
use crate::metadata::implied::PROFILES;
use crate::metadata::mdapi::Unit;
use crate::org::Site;
use crate::store::World;

/// Field permissions of a profile: its users see what it lets them read, and nothing else that it names.
pub(super) fn profile(world: &mut World, unit: &Unit, site: &Site) {
    let Some(root) = document(unit) else { return };
    let name = &*unit.key.full_name;
    let label = PROFILES.iter().find(|(_, known)| *known == name).map_or(name, |(label, _)| label);
    let users: Vec<usize> = site
        .settings
        .users
        .iter()
        .enumerate()
        .filter(|(_, user)| user.profile == label)
        .map(|(number, _)| number)
        .collect();
    if users.is_empty() {
        return;
    }
    let hidden = Arc::make_mut(&mut world.hidden);
    for user in users {
        let Some(hidden) = hidden.get_mut(user) else { continue };
        for permission in root.children_of("fieldPermissions") {
            let Some(field) = permission.text_of("field") else { continue };
            if permission.flag("readable") {
                hidden.fields.remove(field);
            } else {
                hidden.fields.insert(field.to_owned());
            }
        }
        for permission in root.children_of("objectPermissions") {
            let Some(object) = permission.text_of("object") else { continue };
            if permission.flag("allowRead") {
                hidden.objects.remove(object);
            } else {
                hidden.objects.insert(object.to_owned());
            }
        }
    }
}
