//! One field of a JSON object, whatever its siblings hold.

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
/// strings, as Python's `json.dumps` writes them; `None` where there is none. So the field that holds one cannot be
/// taken, and its siblings can.
pub(super) fn beyond_doubles(text: &[u8]) -> Option<Vec<u8>> {
    let mut remade = Vec::with_capacity(text.len());
    let (mut rest, mut in_string, mut found) = (text, false, false);
    while let Some((byte, after)) = rest.split_first() {
        let word = ["NaN", "Infinity"].iter().find_map(|word| rest.strip_prefix(word.as_bytes()));
        if let Some(behind) = word.filter(|_| !in_string) {
            remade.extend_from_slice(b"1e999");
            (rest, found) = (behind, true);
            continue;
        }
        remade.push(*byte);
        rest = after;
        match (byte, after.split_first()) {
            (b'"', _) => in_string = !in_string,
            (b'\\', Some((escaped, behind))) if in_string => {
                remade.push(*escaped);
                rest = behind;
            }
            _ => {}
        }
    }
    found.then_some(remade)
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
