//! The panel: files that the binary carries. Unknown paths outside of `/api` get the shell, whose own router decides.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use nodepanel_types::problem::ProblemCode;

use crate::{ApiState, edge::ApiError};

/// One file of the panel.
pub struct PanelFile {
    /// Its content.
    pub content: std::borrow::Cow<'static, [u8]>,
    /// Its media type.
    pub media_type: String,
    /// Names the content; changes with it.
    pub etag: String,
}

/// Where the files come from: the binary knows, so that the API can be built and tested without them.
#[derive(Clone, Copy)]
pub struct PanelFiles {
    /// The file at a path such as `assets/index-3f.js`; `None` when there is none.
    pub get: fn(&str) -> Option<PanelFile>,
}

const SHELL: &str = "index.html";

/// Answers everything that is no endpoint.
pub async fn serve(State(state): State<ApiState>, request: Request) -> Result<Response, ApiError> {
    let path = request.uri().path();
    if path.starts_with("/api/") || path == "/api" {
        return Err(ApiError::new(
            ProblemCode::NoSuchEndpoint,
            "There is nothing at this address. The API is described at /api/v1/openapi.json.",
        ));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(ApiError::new(ProblemCode::MethodNotAllowed, "The panel's files can only be read."));
    }
    let wanted = path.trim_start_matches('/');
    if let Some(file) = (state.panel.get)(wanted).filter(|_| !wanted.is_empty()) {
        return Ok(answer(wanted, file, request.headers()));
    }
    // A file that is missing must not look like the shell to a script that asked for it.
    let looks_like_file = wanted.rsplit('/').next().is_some_and(|name| name.contains('.'));
    if looks_like_file {
        return Err(ApiError::new(ProblemCode::NotFound, "The panel has no such file; reload the page."));
    }
    match (state.panel.get)(SHELL) {
        Some(file) => Ok(answer(SHELL, file, request.headers())),
        None => Err(ApiError::new(
            ProblemCode::NotFound,
            "This build of NodePanel carries no panel; build it with `cargo xtask up`. The API works.",
        )),
    }
}

fn answer(path: &str, file: PanelFile, asked: &HeaderMap) -> Response {
    // Names of assets change with their content; everything else is asked for again each time.
    let lifetime = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let etag = format!("\"{}\"", file.etag);
    let known = asked.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == etag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (StatusCode::OK, file.content.into_owned()).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(lifetime));
    if let Ok(value) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, value);
    }
    if let (false, Ok(value)) = (known, HeaderValue::from_str(&file.media_type)) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    response
}
