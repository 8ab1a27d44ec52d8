//! What an operator of the cluster asks and orders: who is a member, how each is, and what keeps it small.

use std::time::Duration;

use tokio::{io::AsyncWriteExt, time::timeout};
use tonic::Status;

use super::{
    EtcdBackend,
    convert::theirs,
    members::{Failure, Member, within_a_try},
    message::{
        AlarmAction, AlarmRequest, AlarmResponse, AlarmType, CompactionRequest, MemberAddRequest, MemberAddResponse,
        MemberListRequest, MemberRequest, MembersResponse, Nothing, SnapshotResponse, StatusResponse,
    },
    path,
    verdict::Refusal,
};
use crate::{Revision, StoreError};

/// For a change of the members, which a quorum has to agree to.
const ORDER: Duration = Duration::from_secs(5);
/// For a member to rewrite its file: some seconds a gigabyte, more on a slow disk.
const REWRITE: Duration = Duration::from_secs(120);
/// For the next piece of a snapshot.
const PIECE: Duration = Duration::from_secs(10);

/// A member of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdMember {
    /// Never used again once it is removed.
    pub id: u64,
    /// Empty until it has been started once.
    pub name: String,
    /// Where the other members reach it.
    pub peer_urls: Vec<String>,
    /// Where clients reach it.
    pub client_urls: Vec<String>,
    /// It follows and does not vote yet.
    pub is_learner: bool,
}

/// How a member is, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdStatus {
    /// The member that answered.
    pub member: u64,
    /// The cluster that it belongs to.
    pub cluster: u64,
    /// Its version, such as `3.5.16`.
    pub version: String,
    /// Who leads; `None` when it knows of nobody.
    pub leader: Option<u64>,
    /// How far it has heard, in entries of the log.
    pub heard: u64,
    /// How far it has come, in entries of the log.
    pub applied: u64,
    /// The size of its file, in bytes, with what is free in it.
    pub size: u64,
    /// The bytes of its file that hold something.
    pub in_use: u64,
    /// It follows and does not vote yet.
    pub is_learner: bool,
    /// What it complains of, in its words.
    pub errors: Vec<String>,
}

/// Something that etcd does not recover from by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EtcdAlarm {
    /// A member has reached its quota: the cluster takes no writes.
    NoSpace {
        /// Which.
        member: u64,
    },
    /// A member's data differs from the others'.
    Corrupt {
        /// Which.
        member: u64,
    },
}

impl EtcdBackend {
    /// How each member is that is known, or why it does not say.
    pub async fn statuses(&self) -> Vec<(String, Result<EtcdStatus, String>)> {
        let all = self.members().all();
        let asked = all.iter().map(|member| async {
            let answer = within_a_try(member.ask::<_, StatusResponse>(path::STATUS, Nothing {})).await;
            (member.address.to_string(), answer.map(status).map_err(|status| status.message().to_owned()))
        });
        futures_util::future::join_all(asked).await
    }

    /// The members, as a quorum knows them.
    pub async fn list_members(&self) -> Result<Vec<EtcdMember>, StoreError> {
        let listed = self.members().race(ORDER, |member| async move {
            member.ask::<_, MembersResponse>(path::MEMBER_LIST, MemberListRequest { linearizable: true }).await
        });
        Ok(listed.await.map_err(refused)?.answer.members.into_iter().map(EtcdMember::from).collect())
    }

    /// Makes room for a member that follows without a vote, so that one that never comes up stops nothing.
    ///
    /// Asked once, of one member: who gets no answer looks at the members before asking again.
    pub async fn add_learner(&self, peer_urls: Vec<String>) -> Result<EtcdMember, StoreError> {
        let request = MemberAddRequest { peer_urls, is_learner: true };
        let added: MemberAddResponse = self.order(path::MEMBER_ADD, request).await?;
        let nobody = || StoreError::Unavailable { reason: "etcd did not say whom it added".to_owned() };
        added.member.map(EtcdMember::from).ok_or_else(nobody)
    }

    /// Gives a learner its vote.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] with etcd's words while it has not caught up.
    pub async fn promote(&self, member: u64) -> Result<(), StoreError> {
        self.order::<_, MembersResponse>(path::MEMBER_PROMOTE, MemberRequest { id: member }).await.map(drop)
    }

    /// Removes a member for ever.
    pub async fn remove_member(&self, member: u64) -> Result<(), StoreError> {
        self.order::<_, MembersResponse>(path::MEMBER_REMOVE, MemberRequest { id: member }).await.map(drop)
    }

    /// Gives up history up to `target`, on disk when this returns. What is still current is kept. Fine when that is done
    /// already.
    pub async fn compact(&self, target: Revision) -> Result<(), StoreError> {
        let request = CompactionRequest { revision: theirs(target), physical: true };
        let compacted =
            self.members().race(ORDER, |member| async move { member.ask::<_, Nothing>(path::COMPACT, request).await });
        match compacted.await {
            Ok(_) | Err(Failure::Refused { refusal: Refusal::Compacted, .. }) => Ok(()),
            Err(failure) => Err(refused(failure)),
        }
    }

