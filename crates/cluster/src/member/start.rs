//! Whether a member may be started, and as what: a pure decision.

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whose data it is.
    pub mark: Option<String>,
    /// Whether there is any.
    pub has_data: bool,
}

/// A start that is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Its first.
    First,
    /// With the data that it has.
    Again,
}

/// Why a member must not be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It has been a member, and its data is gone.
    #[error(
        "this host's part of the store is gone: its disk was emptied or another one is mounted. It is not started, because \
         a member that comes back empty under its old name can lose what the others acknowledged. If the disk is only \
         missing, mount it; else run `nodepanel cluster replace` on another host"
    )]
    Lost,
    /// The data is another member's.
    #[error(
        "what lies where this host's part of the store should be belongs to another member: a disk or a copy of another \
         host. It was left as it is: put the right one back, or run `nodepanel cluster replace` on another host"
    )]
    Foreign,
    /// There is data before the first start.
    #[error(
        "this host is to become a member of the store, but data of etcd lies there already. It was left as it is: move \
         `store/etcd` of the data directory away, and try again"
    )]
    Occupied,
}

/// Whether a member with this mark, which has begun or not, may be started on what was found.
pub fn decide(mark: &str, begun: bool, found: &Found) -> Result<Start, Refusal> {
    match (begun, found.mark.as_deref(), found.has_data) {
        (_, Some(theirs), _) if theirs != mark => Err(Refusal::Foreign),
        (false, None, true) => Err(Refusal::Occupied),
        (false, _, false) => Ok(Start::First),
        // It was marked, and what had begun was not written down: nobody else can have put data there.
        (_, Some(_), true) => Ok(Start::Again),
        // Also if it was never seen to come up: it may have spoken before the machine went down.
        (true, _, false) => Err(Refusal::Lost),
        (true, None, true) => Err(Refusal::Foreign),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(mark: Option<&str>, has_data: bool) -> Found {
        Found { mark: mark.map(str::to_owned), has_data }
    }

    #[test]
    fn a_member_that_has_begun_begins_never_again() {
        for mark in [None, Some("mine")] {
            assert_eq!(decide("mine", true, &found(mark, false)), Err(Refusal::Lost), "{mark:?}");
            assert_eq!(decide("mine", false, &found(mark, false)), Ok(Start::First), "{mark:?}");
        }
    }

    #[test]
    fn it_goes_on_with_its_own_data_only() {
        for begun in [false, true] {
            assert_eq!(decide("mine", begun, &found(Some("mine"), true)), Ok(Start::Again));
            for has_data in [false, true] {
                assert_eq!(decide("mine", begun, &found(Some("another"), has_data)), Err(Refusal::Foreign));
            }
        }
        assert_eq!(decide("mine", true, &found(None, true)), Err(Refusal::Foreign));
        assert_eq!(decide("mine", false, &found(None, true)), Err(Refusal::Occupied));
    }
}
