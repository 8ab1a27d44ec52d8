//! Reads a machine's journal as a control plane does: what was heard is kept, and the next stream begins after it.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use nodepanel_types::wire::{ActivityEntry, JournalFrame, path};
use tokio::time::timeout;

use crate::world::World;

/// Entries in the order in which they were delivered.
pub type Heard = Vec<ActivityEntry>;

/// Reads for ever. Streams break with the agent, and now and then with the link.
pub async fn read(world: Arc<World>, index: usize) {
    let machine = &world.machines[index];
    loop {
        world.chance.pause(20, 500).await;
        let from = match world.heard[index].lock().unwrap().last() {
            None => path::JOURNAL.to_owned(),
            Some(last) => format!("{}?after={}&at={}", path::JOURNAL, last.n, last.at.as_millis()),
        };
        let Some((body, life)) = machine.stream(&from).await else { continue };
        let mut chunks = body.into_data_stream();
        loop {
            let chunk = tokio::select! {
                biased;
                () = life.end() => break,
                chunk = chunks.next() => chunk,
            };
            world.chance.pause(0, 20).await;
            let (Some(Ok(chunk)), false) = (chunk, world.is_lossy() && world.chance.once_in(20)) else { break };
            for line in chunk.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                match serde_json::from_slice(line).unwrap() {
                    JournalFrame::Begin { .. } => {}
                    JournalFrame::Entry(entry) => world.heard[index].lock().unwrap().push(entry),
                }
            }
        }
    }
}

/// The whole journal, read at once.
pub async fn whole(world: &World, index: usize) -> Heard {
    let (body, _) = world.machines[index].stream(path::JOURNAL).await.unwrap();
    let mut chunks = body.into_data_stream();
    let mut heard = Vec::new();
    // A stream of what is on the disk ends in silence.
    while let Ok(Some(chunk)) = timeout(Duration::from_millis(500), chunks.next()).await {
        for line in chunk.unwrap().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if let JournalFrame::Entry(entry) = serde_json::from_slice(line).unwrap() {
                heard.push(entry);
            }
        }
    }
    heard
}
