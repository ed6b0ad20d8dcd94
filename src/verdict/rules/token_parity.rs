//! Whether two sides hold the same weights: the same tokens, and the same logits within a tolerance.

use std::collections::BTreeMap;

use super::{Part, Ruling};
use crate::terms::Digest;

/// What a side put out for one prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// The token ids.
    Ids(Vec<u32>),
    /// Their digest and number.
    Digest {
        /// Of the ids.
        digest: Digest,
        /// How many.
        tokens: u64,
    },
}

impl Output {
    fn tokens(&self) -> u64 {
        match self {
            Self::Ids(ids) => ids.len() as u64,
            Self::Digest { tokens, .. } => *tokens,
        }
    }
}

/// One prompt on both sides. What was not recorded is absent.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptOutputs {
    /// The prompt's name.
    pub prompt: String,
    /// Output of either side.
    pub outputs: [Option<Output>; 2],
    /// Logit statistics by name, for example `mean`, of either side.
    pub logits: BTreeMap<String, [Option<f64>; 2]>,
    /// The rows.
    pub sources: Vec<String>,
}

/// Two sides, and how far their logits may lie apart.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenParity {
    /// What the sides are called.
    pub sides: [String; 2],
    /// The prompts.
    pub prompts: Vec<PromptOutputs>,
    /// For each logit statistic the largest absolute difference, in its own unit. Empty: tokens alone are compared.
    pub logit_tolerances: BTreeMap<String, f64>,
}

/// TR126's parity: identical ids pass, and logit statistics lie within their tolerances.
///
/// Labels: `identical`, `not_identical` (ids differ), `logits_differ` (the same ids from logits further apart than the
/// tolerance: the weights or the arithmetic are not the same, though no token shows it yet), `invalid`. A comparison with
/// a side that recorded nothing is invalid, never a pass (TR126's own cross-platform field is null); so is a side compared
/// with itself, an output without tokens, which is identical to any other, and a statistic without a tolerance.
#[must_use]
pub fn token_parity(input: &TokenParity) -> Ruling {
    let ruling = rule(input).resting_on(input.prompts.iter().flat_map(|prompt| &prompt.sources));
    input.logit_tolerances.iter().fold(ruling, |ruling, (name, tolerance)| ruling.against(name, *tolerance, "logit"))
}

fn rule(input: &TokenParity) -> Ruling {
    let [a, b] = &input.sides;
    if a == b {
        return Ruling::invalid(format!("{a} is compared with itself, which shows repeatability and no parity"));
    }
    if input.prompts.is_empty() {
        return Ruling::invalid("no prompt was compared");
    }
    for (name, tolerance) in &input.logit_tolerances {
        if !(*tolerance >= 0.0 && tolerance.is_finite()) {
            return Ruling::invalid(format!(
                "the tolerance of {name} is {tolerance}; it must be at least 0 and finite"
            ));
        }
    }
    let mut parts = Vec::with_capacity(input.prompts.len());
    for prompt in &input.prompts {
        match judge(input, prompt) {
            Ok(part) => parts.push(part),
            Err(reason) => return Ruling::invalid(format!("prompt {}: {reason}", prompt.prompt)),
        }
    }
    let with = |label: &str| parts.iter().filter(|part| part.label == label).count();
    let all = parts.len();
    let ruling = match (with("not_identical"), with("logits_differ")) {
        (0, 0) => {
            Ruling::decided("identical").because(format!("{a} and {b} gave the same tokens for all {all} prompts"))
        }
        (0, apart) => Ruling::decided("logits_differ").because(format!(
            "{a} and {b} gave the same tokens, from logits that lie further apart than allowed in {apart} of {all}"
        )),
        (differ, _) => Ruling::decided("not_identical")
            .because(format!("{a} and {b} gave other tokens for {differ} of {all} prompts")),
    };
    let told: Vec<String> = parts
        .iter()
        .filter_map(|part| Some(format!("prompt {}: {}", part.key.get("prompt")?, part.reason.as_ref()?)))
        .collect();
    ruling.because_all(told).in_parts(parts)
}

fn judge(input: &TokenParity, prompt: &PromptOutputs) -> Result<Part, String> {
    let mut recorded = Vec::new();
    for (side, output) in input.sides.iter().zip(&prompt.outputs) {
        let output = output.as_ref().ok_or_else(|| format!("{side} recorded no output, so nothing was compared"))?;
        if output.tokens() == 0 {
            return Err(format!("{side} put out no token, which is identical to anything"));
        }
        recorded.push(output);
    }
    let [one, other] = recorded[..] else { return Err("an output is missing".to_owned()) };
    let part = |label: &str| {
        Part::of("prompt", &prompt.prompt, label)
            .number("tokens_a", one.tokens() as f64)
            .number("tokens_b", other.tokens() as f64)
    };
    if let Some(difference) = difference(one, other)? {
        return Ok(part("not_identical").because(difference));
    }
    let apart = logits_apart(input, prompt)?;
    Ok(if apart.is_empty() { part("identical") } else { part("logits_differ").because(apart.join("; ")) })
}

/// How two outputs differ, if they do.
fn difference(one: &Output, other: &Output) -> Result<Option<String>, String> {
    match (one, other) {
        (Output::Ids(a), Output::Ids(b)) => {
            if a == b {
                return Ok(None);
            }
            let at = a.iter().zip(b).take_while(|(a, b)| a == b).count();
            let token = |ids: &[u32]| ids.get(at).map_or("nothing".to_owned(), u32::to_string);
            Ok(Some(format!("token {} is {} and {}", at + 1, token(a), token(b))))
        }
        (Output::Digest { digest: a, tokens: n_a }, Output::Digest { digest: b, tokens: n_b }) => Ok((a != b
            || n_a != n_b)
            .then(|| format!("the digests of {n_a} and {n_b} tokens are {} and {}", a.short(), b.short()))),
        _ => Err("one side recorded ids and the other a digest; digest the ids in the same way first".to_owned()),
    }
}

