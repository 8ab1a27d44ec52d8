//! Nothing unsupervised, nothing unproven: who starts a process again, whether it is there after a boot, and when it was
//! last seen to come back.
//!
//! What is doubtful about that is decided here, once, for the command line, `doctor` and the panel: a pure function of
//! what is known, the time, and how old a proof may be. What is so of several processes is said once, of all of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Component, Role};
use crate::{Millis, Timestamp};

/// A day.
const DAY: Millis = 24 * 60 * 60 * 1_000;

/// Who starts a process again when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Restarter {
    /// systemd, by the unit that runs it.
    Systemd,
    /// The keeper, `nodepanel up`.
    Keeper,
    /// The supervisor.
    Supervisor,
    /// The agent.
    Agent,
    /// Nobody: it was started by hand, or by a unit that does not restart.
    Nobody,
    /// It cannot be seen from inside, for example whoever runs a container.
    Unknown,
}

impl Restarter {
    /// As people read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Keeper => "the keeper",
            Self::Supervisor => "the supervisor",
            Self::Agent => "the agent",
            Self::Nobody => "nobody",
            Self::Unknown => "not known",
        }
    }
}

/// Whether a process is there after a boot of its machine, without a hand.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AtBoot {
    /// systemd starts it, or what starts it.
    Enabled {
        /// The unit.
        unit: String,
    },
    /// It runs in a unit that is not enabled: the next boot will be without it.
    Disabled {
        /// The unit.
        unit: String,
    },
    /// It was started by hand, in a shell: the next boot will be without it.
    ByHand,
    /// It cannot be seen.
    Unknown {
        /// Why, as a sentence.
        reason: String,
    },
}

/// What a process came back from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// It ended, hung or held too much, and nobody had asked for that.
    Fault,
    /// It was ended on purpose, to see it come back.
    Drill,
    /// It was replaced because somebody asked for it: an upgrade, or a restart.
    Planned,
    /// Its machine ended and was started again.
    Boot,
}

impl Occasion {
    /// As people read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Drill => "drill",
            Self::Planned => "planned restart",
            Self::Boot => "boot",
        }
    }
}

/// Who saw a process come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Observer {
    /// The keeper, which saw the end of the supervisor.
    Keeper,
    /// The supervisor.
    Supervisor,
    /// The agent.
    Agent,
    /// A drill, from outside.
    Drill,
}

impl Observer {
    /// As people read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keeper => "keeper",
            Self::Supervisor => "supervisor",
            Self::Agent => "agent",
            Self::Drill => "drill",
        }
    }
}

/// That a process was seen to come back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct Proof {
    /// When it was back.
    pub at: Timestamp,
    /// What it came back from.
    pub occasion: Occasion,
    /// What had happened, as the rest of a sentence that begins with the process: "was killed by SIGKILL".
    pub why: String,
    /// From the loss to ready again, in milliseconds; from the start of the machine where that had ended; `null`
    /// when nobody saw the loss.
    pub took_ms: Option<Millis>,
    /// Who saw it.
    pub observed_by: Observer,
}

/// Who starts a process again, and when that was last seen to work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Supervision {
    /// Who starts it again when it ends; `null` when the supervisor is of a version that does not say.
    pub restarted_by: Option<Restarter>,
    /// Whether it is there after a boot; `null` like the above, and until it was found out.
    pub at_boot: Option<AtBoot>,
    /// When it was last seen to come back; `null` when never.
    pub proof: Option<Proof>,
    /// What is doubtful about all this, each a sentence with what to do; empty when nothing is.
    pub doubts: Vec<String>,
}

/// Fills in what is doubtful `now` about the supervision of a host's processes, where a proof may be `max_age`
/// milliseconds old. A doubt about several of them stands with the first.
#[must_use]
pub fn doubted(mut components: Vec<Component>, now: Timestamp, max_age: Millis) -> Vec<Component> {
    for component in &mut components {
        let fresh = oversight_doubts(component);
        // What the process itself doubts comes first.
        let doubts = &mut component.supervision.doubts;
        doubts.retain(|doubt| !fresh.contains(doubt));
        doubts.extend(fresh);
    }
    let provable = |component: &&Component| needs_proof(component);
    let never: Vec<String> = components
        .iter()
        .filter(provable)
        .filter(|component| component.supervision.proof.is_none())
        .map(|component| component.name.clone())
        .collect();
    let too_old: Vec<(String, Millis)> = components
        .iter()
        .filter(provable)
        .filter_map(|component| Some((component.name.clone(), now.since(component.supervision.proof.as_ref()?.at))))
        .filter(|(_, age)| *age > max_age)
        .collect();
    let how = "`nodepanel proofs renew` ends one after the other to see it; a maintenance window does so regularly.";
    if let Some(first) = never.first() {
        let doubt = format!("Not yet seen to come back: {}. {how}", never.join(", "));
        note(&mut components, first, doubt);
    }
    if let Some((first, _)) = too_old.first() {
        let each: Vec<String> = too_old.iter().map(|(name, age)| format!("{name} ({} days ago)", age / DAY)).collect();
        let doubt = format!("Last seen to come back more than {} days ago: {}. {how}", max_age / DAY, each.join(", "));
        note(&mut components, first, doubt);
    }
    components
}

fn note(components: &mut [Component], name: &str, doubt: String) {
    if let Some(component) = components.iter_mut().find(|component| component.name == name) {
        component.supervision.doubts.push(doubt);
    }
}

/// Whether a process should be seen to come back now and then. A game is not ended to prove that it would, and nobody is
/// not asked for a proof.
fn needs_proof(component: &Component) -> bool {
    let by_us = |restarter| !matches!(restarter, Restarter::Nobody | Restarter::Unknown);
    component.role != Role::Shim && component.supervision.restarted_by.is_some_and(by_us)
}

