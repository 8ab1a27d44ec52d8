//! GET `/v1/servers/{id}/console` and `…/install/log`: numbered lines, also while nothing runs.

use std::{path::PathBuf, sync::Arc, time::Duration};

use http::Response;
use nodepanel_backbone::{Body, line_body};
use tokio::sync::watch;

use super::{
    problem::Refusal,
    route::{number, parameter},
};
use crate::server::{ConsoleQuery, Feed, Server, pump};

/// Pieces that may wait for a slow reader; the shim then skips and says so.
const WAITING: usize = 8;

pub(super) fn answer(server: &Arc<Server>, query: &str, heartbeat: Duration) -> Result<Response<Body>, Refusal> {
    stream(server.console().subscribe(), server.layout.log(), query, heartbeat)
}

pub(super) fn answer_install(
    server: &Arc<Server>,
    query: &str,
    heartbeat: Duration,
) -> Result<Response<Body>, Refusal> {
    stream(server.install().subscribe(), server.layout.install_log(), query, heartbeat)
}

fn stream(
    feed: watch::Receiver<Feed>,
    log: PathBuf,
    query: &str,
    heartbeat: Duration,
) -> Result<Response<Body>, Refusal> {
    let query = parse(query)?;
    let (sender, body) = line_body(WAITING, heartbeat);
    tokio::spawn(pump(feed, log, query, sender));
    Ok(Response::new(body))
}

fn parse(query: &str) -> Result<ConsoleQuery, Refusal> {
    let follow = match parameter(query, "follow") {
        None | Some("false" | "0") => false,
        Some("true" | "1") => true,
        Some(_) => return Err(Refusal::invalid("`follow` must be true or false")),
    };
    Ok(ConsoleQuery {
        after: number(query, "after")?,
        tail: number(query, "tail")?,
        follow,
        limit: number(query, "limit")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_and_checked() {
        let read = parse("after=5&follow=true&limit=10").unwrap();
        assert_eq!(read, ConsoleQuery { after: Some(5), tail: None, follow: true, limit: Some(10) });
        assert_eq!(parse("").unwrap(), ConsoleQuery::default());
        assert!(parse("after=-1").is_err() && parse("follow=maybe").is_err());
    }
}
