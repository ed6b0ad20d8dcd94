//! The JSON Schemas that `lockstep schema` prints, held against the files that they are about.

use serde_json::Value;

use crate::prepared::prepared;
use crate::project::Project;
use crate::{Named, Needs};

pub const TRIALS: &[Named] = &[
    Named("every_schema_is_a_schema_document", Needs::Nothing, all_schemas),
    Named("schemas_take_the_shipped_plans_lanes_and_locks", Needs::Nothing, shipped_files),
    Named("schemas_take_what_a_run_writes", Needs::Nothing, written_files),
    Named("schemas_take_the_public_claims_and_what_the_audit_answers", Needs::Nothing, claims),
    Named("schemas_refuse_unknown_and_missing_keys", Needs::Nothing, refusals),
];

fn schema(name: &str) -> Value {
    prepared().0.lockstep(&["schema", name]).exits(0).json()
}

/// Why `value` is not what `schema` describes, as far as types, keys, lists and choices go; nothing when it is.
fn fault(root: &Value, schema: &Value, value: &Value, place: &str) -> Option<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let target = root.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("{name} leads nowhere"));
        if let Some(found) = fault(root, target, value, place) {
            return Some(found);
        }
    }
    if schema["type"].is_string() || schema["type"].is_array() {
        let types: Vec<&str> = match &schema["type"] {
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        };
        if !types.iter().any(|name| is_type(name, value)) {
            return Some(format!("{place}: {value} is none of {types:?}"));
        }
    }
    if let Some(wanted) = schema.get("const").filter(|wanted| *wanted != value) {
        return Some(format!("{place}: {value} is not {wanted}"));
    }
    if schema["enum"].as_array().is_some_and(|list| !list.contains(value)) {
        return Some(format!("{place}: {value} is none of {}", schema["enum"]));
    }
    for (word, most) in [("oneOf", 1), ("anyOf", usize::MAX)] {
        let Some(choices) = schema[word].as_array() else { continue };
        let faults: Vec<Option<String>> = choices.iter().map(|choice| fault(root, choice, value, place)).collect();
        let taken = faults.iter().filter(|fault| fault.is_none()).count();
        if taken == 0 || taken > most {
            let faults: Vec<String> = faults.into_iter().flatten().collect();
            return Some(format!("{place}: {taken} choices take it: {}", faults.join(" | ")));
        }
    }
    match value {
        Value::Object(_) => object_fault(root, schema, value, place),
        Value::Array(list) if schema["items"].is_object() => {
            let item = |(index, item)| fault(root, &schema["items"], item, &format!("{place}[{index}]"));
            list.iter().enumerate().find_map(item)
        }
        _ => None,
    }
}

fn object_fault(root: &Value, schema: &Value, value: &Value, place: &str) -> Option<String> {
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(key).is_none() {
            return Some(format!("{place}: the key {key} is missing"));
        }
    }
    for (key, inner) in value.as_object().into_iter().flatten() {
        let inner_place = format!("{place}.{key}");
        let found = match (schema["properties"].get(key), schema.get("additionalProperties")) {
            (Some(property), _) => fault(root, property, inner, &inner_place),
            (None, Some(Value::Bool(false))) => Some(format!("{inner_place} is unknown")),
            (None, Some(other)) if other.is_object() => fault(root, other, inner, &inner_place),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type of JSON Schema"),
    }
}

#[track_caller]
pub fn takes(name: &str, value: &Value, what: &str) {
    let schema = schema(name);
    if let Some(found) = fault(&schema, &schema, value, what) {
        panic!("the schema {name} does not take {what}: {found}");
    }
}

fn toml_as_json(text: &str) -> Value {
    let value: toml::Table = text.parse().expect("a shipped file is TOML");
    serde_json::to_value(value).expect("these files hold nothing that JSON lacks")
}

fn all_schemas() {
    let project = Project::new();
    let names = project.lockstep(&["schema"]).exits(0).json();
    let names: Vec<&str> = names.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for name in
        ["plan", "lane", "lock", "comparison", "journal", "run", "snapshot", "verdict", "wire-request", "wire-reply"]
    {
        assert!(names.contains(&name), "there is no schema {name}: {names:?}");
    }
    for name in names {
        let schema = project.lockstep(&["schema", name]).exits(0).json();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        assert!(schema["title"].is_string(), "{name}");
        // Every reference leads somewhere.
        let text = schema.to_string();
        for target in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(schema.pointer(target).is_some(), "{name}: #{target} leads nowhere");
        }
    }
}

