//! What keeps the members small, and puts an end to the alarm when they were not: a pure decision, and what carries it
//! out.
//!
//! etcd forgets history by itself when it is told to (`--auto-compaction-retention`), but a file that has grown stays as
//! large as it was, and once a member has reached its quota the cluster takes no writes until an operator has compacted
//! it, rewritten the files and declared the alarm over.

use std::collections::BTreeSet;

use super::{EtcdAlarm, EtcdBackend, EtcdStatus};
use crate::{Backend as _, Revision, StoreError};

/// Files below this are left as they are.
const SMALL: u64 = 64 * 1024 * 1024;

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpkeepStep {
    /// Nothing.
    Rest,
    /// Give up all history.
    Compact,
    /// Rewrite the file of the member at this address.
    Rewrite(String),
    /// Declare that this member has space again.
    Disarm(u64),
    /// A person has to look: why, in words.
    CannotHelp(String),
}

/// What the decision is made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpkeepView {
    /// Each member's address, and how it is; `None` if it does not answer.
    pub members: Vec<(String, Option<EtcdStatus>)>,
    /// What has gone off.
    pub alarms: Vec<EtcdAlarm>,
    /// What a member may keep, in bytes.
    pub quota: u64,
    /// What was done about an alarm.
    pub done: UpkeepDone,
}

/// What was done about an alarm since it was seen first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpkeepDone {
    /// All history was given up.
    pub compacted: bool,
    /// The members' addresses whose files were rewritten then.
    pub rewritten: BTreeSet<String>,
}

/// What is to be done next.
///
/// One member at a time, the leader last, since a member that rewrites its file answers nothing meanwhile; and in calm
/// times only while all of them answer.
pub fn next_step(view: &UpkeepView) -> UpkeepStep {
    if let Some(EtcdAlarm::Corrupt { member }) = view.alarms.iter().find(|alarm| is_corrupt(**alarm)) {
        return UpkeepStep::CannotHelp(format!(
            "the data of the store's member {member:x} differs from the others': replace its host with `nodepanel cluster \
             replace`"
        ));
    }
    let alarmed = view.alarms.iter().find_map(|alarm| match alarm {
        EtcdAlarm::NoSpace { member } => Some(*member),
        EtcdAlarm::Corrupt { .. } => None,
    });
    match alarmed {
        Some(member) => end_of_alarm(view, member),
        None if view.members.iter().all(|(_, status)| status.is_some()) => {
            largest_first(view, |status| status.size > SMALL && status.in_use < status.size / 2)
                .map_or(UpkeepStep::Rest, UpkeepStep::Rewrite)
        }
        None => UpkeepStep::Rest,
    }
}

fn end_of_alarm(view: &UpkeepView, member: u64) -> UpkeepStep {
    if !view.done.compacted {
        return UpkeepStep::Compact;
    }
    // A quarter of the quota at least has to be free afterwards, or it goes off again at once. What a member says is in
    // use is no help: it looks when it writes next, and it takes no writes.
    let enough = view.quota - view.quota / 4;
    let full = || view.members.iter().filter(|(_, status)| status.as_ref().is_some_and(|status| status.size > enough));
    if full().any(|(address, _)| view.done.rewritten.contains(address)) {
        return UpkeepStep::CannotHelp(format!(
            "what is stored takes more than three quarters of the {} MB that it may take: raise `store.quota_mb`, or \
             remove something",
            view.quota / 1_048_576
        ));
    }
    let last = largest_first(view, |status| status.size > enough);
    last.map_or(UpkeepStep::Disarm(member), UpkeepStep::Rewrite)
}

const fn is_corrupt(alarm: EtcdAlarm) -> bool {
    matches!(alarm, EtcdAlarm::Corrupt { .. })
}

/// The address of the member with the most to give back, the leader only when it is the only one.
fn largest_first(view: &UpkeepView, is_due: impl Fn(&EtcdStatus) -> bool) -> Option<String> {
    let due = view.members.iter().filter_map(|(address, status)| {
        let status = status.as_ref().filter(|status| is_due(status))?;
        let follows = status.leader != Some(status.member);
        Some(((follows, status.size.saturating_sub(status.in_use)), address))
    });
    due.max_by_key(|(rank, _)| *rank).map(|(_, address)| address.clone())
}

