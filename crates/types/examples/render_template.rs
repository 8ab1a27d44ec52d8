//! Prints what becomes of a template on a server, as JSON: the requirements, the installation and the launch.
//!
//! `cargo run -p nodepanel-types --example render_template -- PORT [KEY=VALUE]... < templates/minecraft.toml`
//! Ports of the template get PORT and the numbers after it, on 127.0.0.1.

use std::{collections::BTreeMap, io::Read, process::ExitCode};

use nodepanel_types::{
    ServerId,
    problem::FieldError,
    template::{RenderInput, Template},
    wire::Endpoint,
};

fn main() -> ExitCode {
    let mut source = String::new();
    if let Err(error) = std::io::stdin().read_to_string(&mut source) {
        eprintln!("the template cannot be read: {error}");
        return ExitCode::FAILURE;
    }
    let mut arguments = std::env::args().skip(1);
    let Some(port) = arguments.next().and_then(|port| port.parse().ok()) else {
        eprintln!("the first argument must be a port");
        return ExitCode::FAILURE;
    };
    let mut variables = BTreeMap::new();
    for argument in arguments {
        let Some((key, value)) = argument.split_once('=') else {
            eprintln!("a variable must be written as KEY=VALUE");
            return ExitCode::FAILURE;
        };
        variables.insert(key.to_owned(), value.to_owned());
    }
    match render(&source, port, &variables) {
        Ok(json) => {
            println!("{json}");
            ExitCode::SUCCESS
        }
        Err(errors) => {
            for error in errors {
                eprintln!("{}: {}", error.field, error.message);
            }
            ExitCode::FAILURE
        }
    }
}

fn render(source: &str, port: u16, variables: &BTreeMap<String, String>) -> Result<serde_json::Value, Vec<FieldError>> {
    let template = Template::parse(source)?;
    let endpoints: Vec<_> = template
        .ports
        .iter()
        .zip(port..)
        .map(|(declared, port)| Endpoint {
            name: declared.name.clone(),
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            port,
            protocol: declared.protocol,
        })
        .collect();
    let rendered = template.render(&RenderInput {
        server: ServerId::from_uuid(uuid::Uuid::nil()),
        name: "A server",
        limits: &template.limits,
        endpoints: &endpoints,
        variables,
    })?;
    Ok(serde_json::json!({
        "packages": rendered.packages,
        "programs": rendered.programs,
        "install": rendered.install,
        "install_timeout_ms": rendered.install_timeout_ms,
        "launch": rendered.launch,
        "port": port,
    }))
}
