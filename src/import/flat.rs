//! Files of one row per line: CSV with a header, JSON lines, or a JSON list of objects.

use std::collections::BTreeSet;

use super::input::InputFile;
use super::json::{self, Json};
use super::{Error, unit};

/// The longest text that a key keeps, in characters; longer ones are output, not identity.
pub const MAX_KEY_CHARS: usize = 400;

/// One row, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FlatRow {
    /// Line, or element of the list; from 1.
    pub line: u64,
    /// Fields in the order of the file; objects inside are dotted names, lists are not here.
    pub fields: Vec<Field>,
}

/// One field of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub name: String,
    /// Never a list or a map.
    pub value: Json,
    /// The unit that the file itself states beside the name, as `power.draw [W]` does.
    pub unit: Option<String>,
    /// Unit of the last printed digit, where the number was text.
    pub resolution: Option<f64>,
}

/// The rows of a file, and the fields that hold lists.
#[derive(Debug, Default)]
pub(super) struct FlatFile {
    pub rows: Vec<FlatRow>,
    pub ignored: BTreeSet<String>,
}

impl FlatRow {
    pub(super) fn get(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The first of the names that the row has.
    pub(super) fn first(&self, names: &[&str]) -> Option<&Field> {
        names.iter().find_map(|name| self.get(name))
    }
}

impl Field {
    /// The unit that the file or the name states.
    pub(super) fn stated_unit(&self) -> Option<String> {
        self.unit.clone().or_else(|| unit::of(&self.name).map(str::to_owned))
    }
}

/// Reads the file by its ending.
pub(super) fn read(file: &InputFile) -> Result<FlatFile, Error> {
    if file.ends_in(".csv") {
        return csv(file);
    }
    let values = if file.ends_in(".jsonl") {
        json::lines(file)?
    } else {
        let document = json::document(file)?;
        let Json::List(values) = document else {
            let found = format!("{} where a list of rows is expected", document.describe());
            return Err(Error::fault(&file.name, "", found, "give the file that holds the rows themselves"));
        };
        (1..).zip(values).collect()
    };
    let mut flat = FlatFile::default();
    for (line, value) in values {
        let Json::Map(entries) = value else {
            let found = format!("{} where an object is expected", value.describe());
            return Err(Error::fault(&file.name, format!("row {line}"), found, "each row is one JSON object"));
        };
        let mut fields = Vec::new();
        flatten("", entries, &mut fields, &mut flat.ignored);
        if let Some(name) = repeated(&fields) {
            let found = format!("the field {name:?} stands twice, once as a dotted name");
            return Err(Error::fault(&file.name, format!("row {line}"), found, "rename one of them"));
        }
        flat.rows.push(FlatRow { line, fields });
    }
    Ok(flat)
}

fn repeated(fields: &[Field]) -> Option<&str> {
    let mut seen = BTreeSet::new();
    fields.iter().map(|field| field.name.as_str()).find(|name| !seen.insert(*name))
}

fn flatten(prefix: &str, entries: Vec<(String, Json)>, fields: &mut Vec<Field>, ignored: &mut BTreeSet<String>) {
    for (key, value) in entries {
        let name = format!("{prefix}{key}");
        match value {
            Json::Map(inner) => flatten(&format!("{name}."), inner, fields, ignored),
            Json::List(_) => drop(ignored.insert(name)),
            Json::Text(text) if text.chars().nth(MAX_KEY_CHARS).is_some() && !is_message(&name) => {
                ignored.insert(name);
            }
            value => fields.push(Field { name, value, unit: None, resolution: None }),
        }
    }
}

/// Fields whose long text is kept for the failure's sentence, which cuts it.
fn is_message(name: &str) -> bool {
    name.contains("error") || name.contains("message") || name.contains("stderr")
}

fn csv(file: &InputFile) -> Result<FlatFile, Error> {
    let text = file.text()?;
    let mut reader = ::csv::ReaderBuilder::new().trim(::csv::Trim::All).from_reader(text.as_bytes());
    let broken = |error: ::csv::Error| {
        let line = error.position().map_or(1, ::csv::Position::line);
        let hint = "every line has as many fields as the header; write the file again";
        Error::fault(&file.name, format!("line {line}"), error.to_string(), hint)
    };
    let header = reader.headers().map_err(broken)?.clone();
    let names = columns(file, &header)?;
    let mut flat = FlatFile::default();
    for record in reader.records() {
        let record = record.map_err(broken)?;
        let line = record.position().map_or(0, ::csv::Position::line);
        let mut fields = Vec::new();
        for ((name, unit), text) in names.iter().zip(record.iter()) {
            let text = unit.as_deref().and_then(|unit| text.strip_suffix(unit)).map_or(text, str::trim_end);
            let value = cell(text);
            if matches!(&value, Json::Text(text) if text.chars().nth(MAX_KEY_CHARS).is_some()) && !is_message(name) {
                flat.ignored.insert(name.clone());
                continue;
            }
            let resolution = value.number().and_then(|_| unit::resolution(text));
            fields.push(Field { name: name.clone(), value, unit: unit.clone(), resolution });
        }
        flat.rows.push(FlatRow { line, fields });
    }
    Ok(flat)
}

/// Names of the columns, with the unit that stands behind a name in brackets.
fn columns(file: &InputFile, header: &::csv::StringRecord) -> Result<Vec<(String, Option<String>)>, Error> {
    let mut seen = BTreeSet::new();
    let mut names = Vec::new();
    for (number, text) in (1..).zip(header) {
        let (name, unit) = match text.strip_suffix(']').and_then(|text| text.rsplit_once('[')) {
            Some((name, unit)) => (name.trim(), Some(unit.trim().to_owned()).filter(|unit| !unit.is_empty())),
            None => (text, None),
        };
        // A data frame's index has no name.
        let name = if name.is_empty() { format!("column_{number}") } else { name.to_owned() };
        if !seen.insert(name.clone()) {
            let found = format!("the column {name:?} stands twice");
            return Err(Error::fault(&file.name, "line 1", found, "rename or remove one of them"));
        }
        names.push((name, unit));
    }
    Ok(names)
}

/// What a CSV cell says.
fn cell(text: &str) -> Json {
    match text {
        "" | "null" | "NULL" | "None" | "none" | "NA" | "N/A" | "<NA>" => return Json::Null,
        "true" | "True" | "TRUE" => return Json::Bool(true),
        "false" | "False" | "FALSE" => return Json::Bool(false),
        "nan" | "NaN" | "NAN" => return Json::NotFinite("NaN"),
        "inf" | "+inf" | "Infinity" | "Inf" => return Json::NotFinite("Infinity"),
        "-inf" | "-Infinity" | "-Inf" => return Json::NotFinite("-Infinity"),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    // A leading zero means a name (`007`), which a number would lose.
    let is_name = digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_numeric =
        !is_name && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    if is_numeric && let Ok(whole) = text.parse() {
        return Json::Int(whole);
    }
    match text.parse::<f64>() {
        Ok(real) if is_numeric && real.is_finite() => Json::Float(real),
        _ => Json::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, text: &str) -> Result<FlatFile, Error> {
        read(&InputFile::new(name, text.as_bytes().to_vec()))
    }

    #[test]
    fn csv_cells_are_typed_and_keep_their_printed_digits() {
        let flat = of("m.csv", "model,wall_ms,ok,sha,power [W],x\nm,1.50,True,007,45.2 W,nan\n\n").unwrap();
        let [row] = &flat.rows[..] else { panic!("one row: {flat:?}") };
        assert_eq!(row.line, 2);
        assert_eq!(
            row.get("wall_ms").map(|field| (&field.value, field.resolution)),
            Some((&Json::Float(1.5), Some(0.01)))
        );
        assert_eq!(row.get("ok").map(|field| &field.value), Some(&Json::Bool(true)));
        assert_eq!(row.get("sha").map(|field| &field.value), Some(&Json::Text("007".into())));
        let power = row.get("power").unwrap();
        assert_eq!((&power.value, power.unit.as_deref()), (&Json::Float(45.2), Some("W")));
        assert_eq!(row.get("x").map(|field| &field.value), Some(&Json::NotFinite("NaN")));
    }

    #[test]
    fn a_fault_in_a_row_names_the_line() {
        for (name, text, expected) in [
            ("m.csv", "a,b\n1,2\n3\n", "m.csv, line 3: "),
            ("m.csv", "a,a\n", "m.csv, line 1: the column \"a\" stands twice"),
            ("m.jsonl", "{}\n\n[1]\n", "m.jsonl, row 3: a list of 1 values where an object is expected"),
            ("m.jsonl", "{}\n{\n", "m.jsonl, line 2: the text ends where a key is expected"),
            ("m.json", "{}", "m.json: an object of 0 keys where a list of rows is expected"),
            ("m.jsonl", "{\"a\": {\"b\": 1}, \"a.b\": 2}\n", "m.jsonl, row 1: the field \"a.b\" stands twice"),
        ] {
            let error = of(name, text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn objects_inside_are_dotted_and_lists_are_named_as_ignored() {
        let flat = of("m.jsonl", "{\"env\": {\"gpu\": \"A\", \"all\": [1]}, \"n\": null}\n").unwrap();
        let names: Vec<_> = flat.rows[0].fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["env.gpu", "n"]);
        assert_eq!(flat.ignored, BTreeSet::from(["env.all".to_owned()]));
    }
}
