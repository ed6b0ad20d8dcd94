//! Whatever stands in a plan, a lane, a lock, a journal or a file to import, its parser answers and does not panic.
//!
//! Inputs are bytes without sense, text of the format's own characters, and valid files that were damaged. Each trial
//! runs on a thread with the usual small stack, prints how many inputs it tried, and takes the same ones every time.

#[path = "parsers_fuzz/imports.rs"]
mod imports;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use lockstep::journal;
use lockstep::plan::{Error, Lane, Lock, Plan, Schedule};
use lockstep::terms::Digest;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

const PLAN: &str = include_str!("fixtures/plan/plan.toml");
const LANES: [&str; 2] = [include_str!("fixtures/plan/process.toml"), include_str!("fixtures/plan/docker.toml")];
const LOCKS: [&str; 2] = [include_str!("fixtures/plan/image.lock"), include_str!("fixtures/plan/own.lock")];
const RECORDS: &str = include_str!("fixtures/journal/records.jsonl");

/// Inputs of each kind and parser; three kinds for each parser.
const CASES: u32 = 1_000;

type Verdict = Result<bool, TestCaseError>;

fn main() -> ExitCode {
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
    let mut trials = vec![
        trial("plan", texts(&[PLAN]), plan),
        trial("lane", texts(&LANES), lane),
        trial("lock", texts(&LOCKS), lock),
        trial("journal", vec![chained(RECORDS.as_bytes())], journal_bytes),
        Trial::test("a_chained_journal_of_damaged_records_never_panics", move || {
            explore("chained journal", damaged(texts(&[RECORDS])), |lines| journal_bytes(&chained(lines)))
        }),
        Trial::test("a_damaged_archive_never_panics", archives),
    ];
    trials.extend(imports::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &'static str, valid: Vec<Vec<u8>>, parse: fn(&[u8]) -> Verdict) -> Trial {
    Trial::test(format!("a_{name}_parser_never_panics"), move || {
        if !valid.iter().all(|text| matches!(parse(text), Ok(true))) {
            return Err(format!("a fixture of {name} is not valid").into());
        }
        explore(&format!("{name}, bytes"), prop::collection::vec(any::<u8>(), 0..400), |bytes| parse(bytes))?;
        explore(&format!("{name}, words"), words(), |text| parse(text.as_bytes()))?;
        explore(&format!("{name}, damaged files"), damaged(valid), |text| parse(text))
    })
}

/// Tries [`CASES`] inputs and says how many were taken and refused.
fn explore<S: Strategy>(name: &str, inputs: S, parse: impl Fn(&S::Value) -> Verdict) -> Result<(), Failed> {
    let config = Config { cases: CASES, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let (taken, refused) = (std::cell::Cell::new(0_u32), std::cell::Cell::new(0_u32));
    let outcome = runner.run(&inputs, |input| {
        let count = if parse(&input)? { &taken } else { &refused };
        count.set(count.get() + 1);
        Ok(())
    });
    outcome.map_err(|error| format!("{name}: {error}"))?;
    let (taken, refused) = (taken.get(), refused.get());
    println!("{name}: {} inputs, {taken} taken and {refused} refused", taken + refused);
    if taken + refused == CASES { Ok(()) } else { Err(format!("{name}: not every input was tried").into()) }
}

/// Whether the text was taken; a refusal must name the file and a line that is there.
fn judged<T>(bytes: &[u8], parse: fn(&str, &str) -> Result<T, Error>, check: fn(&T)) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(false) };
    match parse("file.toml", text) {
        Ok(value) => check(&value),
        Err(error) => {
            prop_assert!(error.to_string().starts_with("file.toml:"), "{error}");
            let Error::Fault(fault) = error else { return Err(TestCaseError::fail("no fault")) };
            let lines = text.matches('\n').count() + 1;
            prop_assert!(fault.line.is_none_or(|line| (1..=lines).contains(&line)), "{fault:?}");
            prop_assert!(!fault.message.is_empty());
            return Ok(false);
        }
    }
    Ok(true)
}

fn plan(bytes: &[u8]) -> Verdict {
    judged(bytes, Plan::parse, |plan| {
        let _ = plan.digest();
        let _ = plan.cells();
        let launches: u64 = plan.lanes.iter().map(|lane| u64::from(lane.launches) * u64::from(lane.repetitions)).sum();
        if launches < 1_000 {
            assert!(!Schedule::of(plan, &plan.stages()).launches.is_empty());
        }
    })
}

