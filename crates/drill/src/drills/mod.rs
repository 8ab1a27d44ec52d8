//! The drills: what each breaks, and what it times.
//!
//! Each has a file of its own with one repetition in it; what is common to all (settling before each repetition, the
//! load, the judgement) is here.

mod agent_killed;
mod all_api_killed;
mod api_hangs;
mod api_killed;
mod api_stalls;
mod bad_build;
mod broken_configuration;
mod certificate_expired;
mod clock_jump;
mod control_plane_away;
mod corrupt_page;
mod disk_full;
mod fsync_error;
mod login_flood;
mod person;
mod probe;
mod retry_storm;
mod slow_disk;
mod stale_plan;
mod supervisor_killed;

use std::time::Duration;

use tokio::time::sleep;

use self::api_stalls::Stall;
use crate::{
    check::Fault,
    error::DrillError,
    figure::{Limit, Timed},
    load::{Judgement, Load},
    report::Report,
    scene::{Ground, Part, Scene},
};

/// The quiet between two repetitions: longer than a part must have been healthy for its death to be met with a start at
/// once (2 s for our own parts). Quicker deaths are a crash loop, which is slowed down on purpose.
const QUIET: Duration = Duration::from_millis(2_300);
/// The load runs for so long before anything is broken.
const WARM_UP: Duration = Duration::from_secs(1);

/// How often and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How often it is broken.
    pub repetitions: u32,
    /// How long what is to be away stays away.
    pub away: Duration,
}

/// A drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drill {
    /// SIGKILL to one API server.
    ApiKilled,
    /// One API server stops in the middle of what it does.
    ApiHangs,
    /// The event loop of one API server runs in a circle.
    ApiSpins,
    /// The event loop of one API server waits for what never comes.
    ApiDeadlocked,
    /// SIGKILL to every API server at once.
    AllApiKilled,
    /// SIGKILL to the supervisor.
    SupervisorKilled,
    /// SIGKILL to this machine's agent.
    AgentKilled,
    /// A new build crashes at once.
    BadBuild,
    /// A mistake in the configuration, and SIGKILL to a process.
    BrokenConfiguration,
    /// Twenty times the load.
    RetryStorm,
    /// Wrong passwords from one address.
    LoginFlood,
    /// Changes that were decided on what has changed since.
    StalePlan,
    /// The whole control plane is away, while a game crashes and another machine boots.
    ControlPlaneAway,
    /// The disk that holds the data is full for a time.
    DiskFull,
    /// The disk that holds the data answers nothing for a time.
    SlowDisk,
    /// The disk does not keep what is written, for a time, and says so.
    FsyncError,
    /// A page of the store is damaged.
    CorruptPage,
    /// The clock is set.
    ClockJump,
    /// The certificate of this machine's agent comes near its end, and passes it.
    CertificateExpired,
}

impl Drill {
    /// Every drill.
    pub const ALL: [Self; 19] = [
        Self::ApiKilled,
        Self::ApiHangs,
        Self::ApiSpins,
        Self::ApiDeadlocked,
        Self::AllApiKilled,
        Self::SupervisorKilled,
        Self::AgentKilled,
        Self::BadBuild,
        Self::BrokenConfiguration,
        Self::RetryStorm,
        Self::LoginFlood,
        Self::StalePlan,
        Self::ControlPlaneAway,
        Self::DiskFull,
        Self::SlowDisk,
        Self::FsyncError,
        Self::CorruptPage,
        Self::ClockJump,
        Self::CertificateExpired,
    ];

