//! What an imported segment holds: other people's printed tables and raw rows, kept as what they are.
//!
//! A printed row of a table is a [`Summary`], with the resolution of every printed number; it is never turned into
//! rows. A raw row of someone else's file is an [`Observation`]. Neither names a lane or a launch of ours: nothing here
//! proves which stack produced it, and the header says so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::terms::{Axes, Digest, Failure, Outcome, Scalar};

/// Where an imported segment's records come from. Host, time and measuring tool of the original are not known to us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportedFrom {
    /// The reader that took the files, for example `table`.
    pub kind: String,
    /// Identity axes that the importing person stated; every other axis is unknown.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub axes: Axes,
    /// The files, in the order of their records.
    pub files: Vec<ImportedFile>,
}

/// One file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportedFile {
    /// The file's name, or its path below the folder that was imported; never a path of the machine.
    pub name: String,
    /// Digest of its bytes.
    pub sha256: Digest,
    /// Its length.
    pub bytes: u64,
    /// What the file says of itself: title, report, remarks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<String>,
    /// Fields that were left out, each once: lists, objects, texts too long for a column, and what the kind does not
    /// read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
}

/// One printed row of a table: counts, means, spreads and percentiles are columns like any other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// The table.
    pub table: String,
    /// The section of the report that prints it; empty where the file names none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub section: String,
    /// The row's place in the table, from 1.
    pub row: u64,
    /// Column to cell.
    pub values: BTreeMap<String, SummaryCell>,
    /// What the report computed itself: columns, or what the table says of it in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derived: Vec<String>,
}

impl Summary {
    /// What in the row contradicts itself, if anything does.
    pub(super) fn contradiction(&self) -> Option<String> {
        self.values.iter().find_map(|(column, SummaryCell { value, resolution, .. })| {
            let is_number = matches!(value, Some(Scalar::Int(_) | Scalar::Float(_)));
            match resolution {
                Some(_) if !is_number => Some(format!("column {column:?} holds no number and has a resolution")),
                Some(step) if !(step.is_finite() && *step >= 0.0) => {
                    Some(format!("column {column:?} has the resolution {step}, which no printed number has"))
                }
                _ => None,
            }
        })
    }
}

impl Observation {
    /// What in the row contradicts itself, if anything does.
    pub(super) fn contradiction(&self) -> Option<String> {
        match (self.outcome, &self.failure) {
            (Outcome::Ok, Some(_)) => Some("the row is ok and names a failure".to_owned()),
            (Outcome::Ok, None) => self.metrics.iter().find_map(|(name, metric)| {
                metric.is_impossible_time(name).then(|| {
                    format!(
                        "the row is ok, and {name} is {} {}: no work takes less than no time",
                        metric.value, metric.unit
                    )
                })
            }),
            (_, Some(_)) => None,
            (outcome, None) => Some(format!("the row is {outcome} and does not say why")),
        }
    }
}

/// One cell of a printed row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SummaryCell {
    /// The value; null where the table prints none.
    pub value: Option<Scalar>,
    /// Its unit as the table states it, for example `ms`; `text` and `bool` for what is no number.
    pub unit: String,
    /// Unit of the last printed digit, 0 for an exact count; absent for what is no number or was not rounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<f64>,
}

/// One raw row of someone else's file: one attempt, whatever came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// The file, by the name that the header gives it.
    pub source: String,
    /// The line in that file, or the element of its list; from 1 and ascending.
    pub line: u64,
    /// The arm (lane, backend, flag) that the file names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<String>,
    /// What tells this attempt from others: model, phase, repetition and the like.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub key: BTreeMap<String, Scalar>,
    /// What came of it, by the reader's documented mapping.
    pub outcome: Outcome,
    /// Why it is not `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What was measured; a metric that the file leaves empty is absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, Metric>,
}

/// Units of time.
const OF_TIME: [&str; 4] = ["ns", "us", "ms", "s"];

