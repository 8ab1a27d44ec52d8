//! What can go wrong, as stable codes, and the RFC 9457 problem document that carries them to a client.
//!
//! The one table from code to HTTP status and title is here. A client decides by `type` (or `code`), never by the
//! text. Only `session-ended` may send a browser to the login page.

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use crate::RequestId;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// A stable name for a kind of problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ProblemCode {$(
            $(#[$doc])*
            #[serde(rename = $code)]
            $name,
        )*}

        impl ProblemCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code as it appears in documents, for example `session-ended`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status that carries it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// The same words for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// The body, the path or the query is not what the endpoint takes; `errors` names the fields.
    Invalid = "invalid", 422, "The request is not valid";
    /// The body is no JSON, or not of the declared type.
    Malformed = "malformed", 400, "The request cannot be read";
    /// The body is larger than the endpoint takes.
    TooLarge = "too-large", 413, "The request is too large";
    /// `Content-Type` is not `application/json`.
    UnsupportedMediaType = "unsupported-media-type", 415, "The request is not JSON";
    /// There is no such path.
    NoSuchEndpoint = "no-such-endpoint", 404, "There is no such address";
    /// The path exists, the method does not.
    MethodNotAllowed = "method-not-allowed", 405, "That method is not offered here";
    /// Nobody is signed in: no cookie and no bearer token came along.
    SignInRequired = "sign-in-required", 401, "Sign in first";
    /// The session that came along is over: it expired, or was ended. The one reason to show the login page.
    SessionEnded = "session-ended", 401, "The session has ended";
    /// The bearer token is unknown or was revoked.
    BadApiKey = "bad-api-key", 401, "The API key is not valid";
    /// E-mail or password do not match.
    BadCredentials = "bad-credentials", 403, "E-mail or password do not match";
    /// The caller is known and may not do this.
    Forbidden = "forbidden", 403, "You may not do this";
    /// A browser sent the request from another site.
    CrossSite = "cross-site", 403, "The request came from another site";
    /// It does not exist, or the caller may not know of it.
    NotFound = "not-found", 404, "Not found";
    /// It exists already.
    Exists = "exists", 409, "It exists already";
    /// It was changed by somebody else in the meantime.
    Changed = "changed", 409, "It was changed in the meantime";
    /// Its state forbids the action now.
    StateForbids = "state-forbids", 409, "Not possible in this state";
    /// Something still depends on it.
    InUse = "in-use", 409, "Still in use";
    /// The same idempotency key came with another body.
    KeyReused = "key-reused", 422, "The idempotency key was used for another request";
    /// The same idempotency key is being worked on.
    KeyInProgress = "key-in-progress", 409, "The same request is still being worked on";
    /// A limit on how often this may be asked was reached.
    TooManyRequests = "too-many-requests", 429, "Too many requests";
    /// The one-time link was used, or is not the one that was printed.
    SetupClosed = "setup-closed", 403, "The set-up link is not valid";
    /// The store cannot be asked or written now; nothing was changed.
    StoreUnavailable = "store-unavailable", 503, "The store cannot be written at the moment";
    /// The disk of the control plane is full; nothing was changed.
    DiskFull = "disk-full", 507, "The disk is full";
    /// The disk of the control plane reports errors; nothing was changed.
    DiskFailing = "disk-failing", 503, "The disk reports errors";
    /// The store's file is damaged; nothing was changed.
    StoreDamaged = "store-damaged", 503, "The store is damaged";
    /// The store may have taken the write, but did not say so in time.
    OutcomeUnknown = "outcome-unknown", 504, "It is not known whether this was done";
    /// The node does not answer; what was asked for may happen when it does.
    NodeUnreachable = "node-unreachable", 503, "The node does not answer";
    /// The node answered with a refusal.
    NodeRefused = "node-refused", 409, "The node refused";
    /// The disk of the node is full; nothing was changed on it.
    NodeDiskFull = "node-disk-full", 507, "The disk of the node is full";
    /// The disk of the node reports errors; nothing was changed on it.
    NodeDiskFailing = "node-disk-failing", 503, "The disk of the node reports errors";
    /// Neither the supervisor nor what it wrote down can be read now.
    HistoryUnavailable = "history-unavailable", 503, "The history cannot be read at the moment";
    /// More work than can be done in time.
    Overloaded = "overloaded", 503, "Too much to do at the moment";
    /// This process is starting or stopping.
    NotReady = "not-ready", 503, "Not ready yet";
    /// A defect of NodePanel.
    Internal = "internal", 500, "NodePanel made a mistake";
}

// By hand: the derive does not see names that a macro hands on, and would publish the variants' own.
impl PartialSchema for ProblemCode {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("A stable name for a kind of problem."))
            .enum_values(Some(Self::ALL.iter().map(|code| code.as_str())))
            .into()
    }
}

impl ToSchema for ProblemCode {}

impl ProblemCode {
    /// The `type` member of the document.
    pub fn uri(self) -> String {
        format!("urn:nodepanel:problem:{}", self.as_str())
    }
}

/// An RFC 9457 problem document, `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:nodepanel:problem:` and the code.
    #[serde(rename = "type")]
    pub uri: String,
    /// The stable code.
    pub code: ProblemCode,
    /// The same words for every occurrence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, what it means and what to do, as sentences.
    pub detail: String,
    /// The request that it answers; also in the logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// Which fields are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// When to try again, in seconds; the same as the `Retry-After` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u32>,
}

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Where: `limits.memory_mib`, `variables.motd`, or a query parameter's name.
    pub field: String,
    /// What is wrong with it and what would be right.
    pub message: String,
}

impl FieldError {
    /// A message about a field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl Problem {
    /// A problem with its own words.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            uri: code.uri(),
            code,
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            request_id: None,
            errors: Vec::new(),
            retry_after_s: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_name_and_an_error_status() {
        let mut names: Vec<_> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ProblemCode::ALL.len());
        assert!(ProblemCode::ALL.iter().all(|code| (400..600).contains(&code.status())));
    }

    #[test]
    fn the_schema_names_the_codes_as_documents_do() {
        let schema = serde_json::to_value(ProblemCode::schema()).unwrap();
        let names: Vec<_> = ProblemCode::ALL.iter().map(|code| serde_json::to_value(code).unwrap()).collect();
        assert_eq!(schema["enum"], serde_json::Value::Array(names));
    }

    #[test]
    fn only_the_end_of_a_session_and_missing_credentials_are_401() {
        let unauthorised: Vec<_> = ProblemCode::ALL.iter().filter(|code| code.status() == 401).collect();
        assert_eq!(unauthorised, [&ProblemCode::SignInRequired, &ProblemCode::SessionEnded, &ProblemCode::BadApiKey]);
    }
}
