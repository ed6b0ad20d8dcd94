//! Treni's A/B summaries: JSON objects inside objects (mode, arm, delta), with means of requests in fields whose names
//! end in their unit. Every object that holds such numbers is one printed row; the way to it stands in `path`.

use std::collections::BTreeMap;

use super::Error;
use super::input::InputFile;
use super::json::{self, Json};
use super::reading::{Reading, object_cells, text_cell};
use super::unit;

/// Column that holds the way to the object.
const PATH: &str = "path";

pub(super) fn read(file: &InputFile) -> Result<Reading, Error> {
    let document = json::document(file)?;
    let mut reading = Reading::default();
    walk(file, &document, "", &BTreeMap::new(), &mut reading)?;
    if reading.summaries.is_empty() {
        let hint = "give an A/B summary, whose fields end in their unit, for example request_mean_ms";
        return Err(Error::fault(&file.name, "", "no object with a number that has a unit", hint));
    }
    Ok(reading)
}

/// `around` holds the names that the objects above gave: mode, arm, flag.
fn walk(
    file: &InputFile,
    value: &Json,
    path: &str,
    around: &BTreeMap<String, Json>,
    reading: &mut Reading,
) -> Result<(), Error> {
    match value {
        Json::List(values) if values.iter().any(|value| matches!(value, Json::Map(_) | Json::List(_))) => {
            for (number, value) in (1..).zip(values) {
                walk(file, value, &join(path, &number.to_string()), around, reading)?;
            }
        }
        Json::List(_) => drop(reading.ignored.insert(path.to_owned())),
        Json::Map(entries) => {
            let scalars: Vec<(String, Json)> =
                entries.iter().filter(|(_, value)| !matches!(value, Json::Map(_) | Json::List(_))).cloned().collect();
            let mut inside = around.clone();
            inside.extend(scalars.iter().filter(|(_, value)| value.text().is_some()).cloned());
            if scalars.iter().any(|(name, value)| value.number().is_some() && unit::of(name).is_some()) {
                add(file, &scalars, path, around, reading)?;
            }
            for (name, value) in entries.iter().filter(|(_, value)| matches!(value, Json::Map(_) | Json::List(_))) {
                walk(file, value, &join(path, name), &inside, reading)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn add(
    file: &InputFile,
    scalars: &[(String, Json)],
    path: &str,
    around: &BTreeMap<String, Json>,
    reading: &mut Reading,
) -> Result<(), Error> {
    if scalars.iter().any(|(name, _)| name == PATH) {
        let hint = "rename it; `path` is where the journal keeps the way to the object";
        return Err(Error::fault(&file.name, path, "a field called `path`", hint));
    }
    let outer: Vec<(String, Json)> = around.clone().into_iter().collect();
    let mut cells = object_cells(&outer, |_| None, "", &mut reading.ignored);
    cells.extend(object_cells(scalars, |_| None, &join(path, ""), &mut reading.ignored));
    cells.insert(PATH.to_owned(), text_cell(path));
    let is_delta = path.to_lowercase().contains("delta") || path.contains("on_off") || path.contains("on-off");
    let names: Vec<&str> = if is_delta { scalars.iter().map(|(name, _)| name.as_str()).collect() } else { Vec::new() };
    reading.add(&file.name, cells, &names);
    Ok(())
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
