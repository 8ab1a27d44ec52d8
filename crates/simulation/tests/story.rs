//! What happened, in the order in which it happened: what a failure is understood by.

use std::{
    collections::BTreeSet,
    fmt::{Display, Write as _},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use tokio::time::Instant;

/// Something that happened: when, in milliseconds from the beginning; its kind; what.
type Event = (u128, &'static str, String);

/// Tells the story while it happens.
#[derive(Clone, Default)]
pub struct Teller {
    begun: Arc<OnceLock<Instant>>,
    story: Arc<Mutex<Vec<Event>>>,
}

impl Teller {
    /// Something happened.
    pub fn tell(&self, kind: &'static str, what: impl Display) {
        let at = self.begun.get_or_init(Instant::now).elapsed().as_millis();
        self.lock().push((at, kind, what.to_string()));
    }

    /// The kinds of things that happened.
    pub fn kinds(&self) -> BTreeSet<&'static str> {
        self.lock().iter().map(|(_, kind, _)| *kind).collect()
    }

    /// All of it, for people.
    pub fn story(&self) -> String {
        let mut text = String::new();
        for (at, kind, what) in &*self.lock() {
            let _ = writeln!(text, "{at:>6} ms  {kind:<16} {what}");
        }
        text
    }

    /// Also after a panic: that is when it is needed.
    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.story.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
