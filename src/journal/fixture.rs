//! The records that this room's tests start from: two segments, two lanes that ran and one that was skipped.

use super::{Record, Row, Seal};

/// Lines of the fixture that the tests name.
pub(super) const ROW_LINE: usize = 5;
pub(super) const SECOND_HEADER_LINE: usize = 12;
pub(super) const LAST_ROW_LINE: usize = 15;

pub(super) fn records() -> Vec<Record> {
    let text = include_str!("../../tests/fixtures/journal/records.jsonl");
    text.lines().map(|line| serde_json::from_str(line).expect("the fixture holds records")).collect()
}

/// The fixture's records with the right seal.
pub(super) fn sealed() -> Vec<Record> {
    let mut records = records();
    let rows = records.iter().filter(|record| matches!(record, Record::Row(_))).count() as u64;
    records.push(Record::Seal(Seal { rows, records: records.len() as u64 }));
    records
}

/// The fixture's row in `line`, changed by `change`, as a record.
pub(super) fn row(line: usize, change: impl FnOnce(&mut Row)) -> Record {
    let Record::Row(mut row) = records().swap_remove(line - 1) else { panic!("line {line} of the fixture is no row") };
    change(&mut row);
    Record::Row(row)
}

/// The records as a journal's bytes whatever they hold: chained well, so that a reader sees their structure.
pub(super) fn chained(records: &[Record]) -> Vec<u8> {
    let mut head = super::chain::origin();
    let mut bytes = Vec::new();
    for record in records {
        let (line, chain) = super::chain::encode(&head, record).expect("the record has a JSON form");
        head = chain;
        bytes.extend_from_slice(&line);
    }
    bytes
}
