//! The reflector stores of all controllers: one for each watched namespace.

use std::sync::{Arc, PoisonError, RwLock};

use kube::runtime::reflector::{Lookup, Store};
use orgkeep_api::{BackupVault, SalesforceBackup, SalesforceConnection, Snapshot};

use super::controller::Guarded;

/// The stores of one kind.
pub struct StoresOf<K: Lookup + 'static>(RwLock<Vec<Store<K>>>)
where
    K::DynamicType: std::hash::Hash + Eq;

impl<K: Lookup<DynamicType = ()> + Clone + 'static> Default for StoresOf<K> {
    fn default() -> Self {
        Self(RwLock::new(Vec::new()))
    }
}

impl<K: Lookup<DynamicType = ()> + Clone + 'static> StoresOf<K> {
    /// One more namespace.
    pub fn add(&self, store: Store<K>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(store);
    }

    /// All objects of all namespaces.
    pub fn objects(&self) -> Vec<Arc<K>> {
        let stores = self.0.read().unwrap_or_else(PoisonError::into_inner);
        stores.iter().flat_map(Store::state).collect()
    }
}

/// The stores of all kinds.
#[derive(Default)]
pub struct Stores {
    /// SalesforceConnections.
    pub connections: StoresOf<Guarded<SalesforceConnection>>,
    /// BackupVaults.
    pub vaults: StoresOf<Guarded<BackupVault>>,
    /// SalesforceBackups.
    pub backups: StoresOf<Guarded<SalesforceBackup>>,
    /// Snapshots.
    pub snapshots: StoresOf<Guarded<Snapshot>>,
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stores")
    }
}
