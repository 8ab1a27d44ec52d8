//! Typed ids, from one list. An id of one kind never passes for an id of another.
//!
//! On the wire and in the store an id is a UUID in its hyphenated lower-case form. New ids are `UUIDv7`, so that
//! keys in the store sort by age; this crate only parses them, making one is `clock::IdSource`'s work.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text is not a UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind} id: expected a UUID such as 0190b5c8-7c4e-7000-8000-000000000000")]
pub struct ParseIdError {
    /// What the id should have named, for example `server`.
    pub kind: &'static str,
}

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// What an id of this type names, in words.
            pub const KIND: &'static str = $kind;

            /// Wraps a UUID that is known to name this kind of thing.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself.
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }

            /// The last eight hexadecimal digits (random in a `UUIDv7`): enough to tell things apart in a log
            /// or a file name, never enough to look one up.
            pub fn short(&self) -> String {
                let text = self.0.simple().to_string();
                text.get(24..).unwrap_or_default().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($kind, "/{}"), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self).map_err(|_| ParseIdError { kind: $kind })
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                <String as utoipa::PartialSchema>::schema()
            }
        }

        impl utoipa::ToSchema for $name {}
    )*};
}

typed_ids! {
    /// A person who signs in.
    UserId = "user";
    /// A machine that runs game servers.
    NodeId = "node";
    /// A game server.
    ServerId = "server";
    /// A template that game servers are made from.
    TemplateId = "template";
    /// A bearer token for scripts.
    ApiKeyId = "api key";
    /// A browser that is signed in.
    SessionId = "session";
    /// A one-time permission for a machine to become a node.
    EnrolmentId = "enrolment";
    /// A long action, for example an installation.
    JobId = "job";
    /// One request to the API, as it appears in problem documents and logs.
    RequestId = "request";
    /// One start of one of our own processes.
    WorkerId = "worker";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_and_parse_back() {
        let id: ServerId = "0190b5c8-7c4e-7000-8000-0000deadbeef".parse().unwrap();
        assert_eq!(id.to_string().parse::<ServerId>().unwrap(), id);
        assert_eq!(id.short(), "deadbeef");
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"0190b5c8-7c4e-7000-8000-0000deadbeef\"");
    }

    #[test]
    fn what_is_no_uuid_is_refused_with_its_kind() {
        let error = "../etc/passwd".parse::<NodeId>().unwrap_err();
        assert!(error.to_string().contains("node id"), "{error}");
    }
}
