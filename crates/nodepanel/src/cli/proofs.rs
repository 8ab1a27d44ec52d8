//! `nodepanel proofs renew`: ends one process of ours after the other on purpose and tells how each came back.
//!
//! The supervisor does it; this asks for it and looks on, also while the supervisor itself is the one that is ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use nodepanel_supervise::control::Control;
use nodepanel_types::component::{Component, Proof, Renewal};
use serde::Serialize;
use tokio::time::sleep;

use super::{arguments::ProofsCommand, output, status::connect};
use crate::{
    exit::{Exit, Refusal},
    local::DataDir,
};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// How one came back.
#[derive(Debug, Serialize)]
struct Renewed {
    component: String,
    proof: Proof,
}

/// Carries out a command.
pub async fn run(data_dir: &DataDir, command: ProofsCommand) -> anyhow::Result<Exit> {
    let ProofsCommand::Renew { yes, json } = command;
    if !yes {
        anyhow::bail!(Refusal {
            exit: Exit::Usage,
            message: format!(
                "This kills each process of the installation in {} in turn and sees it come back. Game servers go on, and \
                 so should everybody; add --yes to do it.",
                data_dir.path().display()
            ),
        });
    }
    let mut control = connect(data_dir).await?;
    let mut known = proofs(control.status().await?);
    let before = control.renewal().await?.and_then(|renewal| renewal.last);
    control.renew_proofs().await?;
    let mut waiting = left(&control.renewal().await?.unwrap_or_default());
    output::note(format_args!("Ending one after the other: {}", in_words(&waiting)));
    let (mut renewed, mut said) = (Vec::new(), None);
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        // While the supervisor is the one that is away it cannot be asked.
        if let Ok((components, renewal)) = look(data_dir).await {
            for (component, proof) in proofs(components) {
                if known.get(&component) != Some(&proof) {
                    let took = proof.took_ms.map_or_else(String::new, |took| format!(" after {took} ms"));
                    output::note(format_args!("  {component} is back{took}"));
                    waiting.remove(&component);
                    known.insert(component.clone(), proof.clone());
                    renewed.push(Renewed { component, proof });
                }
            }
            let result = renewal.last.clone().filter(|last| !last.renewed && Some(last) != before.as_ref());
            if let Some(last) = result {
                print(&renewed, json)?;
                let message = format!(
                    "{} {}. The others were left alone; `nodepanel status` shows how it is now.",
                    last.component, last.text
                );
                anyhow::bail!(Refusal { exit: Exit::Findings, message });
            }
            if waiting.is_empty() {
                print(&renewed, json)?;
                return Ok(Exit::Done);
            }
            if let Some(reason) = renewal.waits_for.filter(|reason| said.as_ref() != Some(reason)) {
                output::note(format_args!("  waiting: {reason}"));
                said = Some(reason);
            }
        }
        sleep(LOOK).await;
    }
    print(&renewed, json)?;
    let message = format!("After {} s these were not renewed: {}.", PATIENCE.as_secs(), in_words(&waiting));
    anyhow::bail!(Refusal { exit: Exit::Findings, message })
}

async fn look(data_dir: &DataDir) -> anyhow::Result<(Vec<Component>, Renewal)> {
    let mut control = Control::connect(data_dir.path()).await?;
    Ok((control.status().await?, control.renewal().await?.unwrap_or_default()))
}

fn left(renewal: &Renewal) -> BTreeSet<String> {
    renewal.asked.iter().chain(&renewal.renewing).cloned().collect()
}

fn proofs(components: Vec<Component>) -> BTreeMap<String, Proof> {
    components.into_iter().filter_map(|component| Some((component.name, component.supervision.proof?))).collect()
}

fn in_words(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn print(renewed: &[Renewed], json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(renewed);
    }
    let rows: Vec<Vec<String>> = renewed
        .iter()
        .map(|Renewed { component, proof }| {
            let took = proof.took_ms.map_or_else(|| "-".to_owned(), |took| format!("{took} ms"));
            vec![component.clone(), took, proof.observed_by.as_str().to_owned()]
        })
        .collect();
    output::table(&["NAME", "CAME BACK AFTER", "SEEN BY"], &rows, "Nothing was renewed.")
}
