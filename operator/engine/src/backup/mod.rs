//! A backup: plan → fetch → encode and write → prove → commit.
//!
//! Each object is a shard with a journal of pages in the vault, so that whoever comes later goes on from there.
//! With several pods, index 0 plans, proves and commits; every index works off the shards that the plan gave it.

mod bulk;
mod commit;
mod encode;
mod group;
mod plan;
mod prove;
mod rest;
mod retain;
mod select;
mod shard;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use orgkeep_api::backup_vault::AccessMode;
use orgkeep_api::worker::BackupTask;
use orgkeep_core::reason::Reason;
use orgkeep_core::run::{Failure, Outcome, Phase, cut_to};
use orgkeep_salesforce::{Client, Error};
use orgkeep_vault::{Attempt, Lease, Line, Owner, Run, ShardRecord, Vault, VaultError};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::plan::{Plan, PlannedObject};
use crate::connect;
use crate::context::Context;
use crate::ending::Ending;
use crate::vault_access;

/// A lease lasts so long without being renewed.
const LEASE: Duration = Duration::from_secs(120);
/// It is renewed so often.
const RENEWAL: Duration = Duration::from_secs(30);
/// Pages that are fetched and encoded at a time: each holds a page's columns in memory.
const PAGES_AT_A_TIME: usize = 2;
/// Objects (small ones: groups) at work at a time: they mostly wait for the org.
const OBJECTS_AT_A_TIME: usize = 4;
/// How often a pod looks for what another one does.
const LOOK: Duration = Duration::from_secs(2);

/// What the shards of a run work with.
#[derive(Clone)]
struct Work {
    client: Client,
    run: Run,
    attempt: Attempt,
    context: Context,
    /// Places for pages in memory.
    pages: Arc<Semaphore>,
    read_from: Arc<str>,
    /// Parts get an index of their words.
    searchable: bool,
}

/// Carries a backup out.
pub(crate) async fn carry_out(task: &BackupTask, parallelism: u32, context: &Context) -> Outcome {
    let mut told = Told::default();
    let result = back_up(task, parallelism.max(1), context, &mut told).await;
    let mut outcome = match result {
        Ok(outcome) => outcome,
        Err(ending) => ending.outcome(),
    };
    if let Some(client) = &told.client {
        outcome.api_calls = told.calls_before + client.calls().api_calls();
        outcome.usage = Some(client.usage());
        outcome.org = Some(client.org());
        context.tracker.set_api_calls(outcome.api_calls);
    }
    if outcome.vault.is_none()
        && let Some(vault) = &told.vault
    {
        outcome.vault = vault.facts().await.ok();
    }
    // A run that was stopped has no last word yet: the next worker goes on.
    if let (Some(attempt), 0, true) = (&told.attempt, context.index, outcome.phase.is_terminal())
        && let Err(error) = attempt.put_record(&outcome).await
    {
        tracing::warn!(%error, "the record of the run cannot be written");
    }
    outcome
}

/// What was reached so far: told with the outcome however the run ends.
#[derive(Default)]
struct Told {
    client: Option<Client>,
    vault: Option<Vault>,
    attempt: Option<Attempt>,
    /// Calls of the run's other attempts, as far as is known.
    calls_before: u64,
}

async fn back_up(
    task: &BackupTask,
    parallelism: u32,
    context: &Context,
    told: &mut Told,
) -> Result<Outcome, Ending> {
    if task.vault.access_mode == AccessMode::ReadOnly {
        return Err(Ending::failed(
            Reason::VaultReadOnly,
            format!("vault {} has accessMode: ReadOnly", task.vault_name),
        ));
    }
    let vault = vault_access::open(&task.vault, task.signing_key.as_deref(), false, context).await?;
    told.vault = Some(vault.clone());
    let org = task.org_id.as_deref();
    let client = connect::connect(&task.connection, task.calls_in_flight, parallelism, org, context).await?;
    told.client = Some(client.clone());
    let line = line(task, &vault, &client, context).await?;
    let run = line.run(&task.run_id)?;
    if context.index > 0 {
        let work = begin(client, run, context, task, told_attempt(told, &line, task, parallelism).await?);
        let plan = await_plan(&work).await?;
        let work = Work { read_from: plan.read_from.as_str().into(), ..work };
        shards(&work, &plan).await?;
        return Ok(Outcome::new(
            Phase::Succeeded,
            Reason::Succeeded,
            format!("index {} has done its shards", context.index),
        ));
    }
    let mut lease = take_lease(&line, &task.run_id, context).await?;
    let result = lead(task, parallelism, context, told, &client, &line, &run, &mut lease).await;
    let result = match result {
        Ok(ready) => {
            // The other pods have ended by now, or have nothing left to call for.
            told.calls_before = run.api_calls_beside(&ready.attempt).await?;
            let calls = told.calls_before + client.calls().api_calls();
            match commit::commit(task, &line, &mut lease, ready, calls).await {
                Ok(outcome) => Ok(retain::apply(task, &line, &mut lease, outcome).await),
                Err(ending) => Err(ending),
            }
        }
        Err(Early::Done(outcome)) => Ok(*outcome),
        Err(Early::Ends(ending)) => Err(ending),
    };
    if let Err(error) = lease.release().await {
        tracing::warn!(%error, "the lease was not given back; it expires by itself");
    }
    result
}