/// Words in the name of a time that is the difference of two, and may lie below 0.
const DIFFERENCES: [&str; 11] =
    ["change", "delta", "diff", "drift", "gain", "jitter", "offset", "overhead", "saved", "saving", "skew"];

impl Metric {
    /// Whether it is a time below 0 that by its name is no difference of two.
    #[must_use]
    pub fn is_impossible_time(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        OF_TIME.contains(&self.unit.as_str()) && self.value < 0.0 && !DIFFERENCES.iter().any(|word| name.contains(word))
    }
}

/// A measured number and its unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// The number.
    pub value: f64,
    /// Its unit, for example `ms`, `s`, `tok/s`, `count`.
    pub unit: String,
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{chained, records as measured_records};
    use super::super::{Error, FORMAT, Header, Record, Seal, encode, read};
    use super::*;
    use crate::terms::FailureClass;

    fn header() -> Header {
        let file = |name: &str| ImportedFile {
            name: name.into(),
            sha256: Digest::of(name.as_bytes()),
            bytes: 7,
            about: Vec::new(),
            ignored: Vec::new(),
        };
        Header {
            format: FORMAT,
            run: "imported-0123456789ab".into(),
            segment: 0,
            started_at: None,
            command: Vec::new(),
            tool: None,
            host: None,
            signals: Vec::new(),
            plan: "tr165".into(),
            plan_sha256: Digest::of(b"plan"),
            lanes: Vec::new(),
            calibration: None,
            telemetry: None,
            imported: Some(ImportedFrom {
                kind: "table".into(),
                axes: Axes::from([("torch".to_owned(), "2.6.0".to_owned())]),
                files: vec![file("a.json"), file("b.csv")],
            }),
        }
    }

    fn summary(table: &str, row: u64) -> Record {
        let cell = |value, unit: &str, resolution| SummaryCell { value, unit: unit.into(), resolution };
        let values = BTreeMap::from([
            ("mean_ms".to_owned(), cell(Some(Scalar::Float(1.5)), "ms", Some(0.1))),
            ("n".to_owned(), cell(Some(Scalar::Int(300)), "count", Some(0.0))),
            ("note".to_owned(), cell(None, "text", None)),
        ]);
        Record::Summary(Box::new(Summary {
            table: table.into(),
            section: "SS3 10.4".into(),
            row,
            values,
            derived: vec!["mean_ms".into()],
        }))
    }

    fn observation(source: &str, line: u64) -> Record {
        Record::Observation(Box::new(Observation {
            source: source.into(),
            line,
            arm: Some("compiled".into()),
            key: BTreeMap::from([("rep".to_owned(), Scalar::Int(3))]),
            outcome: Outcome::Ok,
            failure: None,
            metrics: BTreeMap::from([("wall".to_owned(), Metric { value: 12.25, unit: "ms".into() })]),
        }))
    }

    fn imported(records: &[Record]) -> Vec<Record> {
        [&[Record::Header(Box::new(header()))], records].concat()
    }

    fn fault(records: &[Record]) -> Error {
        read(&chained(records)).expect_err("the journal was taken")
    }

    #[test]
    fn tables_and_foreign_rows_come_back_from_the_journal_as_they_went_in() {
        let mut all = imported(&[summary("t", 1), summary("u", 1), summary("t", 2), observation("b.csv", 2)]);
        all.push(Record::Seal(Seal { rows: 0, records: 5 }));
        let journal = read(&encode(&all).unwrap()).unwrap();
        assert_eq!(journal.records, all);
        assert!(journal.sealed);
        assert_eq!(journal.rows().count(), 0, "a summary is never a row");
        let tables: Vec<_> = journal.summaries().map(|found| (found.table.as_str(), found.row)).collect();
        assert_eq!(tables, [("t", 1), ("u", 1), ("t", 2)]);
        assert_eq!(journal.observations().map(|found| found.line).collect::<Vec<_>>(), [2]);
        assert_eq!(journal.segments().next().unwrap().header.measured(), None);
    }

    #[test]
    fn the_form_of_the_imported_records_does_not_move() {
        let lines = [Record::Header(Box::new(header())), summary("t", 1), observation("b.csv", 2)];
        let text: Vec<String> = lines.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
        insta::assert_snapshot!(text[1], @r#"{"type":"summary","table":"t","section":"SS3 10.4","row":1,"values":{"mean_ms":{"value":1.5,"unit":"ms","resolution":0.1},"n":{"value":300,"unit":"count","resolution":0.0},"note":{"value":null,"unit":"text"}},"derived":["mean_ms"]}"#);
        insta::assert_snapshot!(text[2], @r#"{"type":"observation","source":"b.csv","line":2,"arm":"compiled","key":{"rep":3},"outcome":"ok","metrics":{"wall":{"value":12.25,"unit":"ms"}}}"#);
        insta::assert_snapshot!(text[0], @r#"{"type":"header","format":1,"run":"imported-0123456789ab","segment":0,"signals":[],"plan":"tr165","plan_sha256":"sha256:64879f7d6b960a01909762d911a32d4582c20010c5641ee90278b644a9e3b525","lanes":[],"imported":{"kind":"table","axes":{"torch":"2.6.0"},"files":[{"name":"a.json","sha256":"sha256:6025a12236ee54baceb48b335c5a8e54f073af9cb25fddd990f95e06d6e039d9","bytes":7},{"name":"b.csv","sha256":"sha256:010326a323b77cee3ebf1a3480107ef1110620ec86521d1fb8c21995520e0e24","bytes":7}]}}"#);
    }

    #[test]
    fn each_kind_of_segment_refuses_the_records_of_the_other() {
        let foreign = [summary("t", 1), observation("a.json", 1)];
        for record in foreign {
            let mut all = measured_records();
            let kind = record.kind();
            all.push(record);
            assert!(matches!(fault(&all), Error::Misplaced { line: 17, found, segment: "measured" } if found == kind));
        }
        let ours = measured_records().into_iter().filter(|record| !matches!(record, Record::Header(_)));
        for record in ours {
            let error = fault(&imported(std::slice::from_ref(&record)));
            assert!(matches!(error, Error::Misplaced { line: 2, segment: "imported", .. }), "{error}");
        }
        let reopen = Record::Reopen { reason: "more".into(), command: Vec::new(), signals: Vec::new() };
        let error = fault(&imported(&[Record::Seal(Seal { rows: 0, records: 1 }), reopen]));
        assert!(matches!(error, Error::Misplaced { line: 3, found: "reopen", segment: "imported" }), "{error}");
    }

    #[test]
    fn a_header_states_what_its_kind_of_segment_knows_and_nothing_else() {
        let Record::Header(measured) = measured_records().swap_remove(0) else { panic!("it starts with a header") };
        let said = |change: &dyn Fn(&mut Header), from: &Header| {
            let mut header = from.clone();
            change(&mut header);
            fault(&[Record::Header(Box::new(header))]).to_string()
        };
        for (change, what) in [
            ((|header| header.host = None) as fn(&mut Header), "measured and states no host"),
            (|header| header.tool = None, "measured and states no tool"),
            (|header| header.started_at = None, "measured and states no started_at"),
        ] {
            assert!(said(&change, &measured).contains(what), "{what}");
        }
        for (change, what) in [
            (&(|header: &mut Header| header.host = measured.host.clone()) as &dyn Fn(&mut Header), "states host"),
            (&|header: &mut Header| header.tool = measured.tool.clone(), "states tool"),
            (&|header: &mut Header| header.started_at = measured.started_at.clone(), "states started_at"),
            (&|header: &mut Header| header.lanes = measured.lanes.clone(), "states lanes"),
            (&|header: &mut Header| header.signals = measured.signals.clone(), "states signals"),
            (&|header: &mut Header| header.calibration = measured.calibration.clone(), "states calibration"),
            (&|header: &mut Header| header.imported.as_mut().unwrap().files.clear(), "names no file"),
            (
                &|header: &mut Header| header.imported.as_mut().unwrap().files[1].name = "a.json".into(),
                "\"a.json\" twice",
            ),
        ] {
            assert!(said(change, &header()).contains(what), "{what}");
        }
    }

    #[test]
    fn an_ok_row_with_a_time_below_zero_is_refused_and_a_difference_of_times_is_not() {
        let with = |name: &str, value: f64, unit: &str, outcome: Outcome| {
            let Record::Observation(mut row) = observation("b.csv", 2) else { panic!("it is one") };
            row.metrics.insert(name.to_owned(), Metric { value, unit: unit.to_owned() });
            row.outcome = outcome;
            row.failure = (outcome != Outcome::Ok).then(|| Failure::new(FailureClass::Implausible, "it fell"));
            read(&chained(&imported(&[Record::Observation(row)]))).map(|_| ()).map_err(|error| error.to_string())
        };
        for unit in OF_TIME {
            let refused = with("ttft", -0.5, unit, Outcome::Ok).expect_err("it is no time");
            assert!(refused.contains(&format!("ttft is -0.5 {unit}: no work takes less than no time")), "{refused}");
        }
        assert_eq!(with("ttft", -0.5, "ms", Outcome::FellThrough), Ok(()), "nothing is read of it");
        assert_eq!(with("queue", 0.0, "ms", Outcome::Ok), Ok(()));
        assert_eq!(with("Overhead_ms", -0.5, "ms", Outcome::Ok), Ok(()));
        assert_eq!(with("temperature", -0.5, "celsius", Outcome::Ok), Ok(()));
    }

    #[test]
    fn rows_of_a_table_and_lines_of_a_file_ascend() {
        for rows in [&[1, 1][..], &[1, 2, 1], &[0]] {
            let summaries: Vec<Record> = rows.iter().map(|row| summary("t", *row)).collect();
            let error = fault(&imported(&summaries));
            let last = rows.last();
            assert!(
                matches!(&error, Error::ImportOrder { what: "table", found, .. } if Some(found) == last),
                "{error}"
            );
        }
        for (first, again) in [(1, 1), (2, 1), (0, 0)] {
            let error = fault(&imported(&[observation("a.json", first), observation("a.json", again)]));
            assert!(matches!(&error, Error::ImportOrder { what: "file", found, .. } if *found == again), "{error}");
        }
        let error = fault(&imported(&[observation("c.json", 1)]));
        assert_eq!(
            error.to_string(),
            "line 2: the file \"c.json\" is none of the imported ones (a.json, b.csv); Lockstep writes no such file, so it \
             was edited or damaged: take back the archived copy, or run the plan again"
        );
    }

    #[test]
    fn no_row_of_a_table_is_left_out_and_lines_of_a_file_may_be() {
        for (before, found) in [(&[][..], 2), (&[1][..], 3), (&[1, 2][..], u64::MAX)] {
            let rows: Vec<Record> = before.iter().chain([&found]).map(|row| summary("t", *row)).collect();
            let error = fault(&imported(&[&[summary("u", 1)], &rows[..]].concat()));
            let expected = (3 + before.len(), before.len() as u64, found);
            assert!(
                matches!(&error, Error::RowsMissing { line, previous, found, .. } if (*line, *previous, *found) == expected),
                "{error}"
            );
        }
        // Lines are those of the file, which may hold a header, a remark or a blank line.
        let lines = imported(&[observation("b.csv", 2), observation("b.csv", 9)]);
        assert_eq!(read(&chained(&lines)).expect("a journal").observations().count(), 2);
    }
}
