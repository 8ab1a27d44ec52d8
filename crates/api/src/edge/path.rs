//! Ids in paths.

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};

use super::ApiError;
use crate::ApiState;

/// The path's `{id}` as a typed id.
#[derive(Debug, Clone, Copy)]
pub struct Id<T>(pub T);

impl<T> FromRequestParts<ApiState> for Id<T>
where
    T: FromStr + Send,
    T::Err: std::fmt::Display,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Self::Rejection> {
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::field("id", "is not valid UTF-8."))?;
        let text = params.iter().find_map(|(name, value)| (name == "id").then_some(value)).unwrap_or_default();
        text.parse().map(Self).map_err(|error: T::Err| ApiError::field("id", format!("{error}.")))
    }
}
