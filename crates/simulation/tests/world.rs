//! The parts of a simulation: the store, the machines, and control planes that come and go.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use nodepanel_backbone::pki::CertificateAuthority;
use nodepanel_control::{
    Actor, Context, ControlPlane, Installation, ListQuery, MasterKey, Nodes, Observed, Parts, Platform, Proof, Tables,
};
use nodepanel_store::{Backend, Key, MemoryBackend, Prefix, Transaction, list_all};
use nodepanel_types::{
    ApiKeyId, NodeId, RequestId, ServerId, TemplateId, Timestamp, UserId, WorkerId,
    api::{CreateAllocations, CreateApiKey, CreateNode, CreateUser},
    clock::IdSource as _,
    component::{AutomaticAction, Component, Renewal},
    permission::UserRole,
};
use tokio::{sync::watch, time::Instant};

use crate::{
    chance::{Chance, SkewedClock},
    life::Life,
    links::Links,
    machine::Machine,
    reader::{self, Heard},
    story::Teller,
    user::Deed,
    way::Way,
};

/// API servers.
const PLANES: usize = 3;
/// How far their clocks are off at most, in milliseconds.
const SKEW_MS: usize = 30_000;

/// An installation with two nodes and no server yet, made once and copied for every seed.
pub struct Prepared {
    entries: Vec<(Key, Bytes)>,
    authority: Arc<CertificateAuthority>,
    nodes: Vec<NodeId>,
    pub template: TemplateId,
    administrator: UserId,
    operator: UserId,
    operators_key: String,
}

/// NodePanel's own processes are no part of the simulation.
struct NoPlatform;

#[async_trait]
impl Platform for NoPlatform {
    fn components(&self) -> (Timestamp, Vec<Component>, Option<String>) {
        (Timestamp::from_millis(0), Vec::new(), None)
    }

    fn renewal(&self) -> Option<Renewal> {
        None
    }

    async fn history(&self) -> Result<Vec<AutomaticAction>, String> {
        Err("There are no processes in the simulation.".to_owned())
    }
}

fn master() -> MasterKey {
    MasterKey::from_bytes([7; 32])
}

impl Prepared {
    pub async fn new() -> Self {
        let chance = Chance::new(0);
        let clock = SkewedClock::new(Instant::now(), 0);
        let store: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
        let ids = Arc::new(chance.clone());
        let installation = Installation::open(&store, &master(), clock.clone(), ids.clone()).await.unwrap();
        let (_, uncut) = watch::channel(BTreeMap::new());
        let (_, lossless) = watch::channel(false);
        let control = ControlPlane::new(Parts {
            tables: Tables::follow(&store).unwrap(),
            store: Arc::clone(&store),
            journal: None,
            nodes: Links::new(&[], Life::new(), chance.clone(), Teller::default(), lossless, uncut),
            observed: Arc::default(),
            platform: Arc::new(NoPlatform),
            master: master(),
            authority: Arc::clone(&installation.authority),
            link_addresses: Vec::new(),
            clock,
            ids,
            instance: WorkerId::from_uuid(chance.uuid()),
        });
        control.complete_installation("host", IpAddr::V4(Ipv4Addr::LOCALHOST), None).await.unwrap();
        let administrator = control.make_first_administrator("admin@example.org", "a long passphrase".to_owned());
        let administrator = administrator.await.unwrap().id;
        let host = Context::new(Actor::Host, RequestId::from_uuid(chance.uuid()));
        let role = UserRole::User;
        let operator =
            CreateUser { email: "op@example.org".to_owned(), password: "another passphrase".to_owned(), role };
        let operator = control.create_user(&host, operator).await.unwrap().id;
        let key = CreateApiKey { name: "simulated".to_owned() };
        let operators_key = control.create_key_for(&host, operator, key).await.unwrap().token;
        let mut nodes = Vec::new();
        for name in ["one", "two"] {
            let node = control.create_node(&host, CreateNode { name: name.to_owned() }).await.unwrap().id;
            // An address that is looked at by nobody else: whether a port is free is found out by taking it.
            let address = own_address(nodes.len());
            let ports = CreateAllocations { address, ports: "26000-26019".to_owned() };
            control.add_allocations(&host, node, ports).await.unwrap();
            nodes.push(node);
        }
        let templates = control.list_templates(&host, &ListQuery { limit: 10, ..ListQuery::default() }).unwrap();
        let template = templates.items.iter().find(|template| template.slug == "any-command").unwrap().id;
        let (entries, _) = list_all(&store, &Prefix::new("/").unwrap()).await.unwrap();
        let entries = entries.into_iter().filter(|entry| entry.lease.is_none());
        let entries = entries.map(|entry| (entry.key, entry.value)).collect();
        Self { entries, authority: installation.authority, nodes, template, administrator, operator, operators_key }
    }
}

/// An address of this machine that no other process of these tests uses.
fn own_address(index: usize) -> String {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let index = u8::try_from(index).unwrap();
    // Process ids have at most 22 bits.
    let bits = (u32::from(high) << 16 | u32::from(middle) << 8 | u32::from(low)) << 1 | u32::from(index);
    let [_, high, middle, low] = bits.to_be_bytes();
    Ipv4Addr::new(127, high.max(1), middle, low).to_string()
}

/// A control plane between its start and its end.
pub struct Plane {
    pub control: Arc<ControlPlane>,
    pub life: Life,
}

