//! Results pinned to the last bit.
//!
//! The same rows have to give the same verdict bytes on every host. A failure here on another architecture, compiler
//! or optimisation level means that they do not; a failure after a change means that accepted verdicts will change.

use crate::stats::distribution::*;
use crate::stats::*;

/// The bits of every number a verdict is made of, for one small and one larger pair of samples.
fn digits() -> Vec<(&'static str, u64)> {
    let alpha = Alpha::new(0.05).expect("a level");
    let level = Confidence::new(0.95).expect("a level");
    let wave = |n: u32, around: f64| -> Vec<f64> {
        (0..n).map(|i| around + libm::sin(f64::from(i) * 1.7) * 0.3 + f64::from(i % 7) * 0.01).collect()
    };
    let a = Replicates::new(wave(5, 10.1)).expect("usable values");
    let b = Replicates::new(wave(41, 9.9)).expect("usable values");
    let first = welch(&a, &b).expect("spread");
    let second = welch(&b, &a).expect("spread");
    let found = pool(&[first.effect, second.effect]).expect("effects");
    let agreement = found.heterogeneity.expect("two effects");
    let margin = Margin::percent_of(b.sample(), 3.0).expect("a margin");
    let equivalence = tost(&first.effect, margin, alpha).expect("a test");
    let planned = mde(5, 41, alpha, Power::new(0.8).expect("a power")).expect("an effect");
    let differences = Sample::new(wave(30, 0.05)).expect("finite values");
    let normal = RankNull::Normal { continuity: true };
    let corrected = bootstrap_difference_interval(BootstrapMethod::Bca, &a, &b, Bootstrap::new(42, level));
    let far = Moments::new(900, 1.0, 0.01).expect("a summary");
    let near = Moments::new(800, 2.0, 0.03).expect("a summary");
    let numbers = [
        ("mean", a.mean()),
        ("sd", a.sd()),
        ("p99", percentile(b.sample(), Percent::P99)),
        ("t", first.test.t),
        ("df", first.test.df),
        ("p", first.test.p.get()),
        ("d", cohen_d(&a, &b).expect("spread").d),
        ("interval", student_interval(&a, level).expect("spread").low),
        ("p_lower", equivalence.p_lower.get()),
        ("p_upper", equivalence.p_upper.get()),
        ("mde", planned.d),
        ("pooled se", found.effect.se()),
        ("pooled p", agreement.p.get()),
        ("pooled p_chi_square", agreement.p_chi_square.get()),
        ("signed rank p", signed_rank(&differences, ZeroMethod::Pratt, normal).expect("a test").p.get()),
        ("exact signed rank p", signed_rank(&differences, ZeroMethod::Pratt, RankNull::Exact).expect("a test").p.get()),
        ("rank sum p", mann_whitney(a.sample(), b.sample(), RankNull::Exact).expect("a test").p.get()),
        ("g", hedges_g(&a, &b, HedgesCorrection::Exact).expect("spread").g),
        ("corrected end", corrected.expect("an interval").low),
        ("log10 p", welch(far, near).expect("spread").test.p.decimal_log().expect("a size")),
        ("normal tail", normal_sf(7.3).expect("a number")),
        ("normal quantile", normal_quantile(0.975).expect("in the domain")),
        ("t tail", student_t_sf(31.0, 3.7).expect("in the domain")),
        ("t quantile", student_t_quantile(0.975, 2.3).expect("in the domain")),
        ("noncentral t", noncentral_t_cdf(2.1, 6.5, 3.3).expect("in the domain")),
    ];
    numbers.map(|(name, value)| (name, value.to_bits())).to_vec()
}

#[test]
fn the_same_samples_give_the_same_bits_on_every_host() {
    assert_eq!(digits(), PINNED);
}

const PINNED: [(&str, u64); 25] = [
    ("mean", 0x4024_46ca_b709_9173),
    ("sd", 0x3fcb_b1d6_5f8d_3b1d),
    ("p99", 0x4024_7eeb_97eb_bad5),
    ("t", 0x4000_68f2_793e_88b7),
    ("df", 0x4014_343c_6ab8_1f79),
    ("p", 0x3fb8_4cd6_0740_f45e),
    ("d", 0x3fee_d3eb_f590_5e86),
    ("interval", 0x4023_bd3d_ee7d_6c0f),
    ("p_lower", 0x3f61_03ae_bc09_505b),
    ("p_upper", 0x3fcb_b822_290f_e560),
    ("mde", 0x3ff5_b61e_ae7a_530f),
    ("pooled se", 0x3fb5_f23f_2f21_0a1a),
    ("pooled p", 0x3f90_0747_9e33_f97f),
    ("pooled p_chi_square", 0x3f6e_7b6d_f276_7330),
    ("signed rank p", 0x3fb9_914f_7bba_0142),
    ("exact signed rank p", 0x3fb9_b3a4_2000_0000),
    ("rank sum p", 0x3fb0_baa5_1d5d_93de),
    ("g", 0x3fee_4c80_8d73_d149),
    ("corrected end", 0x3fa2_a834_eb65_560a),
    ("log10 p", 0xc095_e654_b765_e9e8),
    ("normal tail", 0x3d44_3ff6_67f4_6472),
    ("normal quantile", 0x3fff_5c03_31ee_ff82),
    ("t tail", 0x3edb_9bcf_1a70_fe9b),
    ("t quantile", 0x400e_7511_fbef_21ad),
    ("noncentral t", 0x3fc1_1a47_1756_c67a),
];
