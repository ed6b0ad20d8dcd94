//! Canonical JSON: the one byte form that digests are taken over.
//!
//! Keys sorted by code point, no white space, numbers as serde_json prints them. Two values that are equal give
//! the same bytes whatever order their fields were declared or read in.

use std::ops::Range;

use serde::Serialize;
use serde_json::Value;

/// The value's canonical JSON text. Its real numbers are doubles, as all are that have a digest.
///
/// # Errors
/// The value has no JSON form (a map with keys that are no strings, for example).
pub fn canonical_json<T: Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    // A judgement names every cell of its plan, and to build a tree for each costs more than all else of its name.
    match in_order(&serde_json::to_string(value)?) {
        Some(text) => Ok(text),
        None => Ok(canonical_value(&serde_json::to_value(value)?)),
    }
}

/// Compact JSON with the keys of its objects in order. Nothing for a text with an escape, whose order may not be that of
/// what it stands for, or with a key that stands twice.
fn in_order(json: &str) -> Option<String> {
    if json.contains('\\') {
        return None;
    }
    let mut out = String::with_capacity(json.len());
    put(json, &mut out)?.is_empty().then_some(out)
}

/// Puts the value that `json` begins with behind `out`, and gives what follows it.
fn put<'a>(json: &'a str, out: &mut String) -> Option<&'a str> {
    let bytes = json.as_bytes();
    let end = match bytes.first()? {
        b'{' => return put_object(json, out),
        b'[' => {
            let inner = bytes.iter().skip(1).position(|byte| matches!(byte, b'[' | b']' | b'{' | b'"'))? + 1;
            if bytes.get(inner) != Some(&b']') {
                return put_array(json, out);
            }
            inner + 1
        }
        b'"' => bytes.iter().skip(1).position(|byte| *byte == b'"')? + 2,
        _ => bytes.iter().position(|byte| matches!(byte, b',' | b']' | b'}')).unwrap_or(bytes.len()),
    };
    out.push_str(json.get(..end)?);
    json.get(end..)
}

/// One that is not empty.
fn put_array<'a>(json: &'a str, out: &mut String) -> Option<&'a str> {
    let mut rest = json;
    while let Some(items) = rest.strip_prefix(['[', ',']) {
        out.push_str(rest.get(..1)?);
        rest = put(items, out)?;
    }
    out.push(']');
    rest.strip_prefix(']')
}

fn put_object<'a>(json: &'a str, out: &mut String) -> Option<&'a str> {
    let start = out.len();
    let mut members: Vec<(&str, Range<usize>)> = Vec::new();
    let mut rest = json.strip_prefix('{')?;
    while !rest.starts_with('}') {
        let member = rest.strip_prefix(',').unwrap_or(rest);
        let named = member.strip_prefix('"')?;
        let key = named.get(..named.bytes().position(|byte| byte == b'"')?)?;
        let named = key.len() + "\"\":".len();
        let at = out.len();
        out.push_str(member.get(..named)?);
        rest = put(member.get(named..)?, out)?;
        members.push((key, at - start..out.len() - start));
    }
    members.sort_by_key(|(key, _)| *key);
    if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return None;
    }
    let written = out.split_off(start);
    out.push('{');
    for (number, (_, range)) in members.into_iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        out.push_str(written.get(range)?);
    }
    out.push('}');
    rest.strip_prefix('}')
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn order_and_space_do_not_matter() {
        let a: Value = serde_json::from_str(r#"{"b": [1, {"z": null, "a": "x\n"}], "a": 0.5}"#).unwrap();
        assert_eq!(canonical_value(&a), r#"{"a":0.5,"b":[1,{"a":"x\n","z":null}]}"#);
    }

    /// A JSON value, texts and keys among it that hold what JSON is written with.
    fn any_value() -> impl Strategy<Value = Value> {
        let text = "[a-c,:{}\\[\\] !é]{0,4}|[a\"\\\\\n]{0,3}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((text, inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Its members in the opposite order, as a struct may declare them.
    struct Backwards<'a>(&'a Value);

    impl Serialize for Backwards<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self.0 {
                Value::Object(map) => {
                    let members: Vec<_> = map.iter().map(|(key, value)| (key, Backwards(value))).collect();
                    serializer.collect_map(members.into_iter().rev())
                }
                Value::Array(items) => serializer.collect_seq(items.iter().map(Backwards)),
                leaf => leaf.serialize(serializer),
            }
        }
    }

    proptest! {
        #[test]
        fn a_text_put_in_order_is_that_of_its_value_written_in_order(value in any_value()) {
            prop_assert_eq!(canonical_json(&Backwards(&value)).unwrap(), canonical_value(&value));
            let text = serde_json::to_string(&Backwards(&value)).unwrap();
            prop_assert!(in_order(&text).is_some() || text.contains('\\'), "{}", text);
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_not_put_in_order() {
        for (json, ordered) in [
            (r#"{"b":{},"a":[[],[1,2]]}"#, Some(r#"{"a":[[],[1,2]],"b":{}}"#)),
            (r#"{"b":1,"a":2,"b":3}"#, None),
            (r#"{"b\n":1}"#, None),
        ] {
            assert_eq!(in_order(json).as_deref(), ordered);
        }
    }
}
