//! A connection that carries messages as JSON lines, and descriptors with them (`SCM_RIGHTS`).
//!
//! Both directions are bounded: a line, and the descriptors that wait for the message they belong to.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{BorrowedFd, OwnedFd},
    time::Duration,
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::Interest,
    net::UnixStream,
    time::{error::Elapsed, timeout},
};

/// The longest message, in bytes: the report of an agent with some thousand shims fits.
const LINE_BYTES: usize = 2 * 1024 * 1024;
/// The most descriptors that wait, and that come with one message.
const DESCRIPTORS: usize = 16;
/// How long the other side may take to make room for a message.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// Who is at the other end, as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its process id at the time it connected; `None` when it lives in a pid namespace that we cannot see into.
    pub pid: Option<u32>,
    /// Its user id.
    pub uid: u32,
}

/// Why a connection is of no use any more.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The system's reason.
    #[error("the connection to the other process broke")]
    Io(#[from] io::Error),
    /// It takes no messages.
    #[error("the other process does not read what it is sent")]
    Stuck(#[from] Elapsed),
    /// A line is no message.
    #[error("the other process sent something that is not a message")]
    Malformed(#[from] serde_json::Error),
    /// A line does not end.
    #[error("the other process sent a message of more than {LINE_BYTES} bytes")]
    TooLong,
}

/// One connection.
#[derive(Debug)]
pub struct Channel {
    stream: UnixStream,
    received: Vec<u8>,
    /// How much of `received` is known to hold no line end.
    searched: usize,
    descriptors: VecDeque<OwnedFd>,
}

impl Channel {
    /// Talks over `stream`.
    pub const fn new(stream: UnixStream) -> Self {
        Self { stream, received: Vec::new(), searched: 0, descriptors: VecDeque::new() }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> io::Result<Peer> {
        let cred = self.stream.peer_cred()?;
        Ok(Peer { pid: cred.pid().and_then(|pid| u32::try_from(pid).ok()), uid: cred.uid() })
    }

    /// Sends a message with descriptors (at most 16).
    pub async fn send<M: Serialize>(&self, message: &M, descriptors: &[BorrowedFd<'_>]) -> Result<(), ChannelError> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        timeout(SEND_TIMEOUT, self.send_line(&line, descriptors)).await??;
        Ok(())
    }

    async fn send_line(&self, line: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let (mut rest, mut descriptors) = (line, descriptors);
        while !rest.is_empty() {
            let sent = self
                .stream
                .async_io(Interest::WRITABLE, || {
                    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
                    let mut control = SendAncillaryBuffer::new(&mut space);
                    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
                        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors"));
                    }
                    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
                    Ok(sendmsg(&self.stream, &[IoSlice::new(rest)], &mut control, flags)?)
                })
                .await?;
            // Descriptors travel with the first byte.
            descriptors = &[];
            rest = rest.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    /// The next message; `None` when the other side closed. May be cancelled without losing anything.
    pub async fn receive<M: DeserializeOwned>(&mut self) -> Result<Option<M>, ChannelError> {
        loop {
            if let Some(line) = self.next_line()? {
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            if !self.receive_more().await? {
                return Ok(None);
            }
        }
    }

    /// The descriptors that came with the messages so far, oldest first, at most `count`.
    pub fn take_descriptors(&mut self, count: usize) -> Vec<OwnedFd> {
        let count = count.min(self.descriptors.len());
        self.descriptors.drain(..count).collect()
    }

    fn next_line(&mut self) -> Result<Option<Vec<u8>>, ChannelError> {
        let unseen = self.received.get(self.searched..).unwrap_or_default();
        match unseen.iter().position(|byte| *byte == b'\n') {
            Some(offset) => {
                let line = self.received.drain(..=self.searched + offset).collect();
                self.searched = 0;
                Ok(Some(line))
            }
            None if self.received.len() > LINE_BYTES => Err(ChannelError::TooLong),
            None => {
                self.searched = self.received.len();
                Ok(None)
            }
        }
    }

    async fn receive_more(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 8192];
        let stream = &self.stream;
        let descriptors = &mut self.descriptors;
        let count = stream
            .async_io(Interest::READABLE, || {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
                let mut control = RecvAncillaryBuffer::new(&mut space);
                let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
                let received = recvmsg(stream, &mut [IoSliceMut::new(&mut buffer)], &mut control, flags)?;
                for message in control.drain() {
                    if let RecvAncillaryMessage::ScmRights(handed) = message {
                        descriptors.extend(handed);
                    }
                }
                Ok(received.bytes)
            })
            .await?;
        // What nobody asked for is closed instead of kept.
        descriptors.truncate(DESCRIPTORS);
        self.received.extend_from_slice(buffer.get(..count).unwrap_or_default());
        Ok(count > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, os::fd::AsFd};

    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn messages_and_sockets_arrive_together_and_in_order() {
        let (a, b) = UnixStream::pair().unwrap();
        let (a, mut b) = (Channel::new(a), Channel::new(b));
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        a.send(&"first", &[]).await.unwrap();
        a.send(&"second", &[socket.as_fd()]).await.unwrap();
        assert_eq!(b.receive::<String>().await.unwrap().unwrap(), "first");
        assert_eq!(b.receive::<String>().await.unwrap().unwrap(), "second");
        let handed = TcpListener::from(b.take_descriptors(1).pop().unwrap());
        assert_eq!(handed.local_addr().unwrap(), socket.local_addr().unwrap());
        drop(a);
        assert!(b.receive::<String>().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_long_message_arrives_whole() {
        let (a, b) = UnixStream::pair().unwrap();
        let (a, mut b) = (Channel::new(a), Channel::new(b));
        let text = "x".repeat(LINE_BYTES / 2);
        let (sent, received) = tokio::join!(a.send(&text, &[]), b.receive::<String>());
        sent.unwrap();
        assert_eq!(received.unwrap().unwrap(), text);
    }

    #[tokio::test]
    async fn a_message_without_an_end_is_refused() {
        let (mut a, b) = UnixStream::pair().unwrap();
        let mut b = Channel::new(b);
        let writer = tokio::spawn(async move { a.write_all(&vec![b'x'; 2 * LINE_BYTES]).await });
        assert!(matches!(b.receive::<String>().await, Err(ChannelError::TooLong)));
        drop(b);
        assert!(writer.await.unwrap().is_err());
    }
}
