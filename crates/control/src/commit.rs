//! Writes that happen once, and refusals that stay.
//!
//! A write with an idempotency key commits its answer in the same transaction as its effect. Whoever repeats the write,
//! at this API server or another, today or after a crash, finds the answer and gets it again; two repetitions at the
//! same moment meet in the store, and one of them wins. So there is no state in which a key is "in progress".
//!
//! A refusal is such an answer, committed without an effect: an earlier try that is still on its way finds it, and
//! cannot do any more what its caller was told would not be done.

use nodepanel_store::{CommitError, Expected, Key, StoreError, Transaction};
use nodepanel_types::{Timestamp, problem::Problem};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{Context, ControlError, ControlPlane};

/// The answer to a keyed write, kept for `limits::IDEMPOTENCY_TTL_MS`. Sealed, because some answers are secrets.
#[derive(Serialize, Deserialize)]
pub struct StoredAnswer {
    /// The fingerprint of the request that it answers.
    fingerprint: [u8; 32],
    /// The answer's JSON; the problem document of a refusal.
    answer: Box<RawValue>,
}

/// What lies under the key: readable for the collector of old answers.
#[derive(Serialize, Deserialize)]
pub(crate) struct AnswerEnvelope {
    /// When the write was made or refused.
    pub at: Timestamp,
    /// Whether it was refused. Answers of earlier versions never were.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// A sealed [`StoredAnswer`].
    pub sealed: String,
}

/// An answer that is to be committed, and where.
struct Sheet {
    place: Key,
    envelope: Vec<u8>,
}

/// Where the answers are.
pub(crate) const ANSWERS: &str = "/answers/";

impl ControlPlane {
    /// Does a write, or refuses it, once for each key: a repetition gets the first answer, and a verdict is kept like an
    /// answer. Whatever says nothing for good ([`ControlError::is_verdict`]) is not kept, and a repetition tries again.
    pub(crate) async fn once<T: Serialize + DeserializeOwned>(
        &self,
        context: &Context,
        deed: impl Future<Output = Result<T, ControlError>>,
    ) -> Result<T, ControlError> {
        if let Some(answer) = self.replay(context).await? {
            return Ok(answer);
        }
        match deed.await {
            Err(verdict) if context.key.is_some() && verdict.is_verdict() => self.keep(context, verdict).await,
            outcome => outcome,
        }
    }

    /// Commits a refusal as the answer to its key, unless there is another answer by now.
    async fn keep<T: Serialize + DeserializeOwned>(
        &self,
        context: &Context,
        verdict: ControlError,
    ) -> Result<T, ControlError> {
        self.refusals.count(&context.actor.scope(), self.now())?;
        let sheet = self.sheet(context, &verdict.problem(), true)?;
        match self.settle(context, Transaction::new(), sheet).await? {
            Some(first) => Ok(first),
            None => Err(verdict),
        }
    }

    /// The answer to this very write, when it was made or refused before.
    pub(crate) async fn replay<T: DeserializeOwned>(&self, context: &Context) -> Result<Option<T>, ControlError> {
        let Some(key) = &context.key else { return Ok(None) };
        let Some(entry) = self.store.get(&Self::answer_key(context, &key.key)?).await? else { return Ok(None) };
        let damaged = || ControlError::Internal("a stored answer cannot be read".to_owned());
        let envelope: AnswerEnvelope = serde_json::from_slice(&entry.value).map_err(|_| damaged())?;
        let stored = self.answers.open(&envelope.sealed).map_err(|_| damaged())?;
        if stored.fingerprint != key.fingerprint {
            return Err(ControlError::KeyReused);
        }
        if envelope.refused {
            let problem: Problem = serde_json::from_str(stored.answer.get()).map_err(|_| damaged())?;
            return Err(ControlError::Kept(Box::new(problem)));
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
        transaction: Transaction,
        answer: T,
    ) -> Result<T, ControlError> {
        let sheet = self.sheet(context, &answer, false)?;
        Ok(self.settle(context, transaction, sheet).await?.unwrap_or(answer))
    }

    /// Commits, with the answer under its key if there is one. `Some` is the answer of a repetition that was faster.
    async fn settle<T: DeserializeOwned>(
        &self,
        context: &Context,
        mut transaction: Transaction,
        sheet: Option<Sheet>,
    ) -> Result<Option<T>, ControlError> {
        let mut answer_key = None;
        if let Some(Sheet { place, envelope }) = sheet {
            transaction = transaction.when(place.clone(), Expected::Absent).put(place.clone(), envelope);
            answer_key = Some(place);
        }
        match self.store.commit(transaction).await {
            Ok(committed) => {
                self.see(committed.revision).await;
                Ok(None)
            }
            Err(CommitError::Conflict(conflict)) if Some(&conflict.key) == answer_key.as_ref() => {
                let first = self.replay(context).await?;
                first.map(Some).ok_or_else(|| ControlError::from(CommitError::Conflict(conflict)))
            }
            // The write may have been made. With a key that can be found out; without one the caller must be told.
            Err(CommitError::Store(error @ StoreError::OutcomeUnknown { .. })) if answer_key.is_some() => {
                match self.replay(context).await {
                    Ok(Some(answer)) => Ok(Some(answer)),
                    Err(kept @ ControlError::Kept(_)) => Err(kept),
                    // That it is not there says nothing: it may still be on its way to the disk, or stand in a log that
                    // a failed sync left and the next start finds whole.
                    Ok(None) | Err(_) => Err(ControlError::Store(error)),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The answer to a request, ready to be stored; `None` without a key.
    fn sheet(&self, context: &Context, answer: &impl Serialize, refused: bool) -> Result<Option<Sheet>, ControlError> {
        let Some(key) = &context.key else { return Ok(None) };
        let unwritable = || ControlError::Internal("an answer cannot be written".to_owned());
        let answer = serde_json::value::to_raw_value(answer).map_err(|_| unwritable())?;
        let stored = StoredAnswer { fingerprint: key.fingerprint, answer };
        let sealed = self.answers.seal(&stored, &*self.ids).map_err(|_| unwritable())?;
        let envelope = AnswerEnvelope { at: self.now(), refused, sealed };
        let envelope = serde_json::to_vec(&envelope).map_err(|_| unwritable())?;
        Ok(Some(Sheet { place: Self::answer_key(context, &key.key)?, envelope }))
    }

    fn answer_key(context: &Context, key: &str) -> Result<Key, ControlError> {
        Ok(Key::new(format!("{ANSWERS}{}/{key}", context.actor.scope()))?)
    }
}