    /// What has gone off.
    pub async fn alarms(&self) -> Result<Vec<EtcdAlarm>, StoreError> {
        let request = AlarmRequest { action: AlarmAction::Get.into(), ..AlarmRequest::default() };
        let answer: AlarmResponse = self.order(path::ALARM, request).await?;
        let alarm = |alarm: &super::message::AlarmMember| match AlarmType::try_from(alarm.alarm) {
            Ok(AlarmType::NoSpace) => Some(EtcdAlarm::NoSpace { member: alarm.member }),
            Ok(AlarmType::Corrupt) => Some(EtcdAlarm::Corrupt { member: alarm.member }),
            Ok(AlarmType::None) | Err(_) => None,
        };
        Ok(answer.alarms.iter().filter_map(alarm).collect())
    }

    /// Declares that a member has space again. It goes off once more if that is not so.
    pub async fn disarm_no_space(&self, member: u64) -> Result<(), StoreError> {
        let (action, alarm) = (AlarmAction::Deactivate.into(), AlarmType::NoSpace.into());
        self.order::<_, AlarmResponse>(path::ALARM, AlarmRequest { action, member, alarm }).await.map(drop)
    }

    /// Has the member at an address give back what is free in its file. It answers nothing else meanwhile.
    pub async fn defragment(&self, address: &str) -> Result<(), StoreError> {
        let member = self.at(address)?;
        let done = timeout(REWRITE, member.ask::<_, Nothing>(path::DEFRAGMENT, Nothing {})).await;
        match done {
            Ok(answer) => answer.map(drop).map_err(|status| unavailable(&status)),
            Err(_) => Err(StoreError::Timeout { after: REWRITE, waiting_for: "a member to rewrite its file" }),
        }
    }

    /// Has the leader, at an address, make another member the leader.
    pub async fn move_leader(&self, address: &str, to: u64) -> Result<(), StoreError> {
        let member = self.at(address)?;
        let moved = within_a_try(member.ask::<_, Nothing>(path::MOVE_LEADER, MemberRequest { id: to }));
        moved.await.map(drop).map_err(|status| unavailable(&status))
    }

    /// Writes a consistent copy of everything, as the member at an address has it, in etcd's own form: the database, and
    /// 32 bytes of its SHA-256 behind it. Returns the number of bytes.
    ///
    /// # Errors
    ///
    /// The member fails in the middle of it, or `file` does: what was written then is of no use.
    pub async fn snapshot(&self, address: &str, file: &mut (impl AsyncWriteExt + Unpin)) -> Result<u64, StoreError> {
        let member = self.at(address)?;
        let begun = member.listen::<_, SnapshotResponse>(path::SNAPSHOT, Nothing {});
        let mut pieces = within_a_try(begun).await.map_err(|status| unavailable(&status))?;
        let late = |_| StoreError::Timeout { after: PIECE, waiting_for: "the next piece of a snapshot" };
        let mut bytes = 0_u64;
        while let Some(piece) = timeout(PIECE, pieces.message()).await.map_err(late)?.map_err(|s| unavailable(&s))? {
            let written = file.write_all(&piece.blob).await;
            written
                .map_err(|error| StoreError::Unavailable { reason: format!("the copy cannot be written: {error}") })?;
            bytes = bytes.saturating_add(u64::try_from(piece.blob.len()).unwrap_or(u64::MAX));
        }
        Ok(bytes)
    }

    fn at(&self, address: &str) -> Result<Member, StoreError> {
        let found = self.members().all().iter().find(|member| *member.address == *address).cloned();
        found.ok_or_else(|| StoreError::Unavailable { reason: format!("no member is known at {address}") })
    }

    /// Something that is asked of one member after the other, and of none beside another.
    async fn order<Q, A>(&self, path: &'static str, request: Q) -> Result<A, StoreError>
    where
        Q: prost::Message + Clone + 'static,
        A: prost::Message + Default + 'static,
    {
        let mut last = Status::unavailable("no member is known");
        for tries in 0..self.members().all().len() {
            let Some(member) = self.members().nth(tries) else { break };
            match timeout(ORDER, member.ask(path, request.clone())).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(status)) => match super::verdict::judge(&status) {
                    super::verdict::Verdict::Again { surely_not_done: true, .. } => last = status,
                    _ => return Err(unavailable(&status)),
                },
                Err(_) => {
                    let reason = "a change of the cluster was not answered".to_owned();
                    return Err(StoreError::OutcomeUnknown { reason });
                }
            }
        }
        Err(unavailable(&last))
    }
}

impl From<super::message::Member> for EtcdMember {
    fn from(member: super::message::Member) -> Self {
        let super::message::Member { id, name, peer_urls, client_urls, is_learner } = member;
        Self { id, name, peer_urls, client_urls, is_learner }
    }
}

fn status(answer: StatusResponse) -> EtcdStatus {
    let header = answer.header.unwrap_or_default();
    EtcdStatus {
        member: header.member,
        cluster: header.cluster,
        version: answer.version,
        leader: (answer.leader != 0).then_some(answer.leader),
        heard: answer.raft_index,
        applied: answer.raft_applied_index,
        size: u64::try_from(answer.db_size).unwrap_or(0),
        in_use: u64::try_from(answer.db_size_in_use).unwrap_or(0),
        is_learner: answer.is_learner,
        errors: answer.errors,
    }
}

fn unavailable(status: &Status) -> StoreError {
    StoreError::Unavailable { reason: format!("etcd says: {}", status.message()) }
}

fn refused(failure: Failure) -> StoreError {
    match failure {
        Failure::Refused { refusal: Refusal::Other(words), .. } => {
            StoreError::Unavailable { reason: format!("etcd says: {words}") }
        }
        failure => failure.of_write(),
    }
}
