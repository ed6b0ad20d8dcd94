//! How a lane whose process is a server is reached, and asked whether it is ready and what it is.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::document::Document;
use super::{Error, Launcher};

/// The runner's name of lanes whose process is a server and speaks no wire.
const SERVER_RUNNER: &str = "server";
/// What stands for the server's port in its arguments.
const PORT_PLACE: &str = "{port}";
/// What stands for the model's folder in its arguments.
const MODEL_PLACE: &str = "{model}";

/// A server, by what it answers over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// The port that it listens on inside its container. A process is given a free one at each launch, where its arguments
    /// say `{port}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The path that answers 200 once it takes requests.
    pub health: String,
    /// What it is asked once it is ready.
    #[serde(default, rename = "ask", skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<Ask>,
}

/// One question, and the signal that its answer becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The path; it answers with JSON.
    pub path: String,
    /// Where in the answer, as a JSON pointer: `/version`.
    pub pointer: String,
    /// The signal's name.
    pub signal: String,
}

impl Server {
    /// Its arguments, with the port and the model's folder where their places are.
    #[must_use]
    pub fn filled(arguments: &[String], port: u16, model_dir: &str) -> Vec<String> {
        let filled =
            |argument: &String| argument.replace(PORT_PLACE, &port.to_string()).replace(MODEL_PLACE, model_dir);
        arguments.iter().map(filled).collect()
    }
}

/// A server lane says how it is asked, no other lane does, and its process learns its port.
pub(super) fn check(
    document: &Document<'_>,
    runner: &str,
    server: Option<&Server>,
    launcher: &Launcher,
) -> Result<(), Error> {
    let fault = |path: &str, message: String, hint: &str| {
        Err(document.fault(path, message, (!hint.is_empty()).then(|| hint.to_owned())))
    };
    let Some(Server { port, health, asks }) = server else {
        let message =
            "a server lane needs the table [server], which says how it is asked whether it is ready".to_owned();
        return if runner == SERVER_RUNNER { fault("runner", message, "give at least `health`") } else { Ok(()) };
    };
    if runner != SERVER_RUNNER {
        return fault("server", format!("stands beside runner {runner:?}"), "a server lane has runner = \"server\"");
    }
    let has_port = |arguments: &[String]| arguments.iter().any(|argument| argument.contains(PORT_PLACE));
    match (launcher, port) {
        (Launcher::Docker(_), None | Some(0)) => {
            return fault("server.port", "a container's server listens on a fixed port, above 0".to_owned(), "");
        }
        (Launcher::Process(_), Some(_)) => {
            let hint = "remove it: a process is given a free port where its arguments say `{port}`";
            return fault("server.port", "is for containers".to_owned(), hint);
        }
        (Launcher::Process(process), None) if !has_port(&process.arguments) => {
            let hint = "write `{port}` where the server takes its port";
            return fault("process.arguments", "the server is not told its port".to_owned(), hint);
        }
        _ => {}
    }
    check_path(document, "server.health", health)?;
    let mut names = BTreeSet::new();
    for (index, Ask { path, pointer, signal }) in asks.iter().enumerate() {
        let at = |key: &str| format!("server.ask[{index}].{key}");
        check_path(document, &at("path"), path)?;
        if !pointer.starts_with('/') {
            return fault(&at("pointer"), format!("{pointer:?} is no JSON pointer"), "it begins with `/`: `/version`");
        }
        let part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !signal.contains('.') || !signal.split('.').all(part) {
            return fault(&at("signal"), format!("{signal:?} is no signal's name"), "for example `vllm.version`");
        }
        if !names.insert(signal) {
            return fault(&at("signal"), format!("{signal:?} is asked for twice"), "");
        }
    }
    Ok(())
}

fn check_path(document: &Document<'_>, at: &str, path: &str) -> Result<(), Error> {
    if path.starts_with('/') && path.chars().all(|c| c.is_ascii_graphic() && c != '#') {
        return Ok(());
    }
    Err(document.fault(at, format!("{path:?} is no path"), Some("it begins with `/`: `/health`".to_owned())))
}

#[cfg(test)]
mod tests {
    use crate::plan::Lane;

    fn read(tables: &str) -> Result<Lane, String> {
        let text = format!("schema = 1\nname = \"s\"\n{tables}");
        Lane::parse("lanes/s.toml", &text).map_err(|error| error.to_string())
    }

    const CONTAINER: &str = "launcher = \"docker\"\nrunner = \"server\"\n[docker]\nimage = \"a/b:1\"\n";
    const PROCESS: &str = "launcher = \"process\"\nrunner = \"server\"\n[process]\nprogram = \"python3\"\n";

    #[test]
    fn a_server_says_where_it_is_asked() {
        let ask = "[[server.ask]]\npath = \"/version\"\npointer = \"/version\"\nsignal = \"vllm.version\"\n";
        let lane = read(&format!("{CONTAINER}[server]\nport = 8000\nhealth = \"/health\"\n{ask}")).unwrap();
        assert_eq!(lane.server.unwrap().asks[0].signal, "vllm.version");
        let lane =
            read(&format!("{PROCESS}arguments = [\"--port={{port}}\"]\n[server]\nhealth = \"/health\"")).unwrap();
        assert_eq!(lane.server.unwrap().port, None);
    }

    #[test]
    fn what_cannot_be_asked_is_refused_with_its_place() {
        let refused = |tables: &str, words: &str| {
            let error = read(tables).unwrap_err();
            assert!(error.contains(words), "{error}");
        };
        refused(CONTAINER, "runner: a server lane needs the table [server]");
        refused(&format!("{CONTAINER}[server]\nhealth = \"/\""), "server.port: a container's server");
        refused(
            &format!("{CONTAINER}[server]\nport = 80\nhealth = \"health\""),
            "server.health: \"health\" is no path",
        );
        refused(&format!("{PROCESS}[server]\nhealth = \"/\""), "process.arguments: the server is not told its port");
        refused(&format!("{PROCESS}[server]\nport = 1\nhealth = \"/\""), "server.port: is for containers");
        let other = CONTAINER.replace("\"server\"", "\"native\"");
        refused(&format!("{other}[server]\nport = 80\nhealth = \"/\""), "server: stands beside runner \"native\"");
        let ask = |path: &str, pointer: &str, signal: &str| {
            format!("[[server.ask]]\npath = {path:?}\npointer = {pointer:?}\nsignal = {signal:?}\n")
        };
        let with = |asks: &str| format!("{CONTAINER}[server]\nport = 80\nhealth = \"/\"\n{asks}");
        refused(&with(&ask("version", "/v", "a.b")), "server.ask[0].path");
        refused(&with(&ask("/version", "v", "a.b")), "server.ask[0].pointer: \"v\" is no JSON pointer");
        refused(&with(&ask("/version", "/v", "version")), "server.ask[0].signal: \"version\" is no signal's name");
        refused(&with(&ask("/v", "/v", "a.b").repeat(2)), "server.ask[1].signal: \"a.b\" is asked for twice");
    }
}
