//! `containers/WIRE.md` against the code: its examples are messages, all messages have one, its numbers are ours.

use std::collections::BTreeSet;

use libtest_mimic::{Failed, Trial};
use lockstep::wire::{LineDecoder, MAX_LINE_BYTES, Message, PROTOCOL, Reply, Request};
use serde::Serialize;
use serde_json::Value;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("document::every message has an example that can be read", examples),
        Trial::test("document::version and line limit are those of the code", numbers),
        Trial::test("document::every script's first line says what it shows", scripts_say_what_they_show),
    ]
}

fn document() -> Result<String, Failed> {
    Ok(std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/containers/WIRE.md"))?)
}

fn examples() -> Result<(), Failed> {
    let text = document()?;
    check_section::<Request>(&text, "## Requests", &["bye", "hello", "load", "preflight", "run"])?;
    let replies = ["bye", "failed", "fatal", "hello", "loaded", "progress", "result", "signals"];
    check_section::<Reply>(&text, "## Replies", &replies)
}

/// Reads every example of a section; together they are these messages.
fn check_section<T: Message + Serialize>(text: &str, heading: &str, expected: &[&str]) -> Result<(), Failed> {
    let section = text.split("\n## ").find(|part| format!("## {part}").starts_with(heading));
    let section = section.ok_or_else(|| format!("there is no section {heading}"))?;
    let mut found = BTreeSet::new();
    for block in section.split("```json\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        let mut decoder = LineDecoder::<T>::default();
        decoder.push(block.as_bytes());
        while let Some(message) = decoder.take() {
            let message = serde_json::to_value(message.map_err(|error| format!("{heading}: {error}"))?)?;
            found.extend(message.get("type").and_then(Value::as_str).map(str::to_owned));
        }
    }
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    if found == expected { Ok(()) } else { Err(format!("{heading} has examples of {found:?}").into()) }
}

fn numbers() -> Result<(), Failed> {
    let text = document()?;
    let limit = MAX_LINE_BYTES.to_string();
    let grouped = format!("**{},{},{} bytes**", &limit[..1], &limit[1..4], &limit[4..]);
    for wanted in [format!("Protocol version: **{PROTOCOL}**"), grouped] {
        if !text.contains(&wanted) {
            return Err(format!("containers/WIRE.md lacks {wanted:?}").into());
        }
    }
    Ok(())
}

fn scripts_say_what_they_show() -> Result<(), Failed> {
    let silent: Vec<String> =
        super::kit::scripts().into_iter().filter(|script| script.what().is_empty()).map(|script| script.name).collect();
    if silent.is_empty() { Ok(()) } else { Err(format!("{silent:?} begin without `about`").into()) }
}
