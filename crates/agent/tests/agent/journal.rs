//! What the node did waits on its disk until somebody has it, and is told from where the reader stopped.

use nodepanel_types::{
    state::PowerAction,
    wire::{ActivityEntry, JournalFrame, path},
};

use crate::harness::{Frames, Home, TestAgent, server};

/// Where a stream begins, and its first `count` entries.
async fn read(agent: &TestAgent, query: &str, count: usize) -> (u64, Vec<ActivityEntry>) {
    let mut frames = Frames::open(agent, &format!("{}{query}", path::JOURNAL)).await;
    let JournalFrame::Begin { from } = frames.next().await else { panic!("a stream says where it begins") };
    let mut entries = Vec::new();
    while entries.len() < count {
        let JournalFrame::Entry(entry) = frames.next().await else { panic!("a stream begins once") };
        entries.push(entry);
    }
    (from, entries)
}

fn after(entry: &ActivityEntry) -> String {
    format!("?after={}&at={}", entry.n, entry.at.as_millis())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_goes_on_where_it_stopped_also_with_the_next_agent() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&[]);
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    agent.power(&mut desired, PowerAction::Stop).await;
    agent.wait_for_state(desired.server, "stopped").await;
    let (from, all) = read(&agent, "", 2).await;
    assert_eq!((from, all[0].n, all[1].n), (1, 1, 2));
    let (from, rest) = read(&agent, &after(&all[0]), 1).await;
    assert_eq!((from, &rest[0]), (2, &all[1]));

    // A reader that has everything waits, and is told what happens while nobody but the next agent is there.
    agent.agent.close().await;
    let agent = home.agent().await;
    let mut last = all[1].clone();
    loop {
        let so_far = agent.activity(desired.server).await;
        let newest = so_far.first().unwrap().n;
        if newest == last.n {
            break;
        }
        last = read(&agent, &after(&last), 1).await.1.remove(0);
    }
    let mut waiting = Frames::open(&agent, &format!("{}{}", path::JOURNAL, after(&last))).await;
    assert_eq!(waiting.next::<JournalFrame>().await, JournalFrame::Begin { from: last.n + 1 });
    agent.power(&mut desired, PowerAction::Start).await;
    let JournalFrame::Entry(next) = waiting.next().await else { panic!("a stream begins once") };
    assert_eq!(next.n, last.n + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_other_records_is_told_everything() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&[]);
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    let (_, all) = read(&agent, "", 1).await;
    for other in [format!("?after={}&at=5", all[0].n), "?after=900&at=5".to_owned(), "?after=900".to_owned()] {
        assert_eq!(read(&agent, &other, 1).await, (1, all.clone()), "{other}");
    }
}
