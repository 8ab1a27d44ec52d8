//! What a failed try means: etcd's own refusal, or the occasion to ask another member.
//!
//! etcd tells its errors apart by their text alone (its `rpctypes`), so that the texts are part of its API.

use std::error::Error;

use tonic::{Code, ConnectError, Status};

/// What every member would answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The revision that was asked for is gone.
    Compacted,
    /// The revision that was asked for does not exist yet.
    Future,
    /// The lease has ended.
    LeaseGone,
    /// The quota is used up.
    NoSpace,
    /// The answer is longer than what is read.
    TooLong,
    /// Something that should not happen, in etcd's words.
    Other(String),
}

/// What a failed try means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There is no use in asking another member.
    Refused(Refusal),
    /// Another member, or the same one later, may do it.
    Again {
        /// Whether it is known that nothing was done.
        surely_not_done: bool,
        /// Why, in words.
        reason: String,
    },
}

/// Texts of refusals that come before anything is proposed to the cluster.
const NOT_BEGUN: [&str; 4] = [
    "etcdserver: no leader",
    "etcdserver: too many requests",
    "etcdserver: rpc not supported for learner",
    "etcdserver: not capable",
];

pub(super) fn judge(status: &Status) -> Verdict {
    let text = status.message();
    let says = |part: &str| text.contains(part);
    let refusal = match status.code() {
        Code::OutOfRange if says("revision has been compacted") => Refusal::Compacted,
        Code::OutOfRange if says("is a future revision") => Refusal::Future,
        Code::OutOfRange if says("message length too large") => Refusal::TooLong,
        Code::NotFound if says("requested lease not found") => Refusal::LeaseGone,
        Code::ResourceExhausted if says("database space exceeded") => Refusal::NoSpace,
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Unimplemented
        | Code::OutOfRange => Refusal::Other(text.to_owned()),
        _ => {
            let surely_not_done = never_connected(status) || NOT_BEGUN.iter().any(|part| says(part));
            return Verdict::Again { surely_not_done, reason: in_words(status) };
        }
    };
    Verdict::Refused(refusal)
}

fn never_connected(status: &Status) -> bool {
    causes(status).any(<dyn Error>::is::<ConnectError>)
}

fn causes(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let mut next = status.source();
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

/// The cause at the bottom says most: `transport error` says nothing.
fn in_words(status: &Status) -> String {
    let deepest = causes(status).last();
    match deepest {
        Some(cause) => cause.to_string(),
        None if status.message().is_empty() => format!("{:?}", status.code()),
        None => status.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_from_a_member_that_cannot_answer() {
        let refused = |code, text: &str| judge(&Status::new(code, text));
        let compacted = refused(Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted");
        assert_eq!(compacted, Verdict::Refused(Refusal::Compacted));
        let gone = refused(Code::NotFound, "etcdserver: requested lease not found");
        assert_eq!(gone, Verdict::Refused(Refusal::LeaseGone));
        let full = refused(Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded");
        assert_eq!(full, Verdict::Refused(Refusal::NoSpace));
        for (code, text, surely_not_done) in [
            (Code::Unavailable, "etcdserver: no leader", true),
            (Code::ResourceExhausted, "etcdserver: too many requests", true),
            (Code::Unavailable, "etcdserver: request timed out", false),
            (Code::Unavailable, "etcdserver: leader changed", false),
            (Code::Unknown, "transport error", false),
            (Code::DeadlineExceeded, "", false),
        ] {
            let Verdict::Again { surely_not_done: told, .. } = refused(code, text) else { panic!("{text}") };
            assert_eq!(told, surely_not_done, "{text}");
        }
    }
}
