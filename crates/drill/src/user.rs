//! A user as the panel is one: repeats reads and keyed writes while the connection fails or the installation asks for
//! patience, and sees an error only when that does not help.

use std::time::{Duration, Instant};

use nodepanel_types::problem::{Problem, ProblemCode};

use crate::{
    history::{Outcome, Tries},
    http::{Access, Answer, Connection, Request, Try},
};

/// How long one try may take.
const TRY: Duration = Duration::from_secs(10);
/// How long a user goes on before giving up.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The pause after the first failed try.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Somebody who asks for one thing after the other.
#[derive(Debug)]
pub struct User {
    connection: Connection,
    /// The state of a small generator for the jitter of pauses.
    jitter: u64,
}

/// What came of an operation: the outcome, the answer when there was one, and the tries.
pub struct Asked {
    /// What became of it.
    pub outcome: Outcome,
    /// The last answer.
    pub answer: Option<Answer>,
    /// How the tries went.
    pub tries: Tries,
}

impl User {
    /// A user; `seed` makes the pauses of several differ.
    pub const fn new(access: Access, seed: u64) -> Self {
        Self { connection: Connection::new(access), jitter: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    /// Asks over a new connection the next time.
    pub fn reconnect(&mut self) {
        self.connection.close();
    }

    /// Asks until there is an answer that decides, or patience ends.
    pub async fn ask(&mut self, request: &Request) -> Asked {
        let begun = Instant::now();
        let mut tries = Tries::default();
        let mut may_have_happened = false;
        let mut last;
        loop {
            tries.made += 1;
            let mut pause = self.pause(tries.made);
            match self.connection.attempt(request, TRY).await {
                Try::Answered(answer) => match verdict(&answer) {
                    Verdict::Done => return Asked { outcome: Outcome::Ok, answer: Some(answer), tries },
                    Verdict::No => {
                        let why = answer.text();
                        return Asked { outcome: Outcome::Failed { why }, answer: Some(answer), tries };
                    }
                    Verdict::Later { unsure, code } => {
                        tries.deferred += 1;
                        tries.deferred_for = code;
                        may_have_happened |= unsure;
                        if let Some(seconds) = answer.retry_after {
                            pause = pause.max(Duration::from_secs(seconds));
                        }
                        last = answer.text();
                    }
                },
                Try::Refused => {
                    tries.refused += 1;
                    last = "The connection was refused.".to_owned();
                }
                Try::Broken(why) => {
                    tries.broken += 1;
                    may_have_happened = true;
                    last = why;
                }
                Try::Late => {
                    tries.late += 1;
                    may_have_happened = true;
                    last = format!("There was no answer within {} s.", TRY.as_secs());
                }
            }
            if begun.elapsed() + pause >= PATIENCE {
                let outcome =
                    if may_have_happened { Outcome::Unknown { why: last } } else { Outcome::Failed { why: last } };
                return Asked { outcome, answer: None, tries };
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// The pause before the next try: doubled each time, and different for each user.
    fn pause(&mut self, tries: u32) -> Duration {
        // xorshift64: good enough to keep users from coming back all at once.
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        let full = FIRST_PAUSE.saturating_mul(1 << tries.saturating_sub(1).min(10)).min(LONGEST_PAUSE);
        let share = u32::try_from(self.jitter % 512).unwrap_or_default();
        full / 2 + full * share / 1_024
    }
}

enum Verdict {
    Done,
    No,
    /// Worth trying again; `unsure` when it may have happened nevertheless.
    Later {
        unsure: bool,
        code: Option<ProblemCode>,
    },
}

/// Reads an answer as the panel does: by the code of the problem, not by the status alone.
fn verdict(answer: &Answer) -> Verdict {
    if (200..300).contains(&answer.status) {
        return Verdict::Done;
    }
    // What comes from a proxy says nothing about the request.
    let Ok(problem) = serde_json::from_slice::<Problem>(&answer.body) else {
        return Verdict::Later { unsure: true, code: None };
    };
    match problem.code {
        ProblemCode::NotReady
        | ProblemCode::Overloaded
        | ProblemCode::StoreUnavailable
        | ProblemCode::NodeUnreachable
        | ProblemCode::TooManyRequests
        | ProblemCode::DiskFull
        | ProblemCode::DiskFailing
        | ProblemCode::NodeDiskFull
        | ProblemCode::NodeDiskFailing => Verdict::Later { unsure: false, code: Some(problem.code) },
        ProblemCode::OutcomeUnknown | ProblemCode::KeyInProgress => {
            Verdict::Later { unsure: true, code: Some(problem.code) }
        }
        _ => Verdict::No,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
        Answer { status, body: body.into(), retry_after: None, cookie: None }
    }

    fn problem(code: ProblemCode) -> Answer {
        answer(code.status(), serde_json::to_vec(&Problem::new(code, "x")).unwrap())
    }

    #[test]
    fn only_an_answer_that_decides_is_believed() {
        assert!(matches!(verdict(&answer(201, "{}")), Verdict::Done));
        assert!(matches!(verdict(&problem(ProblemCode::Invalid)), Verdict::No));
        assert!(matches!(verdict(&problem(ProblemCode::SessionEnded)), Verdict::No));
        assert!(matches!(verdict(&problem(ProblemCode::NotReady)), Verdict::Later { unsure: false, .. }));
        assert!(matches!(verdict(&problem(ProblemCode::OutcomeUnknown)), Verdict::Later { unsure: true, .. }));
        assert!(matches!(verdict(&answer(401, "<html>proxy</html>")), Verdict::Later { unsure: true, .. }));
    }

    #[test]
    fn pauses_grow_to_a_limit() {
        let access = Access { address: ([127, 0, 0, 1], 1).into(), bearer: crate::http::Bearer::fixed(String::new()) };
        let mut user = User::new(access, 7);
        for tries in 1..40 {
            let full = FIRST_PAUSE.saturating_mul(1 << (tries - 1).min(10)).min(LONGEST_PAUSE);
            let pause = user.pause(tries);
            assert!(pause >= full / 2 && pause <= full, "{pause:?} after {tries}");
        }
    }
}
