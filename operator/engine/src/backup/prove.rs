//! Prove: what the org counts against what was captured.

use orgkeep_core::ledger::ObjectLedger;
use orgkeep_core::schema::ObjectSchema;
use orgkeep_salesforce::{CountAsk, Error};

use super::Work;
use super::select::ends_the_run;
use super::shard::{Captured, living};
use crate::ending::Ending;

/// The org's counts of objects, five in one call; `None` where it does not answer one.
pub(super) async fn counted(work: &Work, schemas: &[&ObjectSchema]) -> Result<Vec<Option<u64>>, Ending> {
    let ask = |schema: &&ObjectSchema| CountAsk {
        object: schema.name.clone(),
        all: living(schema).is_some(),
        condition: living(schema).map(str::to_owned),
    };
    let asks: Vec<CountAsk> = schemas.iter().map(ask).collect();
    let answers = work.client.count_many(&asks).await?;
    schemas.iter().zip(answers).map(|(schema, answer)| known(schema, answer)).collect()
}

/// The ledger of an object: each station counted by other code.
pub(super) async fn ledger(
    work: &Work,
    schema: &ObjectSchema,
    captured: &Captured,
    counted: Option<u64>,
) -> Result<ObjectLedger, Ending> {
    let written = captured.parts.iter().map(|part| part.rows).sum();
    let moved = match counted {
        Some(counted) if counted != written => moved(work, schema).await?,
        _ => 0,
    };
    let files = captured.parts.len() as u64;
    Ok(ObjectLedger {
        delivered: captured.delivered,
        decoded: captured.decoded,
        written,
        counted,
        moved,
        // The vault gives no part back whose stored bytes it has not held against their digest.
        files_checked: files,
        files,
    })
}

/// Rows created or deleted since the run began to read.
async fn moved(work: &Work, schema: &ObjectSchema) -> Result<u64, Ending> {
    let since = &work.read_from;
    let filterable = |name: &str| schema.field(name).is_some_and(|field| field.filterable);
    let mut moved = 0;
    if let Some(created) =
        ["CreatedDate", "SystemModstamp", "LoginTime"].into_iter().find(|name| filterable(name))
    {
        moved += count(work, schema, true, Some(&format!("{created} >= {since}"))).await?.unwrap_or(0);
    }
    if filterable("IsDeleted") && filterable("SystemModstamp") {
        let deleted = format!("IsDeleted = true AND SystemModstamp >= {since}");
        moved += count(work, schema, true, Some(&deleted)).await?.unwrap_or(0);
    }
    Ok(moved)
}

async fn count(
    work: &Work,
    schema: &ObjectSchema,
    all: bool,
    condition: Option<&str>,
) -> Result<Option<u64>, Ending> {
    known(schema, work.client.count(&schema.name, all, condition).await)
}

/// A count, if the org answers one.
fn known(schema: &ObjectSchema, answer: Result<u64, Error>) -> Result<Option<u64>, Ending> {
    match answer {
        Ok(count) => Ok(Some(count)),
        Err(error) if ends_the_run(&error) => Err(error.into()),
        Err(error) => {
            tracing::warn!(object = schema.name, %error, "the org does not answer a count");
            Ok(None)
        }
    }
}
