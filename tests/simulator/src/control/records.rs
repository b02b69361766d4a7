//! Records: read, and changed as users change them.

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::rows::{self, Listing};
use super::wish::{Wish, id, outcomes, refused, wrong};
use crate::schema::View;
use crate::store::World;
use crate::store::transaction::{Refusal, Transaction};
use crate::value::Id;
use crate::web::{Answer, ApiError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ids {
    ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Merge {
    master: String,
    losers: Vec<String>,
    #[serde(default)]
    fields: Map<String, Json>,
}

/// `records/<Object>` and `records/<id>`.
pub(super) fn answer(wish: &Wish<'_>, rest: &[&str]) -> Result<Answer, ApiError> {
    let world = wish.org.now();
    let method = &wish.request.method;
    match rest {
        [name] if world.schema.find(name).is_some() => {
            let object = world.schema.find(name).unwrap_or_default();
            match *method {
                Method::GET => list(wish, &world, object),
                Method::POST => insert(wish, object),
                _ => Err(ApiError::method(method, "GET, POST")),
            }
        }
        [text] => {
            let id = id(text)?;
            match *method {
                Method::GET => {
                    rows::one(&world, id).map(|row| Answer::ok(&row)).ok_or_else(ApiError::not_found)
                }
                Method::PATCH => {
                    let fields: Map<String, Json> = wish.body()?;
                    Ok(empty(change(wish, |transaction| update(transaction, id, &fields))))
                }
                Method::DELETE => Ok(empty(change(wish, |transaction| transaction.delete(id)))),
                _ => Err(ApiError::method(method, "GET, PATCH, DELETE")),
            }
        }
        [text, "undelete"] if method == Method::POST => {
            let id = id(text)?;
            Ok(empty(change(wish, |transaction| transaction.undelete(id))))
        }
        [text, "purge"] if method == Method::POST => {
            let id = id(text)?;
            Ok(empty(change(wish, |transaction| transaction.purge(id))))
        }
        _ => Err(ApiError::not_found()),
    }
}

/// `delete`, `undelete` and `purge` of many records, each for itself.
pub(super) fn many(wish: &Wish<'_>, what: &str) -> Result<Answer, ApiError> {
    let Ids { ids } = wish.body()?;
    let ids: Vec<Id> = ids.iter().map(|text| id(text)).collect::<Result<_, _>>()?;
    let done = change(wish, |transaction| {
        Ok(match what {
            "delete" => transaction.delete_all(&ids),
            "undelete" => ids.iter().map(|id| transaction.undelete(*id)).collect(),
            _ => ids.iter().map(|id| transaction.purge(*id)).collect::<Vec<_>>(),
        })
    });
    Ok(done.map_or_else(|refusal| refused(&refusal), |done| outcomes(&ids, &done)))
}

/// `merge`.
pub(super) fn merge(wish: &Wish<'_>) -> Result<Answer, ApiError> {
    let Merge { master, losers, fields } = wish.body()?;
    let master = id(&master)?;
    let losers: Vec<Id> = losers.iter().map(|text| id(text)).collect::<Result<_, _>>()?;
    let merged = change(wish, |transaction| {
        let object = transaction.object_of(master).ok_or_else(unknown)?;
        let cells = transaction.read_json(object, &View::everything(), &fields)?;
        transaction.merge(master, &losers, cells)
    });
    Ok(match merged {
        Ok(moved) => {
            let moved: Vec<String> = moved.iter().map(Id::to_string).collect();
            Answer::ok(&json!({"id": master.to_string(), "updatedRelatedIds": moved}))
        }
        Err(refusal) => refused(&refusal),
    })
}

/// `bin/empty`: everything in the recycle bin, or what was deleted more than `?olderThanDays=` ago.
pub(super) fn empty_bin(wish: &Wish<'_>) -> Result<Answer, ApiError> {
    let before = match wish.request.parameter("olderThanDays").map(str::parse::<u32>) {
        None => i64::MAX,
        Some(Ok(days)) => wish.org.clock.now_ms() - i64::from(days) * 86_400_000,
        Some(Err(_)) => return Err(wrong("olderThanDays is not a number of days")),
    };
    let purged = change(wish, |transaction| Ok(transaction.empty_bin(i64::MIN..before)));
    Ok(purged.map_or_else(|refusal| refused(&refusal), |purged| Answer::ok(&json!({"purged": purged}))))
}

/// Runs a change.
pub(super) fn change<T>(
    wish: &Wish<'_>,
    work: impl FnMut(&mut Transaction<'_>) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    wish.org.transact(wish.user, wish.late, work)
}

/// Writes fields of a record.
pub(super) fn update(
    transaction: &mut Transaction<'_>,
    id: Id,
    fields: &Map<String, Json>,
) -> Result<(), Refusal> {
    let object = transaction.object_of(id).ok_or_else(unknown)?;
    let cells = transaction.read_json(object, &View::everything(), fields)?;
    transaction.update(id, cells)
}

fn unknown() -> Refusal {
    Refusal::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
}

fn empty(done: Result<(), Refusal>) -> Answer {
    done.map_or_else(|refusal| refused(&refusal), |()| Answer::empty(StatusCode::NO_CONTENT))
}

/// One record, or a list of records that are inserted together or not at all.
fn insert(wish: &Wish<'_>, object: usize) -> Result<Answer, ApiError> {
    let body: Json = wish.body()?;
    let single = body.is_object();
    let records = match body {
        Json::Array(records) => records,
        record => vec![record],
    };
    let inserted = change(wish, |transaction| {
        let insert = |record: &Json| {
            let Json::Object(record) = record else {
                return Err(Refusal::new("JSON_PARSER_ERROR", "a record is a JSON object"));
            };
            let cells = transaction.read_json(object, &View::everything(), record)?;
            transaction.insert(object, cells)
        };
        records.iter().map(insert).collect::<Result<Vec<Id>, Refusal>>()
    });
    Ok(match inserted {
        Ok(ids) => {
            let ids: Vec<Json> =
                ids.iter().map(|id| json!({"id": id.to_string(), "success": true, "errors": []})).collect();
            let body = ids.first().filter(|_| single).cloned().unwrap_or(Json::Array(ids));
            Answer::json(StatusCode::CREATED, &body)
        }
        Err(refusal) => refused(&refusal),
    })
}

/// A page of an object's records: `?offset=`, `?limit=`, `?deleted=true` for those of the recycle bin as well,
/// `?where=` with a condition of SOQL.
fn list(wish: &Wish<'_>, world: &World, object: usize) -> Result<Answer, ApiError> {
    let number = |name: &str, otherwise: u64| match wish.request.parameter(name).map(str::parse::<u64>) {
        None => Ok(otherwise),
        Some(Ok(number)) => Ok(number),
        Some(Err(_)) => Err(wrong(format!("{name} is not a number"))),
    };
    let listing = Listing {
        offset: number("offset", 0)?,
        limit: number("limit", 100)?.min(2_000),
        with_deleted: wish.request.parameter("deleted") == Some("true"),
        condition: wish.request.parameter("where").filter(|text| !text.trim().is_empty()),
    };
    let (total, records) = listing.read(world, object, rows::json)?;
    Ok(Answer::ok(&json!({"totalSize": total, "records": records})))
}
