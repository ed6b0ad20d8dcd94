//! The words of each message: its tag and fields. A test holds them against the types themselves.
//!
//! serde refuses unknown words too, but not in every kind of variant, and its message can only be read by people.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Reply, Request};
use crate::terms::nearest;

/// A message type: what one side may send. Sealed, because the words below belong to this room's types.
pub trait Message: Serialize + DeserializeOwned + sealed::Sealed {
    /// Every tag, with its fields (the tag itself left out), in the order of a conversation.
    #[doc(hidden)]
    const SHAPES: &'static [Shape];
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::wire::Request {}
    impl Sealed for crate::wire::Reply {}
}

/// One tag and its fields.
#[derive(Debug)]
pub struct Shape {
    pub(super) tag: &'static str,
    pub(super) fields: &'static [&'static str],
}

const fn shape(tag: &'static str, fields: &'static [&'static str]) -> Shape {
    Shape { tag, fields }
}

impl Message for Request {
    const SHAPES: &'static [Shape] = &[
        shape("hello", &["protocol"]),
        shape("preflight", &["stage"]),
        shape("load", &["model_dir", "axes", "max_positions"]),
        shape("run", &["id", "cell", "warmup", "work", "slowdown_pct"]),
        shape("bye", &[]),
    ];
}

impl Message for Reply {
    const SHAPES: &'static [Shape] = &[
        shape("hello", &["protocol", "runner", "version", "pid"]),
        shape("signals", &["stage", "signals"]),
        shape("progress", &["step", "done"]),
        shape("loaded", &["wall_ns"]),
        shape("result", &["id", "cell", "wall_ns", "tokens", "stop", "evidence"]),
        shape("failed", &["id", "cell", "out_of_memory", "class", "message", "evidence"]),
        shape("fatal", &["message"]),
        shape("bye", &[]),
    ];
}

const WORK: &[&str] = &["phase", "prompt", "new_tokens", "sampling", "ignore_eos", "axes"];
const GREEDY: &[&str] = &["kind"];
const SEEDED: &[&str] = &["kind", "seed", "temperature", "top_k", "top_p"];

/// A field that the protocol does not know.
pub(super) struct Stranger {
    pub(super) path: String,
    pub(super) nearest: Option<&'static str>,
}

/// The first unknown field of a message of this shape, its nested objects included.
pub(super) fn stranger(shape: &Shape, message: &Map<String, Value>) -> Option<Stranger> {
    unknown_key("", message, shape.fields, Some("type")).or_else(|| {
        let work = message.get("work").filter(|_| shape.fields.contains(&"work"))?.as_object()?;
        unknown_key("work.", work, WORK, None).or_else(|| {
            let sampling = work.get("sampling")?.as_object()?;
            let known = match sampling.get("kind")?.as_str()? {
                "greedy" => GREEDY,
                "seeded" => SEEDED,
                _ => return None, // an unknown kind is named by the typed parse
            };
            unknown_key("work.sampling.", sampling, known, None)
        })
    })
}

fn unknown_key(
    path: &str,
    found: &Map<String, Value>,
    known: &'static [&'static str],
    tag: Option<&str>,
) -> Option<Stranger> {
    let key = found.keys().find(|key| !known.contains(&key.as_str()) && Some(key.as_str()) != tag)?;
    Some(Stranger { path: format!("{path}{key}"), nearest: nearest(key, known.iter().copied()) })
}
