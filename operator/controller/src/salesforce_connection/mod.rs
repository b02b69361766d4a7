//! `SalesforceConnection`: probed by a short Job on a schedule and whenever its spec changes.

mod build;
mod decide;
mod gather;
mod status;

use std::sync::Arc;

use kube::Resource;
use kube::runtime::reflector::Store;
use orgkeep_api::SalesforceConnection;

use crate::shared::{Context, Error, Guarded, Outcome, Reconciler, apply, events};

/// The controller.
pub struct Connections;

impl Reconciler for Connections {
    type Kind = SalesforceConnection;
    const NAME: &'static str = "salesforceconnections";

    fn publish(context: &Context, store: Store<Guarded<SalesforceConnection>>) {
        context.stores.connections.add(store);
    }

    async fn reconcile(object: Arc<SalesforceConnection>, context: Arc<Context>) -> Result<Outcome, Error> {
        let observed = gather::gather(&object, &context).await?;
        let mut decision = decide::decide(&observed, context.now());
        let objects = build::build(&observed, &decision, &context.workers)?;
        if let Some(objects) = &objects
            && let Err(error) = apply::worker(&context.client, objects).await
        {
            let Some(message) = error.refused() else { return Err(error) };
            decision = decide::refused(&observed, &message, context.now());
        }
        let new = status::status(&observed, &decision, context.now());
        let old = object.status.clone().unwrap_or_default();
        if apply::status(&context.client, &*object, object.status.as_ref(), &new).await?
            && let Some(note) = events::of_ready(&old.conditions, &new.conditions, "Probe")
        {
            context.events.publish(&object.object_ref(&()), &note).await;
        }
        observed.job.clear(&decision.step, &context).await?;
        Ok(decision.outcome)
    }
}
