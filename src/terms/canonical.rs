//! Canonical JSON: the one byte form that digests are taken over.
//!
//! Keys sorted by code point, no white space, numbers as serde_json prints them. Two values that are equal give
//! the same bytes whatever order their fields were declared or read in.

use serde::Serialize;
use serde_json::Value;

/// The value's canonical JSON text.
///
/// # Errors
/// The value has no JSON form (a map with keys that are no strings, for example).
pub fn canonical_json<T: Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    Ok(canonical_value(&serde_json::to_value(value)?))
}

/// The canonical text of a JSON value.
#[must_use]
pub fn canonical_value(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            // Sorted here, because serde_json keeps insertion order when any crate of the build asks it to.
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (i, (key, value)) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_text(key, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::String(text) => write_text(text, out),
        leaf => out.push_str(&leaf.to_string()),
    }
}

/// Most texts need no escape, and JSON says the rest.
fn write_text(text: &str, out: &mut String) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        out.push_str(&Value::from(text).to_string());
    } else {
        out.extend(["\"", text, "\""]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_space_do_not_matter() {
        let a: Value = serde_json::from_str(r#"{"b": [1, {"z": null, "a": "x\n"}], "a": 0.5}"#).unwrap();
        assert_eq!(canonical_value(&a), r#"{"a":0.5,"b":[1,{"a":"x\n","z":null}]}"#);
    }
}
