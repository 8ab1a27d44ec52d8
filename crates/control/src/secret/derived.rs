//! Secrets that follow from the master key, so that every process of the host can make and check them without storing
//! them: the one-time set-up link, the local agent's enrolment, and the command line's way in.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use nodepanel_types::{EnrolmentId, Timestamp};
use subtle::ConstantTimeEq as _;

use super::MasterKey;

/// The secret of the link that makes the first administrator. Good until there is one.
pub fn setup_token(master: &MasterKey) -> String {
    URL_SAFE_NO_PAD.encode(master.derive("setup", b""))
}

/// The secret with which the agent of this very host enrols.
pub fn local_enrolment_secret(master: &MasterKey, enrolment: EnrolmentId) -> String {
    URL_SAFE_NO_PAD.encode(master.derive("local-enrolment", enrolment.as_uuid().as_bytes()))
}

/// A bearer token that lasts some minutes and proves that its maker can read the master key.
pub struct HostToken;

impl HostToken {
    const PREFIX: &str = "nph_";
    const LASTS_MS: u64 = 5 * 60 * 1_000;

    /// A token from `now` on.
    pub fn make(master: &MasterKey, now: Timestamp) -> String {
        let expires = now.plus(Self::LASTS_MS).as_millis();
        format!("{}{expires}_{}", Self::PREFIX, Self::proof(master, expires))
    }

    /// Whether `token` looks like one of these at all.
    pub fn is_one(token: &str) -> bool {
        token.starts_with(Self::PREFIX)
    }

    /// Whether `token` was made with `master` and is not over.
    pub fn check(master: &MasterKey, token: &str, now: Timestamp) -> bool {
        let Some((expires, proof)) = token.strip_prefix(Self::PREFIX).and_then(|rest| rest.split_once('_')) else {
            return false;
        };
        let Ok(expires) = expires.parse::<i64>() else { return false };
        let genuine: bool = Self::proof(master, expires).as_bytes().ct_eq(proof.as_bytes()).into();
        genuine && now.as_millis() < expires
    }

    fn proof(master: &MasterKey, expires: i64) -> String {
        URL_SAFE_NO_PAD.encode(master.derive("host-token", &expires.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_token_is_good_for_its_installation_and_its_time_only() {
        let master = MasterKey::from_bytes([7; 32]);
        let now = Timestamp::from_millis(1_000_000);
        let token = HostToken::make(&master, now);
        assert!(HostToken::check(&master, &token, now));
        assert!(!HostToken::check(&master, &token, now.plus(HostToken::LASTS_MS)));
        assert!(!HostToken::check(&MasterKey::from_bytes([8; 32]), &token, now));
        let longer = token.replacen("nph_1", "nph_9", 1);
        assert!(!HostToken::check(&master, &longer, now));
    }

    #[test]
    fn secrets_of_different_purposes_differ() {
        let master = MasterKey::from_bytes([7; 32]);
        let enrolment = EnrolmentId::from_uuid(nodepanel_types::clock::NIL);
        assert_ne!(setup_token(&master), local_enrolment_secret(&master, enrolment));
    }
}
