//! Choosing a token from logits, reproducibly in any language.
//!
//! **Greedy**: the id of the highest logit; of equal ones the lowest id.
//!
//! **Seeded**: one 64-bit number of the stream is used for every token, in order, also where only one candidate is
//! left. All arithmetic is f64; every sum runs in candidate order.
//!
//! 1. Stream: SplitMix64 (Steele, Lea, Flood 2014) with the seed as its first state. Each draw adds
//!    `0x9e3779b97f4a7c15` to the state (modulo 2^64) and returns `z` of: `z = state`,
//!    `z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9`, `z = (z ^ (z >> 27)) * 0x94d049bb133111eb`, `z = z ^ (z >> 31)`.
//! 2. Candidates: all ids, ordered by logit, highest first; equal logits by id, lowest first. With `top_k` only the
//!    first `top_k` stay.
//! 3. Weights: `w = exp((logit - max) / temperature)`, with `max` the highest logit and `exp` that of `libm` (musl's),
//!    so that it is the same on every host; the logit is widened from f32 to f64 first.
//! 4. With `top_p`: `total` is the sum of the weights; the shortest head of the candidates stays whose sum of weights
//!    is at least `top_p * total` (all of them, if rounding lets none reach it).
//! 5. Draw: `u = (x >> 11) * 2^-53` for the next number `x` of the stream, so `0 <= u < 1`. The token is the first
//!    candidate at which the running sum of weights exceeds `u * total`, where `total` is now the sum over those that
//!    stayed; the last candidate, if rounding lets none exceed it.
//!
//! Step 2 orders by logit and not by probability, because `exp` may round different logits to equal weights.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::SplitMix64;

use super::error::{Error, Result};
use super::model::Logits;

/// How tokens are chosen.
#[derive(Debug, Clone, PartialEq)]
pub enum Sampling {
    /// The highest logit.
    Greedy,
    /// A random draw that the seed fixes.
    Seeded {
        /// First state of the stream.
        seed: u64,
        /// Divides the logits; above 0. Small values favour the highest.
        temperature: f64,
        /// Keep this many of the highest logits; at least 1.
        top_k: Option<u32>,
        /// Keep the shortest head with this share of the probability; above 0, at most 1.
        top_p: Option<f64>,
    },
}

/// Chooses the tokens of one sequence. A new sequence takes a new sampler, which starts its stream again.
#[derive(Debug, Clone)]
pub struct Sampler(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Greedy,
    Seeded { stream: SplitMix64, temperature: f64, top_k: Option<usize>, top_p: Option<f64> },
}

/// A token that may be drawn, and its logit or weight.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    token: u32,
    value: f64,
}

impl Sampler {
    /// Starts a stream.
    ///
    /// # Errors
    /// [`Error::InvalidSampling`] when an option lies outside its range.
    pub fn new(sampling: &Sampling) -> Result<Self> {
        let Sampling::Seeded { seed, temperature, top_k, top_p } = *sampling else { return Ok(Self(Kind::Greedy)) };
        if !(temperature.is_finite() && temperature > 0.0) {
            return Err(invalid("temperature", temperature, "a finite number above 0"));
        }
        if top_k == Some(0) {
            return Err(invalid("top_k", 0, "at least 1"));
        }
        if let Some(top_p) = top_p
            && !(top_p > 0.0 && top_p <= 1.0)
        {
            return Err(invalid("top_p", top_p, "a number above 0 and at most 1"));
        }
        let top_k = top_k.map(|k| k as usize);
        Ok(Self(Kind::Seeded { stream: SplitMix64::seed_from_u64(seed), temperature, top_k, top_p }))
    }

    /// Chooses the next token.
    ///
    /// # Errors
    /// [`Error::EmptyLogits`] or [`Error::NonFiniteLogit`]; the stream does not move then.
    pub fn sample(&mut self, logits: &Logits) -> Result<u32> {
        let highest = highest(logits)?;
        let Kind::Seeded { stream, temperature, top_k, top_p } = &mut self.0 else { return Ok(highest.token) };
        let mut candidates = ordered(logits, *top_k);
        for candidate in &mut candidates {
            candidate.value = libm::exp((candidate.value - highest.value) / *temperature);
        }
        if let Some(top_p) = *top_p {
            let kept = head_length(&candidates, top_p);
            candidates.truncate(kept);
        }
        let draw = (stream.next_u64() >> 11) as f64 * 2f64.powi(-53);
        Ok(pick(&candidates, draw).unwrap_or(highest.token))
    }
}

