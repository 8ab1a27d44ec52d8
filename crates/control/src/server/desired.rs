//! The plan: a server's record and its template's version make the desired state that its node gets. A pure function.

use nodepanel_types::{
    problem::FieldError,
    template::{RenderInput, Template},
    wire::{DesiredServer, PlayerQuery, WIRE_VERSION},
};

use crate::record::ServerRecord;

/// What the server's node should run.
///
/// # Errors
/// What in the template and the variables does not fit together, by field.
pub fn desired(server: &ServerRecord, template: &Template) -> Result<DesiredServer, Vec<FieldError>> {
    let rendered = template.render(&RenderInput {
        server: server.id,
        name: &server.name,
        limits: &server.limits,
        endpoints: &server.endpoints,
        variables: &server.variables,
    })?;
    Ok(DesiredServer {
        v: WIRE_VERSION,
        server: server.id,
        generation: server.generation,
        name: server.name.clone(),
        limits: server.limits,
        endpoints: server.endpoints.clone(),
        install_serial: server.install_serial,
        packages: rendered.packages,
        programs: rendered.programs,
        install: rendered.install,
        install_timeout_ms: rendered.install_timeout_ms,
        launch: rendered.launch,
        query: template.query.as_ref().map(|query| PlayerQuery { kind: query.kind, endpoint: query.port.clone() }),
        crash: server.crash,
        power: server.power,
    })
}
