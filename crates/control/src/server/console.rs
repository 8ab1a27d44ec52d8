//! A console as a stream that survives its node's silence, its agent's restart and its own API server's links.
//!
//! Frames pass through unread, but for the number of the last line: the stream goes on after it when the node is back,
//! so that its reader misses nothing and reads nothing twice.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use nodepanel_types::{
    NodeId, ServerId,
    permission::Permission,
    wire::{ConsoleFrame, path},
};
use tokio::sync::mpsc;

use super::command::node_error;
use crate::{
    Context, ControlError, ControlPlane,
    authorize::Scope,
    nodes::{NodeError, Nodes},
};

/// Chunks that wait for a slow reader; behind them the lines wait in the shim.
const BUFFERED: usize = 16;
/// The first and the longest pause between two tries to reach a silent node.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How long a node may take to send the lines that are asked for at once.
const LINES_DEADLINE: Duration = Duration::from_secs(3);

/// Whose lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleSource {
    /// The game's.
    Game,
    /// The last installation's.
    Installation,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleFrom {
    /// After the line with this number.
    After(u64),
    /// With the newest lines, this many.
    Tail(u32),
}

/// What a reader of a console is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsoleEvent {
    /// One or more NDJSON frames.
    Frames(String),
    /// The way to the console was lost or is back.
    Link {
        /// Whether lines come.
        connected: bool,
        /// Why not, in words.
        reason: Option<String>,
    },
}

/// A console, without end. Dropping it ends the reading.
pub type ConsoleStream = Pin<Box<dyn Stream<Item = ConsoleEvent> + Send>>;

impl ControlPlane {
    /// The live console.
    pub fn console(
        &self,
        context: &Context,
        id: ServerId,
        source: ConsoleSource,
        from: ConsoleFrom,
    ) -> Result<ConsoleStream, ControlError> {
        let server = self.server_record(id)?;
        self.require(&context.actor, Permission::ConsoleRead, Scope::Server(&server.record))?;
        let (sender, receiver) = mpsc::channel(BUFFERED);
        let reading = Reading { nodes: Arc::clone(&self.nodes), node: server.record.node, id, source, from };
        tokio::spawn(reading.run(sender));
        Ok(Box::pin(tokio_stream::wrappers::ReceiverStream::new(receiver)))
    }

    /// Lines that there are now.
    pub async fn console_lines(
        &self,
        context: &Context,
        id: ServerId,
        source: ConsoleSource,
        from: ConsoleFrom,
        limit: u32,
    ) -> Result<Vec<ConsoleFrame>, ControlError> {
        let server = self.server_record(id)?;
        self.require(&context.actor, Permission::ConsoleRead, Scope::Server(&server.record))?;
        let place = format!("{}&follow=false&limit={limit}", place(id, source, from));
        let body = self
            .nodes
            .call(server.record.node, &place, None, LINES_DEADLINE)
            .await
            .map_err(|error| node_error(&error))?;
        body.split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(serde_json::from_slice)
            .collect::<Result<_, _>>()
            .map_err(|error| ControlError::Internal(format!("a node sent console lines that cannot be read: {error}")))
    }
}

fn place(id: ServerId, source: ConsoleSource, from: ConsoleFrom) -> String {
    let base = match source {
        ConsoleSource::Game => path::console(id),
        ConsoleSource::Installation => path::install_log(id),
    };
    match from {
        ConsoleFrom::After(number) => format!("{base}?after={number}"),
        ConsoleFrom::Tail(count) => format!("{base}?tail={count}"),
    }
}

struct Reading {
    nodes: Arc<dyn Nodes>,
    node: NodeId,
    id: ServerId,
    source: ConsoleSource,
    from: ConsoleFrom,
}

/// The reader is gone.
struct Gone;

impl Reading {
    async fn run(mut self, to: mpsc::Sender<ConsoleEvent>) {
        let mut pause = RETRY.0;
        let mut told_lost = false;
        loop {
            let reason = match self.connect().await {
                Ok(mut stream) => {
                    if told_lost && tell(&to, ConsoleEvent::Link { connected: true, reason: None }).await.is_err() {
                        return;
                    }
                    told_lost = false;
                    match self.pass_on(&mut stream, &to).await {
                        Ok(why) => {
                            pause = RETRY.0;
                            why
                        }
                        Err(Gone) => return,
                    }
                }
                Err(error) => error.to_string(),
            };
            // A quick reconnection (another link, a restarted agent) is nobody's business.
            if !told_lost && pause > RETRY.0 * 4 {
                told_lost = true;
                if tell(&to, ConsoleEvent::Link { connected: false, reason: Some(reason) }).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = to.closed() => return,
            }
            pause = (pause * 2).min(RETRY.1);
        }
    }

    async fn connect(&self) -> Result<crate::nodes::NodeStream, NodeError> {
        let place = format!("{}&follow=true", place(self.id, self.source, self.from));
        self.nodes.stream(self.node, &place).await
    }

    /// Passes chunks on until the stream ends, and says why it did.
    async fn pass_on(
        &mut self,
        stream: &mut crate::nodes::NodeStream,
        to: &mpsc::Sender<ConsoleEvent>,
    ) -> Result<String, Gone> {
        loop {
            let chunk = tokio::select! {
                chunk = stream.next() => chunk,
                () = to.closed() => return Err(Gone),
            };
            match chunk {
                Some(Ok(chunk)) => {
                    if let Some(number) = last_number(&chunk) {
                        self.from = ConsoleFrom::After(number);
                    }
                    let text = String::from_utf8_lossy(&chunk).into_owned();
                    tell(to, ConsoleEvent::Frames(text)).await?;
                }
                Some(Err(error)) => return Ok(error.to_string()),
                None => return Ok("the node ended the console's stream".to_owned()),
            }
        }
    }
}

async fn tell(to: &mpsc::Sender<ConsoleEvent>, event: ConsoleEvent) -> Result<(), Gone> {
    to.send(event).await.map_err(|_| Gone)
}

/// The number after which a reader of these whole lines goes on: that of the last line or the end of the last gap.
fn last_number(chunk: &Bytes) -> Option<u64> {
    chunk.rsplit(|byte| *byte == b'\n').filter(|line| !line.is_empty()).find_map(|line| {
        match serde_json::from_slice(line) {
            Ok(ConsoleFrame::Line(line)) => Some(line.n),
            Ok(ConsoleFrame::Gap { gap }) => Some(gap.to),
            Ok(ConsoleFrame::At { .. }) | Err(_) => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reading_goes_on_after_the_last_line_or_gap() {
        let number = |text: &'static str| last_number(&Bytes::from_static(text.as_bytes()));
        assert_eq!(
            number("{\"n\":1,\"t\":0,\"k\":\"out\",\"s\":\"a\"}\n{\"n\":2,\"t\":0,\"k\":\"out\",\"s\":\"b\"}\n"),
            Some(2)
        );
        assert_eq!(
            number("{\"gap\":{\"from\":3,\"to\":9,\"why\":\"rotated\"}}\n{\"at\":{\"first\":1,\"next\":10}}\n"),
            Some(9)
        );
        assert_eq!(number("{\"at\":{\"first\":1,\"next\":10}}\n"), None);
    }
}
