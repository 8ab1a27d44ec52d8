//! The judges against an API that breaks one promise at a time. A load on a sound API finds nothing; each fault is
//! found, and named for what it is.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod twin;

use std::time::Duration;

use nodepanel_drill::{
    Access, Bearer,
    check::Fault,
    load::{Judgement, Load},
};
use twin::{Twin, Vice};

/// How long the load works: some hundred operations.
const WHILE: Duration = Duration::from_millis(2_500);

async fn judged(vice: Option<Vice>) -> Judgement {
    let address = Twin::serve(vice).await;
    let access = Access { address, bearer: Bearer::fixed("anything".to_owned()) };
    let load = Load::begin(&access).await.unwrap();
    tokio::time::sleep(WHILE).await;
    let judgement = load.end().await.unwrap();
    assert!(judgement.counts.writes > 100, "{:?}", judgement.counts);
    judgement
}

/// Every fault that is found is of the kind that was made, and there is one.
async fn finds(vice: Vice, kind: fn(&Fault) -> bool) {
    finds_among(vice, kind, |_| false).await;
}

/// The same for a fault that has others in its train.
async fn finds_among(vice: Vice, kind: fn(&Fault) -> bool, train: fn(&Fault) -> bool) {
    let judgement = judged(Some(vice)).await;
    assert!(judgement.faults.iter().any(kind), "{vice:?} was not found: {:?}", judgement.faults);
    let others: Vec<&Fault> = judgement.faults.iter().filter(|fault| !kind(fault) && !train(fault)).collect();
    assert!(others.is_empty(), "{vice:?} was taken for something else: {others:?}");
}

#[tokio::test]
async fn a_sound_api_is_found_sound() {
    let judgement = judged(None).await;
    assert_eq!(judgement.faults, []);
    assert_eq!((judgement.counts.failed, judgement.counts.unknown, judgement.counts.refused), (0, 0, 0));
}

#[tokio::test]
async fn lost_writes_are_found() {
    finds(Vice::LosesNames, |fault| matches!(fault, Fault::Lost(_))).await;
    finds(Vice::LosesKeys, |fault| matches!(fault, Fault::Lost(_))).await;
    finds(Vice::ForgetsRevocations, |fault| matches!(fault, Fault::Lost(_))).await;
    finds(Vice::LosesLines, |fault| matches!(fault, Fault::Lost(_))).await;
}

#[tokio::test]
async fn writes_that_happen_twice_are_found() {
    // Revoked, the second key of a name is also one that is there although it was revoked.
    finds_among(
        Vice::MakesKeysTwice,
        |fault| matches!(fault, Fault::Twice(_)),
        |fault| matches!(fault, Fault::Lost(_)),
    )
    .await;
    finds(Vice::TypesTwice, |fault| matches!(fault, Fault::Twice(_))).await;
}

#[tokio::test]
async fn gaps_in_a_console_are_found() {
    finds(Vice::SkipsLines, |fault| matches!(fault, Fault::Gap(_))).await;
    finds(Vice::RepeatsLines, |fault| matches!(fault, Fault::Gap(_))).await;
}

#[tokio::test]
async fn errors_that_users_see_are_found() {
    finds(Vice::Fails, |fault| matches!(fault, Fault::Seen(_))).await;
    finds(Vice::ForgetsSessions, |fault| matches!(fault, Fault::Seen(_))).await;
}

#[tokio::test]
async fn a_refusal_that_was_carried_out_is_found() {
    let invented = |fault: &Fault| matches!(fault, Fault::Invented(_));
    finds_among(Vice::RefusesAndTypes, invented, |fault| matches!(fault, Fault::Seen(_))).await;
}
