use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::shape::Shape;
use super::*;
use crate::terms::{CellId, Phase, SamplingSpec, SignalValue, Stage, StopReason};

fn cell(text: &str) -> CellId {
    text.parse().unwrap()
}

fn work() -> Work {
    Work {
        phase: Phase::KvDecode,
        prompt: vec![1, 2, 3],
        new_tokens: 4,
        sampling: SamplingSpec::Seeded { seed: u64::MAX, temperature: 0.7, top_k: Some(40), top_p: Some(0.95) },
        ignore_eos: true,
        axes: BTreeMap::from([("cache".into(), "static".into())]),
    }
}

fn run(id: u64, name: &str, warmup: bool) -> Request {
    Request::Run(RunRequest { id, cell: cell(name), warmup, work: work(), slowdown_pct: Some(2.5) })
}

fn load() -> Request {
    Request::Load { model_dir: "/model".into(), axes: BTreeMap::new(), max_positions: 64 }
}

/// One of each, with every optional field there.
fn requests() -> Vec<Request> {
    vec![
        Request::Hello { protocol: PROTOCOL },
        Request::Preflight { stage: Stage::BeforeImports },
        load(),
        run(7, "/a1b2c3d4", false),
        Request::Bye,
    ]
}

fn greeting() -> Reply {
    Reply::Hello(Greeting { protocol: PROTOCOL, runner: "native".into(), version: "0.1.0".into(), pid: 1 })
}

fn result(id: u64, name: &str) -> Reply {
    Reply::Result(RunResult {
        id,
        cell: cell(name),
        wall_ns: 5,
        tokens: vec![9, 8, 7, 6],
        stop: StopReason::Length,
        evidence: BTreeMap::from([("cache".to_owned(), SignalValue::from("dynamic"))]),
    })
}

fn progress(step: Step, done: u64) -> Reply {
    Reply::Progress(Progress { step, done })
}

fn signals(stage: Stage) -> Reply {
    Reply::Signals { stage, signals: BTreeMap::from([("load.ratio".to_owned(), SignalValue::Float(0.1 + 0.2))]) }
}

fn replies() -> Vec<Reply> {
    vec![
        greeting(),
        signals(Stage::AtExit),
        progress(Step::Load, 3),
        Reply::Loaded { wall_ns: 4 },
        result(7, "/a1b2c3d4"),
        Reply::Failed {
            id: 7,
            cell: cell("/a1b2c3d4"),
            out_of_memory: false,
            class: Some(FailureKind::InductorError),
            message: "no".into(),
            evidence: BTreeMap::from([("compile.graphs".to_owned(), SignalValue::Int(1))]),
        },
        Reply::Fatal { message: "no".into() },
        Reply::Bye,
    ]
}

fn decode_one<T: Message + std::fmt::Debug>(bytes: &[u8]) -> Result<T, Error> {
    let mut decoder = LineDecoder::default();
    decoder.push(bytes);
    let first = decoder.take().expect("a whole line gives a message or an error");
    assert!(decoder.take().is_none(), "one line gave more than one message");
    first
}

fn refusal(text: &str) -> Error {
    decode_one::<Reply>(format!("{text}\n").as_bytes()).expect_err(text)
}

fn assert_shapes_cover<T: Message>(messages: &[T]) {
    let words =
        |shape: &Shape| (shape.tag.to_owned(), shape.fields.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>());
    let listed: Vec<_> = T::SHAPES.iter().map(words).map(sorted).collect();
    let spoken: Vec<_> = messages
        .iter()
        .map(|message| {
            let Value::Object(mut map) = serde_json::to_value(message).unwrap() else { panic!("not an object") };
            let Some(Value::String(tag)) = map.remove("type") else { panic!("no tag") };
            (tag, map.keys().cloned().collect())
        })
        .map(sorted)
        .collect();
    assert_eq!(listed, spoken);
}

fn sorted((tag, mut fields): (String, Vec<String>)) -> (String, Vec<String>) {
    fields.sort();
    (tag, fields)
}

#[test]
fn the_listed_words_are_those_of_the_types() {
    assert_shapes_cover(&requests());
    assert_shapes_cover(&replies());
}

