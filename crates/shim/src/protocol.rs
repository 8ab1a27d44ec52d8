//! What a shim and its clients say to each other over the shim's socket: one JSON object a line.
//!
//! A connection begins with [`Request::Hello`]; requests are answered in order, each reply carrying the request's
//! `id`. After the reply to [`Request::Watch`] the shim sends a [`ShimStatus`] per change, after the reply to
//! [`Request::Console`] it sends console frames (`nodepanel_types::wire::ConsoleFrame`); such a connection serves
//! nothing else. Shims outlive upgrades, so every form here only grows: unknown fields are ignored, unknown
//! requests are answered with [`RefusalCode::Unsupported`].

use std::path::PathBuf;

use nodepanel_supervise::build::Print;
use nodepanel_types::{
    Millis, ServerId, Timestamp,
    state::{Exit, Run},
    wire::console::Extent,
};
use serde::{Deserialize, Serialize};

/// The newest form of these messages.
pub const PROTOCOL_VERSION: u32 = 1;

/// The longest request line in bytes; a longer one ends the connection.
pub const REQUEST_BYTES: usize = 64 * 1024;

/// What a shim says on its standard output once clients may come in. It says nothing else there and closes it.
pub const LISTENING: &[u8] = b"listening\n";

/// A request with its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Comes back in the reply.
    pub id: u64,
    /// What is asked.
    #[serde(flatten)]
    pub request: Request,
}

/// What can be asked of a shim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// First on every connection. Answered with [`Welcome`].
    Hello {
        /// The client's [`PROTOCOL_VERSION`].
        v: u32,
        /// The content of the token file.
        token: String,
    },
    /// Answered with [`ShimStatus`].
    State,
    /// Answered with [`ShimStatus`], then one more per change.
    Watch,
    /// Types a line into the console. Answered with [`Typed`].
    Command {
        /// The line, without a line end.
        line: String,
        /// A repetition with the same key is answered without typing it again.
        key: String,
    },
    /// Asks the game to stop; SIGKILL follows when its time is up, whether or not anybody still listens. Repeated,
    /// it can only bring the SIGKILL forward. Answered with [`ShimStatus`].
    Stop {
        /// The time it gets; without it that of the spec.
        timeout_ms: Option<Millis>,
    },
    /// SIGKILL to everything that the game started, at once. Answered with [`ShimStatus`].
    Kill,
    /// Console frames follow the reply, which is [`Extent`].
    Console {
        /// Where to begin.
        from: ConsoleFrom,
        /// Go on with new lines; without it the connection ends when the newest line has been sent.
        follow: bool,
    },
    /// Writes a line of NodePanel's own into the console. Answered with [`Typed`].
    Say {
        /// The line.
        text: String,
    },
    /// Goes on as another build of the program, in the same process, without the game noticing. Answered by that build
    /// with [`Renewed`]; the connection ends afterwards, and so do all others.
    Renew {
        /// The program, absolute.
        program: PathBuf,
        /// Which build must be in that file.
        build: Print,
    },
    /// The exit is known and recorded elsewhere: the shim may go. Refused while the game runs. Answered with
    /// [`Done`].
    AckExit,
}

/// Where a console stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsoleFrom {
    /// After the line with this number; 0 is "from the first one that there is".
    After(u64),
    /// With the newest lines, this many.
    Tail(u64),
}

/// A reply: `{"id":3,"ok":{…}}` or `{"id":3,"error":{"code":"not_running","message":"…"}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply<T> {
    /// The request's number.
    pub id: u64,
    /// What came of it.
    #[serde(flatten)]
    pub body: ReplyBody<T>,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyBody<T> {
    /// It was done.
    Ok(T),
    /// It was not done.
    Error(Refusal),
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// For programs.
    pub code: RefusalCode,
    /// For people: what happened and what to do.
    pub message: String,
}

/// Why a request was not done, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// The token is wrong or came too late.
    Unauthorized,
    /// There is no game process to do this to.
    NotRunning,
    /// The game process still runs.
    StillRunning,
    /// The game does not read what is typed: its input is full.
    InputFull,
    /// The request has a bad value.
    Invalid,
    /// It cannot be done now; later it may be.
    NotNow,
    /// The new build cannot go on from here.
    Unfit,
    /// Too many connections.
    Busy,
    /// This shim does not know the request.
    #[serde(other)]
    Unsupported,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The shim's [`PROTOCOL_VERSION`].
    pub v: u32,
    /// Whose console this is.
    pub server: ServerId,
    /// The shim's own process id.
    pub pid: u32,
    /// The version of the build that the shim runs.
    pub version: String,
    /// Which build that is; `None` when a shim of an earlier version answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Print>,
}

