//! `nodepanel drill`: breaks our own parts on purpose, under load, and holds what users notice against the targets.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use nodepanel_control::MasterKey;
use nodepanel_drill::{Access, Bearer, Drill, Report, Scene};
use serde::Serialize;

use super::{arguments::DrillArguments, client::Client, output};
use crate::{
    exit::{Exit, Refusal},
    local::{Config, DataDir},
    system::SystemIds,
};

/// Carries out drills and prints their reports.
pub async fn run(data_dir: &DataDir, config: &Config, arguments: DrillArguments) -> anyhow::Result<Exit> {
    if arguments.list {
        return list(arguments.json);
    }
    let drills = match &arguments.name {
        Some(name) => vec![named(name)?],
        None if arguments.all => Drill::ALL.to_vec(),
        None => anyhow::bail!(Refusal {
            exit: Exit::Usage,
            message: "Which drill? Name one of `nodepanel drill --list`, or take them all with --all.".to_owned(),
        }),
    };
    if arguments.running && !arguments.yes {
        anyhow::bail!(Refusal {
            exit: Exit::Usage,
            message: format!(
                "This would kill parts of the installation in {} while people use it. Game servers go on, and so should \
                 everybody; add --yes if you want to see it, or leave --running out to try it on an installation that is \
                 thrown away.",
                data_dir.path().display()
            ),
        });
    }
    let ended = Arc::new(AtomicBool::new(false));
    tokio::spawn(end_when_asked(Arc::clone(&ended)));
    let mut reports = Vec::new();
    for drill in drills {
        if ended.load(Ordering::Relaxed) {
            break;
        }
        let scene = scene(data_dir, config, arguments.running).await?;
        let tell = |done| {
            progress(drill, done, arguments.repeat);
            !ended.load(Ordering::Relaxed)
        };
        let report = drill.run(&scene, arguments.repeat, tell).await?;
        if !arguments.json {
            output::line(&report)?;
        }
        reports.push(report);
    }
    if arguments.json {
        output::json(&reports)?;
    }
    Ok(if reports.iter().all(|report: &Report| report.passed) { Exit::Done } else { Exit::Findings })
}

fn named(name: &str) -> anyhow::Result<Drill> {
    let unknown = || {
        let names: Vec<&str> = Drill::ALL.iter().map(|drill| drill.name()).collect();
        Refusal {
            exit: Exit::Usage, message: format!("There is no drill “{name}”. There are: {}.", names.join(", "))
        }
    };
    Drill::named(name).ok_or_else(|| unknown().into())
}

/// The installation that is asked for.
async fn scene(data_dir: &DataDir, config: &Config, running: bool) -> anyhow::Result<Scene> {
    if !running {
        output::note("Starting an installation for the drill");
        return Ok(Scene::scratch(&std::env::current_exe()?).await?);
    }
    let master = MasterKey::load_or_create(data_dir.path(), &SystemIds)?;
    let client = Client::to_host(data_dir, config, &master);
    let address = client.authority().parse()?;
    let access = Access { address, bearer: Bearer::new(move || client.bearer()) };
    Ok(Scene::running(data_dir.path().to_owned(), access))
}

/// Ctrl-C, or an end that somebody else asks for, ends the drill after the repetition that goes on.
async fn end_when_asked(ended: Arc<AtomicBool>) {
    crate::role::terminated().await;
    output::note("Ending after this repetition, and taking away what was made…");
    ended.store(true, Ordering::Relaxed);
}

fn progress(drill: Drill, done: u32, of: u32) {
    // For people who wait; scripts read the standard output.
    if done == of || done.is_multiple_of(10) {
        output::note(format_args!("{}: {done} of {of}", drill.name()));
    }
}

/// A drill in the list.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    number: u8,
    summary: &'static str,
}

fn list(json: bool) -> anyhow::Result<Exit> {
    let all = Drill::ALL.map(|drill| Listed { name: drill.name(), number: drill.number(), summary: drill.summary() });
    if json {
        output::json(&all)?;
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|drill| vec![drill.number.to_string(), drill.name.to_owned(), drill.summary.to_owned()])
        .collect();
    output::table(&["NUMBER", "NAME", "WHAT IT BREAKS"], &rows, "There are no drills.")?;
    Ok(Exit::Done)
}
