//! What runs of the installation, and the ports that it needs.

use nodepanel_supervise::{control::Control, sockets::bind};
use nodepanel_types::{
    clock::Clock as _,
    component::{Component, ComponentState, doubted},
};

use super::{Finding, Verdict};
use crate::{
    cli::status::state_in_words,
    local::{Config, DataDir},
    role::supervise::sockets,
    system::SystemClock,
};

/// The processes; `None` when there is no supervisor to ask.
pub(super) async fn running(data_dir: &DataDir) -> Option<Vec<Component>> {
    Control::connect(data_dir.path()).await.ok()?.status().await.ok()
}

/// Whether all processes do their work.
pub(super) fn processes(running: Option<&[Component]>) -> Vec<Finding> {
    let Some(components) = running else {
        let text = "Nothing runs for this data directory. Start it with `nodepanel up`.";
        return vec![Finding::new("processes", Verdict::Weak, text)];
    };
    let troubled: Vec<Finding> = components
        .iter()
        .filter(|component| !matches!(component.state, ComponentState::Ready))
        .map(|component| {
            let reason = component.detail.as_ref().or(component.last_exit.as_ref());
            let reason = reason.map_or_else(String::new, |reason| format!(": {}", reason.trim_end_matches('.')));
            let (name, state) = (&component.name, state_in_words(component.state));
            Finding::new("processes", Verdict::Wrong, format!("{name} is {state}{reason}. Its log is logs/{name}.log."))
        })
        .collect();
    if troubled.is_empty() {
        return vec![Finding::new("processes", Verdict::Fine, format!("All {} are ready.", components.len()))];
    }
    troubled
}

/// Whether everything is started again by somebody, is there after a boot, and was seen to come back.
pub(super) fn supervision(running: Option<&[Component]>, config: &Config) -> Vec<Finding> {
    let Some(components) = running else { return Vec::new() };
    let (now, max_age) = (SystemClock.now(), config.proofs.max_age());
    let doubts: Vec<Finding> = doubted(components.to_vec(), now, max_age)
        .into_iter()
        .flat_map(|component| component.supervision.doubts)
        .map(|doubt| Finding::new("supervision", Verdict::Weak, doubt))
        .collect();
    if doubts.is_empty() {
        let days = config.proofs.max_age_days;
        let text = format!(
            "Somebody starts each process again, also after a boot, and each was seen to come back in the last {days} \
             days."
        );
        return vec![Finding::new("supervision", Verdict::Fine, text)];
    }
    doubts
}

/// How proofs are renewed; nothing when there is no supervisor to ask.
pub(super) async fn renewal(data_dir: &DataDir) -> Option<Finding> {
    let renewal = Control::connect(data_dir.path()).await.ok()?.renewal().await.ok()??;
    let verdict = match &renewal.last {
        Some(last) if !last.renewed => Verdict::Weak,
        _ => Verdict::Fine,
    };
    Some(Finding::new("proofs", verdict, renewal.sentence()))
}

/// Whether the addresses can be listened on, or who has them.
pub(super) fn ports(config: &Config, running: bool) -> Vec<Finding> {
    if running {
        return vec![Finding::new("ports", Verdict::Fine, "The supervisor listens on them.")];
    }
    sockets(config)
        .into_iter()
        .map(|spec| match bind(&spec) {
            Ok(_) => Finding::new("ports", Verdict::Fine, format!("{} ({}) is free.", spec.address, spec.name)),
            Err(error) => {
                let cause = std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
                Finding::new("ports", Verdict::Wrong, format!("{error}{cause}. The addresses are set with --listen."))
            }
        })
        .collect()
}
