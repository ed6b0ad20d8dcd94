//! Properties of the codec and of the conversation, over arbitrary input. The names of the trials say how many cases.

use std::collections::BTreeMap;

use libtest_mimic::{Failed, Trial};
use lockstep::terms::{Phase, SamplingSpec, SignalValue, Stage, StopReason};
use lockstep::wire::{
    Conversation, Error, FailureKind, Greeting, LineDecoder, Message, Progress, Reply, Request, RunRequest, RunResult,
    Step, Work, encode,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

const CASES: u32 = 4096;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("arbitrary bytes never panic, in any cut", (vec(any::<u8>(), 0..400), cuts()), |(bytes, cuts)| {
            survives::<Request>(&bytes, &cuts)?;
            survives::<Reply>(&bytes, &cuts)
        }),
        trial("damaged requests never panic, in any cut", (lines(request()), damage(), cuts()), damaged::<Request>),
        trial("damaged replies never panic, in any cut", (lines(reply()), damage(), cuts()), damaged::<Reply>),
        trial("requests survive the wire, in any cut", (vec(request(), 1..4), cuts()), whole::<Request>),
        trial("replies survive the wire, in any cut", (vec(reply(), 1..4), cuts()), whole::<Reply>),
        trial("a refusal leaves the conversation as it was", vec(said(), 0..12), conversation),
    ]
}

fn trial<S: Strategy + Send + 'static>(
    what: &str,
    strategy: S,
    property: impl Fn(S::Value) -> Result<(), TestCaseError> + Send + 'static,
) -> Trial {
    Trial::test(format!("property::{what} ({CASES} cases)"), move || {
        let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
        TestRunner::new(config).run(&strategy, property).map_err(|error| Failed::from(error.to_string()))
    })
}

/// Decodes a stream in pieces.
fn decode<T: Message>(bytes: &[u8], cuts: &[Index]) -> (Vec<Result<T, Error>>, Result<(), Error>) {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    let mut decoder = LineDecoder::default();
    let (mut decoded, mut start) = (Vec::new(), 0);
    for place in places.into_iter().chain([bytes.len()]) {
        decoder.push(&bytes[start..place]);
        start = place;
        while let Some(message) = decoder.take() {
            decoded.push(message);
        }
    }
    (decoded, decoder.end())
}

/// The cut changes nothing, every line gives one message or one error, and what was read can be written.
fn survives<T: Message + PartialEq + std::fmt::Debug>(bytes: &[u8], cuts: &[Index]) -> Result<(), TestCaseError> {
    let whole = decode::<T>(bytes, &[]);
    prop_assert_eq!(&decode::<T>(bytes, cuts), &whole);
    prop_assert_eq!(whole.0.len(), bytes.iter().filter(|byte| **byte == b'\n').count());
    for decoded in whole.0 {
        match decoded {
            Ok(message) => {
                let line = encode(&message).map_err(|error| TestCaseError::fail(error.to_string()))?;
                prop_assert_eq!(decode::<T>(&line, &[]), (vec![Ok(message)], Ok(())));
            }
            Err(error) => prop_assert!(error.to_string().len() < 2000, "the error repeats too much: {}", error),
        }
    }
    Ok(())
}

fn damaged<T: Message + PartialEq + std::fmt::Debug>(
    (mut bytes, damages, cuts): (Vec<u8>, Vec<Damage>, Vec<Index>),
) -> Result<(), TestCaseError> {
    damages.iter().for_each(|damage| damage.apply(&mut bytes));
    survives::<T>(&bytes, &cuts)
}

fn whole<T: Message + PartialEq + std::fmt::Debug>(
    (messages, cuts): (Vec<T>, Vec<Index>),
) -> Result<(), TestCaseError> {
    let bytes: Vec<u8> = messages.iter().flat_map(|message| encode(message).expect("finite numbers")).collect();
    let expected: Vec<Result<T, Error>> = messages.into_iter().map(Ok).collect();
    prop_assert_eq!(decode::<T>(&bytes, &cuts), (expected, Ok(())));
    Ok(())
}

fn conversation(said: Vec<Said>) -> Result<(), TestCaseError> {
    let mut talk = Conversation::default();
    for word in said {
        let before = talk.clone();
        let refused = match word {
            Said::Asked(request) => talk.request(&request).is_err(),
            Said::Replied(reply) => talk.reply(&reply).is_err(),
        };
        prop_assert!(!refused || talk == before);
    }
    Ok(())
}

