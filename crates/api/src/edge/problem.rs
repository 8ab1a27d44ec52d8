//! How a refusal leaves: RFC 9457 problem documents, with the request's id, from one place.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use nodepanel_control::ControlError;
use nodepanel_types::problem::{FieldError, Problem, ProblemCode};

use super::request_id::RequestIdExt;

/// A refusal on its way out. Its body is written by [`render_problems`], which knows the request's id.
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

/// Writes the bodies of refusals, and gives the bare ones of the router the same form.
pub async fn render_problems(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestIdExt>().map(|id| id.0);
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let mut response = next.run(request).await;
    let mut problem = match response.extensions_mut().remove::<ApiError>() {
        Some(error) => *error.0,
        None => match response.status() {
            StatusCode::METHOD_NOT_ALLOWED => Problem::new(
                ProblemCode::MethodNotAllowed,
                format!("{method} is not offered at {path}. The API is described at /api/v1/openapi.json."),
            ),
            StatusCode::PAYLOAD_TOO_LARGE => {
                Problem::new(ProblemCode::TooLarge, "The request's body is larger than this address takes.")
            }
            // The one bare refusal of the router's parts: a websocket was asked for without the words for it.
            StatusCode::BAD_REQUEST | StatusCode::UPGRADE_REQUIRED => {
                *response.status_mut() = StatusCode::BAD_REQUEST;
                Problem::new(ProblemCode::Malformed, format!("{path} is a websocket; open it as one."))
            }
            _ => return response,
        },
    };
    problem.request_id = id;
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = problem.retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    *response.body_mut() = Body::from(body);
    response
}

/// The refusals that every endpoint may answer with, for the OpenAPI document.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "describes answers to the OpenAPI document; never made")]
pub enum ProblemResponses {
    /// Sign in first (`sign-in-required`), the session has ended (`session-ended`), or the API key is not valid.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorised(#[to_schema] Problem),
    /// The caller may not do this.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] Problem),
    /// It does not exist, or the caller may not know of it.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(#[to_schema] Problem),
    /// Its state forbids it, it exists already, or somebody else changed it.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(#[to_schema] Problem),
    /// Fields are wrong; `errors` names them.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// The store or the node cannot be asked at the moment. Nothing was changed.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] Problem),
}
