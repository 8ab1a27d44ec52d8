//! Refusals, as problem documents.

use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use nodepanel_backbone::{Body, Problem, body};
use nodepanel_types::wire::{WIRE_VERSION, refusal};
use serde::Serialize;

use crate::db::DbError;

/// A request was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    problem: Problem,
}

impl Refusal {
    fn new(status: StatusCode, kind: &str, title: &str, detail: impl Into<String>) -> Self {
        let problem = Problem { kind: kind.to_owned(), title: title.to_owned(), detail: detail.into() };
        Self { status, problem }
    }

    /// There is no such path.
    pub fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown_path", "This agent does not know the request.", "Upgrade the agent.")
    }

    /// The node does not hold the server.
    pub fn no_such_server() -> Self {
        Self::new(StatusCode::NOT_FOUND, refusal::UNKNOWN_SERVER, "This node does not hold the server.", "")
    }

    /// The request makes no sense.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The request is not valid.", detail)
    }

    /// The request is of a newer version.
    pub fn newer(found: u32) -> Self {
        let detail = format!("It has version {found}; this agent knows {WIRE_VERSION}. Upgrade the agent.");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "newer_version", "The request is of a newer version.", detail)
    }

    /// What it asks for is not possible in the present state.
    pub fn conflict(kind: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, kind, "That is not possible now.", detail)
    }

    /// The node could not do it.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "node_trouble", "The node could not do that.", detail)
    }

    /// As a response.
    pub fn into_response(self) -> Response<Body> {
        let mut response = json(self.status, &self.problem);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

impl From<DbError> for Refusal {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Full { .. } => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                refusal::DISK_FULL,
                "The disk of the node is full.",
                "The disk of the node is full, so nothing can be changed there; nothing was. Its game servers go on. It \
                 works again by itself when there is space.",
            ),
            DbError::Failing { .. } => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                refusal::DISK_FAILING,
                "The disk of the node reports errors.",
                "The disk of the node reports errors, so nothing can be changed there; nothing was. Its game servers go \
                 on. It works again by itself when the disk takes what is written.",
            ),
            error => Self::unavailable(error.in_full()),
        }
    }
}

/// A JSON answer.
pub fn json<T: Serialize>(status: StatusCode, value: &T) -> Response<Body> {
    let (status, content) = match serde_json::to_vec(value) {
        Ok(content) => (status, content),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string().into_bytes()),
    };
    let mut response = Response::new(body::full(content));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
