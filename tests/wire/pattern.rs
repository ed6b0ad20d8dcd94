//! What a script expects of a message, as `containers/WIRE.md` describes under "The conformance kit".

use serde_json::{Map, Value};

/// Compares a message with a pattern; collects what the pattern saves. The error says where they differ.
pub fn check(pattern: &Value, found: &Value, save: &mut dyn FnMut(&str, Vec<u32>)) -> Result<(), String> {
    at("", pattern, found, save)
}

fn at(path: &str, pattern: &Value, found: &Value, save: &mut dyn FnMut(&str, Vec<u32>)) -> Result<(), String> {
    let differs = |expected: &str| Err(format!("`{path}`: expected {expected}, found {found}"));
    match pattern {
        Value::String(word) if word.starts_with('$') => match (word.as_str(), found) {
            ("$any", _) => Ok(()),
            ("$text", Value::String(text)) if !text.is_empty() => Ok(()),
            ("$whole", value) if value.is_u64() => Ok(()),
            ("$positive", value) if value.as_u64().is_some_and(|number| number > 0) => Ok(()),
            ("$flag", Value::Bool(_)) => Ok(()),
            ("$text" | "$whole" | "$positive" | "$flag", _) => differs(word),
            _ => Err(format!("the script has an unknown pattern {word:?}")),
        },
        Value::Object(map) if map.contains_key("$tokens") => {
            tokens(map, found, save).or_else(|expected| differs(&expected))
        }
        Value::Object(map) if map.contains_key("$has") => match (map.get("$has"), found) {
            (Some(Value::Object(wanted)), Value::Object(found)) => fields(path, wanted, found, save),
            _ => differs("an object"),
        },
        Value::Object(wanted) => match found {
            Value::Object(found) => {
                if let Some(extra) = found.keys().find(|key| !wanted.contains_key(*key)) {
                    return Err(format!("`{path}`: `{extra}` is there and not expected"));
                }
                fields(path, wanted, found, save)
            }
            _ => differs("an object"),
        },
        literal if literal == found => Ok(()),
        literal => differs(&literal.to_string()),
    }
}

fn fields(
    path: &str,
    wanted: &Map<String, Value>,
    found: &Map<String, Value>,
    save: &mut dyn FnMut(&str, Vec<u32>),
) -> Result<(), String> {
    for (key, pattern) in wanted {
        let Some(value) = found.get(key) else { return Err(format!("`{path}`: `{key}` is missing")) };
        at(&format!("{path}.{key}"), pattern, value, save)?;
    }
    Ok(())
}

/// `{"$tokens": 4, "save": "name"}`, or `{"$tokens": [1, 4]}` for a count between two.
fn tokens(pattern: &Map<String, Value>, found: &Value, save: &mut dyn FnMut(&str, Vec<u32>)) -> Result<(), String> {
    let (least, most) = match pattern.get("$tokens") {
        Some(Value::Array(bounds)) => (bounds.first().and_then(Value::as_u64), bounds.last().and_then(Value::as_u64)),
        count => (count.and_then(Value::as_u64), count.and_then(Value::as_u64)),
    };
    let (Some(least), Some(most)) = (least, most) else { return Err("a proper count in the script".to_owned()) };
    let list: Option<Vec<u32>> =
        found.as_array().and_then(|list| list.iter().map(|id| id.as_u64()?.try_into().ok()).collect());
    match list {
        Some(list) if (least..=most).contains(&(list.len() as u64)) => {
            if let Some(name) = pattern.get("save").and_then(Value::as_str) {
                save(name, list);
            }
            Ok(())
        }
        _ => Err(format!("{least} to {most} token ids")),
    }
}
