//! What a use-case can answer instead of its result. Knows no HTTP; `types::problem` holds the table.

use std::time::Duration;

use nodepanel_store::{CommitError, StoreError};
use nodepanel_types::{
    permission::Permission,
    problem::{FieldError, Problem, ProblemCode},
};

/// Why a use-case did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Fields of the request are wrong; all of them, not only the first.
    #[error("{} of the request {} not valid", .0.len(), if .0.len() == 1 { "field is" } else { "fields are" })]
    Invalid(Vec<FieldError>),
    /// It does not exist, or the caller may not know of it.
    #[error("There is no {kind} {id}, or it is not yours to see.")]
    NotFound {
        /// What kind of thing.
        kind: &'static str,
        /// The id or name as it was asked for.
        id: String,
    },
    /// The caller is known and may not do this.
    #[error("This needs the permission “{}”, which your account does not have here.", .0.as_str())]
    Forbidden(Permission),
    /// It exists already.
    #[error("{0}")]
    Exists(String),
    /// Somebody else changed it in the meantime.
    #[error("{0}")]
    Changed(String),
    /// Its state forbids the action now.
    #[error("{0}")]
    StateForbids(String),
    /// Something still depends on it.
    #[error("{0}")]
    InUse(String),
    /// E-mail or password do not match.
    #[error(
        "The e-mail address or the password is not right. Check both; upper and lower case of the password matter."
    )]
    BadCredentials,
    /// No credentials came along.
    #[error("Nobody is signed in. Sign in, or send an API key as a bearer token.")]
    SignInRequired,
    /// The session is over.
    #[error("The session has ended: {0}. Sign in again.")]
    SessionEnded(&'static str),
    /// The bearer token is unknown or revoked.
    #[error("The API key is not known here, or was revoked. Make a new one on the account page.")]
    BadApiKey,
    /// The set-up link is no longer good.
    #[error("{0}")]
    SetupClosed(&'static str),
    /// It was refused before under the same key, in these words.
    #[error("{}", .0.detail)]
    Kept(Box<Problem>),
    /// The key came with another body before.
    #[error("This idempotency key was already used for another request. Use a fresh key for every new request.")]
    KeyReused,
    /// Asked too often.
    #[error("{what} Try again in {} s.", .retry_after.as_secs().max(1))]
    TooMany {
        /// What there was too much of, as a sentence.
        what: &'static str,
        /// When to try again.
        retry_after: Duration,
    },
    /// More than can be done in time.
    #[error("{what} Try again in {} s.", .retry_after.as_secs().max(1))]
    Overloaded {
        /// What there is too much of, as a sentence.
        what: &'static str,
        /// When to try again.
        retry_after: Duration,
    },
    /// The node does not answer.
    #[error("{0}")]
    NodeUnreachable(String),
    /// The node answered with a refusal.
    #[error("The node refused: {0}")]
    NodeRefused(String),
    /// The disk of the node is full.
    #[error("{0}")]
    NodeDiskFull(String),
    /// The disk of the node reports errors.
    #[error("{0}")]
    NodeDiskFailing(String),
    /// What was done automatically cannot be read.
    #[error("{0}")]
    HistoryUnavailable(String),
    /// The store failed.
    #[error("The store could not do its part")]
    Store(#[from] StoreError),
    /// A defect of ours.
    #[error("{0}")]
    Internal(String),
}

impl ControlError {
    /// One wrong field.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }

    /// The stable code.
    pub const fn code(&self) -> ProblemCode {
        match self {
            Self::Invalid(_) => ProblemCode::Invalid,
            Self::NotFound { .. } => ProblemCode::NotFound,
            Self::Forbidden(_) => ProblemCode::Forbidden,
            Self::Exists(_) => ProblemCode::Exists,
            Self::Changed(_) => ProblemCode::Changed,
            Self::StateForbids(_) => ProblemCode::StateForbids,
            Self::InUse(_) => ProblemCode::InUse,
            Self::BadCredentials => ProblemCode::BadCredentials,
            Self::SignInRequired => ProblemCode::SignInRequired,
            Self::SessionEnded(_) => ProblemCode::SessionEnded,
            Self::BadApiKey => ProblemCode::BadApiKey,
            Self::SetupClosed(_) => ProblemCode::SetupClosed,
            Self::Kept(problem) => problem.code,
            Self::KeyReused => ProblemCode::KeyReused,
            Self::TooMany { .. } => ProblemCode::TooManyRequests,
            Self::Overloaded { .. } => ProblemCode::Overloaded,
            Self::NodeUnreachable(_) => ProblemCode::NodeUnreachable,
            Self::NodeRefused(_) => ProblemCode::NodeRefused,
            Self::NodeDiskFull(_) => ProblemCode::NodeDiskFull,
            Self::NodeDiskFailing(_) => ProblemCode::NodeDiskFailing,
            Self::HistoryUnavailable(_) => ProblemCode::HistoryUnavailable,
            Self::Store(error) => store_code(error),
            Self::Internal(_) => ProblemCode::Internal,
        }
    }

    /// Whether this says for good that a write was not done and will not be. Everything else is about this moment,
    /// about the way to a store or a node, or about who asks, and a repetition may come to something else.
    pub const fn is_verdict(&self) -> bool {
        match self {
            Self::Invalid(_)
            | Self::NotFound { .. }
            | Self::Forbidden(_)
            | Self::Exists(_)
            | Self::Changed(_)
            | Self::StateForbids(_)
            | Self::InUse(_) => true,
            // Kept already, or not about this write.
            Self::Kept(_)
            | Self::KeyReused
            | Self::BadCredentials
            | Self::SignInRequired
            | Self::SessionEnded(_)
            | Self::BadApiKey
            | Self::SetupClosed(_)
            | Self::TooMany { .. }
            | Self::Overloaded { .. }
            | Self::NodeUnreachable(_)
            | Self::NodeRefused(_)
            | Self::NodeDiskFull(_)
            | Self::NodeDiskFailing(_)
            | Self::Store(_)
            | Self::Internal(_)
            | Self::HistoryUnavailable(_) => false,
        }
    }

    /// Others changed the same thing again and again at this very moment. No verdict: whoever repeats this is not
    /// refused.
    pub(crate) const fn contended(what: &'static str) -> Self {
        Self::Overloaded { what, retry_after: Duration::from_secs(1) }
    }

    /// The problem document, without a request id.
    pub fn problem(&self) -> Problem {
        if let Self::Kept(problem) = self {
            return (**problem).clone();
        }
        let mut problem = Problem::new(self.code(), self.detail());
        match self {
            Self::Invalid(errors) => problem.errors.clone_from(errors),
            Self::TooMany { retry_after, .. } | Self::Overloaded { retry_after, .. } => {
                // Rounded up: who comes again a moment too early is refused again.
                let seconds = retry_after.as_millis().div_ceil(1_000).max(1);
                problem.retry_after_s = Some(u32::try_from(seconds).unwrap_or(u32::MAX));
            }
            Self::NodeUnreachable(_)
            | Self::NodeDiskFull(_)
            | Self::NodeDiskFailing(_)
            | Self::HistoryUnavailable(_) => {
                problem.retry_after_s = Some(2);
            }
            Self::Store(error) if error.is_retryable() => problem.retry_after_s = Some(1),
            _ => {}
        }
        problem
    }

    fn detail(&self) -> String {
        match self {
            Self::Invalid(errors) => {
                let fields: Vec<String> =
                    errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect();
                format!("Nothing was changed. {}", fields.join(" "))
            }
            Self::Store(error) => store_detail(error),
            other => other.to_string(),
        }
    }
}

const fn store_code(error: &StoreError) -> ProblemCode {
    match error {
        StoreError::DiskFull | StoreError::QuotaReached => ProblemCode::DiskFull,
        StoreError::DiskFailing { .. } => ProblemCode::DiskFailing,
        StoreError::OutcomeUnknown { .. } => ProblemCode::OutcomeUnknown,
        StoreError::Corrupt { .. }
        | StoreError::TooNew { .. }
        | StoreError::NotAStore { .. }
        | StoreError::Unreadable { .. } => ProblemCode::StoreDamaged,
        StoreError::TooLarge { .. } => ProblemCode::TooLarge,
        StoreError::InvalidKey { .. } | StoreError::DuplicateKey { .. } | StoreError::Unwritable { .. } => {
            ProblemCode::Internal
        }
        StoreError::Unavailable { .. }
        | StoreError::Timeout { .. }
        | StoreError::ReadOnly { .. }
        | StoreError::Compacted { .. }
        | StoreError::FutureRevision { .. }
        | StoreError::Moved { .. }
        | StoreError::Incomplete
        | StoreError::LeaseNotFound { .. } => ProblemCode::StoreUnavailable,
    }
}

/// The store's own words name files of the host, which are for its operator and stand in the log; this is for users.
fn store_detail(error: &StoreError) -> String {
    match error {
        StoreError::DiskFull => {
            "The disk that holds NodePanel's data is full, so nothing can be changed; nothing was. \
             What is there can be read, and game servers go on. It works again by itself when there is space."
                .to_owned()
        }
        StoreError::QuotaReached => {
            "What NodePanel's data may take on disk is used up, so nothing can be changed; nothing was. What is there can \
             be read, and game servers go on. It is being cleaned up and works again by itself; its operator finds more \
             in the log."
                .to_owned()
        }
        StoreError::DiskFailing { .. } => {
            "The disk that holds NodePanel's data reports errors, so nothing can be changed; nothing was. What is there \
             can be read, and game servers go on. It works again by itself when the disk takes what is written; its \
             operator finds more in the log."
                .to_owned()
        }
        StoreError::OutcomeUnknown { .. } => {
            "The answer of the store was lost, so it is not known whether this was done. Look before you repeat it; \
             with the same idempotency key it is safe to repeat."
                .to_owned()
        }
        StoreError::Corrupt { .. }
        | StoreError::TooNew { .. }
        | StoreError::NotAStore { .. }
        | StoreError::Unreadable { .. } => {
            "NodePanel's data cannot be read or written, and was left as it is. Game servers go on. The operator finds \
             the file and the reason in the log and with `nodepanel doctor`."
                .to_owned()
        }
        StoreError::TooLarge { .. } => "What you sent is too large to be stored; nothing was changed.".to_owned(),
        _ => {
            "NodePanel's store cannot be written at the moment, so nothing was changed. What is there can be read, and \
              game servers go on. Try again in a moment."
                .to_owned()
        }
    }
}

/// What is left of a failed commit when a conflict can only mean that somebody else was faster.
impl From<CommitError> for ControlError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict(_) => Self::Changed(
                "Somebody else changed this at the same moment, so your change was not made. Look at it again and repeat \
                 your change if it is still right."
                    .to_owned(),
            ),
            CommitError::Store(error) => Self::Store(error),
        }
    }
}
