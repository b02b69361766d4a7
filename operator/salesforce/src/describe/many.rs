//! Many describes in few calls.

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use http::{HeaderValue, StatusCode, header};
use orgkeep_core::problem::Reaction;
use orgkeep_core::schema::ObjectSchema;

use super::cache::{Age, DescribeCache, Kept};
use super::shape::Object;
use crate::client::{Client, encode};
use crate::composite::{Part, SubRequest, send};
use crate::error::{Error, Result};
use crate::transport::{Call, Flaw, Resource, json};

/// Describes in one composite. It takes 25; a describe of a wide object is a megabyte, and the answer is held whole.
const AT_ONCE: usize = 10;
/// Composites at once, for the same reason.
const COMPOSITES_AT_ONCE: usize = 2;

/// A describe as it came.
enum Described {
    New(ObjectSchema, Age),
    Unchanged,
}

/// The describes of one composite.
type Stretch = Result<Vec<Result<Described>>>;

/// Describes objects; each has its own answer or error, in the order asked. The cache spares the reading of those
/// that have not changed, and takes those that have.
pub(crate) async fn describe_many(
    client: &Client,
    objects: &[String],
    cache: &mut DescribeCache,
) -> Result<Vec<Result<ObjectSchema>>> {
    cache.belongs_to(&whose(client));
    // Boxed one by one: the compiler cannot see of a stream's closure that its futures may be sent to a thread.
    let mut stretches: Vec<BoxFuture<'_, Stretch>> = Vec::new();
    for some in objects.chunks(AT_ONCE) {
        let some = some.iter().map(|name| (name.clone(), cache.get(name).cloned())).collect();
        stretches.push(stretch(client, some).boxed());
    }
    let described: Vec<_> =
        futures::stream::iter(stretches).buffered(COMPOSITES_AT_ONCE).try_collect().await?;
    let mut answers = Vec::with_capacity(objects.len());
    for (object, described) in objects.iter().zip(described.into_iter().flatten()) {
        answers.push(described.and_then(|described| settle(object, described, cache)));
    }
    Ok(answers)
}

/// Describes one object unless the cache has it as it is.
pub(crate) async fn describe_if_changed(
    client: &Client,
    object: &str,
    cache: &mut DescribeCache,
) -> Result<ObjectSchema> {
    cache.belongs_to(&whose(client));
    let described = single(client, object, cache.get(object)).await?;
    settle(object, described, cache)
}

/// Whose describes these are: what a user sees of an org differs by user and version.
fn whose(client: &Client) -> String {
    let org = client.org();
    format!("{}/{}/{}", org.id, org.api_version, client.transport().user().unwrap_or("unknown"))
}

fn settle(object: &str, described: Described, cache: &mut DescribeCache) -> Result<ObjectSchema> {
    match described {
        Described::New(schema, age) => {
            cache.keep(object, &schema, age);
            Ok(schema)
        }
        Described::Unchanged => {
            cache.get(object).map(|kept| kept.schema.clone()).ok_or_else(|| Error::WrongAnswer {
                what: format!("describe of {object}"),
                detail: "the org says that it has not changed, and was not asked that".to_owned(),
            })
        }
    }
}

async fn stretch(client: &Client, objects: Vec<(String, Option<Kept>)>) -> Stretch {
    let requests: Vec<SubRequest> =
        objects.iter().map(|(name, kept)| request(client, name, kept.as_ref())).collect();
    let parts = if client.composites_refused() {
        requests.iter().map(|_| None).collect()
    } else {
        match send(client, &requests, AT_ONCE).await {
            Ok(parts) => parts.into_iter().map(Some).collect::<Vec<_>>(),
            Err(error) if error.reaction() == Reaction::GiveUpObject => {
                client.composite_was_refused(&error);
                requests.iter().map(|_| None).collect()
            }
            Err(error) => return Err(error),
        }
    };
    let mut described: Vec<BoxFuture<'_, Result<Described>>> = Vec::with_capacity(objects.len());
    for ((name, kept), part) in objects.into_iter().zip(parts) {
        described.push(one(client, name, kept, part).boxed());
    }
    Ok(futures::stream::iter(described).buffered(AT_ONCE).collect().await)
}

/// What a part says of an object, or a call of its own if there is none.
async fn one(
    client: &Client,
    name: String,
    kept: Option<Kept>,
    part: Option<Result<Part>>,
) -> Result<Described> {
    match part {
        Some(part) => match part.and_then(|part| read(&part, &name)) {
            // What cannot be read here may be readable by itself.
            Err(Error::BodyUnreadable { .. }) => single(client, &name, kept.as_ref()).await,
            described => described,
        },
        None => single(client, &name, kept.as_ref()).await,
    }
}

fn path(client: &Client, object: &str) -> String {
    format!("{}/sobjects/{}/describe", client.base(), encode(object))
}

fn request(client: &Client, object: &str, kept: Option<&Kept>) -> SubRequest {
    let mut request = SubRequest::get(path(client, object), format!("describe of {object}"));
    if let Some(kept) = kept {
        request.headers.insert("If-Modified-Since", kept.last_modified.clone());
    }
    request
}

fn read(part: &Part, object: &str) -> Result<Described> {
    if part.status == StatusCode::NOT_MODIFIED.as_u16() {
        return Ok(Described::Unchanged);
    }
    let body = part.body.get().as_bytes();
    let described = json::<Object>(body).map_err(|flaw| flaw.of(format!("describe of {object}")))?;
    Ok(Described::New(described.into_schema(), Age::of_part(&part.headers)))
}

async fn single(client: &Client, object: &str, kept: Option<&Kept>) -> Result<Described> {
    let mut call = Call::get(Resource::Describe, path(client, object)).about(format!("describe of {object}"));
    if let Some(kept) = kept {
        if let Ok(value) = HeaderValue::from_str(&kept.last_modified) {
            call = call.header(header::IF_MODIFIED_SINCE, value);
        }
        if let Some(value) = kept.etag.as_deref().and_then(|etag| HeaderValue::from_str(etag).ok()) {
            call = call.header(header::IF_NONE_MATCH, value);
        }
    }
    let asked = kept.is_some();
    client
        .transport()
        .fetch_as(&call, |whole| {
            if whole.status == StatusCode::NOT_MODIFIED {
                let strange = || Flaw::new(0, "it says that nothing has changed, and was not asked that");
                return if asked { Ok(Described::Unchanged) } else { Err(strange()) };
            }
            let described = json::<Object>(&whole.body)?;
            Ok(Described::New(described.into_schema(), Age::of_headers(&whole.headers)))
        })
        .await
}
