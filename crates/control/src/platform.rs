//! NodePanel's own processes, what an administrator should see first, readiness and gauges.

use async_trait::async_trait;
use nodepanel_types::{
    api::{AlertLevel, ComponentsView, Overview, OverviewWarning},
    component::{AutomaticAction, Component, ComponentState, Renewal},
    permission::Permission,
    state::ServerState,
};

use crate::{Context, ControlError, ControlPlane, authorize::Scope, observed::NodePicture};

/// The seam to the supervisor.
#[async_trait]
pub trait Platform: Send + Sync + 'static {
    /// The processes of this host as last reported, with the reason when the report is old. Answers at once.
    fn components(&self) -> (nodepanel_types::Timestamp, Vec<Component>, Option<String>);

    /// How their proofs are renewed, as last reported; `None` when that is not known.
    fn renewal(&self) -> Option<Renewal>;

    /// What was done to them automatically, newest first, as far back as it is kept; or why that cannot be read, as a
    /// sentence. Works while the supervisor is away.
    async fn history(&self) -> Result<Vec<AutomaticAction>, String>;
}

/// Whether this process can do its work.
pub struct Readiness {
    /// Whether requests should come here.
    pub ready: bool,
    /// What is missing or weak, each a sentence.
    pub reasons: Vec<String>,
}

impl ControlPlane {
    /// NodePanel's own processes.
    pub fn components(&self, context: &Context) -> Result<ComponentsView, ControlError> {
        self.require(&context.actor, Permission::ComponentView, Scope::Installation)?;
        let (as_of, components, stale_reason) = self.platform.components();
        Ok(ComponentsView { as_of, components, stale_reason, renewal: self.platform.renewal() })
    }

    /// Tells the panel that NodePanel's own processes changed.
    pub fn components_changed(&self) {
        self.feed.components_changed();
    }

    /// What an administrator should see first.
    pub fn overview(&self, context: &Context) -> Result<Overview, ControlError> {
        self.require(&context.actor, Permission::ComponentView, Scope::Installation)?;
        let mut warnings = self.store_warnings();
        let nodes = self.tables.machines.all();
        let mut nodes_online = 0;
        for node in &nodes {
            let view = self.view_node(&node.record);
            match view.presence {
                nodepanel_types::api::NodePresence::Online { .. } => nodes_online += 1,
                nodepanel_types::api::NodePresence::Unreachable { since, reason } => warnings.push(OverviewWarning {
                    level: AlertLevel::Error,
                    text: format!(
                        "The node {} does not answer since {since}: {}.",
                        view.name,
                        reason.trim_end_matches('.')
                    ),
                }),
                nodepanel_types::api::NodePresence::Pending { .. } => {}
            }
            for warning in view.facts.map(|facts| facts.warnings).unwrap_or_default() {
                let text = format!("Node {}: {warning}", view.name);
                warnings.push(OverviewWarning { level: AlertLevel::Warning, text });
            }
        }
        let (_, components, stale) = self.platform.components();
        if let Some(reason) = stale {
            warnings.push(OverviewWarning { level: AlertLevel::Error, text: reason });
        }
        for component in components.iter().filter(|component| needs_a_person(component)) {
            let detail = component.detail.clone().unwrap_or_default();
            let text = format!("The process {} does not do its work. {detail}", component.name);
            warnings.push(OverviewWarning { level: AlertLevel::Error, text });
        }
        warnings.sort_by_key(|warning| warning.level);
        Ok(Overview {
            warnings,
            nodes: nodes.len() as u64,
            nodes_online,
            servers: self.tables.servers.len() as u64,
            servers_running: self.servers_running(),
            users: self.tables.users.len() as u64,
        })
    }

    /// Whether this process can do its work. A store that cannot be asked leaves it ready for reads, once it was read.
    pub fn readiness(&self) -> Readiness {
        let loaded = self.tables.freshness().revision.is_some();
        let mut reasons: Vec<String> = self.store_warnings().into_iter().map(|warning| warning.text).collect();
        if !loaded {
            reasons.push("The store has not been read yet.".to_owned());
        }
        Readiness { ready: loaded, reasons }
    }

    /// Figures of this installation as this API server knows them, for `/metrics`.
    pub fn gauges(&self, context: &Context) -> Result<Vec<(&'static str, f64)>, ControlError> {
        self.require(&context.actor, Permission::ComponentView, Scope::Installation)?;
        let online = self.observed.with_all(|pictures| pictures.values().filter(|picture| picture.online()).count());
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let count = |count: u64| count as f64;
        Ok(vec![
            ("nodepanel_servers", count(self.tables.servers.len() as u64)),
            ("nodepanel_servers_running", count(self.servers_running())),
            ("nodepanel_nodes", count(self.tables.machines.len() as u64)),
            ("nodepanel_nodes_online", count(online as u64)),
            ("nodepanel_users", count(self.tables.users.len() as u64)),
            ("nodepanel_store_age_seconds", self.tables.freshness().age().as_secs_f64()),
        ])
    }

    fn servers_running(&self) -> u64 {
        self.observed.with_all(|pictures| {
            let running = |picture: &NodePicture| {
                picture.servers.values().filter(|server| server.phase.state() == ServerState::Running).count()
            };
            pictures.values().map(running).sum::<usize>() as u64
        })
    }

    fn store_warnings(&self) -> Vec<OverviewWarning> {
        let freshness = self.tables.freshness();
        if !freshness.is_stale() {
            return Vec::new();
        }
        let text = format!(
            "The store does not answer this API server ({} s). What was read before is shown; nothing can be changed. \
             Game servers go on.",
            freshness.age().as_secs()
        );
        vec![OverviewWarning { level: AlertLevel::Error, text }]
    }
}

fn needs_a_person(component: &Component) -> bool {
    matches!(component.state, ComponentState::BackingOff | ComponentState::Degraded)
}
