//! Relative differences against `tests/reference/relative.json`, and how often their intervals hold the truth.

use serde::Deserialize;

use super::reference_values::{CLOSE, Tested, close, p_close, read};
use crate::stats::distribution::normal_quantile;
use crate::stats::*;

#[derive(Deserialize)]
struct Reference {
    samples: Vec<Case>,
    pairs: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    a: Vec<f64>,
    b: Vec<f64>,
    change: Tested,
    null: Tested,
}

fn reference() -> Reference {
    read(include_str!("../../../tests/reference/relative.json"))
}

#[track_caller]
fn same(effect: &Effect, expected: &Tested, what: &str) {
    // A paired size is the small mean of differences of doubles, so that it is compared beside its error.
    close(effect.difference(), expected.difference, CLOSE, expected.se, what);
    close(effect.se(), expected.se, CLOSE, 0.0, what);
    close(effect.df(), expected.df, CLOSE, 0.0, what);
    let confidence = Confidence::new(0.95).expect("a level");
    let interval = difference_interval(effect, confidence).expect("an interval");
    close(interval.low, expected.interval_95[0], CLOSE, expected.se, what);
    close(interval.high, expected.interval_95[1], CLOSE, expected.se, what);
    let p = difference_test(effect).expect("a test").p;
    p_close(p, expected.p, expected.log10_p, 1e-9 * 1.0_f64.max(expected.t * expected.t), what);
}

#[test]
fn relative_differences_agree() {
    let Reference { samples, pairs } = reference();
    assert!(samples.len() >= 5 && pairs.len() >= 3);
    for Case { a, b, change, null } in samples {
        let what = format!("n = {} and {}", a.len(), b.len());
        let [a, b] = [a, b].map(|values| Replicates::new(values).expect("usable values"));
        let found = relative_effect(&a, &b).expect("an effect");
        same(&found.change, &change, &what);
        same(&found.null, &null, &what);
    }
    for Case { a, b, change, null } in pairs {
        let what = format!("{} pairs", a.len());
        let found = relative_effect_paired(&Pairs::new(a, b).expect("pairs")).expect("an effect");
        same(&found.change, &change, &what);
        same(&found.null, &null, &what);
    }
}

/// Normal values by inversion from SplitMix64 (G. L. Steele, D. Lea and C. H. Flood, OOPSLA 2014).
struct Draws(u64);

impl Draws {
    fn normal(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let uniform = (((z ^ (z >> 31)) >> 11) as f64 + 0.5) * libm::scalbn(1.0, -53);
        normal_quantile(uniform).expect("between 0 and 1")
    }

    fn sample(&mut self, n: usize, mean: f64, sd: f64) -> Replicates {
        Replicates::new((0..n).map(|_| mean + sd * self.normal()).collect::<Vec<f64>>()).expect("usable values")
    }
}

const TRIALS: u32 = 10_000;

/// In how many trials of ten thousand the 95 % interval holds the true change: that of the ratio, and that of a baseline whose
/// mean is taken as known. Both lanes scatter by the same share of their means.
fn held(n: usize, change_pct: f64, cv: f64, segments: usize) -> [u32; 2] {
    let mut draws = Draws(165 + n as u64);
    let mut held = [0, 0];
    let factor = 1.0 + change_pct / 100.0;
    for _ in 0..TRIALS {
        let of_segment = || {
            let (a, b) = (draws.sample(n, 10.0 * factor, 10.0 * factor * cv), draws.sample(n, 10.0, 10.0 * cv));
            relative_effect(&a, &b).expect("an effect")
        };
        let effects: Vec<RelativeEffect> = std::iter::repeat_with(of_segment).take(segments).collect();
        let (RelativeEffect { change, null }, _) = pool_relative(&effects).expect("effects");
        for (count, effect) in held.iter_mut().zip([change, null]) {
            let off = Effect::new(effect.difference() - change_pct, effect.se(), effect.df()).expect("an effect");
            *count += u32::from(difference_test(&off).expect("a test").p.get() > 0.05);
        }
    }
    held
}

#[test]
fn an_interval_of_95_percent_holds_the_truth_in_95_of_100_where_a_known_baseline_would_not() {
    for (n, cv) in [(5, 0.05), (10, 0.05), (7, 0.1)] {
        let [ratio, known] = held(n, 100.0, cv, 1);
        assert!((9_400..=9_600).contains(&ratio), "n = {n}: {ratio}");
        assert!(known < 9_000, "n = {n}: {known}");
    }
    // Faster by half a known baseline is too wide instead.
    let [ratio, known] = held(6, -50.0, 0.05, 1);
    assert!((9_400..=9_600).contains(&ratio) && known > 9_650, "{ratio} {known}");
    let [ratio, known] = held(6, 0.0, 0.05, 1);
    assert!((9_400..=9_600).contains(&ratio) && (9_400..=9_600).contains(&known), "{ratio} {known}");
}

#[test]
fn pooled_over_segments_it_holds_the_truth_as_often() {
    let [ratio, known] = held(5, 100.0, 0.05, 3);
    assert!((9_350..=9_600).contains(&ratio), "{ratio}");
    assert!(known < 9_000, "{known}");
}
