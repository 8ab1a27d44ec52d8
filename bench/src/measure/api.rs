//! Reads and durable writes a second, with two API servers and 10,000 servers in the store.
//!
//! The load comes from the same machine: what this program uses of the processors, the API servers do not have. So the
//! processor time of the API servers per request is shown beside the rates.

use std::rc::Rc;

use nodepanel_types::{ServerId, component::Role};

use crate::{
    client::idempotency_key,
    figure::Figure,
    installation::Installation,
    load::{Outcome, press},
    process::cpu_millis,
    seed,
};

pub const SERVERS: u16 = 10_000;
const CONNECTIONS: usize = 32;
const READING_S: usize = 8;
const WRITING_S: usize = 6;

pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let installation = Installation::start().await?;
    let ids = Rc::new(seed::fill(&installation, SERVERS).await?);
    let authorization = format!("authorization: Bearer {}", installation.token());

    // A connection asks for every 32nd server, so that no two of them ever write to the same one at once.
    let nth = |ids: &[ServerId], connection: usize, turn: usize| {
        let place = (turn * CONNECTIONS + connection) % (ids.len() / CONNECTIONS * CONNECTIONS);
        ids.get(place).map(ToString::to_string).unwrap_or_default()
    };
    let read = {
        let (ids, authorization) = (Rc::clone(&ids), authorization.clone());
        move |connection, turn| {
            let id = nth(&ids, connection, turn);
            format!("GET /api/v1/servers/{id} HTTP/1.1\r\nhost: bench\r\n{authorization}\r\n\r\n").into_bytes()
        }
    };
    let write = move |key: fn() -> String| {
        let (ids, authorization) = (Rc::clone(&ids), authorization.clone());
        move |connection: usize, turn: usize| {
            let id = nth(&ids, connection, turn);
            let body = format!("{{\"name\":\"Renamed {turn} times\"}}");
            let (length, key) = (body.len(), key());
            format!(
                "PATCH /api/v1/servers/{id} HTTP/1.1\r\nhost: bench\r\n{authorization}\r\n{key}\
                 content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
            )
            .into_bytes()
        }
    };

    let mut figures = Vec::new();
    let mut run = async |what: &str, aim, seconds, request: Box<dyn Fn(usize, usize) -> Vec<u8>>| {
        let servers = installation.pids(Role::Api)?;
        let request: Rc<dyn Fn(usize, usize) -> Vec<u8>> = request.into();
        let before = cpu(&servers)?;
        let outcome = press(installation.address(), CONNECTIONS, seconds, move |n, turn| request(n, turn)).await?;
        figures.extend(report(what, aim, cpu(&servers)? - before, outcome)?);
        anyhow::Ok(())
    };
    run("read of a server", Some(">= 20,000/s"), READING_S, Box::new(read)).await?;
    run("durable write", Some(">= 2,000/s"), WRITING_S, Box::new(write(String::new))).await?;
    let keyed = write(|| format!("idempotency-key: {}\r\n", idempotency_key()));
    run("durable write with an idempotency key", None, WRITING_S, Box::new(keyed)).await?;
    Ok(figures)
}

fn cpu(pids: &[u32]) -> anyhow::Result<f64> {
    pids.iter().map(|pid| cpu_millis(*pid)).sum()
}

#[expect(clippy::cast_precision_loss, reason = "a few million requests")]
fn report(what: &str, aim: Option<&'static str>, cpu: f64, outcome: Outcome) -> anyhow::Result<[Figure; 3]> {
    let micros_each = 1000.0 * cpu / outcome.millis.len() as f64;
    let rate = Figure::of(format!("api: {what}, rate"), "1/s", outcome.per_second)?;
    Ok([
        match aim {
            Some(aim) => rate.aim(aim),
            None => rate,
        },
        Figure::of(format!("api: {what}, {CONNECTIONS} at a time"), "ms", outcome.millis)?,
        Figure::of(format!("api: {what}, processor time of the API servers"), "µs", vec![micros_each])?,
    ])
}
