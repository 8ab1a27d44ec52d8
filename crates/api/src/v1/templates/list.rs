//! `GET /api/v1/templates`: what servers can be made from.

use axum::{Json, extract::State};
use nodepanel_types::api::{Page, TemplateSummary};

use crate::{
    ApiState,
    edge::{ApiError, Caller, ProblemResponses, Query},
    v1::PageQuery,
};

/// The templates, by name.
#[utoipa::path(get, path = "/templates", tag = "templates",
    params(PageQuery),
    responses((status = 200, body = Page<TemplateSummary>, description = "The templates, by name."), ProblemResponses)
)]
pub async fn list_templates(
    State(state): State<ApiState>,
    Caller(context): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<TemplateSummary>>, ApiError> {
    Ok(Json(state.plane.list_templates(&context, &query.into())?))
}