/// What is doubtful about who starts a process again, and at boot.
fn oversight_doubts(component: &Component) -> Vec<String> {
    let Component { name, supervision, .. } = component;
    let Supervision { restarted_by: Some(restarted_by), at_boot, .. } = supervision else { return Vec::new() };
    let mut doubts = Vec::new();
    // What something of ours starts is there when that is, so only who is at the top is spoken of.
    let top = !matches!(restarted_by, Restarter::Keeper | Restarter::Supervisor | Restarter::Agent);
    match at_boot.as_ref().filter(|_| top) {
        Some(AtBoot::ByHand) => doubts.push(format!(
            "The process {name} was started by hand: nobody starts it again when it ends, and the next boot is without \
             it. Have systemd do both: `nodepanel stop` and `nodepanel install`; game servers go on."
        )),
        _ if *restarted_by == Restarter::Nobody => doubts.push(format!(
            "Nobody starts the process {name} again when it ends: its unit does not restart it. Write the unit anew with \
             `nodepanel install`."
        )),
        _ => {}
    }
    if let Some(AtBoot::Disabled { unit }) = at_boot.as_ref().filter(|_| top) {
        doubts.push(format!(
            "The process {name} is not started at boot: {unit} is not enabled. Run `systemctl enable {unit}`."
        ));
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::ComponentState;

    const WEEK: Millis = 7 * DAY;

    fn component(role: Role, restarted_by: Restarter, at_boot: AtBoot, proven_at: Option<i64>) -> Component {
        let proof = |at| Proof {
            at: Timestamp::from_millis(at),
            occasion: Occasion::Fault,
            why: "was killed by SIGKILL".to_owned(),
            took_ms: Some(3),
            observed_by: Observer::Supervisor,
        };
        let supervision = Supervision {
            restarted_by: Some(restarted_by),
            at_boot: Some(at_boot),
            proof: proven_at.map(proof),
            doubts: Vec::new(),
        };
        Component {
            name: role.as_str().to_owned(),
            role,
            pid: Some(1),
            state: ComponentState::Ready,
            started_at: None,
            restarts: 0,
            last_recovery_ms: None,
            last_exit: None,
            detail: None,
            supervision,
        }
    }

    fn of(component: &Component, now: i64) -> Vec<String> {
        let components = doubted(vec![component.clone()], Timestamp::from_millis(now), WEEK);
        components.into_iter().flat_map(|component| component.supervision.doubts).collect()
    }

    fn enabled() -> AtBoot {
        AtBoot::Enabled { unit: "nodepanel.service".to_owned() }
    }

    #[test]
    fn a_proof_grows_too_old() {
        let week = i64::try_from(WEEK).unwrap();
        let api = component(Role::Api, Restarter::Supervisor, enabled(), Some(0));
        assert!(of(&api, week).is_empty());
        assert!(of(&api, week + 1).concat().contains("api (7 days ago)"), "{:?}", of(&api, week + 1));
        let never = component(Role::Api, Restarter::Supervisor, enabled(), None);
        assert!(of(&never, 0).concat().contains("Not yet seen to come back: api."));
    }

    #[test]
    fn what_is_so_of_several_is_said_once() {
        let roles = [Role::Keeper, Role::Supervisor, Role::Api, Role::Status, Role::Agent, Role::Shim];
        let fresh = |role| component(role, Restarter::Supervisor, enabled(), None);
        let doubts: Vec<String> = doubted(roles.map(fresh).into(), Timestamp::EPOCH, WEEK)
            .into_iter()
            .flat_map(|component| component.supervision.doubts)
            .collect();
        assert_eq!(doubts.len(), 1, "{doubts:?}");
        assert!(doubts.concat().starts_with("Not yet seen to come back: keeper, supervisor, api, status, agent. "));
    }

    #[test]
    fn who_is_not_started_at_boot_is_named_once() {
        let keeper = |at_boot| component(Role::Keeper, Restarter::Systemd, at_boot, Some(0));
        assert!(of(&keeper(enabled()), 0).is_empty());
        let disabled = AtBoot::Disabled { unit: "panel.service".to_owned() };
        assert!(of(&keeper(disabled.clone()), 0).concat().contains("systemctl enable panel.service"));
        let below = component(Role::Supervisor, Restarter::Keeper, disabled, Some(0));
        assert!(of(&below, 0).is_empty());
    }

    #[test]
    fn what_was_started_by_hand_is_alone_and_not_there_after_a_boot() {
        let keeper = component(Role::Keeper, Restarter::Nobody, AtBoot::ByHand, None);
        let doubts = of(&keeper, 0);
        assert_eq!(doubts.len(), 1, "{doubts:?}");
        assert!(doubts.concat().contains("the next boot is without it"), "{doubts:?}");
        let unit = component(Role::Keeper, Restarter::Nobody, enabled(), None);
        assert!(of(&unit, 0).concat().contains("does not restart it"));
    }

    #[test]
    fn nothing_is_doubted_of_which_nothing_is_known_and_no_game_is_to_be_ended() {
        let mut old = component(Role::Api, Restarter::Supervisor, enabled(), None);
        old.supervision = Supervision::default();
        assert!(of(&old, 0).is_empty());
        let shim = component(Role::Shim, Restarter::Agent, enabled(), None);
        assert!(of(&shim, 0).is_empty());
    }

    #[test]
    fn a_component_of_an_earlier_version_is_read() {
        let text = r#"{"name":"api-1","role":"api","pid":1,"state":"ready","started_at":null,"restarts":0,"last_recovery_ms":null,"last_exit":null,"detail":null}"#;
        let component: Component = serde_json::from_str(text).unwrap();
        assert_eq!(component.supervision, Supervision::default());
    }
}
