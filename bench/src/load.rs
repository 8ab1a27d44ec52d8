//! Many requests at once over connections that are kept. It speaks just enough HTTP/1.1 to cost little: this program
//! shares the machine with what it measures.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

/// How long any answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// No answer that is asked for here is longer.
const LONGEST: usize = 64 * 1024;

/// One connection and what it has read.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(LONGEST) })
    }

    /// Sends a whole request and reads the whole answer, which must be a success.
    pub async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<()> {
        timeout(PATIENCE, self.exchange_patiently(request)).await.context("there is no answer")?
    }

    async fn exchange_patiently(&mut self, request: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the connection was closed in the middle");
            }
            if let Some(length) = length_of_answer(&self.buffer)? {
                if self.buffer.len() >= length {
                    return Ok(());
                }
            } else if self.buffer.len() > LONGEST {
                bail!("the answer has no end");
            }
        }
    }
}

/// The length of the answer that begins here, when its head is complete.
fn length_of_answer(bytes: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(head_end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let (head, _) = bytes.split_at(head_end);
    let head = std::str::from_utf8(head)?;
    if !head.starts_with("HTTP/1.1 2") {
        bail!("the answer is {}", String::from_utf8_lossy(bytes));
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    Ok(Some(head_end + 4 + length.context("the answer does not say its length")??))
}

/// What came of a load.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Requests that were answered in each full second.
    pub per_second: Vec<f64>,
    /// How long each request took, in milliseconds.
    pub millis: Vec<f64>,
}

/// Asks without a pause on `connections` connections for `seconds`. `request(connection, turn)` is what is sent.
pub async fn press(
    address: SocketAddr,
    connections: usize,
    seconds: usize,
    request: impl Fn(usize, usize) -> Vec<u8> + Clone + 'static,
) -> anyhow::Result<Outcome> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(address).await?);
    }
    let begin = Instant::now();
    let end = begin + Duration::from_secs(u64::try_from(seconds)?);
    let tasks = open.into_iter().enumerate().map(|(number, mut connection)| {
        let request = request.clone();
        async move {
            let mut answers: Vec<(Instant, Duration)> = Vec::new();
            for turn in 0.. {
                let bytes = request(number, turn);
                let sent = Instant::now();
                if sent >= end {
                    break;
                }
                connection.exchange(&bytes).await?;
                answers.push((sent, sent.elapsed()));
            }
            anyhow::Ok(answers)
        }
    });
    let answers: Vec<_> = futures_util::future::try_join_all(tasks).await?.into_iter().flatten().collect();
    let mut outcome = Outcome { per_second: vec![0.0; seconds], millis: Vec::with_capacity(answers.len()) };
    for (sent, took) in answers {
        outcome.millis.push(took.as_secs_f64() * 1000.0);
        let second = usize::try_from((sent + took).saturating_duration_since(begin).as_secs())?;
        if let Some(count) = outcome.per_second.get_mut(second) {
            *count += 1.0;
        }
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_it_says() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(length_of_answer(answer).unwrap(), Some(answer.len()));
        assert_eq!(length_of_answer(b"HTTP/1.1 200 OK\r\nContent-").unwrap(), None);
        assert!(length_of_answer(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n").is_err());
    }
}
