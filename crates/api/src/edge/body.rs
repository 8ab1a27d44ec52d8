//! What is asked: the JSON body of a write, read after the caller is known, with complaints that name the field.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts as _, Request},
    http::{HeaderMap, header},
};
use nodepanel_control::Context;
use nodepanel_types::{
    limits::API_BODY_BYTES,
    problem::{FieldError, Problem, ProblemCode},
};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::{ApiError, Caller, caller};
use crate::ApiState;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// A write: who asks, under which idempotency key, and what.
#[derive(Debug, Clone)]
pub struct Asked<T> {
    /// Who asks, with the idempotency key if one came along.
    pub context: Context,
    /// What is asked. `()` for writes without a body.
    pub body: T,
}

impl<T: DeserializeOwned + 'static> FromRequest<ApiState> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Self::Rejection> {
        let (mut parts, body) = request.into_parts();
        let Caller(mut context) = Caller::from_request_parts(&mut parts, state).await?;
        let bytes = read(Request::from_parts(parts.clone(), body)).await?;
        let mut hash = Sha256::new();
        for part in [parts.method.as_str().as_bytes(), parts.uri.path().as_bytes(), &bytes] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        context.key = caller::idempotency_key(&parts.headers, hash.finalize().into())?;
        Ok(Self { context, body: parse(&parts.headers, &bytes)? })
    }
}

/// Reads a body up to the limit.
pub async fn read(request: Request) -> Result<Bytes, ApiError> {
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok())
        .unwrap_or_default();
    let too_large = || {
        ApiError::new(
            ProblemCode::TooLarge,
            format!("The request's body may have at most {} KiB; nothing was changed.", API_BODY_BYTES / 1024),
        )
    };
    if declared > API_BODY_BYTES {
        return Err(too_large());
    }
    let reading = axum::body::to_bytes(request.into_body(), API_BODY_BYTES);
    let read = tokio::time::timeout(PATIENCE, reading).await.map_err(|_| {
        ApiError::new(ProblemCode::Malformed, "The request's body did not arrive in time; nothing was changed.")
    })?;
    read.map_err(|error| {
        let broken =
            std::error::Error::source(&error).is_none_or(|source| !source.to_string().contains("length limit"));
        if broken {
            ApiError::new(ProblemCode::Malformed, "The request's body ended early or could not be read.")
        } else {
            too_large()
        }
    })
}

/// The body as a `T`. No body at all reads as JSON `null`, so that writes without one need none.
pub fn parse<T: DeserializeOwned + 'static>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.is_empty() {
        return serde_json::from_str("null")
            .map_err(|_| ApiError::new(ProblemCode::Malformed, "This address needs a JSON body, and none was sent."));
    }
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(ApiError::new(
            ProblemCode::UnsupportedMediaType,
            "Send the body as JSON with the header Content-Type: application/json.",
        ));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| complaint(&error, bytes))?;
    reader.end().map_err(|error| ApiError::new(ProblemCode::Malformed, format!("After the JSON value: {error}.")))?;
    Ok(value)
}

fn complaint(error: &serde_path_to_error::Error<serde_json::Error>, bytes: &[u8]) -> ApiError {
    let inner = error.inner();
    // A number where a word is due counts as bad syntax, too; only a reader that wants nothing knows the difference.
    let is_json =
        || std::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
    if (inner.is_syntax() || inner.is_eof()) && !is_json() {
        return ApiError::new(ProblemCode::Malformed, format!("The body is not valid JSON: {inner}."));
    }
    let text = inner.to_string();
    // serde names the place in the text as well, which helps nobody who looks at fields.
    let message = text.split(" at line ").next().unwrap_or(&text);
    let field = match error.path().to_string() {
        path if path == "." => String::new(),
        path => path,
    };
    let mut problem = Problem::new(ProblemCode::Invalid, format!("Nothing was changed. {field}: {message}."));
    problem.errors.push(FieldError::new(field, format!("{message}.")));
    ApiError(Box::new(problem))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use nodepanel_types::api::{CreateServer, CreateUser};

    use super::*;

    fn json<T: DeserializeOwned + 'static>(body: &[u8]) -> Result<T, ApiError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        parse(&headers, body)
    }

    #[test]
    fn complaints_name_the_field() {
        let wrong = br#"{"name":"x","template":"0190b5c8-7c4e-7000-8000-0000deadbeef","limits":{"memory_mib":-5}}"#;
        let problem = json::<CreateServer>(wrong).unwrap_err().0;
        assert_eq!(problem.code, ProblemCode::Invalid);
        assert_eq!(problem.errors[0].field, "limits.memory_mib");
        let unknown = br#"{"email":"a@b.c","password":"x","admin":true}"#;
        let problem = json::<CreateUser>(unknown).err().unwrap().0;
        assert!(problem.errors[0].message.contains("unknown field `admin`"), "{problem:?}");
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for body in [&b"{"[..], b"\xff\xfe", b"{\"email\":\"\xc3\x28\"}", b"{} {}"] {
            assert!(json::<CreateUser>(body).is_err(), "{body:?}");
        }
        assert_eq!(json::<CreateUser>(b"{").err().unwrap().0.code, ProblemCode::Malformed);
        let unlabelled = parse::<CreateUser>(&HeaderMap::new(), b"{}").err().unwrap();
        assert_eq!(unlabelled.0.code, ProblemCode::UnsupportedMediaType);
    }
}
