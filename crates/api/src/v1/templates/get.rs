//! `GET /api/v1/templates/{id}`: a template with its source.

use axum::{Json, extract::State};
use nodepanel_types::{TemplateId, api::TemplateView};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    ApiState,
    edge::{ApiError, Caller, Id, ProblemResponses, Query},
};

/// Which version.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TemplateQuery {
    /// The version; the newest when left out.
    pub version: Option<u32>,
}

/// The template.
#[utoipa::path(get, path = "/templates/{id}", tag = "templates",
    params(("id" = String, Path, description = "The template's id, a UUID."), TemplateQuery),
    responses((status = 200, body = TemplateView, description = "The template, with its TOML."), ProblemResponses)
)]
pub async fn get_template(
    State(state): State<ApiState>,
    Caller(context): Caller,
    Id(id): Id<TemplateId>,
    Query(query): Query<TemplateQuery>,
) -> Result<Json<TemplateView>, ApiError> {
    Ok(Json(state.plane.template(&context, id, query.version)?))
}
