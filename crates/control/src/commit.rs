//! Writes that happen once.
//!
//! A write with an idempotency key commits its answer in the same transaction as its effect. Whoever repeats the write,
//! at this API server or another, today or after a crash, finds the answer and gets it again; two repetitions at the
//! same moment meet in the store, and one of them wins. So there is no state in which a key is "in progress".

use nodepanel_store::{CommitError, Expected, Key, StoreError, Transaction};
use nodepanel_types::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{Context, ControlError, ControlPlane};

/// The answer to a keyed write, kept for `limits::IDEMPOTENCY_TTL_MS`. Sealed, because some answers are secrets.
#[derive(Serialize, Deserialize)]
pub struct StoredAnswer {
    /// The fingerprint of the request that it answers.
    fingerprint: [u8; 32],
    /// The answer's JSON.
    answer: Box<RawValue>,
}

/// What lies under the key: readable for the collector of old answers.
#[derive(Serialize, Deserialize)]
pub(crate) struct AnswerEnvelope {
    /// When the write was made.
    pub at: Timestamp,
    /// A sealed [`StoredAnswer`].
    pub sealed: String,
}

/// Where the answers are.
pub(crate) const ANSWERS: &str = "/answers/";

impl ControlPlane {
    /// The answer to this very write, when it was made before.
    pub(crate) async fn replay<T: DeserializeOwned>(&self, context: &Context) -> Result<Option<T>, ControlError> {
        let Some(key) = &context.key else { return Ok(None) };
        let Some(entry) = self.store.get(&Self::answer_key(context, &key.key)?).await? else { return Ok(None) };
        let damaged = |_| ControlError::Internal("a stored answer cannot be read".to_owned());
        let envelope: AnswerEnvelope = serde_json::from_slice(&entry.value)
            .map_err(|_| ControlError::Internal("a stored answer cannot be read".to_owned()))?;
        let stored = self.answers.open(&envelope.sealed).map_err(damaged)?;
        if stored.fingerprint != key.fingerprint {
            return Err(ControlError::KeyReused);
        }
        serde_json::from_str(stored.answer.get())
            .map(Some)
            .map_err(|_| ControlError::Internal("a stored answer is of another form".to_owned()))
    }

    /// Commits a write together with its answer. Returns when it is on disk and this process has seen it. A conflict
    /// comes back as [`ControlError::Changed`], so that callers who can decide again do.
    pub(crate) async fn commit<T: Serialize + DeserializeOwned>(
        &self,
        context: &Context,
        mut transaction: Transaction,
        answer: T,
    ) -> Result<T, ControlError> {
        let mut answer_key = None;
        if let Some(key) = &context.key {
            let place = Self::answer_key(context, &key.key)?;
            let unwritable = |_| ControlError::Internal("an answer cannot be stored".to_owned());
            let json = serde_json::value::to_raw_value(&answer)
                .map_err(|_| ControlError::Internal("an answer cannot be written".to_owned()))?;
            let stored = StoredAnswer { fingerprint: key.fingerprint, answer: json };
            let sealed = self.answers.seal(&stored, &*self.ids).map_err(unwritable)?;
            let envelope = serde_json::to_vec(&AnswerEnvelope { at: self.now(), sealed })
                .map_err(|_| ControlError::Internal("an answer cannot be written".to_owned()))?;
            transaction = transaction.when(place.clone(), Expected::Absent).put(place.clone(), envelope);
            answer_key = Some(place);
        }
        match self.store.commit(transaction).await {
            Ok(committed) => {
                self.see(committed.revision).await;
                Ok(answer)
            }
            Err(CommitError::Conflict(conflict)) if Some(&conflict.key) == answer_key.as_ref() => {
                let replayed = self.replay(context).await?;
                replayed.ok_or_else(|| ControlError::from(CommitError::Conflict(conflict)))
            }
            // The write may have been made. With a key this can be found out; without one the caller must be told.
            Err(CommitError::Store(error @ StoreError::OutcomeUnknown { .. })) if answer_key.is_some() => {
                match self.replay(context).await {
                    Ok(Some(answer)) => Ok(answer),
                    Ok(None) => Err(ControlError::Store(StoreError::Unavailable { reason: error.to_string() })),
                    Err(_) => Err(ControlError::Store(error)),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    fn answer_key(context: &Context, key: &str) -> Result<Key, ControlError> {
        Ok(Key::new(format!("{ANSWERS}{}/{key}", context.actor.scope()))?)
    }
}
