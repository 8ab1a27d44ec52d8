//! One question to one game: what is sent, how much is read, and when it is given up.

use std::{io, net::SocketAddr, time::Duration};

use nodepanel_types::wire::QueryKind;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

use super::{Players, Unreadable, a2s, minecraft, openttd, quake3};

/// How long a game may take to answer.
const DEADLINE: Duration = Duration::from_secs(2);
/// When a datagram is sent again, in case it was lost.
const AGAIN: Duration = Duration::from_millis(700);
/// The longest datagram that is read; what is longer is cut, and tells enough.
const DATAGRAM: usize = 8_192;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// Nobody answers at the game's address, or the connection broke.
    #[error("the game cannot be asked for its players")]
    Io(#[from] io::Error),
    /// It says something else.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It says nothing in time.
    #[error("the game did not tell its players within {} s", DEADLINE.as_secs())]
    Silent,
}

/// What follows from a datagram.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// It is the answer.
    Done(Players),
    /// It asks for this in return.
    Send(Vec<u8>),
}

/// Asks the game at `address` for its players; takes 2 seconds at most.
pub async fn ask(kind: QueryKind, address: SocketAddr) -> Result<Players, QueryError> {
    let answer = async {
        match kind {
            QueryKind::Minecraft => minecraft(address).await,
            QueryKind::Openttd => stream(address, openttd::QUESTION, openttd::LONGEST, openttd::read).await,
            QueryKind::Quake3 => datagrams(address, quake3::QUESTION.to_vec(), quake3::read).await,
            QueryKind::A2s => datagrams(address, a2s::question(None), a2s::read).await,
        }
    };
    timeout(DEADLINE, answer).await.map_err(|_| QueryError::Silent)?
}

async fn minecraft(address: SocketAddr) -> Result<Players, QueryError> {
    match stream(address, &minecraft::question(address), minecraft::LONGEST, minecraft::read).await {
        Ok(players) => Ok(players),
        // Servers from before 1.7 answer the question with their own words, or by hanging up.
        Err(error) => {
            stream(address, minecraft::OLD_QUESTION, minecraft::LONGEST, minecraft::read_old).await.map_err(|_| error)
        }
    }
}

/// Asks over TCP; `read` sees everything that came so far, and says `None` until that is enough.
async fn stream(
    address: SocketAddr,
    question: &[u8],
    longest: usize,
    read: impl Fn(&[u8]) -> Result<Option<Players>, Unreadable>,
) -> Result<Players, QueryError> {
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(question).await?;
    // A few bytes of frame come on top of the longest content.
    let mut part = connection.take(u64::try_from(longest).unwrap_or(u64::MAX).saturating_add(16));
    let mut received = Vec::new();
    loop {
        if part.read_buf(&mut received).await? == 0 {
            return Err(Unreadable.into());
        }
        if let Some(players) = read(&received)? {
            return Ok(players);
        }
    }
}

/// Asks over UDP. Only what comes from `address` itself is read.
async fn datagrams(
    address: SocketAddr,
    mut question: Vec<u8>,
    read: impl Fn(&[u8]) -> Result<Step, Unreadable>,
) -> Result<Players, QueryError> {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    let mut datagram = vec![0; DATAGRAM];
    loop {
        socket.send(&question).await?;
        let Ok(length) = timeout(AGAIN, socket.recv(&mut datagram)).await else { continue };
        match read(datagram.get(..length?).unwrap_or_default())? {
            Step::Done(players) => return Ok(players),
            Step::Send(next) => question = next,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    const ANY_PORT: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

    #[tokio::test]
    async fn a_challenge_is_answered_and_a_lost_datagram_sent_again() {
        let game = UdpSocket::bind(ANY_PORT).await.unwrap();
        let address = game.local_addr().unwrap();
        let serve = async {
            let mut question = [0; 100];
            let (_, _lost) = game.recv_from(&mut question).await.unwrap();
            let (_, asker) = game.recv_from(&mut question).await.unwrap();
            game.send_to(b"\xff\xff\xff\xffA1234", asker).await.unwrap();
            let (length, asker) = game.recv_from(&mut question).await.unwrap();
            assert_eq!(&question[length - 4..length], b"1234");
            game.send_to(b"\xff\xff\xff\xffI\x11name\0map\0folder\0game\0\0\0\x05\x08\x02dl", asker).await.unwrap();
        };
        let (players, ()) = tokio::join!(ask(QueryKind::A2s, address), serve);
        assert_eq!(players.unwrap(), Players { online: 3, max: Some(8) });
    }

    #[tokio::test]
    async fn an_old_minecraft_is_asked_in_its_own_words() {
        let game = TcpListener::bind(ANY_PORT).await.unwrap();
        let address = game.local_addr().unwrap();
        let serve = async {
            drop(game.accept().await.unwrap());
            let (mut asker, _) = game.accept().await.unwrap();
            let mut question = [0; 2];
            asker.read_exact(&mut question).await.unwrap();
            assert_eq!(question, minecraft::OLD_QUESTION);
            let status: Vec<u8> = "a§3§20".encode_utf16().flat_map(u16::to_be_bytes).collect();
            asker.write_all(&[&[0xff, 0, 6], &status[..]].concat()).await.unwrap();
        };
        let (players, ()) = tokio::join!(ask(QueryKind::Minecraft, address), serve);
        assert_eq!(players.unwrap(), Players { online: 3, max: Some(20) });
    }

    #[tokio::test]
    async fn a_game_that_never_stops_talking_is_left() {
        let game = TcpListener::bind(ANY_PORT).await.unwrap();
        let address = game.local_addr().unwrap();
        let serve = async {
            loop {
                let (mut asker, _) = game.accept().await.unwrap();
                // The length of a reply that is longer than any.
                while asker.write_all(&[0xff, 0xff, 0x05, 0, 0xff]).await.is_ok() {}
            }
        };
        tokio::select! {
            answer = ask(QueryKind::Openttd, address) => assert!(matches!(answer, Err(QueryError::Unreadable(_))), "{answer:?}"),
            () = serve => (),
        }
    }

    #[tokio::test]
    async fn a_game_that_accepts_and_is_silent_is_given_up() {
        let game = TcpListener::bind(ANY_PORT).await.unwrap();
        let answer = ask(QueryKind::Minecraft, game.local_addr().unwrap()).await;
        assert!(matches!(answer, Err(QueryError::Silent)), "{answer:?}");
    }
}