/// The statistics that lie further apart than their tolerance; in words why one could not be compared.
fn logits_apart(input: &TokenParity, prompt: &PromptOutputs) -> Result<Vec<String>, String> {
    if let Some(name) = prompt.logits.keys().find(|name| !input.logit_tolerances.contains_key(*name)) {
        return Err(format!("no tolerance is stated for the logit statistic {name}"));
    }
    let mut apart = Vec::new();
    for (name, tolerance) in &input.logit_tolerances {
        let sides = prompt.logits.get(name).copied().unwrap_or_default();
        let [Some(a), Some(b)] = sides.map(|value| value.filter(|value| value.is_finite())) else {
            return Err(format!(
                "the logit statistic {name} is not a finite number on both sides, so nothing was compared"
            ));
        };
        let distance = (a - b).abs();
        if distance > *tolerance {
            apart.push(format!("{name} is {a} and {b}, {distance} apart where {tolerance} is allowed"));
        }
    }
    Ok(apart)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::verdict::rules::Standing;

    fn ids(ids: &[u32]) -> Option<Output> {
        Some(Output::Ids(ids.to_vec()))
    }

    fn prompt(outputs: [Option<Output>; 2], mean: [Option<f64>; 2]) -> PromptOutputs {
        PromptOutputs {
            prompt: "first".to_owned(),
            outputs,
            logits: BTreeMap::from([("mean".to_owned(), mean)]),
            sources: vec!["row".to_owned()],
        }
    }

    fn ruled(tolerance: f64, prompts: Vec<PromptOutputs>) -> Ruling {
        let sides = ["windows".to_owned(), "linux".to_owned()];
        token_parity(&TokenParity {
            sides,
            prompts,
            logit_tolerances: BTreeMap::from([("mean".to_owned(), tolerance)]),
        })
    }

    #[test]
    fn identical_ids_and_logits_up_to_the_tolerance_are_parity() {
        let at = |b: f64| ruled(0.5, vec![prompt([ids(&[1, 2]), ids(&[1, 2])], [Some(1.0), Some(b)])]).label;
        assert_eq!(
            [1.0, 1.5, 1.5_f64.next_up(), 0.5].map(at),
            ["identical", "identical", "logits_differ", "identical"]
        );
    }

    #[test]
    fn the_first_token_that_differs_is_named() {
        let ruling = ruled(0.5, vec![prompt([ids(&[5, 6, 7]), ids(&[5, 8, 7])], [Some(1.0), Some(1.0)])]);
        assert_eq!(ruling.label, "not_identical");
        assert_eq!(ruling.parts[0].reason.as_deref(), Some("token 2 is 6 and 8"));
        let shorter = ruled(0.5, vec![prompt([ids(&[5, 6]), ids(&[5])], [Some(1.0), Some(1.0)])]);
        assert_eq!(shorter.parts[0].reason.as_deref(), Some("token 2 is 6 and nothing"));
    }

    #[test]
    fn a_null_comparison_is_invalid_and_never_a_pass() {
        let nothing = ruled(0.5, vec![prompt([ids(&[1]), None], [Some(1.0), Some(1.0)])]);
        assert_eq!(nothing.standing, Standing::Invalid);
        assert!(nothing.reasons[0].contains("linux recorded no output"), "{:?}", nothing.reasons);
        assert_eq!(ruled(0.5, vec![]).standing, Standing::Invalid);
        assert_eq!(ruled(0.5, vec![prompt([ids(&[]), ids(&[])], [Some(1.0), Some(1.0)])]).standing, Standing::Invalid);
        for mean in [[None, Some(1.0)], [Some(f64::NAN), Some(f64::NAN)]] {
            assert_eq!(ruled(0.5, vec![prompt([ids(&[1]), ids(&[1])], mean)]).standing, Standing::Invalid, "{mean:?}");
        }
    }

    #[test]
    fn a_repeat_on_one_side_a_mixture_of_forms_and_a_statistic_without_tolerance_are_invalid() {
        let good = prompt([ids(&[1]), ids(&[1])], [Some(1.0), Some(1.0)]);
        let sides = ["linux".to_owned(), "linux".to_owned()];
        let tolerances = BTreeMap::from([("mean".to_owned(), 0.5)]);
        let same = TokenParity { sides, prompts: vec![good.clone()], logit_tolerances: tolerances };
        assert_eq!(token_parity(&same).standing, Standing::Invalid);
        let sides = ["a".to_owned(), "b".to_owned()];
        let without = TokenParity { sides, prompts: vec![good], logit_tolerances: BTreeMap::new() };
        assert!(token_parity(&without).reasons[0].contains("no tolerance"));
        let digest = Some(Output::Digest { digest: Digest::of(b"1"), tokens: 1 });
        let mixed = ruled(0.5, vec![prompt([digest.clone(), ids(&[1])], [Some(1.0), Some(1.0)])]);
        assert_eq!(mixed.standing, Standing::Invalid);
        assert_eq!(ruled(0.5, vec![prompt([digest.clone(), digest], [Some(1.0), Some(1.0)])]).label, "identical");
    }

    proptest! {
        #[test]
        fn any_numbers_have_a_ruling(tolerance in proptest::num::f64::ANY, a in proptest::num::f64::ANY, b in proptest::num::f64::ANY) {
            prop_assert!(!ruled(tolerance, vec![prompt([ids(&[1]), ids(&[1])], [Some(a), Some(b)])]).reasons.is_empty());
        }
    }
}
