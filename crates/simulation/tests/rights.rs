//! Rights that are given and taken away while everything fails: whoever was given one is never told that they lack it
//! by an API server that has not heard of it yet.

use std::{sync::Arc, time::Duration};

use nodepanel_control::{Context, ControlError, Credential, IdempotencyKey, ListQuery};
use nodepanel_types::{RequestId, api::UpdateUser, clock::IdSource as _, permission::UserRole, problem::ProblemCode};
use tokio::time::Instant;

use crate::world::{Plane, World};

/// How long the administrator waits for one answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often a change is asked for at most.
const TRIES: usize = 15;

/// Makes somebody an administrator and takes it back, again and again, and has them look at the nodes in between.
pub async fn shift(world: Arc<World>, until: Instant) {
    for role in [UserRole::Administrator, UserRole::User].into_iter().cycle() {
        world.chance.pause(100, 1_500).await;
        // What nobody answered may still happen, and then nobody knows what the right answer is.
        if Instant::now() >= until || !give(&world, role).await {
            return;
        }
        for _ in 0..3 {
            look(&world, role).await;
        }
    }
}

/// Changes the role; whether that was acknowledged.
async fn give(world: &Arc<World>, role: UserRole) -> bool {
    let mut context = world.context();
    context.key = Some(IdempotencyKey { key: world.chance.uuid().to_string(), fingerprint: [1; 32] });
    for _ in 0..TRIES {
        world.chance.pause(30, 400).await;
        let Some(plane) = world.plane(world.chance.below(world.planes())) else { continue };
        let exchange = tokio::spawn({
            let (world, plane, context) = (Arc::clone(world), Arc::clone(&plane), context.clone());
            async move {
                plane.life.pass().await;
                plane.control.catch_up().await;
                let body = UpdateUser { role: Some(role), ..UpdateUser::default() };
                let outcome = plane.control.update_user(&context, world.operator, body).await;
                plane.life.pass().await;
                outcome
            }
        });
        let outcome = tokio::select! {
            biased;
            () = plane.life.end() => continue,
            outcome = tokio::time::timeout(PATIENCE, exchange) => outcome,
        };
        match outcome {
            Err(_) => {}
            Ok(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
            Ok(Ok(Ok(view))) => {
                world.teller.tell("rights changed", format_args!("{} is {:?}", view.email, view.role));
                return true;
            }
            Ok(Ok(Err(error))) => assert!(error.code().status() >= 500, "nobody else changes this user: {error}"),
        }
    }
    false
}

/// Looks at the nodes, which takes an administrator.
async fn look(world: &World, role: UserRole) {
    world.chance.pause(0, 300).await;
    let Some(plane) = world.plane(world.chance.below(world.planes())) else { return };
    let asking = async {
        plane.life.pass().await;
        plane.control.catch_up().await;
        plane.life.pass().await;
        (ask(world, &plane), plane.control.is_behind())
    };
    let (answer, behind) = tokio::select! {
        biased;
        () = plane.life.end() => return,
        answer = asking => answer,
    };
    match (role, answer) {
        (UserRole::User, Err(error)) if error.code() == ProblemCode::Forbidden => {
            world.teller.tell("forbidden", "what was taken away");
        }
        // Who is cut off goes on with what was known.
        (UserRole::Administrator, Ok(())) => {}
        (UserRole::User, Ok(())) if behind => {}
        (_, Err(error)) if error.code().status() >= 500 => assert!(behind, "{error}"),
        (role, answer) => panic!("who is {role:?} was answered {answer:?}"),
    }
}

fn ask(world: &World, plane: &Plane) -> Result<(), ControlError> {
    let known = plane.control.authenticate(&Credential::Bearer(world.operators_key.clone()))?;
    let context = Context::new(known.actor, RequestId::from_uuid(world.chance.uuid()));
    plane.control.list_nodes(&context, &ListQuery { limit: 10, ..ListQuery::default() }).map(drop)
}
