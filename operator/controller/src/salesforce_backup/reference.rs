//! What an object refers to, and whether a run may rely on it. Pure but for [`find`]; the Snapshots use it, too.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::{Client, Resource};
use orgkeep_api::backup_vault::AccessMode;
use orgkeep_api::common::{Condition, condition};
use orgkeep_api::{BackupVault, SalesforceConnection};
use orgkeep_core::reason::Reason;
use serde::de::DeserializeOwned;

use crate::shared::conditions::{find as condition_of, is_true};
use crate::shared::{Error, Guarded, apply};

/// A referenced object as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<K> {
    /// It is not there.
    Missing,
    /// It is there, and not readable as its kind.
    Unreadable,
    /// It is there.
    Here(Box<K>),
}

impl<K> Found<K> {
    /// The object, if it is there.
    pub fn here(&self) -> Option<&K> {
        match self {
            Self::Here(object) => Some(object),
            Self::Missing | Self::Unreadable => None,
        }
    }
}

/// Reads a referenced object.
pub async fn find<K>(client: &Client, namespace: &str, name: &str) -> Result<Found<K>, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    Ok(match apply::get::<Guarded<K>>(client, namespace, name).await? {
        None => Found::Missing,
        Some(Guarded { 0: Err(_) }) => Found::Unreadable,
        Some(Guarded { 0: Ok(object) }) => Found::Here(Box::new(object)),
    })
}

/// Why a run cannot begin yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// The word.
    pub reason: Reason,
    /// For a person.
    pub message: String,
}

impl Blocked {
    /// With the reason's advice after the message.
    pub fn new(reason: Reason, message: &str) -> Self {
        Self { reason, message: format!("{message}; {}", reason.advice()) }
    }
}

/// The object, or why it is not to be had.
pub fn present<'a, K>(kind: &str, name: &str, found: &'a Found<K>) -> Result<&'a K, Blocked> {
    match found {
        Found::Here(object) => Ok(object),
        Found::Missing => {
            Err(Blocked::new(Reason::ReferenceNotFound, &format!("{kind} {name} does not exist")))
        }
        Found::Unreadable => {
            Err(Blocked::new(Reason::ReferenceNotReady, &format!("{kind} {name} cannot be read as its kind")))
        }
    }
}

/// The connection, if a run may use it.
pub fn connection<'a>(
    name: &str,
    found: &'a Found<SalesforceConnection>,
) -> Result<&'a SalesforceConnection, Blocked> {
    let object = present("SalesforceConnection", name, found)?;
    let conditions = object.status.as_ref().map_or(&[][..], |status| &status.conditions);
    ready("SalesforceConnection", name, object.metadata.generation, conditions)?;
    Ok(object)
}

/// The vault, if a run may write to it.
pub fn vault<'a>(name: &str, found: &'a Found<BackupVault>) -> Result<&'a BackupVault, Blocked> {
    let object = present("BackupVault", name, found)?;
    if object.spec.access_mode == AccessMode::ReadOnly {
        return Err(Blocked {
            reason: Reason::VaultReadOnly,
            message: format!("BackupVault {name} has accessMode: ReadOnly; backups need ReadWrite"),
        });
    }
    let conditions = object.status.as_ref().map_or(&[][..], |status| &status.conditions);
    ready("BackupVault", name, object.metadata.generation, conditions)?;
    Ok(object)
}

fn ready(kind: &str, name: &str, generation: Option<i64>, conditions: &[Condition]) -> Result<(), Blocked> {
    let reason = Reason::ReferenceNotReady;
    match condition_of(conditions, condition::READY) {
        None => Err(Blocked::new(reason, &format!("{kind} {name} was not looked at yet"))),
        Some(found) if found.observed_generation < generation => {
            Err(Blocked::new(reason, &format!("{kind} {name} was changed and is being looked at again")))
        }
        Some(found) if !is_true(conditions, condition::READY) => Err(Blocked::new(
            reason,
            &format!("{kind} {name} is not ready ({}): {}", found.reason, found.message),
        )),
        Some(_) => Ok(()),
    }
}
