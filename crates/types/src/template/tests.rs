//! Whole templates: what is refused and how it is said, and what comes of the built-in ones.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    problem::FieldError,
    wire::{Endpoint, InstallStep, Limits, Protocol, Ready, StopWay},
};

const SMALL: &str = r#"
format = 1
slug = "small"
name = "Small"
packages = ["openttd"]

[[variables]]
key = "MOTD"
label = "Message"
default = "hello"

[[ports]]
name = "game"
protocol = "tcp"

[[ports]]
name = "rcon"
protocol = "tcp"

[limits]
memory_mib = 256

[[install.steps]]
title = "Say it"
run = ["echo", "{{var.MOTD}} {{server.name}}"]
env = { PORT = "{{port.rcon}}" }

[[install.steps]]
file = "conf/server.json"
escape = "json"
content = '{"motd": {{var.MOTD}}, "port": {{port}}, "name": {{server.name|toml}}}'

[launch]
command = ["game", "--port={{port}}", "--motd", "{{var.MOTD}}", "--memory={{limits.memory_mib}}"]
ready = { line = 'listening on {{address}}:{{port}}' }
stop = { command = "stop" }
"#;

fn endpoint(name: &str, port: u16) -> Endpoint {
    Endpoint { name: name.to_owned(), address: "127.0.0.1".parse().unwrap(), port, protocol: Protocol::Tcp }
}

fn render(template: &Template, name: &str, variables: &[(&str, &str)]) -> Result<Rendered, Vec<FieldError>> {
    let endpoints: Vec<_> = template.ports.iter().zip(4_000..).map(|(port, n)| endpoint(&port.name, n)).collect();
    template.render(&RenderInput {
        server: "0190b5c8-7c4e-7000-8000-0000deadbeef".parse().unwrap(),
        name,
        limits: &Limits::default(),
        endpoints: &endpoints,
        variables: &variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    })
}

fn errors(source: &str) -> BTreeMap<String, String> {
    Template::parse(source).unwrap_err().into_iter().map(|error| (error.field, error.message)).collect()
}