pub struct World {
    pub chance: Chance,
    pub teller: Teller,
    pub store: Arc<MemoryBackend>,
    pub machines: Vec<Arc<Machine>>,
    /// What users asked for, and what they were told.
    pub deeds: Mutex<Vec<Deed>>,
    /// Servers that users know of.
    pub known: Mutex<Vec<ServerId>>,
    /// Whether answers may be lost.
    pub lossy: watch::Sender<bool>,
    /// What the machines' journals have delivered.
    pub heard: Vec<Mutex<Heard>>,
    /// Links that are cut, for each control plane.
    pub cuts: Vec<watch::Sender<BTreeMap<NodeId, bool>>>,
    pub template: TemplateId,
    /// Somebody who is an administrator now and then, and their key.
    pub operator: UserId,
    pub operators_key: String,
    planes: Vec<Mutex<Option<Arc<Plane>>>>,
    authority: Arc<CertificateAuthority>,
    administrator: UserId,
    skews: Vec<i64>,
    begun: Instant,
}

impl World {
    pub async fn new(prepared: &Prepared, seed: u64, teller: Teller) -> Arc<Self> {
        let (chance, begun) = (Chance::new(seed), Instant::now());
        let store = Arc::new(MemoryBackend::new());
        for part in prepared.entries.chunks(50) {
            let put =
                |transaction: Transaction, (key, value): &(Key, Bytes)| transaction.put(key.clone(), value.clone());
            store.commit(part.iter().fold(Transaction::new(), put)).await.unwrap();
        }
        let machine = |id: &NodeId| {
            let skew = i64::try_from(chance.below(SKEW_MS)).unwrap();
            Machine::new(*id, SkewedClock::new(begun, skew), chance.clone(), teller.clone())
        };
        let skew = |_| i64::try_from(chance.below(SKEW_MS)).unwrap();
        let world = Arc::new(Self {
            machines: prepared.nodes.iter().map(machine).collect(),
            skews: (0..PLANES).map(skew).collect(),
            chance,
            teller,
            store,
            deeds: Mutex::default(),
            known: Mutex::default(),
            lossy: watch::Sender::new(true),
            heard: prepared.nodes.iter().map(|_| Mutex::default()).collect(),
            cuts: (0..PLANES).map(|_| watch::Sender::new(BTreeMap::new())).collect(),
            template: prepared.template,
            planes: (0..PLANES).map(|_| Mutex::default()).collect(),
            authority: Arc::clone(&prepared.authority),
            administrator: prepared.administrator,
            operator: prepared.operator,
            operators_key: prepared.operators_key.clone(),
            begun,
        });
        for (index, machine) in world.machines.iter().enumerate() {
            machine.start_agent();
            tokio::spawn(reader::read(Arc::clone(&world), index));
        }
        for index in 0..PLANES {
            world.start_plane(index);
        }
        world
    }

    pub fn is_lossy(&self) -> bool {
        *self.lossy.borrow()
    }

    pub fn planes(&self) -> usize {
        self.planes.len()
    }

    /// A control plane, unless it is dead.
    pub fn plane(&self, index: usize) -> Option<Arc<Plane>> {
        self.planes[index].lock().unwrap().clone()
    }

    /// Kills a control plane at whatever it is doing.
    pub fn kill_plane(&self, index: usize) {
        if let Some(plane) = self.planes[index].lock().unwrap().take() {
            plane.life.kill();
        }
    }

    /// Starts a control plane; it serves when it has read the store.
    pub fn start_plane(self: &Arc<Self>, index: usize) {
        let life = Life::new();
        let store: Arc<dyn Backend> = Arc::new(Way {
            store: Arc::clone(&self.store),
            life: life.clone(),
            chance: self.chance.clone(),
            teller: self.teller.clone(),
            lossy: self.lossy.subscribe(),
        });
        let links = Links::new(
            &self.machines,
            life.clone(),
            self.chance.clone(),
            self.teller.clone(),
            self.lossy.subscribe(),
            self.cuts[index].subscribe(),
        );
        let control = Arc::new(ControlPlane::new(Parts {
            tables: Tables::follow(&store).unwrap(),
            store,
            journal: None,
            nodes: links as Arc<dyn Nodes>,
            observed: Arc::new(Observed::default()),
            platform: Arc::new(NoPlatform),
            master: master(),
            authority: Arc::clone(&self.authority),
            link_addresses: Vec::new(),
            clock: SkewedClock::new(self.begun, self.skews[index]),
            ids: Arc::new(self.chance.clone()),
            instance: WorkerId::from_uuid(self.chance.uuid()),
        }));
        let plane = Arc::new(Plane { control, life });
        let world = Arc::clone(self);
        tokio::spawn(async move {
            while plane.control.loaded(Duration::from_secs(5)).await.is_err() {}
            if !plane.life.is_dead() {
                let _ = nodepanel_control::run(&plane.control);
                world.serve(index, plane);
            }
        });
    }

    fn serve(&self, index: usize, plane: Arc<Plane>) {
        let before = self.planes[index].lock().unwrap().replace(plane);
        assert!(before.is_none(), "a control plane is started once");
    }

    /// A request of a user who may do everything.
    pub fn context(&self) -> Context {
        let via = Proof::ApiKey(ApiKeyId::from_uuid(self.chance.uuid()));
        let actor = Actor::User { id: self.administrator, role: UserRole::Administrator, via };
        Context::new(actor, RequestId::from_uuid(self.chance.uuid()))
    }
}