/// Takes the line's lease. A run before this one that vanished holds it until it expires: that long it is waited for.
async fn take_lease(line: &Line, run_id: &str, context: &Context) -> Result<Lease, Ending> {
    let begun = tokio::time::Instant::now();
    loop {
        match line.lease(run_id, LEASE).await {
            Err(error @ VaultError::LineBusy { .. }) if begun.elapsed() < LEASE + RENEWAL => {
                tracing::info!(%error, "waits for the line");
                pause(context).await?;
            }
            other => return Ok(other?),
        }
    }
}

/// The work of index 0 up to the commit, with the lease kept alive beside it.
#[allow(clippy::too_many_arguments)] // one call; a struct would only repeat the names
async fn lead(
    task: &BackupTask,
    parallelism: u32,
    context: &Context,
    told: &mut Told,
    client: &Client,
    line: &Line,
    run: &Run,
    lease: &mut Lease,
) -> Result<commit::Ready, Early> {
    if let Some(committed) = run.committed().await.map_err(Ending::from)? {
        // An earlier attempt came as far as the commit and could not say so.
        let record = run.record().await.map_err(Ending::from)?;
        let outcome = record.unwrap_or_else(|| commit::outcome_of(&committed));
        return Err(Early::Done(Box::new(outcome)));
    }
    let attempt = told_attempt(told, line, task, parallelism).await?;
    told.calls_before = run.api_calls_beside(&attempt).await.map_err(Ending::from)?;
    let work = begin(client.clone(), run.clone(), context, task, attempt.clone());
    let counting = count_calls(client.clone(), context.clone(), told.calls_before);
    let working = async {
        let plan = plan_of(task, parallelism, &work).await?;
        if plan.objects.is_empty() {
            return Err(Early::Done(Box::new(nothing(&plan))));
        }
        let work = Work { read_from: plan.read_from.as_str().into(), ..work.clone() };
        shards(&work, &plan).await?;
        let records = await_shards(&work, &plan).await?;
        Ok(commit::Ready { attempt: attempt.clone(), client: client.clone(), plan, records })
    };
    // Neither side is ever dropped in the middle of a renewal, whose result would then be unknown.
    let (done, lost) = (CancellationToken::new(), CancellationToken::new());
    let guarded = async {
        let result = tokio::select! {
            result = working => result,
            () = lost.cancelled() => Err(Early::Ends(Ending::stopped())),
            never = counting => match never {},
        };
        done.cancel();
        result
    };
    match tokio::join!(guarded, keep(lease, &done, &lost)) {
        (_, Some(ending)) => Err(Early::Ends(ending)),
        (result, None) => result,
    }
}

/// Why index 0 does not come to the commit.
enum Early {
    /// There is nothing to commit, or it was committed before.
    Done(Box<Outcome>),
    /// It ends.
    Ends(Ending),
}

impl From<Ending> for Early {
    fn from(ending: Ending) -> Self {
        Self::Ends(ending)
    }
}

/// Earlier lives that a worker reckons with at most: pods are made again with a growing back-off.
const MOST_LIVES: u32 = 3;

async fn told_attempt(
    told: &mut Told,
    line: &Line,
    task: &BackupTask,
    parallelism: u32,
) -> Result<Attempt, Ending> {
    let attempt = line.run(&task.run_id)?.begin_attempt().await?;
    if let Some(client) = &told.client {
        // Attempts beyond the number of pods were begun in place of others that died, some of them just now.
        client.reckon_with_lives(attempt.number().saturating_sub(parallelism).min(MOST_LIVES));
    }
    told.attempt = Some(attempt.clone());
    Ok(attempt)
}

fn begin(client: Client, run: Run, context: &Context, task: &BackupTask, attempt: Attempt) -> Work {
    let pages = Arc::new(Semaphore::new(PAGES_AT_A_TIME));
    let searchable = task.search.enabled;
    Work { client, run, attempt, context: context.clone(), pages, read_from: "".into(), searchable }
}

/// The line of this backup: the one named, the one it had, or a new one; always of this org.
async fn line(task: &BackupTask, vault: &Vault, client: &Client, context: &Context) -> Result<Line, Ending> {
    let owner = Owner {
        cluster: task.cluster.clone(),
        namespace: task.namespace.clone(),
        backup_name: task.backup_name.clone(),
    };
    let org = client.org();
    let line = match &task.line_id {
        Some(id) => {
            let mut line = vault.line(id).await?;
            line.check_org(&org)?;
            if context.index == 0 {
                line.adopt(&owner).await?;
            }
            line
        }
        None => loop {
            match vault.find_line(&owner).await? {
                Some(line) => break line,
                None if context.index == 0 => break vault.create_line(&owner, &org).await?,
                None => pause(context).await?, // index 0 makes it
            }
        },
    };
    line.check_org(&org)?;
    Ok(line)
}