#[test]
fn a_template_becomes_commands_and_files() {
    let template = Template::parse(SMALL).unwrap();
    let rendered = render(&template, "My \"server\"", &[("MOTD", "a \"b\" {{port}} $(id); x\\")]).unwrap();
    assert_eq!(
        rendered.launch.command,
        ["game", "--port=4000", "--motd", "a \"b\" {{port}} $(id); x\\", "--memory=256"]
    );
    assert_eq!(rendered.launch.ready, Ready::Line { pattern: r"listening on 127\.0\.0\.1:4000".to_owned() });
    assert_eq!(rendered.launch.stop, StopWay::Command { line: "stop".to_owned() });
    let [InstallStep::Run { command, env, .. }, InstallStep::File { file }] = rendered.install.as_slice() else {
        panic!("{:?}", rendered.install)
    };
    assert_eq!(command[1], "a \"b\" {{port}} $(id); x\\ My \"server\"");
    assert_eq!(env["PORT"], "4001");
    assert_eq!(file.content, r#"{"motd": "a \"b\" {{port}} $(id); x\\", "port": 4000, "name": "My \"server\""}"#);
}

#[test]
fn a_template_knows_whether_a_name_changes_anything() {
    let all = BUILTIN.iter().map(|(_, source)| *source).chain([SMALL]);
    let mut indifferent = 0;
    for source in all {
        let template = Template::parse(source).unwrap();
        let commanded = template.variables.iter().filter(|variable| variable.required && variable.default.is_empty());
        let values: Vec<_> = commanded.map(|variable| (variable.key.as_str(), "run {{server.name}}")).collect();
        let rendered = |name| render(&template, name, &values).unwrap();
        assert_eq!(rendered("One") != rendered("Two"), template.names_server(), "{}", template.slug);
        indifferent += usize::from(!template.names_server());
    }
    assert!(indifferent > 0);
}

#[test]
fn everything_wrong_is_named_at_once_with_its_line() {
    let found = errors(
        r#"format = 2
slug = "Bad Slug"
packages = ["openttd", "-y"]
colour = "red"

[[variables]]
key = "A"
label = "A"
default = "x"
pattern = "[0-9]+"

[[ports]]
name = "game"
protocol = "sctp"
default = 70000

[[install.steps]]
title = "Nothing"

[[install.steps]]
file = "../x"
content = "name={{var.A}}"

[launch]
comand = ["x"]
command = ["{{var.B}}"]
ready = { line = "(" }
stop = { signal = "SIGKILL" }
read_paths = ["/", "/usr"]
"#,
    );
    for (field, words) in [
        ("format", "reads format 1 (line 1)"),
        ("slug", "a-z, 0-9 and - (line 2)"),
        ("name", "is missing"),
        ("packages[1]", "no name of a Debian package (line 3)"),
        ("colour", "there is no such setting"),
        ("variables[0].default", "must match [0-9]+ (line 9)"),
        ("ports[0].protocol", "tcp, udp or both (line 14)"),
        ("ports[0].default", "from 1 to 65535 (line 15)"),
        ("install.steps[0].run", "has neither"),
        ("install.steps[1].file", "must have no part \"..\" (line 21)"),
        ("install.steps[1].content", "in which notation"),
        ("launch.comand", "did you mean \"command\""),
        ("launch.command[0]", "there is no variable \"B\""),
        ("launch.ready.line", "is no regular expression"),
        ("launch.stop.signal", "must be one of SIGTERM"),
        ("launch.read_paths[0]", "must not be the whole file system"),
    ] {
        let message = found.get(field).unwrap_or_else(|| panic!("no error for {field} in {found:#?}"));
        assert!(message.contains(words), "{field}: {message}");
    }
    assert_eq!(found.len(), 16, "{found:#?}");
}

#[test]
fn a_template_without_a_start_command_is_refused() {
    let without = SMALL.replace("command = [\"game\"", "env = {}\n#");
    assert!(errors(&without)["launch.command"].contains("is missing"));
    assert!(errors("format = 1\nslug = \"x\"\nname = \"x\"")["launch"].contains("is missing"));
}

#[test]
fn what_is_no_toml_is_said_with_its_line() {
    let found = errors("format = 1\nslug = \"x");
    assert!(found["source"].contains("(line 2)"), "{found:?}");
    let large = "#".repeat(crate::limits::TEMPLATE_BYTES + 1);
    assert!(errors(&large)["source"].contains("a template may have"));
    let deep = format!("x = {}", "[".repeat(50_000));
    assert!(errors(&deep).contains_key("source"));
}

#[test]
fn a_placeholder_in_a_long_content_is_found_in_its_line() {
    let source = SMALL.replace("content = '", "content = '''\n\n\n{{var.MOTB}}").replace("toml}}}'", "toml}}}'''");
    let line = 1 + source.lines().position(|line| line.contains("MOTB")).unwrap();
    assert!(errors(&source)["install.steps[1].content"].contains(&format!("(line {line})")));
}

#[test]
fn values_are_checked_and_defaults_added() {
    let template =
        Template::parse(&SMALL.replace("default = \"hello\"", "default = \"1\"\npattern = '[0-9]|ab'")).unwrap();
    let check =
        |key: &str, value: &str| template.check_variables(&BTreeMap::from([(key.to_owned(), value.to_owned())]));
    assert_eq!(template.check_variables(&BTreeMap::new()).unwrap()["MOTD"], "1");
    assert_eq!(check("MOTD", "ab").unwrap()["MOTD"], "ab");
    assert_eq!(check("MOTD", "").unwrap()["MOTD"], "");
    for bad in ["1b", "xab", "ab\n", "1\u{2028}", "\u{0}", "\u{1b}[31m", &"1".repeat(201)] {
        assert_eq!(check("MOTD", bad).unwrap_err()[0].field, "variables.MOTD", "{bad:?}");
    }
    assert!(check("MOTB", "1").unwrap_err()[0].message.contains("did you mean \"MOTD\""));
}

#[test]
fn a_missing_port_and_a_bad_name_are_refused() {
    let template = Template::parse(SMALL).unwrap();
    let input = RenderInput {
        server: "0190b5c8-7c4e-7000-8000-0000deadbeef".parse().unwrap(),
        name: "two\nlines",
        limits: &Limits::default(),
        endpoints: &[endpoint("game", 1)],
        variables: &BTreeMap::new(),
    };
    let fields: Vec<_> = template.render(&input).unwrap_err().into_iter().map(|error| error.field).collect();
    assert_eq!(fields, ["name", "ports.rcon"]);
}

#[test]
fn the_built_in_templates_are_sound() {
    for (slug, source) in BUILTIN {
        let template = Template::parse(source).unwrap_or_else(|errors| panic!("{slug}: {errors:#?}"));
        assert_eq!(template.slug, *slug);
        let command = template.variables.iter().any(|variable| variable.key == "COMMAND");
        let given: &[_] = if command { &[("COMMAND", "/bin/cat")] } else { &[] };
        render(&template, "A server", given).unwrap_or_else(|errors| panic!("{slug}: {errors:#?}"));
    }
}

fn builtin(slug: &str) -> Template {
    let (_, source) = BUILTIN.iter().find(|(name, _)| *name == slug).unwrap();
    Template::parse(source).unwrap()
}

#[test]
fn any_command_is_split_into_words_and_never_given_to_a_shell() {
    let template = builtin("any-command");
    let line =
        r#"java -Xmx{{limits.memory_mib}}M -jar 'my server.jar' --port "{{port}}" --name {{server.name}} $HOME;id"#;
    let rendered = render(&template, "it's {{port}} 'x'", &[("COMMAND", line)]).unwrap();
    assert_eq!(
        rendered.launch.command,
        ["java", "-Xmx512M", "-jar", "my server.jar", "--port", "4000", "--name", "it's {{port}} 'x'", "$HOME;id"]
    );
    assert_eq!(rendered.launch.ready, Ready::Spawned);
    assert_eq!(rendered.launch.stop, StopWay::Signal { signal: 15 });

    let chosen = [("COMMAND", "x"), ("READY_TEXT", "Done (1.5s)!"), ("STOP_COMMAND", "end")];
    let rendered = render(&template, "x", &chosen).unwrap();
    assert_eq!(rendered.launch.ready, Ready::Line { pattern: r"Done \(1\.5s\)!".to_owned() });
    assert_eq!(rendered.launch.stop, StopWay::Command { line: "end".to_owned() });

    for (line, words) in
        [("", "required"), ("'a", "never closed"), ("''", "name a program"), ("a {{x}}", "placeholder")]
    {
        let found = render(&template, "x", &[("COMMAND", line)]).unwrap_err();
        assert_eq!(found[0].field, "variables.COMMAND");
        assert!(found[0].message.contains(words), "{line}: {}", found[0].message);
    }
}

#[test]
fn the_settings_of_minecraft_are_json_whatever_the_owner_writes() {
    let template = builtin("minecraft");
    let motd = r#"", "operators": "yes", "x": "\"#;
    let rendered = render(&template, "x", &[("MOTD", motd)]).unwrap();
    let file = rendered.launch.files.iter().find(|file| file.path == "settings.json").unwrap();
    let settings: serde_json::Value = serde_json::from_str(&file.content).unwrap();
    assert_eq!(settings["motd"], motd);
    assert_eq!(settings["operators"], "no");
    assert_eq!(settings["port"], 4_000);
}

proptest! {
    #[test]
    fn any_text_is_answered(source in "\\PC*") {
        let _ = Template::parse(&source);
    }

    /// Sound templates with a few characters replaced reach deeper than noise does.
    #[test]
    fn damaged_templates_are_answered(at in 0..SMALL.len(), length in 0..40_usize, put in "[ -~\n]{0,20}") {
        let mut source = SMALL.to_owned();
        source.replace_range(at..(at + length).min(SMALL.len()), &put);
        if let Ok(template) = Template::parse(&source) {
            let _ = render(&template, "x", &[]);
        }
    }

    #[test]
    fn a_value_stays_in_its_argument_and_in_its_string(motd in "[^\\p{Cc}\u{2028}\u{2029}]{1,60}", name in "[^\\p{Cc}\u{2028}\u{2029}]{0,60}") {
        let rendered = render(&Template::parse(SMALL).unwrap(), &name, &[("MOTD", &motd)]).unwrap();
        prop_assert_eq!(rendered.launch.command, ["game", "--port=4000", "--motd", &motd, "--memory=256"]);
        let InstallStep::File { file } = &rendered.install[1] else { panic!() };
        let (json, name_part) = file.content.split_once(", \"name\": ").unwrap();
        let json: serde_json::Value = serde_json::from_str(&format!("{json}}}")).unwrap();
        prop_assert_eq!(&json["motd"], &motd);
        let name_part = name_part.strip_suffix('}').unwrap();
        let table: toml::Table = toml::from_str(&format!("name = {name_part}")).unwrap();
        prop_assert_eq!(table["name"].as_str(), Some(name.as_str()));
    }
}
