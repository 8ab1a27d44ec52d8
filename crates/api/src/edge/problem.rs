//! How a refusal leaves: RFC 9457 problem documents, with the request's id, from one place.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use nodepanel_control::ControlError;
use nodepanel_types::{
    RequestId,
    problem::{FieldError, Problem, ProblemCode},
};

/// A refusal on its way out. Its body is written by [`Refused`], which knows the request's id.
#[derive(Debug, Clone)]
pub struct ApiError(pub Box<Problem>);

impl ApiError {
    /// A refusal with its own words.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem::new(code, detail)))
    }

    /// One wrong field.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        ControlError::Invalid(vec![FieldError::new(field, message)]).into()
    }
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        let problem = error.problem();
        if problem.status >= 500 && problem.status != 503 {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(error = %error, cause, code = problem.code.as_str(), "a request failed");
        }
        Self(Box::new(problem))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What the words of a refusal may need of the request.
pub struct Refused {
    method: Method,
    uri: Uri,
}

impl Refused {
    /// Remembers it; nothing is copied.
    pub fn of(request: &Request) -> Self {
        Self { method: request.method().clone(), uri: request.uri().clone() }
    }

    /// Writes the body of a refusal, and gives the bare ones of the router the same form. Leaves other answers alone.
    pub fn write(&self, id: RequestId, response: &mut Response) {
        let path = self.uri.path();
        let mut problem = match response.extensions_mut().remove::<ApiError>() {
            Some(error) => *error.0,
            None => match response.status() {
                StatusCode::METHOD_NOT_ALLOWED => Problem::new(
                    ProblemCode::MethodNotAllowed,
                    format!("{} is not offered at {path}. The API is described at /api/v1/openapi.json.", self.method),
                ),
                StatusCode::PAYLOAD_TOO_LARGE => {
                    Problem::new(ProblemCode::TooLarge, "The request's body is larger than this address takes.")
                }
                // The one bare refusal of the router's parts: a websocket was asked for without the words for it.
                StatusCode::BAD_REQUEST | StatusCode::UPGRADE_REQUIRED => {
                    *response.status_mut() = StatusCode::BAD_REQUEST;
                    Problem::new(ProblemCode::Malformed, format!("{path} is a websocket; open it as one."))
                }
                _ => return,
            },
        };
        problem.request_id = Some(id);
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = problem.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        *response.body_mut() = Body::from(body);
    }
}
