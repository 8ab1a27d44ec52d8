//! Ends that were announced: somebody ends a process on purpose, and has said so before, so that its return is recorded
//! as a drill and not as a fault.
//!
//! An announcement holds for a short time and for one end. A real crash of that process in that time cannot be told from
//! the end that was announced. The supervisor's own end is announced to the next supervisor by a file.

use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    time::{Duration, Instant},
};

use nodepanel_types::Timestamp;
use serde::{Deserialize, Serialize};

use crate::whole_file;

/// The longest time that an announcement holds.
pub const LONGEST: Duration = Duration::from_secs(60);
/// The longest purpose, in characters.
pub const PURPOSE: usize = 100;
/// The name of the file in the run directory.
const FILE: &str = "announced.json";

/// The ends that one supervisor knows of, one per component at most.
#[derive(Debug, Default)]
pub struct Announced(BTreeMap<String, (String, Instant)>);

impl Announced {
    /// Notes that the next end of a component `until` then is on purpose.
    pub fn note(&mut self, component: &str, purpose: String, until: Instant) {
        self.0.insert(component.to_owned(), (purpose, until));
    }

    /// What the end of a component, which comes now, was announced for; counts once.
    pub fn take(&mut self, component: &str, now: Instant) -> Option<String> {
        let (purpose, until) = self.0.remove(component)?;
        (now <= until).then_some(purpose)
    }
}

/// The announced end of a supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnEnd {
    /// When it was announced.
    pub from: Timestamp,
    /// Until when that holds.
    pub until: Timestamp,
    /// What for.
    pub purpose: String,
}

impl OwnEnd {
    /// Writes it for the next supervisor. Blocks until it is on disk.
    pub fn write(&self, run_dir: &Path) -> io::Result<()> {
        whole_file::replace_json(&run_dir.join(FILE), self)
    }

    /// What the supervisor before this one announced, if anything; counts once.
    pub fn take(run_dir: &Path) -> Option<Self> {
        let path = run_dir.join(FILE);
        let text = fs::read(&path).ok()?;
        // One that cannot be removed would count for every end to come.
        fs::remove_file(&path).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// What an end at that time was for; `None` when it was another one, or the clock was set.
    pub fn purpose_at(self, ended_at: Timestamp) -> Option<String> {
        (self.from <= ended_at && ended_at <= self.until).then_some(self.purpose)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_counts_once_and_not_for_ever() {
        let (mut announced, now) = (Announced::default(), Instant::now());
        announced.note("api-1", "drill".to_owned(), now + Duration::from_secs(1));
        assert_eq!(announced.take("api-2", now), None);
        assert_eq!(announced.take("api-1", now).as_deref(), Some("drill"));
        assert_eq!(announced.take("api-1", now), None);
        announced.note("api-1", "drill".to_owned(), now);
        assert_eq!(announced.take("api-1", now + Duration::from_millis(1)), None);
    }

    #[test]
    fn the_next_supervisor_reads_it_once() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(OwnEnd::take(dir.path()), None);
        let at = Timestamp::from_millis;
        let end = OwnEnd { from: at(10), until: at(20), purpose: "drill".to_owned() };
        end.write(dir.path()).unwrap();
        assert_eq!(OwnEnd::take(dir.path()), Some(end.clone()));
        assert_eq!(OwnEnd::take(dir.path()), None);
        assert_eq!(end.clone().purpose_at(at(20)).as_deref(), Some("drill"));
        assert_eq!((end.clone().purpose_at(at(21)), end.purpose_at(at(9))), (None, None));
    }
}
