//! Passwords: argon2id off the event loop, few at a time, so that a flood of logins takes no processor from anybody.

use std::{sync::Arc, time::Duration};

use argon2::{Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _};
use nodepanel_types::{clock::IdSource, problem::FieldError};
use tokio::sync::Semaphore;

use crate::ControlError;

/// Hashes that are worked on at once, at most; never more than half of the processors. Each takes about 20 MiB and some
/// tens of milliseconds of one of them.
const AT_ONCE: usize = 4;
/// Logins that wait for their turn. More could not be served within `PATIENCE`.
const WAITING: usize = 64;
/// How long a login waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);
/// The shortest password.
pub const SHORTEST: usize = 10;
/// The longest password, in bytes.
pub const LONGEST: usize = 256;

/// Makes and checks password hashes.
pub struct Passwords {
    turns: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    ids: Arc<dyn IdSource>,
}

impl Passwords {
    /// With salts from `ids`.
    pub fn new(ids: Arc<dyn IdSource>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let turns = Arc::new(Semaphore::new((processors / 2).clamp(1, AT_ONCE)));
        Self { turns, queue: Arc::new(Semaphore::new(WAITING)), ids }
    }

    /// What is wrong with a new password, if anything.
    pub fn complaint(field: &str, password: &str, email: &str) -> Option<FieldError> {
        if password.chars().count() < SHORTEST {
            return Some(FieldError::new(field, format!("needs at least {SHORTEST} characters.")));
        }
        if password.len() > LONGEST {
            return Some(FieldError::new(field, format!("may have at most {LONGEST} bytes.")));
        }
        (password.eq_ignore_ascii_case(email)).then(|| FieldError::new(field, "must not be the e-mail address itself."))
    }

    /// The hash of `password`, in PHC form.
    pub async fn hash(&self, password: String) -> Result<String, ControlError> {
        let mut salt = [0; 16];
        self.ids.fill(&mut salt);
        self.take_turn(move || {
            Argon2::default()
                .hash_password_with_salt(password.as_bytes(), &salt)
                .map(|hash| hash.to_string())
                .map_err(|error| ControlError::Internal(format!("a password could not be hashed: {error}")))
        })
        .await?
    }

    /// Whether `password` is the one that `hash` was made from. Without a hash (no such user) as much work is done, so
    /// that the time of an answer does not tell who has an account.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, ControlError> {
        self.take_turn(move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
            let matches = PasswordHash::new(&hash)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
            known && matches
        })
        .await
    }

    async fn take_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ControlError> {
        let busy = || ControlError::Overloaded {
            what: "More people are signing in than can be checked at once.",
            retry_after: PATIENCE,
        };
        let queued = self.queue.clone().try_acquire_owned().map_err(|_| busy())?;
        let turn = tokio::time::timeout(PATIENCE, self.turns.clone().acquire_owned())
            .await
            .map_err(|_| busy())?
            .map_err(|_| busy())?;
        drop(queued);
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        })
        .await
        .map_err(|_| ControlError::Internal("checking a password was interrupted".to_owned()))
    }
}

/// A hash of nobody's password, with the parameters of `Argon2::default`.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ib2Q$6rTRw6N3dBd1UlKr3DdAg9lSLuXbCOVQ3Tjr5SFyfFk";
