//! Prove: what the org counts against what was captured.

use orgkeep_core::ledger::ObjectLedger;
use orgkeep_core::schema::ObjectSchema;

use super::Work;
use super::select::ends_the_run;
use super::shard::{Captured, living};
use crate::ending::Ending;

/// The ledger of an object: each station counted by other code.
pub(super) async fn ledger(
    work: &Work,
    schema: &ObjectSchema,
    captured: &Captured,
) -> Result<ObjectLedger, Ending> {
    let written = captured.parts.iter().map(|part| part.rows).sum();
    let counted = count(work, schema, living(schema).is_some(), living(schema)).await?;
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

/// The org's count; `None` where it does not answer one.
async fn count(
    work: &Work,
    schema: &ObjectSchema,
    all: bool,
    condition: Option<&str>,
) -> Result<Option<u64>, Ending> {
    match work.client.count(&schema.name, all, condition).await {
        Ok(count) => Ok(Some(count)),
        Err(error) if ends_the_run(&error) => Err(error.into()),
        Err(error) => {
            tracing::warn!(object = schema.name, %error, "the org does not answer a count");
            Ok(None)
        }
    }
}
