//! Whether a control plane lives: what it is cut off from when it is killed or frozen.

use tokio::sync::watch;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Awake,
    Frozen,
    Dead,
}

/// The life of one process. After its death nothing that it began has an effect any more, and nobody gets an answer.
#[derive(Clone)]
pub struct Life(watch::Sender<State>);

impl Life {
    pub fn new() -> Self {
        Self(watch::Sender::new(State::Awake))
    }

    /// As `kill -9`.
    pub fn kill(&self) {
        self.0.send_replace(State::Dead);
    }

    /// As SIGSTOP and SIGCONT.
    pub fn freeze(&self, frozen: bool) {
        self.0.send_if_modified(|state| {
            let lives = *state != State::Dead;
            if lives {
                *state = if frozen { State::Frozen } else { State::Awake };
            }
            lives
        });
    }

    pub fn is_dead(&self) -> bool {
        *self.0.borrow() == State::Dead
    }

    /// Whatever leaves or enters the process passes here: at once, after the freeze, or never.
    pub async fn pass(&self) {
        let mut state = self.0.subscribe();
        let _ = state.wait_for(|state| *state == State::Awake).await;
    }

    /// Returns when the process is dead.
    pub async fn end(&self) {
        let mut state = self.0.subscribe();
        let _ = state.wait_for(|state| *state == State::Dead).await;
    }
}
