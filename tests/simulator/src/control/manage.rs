//! What an administrator does: the schema, what users see, sessions.

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::path::PathBuf;
use std::sync::Arc;

use super::wish::{Wish, user_number, wrong};
use crate::metadata::Key;
use crate::org::{SaveError, save};
use crate::schema::SchemaChange;
use crate::store::World;
use crate::store::activity::Activity;
use crate::web::{Answer, ApiError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Visibility {
    #[serde(default)]
    fields: Vec<String>,
    #[serde(default)]
    objects: Vec<String>,
}

/// `schema`: one change or a list of changes, all or none.
pub(super) fn schema(wish: &Wish<'_>) -> Result<Answer, ApiError> {
    let body: Json = wish.body()?;
    let list = match body {
        Json::Array(list) => list,
        one => vec![one],
    };
    let changes = list.into_iter().map(serde_json::from_value).collect::<Result<Vec<SchemaChange>, _>>();
    let changes = changes.map_err(|error| wrong(error.to_string()))?;
    let done = wish.org.change_at(|world, at| {
        changes.iter().try_for_each(|change| {
            if let SchemaChange::RetypeField { object, field, .. } = change {
                // what its metadata said no longer holds
                world.metadata.remove(&Key::new("CustomField", &format!("{object}.{field}")));
            }
            world.change_schema(change, at)
        })
    });
    done.map_err(wrong)?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// `users/<name>/hide` and `show`: fields and objects that the user does not see from now on, or sees again.
pub(super) fn visibility(wish: &Wish<'_>, user: &str, hide: bool) -> Result<Answer, ApiError> {
    let number = user_number(wish.org, user)?;
    let Visibility { fields, objects } = wish.body()?;
    wish.org
        .change(|world| {
            let fields = known_fields(world, &fields)?;
            let objects = known_objects(world, &objects)?;
            let Some(hidden) = Arc::make_mut(&mut world.hidden).get_mut(number) else {
                return Err("there is no such user".to_owned());
            };
            for (set, names) in [(&mut hidden.fields, fields), (&mut hidden.objects, objects)] {
                for name in names {
                    if hide {
                        set.insert(name)
                    } else {
                        set.remove(&name)
                    };
                }
            }
            Ok(())
        })
        .map_err(wrong)?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

fn known_objects(world: &World, names: &[String]) -> Result<Vec<String>, String> {
    let known = |name: &String| {
        let number = world.schema.find(name).ok_or_else(|| format!("there is no object {name}"))?;
        Ok(world.schema.object(number).name.clone())
    };
    names.iter().map(known).collect()
}

fn known_fields(world: &World, names: &[String]) -> Result<Vec<String>, String> {
    let known = |name: &String| {
        let (object, field) =
            name.split_once('.').ok_or_else(|| format!("{name}: write it as Object.Field"))?;
        let number = world.schema.find(object).ok_or_else(|| format!("there is no object {object}"))?;
        let object = world.schema.object(number);
        let field = object.find(field).ok_or_else(|| format!("{} has no field {field}", object.name))?;
        Ok(format!("{}.{}", object.name, object.fields[field].name))
    };
    names.iter().map(known).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    directory: PathBuf,
}

/// `save`: writes the org to a new directory, which loads to an equal one.
pub(super) fn save(wish: &Wish<'_>) -> Result<Answer, ApiError> {
    let Target { directory } = wish.body()?;
    match save::save(wish.org, &directory) {
        Ok(saved) => Ok(Answer::json(StatusCode::CREATED, &json!(saved))),
        Err(error @ SaveError::Exists(_)) => {
            Err(ApiError::new(StatusCode::CONFLICT, "CONFLICT", error.to_string()))
        }
        Err(error) => Err(wrong(error.to_string())),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Days {
    days: f64,
    /// Instead of what `org.yaml` says.
    activity: Option<Activity>,
}

/// `activity`: days of it happen now.
pub(super) fn activity(wish: &Wish<'_>) -> Result<Answer, ApiError> {
    let Days { days, activity } = wish.body()?;
    if !(0.0..=366.0).contains(&days) {
        return Err(wrong("days: give a number between 0 and 366"));
    }
    let done = wish.org.live(&activity.unwrap_or(wish.org.org.settings.activity), days);
    let schema = wish.org.now().schema;
    let done: serde_json::Map<String, Json> = done
        .iter()
        .map(|due| {
            let counts = json!({"changes": due.changes, "deletes": due.deletes, "inserts": due.inserts});
            (schema.object(due.object).name.clone(), counts)
        })
        .collect();
    Ok(Answer::ok(&Json::Object(done)))
}

/// What `orgs/<id>` tells of an org; never a secret.
pub(super) fn overview(wish: &Wish<'_>) -> Json {
    let World { schema, database, hidden, .. } = wish.org.now();
    let settings = &wish.org.org.settings;
    let objects: serde_json::Map<String, Json> = schema
        .objects()
        .iter()
        .enumerate()
        .map(|(number, object)| {
            let table = database.table(number);
            let (live, all) = (table.count(false), table.count(true));
            (
                object.name.clone(),
                json!({"records": live, "deleted": all - live, "fields": object.fields.len()}),
            )
        })
        .collect();
    let users: Vec<Json> = wish
        .org
        .users
        .all()
        .iter()
        .zip(hidden.iter())
        .map(|(user, hidden)| {
            json!({
                "username": user.username, "profile": user.profile, "permissions": user.permissions,
                "hiddenFields": hidden.fields, "hiddenObjects": hidden.objects,
            })
        })
        .collect();
    json!({
        "id": wish.org.org.id(),
        "name": settings.name,
        "edition": settings.edition,
        "apiRequests": wish.org.limits.requests.told(),
        "bulkJobs": wish.org.jobs.count(),
        "objects": objects,
        "users": users,
    })
}
