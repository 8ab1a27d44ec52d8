//! Takes a sample of every server that runs, once a second.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    time::Instant,
};

use nodepanel_types::{
    ServerId, Timestamp,
    state::Run,
    stats::{NodeUsage, Sample},
    wire::ServerSample,
};

use super::{Machine, network::Traffic, tree};
use crate::{
    cgroup::{Group, Reading, Sensor, Totals, TrafficCounter},
    query::Players,
};

/// A server that runs and is to be measured.
#[derive(Debug, Clone)]
pub struct Target {
    /// Which.
    pub server: ServerId,
    /// Its process.
    pub run: Run,
    /// Its group, where there is one.
    pub group: Option<Group>,
    /// The size of its directory, as far as known.
    pub disk_bytes: Option<u64>,
    /// The user whose TCP connections are all of its traffic, when there is such a one; asked where the group does not
    /// count.
    pub traffic_of: Option<u32>,
    /// Who plays, when the game told lately.
    pub players: Option<Players>,
}

/// The counters of all servers between two samples.
#[derive(Debug)]
pub struct Sampler {
    machine: Machine,
    meters: HashMap<ServerId, Meter>,
    traffic: Traffic,
    units: tree::Units,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Meter {
    run: Run,
    sensor: Option<Sensor>,
    traffic: Option<TrafficCounter>,
    last: Option<(Instant, Reading)>,
    carried: Option<(Instant, Totals)>,
}

impl Sampler {
    /// A sampler for servers that lie in `data`.
    pub fn new(data: PathBuf) -> Self {
        Self {
            machine: Machine::new(data),
            meters: HashMap::new(),
            traffic: Traffic::default(),
            units: tree::Units::read(),
            buffer: Vec::new(),
        }
    }

    /// Measures the machine and `targets`. Blocks: about ten microseconds a server, and a few for every connection of
    /// the machine.
    pub fn sample(&mut self, targets: &[Target], at: Timestamp) -> (NodeUsage, Vec<ServerSample>) {
        if self.meters.len() > targets.len() {
            let known: HashSet<_> = targets.iter().map(|target| target.server).collect();
            self.meters.retain(|server, _| known.contains(server));
        }
        let mut users = HashSet::new();
        for target in targets {
            let meter = self.meters.entry(target.server).or_insert_with(|| Meter::new(target));
            if meter.run != target.run {
                *meter = Meter::new(target);
            }
            users.extend(target.traffic_of.filter(|_| meter.traffic.is_none()));
        }
        self.traffic.look(&users);
        let samples = targets.iter().filter_map(|target| self.sample_one(target, at)).collect();
        (self.machine.usage(), samples)
    }

    fn sample_one(&mut self, target: &Target, at: Timestamp) -> Option<ServerSample> {
        let meter = self.meters.get_mut(&target.server)?;
        let reading = match &meter.sensor {
            Some(sensor) => sensor.read(&mut self.buffer),
            None => tree::usage(target.run.pid, self.units),
        };
        let cpu_percent = reading.and_then(|reading| {
            let now = Instant::now();
            let (then, before) = meter.last.replace((now, reading))?;
            let wall = u64::try_from(now.duration_since(then).as_micros()).unwrap_or(u64::MAX).max(1);
            // In a tree without a group the time of a process that ended disappears from the sum.
            let used = reading.cpu_us.checked_sub(before.cpu_us)?;
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a percentage")]
            Some((used as f64 / wall as f64 * 100.0) as f32)
        });
        let carried = match &meter.traffic {
            Some(counter) => counter.totals().ok().map(|totals| (Instant::now(), totals)),
            None => target.traffic_of.and_then(|uid| self.traffic.totals(uid)),
        };
        let network = carried.and_then(|carried| meter.rates(carried));
        let sample = Sample {
            at,
            cpu_percent,
            memory_bytes: reading.map(|reading| reading.memory_bytes),
            disk_bytes: target.disk_bytes,
            network_in_bps: network.map(|(received, _)| received),
            network_out_bps: network.map(|(_, sent)| sent),
            uptime_s: Some(at.since(target.run.started_at) / 1_000),
            players: target.players.map(|players| players.online),
            players_max: target.players.and_then(|players| players.max),
        };
        Some(ServerSample { server: target.server, sample })
    }
}

impl Meter {
    fn new(target: &Target) -> Self {
        let group = target.group.as_ref();
        Self {
            run: target.run,
            sensor: group.and_then(Group::sensor),
            traffic: group.and_then(Group::traffic),
            last: None,
            carried: None,
        }
    }

    /// Bytes per second received and sent since the call before; `None` at the first.
    fn rates(&mut self, (now, carried): (Instant, Totals)) -> Option<(u64, u64)> {
        let (then, before) = self.carried.replace((now, carried))?;
        let wall_us = now.duration_since(then).as_micros().max(1);
        let rate = |now: u64, before: u64| {
            let bytes = u128::from(now.checked_sub(before)?);
            u64::try_from(bytes * 1_000_000 / wall_us).ok()
        };
        Some((rate(carried.received, before.received)?, rate(carried.sent, before.sent)?))
    }
}