impl EtcdBackend {
    /// Looks at the members and takes the next step, if there is one.
    ///
    /// `done` is remembered by the caller from one call to the next.
    ///
    /// # Errors
    ///
    /// The cluster cannot be asked, or the step failed: the next call tries again.
    pub async fn keep_up(&self, quota: u64, done: &mut UpkeepDone) -> Result<UpkeepStep, StoreError> {
        let members = self.statuses().await.into_iter().map(|(address, status)| (address, status.ok())).collect();
        let alarms = self.alarms().await?;
        if alarms.is_empty() {
            *done = UpkeepDone::default();
        }
        let step = next_step(&UpkeepView { members, alarms, quota, done: done.clone() });
        match &step {
            UpkeepStep::Rest | UpkeepStep::CannotHelp(_) => {}
            UpkeepStep::Compact => {
                let now: Revision = self.revision().await?;
                self.compact(now).await?;
                done.compacted = true;
            }
            UpkeepStep::Rewrite(address) => {
                self.defragment(address).await?;
                done.rewritten.insert(address.clone());
            }
            UpkeepStep::Disarm(member) => self.disarm_no_space(*member).await?,
        }
        Ok(step)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MB: u64 = 1024 * 1024;

    fn status(member: u64, leader: u64, size: u64, in_use: u64) -> EtcdStatus {
        EtcdStatus {
            member,
            cluster: 1,
            version: "3.5.16".to_owned(),
            leader: Some(leader),
            heard: 9,
            applied: 9,
            size,
            in_use,
            is_learner: false,
            errors: Vec::new(),
        }
    }

    fn view(sizes: [(u64, u64); 3]) -> UpkeepView {
        let members = sizes
            .iter()
            .zip(1..)
            .map(|((size, in_use), member)| (format!("m{member}"), Some(status(member, 2, *size, *in_use))));
        UpkeepView { members: members.collect(), quota: 1_024 * MB, ..UpkeepView::default() }
    }

    #[test]
    fn one_member_at_a_time_gives_back_what_is_free_and_the_leader_last() {
        let mut view = view([(500 * MB, 100 * MB), (600 * MB, 100 * MB), (400 * MB, 100 * MB)]);
        for expected in ["m1", "m3", "m2"] {
            assert_eq!(next_step(&view), UpkeepStep::Rewrite(expected.to_owned()));
            for (_, status) in view.members.iter_mut().filter(|(address, _)| address == expected) {
                status.as_mut().unwrap().size = 100 * MB;
            }
        }
        assert_eq!(next_step(&view), UpkeepStep::Rest);
    }

    #[test]
    fn nobody_is_taken_out_while_another_one_is_missing() {
        let mut view = view([(500 * MB, 100 * MB), (600 * MB, 100 * MB), (400 * MB, 100 * MB)]);
        view.members[2].1 = None;
        assert_eq!(next_step(&view), UpkeepStep::Rest);
    }

    #[test]
    fn an_alarm_is_ended_step_by_step() {
        let mut view = view([(1_024 * MB, 900 * MB), (1_000 * MB, 900 * MB), (1_024 * MB, 900 * MB)]);
        view.alarms.push(EtcdAlarm::NoSpace { member: 1 });
        assert_eq!(next_step(&view), UpkeepStep::Compact);
        view.done.compacted = true;
        for expected in ["m3", "m1", "m2"] {
            let UpkeepStep::Rewrite(address) = next_step(&view) else { panic!("{view:?}") };
            assert_eq!(address, expected);
            for (_, status) in view.members.iter_mut().filter(|(member, _)| *member == address) {
                status.as_mut().unwrap().size = 50 * MB;
            }
            view.done.rewritten.insert(address);
        }
        assert_eq!(next_step(&view), UpkeepStep::Disarm(1));
        view.members[0].1.as_mut().unwrap().size = 900 * MB;
        assert!(matches!(next_step(&view), UpkeepStep::CannotHelp(_)), "what is in use cannot be given back");
    }

    #[test]
    fn a_member_whose_data_differs_is_left_to_a_person() {
        let mut view = view([(10 * MB, MB); 3]);
        view.alarms = vec![EtcdAlarm::NoSpace { member: 1 }, EtcdAlarm::Corrupt { member: 3 }];
        assert!(matches!(next_step(&view), UpkeepStep::CannotHelp(why) if why.contains("member 3")));
    }

    proptest! {
        #[test]
        fn it_comes_to_rest(sizes in proptest::array::uniform3((0_u64..1_024, 0_u64..1_024)), alarm in any::<bool>()) {
            let mut view = view(sizes.map(|(size, in_use)| (size * MB, in_use.min(size) * MB)));
            if alarm {
                view.alarms.push(EtcdAlarm::NoSpace { member: 1 });
            }
            for _ in 0..8 {
                match next_step(&view) {
                    UpkeepStep::Rest | UpkeepStep::CannotHelp(_) => return Ok(()),
                    UpkeepStep::Compact => view.done.compacted = true,
                    UpkeepStep::Rewrite(address) => {
                        for (_, status) in view.members.iter_mut().filter(|(member, _)| *member == address) {
                            let status = status.as_mut().unwrap();
                            status.size = status.in_use;
                        }
                        view.done.rewritten.insert(address);
                    }
                    UpkeepStep::Disarm(_) => view.alarms.clear(),
                }
            }
            prop_assert!(false, "still busy: {view:?}");
        }
    }
}
