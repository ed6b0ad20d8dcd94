//! One field of a JSON object, whatever its siblings hold.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

/// The field of that name, absent where it is not there or null.
///
/// The other fields are stepped over, not read: a number beyond the doubles or a list nested too deep in one of them
/// does not keep this one from being read.
///
/// # Errors
/// The text is no JSON object; or, as data, the field is no `T` or stands twice.
pub(super) fn field<T: for<'de> Deserialize<'de>>(text: &[u8], name: &str) -> serde_json::Result<Option<T>> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let found = Named { name, what: PhantomData }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(found)
}

/// What an error says, without line and column: a field's own line is that of its claim.
pub(super) fn without_place(error: &serde_json::Error) -> String {
    let told = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    told.strip_suffix(&place).map(str::to_owned).unwrap_or(told)
}

/// The text with a number beyond the doubles for each `NaN`, `Infinity` and `-Infinity` that stands outside of its
/// strings, as Python's `json.dumps` writes them; the text itself where there is none. So the field that holds one cannot
/// be taken, and its siblings can.
pub(super) fn beyond_doubles(text: &[u8]) -> Cow<'_, [u8]> {
    let (mut remade, mut copied) = (Vec::new(), 0);
    let (mut at, mut in_string) = (0, false);
    while let Some((byte, after)) = text.get(at..).and_then(<[u8]>::split_first) {
        let word = ["NaN", "Infinity"].into_iter().find(|word| text[at..].starts_with(word.as_bytes()));
        if let Some(word) = word.filter(|_| !in_string) {
            remade.extend_from_slice(&text[copied..at]);
            remade.extend_from_slice(b"1e999");
            at += word.len();
            copied = at;
            continue;
        }
        match byte {
            b'"' => in_string = !in_string,
            // What is escaped ends no string.
            b'\\' if in_string && !after.is_empty() => at += 1,
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    remade.extend_from_slice(&text[copied..]);
    Cow::Owned(remade)
}

struct Named<'a, T> {
    name: &'a str,
    what: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Named<'_, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Named<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found: Option<Option<T>> = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != self.name {
                map.next_value::<IgnoredAny>()?;
            } else if found.replace(map.next_value()?).is_some() {
                return Err(A::Error::custom("it stands twice, and which one counts cannot be known"));
            }
        }
        Ok(found.flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_text_with_a_number_that_is_none_is_copied() {
        let remade = |text: &'static str| beyond_doubles(text.as_bytes());
        for plain in ["", "{}", r#"{"a": "NaN", "b": "\\\"Infinity\\", "c": 1}"#, r#"{"a": "open"#, r#""\"#] {
            assert!(matches!(remade(plain), Cow::Borrowed(same) if same == plain.as_bytes()), "{plain}");
        }
        let written = r#"{"a": NaN, "NaN\"": [-Infinity, Infinity], "é": 2}"#;
        let expected = r#"{"a": 1e999, "NaN\"": [-1e999, 1e999], "é": 2}"#;
        assert!(matches!(remade(written), Cow::Owned(text) if text == expected.as_bytes()));
        assert_eq!(remade("NaN").as_ref(), b"1e999");
    }
}
