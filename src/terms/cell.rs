//! A cell: one point of the plan, independent of the lane that runs it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::parsed::Parsed;
use super::{Axes, Digest, Phase, canonical_json};

/// How tokens are picked from logits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SamplingSpec {
    /// The highest logit; ties go to the lowest id.
    Greedy,
    /// Seeded sampling; `containers/WIRE.md` gives the algorithm to the bit.
    Seeded {
        /// Seed of the stream.
        seed: u64,
        /// Logits are divided by this; above 0.
        temperature: f64,
        /// Keep the `top_k` highest logits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        top_k: Option<u32>,
        /// Keep the smallest head of the distribution that holds this much probability.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        top_p: Option<f64>,
    },
}

/// One point of the plan: the same work in every lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// What is timed.
    pub phase: Phase,
    /// The workload's name in the plan.
    pub workload: String,
    /// Digest of the model's files.
    pub model: Digest,
    /// The prompt, as token ids.
    pub prompt: Vec<u32>,
    /// Tokens to produce; 1 for `prefill`.
    pub new_tokens: u32,
    /// How tokens are picked.
    pub sampling: SamplingSpec,
    /// Whether an end-of-sequence token is ignored.
    pub ignore_eos: bool,
    /// Axes that the cell itself fixes, over the lane's of the same name; a cell without any keeps the name that it had
    /// before cells had axes.
    #[serde(default, skip_serializing_if = "Axes::is_empty")]
    pub axes: Axes,
}

impl Cell {
    /// The cell's name: the first eight hex digits of the digest of its canonical JSON.
    #[must_use]
    pub fn id(&self) -> CellId {
        let text = canonical_json(self).expect("a cell has string keys and finite numbers only, so it has a JSON form");
        let digits = Digest::of(text.as_bytes()).hex_digits();
        CellId(*digits.first_chunk().expect("a digest has more than eight hex digits"))
    }

    /// Forward passes that the timed part needs at least, each of which reads the weights once.
    #[must_use]
    pub fn forward_passes(&self) -> u32 {
        match self.phase {
            Phase::Prefill => 1,
            Phase::KvDecode | Phase::E2eKv => self.new_tokens,
        }
    }
}

/// A cell's work in a line for people, for example `kv_decode short p32 n16 cache=static`.
#[must_use]
pub fn describe_work(phase: Phase, workload: &str, prompt_tokens: u64, new_tokens: u64, axes: &Axes) -> String {
    let axes: String = axes.iter().map(|(axis, value)| format!(" {axis}={value}")).collect();
    format!("{phase} {workload} p{prompt_tokens} n{new_tokens}{axes}")
}

/// A cell's short stable name, written `/a1b2c3d4`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellId([u8; 8]);

impl CellId {
    /// The name that a text of bytes, `/` and 8 lowercase hex digits, stands for.
    #[must_use]
    pub fn from_bytes(text: &[u8]) -> Option<Self> {
        let hex: [u8; 8] = text.strip_prefix(b"/")?.try_into().ok()?;
        hex.iter().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')).then_some(Self(hex))
    }
}

/// A text that is no cell name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no cell: expected `/` and 8 lowercase hex digits, as `lockstep plan` lists them")]
pub struct CellIdError {
    /// The text that was found.
    pub found: String,
}

impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = self.0.map(char::from);
        f.pad(&hex.iter().fold("/".to_owned(), |text, digit| text + digit.encode_utf8(&mut [0; 4])))
    }
}

impl FromStr for CellId {
    type Err = CellIdError;

    fn from_str(text: &str) -> Result<Self, CellIdError> {
        let whole = if text.starts_with('/') { text.to_owned() } else { format!("/{text}") };
        Self::from_bytes(whole.as_bytes()).ok_or_else(|| CellIdError { found: text.chars().take(80).collect() })
    }
}

impl Serialize for CellId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CellId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Parsed::new())
    }
}

impl schemars::JsonSchema for CellId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CellId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^/[0-9a-f]{8}$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell() -> Cell {
        Cell {
            phase: Phase::KvDecode,
            workload: "short".into(),
            model: Digest::of(b"model"),
            prompt: vec![1, 2, 3],
            new_tokens: 4,
            sampling: SamplingSpec::Greedy,
            ignore_eos: true,
            axes: Axes::new(),
        }
    }

    #[test]
    fn a_cell_keeps_its_name_as_long_as_its_work_is_the_same() {
        assert_eq!(cell().id(), cell().id());
        // Pinned: a cell's name is a public identifier that may not move between releases.
        assert_eq!(cell().id().to_string(), "/4c79f762");
        for changed in [
            Cell { new_tokens: 5, ..cell() },
            Cell { prompt: vec![1, 2, 4], ..cell() },
            Cell { phase: Phase::E2eKv, ..cell() },
            Cell { model: Digest::of(b"other"), ..cell() },
            Cell { ignore_eos: false, ..cell() },
            Cell { axes: Axes::from([("cache".into(), "static".into())]), ..cell() },
        ] {
            assert_ne!(changed.id(), cell().id());
        }
    }

    #[test]
    fn a_cell_name_is_read_with_and_without_its_slash() {
        assert_eq!("/a1b2c3d4".parse::<CellId>(), "a1b2c3d4".parse::<CellId>());
        for bad in ["", "/", "/a1b2c3d", "/A1B2C3D4", "//a1b2c3", "/a1b2c3dé"] {
            assert!(bad.parse::<CellId>().is_err(), "{bad:?} was taken for a cell");
        }
    }
}