    /// The drill of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|drill| drill.name() == name)
    }

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiKilled => "api-killed",
            Self::ApiHangs => "api-hangs",
            Self::ApiSpins => "api-spins",
            Self::ApiDeadlocked => "api-deadlocked",
            Self::AllApiKilled => "all-api-killed",
            Self::SupervisorKilled => "supervisor-killed",
            Self::AgentKilled => "agent-killed",
            Self::BadBuild => "bad-build",
            Self::BrokenConfiguration => "broken-configuration",
            Self::RetryStorm => "retry-storm",
            Self::LoginFlood => "login-flood",
            Self::StalePlan => "stale-plan",
            Self::ControlPlaneAway => "control-plane-away",
            Self::DiskFull => "disk-full",
            Self::SlowDisk => "slow-disk",
            Self::FsyncError => "fsync-error",
            Self::CorruptPage => "corrupt-page",
            Self::ClockJump => "clock-jump",
            Self::CertificateExpired => "certificate-expired",
        }
    }

    /// Its number in the documentation.
    pub const fn number(self) -> u8 {
        match self {
            Self::ApiKilled => 1,
            Self::ApiHangs | Self::ApiSpins | Self::ApiDeadlocked => 2,
            Self::AllApiKilled | Self::BadBuild => 3,
            Self::SupervisorKilled => 4,
            Self::ControlPlaneAway => 7,
            Self::AgentKilled => 8,
            Self::BrokenConfiguration
            | Self::RetryStorm
            | Self::LoginFlood
            | Self::StalePlan
            | Self::CertificateExpired => 12,
            Self::DiskFull | Self::SlowDisk | Self::FsyncError | Self::CorruptPage | Self::ClockJump => 9,
        }
    }

    /// What it breaks, as a sentence.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::ApiKilled => "One API server is killed with SIGKILL.",
            Self::ApiHangs => "One API server hangs (SIGSTOP).",
            Self::ApiSpins => "The event loop of one API server runs in a circle, at 100 % of a processor.",
            Self::ApiDeadlocked => "The event loop of one API server waits for ever.",
            Self::AllApiKilled => "All API servers are killed with SIGKILL at once.",
            Self::SupervisorKilled => "The supervisor is killed with SIGKILL.",
            Self::AgentKilled => "This machine's agent is killed with SIGKILL.",
            Self::BadBuild => "A build is installed whose API servers crash.",
            Self::BrokenConfiguration => "The configuration is spoiled, and a process is killed with SIGKILL.",
            Self::RetryStorm => "Twenty times the usual requests come, from clients that are not patient.",
            Self::LoginFlood => "One address tries wrong passwords as fast as it can.",
            Self::StalePlan => "Changes come late, after others changed the same and the API servers were killed.",
            Self::ControlPlaneAway => {
                "The control plane is away (--away); meanwhile a game crashes and another machine boots."
            }
            Self::DiskFull => "The disk that holds the data is full for some seconds (needs root).",
            Self::SlowDisk => "The disk that holds the data answers nothing for 2 s (needs root).",
            Self::FsyncError => "The disk refuses to keep what is written for some seconds (needs strace).",
            Self::CorruptPage => "A page of the store is overwritten with what is none, and put back.",
            Self::ClockJump => "The clock is set 30 s forwards, and back again (needs libfaketime).",
            Self::CertificateExpired => {
                "The certificate of this machine's agent comes near its end, and passes it (needs libfaketime)."
            }
        }
    }

    /// Whether it is only for an installation of its own: it spoils it, takes everything away from its users for long,
    /// or needs a ground of its own.
    pub const fn own_only(self) -> bool {
        matches!(self, Self::BadBuild | Self::BrokenConfiguration | Self::ControlPlaneAway | Self::CorruptPage)
            || !matches!(self.ground(), Ground::Machine)
    }

    /// What its installation has to stand on.
    pub const fn ground(self) -> Ground {
        match self {
            Self::DiskFull => Ground::SmallDisk,
            Self::SlowDisk => Ground::SlowDisk,
            Self::FsyncError => Ground::FailingDisk,
            Self::ClockJump | Self::CertificateExpired => Ground::Clock,
            _ => Ground::Machine,
        }
    }

    /// What it times, with the targets.
    fn timed(self) -> Vec<Timed> {
        let ms = Duration::from_millis;
        match self {
            Self::ApiKilled => vec![Timed::new("killed, to its replacement's answer", Some(Limit::P99(ms(250))))],
            Self::ApiHangs | Self::ApiSpins | Self::ApiDeadlocked => vec![
                Timed::new("hung, to declared so and ended", Some(Limit::Max(ms(750)))),
                Timed::new("hung, to its replacement's answer", Some(Limit::Max(ms(1_000)))),
            ],
            Self::AllApiKilled => {
                vec![Timed::new("killed, to the answer of a queued request", Some(Limit::Max(ms(300))))]
            }
            Self::SupervisorKilled => vec![Timed::new("killed, to supervised again", Some(Limit::Max(ms(1_000))))],
            Self::AgentKilled => vec![Timed::new("killed, to every game led again", Some(Limit::Max(ms(500))))],
            Self::BadBuild => {
                vec![Timed::new("crashed, to the last good build serving", Some(Limit::Max(ms(2_000))))]
            }
            Self::BrokenConfiguration => vec![
                Timed::new("spoiled, to the mistake named", None),
                Timed::new("killed, to ready with the last good one", Some(Limit::P99(ms(500)))),
            ],
            Self::RetryStorm => vec![
                Timed::new("p99 of what was let in", Some(Limit::Max(ms(500)))),
                Timed::new("the storm's end, to everything let in", None),
            ],
            Self::StalePlan => vec![Timed::new("offered late, to the slowest refusal", Some(Limit::P99(ms(500))))],
            Self::LoginFlood => vec![Timed::new("the slowest sign-in from elsewhere", None)],
            Self::ControlPlaneAway => vec![
                Timed::new("game killed, to its next process", Some(Limit::Max(ms(1_000)))),
                Timed::new("machine started, to all its games", Some(Limit::Max(ms(5_000)))),
                Timed::new("back, to every event told", Some(Limit::Max(ms(5_000)))),
            ],
            Self::DiskFull => vec![Timed::new("room again, to an acknowledged write", Some(Limit::Max(ms(5_000))))],
            Self::SlowDisk => vec![
                Timed::new("the slowest read meanwhile", Some(Limit::Max(ms(1_000)))),
                Timed::new("going on, to an acknowledged write", Some(Limit::Max(ms(5_000)))),
            ],
            Self::FsyncError => vec![
                Timed::new("the slowest read meanwhile", Some(Limit::Max(ms(1_000)))),
                Timed::new("the store's disk keeps again, to an acknowledged write", Some(Limit::Max(ms(5_000)))),
                Timed::new("the node's disk keeps again, to an acknowledged line", Some(Limit::Max(ms(5_000)))),
            ],
            Self::CorruptPage => vec![
                Timed::new("started on it, to the damage named", Some(Limit::Max(ms(5_000)))),
                Timed::new("put back, to an acknowledged write", Some(Limit::Max(ms(5_000)))),
            ],
            Self::ClockJump => vec![
                Timed::new("set forwards, to an acknowledged write", Some(Limit::Max(ms(5_000)))),
                Timed::new("set back, to an acknowledged write", Some(Limit::Max(ms(5_000)))),
                Timed::new("the slowest read meanwhile", Some(Limit::Max(ms(1_000)))),
            ],
            Self::CertificateExpired => vec![
                Timed::new("near its end, agent killed, to all games led", Some(Limit::Max(ms(5_000)))),
                Timed::new("past its end, agent killed, to all games led", Some(Limit::Max(ms(5_000)))),
            ],
        }
    }

    /// Breaks it once; one sample for each of `timed`. What was broken besides is added to `faults`.
    async fn once(
        self,
        scene: &Scene,
        load: &Load,
        repetition: u32,
        faults: &mut Vec<Fault>,
    ) -> Result<Vec<Duration>, DrillError> {
        match self {
            Self::ApiKilled => api_killed::once(scene, repetition).await,
            Self::ApiHangs => api_hangs::once(scene, repetition).await,
            Self::ApiSpins => api_stalls::once(scene, repetition, Stall::Spin).await,
            Self::ApiDeadlocked => api_stalls::once(scene, repetition, Stall::Wait).await,
            Self::AllApiKilled => all_api_killed::once(scene).await,
            Self::SupervisorKilled => supervisor_killed::once(scene).await,
            Self::AgentKilled => agent_killed::once(scene, load).await,
            Self::BadBuild => bad_build::once(scene).await,
            Self::BrokenConfiguration => broken_configuration::once(scene, repetition).await,
            Self::RetryStorm => retry_storm::once(scene).await,
            Self::LoginFlood => login_flood::once(scene).await,
            Self::StalePlan => stale_plan::once(scene, load, faults).await,
            // Has no load: see `without_load`.
            Self::ControlPlaneAway => Ok(Vec::new()),
            Self::DiskFull => disk_full::once(scene, load, faults).await,
            Self::SlowDisk => slow_disk::once(scene, load, faults).await,
            Self::FsyncError => fsync_error::once(scene, load, repetition, faults).await,
            Self::CorruptPage => corrupt_page::once(scene, load, faults).await,
            Self::ClockJump => clock_jump::once(scene, load, faults).await,
            Self::CertificateExpired => certificate_expired::once(scene, load, repetition, faults).await,
        }
    }

    /// Carries it out under load. `progress` is told of each repetition that is done and says whether to go on; a drill
    /// that is ended early is judged like a whole one, and takes away what it made.
    ///
    /// # Errors
    ///
    /// When it cannot be carried out to the end; a target that is missed is in the report.
    pub async fn run(
        self,
        scene: &Scene,
        pace: Pace,
        mut progress: impl FnMut(u32) -> bool,
    ) -> Result<Report, DrillError> {
        scene.ready().await?;
        if self == Self::ControlPlaneAway {
            return self.without_load(scene, pace, progress).await;
        }
        let load = Load::begin(scene.access()).await?;
        sleep(WARM_UP).await;
        let (mut timed, mut faults) = (self.timed(), Vec::new());
        let broken = self.repeat(scene, &load, pace.repetitions, &mut timed, &mut faults, &mut progress).await;
        // Also when it was given up: what the load made is taken away.
        let judged = load.end().await;
        let done = broken?;
        let mut judged = judged?;
        judged.faults.extend(faults);
        let figures = timed.iter().filter_map(Timed::figure).collect();
        Ok(Report::new(self.name(), self.number(), done, figures, judged))
    }

    /// The same where there is nobody who could ask for anything meanwhile.
    async fn without_load(
        self,
        scene: &Scene,
        pace: Pace,
        mut progress: impl FnMut(u32) -> bool,
    ) -> Result<Report, DrillError> {
        let stage = control_plane_away::Stage::set(scene).await?;
        let (mut timed, mut judged, mut done) = (self.timed(), Judgement::default(), 0);
        while done < pace.repetitions {
            scene.ready().await?;
            sleep(QUIET).await;
            let samples = stage.once(scene, pace, &mut judged.faults).await?;
            for (figure, sample) in timed.iter_mut().zip(samples) {
                figure.samples.push(sample);
            }
            done += 1;
            if !progress(done) {
                break;
            }
        }
        let figures = timed.iter().filter_map(Timed::figure).collect();
        Ok(Report::new(self.name(), self.number(), done, figures, judged))
    }

    async fn repeat(
        self,
        scene: &Scene,
        load: &Load,
        repetitions: u32,
        timed: &mut [Timed],
        faults: &mut Vec<Fault>,
        progress: &mut impl FnMut(u32) -> bool,
    ) -> Result<u32, DrillError> {
        let mut done = 0;
        for repetition in 0..repetitions {
            scene.ready().await?;
            sleep(QUIET).await;
            let samples = self.once(scene, load, repetition, faults).await?;
            for (figure, sample) in timed.iter_mut().zip(samples) {
                figure.samples.push(sample);
            }
            done += 1;
            if !progress(done) {
                break;
            }
        }
        // What comes later than the last repetition belongs to it, too.
        scene.ready().await?;
        sleep(QUIET).await;
        Ok(done)
    }
}

/// The API server whose turn it is, and the processes of all of them.
async fn pick(scene: &Scene, repetition: u32) -> Result<(Part, Vec<u32>), DrillError> {
    let names = scene.api_servers().await?;
    let turn = usize::try_from(repetition).unwrap_or_default() % names.len().max(1);
    let (mut victim, mut all) = (None, Vec::new());
    for (place, name) in names.iter().enumerate() {
        let part = scene.part(name).await?;
        all.push(part.pid());
        if place == turn {
            victim = Some(part);
        }
    }
    let victim = victim.ok_or_else(|| DrillError::Missing { part: "API server".to_owned() })?;
    Ok((victim, all))
}