/// One change to a stream of bytes.
#[derive(Clone, Debug)]
pub enum Damage {
    Flip(Index, u8),
    Drop(Index, Index),
    Repeat(Index, Index),
    Insert(Index, &'static str),
}

impl Damage {
    pub fn apply(&self, bytes: &mut Vec<u8>) {
        let span = |a: &Index, b: &Index, length: usize| {
            let (a, b) = (a.index(length + 1), b.index(length + 1));
            a.min(b)..a.max(b).min(a.min(b) + 40)
        };
        let length = bytes.len();
        match self {
            Self::Flip(place, mask) => {
                if let Some(byte) = bytes.get_mut(place.index(length.max(1))) {
                    *byte ^= mask;
                }
            }
            Self::Drop(from, to) => drop(bytes.drain(span(from, to, length))),
            Self::Repeat(from, to) => {
                let span = span(from, to, length);
                let piece = bytes[span.clone()].to_vec();
                bytes.splice(span.end..span.end, piece);
            }
            Self::Insert(place, text) => {
                let place = place.index(length + 1);
                bytes.splice(place..place, text.bytes());
            }
        }
    }
}

pub fn damage() -> impl Strategy<Value = Vec<Damage>> {
    const TEXTS: [&str; 12] =
        ["\n", "\r", "\"", "{", "]", ",", "null", "-1", "1e999", "\u{feff}", "\\ud800", "\"type\":\"run\","];
    let one = prop_oneof![
        (any::<Index>(), 1..=u8::MAX).prop_map(|(place, mask)| Damage::Flip(place, mask)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Drop(from, to)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Repeat(from, to)),
        (any::<Index>(), select(&TEXTS[..])).prop_map(|(place, text)| Damage::Insert(place, text)),
    ];
    vec(one, 1..4)
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    vec(any::<Index>(), 0..6)
}

fn lines<T: Message + std::fmt::Debug>(message: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<u8>> {
    vec(message, 1..3)
        .prop_map(|messages| messages.iter().flat_map(|message| encode(message).expect("finite numbers")).collect())
}

/// Two cells and two numbers, so that echoes match now and then.
fn cell() -> impl Strategy<Value = lockstep::terms::CellId> {
    select(&["/a1b2c3d4", "/00000000"][..]).prop_map(|text| text.parse().expect("eight hex digits"))
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![Just(1), Just(2), any::<u64>()]
}

fn finite() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("JSON has finite numbers only", |number| number.is_finite())
}

fn stage() -> impl Strategy<Value = Stage> {
    select(&[Stage::Host, Stage::BeforeImports, Stage::AfterImports, Stage::AfterWarmup, Stage::AtExit][..])
}

fn signals() -> impl Strategy<Value = BTreeMap<String, SignalValue>> {
    let value = prop_oneof![
        any::<bool>().prop_map(SignalValue::Bool),
        any::<i64>().prop_map(SignalValue::Int),
        finite().prop_map(SignalValue::Float),
        ".{0,8}".prop_map(SignalValue::Text),
        vec(".{0,4}", 0..3).prop_map(SignalValue::List),
    ];
    btree_map("[a-z.]{1,8}", value, 0..3)
}

pub fn request() -> impl Strategy<Value = Request> {
    let sampling = prop_oneof![
        Just(SamplingSpec::Greedy),
        (any::<u64>(), finite(), any::<Option<u32>>(), proptest::option::of(finite()))
            .prop_map(|(seed, temperature, top_k, top_p)| SamplingSpec::Seeded { seed, temperature, top_k, top_p }),
    ];
    let axes = btree_map("[a-z]{1,4}", ".{0,4}", 0..2);
    let work = (select(&Phase::ALL[..]), vec(any::<u32>(), 0..5), any::<u32>(), sampling, any::<bool>(), axes);
    let work = work.prop_map(|(phase, prompt, new_tokens, sampling, ignore_eos, axes)| Work {
        phase,
        prompt,
        new_tokens,
        sampling,
        ignore_eos,
        axes,
    });
    prop_oneof![
        (0u32..3).prop_map(|protocol| Request::Hello { protocol }).prop_filter("of this version", |request| {
            matches!(request, Request::Hello { protocol: lockstep::wire::PROTOCOL })
        }),
        stage().prop_map(|stage| Request::Preflight { stage }),
        (".{0,8}", btree_map("[a-z]{1,4}", ".{0,4}", 0..2), any::<u32>())
            .prop_map(|(model_dir, axes, max_positions)| Request::Load { model_dir, axes, max_positions }),
        (number(), cell(), any::<bool>(), work, proptest::option::of(finite())).prop_map(
            |(id, cell, warmup, work, slowdown_pct)| {
                Request::Run(RunRequest { id, cell, warmup, work, slowdown_pct })
            }
        ),
        Just(Request::Bye),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    let stop = select(&[StopReason::Length, StopReason::Eos][..]);
    let kind = select(&[FailureKind::Exception, FailureKind::InductorError, FailureKind::IllegalAccess][..]);
    let step = select(&[Step::Load, Step::Compile, Step::Warmup, Step::Measure][..]);
    prop_oneof![
        (".{0,8}", ".{0,8}", any::<u32>()).prop_map(|(runner, version, pid)| {
            Reply::Hello(Greeting { protocol: lockstep::wire::PROTOCOL, runner, version, pid })
        }),
        (stage(), signals()).prop_map(|(stage, signals)| Reply::Signals { stage, signals }),
        (step, any::<u64>()).prop_map(|(step, done)| Reply::Progress(Progress { step, done })),
        any::<u64>().prop_map(|wall_ns| Reply::Loaded { wall_ns }),
        (number(), cell(), any::<u64>(), vec(any::<u32>(), 0..5), stop, signals()).prop_map(
            |(id, cell, wall_ns, tokens, stop, evidence)| {
                Reply::Result(RunResult { id, cell, wall_ns, tokens, stop, evidence })
            }
        ),
        (number(), cell(), any::<bool>(), proptest::option::of(kind), ".{0,8}", signals()).prop_map(
            |(id, cell, out_of_memory, class, message, evidence)| {
                Reply::Failed { id, cell, out_of_memory, class, message, evidence }
            }
        ),
        ".{0,8}".prop_map(|message| Reply::Fatal { message }),
        Just(Reply::Bye),
    ]
}

#[derive(Clone, Debug)]
enum Said {
    Asked(Request),
    Replied(Reply),
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![request().prop_map(Said::Asked), reply().prop_map(Said::Replied)]
}
