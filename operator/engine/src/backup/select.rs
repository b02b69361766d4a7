//! Plan: what the org offers against what the scope asks for, described and counted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use orgkeep_api::salesforce_backup::Scope;
use orgkeep_core::problem::Reaction;
use orgkeep_core::reason::Reason;
use orgkeep_core::run::Failure;
use orgkeep_core::schema::ObjectSchema;
use orgkeep_core::scope::{ScopeRule, select};
use orgkeep_salesforce::{Client, DescribeCache, Error};

use super::failure;
use super::plan::{self, Plan};
use crate::ending::Ending;

/// Feeds belong to `scope.chatter`, not to the objects.
const CHATTER: &[&str] = &["FeedItem", "FeedComment", "FeedAttachment", "FeedRevision", "*Feed"];

/// Makes the plan of a run.
pub(crate) async fn make(client: &Client, scope: &Scope, parallelism: u32) -> Result<Plan, Ending> {
    let read_from = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
    let offered = client.describe_global().await?;
    let mut exclude = scope.objects.exclude.clone();
    if !scope.chatter {
        exclude.extend(CHATTER.iter().map(|&pattern| pattern.to_owned()));
    }
    let chosen = select(&ScopeRule { include: scope.objects.include.clone(), exclude }, &offered);
    let mut failures: Vec<Failure> = chosen.unknown.iter().map(|name| unknown(name)).collect();
    failures.extend(chosen.unreadable.iter().map(|name| unreadable(name)));
    let mut schemas = Vec::new();
    // A run must see every field that the user may see now: nothing is kept from before.
    let described = client.describe_many(&chosen.selected, &mut DescribeCache::default()).await?;
    for (name, schema) in chosen.selected.iter().zip(described) {
        match schema {
            Ok(schema) if schema.columns().any(|column| column.name == "Id") => schemas.push(schema),
            Ok(_) => {} // without ids there are no rows of its own
            Err(error) if ends_the_run(&error) => return Err(error.into()),
            Err(error) => failures.push(failure(name, &error)),
        }
    }
    let estimates = estimates(client, &schemas).await?;
    let objects = plan::deal(schemas, &estimates, parallelism);
    Ok(Plan { read_from, objects, failures })
}

/// Rows as the org estimates them; an org that does not tell makes every object's estimate 0.
async fn estimates(client: &Client, schemas: &[ObjectSchema]) -> Result<BTreeMap<String, u64>, Ending> {
    let names: Vec<&str> = schemas.iter().map(|schema| schema.name.as_str()).collect();
    match client.record_counts(&names).await {
        Ok(counts) => Ok(counts),
        Err(error) if ends_the_run(&error) => Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "the org does not tell how many rows there are");
            Ok(BTreeMap::new())
        }
    }
}

/// Whether an error is about more than one object.
pub(crate) fn ends_the_run(error: &Error) -> bool {
    matches!(error.reaction(), Reaction::EndRun(_) | Reaction::RenewToken)
        || matches!(error, Error::Unreachable { .. })
}

fn unknown(name: &str) -> Failure {
    Failure {
        object: name.to_owned(),
        code: Reason::ObjectNotFound.as_str().to_owned(),
        message: format!(
            "the org has no such object, or the user may not see it; {}",
            Reason::ObjectNotFound.advice()
        ),
    }
}

fn unreadable(name: &str) -> Failure {
    Failure {
        object: name.to_owned(),
        code: Reason::ObjectNotFound.as_str().to_owned(),
        message: "the object answers no plain query (a view, a stream, or on its way out); leave it out of spec.scope"
            .to_owned(),
    }
}
