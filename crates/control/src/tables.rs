//! The kinds of records, each readable from memory and, where it must be the newest, from the store.

use std::{sync::Arc, time::Duration};

use nodepanel_store::{
    Backend, Cache, CacheBuilder, Changed, Freshness, Record, RecordChange, Repository, Revision, StoreError, Stored,
    View,
};
use tokio::sync::broadcast;

use crate::record::{
    AllocationRecord, ApiKeyRecord, EnrolmentRecord, InstallationRecord, InstanceRecord, LoginDebtRecord,
    LoginHomesRecord, NameRecord, NodeRecord, RevocationRecord, ServerRecord, TemplateRecord, TemplateVersionRecord,
    UserRecord,
};

/// One kind of record.
pub struct Table<R: Record> {
    view: View<R>,
    repository: Repository<R>,
}

impl<R: Record> Table<R> {
    fn new(cache: &mut CacheBuilder, store: &Arc<dyn Backend>) -> Result<Self, StoreError> {
        Ok(Self { view: cache.view()?, repository: Repository::new(Arc::clone(store)) })
    }

    /// The record as this process knows it; a few milliseconds old at most while the store answers.
    pub fn get(&self, id: &R::Id) -> Option<Arc<Stored<R>>> {
        self.view.get(id)
    }

    /// Every record of the kind, in the order of the ids.
    pub fn all(&self) -> Vec<Arc<Stored<R>>> {
        self.view.all()
    }

    /// The records for which `wanted` holds.
    pub fn filter(&self, wanted: impl FnMut(&R) -> bool) -> Vec<Arc<Stored<R>>> {
        self.view.filter(wanted)
    }

    /// How many records there are for which `wanted` holds.
    pub fn count(&self, mut wanted: impl FnMut(&R) -> bool) -> u64 {
        let mut count = 0;
        self.view.find(|record| {
            count += u64::from(wanted(record));
            false
        });
        count
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.view.len()
    }

    /// Changes of records of this kind from now on. Who lags behind must look at all of them again.
    pub fn subscribe(&self) -> broadcast::Receiver<RecordChange<R>> {
        self.view.subscribe()
    }

    /// The record as the store has it now.
    pub async fn fresh(&self, id: &R::Id) -> Result<Option<Stored<R>>, StoreError> {
        self.repository.get(id).await
    }
}

/// Every kind of record.
pub struct Tables {
    /// People.
    pub users: Table<UserRecord>,
    /// Their bearer tokens.
    pub api_keys: Table<ApiKeyRecord>,
    /// Sessions that were ended before their time.
    pub revocations: Table<RevocationRecord>,
    /// Machines that run game servers.
    pub machines: Table<NodeRecord>,
    /// Permissions to join.
    pub enrolments: Table<EnrolmentRecord>,
    /// Ports.
    pub allocations: Table<AllocationRecord>,
    /// Templates.
    pub templates: Table<TemplateRecord>,
    /// Their versions.
    pub template_versions: Table<TemplateVersionRecord>,
    /// Game servers.
    pub servers: Table<ServerRecord>,
    /// Names that are taken.
    pub names: Table<NameRecord>,
    /// What there is once.
    pub installation: Table<InstallationRecord>,
    /// Failed sign-ins that have added up.
    pub login_debts: Table<LoginDebtRecord>,
    /// From where accounts were opened.
    pub login_homes: Table<LoginHomesRecord>,
    /// API servers that run now.
    pub instances: Table<InstanceRecord>,
    cache: Cache,
}

impl Tables {
    /// Begins to follow `store`.
    pub fn follow(store: &Arc<dyn Backend>) -> Result<Self, StoreError> {
        let mut cache = CacheBuilder::new(Arc::clone(store));
        Ok(Self {
            users: Table::new(&mut cache, store)?,
            api_keys: Table::new(&mut cache, store)?,
            revocations: Table::new(&mut cache, store)?,
            machines: Table::new(&mut cache, store)?,
            enrolments: Table::new(&mut cache, store)?,
            allocations: Table::new(&mut cache, store)?,
            templates: Table::new(&mut cache, store)?,
            template_versions: Table::new(&mut cache, store)?,
            servers: Table::new(&mut cache, store)?,
            names: Table::new(&mut cache, store)?,
            installation: Table::new(&mut cache, store)?,
            login_debts: Table::new(&mut cache, store)?,
            login_homes: Table::new(&mut cache, store)?,
            instances: Table::new(&mut cache, store)?,
            cache: cache.start(),
        })
    }

    /// Waits until everything was read once.
    pub async fn loaded(&self, patience: Duration) -> Result<(), StoreError> {
        self.cache.loaded(patience).await
    }

    /// Waits until what this process knows includes `revision`.
    pub async fn wait_for(&self, revision: Revision, patience: Duration) -> Result<(), StoreError> {
        self.cache.wait_for(revision, patience).await
    }

    /// How far this process knows the store; `None` until it was read once.
    pub fn revision(&self) -> Option<Revision> {
        self.cache.revision()
    }

    /// How old what this process knows is.
    pub fn freshness(&self) -> Freshness {
        self.cache.freshness()
    }

    /// Changes of records of every kind.
    pub fn subscribe(&self) -> broadcast::Receiver<Changed> {
        self.cache.subscribe()
    }
}