/// The shim goes on as another build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// The build that answers.
    pub build: Option<Print>,
    /// How long nobody kept the game: from the last thing that the old image did to the first that the new one did, in
    /// microseconds.
    pub took_us: u64,
}

/// A line was put into the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typed {
    /// Its number; `None` for a repetition whose number is no longer known.
    pub line: Option<u64>,
}

/// Done, with nothing to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Done {}

/// What a shim knows of its game.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShimStatus {
    /// Which server.
    pub server: ServerId,
    /// What the game does.
    #[serde(flatten)]
    pub state: ShimState,
    /// The lines that can be read.
    pub console: Extent,
    /// What is weaker than it could be or went wrong without ending the game, each a sentence.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What a game does, as its shim sees it.
///
/// ```text
///  Starting ── ready line, port or time-out ──▶ Running
///     │  └──────────── stop ─────────┐            │ stop
///     │ exit                         ▼            ▼
///     └───────▶ Exited ◀─── exit ── Stopping ◀────┘
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ShimState {
    /// Not ready yet.
    Starting {
        /// The process; `None` until it is the game's own program that runs.
        run: Option<Run>,
    },
    /// Ready for players.
    Running {
        /// The process.
        run: Run,
        /// When.
        ready_at: Timestamp,
        /// Whether the sign was seen; otherwise only the time for it is up.
        sign_seen: bool,
    },
    /// Asked to stop, still there.
    Stopping {
        /// The process.
        run: Run,
        /// When SIGKILL follows.
        kill_at: Timestamp,
    },
    /// Ended. Everything that it had started is gone too.
    Exited(Ended),
}

/// The end of a game process; also the content of the exit file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The process that it was; `None` when it could not be started.
    pub run: Option<Run>,
    /// How it ended.
    pub exit: Exit,
    /// When.
    pub at: Timestamp,
    /// Whether a stop or kill had been asked for.
    pub asked: bool,
    /// Whether it took our SIGKILL.
    pub killed: bool,
    /// Whether it had been ready, and since when.
    #[serde(default)]
    pub ready_at: Option<Timestamp>,
}

impl ShimState {
    /// The game process, if there is one.
    pub const fn run(&self) -> Option<Run> {
        match self {
            Self::Starting { run } => *run,
            Self::Running { run, .. } | Self::Stopping { run, .. } => Some(*run),
            Self::Exited(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_keep_their_published_form() {
        let asked: Envelope =
            serde_json::from_str(r#"{"id":3,"do":"command","line":"list","key":"k","future":1}"#).unwrap();
        assert_eq!(asked, Envelope { id: 3, request: Request::Command { line: "list".into(), key: "k".into() } });
        let asked = Envelope { id: 4, request: Request::Console { from: ConsoleFrom::After(9), follow: true } };
        assert_eq!(
            serde_json::to_string(&asked).unwrap(),
            r#"{"id":4,"do":"console","from":{"after":9},"follow":true}"#
        );
        let reply = Reply { id: 3, body: ReplyBody::Ok(Typed { line: Some(5) }) };
        assert_eq!(serde_json::to_string(&reply).unwrap(), r#"{"id":3,"ok":{"line":5}}"#);
        let refused: Reply<Done> =
            serde_json::from_str(r#"{"id":3,"error":{"code":"from_the_future","message":"no"}}"#).unwrap();
        assert_eq!(
            refused.body,
            ReplyBody::Error(Refusal { code: RefusalCode::Unsupported, message: "no".to_owned() })
        );
    }

    #[test]
    fn a_status_of_an_old_shim_is_still_read() {
        let text = r#"{"server":"0190b5c8-7c4e-7000-8000-0000deadbeef","state":"exited","run":null,
            "exit":{"how":"code","code":3},"at":"2026-11-22T08:00:00.000Z","asked":false,"killed":false,
            "console":{"first":1,"next":7}}"#;
        let status: ShimStatus = serde_json::from_str(text).unwrap();
        let ShimState::Exited(ended) = status.state else { panic!("{status:?}") };
        assert_eq!(ended.exit, Exit::Code { code: 3 });
    }
}
