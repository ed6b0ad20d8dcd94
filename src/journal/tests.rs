//! What a reader takes, and what it says about the rest.

use super::fixture::{LAST_ROW_LINE, ROW_LINE, SECOND_HEADER_LINE, chained, records, row, sealed};
use super::{Error, FORMAT, Journal, LaunchEnd, LaunchStart, Record, Seal, encode, read, read_file};
use crate::terms::{Digest, Failure, FailureClass, Outcome, SignalValue};

fn bytes() -> Vec<u8> {
    encode(&sealed()).expect("the fixture is a journal")
}

fn start(launch: u32) -> Record {
    Record::LaunchStart(LaunchStart { launch, lane: "native".into(), block: 1, position: 0 })
}

fn end(launch: u32) -> Record {
    Record::LaunchEnd(Box::new(LaunchEnd {
        launch,
        exit_status: Some(0),
        signal: None,
        busy: None,
        disowned: None,
        stderr_unwritten_bytes: None,
        telemetry: Vec::new(),
    }))
}

/// A sealed journal that is short enough to try every byte of it.
fn short() -> Vec<u8> {
    let mut all = records();
    all.truncate(ROW_LINE);
    all.push(end(0));
    all.push(Record::Seal(Seal { rows: 1, records: ROW_LINE as u64 + 1 }));
    encode(&all).expect("the fixture's beginning is a journal")
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// The fault of the records when they are chained well.
fn fault(records: &[Record]) -> Error {
    read(&chained(records)).expect_err("the journal was taken")
}

/// The fixture's records with the one in `line` put in the place of, or (`after`) behind, what stands there.
fn with(line: usize, record: Record) -> Vec<Record> {
    let mut all = records();
    all[line - 1] = record;
    all
}

fn after(line: usize, record: Record) -> Vec<Record> {
    let mut all = records();
    all.insert(line, record);
    all
}

#[test]
fn what_was_encoded_reads_back_with_its_segments_rows_and_seal() {
    let journal = read(&bytes()).unwrap();
    assert_eq!(journal.records, sealed());
    assert!(journal.sealed);
    assert_eq!(journal.torn, None);
    let segments: Vec<_> = journal.segments().map(|s| (s.header.segment, s.line, s.records.len())).collect();
    assert_eq!(segments, [(0, 1, 10), (1, SECOND_HEADER_LINE, 5)]);
    let rows: Vec<_> = journal.rows().map(|(segment, row)| (segment, row.lane.as_str(), row.outcome)).collect();
    assert_eq!(
        rows,
        [
            (0, "native", Outcome::Ok),
            (0, "native", Outcome::Crashed),
            (0, "python-reference", Outcome::Skipped),
            (0, "native-again", Outcome::Ok),
            (1, "native-again", Outcome::Ok),
        ]
    );
}

#[test]
fn the_line_format_is_the_documented_one() {
    let record = Record::Pause { reason: "why".into() };
    let mut all = records();
    all.push(record);
    let bytes = encode(&all).unwrap();
    let lines = lines(&bytes);
    let (previous, line) = (&lines[lines.len() - 2], &lines[lines.len() - 1]);
    let previous = String::from_utf8(previous.clone()).unwrap();
    let previous_hex = &previous[previous.len() - 67..previous.len() - 3];
    let json = r#"{"type":"pause","reason":"why"}"#;
    let chain = Digest::of(format!("{previous_hex}\n{json}").as_bytes()).hex();
    let expected = format!("{},\"chain\":\"{chain}\"}}\n", &json[..json.len() - 1]);
    assert_eq!(String::from_utf8(line.clone()).unwrap(), expected);
    assert_eq!(read(&bytes).unwrap().head.hex(), chain);
}

#[test]
fn the_format_does_not_move_between_releases() {
    // Pinned: journals that users keep must stay readable; a change here needs a new FORMAT.
    insta::assert_snapshot!(read(&bytes()).unwrap().head, @"sha256:3205b5ff67dca840dc58d7c6ed2826980a7b082c6b1c1e78a32feeda00e311f4");
}

#[test]
fn a_changed_byte_shows_wherever_it_stands() {
    let good = short();
    let whole = read(&good).unwrap();
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] ^= 1;
        let taken = read(&bad);
        let line = good[..place].iter().filter(|byte| **byte == b'\n').count() + 1;
        match taken {
            // Without its line feed the seal is a torn line, and the journal is no longer sealed.
            Ok(journal) => assert!(place == good.len() - 1 && !journal.sealed && whole.sealed, "byte {place}"),
            Err(error) => assert_eq!(error.line(), Some(line), "byte {place}: {error}"),
        }
    }
}

