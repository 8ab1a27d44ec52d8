//! Plans that were made on what a server was like some time ago are applied late.
//!
//! Customers look at servers and decide what to change; others change the same servers meanwhile, and the API servers
//! that they looked at are killed. Then the plans come, under the version that they were made on, and once more under
//! the same keys after the agent was killed as well. Each must be refused both times as what it is, in time, and
//! nothing of any may be in force.
//!
//! What is offered late here is a change of what is wanted, over the API. What an API server sends to a machine late,
//! after another one sent something newer, is refused by the generation that the agent holds: `crates/agent/tests`
//! (`requests`, `life`), and with delays and deaths of every kind in `crates/control/tests/simulation`. What a leader
//! of the reconcilers writes after its lease is refused by its fencing token: `crates/store/tests` (`election`). A
//! drill could do either only with a switch in the product.

use std::time::Duration;

use http::Method;
use nodepanel_types::{
    ServerId,
    component::Role,
    problem::{Problem, ProblemCode},
    wire::Limits,
};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    check::Fault,
    error::DrillError,
    history::Outcome,
    http::{Access, Request},
    load::{Load, mark, read},
    scene::{PATIENCE, Part, Scene},
    user::User,
};

/// Plans for each game server of the load.
const PLANS: u32 = 4;
/// How long the others are given between two looks at what they changed.
const PAUSE: Duration = Duration::from_millis(20);

/// What is known of a server.
#[derive(Deserialize)]
struct Seen {
    generation: u64,
    limits: Limits,
}

/// Makes plans, lets them grow stale, and offers them; how long the slowest refusal took.
pub async fn once(scene: &Scene, load: &Load, faults: &mut Vec<Fault>) -> Result<Vec<Duration>, DrillError> {
    let (mut plans, mut before) = (Vec::new(), Vec::new());
    for game in load.games() {
        let seen = look(load.access(), game.id).await?;
        plans.extend((0..PLANS).map(|number| plan(game.id, &seen, number)));
        before.push((game.id, seen));
    }
    for (server, seen) in &before {
        changed_by_others(load.access(), *server, seen.generation).await?;
    }
    let mut givers = Vec::new();
    for name in scene.api_servers().await? {
        givers.push(scene.part(&name).await?);
    }
    for giver in &givers {
        end(scene, giver).await?;
    }
    scene.new_api_server(&givers.iter().map(Part::pid).collect::<Vec<_>>()).await?;
    let slowest = offer(load.access(), &plans, faults).await;

    end(scene, &scene.part(Role::Agent.as_str()).await?).await?;
    offer(load.access(), &plans, faults).await;
    scene.ready().await?;
    for game in load.games() {
        load.press(game).await?;
    }
    for (server, seen) in before {
        let now = look(load.access(), server).await?.limits;
        if now != seen.limits {
            faults.push(Fault::Seen(format!("The server {server} has limits of a stale plan: {now:?}.")));
        }
    }
    Ok(vec![slowest])
}

/// A change of what nobody else changes, under the version that was seen.
fn plan(server: ServerId, seen: &Seen, number: u32) -> Request {
    let limits = Limits { disk_mib: Some(100_000 + number), ..seen.limits };
    let body = json!({"limits": limits, "generation": seen.generation});
    Request::keyed(Method::PATCH, format!("/api/v1/servers/{server}"), &body, mark())
}

async fn look(access: &Access, server: ServerId) -> Result<Seen, DrillError> {
    read(access, &format!("/api/v1/servers/{server}")).await
}

/// Waits until the users of the load have changed it.
async fn changed_by_others(access: &Access, server: ServerId, since: u64) -> Result<(), DrillError> {
    let begun = Instant::now();
    while look(access, server).await?.generation == since {
        if begun.elapsed() > PATIENCE {
            return Err(DrillError::Late { what: format!("a change of {server}"), waited: begun.elapsed() });
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

async fn end(scene: &Scene, part: &Part) -> Result<(), DrillError> {
    scene.announce(part, "stale-plan").await?;
    part.kill()?;
    part.ended().await
}

/// Offers all of them at once; how long the slowest refusal took. Whatever is no refusal is a fault.
async fn offer(access: &Access, plans: &[Request], faults: &mut Vec<Fault>) -> Duration {
    let mut offers = JoinSet::new();
    for (plan, seed) in plans.iter().cloned().zip(1..) {
        let mut user = User::new(access.clone(), seed);
        offers.spawn(async move {
            let begun = Instant::now();
            let asked = user.ask(&plan).await;
            (plan, asked, begun.elapsed())
        });
    }
    let mut slowest = Duration::ZERO;
    while let Some(ended) = offers.join_next().await {
        let Ok((plan, asked, took)) = ended else { continue };
        slowest = slowest.max(took);
        let problem = asked.answer.as_ref().and_then(|answer| serde_json::from_slice::<Problem>(&answer.body).ok());
        match asked.outcome {
            Outcome::Failed { .. } if problem.is_some_and(|problem| problem.code == ProblemCode::Changed) => {}
            other => faults.push(Fault::Seen(format!("A stale plan, PATCH {}: {other:?}.", plan.path))),
        }
    }
    slowest
}
