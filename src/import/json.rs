//! JSON as others write it: Python adds `NaN`, `Infinity` and `-Infinity`, and a key that stands twice hides a value.
//!
//! Numbers and strings are read by `serde_json`; what is ours is that the three tokens become [`Json::NotFinite`], that
//! a repeated key is an error, and that every error knows its line.

use super::Error;
use super::input::InputFile;

/// How deep lists and maps may nest.
const MAX_DEPTH: usize = 64;

/// A value. Maps keep their order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// `NaN`, `Infinity` or `-Infinity`, which are no JSON and no measurement.
    NotFinite(&'static str),
    Text(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

impl Json {
    /// The value under a key of a map.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// What it is, for messages.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::NotFinite(token) => (*token).to_owned(),
            Self::Text(text) => format!("the text {:?}", text.chars().take(60).collect::<String>()),
            Self::List(values) => format!("a list of {} values", values.len()),
            Self::Map(entries) => format!("an object of {} keys", entries.len()),
        }
    }
}

/// The one value that the file holds.
pub(super) fn document(file: &InputFile) -> Result<Json, Error> {
    let mut parser = Parser::of(file, file.text()?, 1);
    let value = parser.value(0)?;
    parser.space();
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.fault("text follows the JSON value", "keep one value in the file")),
    }
}

/// All values of the file, one after the other.
pub(super) fn documents(file: &InputFile) -> Result<Vec<Json>, Error> {
    let mut parser = Parser::of(file, file.text()?, 1);
    let mut values = Vec::new();
    parser.space();
    while parser.peek().is_some() {
        values.push(parser.value(0)?);
        parser.space();
    }
    Ok(values)
}

/// The values of a file that has one in each line, with their lines; empty lines are passed over.
pub(super) fn lines(file: &InputFile) -> Result<Vec<(u64, Json)>, Error> {
    let mut values = Vec::new();
    for (line, text) in (1..).zip(file.text()?.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let mut parser = Parser::of(file, text, line);
        let value = parser.value(0)?;
        parser.space();
        if parser.peek().is_some() {
            return Err(parser.fault("text follows the JSON value", "keep one value in each line"));
        }
        values.push((line, value));
    }
    Ok(values)
}

struct Parser<'a> {
    file: &'a str,
    text: &'a str,
    at: usize,
    first_line: u64,
}