#[test]
fn a_removed_repeated_or_moved_line_shows_where_it_stood() {
    let good = lines(&bytes());
    for index in 0..good.len() - 1 {
        let mut removed = good.clone();
        removed.remove(index);
        assert_eq!(read(&removed.concat()).unwrap_err().line(), Some(index + 1));
        let mut repeated = good.clone();
        repeated.insert(index, good[index].clone());
        assert_eq!(read(&repeated.concat()).unwrap_err().line(), Some(index + 2));
        let mut moved = good.clone();
        moved.swap(index, index + 1);
        assert_eq!(read(&moved.concat()).unwrap_err().line(), Some(index + 1));
    }
}

#[test]
fn a_journal_cut_anywhere_gives_its_whole_lines_and_the_torn_one() {
    let good = short();
    let whole = read(&good).unwrap();
    let first = lines(&good)[0].len();
    for length in 0..good.len() {
        let cut = &good[..length];
        let ends: Vec<usize> = (0..length).filter(|place| cut[*place] == b'\n').collect();
        if length < first {
            match read(cut) {
                Err(Error::Empty) => assert_eq!(length, 0),
                Err(Error::FirstLineCut { bytes, .. }) => assert_eq!(bytes, length),
                other => panic!("cut to {length}: {other:?}"),
            }
            continue;
        }
        let Journal { records, sealed, torn, .. } = read(cut).unwrap();
        assert_eq!(records, whole.records[..ends.len()]);
        assert!(!sealed);
        let tail = &cut[ends.last().unwrap() + 1..];
        assert_eq!(torn.as_ref().map(|torn| torn.bytes.as_slice()), (!tail.is_empty()).then_some(tail));
        assert!(torn.is_none_or(|torn| torn.line == records.len() + 1));
    }
}

#[test]
fn bytes_behind_a_seal_take_its_seal_away() {
    let mut bytes = bytes();
    bytes.extend_from_slice(b"{\"type\":");
    let journal = read(&bytes).unwrap();
    assert!(!journal.sealed);
    assert_eq!(
        journal.torn.unwrap().to_string(),
        "line 18 is torn: 8 bytes without a line end; no finished record is lost by it"
    );
}

#[test]
fn a_journal_of_another_format_says_which_lockstep_to_use() {
    for (format, remedy) in [(FORMAT + 1, "use a newer lockstep"), (0, "use the lockstep that wrote it")] {
        let mut all = records();
        let Record::Header(header) = &mut all[0] else { panic!("the fixture starts with a header") };
        header.format = format;
        let error = fault(&all);
        assert!(matches!(error, Error::Format { line: 1, found, .. } if found == u64::from(format)), "{error}");
        assert!(error.to_string().contains(remedy), "{error}");
    }
    // A later format may chain otherwise and have other keys: the version is still what the reader hears.
    let later = b"{\"type\":\"header\",\"format\":7,\"novelty\":[],\"seal\":\"x\"}\n";
    assert!(matches!(read(later), Err(Error::Format { line: 1, found: 7, .. })));
}

#[test]
fn an_unknown_key_or_type_is_no_record_even_when_the_chain_holds() {
    let lay = |json: &str| {
        let chain = Digest::of(format!("{}\n{json}", super::chain::origin().digest.hex()).as_bytes()).hex();
        format!("{},\"chain\":\"{chain}\"}}\n", &json[..json.len() - 1])
    };
    let header = serde_json::to_string(&records()[0]).unwrap();
    assert!(read(lay(&header).as_bytes()).is_ok());
    for bad in [
        header.replace("\"segment\":0", "\"segment\":0,\"novelty\":1"),
        header.replace("\"cores\":2", "\"cores\":2,\"novelty\":1"),
        header.replace("\"type\":\"header\"", "\"type\":\"head\""),
        header.replace("\"segment\":0", "\"segment\":0,\"segment\":0"),
        header.replace("\"segment\":0,", ""),
        header.replace("\"segment\":0", "\"segment\":-1"),
        "{}".to_owned(),
        format!("{{\"type\":{}}}", "[".repeat(100_000)),
    ] {
        let error = read(lay(&bad).as_bytes()).unwrap_err();
        assert!(matches!(error, Error::NoRecord { line: 1, .. }), "{error}");
    }
}

