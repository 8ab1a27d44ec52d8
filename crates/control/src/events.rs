//! Changes as they happen, for the panel: what the store and the nodes report, as events that one caller may see.

use std::{collections::BTreeSet, pin::Pin, sync::Arc, time::Duration};

use futures_util::Stream;
use nodepanel_store::{Changed, Record as _};
use nodepanel_types::{
    NodeId, ServerId,
    api::{ApiEvent, StatsTick},
    permission::Permission,
};
use tokio::{
    sync::{broadcast, broadcast::error::RecvError, mpsc},
    time::Instant,
};

use crate::{
    Actor, Context, ControlError, ControlPlane,
    authorize::{Scope, holds},
    observed::ObservedChange,
    record::{NodeRecord, ServerRecord, TemplateRecord},
};

/// Events of one caller, without end.
pub type EventStream = Pin<Box<dyn Stream<Item = ApiEvent> + Send>>;

/// Events that wait for a slow reader; beyond it they are dropped and the reader is told to fetch again.
const BUFFERED: usize = 256;
/// How often the caller's rights are looked at again.
const RECHECK: Duration = Duration::from_secs(1);
/// The least time between two sendings; what changes meanwhile is gathered and sent once.
const GATHER: Duration = Duration::from_millis(5);

/// News that come from neither the store nor the nodes.
pub struct Feed(broadcast::Sender<()>);

impl Default for Feed {
    fn default() -> Self {
        Self(broadcast::Sender::new(16))
    }
}

impl Feed {
    /// NodePanel's own processes changed.
    pub fn components_changed(&self) {
        // Without listeners nobody needs to know.
        let _ = self.0.send(());
    }
}

/// What changed since the last sending.
#[derive(Default)]
struct Gathered {
    servers: BTreeSet<ServerId>,
    nodes: BTreeSet<NodeId>,
    stats: BTreeSet<NodeId>,
    templates: BTreeSet<nodepanel_types::TemplateId>,
    components: bool,
    missed: bool,
}

impl ControlPlane {
    /// Changes of everything that the caller may see. Ends when the caller is no longer who they were.
    pub fn events(self: &Arc<Self>, context: &Context) -> Result<EventStream, ControlError> {
        self.still(context)?;
        let (sender, receiver) = mpsc::channel(BUFFERED);
        let teller = Teller {
            plane: Arc::clone(self),
            context: context.clone(),
            records: self.tables.subscribe(),
            observed: self.observed.subscribe(),
            feed: self.feed.0.subscribe(),
            to: sender,
            visible: BTreeSet::new(),
        };
        tokio::spawn(teller.run());
        Ok(Box::pin(tokio_stream::wrappers::ReceiverStream::new(receiver)))
    }
}

struct Teller {
    plane: Arc<ControlPlane>,
    context: Context,
    records: broadcast::Receiver<Changed>,
    observed: broadcast::Receiver<ObservedChange>,
    feed: broadcast::Receiver<()>,
    to: mpsc::Sender<ApiEvent>,
    /// Servers that the reader was told of, so that it is told when they are gone from its sight.
    visible: BTreeSet<ServerId>,
}

/// The reader is gone, or may read no more.
struct Done;

impl Teller {
    async fn run(mut self) {
        if self.hello().await.is_err() {
            return;
        }
        let mut recheck = tokio::time::interval(RECHECK);
        recheck.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut gathered = Gathered::default();
        let mut next = Instant::now();
        loop {
            tokio::select! {
                change = self.records.recv() => gathered.record(change),
                change = self.observed.recv() => gathered.observed(&change),
                news = self.feed.recv() => gathered.components |= news.is_ok(),
                _ = recheck.tick() => {}
                () = self.to.closed() => return,
            }
            // The first change is told at once; what follows it within a moment is told together.
            let flush = tokio::time::sleep_until(next);
            tokio::pin!(flush);
            loop {
                tokio::select! {
                    biased;
                    () = &mut flush => break,
                    change = self.records.recv() => gathered.record(change),
                    change = self.observed.recv() => gathered.observed(&change),
                    news = self.feed.recv() => gathered.components |= news.is_ok(),
                }
            }
            next = Instant::now() + GATHER;
            let Ok(actor) = self.plane.still(&self.context) else { return };
            if self.tell(&actor, std::mem::take(&mut gathered)).await.is_err() {
                return;
            }
        }
    }

