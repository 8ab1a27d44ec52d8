//! Why TLS failed, found at the bottom of the layers above it and put into words.

use std::{error::Error, fmt, io};

use rustls::{AlertDescription, CertificateError};

/// Why two machines could not agree on TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsFailure {
    /// The other end's certificate is of another CA.
    UnknownAuthority,
    /// The other end's certificate is no longer valid by this machine's clock.
    Expired,
    /// The other end's certificate is not valid yet by this machine's clock.
    NotYetValid,
    /// The other end does not know the CA of this machine's certificate.
    OursUnknown,
    /// The other end says that this machine's certificate has expired (or its clock is wrong).
    OursExpired,
    /// The other end refused this machine's certificate for another reason.
    OursRefused(String),
    /// What answers there does not speak NodePanel's links: a web server, a proxy, or another version.
    NotALink,
    /// Something else.
    Other(String),
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAuthority => f.write_str(
                "its certificate was not made by this installation's authority: another panel answers there, or \
                 somebody is in between",
            ),
            Self::Expired => {
                f.write_str("its certificate has expired by this machine's clock; check the clocks of both")
            }
            Self::NotYetValid => {
                f.write_str("its certificate is not valid yet by this machine's clock; check the clocks of both")
            }
            Self::OursUnknown => f.write_str(
                "it does not know the authority of this machine's certificate: this machine was enrolled with another \
                 installation",
            ),
            Self::OursExpired => f.write_str(
                "this machine's certificate has expired; check the clocks, and if they are right enrol this machine \
                 again with a new join token",
            ),
            Self::OursRefused(alert) => write!(f, "it refused this machine's certificate ({alert})"),
            Self::NotALink => {
                f.write_str("what answers there is not NodePanel's link port; check the port and any proxy in between")
            }
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl TlsFailure {
    /// Finds rustls' own error below the layers of hyper, h2 and `io::Error`.
    pub(crate) fn find(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(tls) = error.downcast_ref::<rustls::Error>() {
                return Some(Self::from_rustls(tls));
            }
            let io = error
                .downcast_ref::<io::Error>()
                .or_else(|| error.downcast_ref::<h2::Error>().and_then(h2::Error::get_io));
            if let Some(inner) = io.and_then(io::Error::get_ref) {
                return Self::find(inner);
            }
            next = error.source();
        }
        None
    }

    fn from_rustls(error: &rustls::Error) -> Self {
        use rustls::Error as E;
        match error {
            E::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => Self::Expired,
            E::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
                Self::NotYetValid
            }
            E::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
                Self::UnknownAuthority
            }
            E::AlertReceived(AlertDescription::UnknownCA | AlertDescription::DecryptError) => Self::OursUnknown,
            E::AlertReceived(AlertDescription::CertificateExpired) => Self::OursExpired,
            E::AlertReceived(
                alert @ (AlertDescription::BadCertificate
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateRequired
                | AlertDescription::CertificateRevoked
                | AlertDescription::AccessDenied
                | AlertDescription::UnsupportedCertificate),
            ) => Self::OursRefused(format!("{alert:?}")),
            E::InvalidMessage(_)
            | E::NoApplicationProtocol
            | E::PeerIncompatible(_)
            | E::AlertReceived(AlertDescription::NoApplicationProtocol | AlertDescription::ProtocolVersion) => {
                Self::NotALink
            }
            other => Self::Other(other.to_string()),
        }
    }
}