#[test]
fn every_message_survives_the_wire() {
    for request in requests() {
        assert_eq!(decode_one(&encode(&request).unwrap()), Ok(request));
    }
    for reply in replies() {
        assert_eq!(decode_one(&encode(&reply).unwrap()), Ok(reply));
    }
}

#[test]
fn a_number_that_json_cannot_express_is_not_sent() {
    for number in [f64::NAN, f64::INFINITY] {
        let signals = BTreeMap::from([("x".to_owned(), SignalValue::Float(number))]);
        let error = encode(&Reply::Signals { stage: Stage::AtExit, signals }).unwrap_err();
        assert!(matches!(error, Error::NotEncodable { .. }), "{error}");
    }
}

#[test]
fn a_message_above_the_limit_is_not_sent() {
    let error = encode(&Reply::Fatal { message: "x".repeat(MAX_LINE_BYTES) }).unwrap_err();
    assert!(matches!(error, Error::OverlongMessage { limit: MAX_LINE_BYTES, .. }), "{error}");
}

#[test]
fn an_overlong_line_is_reported_once_without_being_kept_and_the_next_line_is_read() {
    let mut decoder = LineDecoder::<Reply>::default();
    for _ in 0..9 {
        decoder.push(&vec![b'x'; MAX_LINE_BYTES / 4]);
        assert!(decoder.buffered_bytes() < MAX_LINE_BYTES);
    }
    decoder.push(b"x\n{\"type\":\"bye\"}\n");
    assert_eq!(decoder.take(), Some(Err(Error::OverlongLine { line: 1, limit: MAX_LINE_BYTES })));
    assert_eq!(decoder.take(), Some(Ok(Reply::Bye)));
    assert_eq!(decoder.take(), None);
    assert_eq!(decoder.end(), Ok(()));
}

#[test]
fn the_longest_line_allowed_passes_and_one_byte_more_does_not() {
    let frame = encode(&Reply::Fatal { message: String::new() }).unwrap().len();
    let longest = encode(&Reply::Fatal { message: "x".repeat(MAX_LINE_BYTES - frame) }).unwrap();
    assert_eq!(longest.len(), MAX_LINE_BYTES);
    assert!(decode_one::<Reply>(&longest).is_ok());
    let mut longer = longest;
    longer.insert(1, b' ');
    assert_eq!(decode_one::<Reply>(&longer), Err(Error::OverlongLine { line: 1, limit: MAX_LINE_BYTES }));
}