/// The highest logit; of equal ones the lowest id.
fn highest(logits: &Logits) -> Result<Candidate> {
    let mut best: Option<Candidate> = None;
    for (token, &logit) in (0..).zip(logits.as_slice()) {
        if !logit.is_finite() {
            return Err(Error::NonFiniteLogit { token, found: logit });
        }
        let value = f64::from(logit);
        if best.is_none_or(|best| value > best.value) {
            best = Some(Candidate { token, value });
        }
    }
    best.ok_or(Error::EmptyLogits)
}

/// The candidates of step 2. The logits are finite here.
fn ordered(logits: &Logits, top_k: Option<usize>) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> =
        (0..).zip(logits.as_slice()).map(|(token, &logit)| Candidate { token, value: f64::from(logit) }).collect();
    let order = |a: &Candidate, b: &Candidate| b.value.total_cmp(&a.value).then(a.token.cmp(&b.token));
    if let Some(kept) = top_k
        && kept < candidates.len()
    {
        // Only those that stay need sorting.
        candidates.select_nth_unstable_by(kept, order);
        candidates.truncate(kept);
    }
    candidates.sort_unstable_by(order);
    candidates
}

/// How many candidates step 4 keeps.
fn head_length(candidates: &[Candidate], top_p: f64) -> usize {
    let wanted = top_p * total(candidates);
    let mut sum = 0.0;
    let reaches = |candidate: &Candidate| {
        sum += candidate.value;
        sum >= wanted
    };
    candidates.iter().position(reaches).map_or(candidates.len(), |last| last + 1)
}

/// The candidate of step 5.
fn pick(candidates: &[Candidate], draw: f64) -> Option<u32> {
    let wanted = draw * total(candidates);
    let mut sum = 0.0;
    let exceeds = |candidate: &&Candidate| {
        sum += candidate.value;
        sum > wanted
    };
    candidates.iter().find(exceeds).or(candidates.last()).map(|candidate| candidate.token)
}

/// Sum of the values, in order.
fn total(candidates: &[Candidate]) -> f64 {
    candidates.iter().fold(0.0, |sum, candidate| sum + candidate.value)
}