    async fn hello(&mut self) -> Result<(), Done> {
        let Ok(actor) = self.plane.still(&self.context) else { return Err(Done) };
        self.visible = self
            .plane
            .tables
            .servers
            .filter(|server| holds(&actor, Permission::ServerView, Scope::Server(server)))
            .iter()
            .map(|server| server.record.id)
            .collect();
        let hello = ApiEvent::Hello {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: self.plane.instance.to_string(),
        };
        self.send(hello).await
    }

    async fn tell(&mut self, actor: &Actor, gathered: Gathered) -> Result<(), Done> {
        if gathered.missed {
            return self.hello().await;
        }
        let plane = Arc::clone(&self.plane);
        for id in gathered.servers {
            let record = plane.tables.servers.get(&id);
            let visible = record.filter(|server| holds(actor, Permission::ServerView, Scope::Server(&server.record)));
            match visible {
                Some(server) => {
                    self.visible.insert(id);
                    let server = Box::new(plane.view_server(actor, &server.record));
                    self.send(ApiEvent::Server { server }).await?;
                }
                None if self.visible.remove(&id) => self.send(ApiEvent::ServerRemoved { id }).await?,
                None => {}
            }
        }
        if holds(actor, Permission::NodeView, Scope::Installation) {
            for id in gathered.nodes.iter().chain(&gathered.stats).copied().collect::<BTreeSet<_>>() {
                let event = match plane.tables.machines.get(&id) {
                    Some(node) => ApiEvent::Node { node: Box::new(plane.view_node(&node.record)) },
                    None => ApiEvent::NodeRemoved { id },
                };
                self.send(event).await?;
            }
        }
        if !gathered.stats.is_empty() {
            let ticks = self.ticks(&gathered.stats);
            if !ticks.is_empty() {
                self.send(ApiEvent::Stats { ticks }).await?;
            }
        }
        for id in gathered.templates {
            self.send(ApiEvent::TemplateChanged { id }).await?;
        }
        if gathered.components && holds(actor, Permission::ComponentView, Scope::Installation) {
            self.send(ApiEvent::ComponentsChanged).await?;
        }
        Ok(())
    }

    fn ticks(&self, nodes: &BTreeSet<NodeId>) -> Vec<StatsTick> {
        self.plane.observed.with_all(|pictures| {
            nodes
                .iter()
                .filter_map(|node| pictures.get(node))
                .flat_map(|picture| &picture.samples)
                .filter(|(id, _)| self.visible.contains(id))
                .map(|(id, sample)| StatsTick { id: *id, sample: *sample })
                .collect()
        })
    }

    async fn send(&self, event: ApiEvent) -> Result<(), Done> {
        self.to.send(event).await.map_err(|_| Done)
    }
}

impl Gathered {
    fn record(&mut self, change: Result<Changed, RecvError>) {
        let Ok(change) = change else {
            self.missed = true;
            return;
        };
        match change.kind {
            ServerRecord::KIND => self.servers.extend(change.id.parse::<ServerId>()),
            NodeRecord::KIND => self.nodes.extend(change.id.parse::<NodeId>()),
            TemplateRecord::KIND => self.templates.extend(change.id.parse::<nodepanel_types::TemplateId>()),
            _ => {}
        }
    }

    fn observed(&mut self, change: &Result<ObservedChange, RecvError>) {
        match change {
            // Everything on the node looks different when its presence changes.
            Ok(ObservedChange::Node(node)) => {
                self.nodes.insert(*node);
                self.missed = true;
            }
            Ok(ObservedChange::Server(_, server) | ObservedChange::Removed(_, server)) => {
                self.servers.insert(*server);
            }
            Ok(ObservedChange::Stats(node)) => {
                self.stats.insert(*node);
            }
            Err(_) => self.missed = true,
        }
    }
}
