//! `nodepanel drill`: breaks our own parts on purpose, under load, and holds what users notice against the targets.

use std::time::Duration;

use nodepanel_control::MasterKey;
use nodepanel_drill::{Access, Bearer, Drill, Pace, Report, Scene};
use serde::Serialize;
use tokio::sync::watch;

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
    let possible = |drill: &Drill| {
        let on_running = arguments.running && drill.own_only();
        let obstacle = on_running.then(|| "it is only for an installation of its own".to_owned());
        match obstacle.or_else(|| drill.ground().obstacle()) {
            Some(why) if arguments.all => {
                output::note(format_args!("Leaving {} out: {why}.", drill.name()));
                false
            }
            _ => true,
        }
    };
    let mut wish = Wish::follow();
    let mut passed = true;
    let mut list = JsonList::new(arguments.json);
    for drill in drills.into_iter().filter(possible) {
        if wish.asked() {
            break;
        }
        let scene = scene(data_dir, config, arguments.running, drill).await?;
        let pace = Pace { repetitions: arguments.repeat, away: Duration::from_secs(arguments.away.into()) };
        let after_this = wish.clone();
        let tell = |done| {
            progress(drill, done, arguments.repeat);
            !after_this.asked()
        };
        let report = tokio::select! {
            report = drill.run(&scene, pace, tell) => report?,
            () = wish.asked_twice() => {
                list.end()?;
                anyhow::bail!(Refusal { exit: Exit::Failed, message: given_up(drill, &scene) });
            }
        };
        if arguments.json {
            list.add(&report)?;
        } else {
            output::line(&report)?;
        }
        passed &= report.passed;
    }
    list.end()?;
    Ok(if passed { Exit::Done } else { Exit::Findings })
}

/// What is to be said of a drill that was given up in the middle.
fn given_up(drill: Drill, scene: &Scene) -> String {
    if scene.is_scratch() {
        return format!("The drill {} was given up; its installation is thrown away.", drill.name());
    }
    format!(
        "The drill {} was given up in the middle. What it made is still there: game servers, a user and a template whose \
         names begin with drill-. Delete them in the panel.",
        drill.name()
    )
}

/// An array whose elements are printed as they come, so that a drill that takes an hour hides nothing of those before.
struct JsonList {
    wanted: bool,
    begun: bool,
}

impl JsonList {
    const fn new(wanted: bool) -> Self {
        Self { wanted, begun: false }
    }

    fn add(&mut self, report: &Report) -> anyhow::Result<()> {
        let begin = if std::mem::replace(&mut self.begun, true) { ",\n" } else { "[\n" };
        output::bytes(format!("{begin}{}", serde_json::to_string_pretty(report)?).as_bytes())
    }

    fn end(&self) -> anyhow::Result<()> {
        match (self.wanted, self.begun) {
            (false, _) => Ok(()),
            (true, false) => output::line("[]"),
            (true, true) => output::line("\n]"),
        }
    }
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
async fn scene(data_dir: &DataDir, config: &Config, running: bool, drill: Drill) -> anyhow::Result<Scene> {
    if !running {
        output::note("Starting an installation for the drill");
        return Ok(Scene::scratch(&std::env::current_exe()?, drill.ground()).await?);
    }
    let master = MasterKey::load_or_create(data_dir.path(), &SystemIds)?;
    let client = Client::to_host(data_dir, config, &master);
    let address = client.authority().parse()?;
    let access = Access { address, bearer: Bearer::new(move || client.bearer()) };
    Ok(Scene::running(data_dir.path().to_owned(), access))
}

/// How often the end was asked for, by Ctrl-C or by somebody else: once ends the drill after the repetition that goes on,
/// twice at once.
#[derive(Clone)]
struct Wish(watch::Receiver<u32>);

impl Wish {
    fn follow() -> Self {
        let (asked, wish) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                crate::role::terminated().await;
                asked.send_modify(|times| *times += 1);
                if *asked.borrow() == 1 {
                    output::note(
                        "Ending after this repetition, and taking away what was made. Once more ends it at once…",
                    );
                }
            }
        });
        Self(wish)
    }

    fn asked(&self) -> bool {
        *self.0.borrow() > 0
    }

    async fn asked_twice(&mut self) {
        if self.0.wait_for(|times| *times > 1).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
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
