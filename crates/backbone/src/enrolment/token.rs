//! The text that an administrator copies to a new machine: `npj1.` and base64url of JSON.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use nodepanel_types::EnrolmentId;
use serde::{Deserialize, Serialize};

use crate::{
    LinkAddress,
    pki::{Fingerprint, Secret},
};

const PREFIX: &str = "npj1.";
/// Longer than any token that is made, short enough for a command line.
const MAX_TEXT: usize = 16 * 1024;

/// A one-time permission to enrol, and where and with whom.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinToken {
    /// Where the API servers accept links; tried in turn.
    #[serde(rename = "a")]
    pub addresses: Vec<LinkAddress>,
    /// The CA that must answer there.
    #[serde(rename = "f")]
    pub ca_fingerprint: Fingerprint,
    /// Which permission.
    #[serde(rename = "e")]
    pub enrolment: EnrolmentId,
    /// Its secret.
    #[serde(rename = "s")]
    pub secret: Secret,
}

/// The text is no join token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseTokenError {
    /// It does not begin like one.
    #[error("this is not a join token: it should begin with npj1. Copy the whole text from the panel")]
    NotAToken,
    /// It begins with another version.
    #[error("this join token is of another version ({0}); install the same version of NodePanel here and there")]
    OtherVersion(String),
    /// It is cut off or altered.
    #[error("this join token is damaged: {0}. Copy the whole text from the panel, it is one line")]
    Damaged(&'static str),
}

impl JoinToken {
    /// The token as text. It contains the secret.
    pub fn encode(&self) -> Secret {
        let json = serde_json::to_vec(self).unwrap_or_default();
        Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json)))
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken")
            .field("addresses", &self.addresses)
            .field("ca_fingerprint", &self.ca_fingerprint)
            .field("enrolment", &self.enrolment)
            .finish_non_exhaustive()
    }
}

impl FromStr for JoinToken {
    type Err = ParseTokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let Some(encoded) = text.strip_prefix(PREFIX) else {
            return Err(match text.split_once('.') {
                Some((version, _)) if is_version(version) => ParseTokenError::OtherVersion(version.to_owned()),
                _ => ParseTokenError::NotAToken,
            });
        };
        if text.len() > MAX_TEXT {
            return Err(ParseTokenError::Damaged("it is far too long"));
        }
        let json =
            URL_SAFE_NO_PAD.decode(encoded).map_err(|_| ParseTokenError::Damaged("a part is missing or altered"))?;
        let token: Self =
            serde_json::from_slice(&json).map_err(|_| ParseTokenError::Damaged("its content is not complete"))?;
        if token.addresses.is_empty() {
            return Err(ParseTokenError::Damaged("it names no address"));
        }
        Ok(token)
    }
}

fn is_version(text: &str) -> bool {
    text.strip_prefix("npj")
        .is_some_and(|digits| (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use rustls_pki_types::CertificateDer;

    fn token(addresses: Vec<LinkAddress>, id: u128, secret: String) -> JoinToken {
        JoinToken {
            addresses,
            ca_fingerprint: Fingerprint::of(&CertificateDer::from(vec![1, 2, 3])),
            enrolment: EnrolmentId::from_uuid(Uuid::from_u128(id)),
            secret: Secret::new(secret),
        }
    }

    proptest! {
        #[test]
        fn a_token_is_read_as_it_was_written(id: u128, secret in "\\PC{0,64}", ports in prop::collection::vec(1u16.., 1..4)) {
            let addresses: Vec<LinkAddress> =
                ports.iter().map(|port| format!("panel.example:{port}").parse().unwrap()).collect();
            let written = token(addresses, id, secret);
            let read: JoinToken = format!(" {}\n", written.encode().expose()).parse().unwrap();
            prop_assert_eq!(&read.addresses, &written.addresses);
            prop_assert_eq!(read.ca_fingerprint, written.ca_fingerprint);
            prop_assert_eq!(read.enrolment, written.enrolment);
            prop_assert_eq!(read.secret.expose(), written.secret.expose());
        }

        #[test]
        fn anything_else_is_refused_without_a_panic(text in "(npj[0-9]{0,2}\\.)?[A-Za-z0-9_=.-]{0,200}|\\PC{0,80}") {
            // Random text that decodes to a whole token does not occur.
            prop_assert!(text.parse::<JoinToken>().is_err());
        }

        #[test]
        fn a_token_that_was_cut_off_is_refused(cut in 0usize..200) {
            let whole = token(vec!["panel.example:8443".parse().unwrap()], 7, "s3cret".to_owned()).encode();
            let end = whole.expose().len().saturating_sub(1 + cut);
            prop_assert!(whole.expose()[..end].parse::<JoinToken>().is_err());
        }
    }

    #[test]
    fn errors_say_what_to_do_and_nothing_prints_the_secret() {
        assert_eq!("hello".parse::<JoinToken>().unwrap_err(), ParseTokenError::NotAToken);
        assert_eq!("npj2.abc".parse::<JoinToken>().unwrap_err(), ParseTokenError::OtherVersion("npj2".to_owned()));
        assert!(matches!("npj1.abc".parse::<JoinToken>().unwrap_err(), ParseTokenError::Damaged(_)));
        let token = token(vec!["panel.example:8443".parse().unwrap()], 7, "s3cret".to_owned());
        assert!(!format!("{token:?} {:?}", token.encode()).contains("s3cret"));
    }
}