#[test]
fn only_whole_chained_lines_are_lines() {
    for bad in ["\n", "{}\n", "hello\n", "\u{feff}{}\n", "\0\0\0\0\n"] {
        assert!(matches!(read(bad.as_bytes()), Err(Error::NoChain { line: 1, .. })), "{bad:?}");
    }
    let with_returns = String::from_utf8(bytes()).unwrap().replace('\n', "\r\n");
    assert!(matches!(read(with_returns.as_bytes()), Err(Error::NoChain { line: 1, .. })));
    assert!(matches!(read(b""), Err(Error::Empty)));
    assert!(matches!(read(b"{\"type\":\"header\""), Err(Error::FirstLineCut { bytes: 16, of: None })));
}

#[test]
fn a_journal_whose_first_line_is_cut_says_what_makes_it_good_again() {
    let said = |bytes: &[u8]| read(bytes).expect_err("it has no record").to_string();
    let run = &short()[..60];
    assert!(String::from_utf8_lossy(run).contains("\"run\":\""), "{}", String::from_utf8_lossy(run));
    assert_eq!(
        said(run),
        "the journal's first line is cut after 60 bytes, so that it holds no record; `lockstep resume` starts it"
    );
    let imported = said(br#"{"type":"header","format":1,"run":"imported-0123456789ab","segment":0"#);
    assert!(imported.ends_with("import the files again: what was imported cannot be resumed"), "{imported}");
    let both = "`lockstep resume` starts it if it is a run's; if it was imported, import the files again";
    for unknown in [&b""[..], b"{\"type\":\"header\"", br#"{"type":"header","format":1,"run":"impo"#] {
        assert!(said(unknown).ends_with(both), "{}", said(unknown));
    }
}

#[test]
fn headers_open_segments_in_order_and_stay_with_their_run_and_plan() {
    let headless = fault(&records()[1..]);
    assert!(matches!(headless, Error::NoHeader { line: 1, found: "preflight" }), "{headless}");
    let header = |change: &dyn Fn(&mut super::Header)| {
        let Record::Header(mut header) = records().swap_remove(SECOND_HEADER_LINE - 1) else {
            panic!("the fixture's second segment starts with a header")
        };
        change(&mut header);
        fault(&with(SECOND_HEADER_LINE, Record::Header(header)))
    };
    let line = SECOND_HEADER_LINE;
    for number in [0, 2, u32::MAX] {
        let error = header(&|header| header.segment = number);
        assert!(matches!(error, Error::SegmentOrder { line: at, expected: 1, found } if (at, found) == (line, number)));
    }
    let error = header(&|header| header.run = "another".into());
    assert!(matches!(error, Error::OtherRun { line: at, what: "run", .. } if at == line), "{error}");
    let error = header(&|header| header.plan_sha256 = Digest::of(b"another"));
    assert!(matches!(error, Error::OtherRun { line: at, what: "plan_sha256", .. } if at == line), "{error}");
    let error = header(&|header| header.lanes[2].lane = "native".into());
    assert_eq!(
        error.to_string(),
        "line 12: the header declares lane \"native\" twice; Lockstep writes no such file, so it was edited or \
         damaged: take back the archived copy, or run the plan again"
    );
}

#[test]
fn an_attempt_stands_once() {
    for again in [after(ROW_LINE, row(ROW_LINE, |_| ())), after(10, row(ROW_LINE, |row| row.wall_ns = Some(1)))] {
        let line = again.iter().rposition(|record| matches!(record, Record::Row(row) if row.rep == 0 && row.lane == "native" && row.cell.to_string() == "/a1b2c3d4"));
        let error = fault(&again);
        assert!(
            matches!(&error, Error::Duplicate { line: at, first: ROW_LINE, .. } if Some(*at - 1) == line),
            "{error}"
        );
    }
    let next: [fn(&mut super::Row); 2] = [|row| row.rep = 1, |row| row.cell = "/00000000".parse().unwrap()];
    for change in next {
        assert!(read(&chained(&after(ROW_LINE, row(ROW_LINE, change)))).is_ok());
    }
    // The same attempt in a later segment is a repetition too: resume must not measure again what is there.
    let mut all = records();
    all.push(row(LAST_ROW_LINE, |_| ()));
    assert!(matches!(fault(&all), Error::Duplicate { line: 17, first: LAST_ROW_LINE, .. }));
}

#[test]
fn a_repetition_that_the_host_disturbed_is_tried_again_at_once_and_no_other_is() {
    let with = |class: FailureClass| {
        let failed = |attempt, class: Option<FailureClass>| {
            row(ROW_LINE, |row| {
                row.attempt = attempt;
                if let Some(class) = class {
                    row.outcome = Outcome::Refused;
                    row.failure = Some(Failure::new(class, "refused"));
                }
            })
        };
        [&records()[..ROW_LINE - 1], &[failed(0, Some(class)), failed(1, None)]].concat()
    };
    assert!(read(&chained(&with(FailureClass::Disturbed))).is_ok());
    let error = fault(&with(FailureClass::Preflight));
    assert!(matches!(error, Error::Attempt { line: 6, attempt: 1, .. }), "{error}");
}

#[test]
fn attempts_count_without_holes_and_the_next_is_made_when_the_run_goes_on() {
    let again = |attempt, launch| {
        row(ROW_LINE, |row| {
            row.attempt = attempt;
            row.launch = Some(launch);
        })
    };
    let error = fault(&after(ROW_LINE, again(1, 0)));
    assert!(matches!(error, Error::Attempt { line: 6, attempt: 1, .. }), "{error}");
    assert!(error.to_string().contains("has not been gone on with since"), "{error}");
    let gone_on = |attempt| {
        let reopen = Record::Reopen { reason: "resumed".into(), command: Vec::new(), signals: Vec::new() };
        let start = LaunchStart { launch: 1, lane: "native".into(), block: 0, position: 0 };
        [&records()[..7], &[reopen, Record::LaunchStart(start), again(attempt, 1)]].concat()
    };
    assert!(read(&chained(&gone_on(1))).is_ok());
    let error = fault(&gone_on(2));
    assert!(error.to_string().contains("and the one before is not there"), "{error}");
}

#[test]
fn one_launch_is_under_way_at_a_time_and_none_outlives_a_seal() {
    let error = fault(&after(ROW_LINE, start(1)));
    assert!(error.to_string().starts_with("line 6: launch 0 has not ended yet; "), "{error}");
    let error = fault(&after(ROW_LINE, Record::Seal(Seal { rows: 1, records: 5 })));
    assert!(error.to_string().starts_with("line 6: launch 0 has not ended yet; "), "{error}");
    let error = fault(&after(7, row(ROW_LINE, |row| row.rep = 1)));
    assert!(error.to_string().starts_with("line 8: launch 0 has ended before this record; "), "{error}");
    let reopen = Record::Reopen { reason: "resumed".into(), command: Vec::new(), signals: Vec::new() };
    let broken_off = [&records()[..ROW_LINE], &[reopen, row(ROW_LINE, |row| row.rep = 1)]].concat();
    let error = fault(&broken_off);
    assert!(error.to_string().contains("launch 0 was under way when the run broke off"), "{error}");
}

#[test]
fn a_measured_segment_starts_at_a_time() {
    let mut all = records();
    let Record::Header(header) = &mut all[0] else { panic!("the fixture starts with a header") };
    header.started_at = Some("a while ago".into());
    assert!(fault(&all).to_string().contains("started at \"a while ago\", which is no time"));
}

#[test]
fn a_row_carries_its_plan_lane_and_launch() {
    let changed = |change: fn(&mut super::Row)| fault(&with(ROW_LINE, row(ROW_LINE, change)));
    assert!(matches!(changed(|row| row.plan = Digest::of(b"other")), Error::OtherPlan { line: ROW_LINE, .. }));
    assert!(matches!(changed(|row| row.lane = "nativ".into()), Error::UnknownLane { line: ROW_LINE, .. }));
    assert!(matches!(changed(|row| row.launch = None), Error::NoLaunch { line: ROW_LINE, outcome: Outcome::Ok }));
    for (change, what) in [
        ((|row| row.launch = Some(9)) as fn(&mut super::Row), "launch 9 was never started"),
        (|row| row.block = 1, "launch 0 is of block 0, and this row is of block 1"),
        (|row| row.lane = "native-again".into(), "launch 0 is one of lane \"native\", and this record is of lane"),
    ] {
        let error = changed(change);
        assert!(
            matches!(error, Error::WrongLaunch { line: ROW_LINE, .. }) && error.to_string().contains(what),
            "{error}"
        );
    }
    let error = fault(&with(LAST_ROW_LINE, row(LAST_ROW_LINE, |row| row.launch = Some(1))));
    assert!(error.to_string().contains("was started in segment 0, and this is segment 1"), "{error}");
}

#[test]
fn launches_count_up_and_end_once() {
    let record = |json: &str| serde_json::from_str::<Record>(json).unwrap();
    for number in [0, 2, 4] {
        let error = fault(&after(16, start(number)));
        assert!(matches!(error, Error::LaunchOrder { line: 17, expected: 3, found } if found == number), "{error}");
    }
    assert!(read(&chained(&after(16, start(3)))).is_ok());
    let error = fault(&after(16, record(r#"{"type":"launch_end","launch":2}"#)));
    assert!(error.to_string().starts_with("line 17: launch 2 ends twice; "), "{error}");
    let error = fault(&after(16, record(r#"{"type":"launch_end","launch":3}"#)));
    assert!(error.to_string().starts_with("line 17: launch 3 ends and was never started; "), "{error}");
    let look = |lane: &str, launch: u32| {
        record(&format!(r#"{{"type":"preflight","lane":"{lane}","launch":{launch},"stage":"at_exit","signals":[]}}"#))
    };
    assert!(matches!(fault(&after(4, look("native", 5))), Error::WrongLaunch { line: 5, launch: 5, .. }));
    assert!(matches!(fault(&after(4, look("native-again", 0))), Error::WrongLaunch { line: 5, launch: 0, .. }));
    assert!(matches!(fault(&after(4, look("stranger", 0))), Error::UnknownLane { line: 5, .. }));
}

#[test]
fn a_seal_counts_right_and_ends_its_segment() {
    for wrong in [Seal { rows: 4, records: 16 }, Seal { rows: 5, records: 17 }, Seal { rows: u64::MAX, records: 0 }] {
        let error = fault(&after(16, Record::Seal(wrong)));
        assert!(matches!(error, Error::SealCounts { line: 17, rows: 5, records: 16, .. }), "{error}");
    }
    for (record, kind) in [
        (Record::Pause { reason: "late".into() }, "pause"),
        (row(ROW_LINE, |row| row.attempt = 1), "row"),
        (Record::Seal(Seal { rows: 5, records: 17 }), "seal"),
    ] {
        let mut all = sealed();
        all.push(record);
        assert!(matches!(fault(&all), Error::AfterSeal { line: 18, found } if found == kind));
    }
    let Record::Header(mut header) = records().swap_remove(0) else { panic!("the fixture starts with a header") };
    header.segment = 2;
    let mut all = sealed();
    all.push(Record::Header(header));
    let reopened = read(&chained(&all)).unwrap();
    assert!(!reopened.sealed);
    all.push(Record::Seal(Seal { rows: 5, records: 18 }));
    assert!(read(&chained(&all)).unwrap().sealed);
}

#[test]
fn a_number_that_json_cannot_hold_is_not_recorded() {
    for number in [f64::NAN, f64::INFINITY] {
        let unwritable = row(LAST_ROW_LINE, |row| {
            row.rep = 7;
            row.evidence.insert("share".into(), SignalValue::Float(number));
        });
        let all = after(LAST_ROW_LINE, unwritable);
        assert!(matches!(encode(&all), Err(Error::NotRecordable { kind: "row", .. })));
    }
}

#[test]
fn every_finite_number_survives_the_journal_to_the_last_bit() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut numbers = vec![5e-324, f64::MAX, f64::MIN_POSITIVE, -0.0, 0.1 + 0.2, 1e23, 9007199254740993.0];
    for _ in 0..2_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        numbers.push(f64::from_bits(random ^ random >> 29));
    }
    numbers.retain(|number| number.is_finite());
    let all = with(
        ROW_LINE,
        row(ROW_LINE, |row| {
            row.evidence =
                numbers.iter().enumerate().map(|(i, n)| (format!("{i:05}"), SignalValue::Float(*n))).collect();
        }),
    );
    let journal = read(&encode(&all).unwrap()).unwrap();
    let (_, back) = journal.rows().next().unwrap();
    for (number, value) in numbers.iter().zip(back.evidence.values()) {
        let SignalValue::Float(value) = value else { panic!("{number} came back as {value:?}") };
        assert_eq!(value.to_bits(), number.to_bits());
    }
}

#[test]
fn a_file_is_named_in_its_faults_and_may_be_compressed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let missing = read_file(&path).unwrap_err();
    assert!(matches!(missing, Error::Io { doing: "opening", .. }), "{missing}");
    std::fs::write(&path, super::compress(&bytes())).unwrap();
    assert_eq!(read_file(&path).unwrap(), read(&bytes()).unwrap());
    std::fs::write(&path, &bytes()[1..]).unwrap();
    let error = read_file(&path).unwrap_err();
    assert_eq!(error.line(), Some(1));
    assert!(error.to_string().contains("journal.jsonl\": line 1: the chain is broken"), "{error}");
}