/// The plan in the journal, or a new one that goes there.
async fn plan_of(task: &BackupTask, parallelism: u32, work: &Work) -> Result<Plan, Ending> {
    if let Some(plan) = work.run.plan::<Plan>().await? {
        tracing::info!(objects = plan.objects.len(), "goes on with the plan of this run");
        return Ok(plan);
    }
    let made = tokio::select! {
        biased;
        () = work.context.cancel.cancelled() => return Err(Ending::stopped()),
        made = select::make(&work.client, &task.scope, parallelism) => made?,
    };
    tracing::info!(objects = made.objects.len(), rows = made.estimate(), "planned");
    Ok(work.run.put_plan(&made).await?)
}

async fn await_plan(work: &Work) -> Result<Plan, Ending> {
    loop {
        if let Some(plan) = work.run.plan::<Plan>().await? {
            return Ok(plan);
        }
        pause(&work.context).await?;
    }
}

/// Works off the shards of this index.
async fn shards(work: &Work, plan: &Plan) -> Result<(), Ending> {
    let mine: Vec<&PlannedObject> =
        plan.objects.iter().filter(|object| object.index == work.context.index).collect();
    let rows = mine.iter().map(|object| object.estimate).sum();
    work.context.tracker.planned(u32::try_from(mine.len()).unwrap_or(u32::MAX), rows);
    let units = group::units(&mine);
    let all: Vec<_> = units.iter().map(|unit| group::capture(work, unit)).collect();
    let mut running = futures::stream::iter(all).buffer_unordered(OBJECTS_AT_A_TIME);
    while let Some(result) = running.next().await {
        result?; // dropping the others leaves their pages in the journal
    }
    Ok(())
}

/// Waits until every shard of the plan has its record, and gives them in the plan's order.
async fn await_shards(work: &Work, plan: &Plan) -> Result<Vec<ShardRecord>, Ending> {
    loop {
        let mut records = work.run.shards().await?;
        let mut ordered = Vec::with_capacity(plan.objects.len());
        for object in &plan.objects {
            if let Some(at) = records.iter().position(|record| record.object == object.schema.name) {
                ordered.push(records.swap_remove(at));
            }
        }
        if ordered.len() == plan.objects.len() {
            return Ok(ordered);
        }
        tracing::debug!(done = ordered.len(), of = plan.objects.len(), "waits for the other pods");
        pause(&work.context).await?;
    }
}

async fn pause(context: &Context) -> Result<(), Ending> {
    tokio::select! {
        () = context.cancel.cancelled() => Err(Ending::stopped()),
        () = tokio::time::sleep(LOOK) => Ok(()),
    }
}

/// Renews the lease until `done`; gives the ending, and sets `lost`, when that is no longer possible.
async fn keep(lease: &mut Lease, done: &CancellationToken, lost: &CancellationToken) -> Option<Ending> {
    let mut failing_since: Option<tokio::time::Instant> = None;
    loop {
        let pause = if failing_since.is_some() { RENEWAL / 6 } else { RENEWAL };
        tokio::select! {
            biased;
            () = done.cancelled() => return None,
            () = tokio::time::sleep(pause) => {}
        }
        let Err(error) = lease.renew().await else {
            failing_since = None;
            continue;
        };
        tracing::warn!(%error, "the lease was not renewed");
        let since = *failing_since.get_or_insert_with(tokio::time::Instant::now);
        if matches!(error, VaultError::LeaseLost { .. }) || since.elapsed() + RENEWAL > LEASE {
            lost.cancel();
            return Some(error.into());
        }
    }
}

/// Keeps the progress's count of calls up to date.
async fn count_calls(client: Client, context: Context, before: u64) -> std::convert::Infallible {
    loop {
        context.tracker.set_api_calls(before + client.calls().api_calls());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The outcome of a plan without any object.
fn nothing(plan: &Plan) -> Outcome {
    let mut outcome = if plan.failures.is_empty() {
        Outcome::new(Phase::Succeeded, Reason::NothingToDo, "the scope selects no object that the org offers")
    } else {
        Outcome::new(
            Phase::Failed,
            Reason::ObjectNotFound,
            "the org has none of the objects that the scope names",
        )
    };
    outcome.counts.errors = plan.failures.len() as u64;
    outcome.failures.clone_from(&plan.failures);
    outcome
}

/// A failure that concerns one object.
fn failure(object: &str, error: &Error) -> Failure {
    Failure {
        object: object.to_owned(),
        code: error.code().to_owned(),
        message: cut_to(&error.to_string(), 256).to_owned(),
    }
}
