//! Dialling: name, TCP, TLS, each with its own deadline and its own words when it fails.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use rustls::ClientConfig;
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{LinkAddress, causes, timing::LinkTiming, tls, transport};

pub use causes::TlsFailure;

/// Why an address cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name has no address.
    #[error("the name {host:?} cannot be resolved; check the spelling and this machine's DNS")]
    Name {
        /// The name.
        host: String,
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// The name server does not answer.
    #[error("the name {host:?} was not resolved within {} ms; this machine's DNS does not answer", after.as_millis())]
    NameTimeout {
        /// The name.
        host: String,
        /// How long was waited.
        after: Duration,
    },
    /// Nobody listens there.
    #[error("{address} ({tried}) refuses connections: nothing listens on that port, or a firewall rejects it")]
    Refused {
        /// What was dialled.
        address: LinkAddress,
        /// The last address behind the name.
        tried: SocketAddr,
    },
    /// No answer at all.
    #[error(
        "{address} ({tried}) did not answer within {} ms: the machine is down, or a firewall drops the packets",
        after.as_millis()
    )]
    Timeout {
        /// What was dialled.
        address: LinkAddress,
        /// The last address behind the name.
        tried: SocketAddr,
        /// How long was waited.
        after: Duration,
    },
    /// TCP failed in another way.
    #[error("{address} ({tried}) cannot be reached")]
    Tcp {
        /// What was dialled.
        address: LinkAddress,
        /// The last address behind the name.
        tried: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// TLS failed.
    #[error("{address} answers, but {failure}")]
    Tls {
        /// What was dialled.
        address: LinkAddress,
        /// Why.
        failure: TlsFailure,
    },
    /// TLS did not end.
    #[error(
        "{address} accepts connections but did not finish TLS within {} ms: it is overloaded or hangs, or something \
         in between holds the data back",
        after.as_millis()
    )]
    TlsTimeout {
        /// What was dialled.
        address: LinkAddress,
        /// How long was waited.
        after: Duration,
    },
}

/// Dials an address and finishes TLS.
pub(crate) async fn connect(
    address: &LinkAddress,
    config: Arc<ClientConfig>,
    timing: &LinkTiming,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let tcp = connect_tcp(address, timing).await?;
    let handshake = TlsConnector::from(config).connect(tls::server_name(), tcp);
    match timeout(timing.handshake, handshake).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(ConnectError::Tls { address: address.clone(), failure: tls_failure(&error) }),
        Err(_) => Err(ConnectError::TlsTimeout { address: address.clone(), after: timing.handshake }),
    }
}

fn tls_failure(error: &io::Error) -> TlsFailure {
    TlsFailure::find(error).unwrap_or_else(|| match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            TlsFailure::Other("it closed the connection before TLS was done".to_owned())
        }
        _ => TlsFailure::Other(format!("TLS failed ({error})")),
    })
}

/// Tries every address behind the name in turn.
async fn connect_tcp(address: &LinkAddress, timing: &LinkTiming) -> Result<TcpStream, ConnectError> {
    let host = || address.host().to_owned();
    let found: Vec<SocketAddr> = match timeout(timing.resolve, lookup_host((address.host(), address.port()))).await {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(source)) => return Err(ConnectError::Name { host: host(), source }),
        Err(_) => return Err(ConnectError::NameTimeout { host: host(), after: timing.resolve }),
    };
    let mut last = ConnectError::Name { host: host(), source: io::Error::other("the name has no address") };
    for tried in found {
        let attempt = timeout(timing.handshake, TcpStream::connect(tried)).await;
        last = match attempt {
            Ok(Ok(stream)) => match transport::prepare(&stream) {
                Ok(()) => return Ok(stream),
                Err(source) => ConnectError::Tcp { address: address.clone(), tried, source },
            },
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                ConnectError::Refused { address: address.clone(), tried }
            }
            Ok(Err(source)) => ConnectError::Tcp { address: address.clone(), tried, source },
            Err(_) => ConnectError::Timeout { address: address.clone(), tried, after: timing.handshake },
        };
    }
    Err(last)
}
