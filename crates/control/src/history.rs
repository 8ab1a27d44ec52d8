//! What NodePanel did to its own processes by itself, in parts.
//!
//! The entries are the supervisor's and have no numbers; a part goes on after the entry that the one before ended with,
//! as it is named by its time and process. New entries come before the first part and move no other.

use nodepanel_types::{Timestamp, api::Page, component::AutomaticAction, permission::Permission};

use crate::{Context, ControlError, ControlPlane, authorize::Scope};

impl ControlPlane {
    /// A part of it, newest first: at most `limit` entries `after` the end of the part before.
    pub async fn history(
        &self,
        context: &Context,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<AutomaticAction>, ControlError> {
        self.require(&context.actor, Permission::ComponentView, Scope::Installation)?;
        let after = after.map(str::parse::<Cursor>).transpose()?;
        let all = self.platform.history().await.map_err(ControlError::HistoryUnavailable)?;
        Ok(part(all, after.as_ref(), limit))
    }
}

/// The last entry of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cursor {
    at: Timestamp,
    component: String,
}

impl Cursor {
    fn of(entry: &AutomaticAction) -> Self {
        Self { at: entry.at, component: entry.component.clone() }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.at.as_millis(), self.component)
    }
}

impl std::str::FromStr for Cursor {
    type Err = ControlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('.')
            .and_then(|(at, component)| {
                Some(Self { at: Timestamp::from_millis(at.parse().ok()?), component: component.to_owned() })
            })
            .ok_or_else(|| ControlError::field("after", "this is not the `next` of an earlier part; leave it out"))
    }
}

/// The part of `all` (newest first) that follows a cursor.
fn part(all: Vec<AutomaticAction>, after: Option<&Cursor>, limit: usize) -> Page<AutomaticAction> {
    let total = all.len() as u64;
    let start = after.map_or(0, |after| {
        let found = all.iter().rposition(|entry| Cursor::of(entry) == *after);
        // An entry that is no longer kept was older than all that are, unless the clock was set back meanwhile.
        found.map_or_else(
            || all.iter().position(|entry| entry.at < after.at).unwrap_or(all.len()),
            |place| place.saturating_add(1),
        )
    });
    let mut rest = all.into_iter().skip(start);
    let items: Vec<AutomaticAction> = rest.by_ref().take(limit).collect();
    let next = rest.next().and_then(|_| items.last().map(|last| Cursor::of(last).to_string()));
    Page { items, total, next }
}

#[cfg(test)]
mod tests {
    use nodepanel_types::component::Observer;

    use super::*;

    fn entry(at: i64, component: &str) -> AutomaticAction {
        AutomaticAction {
            host: "one".to_owned(),
            at: Timestamp::from_millis(at),
            component: component.to_owned(),
            what: "started again".to_owned(),
            why: "was killed by SIGKILL".to_owned(),
            took_ms: Some(3),
            tries: 1,
            occasion: None,
            observed_by: Observer::Supervisor,
            lost: None,
        }
    }

    #[test]
    fn parts_follow_each_other_while_new_entries_come() {
        // The clock was set back between 9 and 4.
        let mut all =
            vec![entry(5, "api-1"), entry(4, "api-2"), entry(9, "api-1"), entry(9, "api-2"), entry(1, "agent")];
        let before = all.clone();
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = part(all.clone(), after.as_ref(), 2);
            seen.extend(page.items);
            all.insert(0, entry(20, "agent"));
            match page.next {
                Some(next) => after = Some(next.parse().unwrap()),
                None => break,
            }
        }
        assert_eq!(seen, before);
    }

    #[test]
    fn what_is_no_longer_kept_ends_the_list() {
        let after = Cursor { at: Timestamp::from_millis(3), component: "api-1".to_owned() };
        let page = part(vec![entry(7, "api-1"), entry(5, "api-1")], Some(&after), 5);
        assert_eq!((page.items.len(), page.next), (0, None));
        assert!("yesterday".parse::<Cursor>().is_err());
    }
}
