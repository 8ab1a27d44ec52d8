//! `/api/v1`: one folder per resource, one file per endpoint. The listing of the folders is the table of contents.

mod components;
mod events;
mod keys;
mod nodes;
mod page_query;
mod servers;
mod session;
mod setup;
mod templates;
mod users;

pub use page_query::PageQuery;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{ApiState, edge::ProblemResponses};

/// What the document says besides the endpoints.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "NodePanel",
        description = "The API of NodePanel. The panel and the command line use nothing else.\n\nErrors are problem \
            documents (RFC 9457); decide by their `code`. Writes take an `Idempotency-Key`: repeat a write whose answer \
            was lost with the same key, and it happens once.\n\nSign in with `POST /api/v1/session` (a cookie) or send \
            an API key as a bearer token.",
        license(name = "MIT OR Apache-2.0")
    ),
    components(schemas(
        nodepanel_types::api::ApiEvent,
        nodepanel_types::problem::Problem,
        nodepanel_types::permission::Permission
    )),
    modifiers(&Security, &ProblemResponses),
    security(("session" = []), ("api_key" = [])),
    tags(
        (name = "session", description = "Signing in and out, and the first administrator."),
        (name = "servers", description = "Game servers: what they are, what they do, their consoles."),
        (name = "templates", description = "What servers are made from."),
        (name = "nodes", description = "Machines that run game servers, and their ports."),
        (name = "users", description = "Who can sign in."),
        (name = "keys", description = "API keys for scripts."),
        (name = "platform", description = "NodePanel's own processes, changes as they happen, and its health."),
    )
)]
struct Document;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
        let components = document.components.get_or_insert_default();
        components
            .add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("np_session"))));
        components.add_security_scheme("api_key", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

/// Every endpoint, and the document that describes them.
pub fn routes() -> (axum::Router<ApiState>, utoipa::openapi::OpenApi) {
    let api = OpenApiRouter::new()
        .routes(routes!(session::sign_in, session::who, session::sign_out))
        .routes(routes!(session::change_password))
        .routes(routes!(setup::setup_state, setup::set_up))
        .routes(routes!(servers::list_servers, servers::create_server))
        .routes(routes!(servers::get_server, servers::update_server, servers::delete_server))
        .routes(routes!(servers::power_server))
        .routes(routes!(servers::send_command))
        .routes(routes!(servers::install_server))
        .routes(routes!(servers::get_stats))
        .routes(routes!(servers::get_activity))
        .routes(routes!(servers::open_console))
        .routes(routes!(servers::console_lines))
        .routes(routes!(servers::open_install_console))
        .routes(routes!(servers::install_log))
        .routes(routes!(templates::list_templates, templates::create_template))
        .routes(routes!(templates::get_template, templates::update_template, templates::delete_template))
        .routes(routes!(nodes::list_nodes, nodes::create_node))
        .routes(routes!(nodes::get_node, nodes::update_node, nodes::delete_node))
        .routes(routes!(nodes::create_join_token))
        .routes(routes!(nodes::get_node_activity))
        .routes(routes!(nodes::list_allocations, nodes::create_allocations, nodes::delete_allocations))
        .routes(routes!(users::list_users, users::create_user))
        .routes(routes!(users::get_user, users::update_user, users::delete_user))
        .routes(routes!(users::create_user_key))
        .routes(routes!(keys::list_keys, keys::create_key))
        .routes(routes!(keys::delete_key))
        .routes(routes!(components::list_components))
        .routes(routes!(components::list_history))
        .routes(routes!(components::get_overview))
        .routes(routes!(events::watch_events));
    OpenApiRouter::with_openapi(Document::openapi()).nest("/api/v1", api).split_for_parts()
}

/// The document alone, for `nodepanel openapi`.
pub fn document() -> utoipa::openapi::OpenApi {
    routes().1
}