fn shipped_files() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut counted = 0;
    for (name, folder, extension) in
        [("plan", "plans", "toml"), ("lane", "lanes", "toml"), ("lock", "lockfiles", "lock")]
    {
        let schema = schema(name);
        for entry in std::fs::read_dir(root.join(folder)).expect("it can be listed").filter_map(Result::ok) {
            let path = entry.path();
            if path.extension().is_none_or(|found| found != extension) {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a shipped file can be read");
            let found = fault(&schema, &schema, &toml_as_json(&text), "file");
            assert_eq!(found, None, "the schema {name} does not take {}", path.display());
            counted += 1;
        }
    }
    assert!(counted >= 13, "only {counted} shipped files were found");
    for (name, file) in [
        ("plan", include_str!("../fixtures/plan/plan.toml")),
        ("lane", include_str!("../fixtures/plan/docker.toml")),
        ("lane", include_str!("../fixtures/plan/process.toml")),
        ("lock", include_str!("../fixtures/plan/image.lock")),
        ("lock", include_str!("../fixtures/plan/own.lock")),
    ] {
        takes(name, &toml_as_json(file), "a file with every key");
    }
}

fn written_files() {
    let (project, run) = prepared();
    let json = |path: &std::path::Path| -> Value {
        serde_json::from_slice(&std::fs::read(path).expect("it can be read")).expect("it is JSON")
    };
    takes("run", &json(&run.file("run.json")), "run.json");
    takes("verdict", &json(&run.file("verdict.json")), "verdict.json");
    let lock = std::fs::read_to_string(run.file("locks/native.lock")).expect("the run keeps its locks");
    takes("lock", &toml_as_json(&lock), "a run's copy of a lock");
    let plan = std::fs::read_to_string(run.file("plan.toml")).expect("the run keeps its plan");
    takes("plan", &toml_as_json(&plan), "a run's plan");
    let snapshots = std::fs::read_dir(project.file("snapshots/tiny")).expect("there are snapshots");
    for path in snapshots.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "json") {
            takes("snapshot", &json(&path), "a snapshot");
        }
    }
    takes("comparison", &project.lockstep(&["verify", "latest", "--format", "json"]).json(), "a comparison");
    let schema = schema("journal");
    let journal = std::fs::read_to_string(run.file("journal.jsonl")).expect("a run has a journal");
    for (number, line) in journal.lines().enumerate() {
        let line: Value = serde_json::from_str(line).expect("a journal's line is JSON");
        let found = fault(&schema, &schema, &line, &format!("line {}", number + 1));
        assert_eq!(found, None, "the schema journal does not take a journal's line");
    }
}

fn claims() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/claims");
    let file = root.join("public.jsonl");
    let schema = schema("claims");
    let text = std::fs::read_to_string(&file).expect("the public claims can be read");
    for (number, line) in text.lines().enumerate() {
        let line: Value = serde_json::from_str(line).expect("a claim's line is JSON");
        let found = fault(&schema, &schema, &line, &format!("line {}", number + 1));
        assert_eq!(found, None, "the schema claims does not take a public claim");
    }
    assert_eq!(text.lines().count(), 133);
    let (file, data) = (file.to_string_lossy(), root.join("data"));
    let answers = prepared().0.lockstep(&["audit", &file, "--data", &data.to_string_lossy(), "--format", "json"]);
    takes("audit", &answers.exits(1).json(), "the audit's answers");
}

fn refusals() {
    let cases = [
        ("plan", include_str!("../../plans/quickstart.toml"), "seed = 20260101", "sede = 20260101"),
        ("plan", include_str!("../../plans/quickstart.toml"), "new_tokens = 16", "new_tokens = \"16\""),
        ("plan", include_str!("../../plans/quickstart.toml"), "kind = \"contrast\"", "kind = \"contrats\""),
        ("lane", include_str!("../../lanes/native.toml"), "launcher = \"process\"", "launcher = \"proces\""),
        ("lane", include_str!("../../lanes/native.toml"), "measure_s", "mesure_s"),
        ("lock", include_str!("../../lockfiles/native.lock"), "manifest", "manifset"),
    ];
    for (name, text, from, to) in cases {
        let edited = text.replacen(from, to, 1);
        assert_ne!(text, edited);
        let schema = schema(name);
        let found = fault(&schema, &schema, &toml_as_json(&edited), "file");
        assert!(found.is_some(), "the schema {name} takes {to:?}");
    }
}
