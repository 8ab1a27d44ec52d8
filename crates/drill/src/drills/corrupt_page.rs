//! A page of the store is overwritten behind its back, and the API servers are killed: what comes back must not serve
//! from it.
//!
//! While nobody has the file open, one page of a table or an index is filled with what is none, and the API servers are
//! started on it. They must say that the store is damaged, and answer nobody as if it were not: no read with less in it
//! than there is, no “not found”, no “sign in again”; the games go on. Nothing on one machine can bring
//! back what only that page had; who has a copy puts it back, which is what the drill does, and then everything must be
//! there again without a restart.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::PathBuf,
    time::Duration,
};

use nodepanel_types::{
    component::{Component, ComponentState, Role},
    problem::{Problem, ProblemCode},
};
use tokio::time::{Instant, sleep};

use super::probe::{Still, until_written};
use crate::{
    check::Fault,
    error::DrillError,
    http::{Connection, Request, Try},
    load::Load,
    scene::Scene,
};

/// How long the store stays damaged after that is known.
const DAMAGED: Duration = Duration::from_secs(1);
/// How long a request may take, and the pause before the next.
const TRY: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);
/// A page of the store, in bytes.
const PAGE: usize = 4_096;
/// The first byte of a page of a table or an index.
const TREES: [u8; 4] = [0x02, 0x05, 0x0a, 0x0d];

/// Damages it; times until that is said, and from the page's return until a write is acknowledged.
pub async fn once(scene: &Scene, load: &Load, faults: &mut Vec<Fault>) -> Result<Vec<Duration>, DrillError> {
    let rest = [Role::Api];
    let before = Still::of(scene, load, &rest).await?;
    let supervisor = scene.part("supervisor").await?;
    let mut servers = Vec::new();
    for name in scene.api_servers().await? {
        let server = scene.part(&name).await?;
        scene.announce(&server, "corrupt-page").await?;
        servers.push(server);
    }
    // Nobody starts another before the page is damaged.
    supervisor.freeze()?;
    for server in &servers {
        server.kill()?;
    }
    for server in &servers {
        server.ended().await?;
    }
    let damage = Damage::find(scene.own_data_dir()?.join("store/store.db")).and_then(Damage::done);
    supervisor.go_on()?;
    let damage = damage?;

    let begun = Instant::now();
    let named = scene.until("the damage to be named", |components| {
        let servers = components.iter().filter(|component| component.role == Role::Api);
        let told = |server: &Component| {
            let says = server.detail.as_deref().is_some_and(|detail| detail.contains("damaged"));
            server.state == ComponentState::Degraded && says
        };
        (servers.clone().count() > 0 && servers.clone().all(told)).then(|| begun.elapsed())
    });
    let named = named.await;
    if named.is_ok() {
        faults.extend(served(load).await);
    }
    let begun = Instant::now();
    damage.undone()?;
    let named = named?;
    scene.ready().await?;
    until_written(&mut Connection::new(load.access().clone())).await?;
    let back = begun.elapsed();
    faults.extend(before.against(scene, load, &rest).await?);
    Ok(vec![named, back])
}

/// Asks for a while; whatever is answered but that nothing can be answered.
async fn served(load: &Load) -> Vec<Fault> {
    let begun = Instant::now();
    let mut connection = Connection::new(load.access().clone());
    while begun.elapsed() < DAMAGED {
        for path in ["/api/v1/session", "/api/v1/servers"] {
            let answer = connection.attempt(&Request::get(path), TRY).await;
            let says = match &answer {
                Try::Answered(answer) if answer.status == 503 => serde_json::from_slice::<Problem>(&answer.body).ok(),
                _ => None,
            };
            if says.is_none_or(|problem| !matches!(problem.code, ProblemCode::NotReady | ProblemCode::StoreDamaged)) {
                return vec![Fault::Seen(format!("GET {path}, while the store was damaged: {answer:?}"))];
            }
        }
        sleep(PAUSE).await;
    }
    Vec::new()
}

/// A page, and what was there.
struct Damage {
    path: PathBuf,
    at: u64,
    page: Vec<u8>,
}

impl Damage {
    /// A page of a table or an index that is read from the file itself; nobody may have that open.
    fn find(path: PathBuf) -> Result<Self, DrillError> {
        let bytes = fs::read(&path).map_err(|source| DrillError::File { path: path.clone(), source })?;
        let in_log = in_log(&fs::read(path.with_extension("db-wal")).unwrap_or_default());
        // From the middle on: the newest pages are at the end, the first one says that this is a store.
        let (pages, middle) = (bytes.chunks_exact(PAGE), bytes.len() / PAGE / 2);
        let mut numbered: Vec<(usize, &[u8])> = pages.enumerate().skip(1).collect();
        numbered.sort_by_key(|(number, _)| number.abs_diff(middle));
        let suitable = numbered.into_iter().find(|(number, page)| {
            let logged = u32::try_from(*number + 1).is_ok_and(|number| in_log.contains(&number));
            page.first().is_some_and(|kind| TREES.contains(kind)) && !logged
        });
        let (number, page) = suitable.ok_or_else(|| DrillError::Missing { part: "page to be damaged".to_owned() })?;
        let at = u64::try_from(number * PAGE).unwrap_or_default();
        Ok(Self { at, page: page.to_vec(), path })
    }

    fn done(self) -> Result<Self, DrillError> {
        self.write(&[0xa5; PAGE])?;
        Ok(self)
    }

    fn undone(&self) -> Result<(), DrillError> {
        self.write(&self.page)
    }

    fn write(&self, page: &[u8]) -> Result<(), DrillError> {
        let file = File::options().write(true).open(&self.path);
        file.and_then(|file| file.write_all_at(page, self.at).and_then(|()| file.sync_all()))
            .map_err(|source| DrillError::File { path: self.path.clone(), source })
    }
}

/// The pages that are read from the write-ahead log, where it has a newer form of them: those of its frames that have
/// the salts of its head.
fn in_log(log: &[u8]) -> BTreeSet<u32> {
    const HEAD: usize = 32;
    const FRAME: usize = 24;
    let Some(salts) = log.get(16..24) else { return BTreeSet::new() };
    let frames = log.get(HEAD..).unwrap_or_default().chunks_exact(FRAME + PAGE);
    let valid = frames.take_while(|frame| frame.get(8..16) == Some(salts));
    valid.filter_map(|frame| Some(u32::from_be_bytes(frame.get(..4)?.try_into().ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_names_the_pages_that_it_has() {
        let mut log = vec![0; 32];
        log[16..24].copy_from_slice(b"saltsalt");
        for (page, salts) in [(7_u32, b"saltsalt"), (9, b"saltsalt"), (11, b"othersal"), (13, b"saltsalt")] {
            log.extend(page.to_be_bytes());
            log.extend([0; 4]);
            log.extend(salts);
            log.extend([0; 8 + PAGE]);
        }
        assert_eq!(in_log(&log), BTreeSet::from([7, 9]));
        assert_eq!(in_log(&log[..20]), BTreeSet::new());
        assert_eq!(in_log(&[]), BTreeSet::new());
    }
}
