//! All reads of a pass.

use std::sync::Arc;

use kube::ResourceExt;
use orgkeep_api::{SalesforceConnection, names};

use crate::shared::probe_job::ProbeJob;
use crate::shared::{Context, Error};

/// What a pass knows.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The object.
    pub object: Arc<SalesforceConnection>,
    /// The probe.
    pub job: ProbeJob,
}

/// Reads.
pub async fn gather(object: &Arc<SalesforceConnection>, context: &Context) -> Result<Observed, Error> {
    let name = names::connection_probe(&object.name_any());
    let job = ProbeJob::gather(object.as_ref(), name, context).await?;
    Ok(Observed { object: Arc::clone(object), job })
}
