//! How the proofs of a host are renewed: when, what is going on, and how it went the last time.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;

/// How the proofs of a host are renewed: by ending one process of ours after the other on purpose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Renewal {
    /// The maintenance window, for example `Sun 04:00-05:00`, in UTC; `null` when proofs are only renewed by hand.
    pub window: Option<String>,
    /// When the next one begins.
    pub next_at: Option<Timestamp>,
    /// When the present one ends; `null` outside of a window.
    pub until: Option<Timestamp>,
    /// The process that was ended and is on its way back.
    pub renewing: Option<String>,
    /// Those that somebody asked for and that are still to come.
    pub asked: Vec<String>,
    /// What the next one waits for, as a sentence; `null` when nothing is due.
    pub waits_for: Option<String>,
    /// How it went the last time.
    pub last: Option<RenewalResult>,
}

/// How the renewal of one proof went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RenewalResult {
    /// When it was over.
    pub at: Timestamp,
    /// Which process was ended.
    pub component: String,
    /// Whether it came back in time; if not, no more were ended.
    pub renewed: bool,
    /// The rest of a sentence that begins with the process.
    pub text: String,
}

impl Renewal {
    /// As people read it.
    pub fn sentence(&self) -> String {
        let when = match (&self.window, self.until, self.next_at) {
            (None, _, _) => "Proofs are renewed by hand only: `nodepanel proofs renew`, or set proofs.window and \
                             proofs.renew in nodepanel.toml."
                .to_owned(),
            (Some(window), Some(until), _) => format!("Proofs are renewed now, until {until} ({window} UTC)."),
            (Some(window), None, Some(next)) => format!("Proofs are renewed {window} UTC; next {next}."),
            (Some(window), None, None) => format!("Proofs are renewed {window} UTC."),
        };
        let now = match (&self.renewing, &self.waits_for) {
            (Some(name), _) => format!(" {name} was ended and is on its way back."),
            (None, Some(reason)) => format!(" The next one waits: {reason}"),
            (None, None) => String::new(),
        };
        let last = self.last.as_ref().map_or_else(String::new, |last| {
            let RenewalResult { at, component, text, .. } = last;
            format!(" The last time, at {at}, {component} {text}.")
        });
        format!("{when}{now}{last}")
    }
}