fn invalid(option: &'static str, found: impl std::fmt::Display, expected: &'static str) -> Error {
    Error::InvalidSampling { option, found: found.to_string(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeded(seed: u64, temperature: f64, top_k: Option<u32>, top_p: Option<f64>) -> Sampler {
        Sampler::new(&Sampling::Seeded { seed, temperature, top_k, top_p }).unwrap()
    }

    fn draws(mut sampler: Sampler, logits: &Logits, count: usize) -> Vec<u32> {
        (0..count).map(|_| sampler.sample(logits).unwrap()).collect()
    }

    #[test]
    fn greedy_takes_the_highest_logit_and_of_equal_ones_the_lowest_id() {
        let mut greedy = Sampler::new(&Sampling::Greedy).unwrap();
        assert_eq!(greedy.sample(&Logits::new(vec![1.0, 3.0, 2.0, 3.0])).unwrap(), 1);
        assert_eq!(greedy.sample(&Logits::new(vec![-0.0, 0.0])).unwrap(), 0);
    }

    #[test]
    fn the_stream_is_the_published_splitmix64() {
        // First numbers of the reference implementation at https://prng.di.unimi.it/splitmix64.c for state 1234567.
        let mut stream = SplitMix64::seed_from_u64(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(expected.map(|_| stream.next_u64()), expected);
    }

    /// Computed by hand from the module's description: `u` of seed 1234567 is 0.35007…, 0.17364…, 0.53220….
    #[test]
    fn a_seed_fixes_the_tokens_and_follows_the_description() {
        // Probabilities 0.5, 0.3, 0.2 in the order of ids 2, 0, 1: running sums 0.5, 0.8, 1.0.
        let logits = Logits::new(vec![0.3f32.ln(), 0.2f32.ln(), 0.5f32.ln()]);
        assert_eq!(draws(seeded(1_234_567, 1.0, None, None), &logits, 3), [2, 2, 0]);
        assert_eq!(draws(seeded(1_234_567, 1.0, Some(1), None), &logits, 3), [2, 2, 2]);
        assert_eq!(draws(seeded(1_234_567, 1.0, None, Some(0.4)), &logits, 3), [2, 2, 2]);
    }

    #[test]
    fn another_language_draws_the_same_tokens_from_the_description() {
        // Expected ids from a Python program written from the module's description alone.
        let logits = Logits::new((0..64u16).map(|i| f32::from(i * 37 % 101) / 16.0).collect());
        let cases = [
            (seeded(42, 1.0, None, None), [54, 60, 49, 8, 30, 51, 19, 2, 8, 46, 19, 27, 57, 57, 5, 19]),
            (seeded(42, 0.7, Some(20), Some(0.9)), [57, 60, 60, 19, 30, 46, 60, 16, 19, 38, 60, 49, 8, 8, 38, 60]),
            (seeded(7, 2.5, None, Some(0.5)), [38, 30, 54, 16, 38, 49, 27, 8, 60, 38, 60, 43, 13, 54, 54, 57]),
        ];
        for (sampler, expected) in cases {
            assert_eq!(draws(sampler, &logits, 16), expected);
        }
    }

    #[test]
    fn drawn_frequencies_approach_the_softmax() {
        let logits = Logits::new(vec![0.3f32.ln(), 0.2f32.ln(), 0.5f32.ln()]);
        let tokens = draws(seeded(5, 1.0, None, None), &logits, 20_000);
        for (token, probability) in [(0, 0.3), (1, 0.2), (2, 0.5)] {
            let share = tokens.iter().filter(|&&found| found == token).count() as f64 / 20_000.0;
            // Five standard errors of a share of 20,000 draws are at most 0.018.
            assert!((share - probability).abs() < 0.018, "token {token}: {share} instead of {probability}");
        }
    }

    #[test]
    fn top_k_keeps_the_lowest_ids_among_equal_logits() {
        let logits = Logits::new(vec![1.0; 8]);
        let tokens = draws(seeded(3, 1.0, Some(2), None), &logits, 200);
        assert!(tokens.contains(&0) && tokens.contains(&1) && tokens.iter().all(|&token| token < 2));
    }

    #[test]
    fn top_p_keeps_the_shortest_sufficient_head() {
        // Equal weights, so that the sums are exact: each of four candidates holds a quarter.
        let logits = Logits::new(vec![2.0; 4]);
        for (top_p, kept) in [(0.25, 1), (0.26, 2), (0.5, 2), (0.75, 3), (1.0, 4)] {
            let tokens = draws(seeded(9, 1.0, None, Some(top_p)), &logits, 400);
            let highest = tokens.iter().max().unwrap();
            assert_eq!(*highest + 1, kept, "top_p {top_p}");
        }
    }

    #[test]
    fn a_low_temperature_approaches_greedy() {
        let logits = Logits::new(vec![0.0, 1.0, 0.5]);
        assert_eq!(draws(seeded(1, 1e-3, None, None), &logits, 50), [1; 50]);
        assert_eq!(draws(seeded(1, f64::MIN_POSITIVE, None, None), &logits, 50), [1; 50]);
    }

    #[test]
    fn extreme_finite_logits_do_not_break_the_draw() {
        let logits = Logits::new(vec![f32::MAX, f32::MIN, f32::MAX]);
        let tokens = draws(seeded(1, 1.0, None, Some(1.0)), &logits, 50);
        assert!(tokens.iter().all(|&token| token != 1));
    }

    #[test]
    fn logits_that_are_no_numbers_are_an_error() {
        for (bad, token) in [(vec![0.0, f32::NAN], 1), (vec![f32::INFINITY], 0), (vec![1.0, 2.0, f32::NEG_INFINITY], 2)]
        {
            for mut sampler in [Sampler::new(&Sampling::Greedy).unwrap(), seeded(1, 1.0, None, None)] {
                let error = sampler.sample(&Logits::new(bad.clone())).unwrap_err();
                assert!(matches!(error, Error::NonFiniteLogit { token: found, .. } if found == token), "{error}");
            }
        }
        let error = seeded(1, 1.0, None, None).sample(&Logits::new(Vec::new())).unwrap_err();
        assert!(matches!(error, Error::EmptyLogits));
    }

    #[test]
    fn options_outside_their_range_are_named() {
        let cases: [(f64, Option<u32>, Option<f64>, &str); 7] = [
            (0.0, None, None, "temperature"),
            (-1.0, None, None, "temperature"),
            (f64::NAN, None, None, "temperature"),
            (f64::INFINITY, None, None, "temperature"),
            (1.0, Some(0), None, "top_k"),
            (1.0, None, Some(0.0), "top_p"),
            (1.0, None, Some(f64::NAN), "top_p"),
        ];
        for (temperature, top_k, top_p, named) in cases {
            let error = Sampler::new(&Sampling::Seeded { seed: 1, temperature, top_k, top_p }).unwrap_err();
            assert!(matches!(error, Error::InvalidSampling { option, .. } if option == named), "{error}");
        }
    }
}