#[test]
fn a_line_that_is_no_message_says_where_and_what() {
    assert_eq!(
        decode_one::<Reply>(b"{\"type\":\"bye\"}\xff\xfe\n"),
        Err(Error::NotUtf8 { line: 1, at: 15, excerpt: r#""{\"type\":\"bye\"}��""#.into() })
    );
    let Error::NotJson { column, reason, excerpt, .. } = refusal("Downloading shards: 50%") else { panic!("not JSON") };
    assert_eq!((column, reason.as_str(), excerpt.as_str()), (1, "expected value", r#""Downloading shards: 50%""#));
    let Error::NotJson { excerpt, .. } = refusal(&"[".repeat(100_000)) else { panic!("too deep") };
    assert!(excerpt.len() < 100, "{excerpt}");
    for no_tag in ["[]", "3", "null", "{}", r#"{"type":3}"#] {
        assert!(matches!(refusal(no_tag), Error::NoTag { .. }), "{no_tag}");
    }
    assert!(matches!(refusal(""), Error::NotJson { .. }));
}

#[test]
fn an_unknown_word_names_the_nearest_known_one() {
    let Error::UnknownTag { found, nearest, .. } = refusal(r#"{"type":"progres"}"#) else { panic!("unknown type") };
    assert_eq!((found.as_str(), nearest), (r#""progres""#, Some("progress")));
    for (line, tag, path, nearest) in [
        (r#"{"type":"loaded","wall_ms":3}"#, "loaded", r#""wall_ms""#, Some("wall_ns")),
        (r#"{"type":"bye","zzz":3}"#, "bye", r#""zzz""#, None),
    ] {
        assert_eq!(refusal(line), Error::UnknownField { line: 1, tag, path: path.into(), nearest });
    }
}

#[test]
fn an_unknown_word_inside_the_work_names_its_path() {
    let mut run = serde_json::to_value(run(1, "/a1b2c3d4", false)).unwrap();
    run["work"]["sampling"] = json!({"kind": "greedy", "temprature": 1});
    let error = decode_one::<Request>(format!("{run}\n").as_bytes()).unwrap_err();
    assert_eq!(
        error,
        Error::UnknownField { line: 1, tag: "run", path: r#""work.sampling.temprature""#.into(), nearest: None }
    );
    run["work"]["sampling"] = json!({"kind": "seeded", "seed": 1, "temprature": 1});
    let error = decode_one::<Request>(format!("{run}\n").as_bytes()).unwrap_err();
    assert!(matches!(error, Error::UnknownField { nearest: Some("temperature"), .. }), "{error}");
}

#[test]
fn a_wrong_value_or_a_missing_or_repeated_field_is_malformed() {
    for line in [
        r#"{"type":"loaded"}"#,
        r#"{"type":"loaded","wall_ns":-1}"#,
        r#"{"type":"loaded","wall_ns":1.5}"#,
        r#"{"type":"loaded","wall_ns":1,"wall_ns":1}"#,
        r#"{"type":"progress","step":"think","done":1}"#,
        r#"{"type":"hello","protocol":-1,"runner":"x","version":"1","pid":1}"#,
        r#"{"type":"signals","stage":"at_exit","signals":{"a":{"b":1}}}"#,
    ] {
        assert!(matches!(refusal(line), Error::Malformed { .. }), "{line}: {}", refusal(line));
    }
    let long = format!(r#"{{"type":"progress","step":"{}","done":1}}"#, "x".repeat(1 << 20));
    assert!(refusal(&long).to_string().len() < 400);
}

#[test]
fn a_greeting_of_another_version_is_that_and_not_an_unknown_field() {
    let error = refusal(r#"{"type":"hello","protocol":2,"runner":"x","capabilities":[]}"#);
    assert_eq!(error, Error::WrongVersion { ours: PROTOCOL, theirs: 2 });
    assert!(error.to_string().contains("protocol 2, this one 1"), "{error}");
}

#[test]
fn an_end_inside_a_line_is_torn() {
    let mut decoder = LineDecoder::<Reply>::default();
    decoder.push(b"{\"type\":\"bye\"}\n{\"type\"");
    assert_eq!(decoder.take(), Some(Ok(Reply::Bye)));
    assert_eq!(decoder.end(), Err(Error::TornLine { line: 2, bytes: 7, excerpt: r#""{\"type\"""#.into() }));
}

/// A conversation in which the given exchange has already happened.
fn after(requests: &[Request], answers: &[Reply]) -> Conversation {
    let mut conversation = Conversation::default();
    conversation.reply(&greeting()).unwrap();
    conversation.request(&Request::Hello { protocol: PROTOCOL }).unwrap();
    for (request, answer) in requests.iter().zip(answers) {
        conversation.request(request).unwrap();
        assert_eq!(conversation.reply(answer), Ok(Meaning::Answered));
    }
    conversation
}

fn loaded() -> Conversation {
    after(&[load()], &[Reply::Loaded { wall_ns: 1 }])
}

#[test]
fn a_whole_launch_is_acceptable() {
    let mut talk = after(
        &[Request::Preflight { stage: Stage::BeforeImports }, load(), run(1, "/a1b2c3d4", false)],
        &[signals(Stage::BeforeImports), Reply::Loaded { wall_ns: 1 }, result(1, "/a1b2c3d4")],
    );
    talk.request(&Request::Bye).unwrap();
    assert!(talk.is_waiting());
    assert_eq!(talk.reply(&Reply::Bye), Ok(Meaning::Left));
    assert_eq!(talk.ended(), Ok(()));
}

#[test]
fn a_beat_advances_when_it_says_more_than_the_last_one() {
    let mut talk = loaded();
    talk.request(&run(1, "/a1b2c3d4", true)).unwrap();
    let beats = [(Step::Compile, 0, true), (Step::Compile, 0, false), (Step::Warmup, 0, true), (Step::Warmup, 1, true)];
    for (step, done, advanced) in beats {
        assert_eq!(talk.reply(&progress(step, done)), Ok(Meaning::Beat { step, advanced }));
    }
    let error = talk.reply(&progress(Step::Measure, 1)).unwrap_err();
    assert!(matches!(error, Error::Unexpected { .. }), "a warmup does not measure: {error}");
}

#[test]
fn an_answer_must_repeat_what_was_asked() {
    let mut talk = loaded();
    talk.request(&run(1, "/a1b2c3d4", false)).unwrap();
    assert_eq!(
        talk.reply(&result(1, "/00000000")),
        Err(Error::WrongCell { expected: cell("/a1b2c3d4"), found: cell("/00000000") })
    );
    assert_eq!(talk.reply(&result(2, "/a1b2c3d4")), Err(Error::WrongId { expected: 1, found: 2 }));
    let failed = Reply::Failed {
        id: 2,
        cell: cell("/a1b2c3d4"),
        out_of_memory: true,
        class: Some(FailureKind::OutOfMemory),
        message: String::new(),
        evidence: BTreeMap::new(),
    };
    assert_eq!(talk.reply(&failed), Err(Error::WrongId { expected: 1, found: 2 }));

    let mut talk = loaded();
    talk.request(&Request::Preflight { stage: Stage::AfterWarmup }).unwrap();
    assert_eq!(
        talk.reply(&signals(Stage::AtExit)),
        Err(Error::WrongStage { expected: Stage::AfterWarmup, found: Stage::AtExit })
    );
}

#[test]
fn a_reply_out_of_turn_is_named_with_what_was_expected() {
    let mut talk = Conversation::default();
    let error = talk.reply(&Reply::Loaded { wall_ns: 1 }).unwrap_err();
    assert_eq!(error, Error::Unexpected { expected: "reply `hello`".into(), found: "reply `loaded`".into() });
    for reply in [result(1, "/a1b2c3d4"), progress(Step::Measure, 1), greeting(), Reply::Bye, signals(Stage::AtExit)] {
        assert!(matches!(loaded().reply(&reply), Err(Error::Unexpected { .. })), "{reply:?} with nothing asked");
    }
}

#[test]
fn a_request_out_of_turn_is_refused() {
    let refuse = |mut talk: Conversation, request: Request| {
        let before = talk.clone();
        assert!(matches!(talk.request(&request), Err(Error::Unexpected { .. })), "{request:?}");
        assert_eq!(talk, before);
    };
    refuse(Conversation::default(), Request::Hello { protocol: PROTOCOL });
    refuse(after(&[], &[]), run(1, "/a1b2c3d4", false));
    refuse(after(&[], &[]), Request::Preflight { stage: Stage::Host });
    refuse(loaded(), load());
    let mut asked = loaded();
    asked.request(&run(1, "/a1b2c3d4", false)).unwrap();
    refuse(asked, Request::Bye);
    let mut greeted = Conversation::default();
    greeted.reply(&greeting()).unwrap();
    assert_eq!(
        greeted.request(&Request::Hello { protocol: 9 }),
        Err(Error::WrongVersion { ours: PROTOCOL, theirs: 9 })
    );
}

#[test]
fn a_fatal_ends_the_conversation_at_any_time_after_the_greeting() {
    let fatal = Reply::Fatal { message: "the device is gone".into() };
    assert!(Conversation::default().reply(&fatal).is_err());
    let mut idle = loaded();
    assert_eq!(idle.reply(&fatal), Ok(Meaning::Left));
    assert_eq!(idle.ended(), Ok(()));
    assert!(idle.request(&Request::Bye).is_err());
}

#[test]
fn an_end_before_the_goodbye_is_early() {
    assert_eq!(Conversation::default().ended(), Err(Error::EndedEarly { expected: "reply `hello`".into() }));
    let mut asked = loaded();
    asked.request(&run(3, "/a1b2c3d4", false)).unwrap();
    let Err(Error::EndedEarly { expected }) = asked.ended() else { panic!("an early end") };
    assert!(expected.contains("request 3 (cell /a1b2c3d4)"), "{expected}");
}
