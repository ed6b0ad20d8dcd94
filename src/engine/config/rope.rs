//! Rotary position embedding: its options in `config.json`, and its frequencies.

use std::f64::consts::PI;

use serde_json::{Map, Value};

use super::fields::Fields;
use crate::engine::error::{Error, Result};

/// Rotary position embedding (Su et al. 2021, "RoFormer", section 3.4).
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Base of the frequencies.
    pub theta: f64,
    /// Llama 3's stretch of the low frequencies, if any.
    pub scaling: Option<Llama3Scaling>,
}

/// Llama 3.1's frequency scaling (Meta's `llama-models`, `apply_scaling`; transformers `rope_type: llama3`).
#[derive(Debug, Clone, PartialEq)]
pub struct Llama3Scaling {
    /// Wavelengths above the low-frequency bound become longer by this.
    pub factor: f64,
    /// The low-frequency bound, as a share of the original positions.
    pub low_freq_factor: f64,
    /// The high-frequency bound, as a share of the original positions.
    pub high_freq_factor: f64,
    /// Positions of the model before its context was extended.
    pub original_max_positions: usize,
}

/// `LlamaConfig` and `Qwen2Config` default.
const DEFAULT_THETA: f64 = 10_000.0;

impl Rope {
    /// Reads `rope_parameters` (newer files), or `rope_theta` and `rope_scaling`.
    pub(super) fn parse(fields: Fields<'_>) -> Result<Self> {
        let top_theta = fields.number("rope_theta")?;
        refuse_partial(fields)?;
        let scaling = fields.object("rope_scaling")?;
        let (options, path) = match (fields.object("rope_parameters")?, scaling) {
            (Some(newer), Some(older)) if newer != older => {
                let found = "given beside a different `rope_scaling`";
                return Err(fields.invalid("rope_parameters", found, "one of the two, or equal ones"));
            }
            (Some(newer), _) => (newer, "rope_parameters."),
            (None, Some(older)) => (older, "rope_scaling."),
            (None, None) => return Ok(Self { theta: top_theta.unwrap_or(DEFAULT_THETA), scaling: None }),
        };
        let inner = fields.inside(options, path);
        refuse_partial(inner)?;
        let theta = match (inner.number("rope_theta")?, top_theta) {
            (Some(nested), Some(top)) if nested != top => {
                return Err(inner.invalid("rope_theta", &nested.to_string(), format!("{top}, as at the top level")));
            }
            (nested, top) => nested.or(top).unwrap_or(DEFAULT_THETA),
        };
        Ok(Self { theta, scaling: parse_scaling(inner, options)? })
    }

    /// Checks the ranges of the numbers.
    pub(super) fn check(&self) -> Result<()> {
        if !(1.0..=1e12).contains(&self.theta) {
            return Err(Error::InvalidField {
                field: "rope_theta".to_owned(),
                found: self.theta.to_string(),
                expected: "a number from 1 to 1e12".to_owned(),
            });
        }
        let Some(scaling) = &self.scaling else { return Ok(()) };
        positive("rope factor", scaling.factor)?;
        positive("rope low_freq_factor", scaling.low_freq_factor)?;
        positive("rope high_freq_factor", scaling.high_freq_factor)?;
        if scaling.high_freq_factor <= scaling.low_freq_factor {
            return Err(Error::InvalidField {
                field: "rope high_freq_factor".to_owned(),
                found: scaling.high_freq_factor.to_string(),
                expected: format!("more than low_freq_factor = {}", scaling.low_freq_factor),
            });
        }
        positive("rope original_max_position_embeddings", scaling.original_max_positions as f64)
    }

    /// The angle per position of each of the `head_dim / 2` pairs, in radians:
    /// `theta^(-2i / head_dim)`, then scaled. The powers come from `libm`, so they are the same on every host.
    #[must_use]
    pub fn frequencies(&self, head_dim: usize) -> Vec<f64> {
        (0..head_dim / 2)
            .map(|pair| {
                let frequency = 1.0 / libm::pow(self.theta, (2 * pair) as f64 / head_dim as f64);
                self.scaling.as_ref().map_or(frequency, |scaling| scaling.apply(frequency))
            })
            .collect()
    }
}

impl Llama3Scaling {
    /// Keeps short wavelengths, divides the frequency of long ones by `factor`, and blends in between.
    fn apply(&self, frequency: f64) -> f64 {
        let original = self.original_max_positions as f64;
        let wavelength = 2.0 * PI / frequency;
        if wavelength < original / self.high_freq_factor {
            return frequency;
        }
        if wavelength > original / self.low_freq_factor {
            return frequency / self.factor;
        }
        let smooth = (original / wavelength - self.low_freq_factor) / (self.high_freq_factor - self.low_freq_factor);
        (1.0 - smooth) * frequency / self.factor + smooth * frequency
    }
}

fn parse_scaling(fields: Fields<'_>, options: &Map<String, Value>) -> Result<Option<Llama3Scaling>> {
    const SUPPORTED: &str = "`default`, `llama3`";
    // Older files say `type`, newer ones `rope_type`.
    let name = if fields.get("rope_type").is_some() { "rope_type" } else { "type" };
    match fields.text(name)? {
        Some("llama3") => Ok(Some(Llama3Scaling {
            factor: fields.required_number("factor")?,
            low_freq_factor: fields.required_number("low_freq_factor")?,
            high_freq_factor: fields.required_number("high_freq_factor")?,
            original_max_positions: fields.required_size("original_max_position_embeddings")?,
        })),
        Some("default") => Ok(None),
        Some(other) => Err(fields.unsupported(name, &Value::String(other.to_owned()), SUPPORTED)),
        // Neither word: only `rope_theta` may stand here. Anything else is a scheme that is not known,
        // for example one set of options a layer type.
        None => match options.iter().find(|(key, _)| key.as_str() != "rope_theta") {
            None => Ok(None),
            Some((key, found)) => Err(fields.unsupported(key, found, SUPPORTED)),
        },
    }
}

/// Rotating only a part of each head is another model.
fn refuse_partial(fields: Fields<'_>) -> Result<()> {
    match fields.number("partial_rotary_factor")? {
        Some(share) if share != 1.0 => Err(fields.unsupported("partial_rotary_factor", &Value::from(share), "1")),
        _ => Ok(()),
    }
}

fn positive(field: &str, found: f64) -> Result<()> {
    if found.is_finite() && found > 0.0 {
        return Ok(());
    }
    Err(Error::InvalidField {
        field: field.to_owned(),
        found: found.to_string(),
        expected: "a positive number".to_owned(),
    })
}
