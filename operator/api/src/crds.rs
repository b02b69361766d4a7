//! The CustomResourceDefinitions as they are installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use crate::{BackupVault, SalesforceBackup, SalesforceConnection, Snapshot};

/// All of them, in the order in which they are read best.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![SalesforceConnection::crd(), BackupVault::crd(), SalesforceBackup::crd(), Snapshot::crd()]
}