impl<'a> Parser<'a> {
    fn of(file: &'a InputFile, text: &'a str, first_line: u64) -> Self {
        Self { file: &file.name, text, at: 0, first_line }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn fault(&self, found: impl Into<String>, hint: &str) -> Error {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        let line = self.first_line + before.bytes().filter(|byte| *byte == b'\n').count() as u64;
        Error::fault(self.file, format!("line {line}"), found, hint)
    }

    fn unexpected(&self, expected: &str) -> Error {
        let found = match self.rest().chars().next() {
            Some(found) => format!("{found:?} where {expected} is expected"),
            None => format!("the text ends where {expected} is expected"),
        };
        self.fault(found, "write the file again; it is no JSON, or was cut")
    }

    fn step_over(&mut self, byte: u8, expected: &str) -> Result<(), Error> {
        self.space();
        if self.peek() != Some(byte) {
            return Err(self.unexpected(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Json, Error> {
        self.space();
        if depth > MAX_DEPTH {
            return Err(self.fault(format!("nested more than {MAX_DEPTH} deep"), "no result file nests so deep"));
        }
        for (token, value) in [
            ("null", Json::Null),
            ("true", Json::Bool(true)),
            ("false", Json::Bool(false)),
            ("NaN", Json::NotFinite("NaN")),
            ("Infinity", Json::NotFinite("Infinity")),
            ("-Infinity", Json::NotFinite("-Infinity")),
        ] {
            if self.rest().starts_with(token) {
                self.at += token.len();
                return Ok(value);
            }
        }
        match self.peek() {
            Some(b'{') => self.map(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn map(&mut self, depth: usize) -> Result<Json, Error> {
        self.at += 1;
        let mut entries: Vec<(String, Json)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Map(entries));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key"));
            }
            let key = self.string()?;
            if !seen.insert(key.clone()) {
                return Err(self.fault(
                    format!("the key {key:?} stands twice in one object"),
                    "keep the right one; which it is cannot be guessed",
                ));
            }
            self.step_over(b':', "a colon")?;
            let value = self.value(depth + 1)?;
            entries.push((key, value));
            self.space();
            if self.peek() == Some(b'}') {
                self.at += 1;
                return Ok(Json::Map(entries));
            }
            self.step_over(b',', "a comma or `}`")?;
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, Error> {
        self.at += 1;
        let mut values = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::List(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            self.space();
            if self.peek() == Some(b']') {
                self.at += 1;
                return Ok(Json::List(values));
            }
            self.step_over(b',', "a comma or `]`")?;
        }
    }

    fn string(&mut self) -> Result<String, Error> {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.bytes().enumerate().skip(1).find_map(|(index, byte)| match (escaped, byte) {
            (false, b'"') => Some(index),
            (false, b'\\') => {
                escaped = true;
                None
            }
            _ => {
                escaped = false;
                None
            }
        });
        let literal = end.and_then(|end| rest.get(..=end)).ok_or_else(|| self.unexpected("a closing quote"))?;
        let text = serde_json::from_str(literal)
            .map_err(|error| self.fault(format!("a string that is none: {error}"), "write the file again"))?;
        self.at += literal.len();
        Ok(text)
    }

    fn number(&mut self) -> Result<Json, Error> {
        let rest = self.rest();
        let belongs = |byte: u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = rest.bytes().take_while(|byte| belongs(*byte)).count();
        let literal = rest.get(..length).unwrap_or_default();
        let number: serde_json::Number = serde_json::from_str(literal).map_err(|error| {
            self.fault(format!("{literal:?} is no number: {error}"), "a number must be finite and in JSON's form")
        })?;
        self.at += length;
        match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(Json::Int(whole)),
            (None, Some(real)) => Ok(Json::Float(real)),
            (None, None) => Err(self.fault(format!("{literal:?} is no number"), "a number must be finite")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(text: &str) -> InputFile {
        InputFile::new("file.json", text.as_bytes().to_vec())
    }

    fn refused(text: &str) -> String {
        document(&file(text)).unwrap_err().to_string()
    }

    #[test]
    fn the_tokens_that_python_writes_are_typed_and_not_numbers() {
        let value =
            document(&file("{\"a\": NaN, \"b\": [Infinity, -Infinity], \"c\": \"NaN\", \"d\": -1.5e3}")).unwrap();
        assert_eq!(value.get("a"), Some(&Json::NotFinite("NaN")));
        assert_eq!(value.get("b"), Some(&Json::List(vec![Json::NotFinite("Infinity"), Json::NotFinite("-Infinity")])));
        assert_eq!(value.get("c").and_then(Json::text), Some("NaN"));
        assert_eq!(value.get("d").and_then(Json::number), Some(-1500.0));
    }

    #[test]
    fn a_fault_names_its_line_and_what_stands_there() {
        assert!(refused("{\"a\": 1,\n\"a\": 2}").starts_with("file.json, line 2: the key \"a\" stands twice"));
        assert!(refused("{\"a\": 1,\n \n}").starts_with("file.json, line 3: '}' where a key is expected"));
        assert!(refused("[1, 2").contains("the text ends where a comma or `]` is expected"));
        assert!(refused("1 2").contains("text follows the JSON value"));
        assert!(refused("1e999").contains("\"1e999\" is no number"));
        assert!(refused("01").contains("is no number"));
        assert!(refused("\"\u{1}\"").contains("a string that is none"));
        assert!(refused(&"[".repeat(100_000)).contains("nested more than 64 deep"));
    }

    #[test]
    fn strict_json_reads_as_serde_json_reads_it() {
        for text in
            ["[]", " { } ", "[0,-0.0,1e-7,9223372036854775807,18446744073709551615]", "\"\\ud83d\\ude00\\n\"", "[[{}]]"]
        {
            let ours = document(&file(text)).unwrap();
            let theirs: serde_json::Value = serde_json::from_str(text).unwrap();
            assert!(same(&ours, &theirs), "{text}");
        }
    }

    fn strict() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<u64>().prop_map(serde_json::Value::from),
            any::<f64>().prop_map(serde_json::Value::from),
            any::<String>().prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(6, 60, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_serde_json_writes_reads_back_the_same(value in strict(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let text = text.unwrap();
            prop_assert!(same(&document(&file(&text)).unwrap(), &value), "{text}");
        }

        #[test]
        fn damaged_text_is_taken_where_serde_json_takes_it(value in strict(), at in any::<usize>(), with in "[\\[\\]{}:,\"0-9a-z. \\\\-]{0,2}") {
            let mut text = serde_json::to_string(&value).unwrap();
            let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
            let start = places[at % places.len()];
            let length = text[start..].chars().next().map_or(0, char::len_utf8);
            text.replace_range(start..start + length, &with);
            match (document(&file(&text)), serde_json::from_str::<serde_json::Value>(&text)) {
                (Ok(ours), Ok(theirs)) => prop_assert!(same(&ours, &theirs), "{text}"),
                (Err(error), Ok(_)) => prop_assert!(error.to_string().contains("stands twice"), "{error}: {text}"),
                (Ok(_), Err(error)) => prop_assert!(false, "taken, though {error}: {text}"),
                (Err(_), Err(_)) => {}
            }
        }
    }

    fn same(ours: &Json, theirs: &serde_json::Value) -> bool {
        use serde_json::Value;
        match (ours, theirs) {
            (Json::Null, Value::Null) => true,
            (Json::Bool(a), Value::Bool(b)) => a == b,
            (Json::Text(a), Value::String(b)) => a == b,
            (Json::Int(_) | Json::Float(_), Value::Number(b)) => ours.number() == b.as_f64(),
            (Json::List(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
            (Json::Map(a), Value::Object(b)) => {
                a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
            }
            _ => false,
        }
    }
}