fn lane(bytes: &[u8]) -> Verdict {
    judged(bytes, Lane::parse, |lane| {
        let _ = lane.digest();
    })
}

fn lock(bytes: &[u8]) -> Verdict {
    judged(bytes, Lock::parse, |lock| assert_eq!(Lock::parse("own", &lock.to_toml()).as_ref(), Ok(lock)))
}

fn journal_bytes(bytes: &[u8]) -> Verdict {
    let read = match journal::read(bytes) {
        Ok(read) => read,
        Err(error) => {
            let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
            prop_assert!(error.line().is_none_or(|line| (1..=lines).contains(&line)), "{error}");
            return Ok(false);
        }
    };
    let again = journal::encode(&read.records).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let again = journal::read(&again).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(&again.records, &read.records);
    prop_assert_eq!(again.rows().count(), read.segments().map(|segment| segment.rows().count()).sum::<usize>());
    Ok(true)
}

/// The lines as a journal by the documented format, so that damage inside a record comes past the chain.
fn chained(lines: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut chain = Digest::of(b"lockstep journal").hex();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        chain = Digest::of(&[chain.as_bytes(), b"\n", line].concat()).hex();
        bytes.extend_from_slice(line.strip_suffix(b"}").unwrap_or(line));
        bytes.extend_from_slice(format!(",\"chain\":\"{chain}\"}}\n").as_bytes());
    }
    bytes
}

fn archives() -> Result<(), Failed> {
    let archive = journal::compress(&chained(RECORDS.as_bytes()));
    let whole = archive.len();
    let changes = prop::collection::vec((0..whole, any::<u8>()), 0..4);
    let length = prop_oneof![Just(whole), 0..whole];
    explore("archive", (changes, length), move |(changes, length)| {
        let mut archive = archive.clone();
        for (place, byte) in changes {
            archive[*place] ^= byte;
        }
        archive.truncate(*length);
        Ok(journal::decompress(&archive, 1 << 20).is_ok_and(|bytes| journal::read(&bytes).is_ok()))
    })
}

const EXTREMES: &[&str] = &[
    "1e309",
    "-1e309",
    "1e-400",
    "-0",
    "-0.0",
    "nan",
    "NaN",
    "-Infinity",
    "-nan",
    "inf",
    "-inf",
    "0",
    "1",
    "-1",
    "4294967295",
    "4294967296",
    "-9223372036854775808",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1000000000000000000000000000000",
    "0x7fffffffffffffff",
    "0o7",
    "0b1",
    "1_000",
    "00",
    "1.",
    ".5",
    "1979-05-27T07:32:00Z",
    "07:32:00",
    "true",
    "null",
    "\"\"",
    "''",
    "'''",
    "\"\"\"",
    "[]",
    "{}",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\U0010ffff\"",
    "\u{feff}",
    "\u{202e}",
    "é",
];

/// Values at the edge of what a format or a type can hold.
fn extreme() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(EXTREMES).prop_map(str::to_owned),
        1 => (1_usize..3_000).prop_map(|depth| "[".repeat(depth)),
        1 => (1_usize..3_000).prop_map(|depth| format!("{}1{}", "[".repeat(depth), "]".repeat(depth))),
        1 => (1_usize..3_000).prop_map(|depth| format!("{}1{}", "{a=".repeat(depth), "}".repeat(depth))),
        1 => (1_usize..3_000).prop_map(|depth| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth))),
        1 => (1_usize..3_000).prop_map(|depth| format!("{}b", "a.".repeat(depth))),
        1 => (1_usize..79, 1_usize..79).prop_map(|(depth, dots)| {
            (0..depth).fold("1".to_owned(), |inner, _| format!("{{{}a={inner}}}", "a.".repeat(dots)))
        }),
    ]
}

const WORDS: &[&str] = &[
    "schema",
    "name",
    "seed",
    "model",
    "run",
    "workload",
    "lane",
    "hypothesis",
    "axes",
    "gate",
    "limits",
    "files",
    "image",
    "type",
    "header",
    "row",
    "seal",
    "chain",
    "format",
    "=",
    "=",
    ".",
    ",",
    ":",
    "\n",
    "\n",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "\"",
    "'",
    "#",
    "\\",
    " ",
    "\t",
    "\r\n",
    "\"a\"",
    "1",
];

/// Text made of the formats' own characters and keys.
fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        6 => prop::sample::select(WORDS).prop_map(str::to_owned),
        1 => extreme(),
        1 => any::<String>(),
    ];
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

/// One way to damage a file; places are taken modulo what there is.
#[derive(Debug, Clone)]
enum Damage {
    DeleteBytes(usize, usize),
    RepeatBytes(usize, usize),
    ChangeByte(usize, u8),
    Insert(usize, String),
    DeleteLine(usize),
    RepeatLine(usize, usize),
    SwapLines(usize, usize),
    Number(usize, String),
    Value(usize, String),
    Truncate(usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = || any::<usize>();
    prop_oneof![
        (place(), 1_usize..40).prop_map(|(at, length)| Damage::DeleteBytes(at, length)),
        (place(), 1_usize..40).prop_map(|(at, length)| Damage::RepeatBytes(at, length)),
        (place(), any::<u8>()).prop_map(|(at, byte)| Damage::ChangeByte(at, byte)),
        (place(), extreme()).prop_map(|(at, text)| Damage::Insert(at, text)),
        place().prop_map(Damage::DeleteLine),
        (place(), place()).prop_map(|(from, to)| Damage::RepeatLine(from, to)),
        (place(), place()).prop_map(|(a, b)| Damage::SwapLines(a, b)),
        (place(), extreme()).prop_map(|(at, text)| Damage::Number(at, text)),
        (place(), extreme()).prop_map(|(at, text)| Damage::Value(at, text)),
        place().prop_map(Damage::Truncate),
    ]
}

/// A valid file after up to three damages.
fn damaged(valid: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (prop::sample::select(valid), prop::collection::vec(damage(), 0..4)).prop_map(|(mut bytes, damages)| {
        for damage in &damages {
            apply(damage, &mut bytes);
        }
        bytes
    })
}

fn apply(damage: &Damage, bytes: &mut Vec<u8>) {
    let length = bytes.len();
    let place = |at: &usize| at % (length + 1);
    match damage {
        Damage::DeleteBytes(at, count) => drop(bytes.drain(place(at)..(place(at) + count).min(length))),
        Damage::RepeatBytes(at, count) => {
            let piece = bytes[place(at)..(place(at) + count).min(length)].to_vec();
            bytes.splice(place(at)..place(at), piece);
        }
        Damage::ChangeByte(at, byte) => {
            if let Some(found) = bytes.get_mut(place(at)) {
                *found = *byte;
            }
        }
        Damage::Insert(at, text) => drop(bytes.splice(place(at)..place(at), text.bytes())),
        Damage::Truncate(at) => bytes.truncate(place(at)),
        Damage::Number(at, text) => replace_run(bytes, *at, text, |byte| byte.is_ascii_digit() || byte == b'.'),
        Damage::Value(at, text) => {
            replace_run(bytes, *at, text, |byte| {
                !matches!(byte, b'\n' | b'=' | b',' | b':' | b'{' | b'}' | b'[' | b']')
            });
        }
        Damage::DeleteLine(_) | Damage::RepeatLine(..) | Damage::SwapLines(..) => {
            let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            let count = lines.len().max(1);
            match damage {
                Damage::DeleteLine(at) if !lines.is_empty() => drop(lines.remove(at % count)),
                Damage::RepeatLine(from, to) if !lines.is_empty() => {
                    lines.insert(to % count, lines[from % count].clone())
                }
                Damage::SwapLines(a, b) if !lines.is_empty() => lines.swap(a % count, b % count),
                _ => {}
            }
            *bytes = lines.concat();
        }
    }
}

/// Puts `text` in the place of one run of bytes that belong together.
fn replace_run(bytes: &mut Vec<u8>, at: usize, text: &str, belongs: impl Fn(u8) -> bool) {
    let starts: Vec<usize> =
        (0..bytes.len()).filter(|i| belongs(bytes[*i]) && (*i == 0 || !belongs(bytes[i - 1]))).collect();
    let Some(start) = starts.get(at % starts.len().max(1)) else { return };
    let length = bytes[*start..].iter().take_while(|byte| belongs(**byte)).count();
    bytes.splice(*start..start + length, text.bytes());
}
