//! A difference of two means in percent of one of them, the error of both counted.

use super::arithmetic::finite;
use super::compare::{Effect, welch_effect, welch_error};
use super::error::Error;
use super::moments::Moments;
use super::pairs::Pairs;
use super::pool::{Heterogeneity, pool};
use super::sample::Replicates;
use super::student_tests::{one_sample_t, paired_t};

const COMPUTING: &str = "a relative difference";

/// The mean of a minus the mean of b, in percent of the mean of b, with its error as either of two questions needs it.
///
/// The sizes of both are equal, unless they were pooled: see [`pool_relative`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RelativeEffect {
    /// With the error of the measured ratio: for intervals, for equivalence, for whether segments agree.
    pub change: Effect,
    /// With the error that it has where both means are equal: for the test that they are, and for what that would detect.
    pub null: Effect,
}

/// The relative difference of two independent samples, `100 (r - 1)` with the ratio `r = mean_a / mean_b`.
///
/// Its error is that of the ratio: `se = 100 sqrt(v_a + r^2 v_b) / |mean_b|` with `v = sd^2 / n`, the delta method (G. W.
/// Oehlert, "A note on the delta method", The American Statistician 46, 1992), with Welch's and Satterthwaite's degrees of
/// freedom of `v_a` and `r^2 v_b`. A baseline whose mean is taken as known leaves `r^2` out: at twice the time and the same
/// coefficient of variation an interval that says 95 % then holds the truth in 88 to 90 %.
///
/// Under the null hypothesis r is 1, and what is left is [`welch_effect`] in percent of the baseline: the test that there is
/// no difference is Welch's. Far from 0 its answer and the interval's may part, each by the error of what it asks.
///
/// Not the interval of Fieller, which [`super::tost_ratio_unpaired`] turns round: with Welch's degrees of freedom its ends
/// have no closed form, it may have none at all, and it has no standard error by which segments could be pooled. The two
/// agree but for terms of the size of `v_b / mean_b^2`, a thousandth for launches that scatter by a few percent.
///
/// # Errors
/// [`Error::ZeroBaseline`] for a mean of b of 0; those of [`welch_effect`].
pub fn relative_effect(a: impl Into<Moments>, b: impl Into<Moments>) -> Result<RelativeEffect, Error> {
    let (a, b) = (a.into(), b.into());
    let null = welch_effect(a, b)?;
    let ratio = ratio(a.mean(), b.mean())?;
    let (se, df) = welch_error((a.standard_error(), a.df()), (ratio.abs() * b.standard_error(), b.df()))?;
    in_percent(b.mean(), &null, se, df)
}

/// How far the relative difference lies beyond `change_pct`, with the error that it has where that is the true one: the test that
/// it is 0 ([`super::difference_test`]) is the test that the ratio is `1 + change_pct / 100`, Fieller's (as in
/// [`super::tost_ratio_unpaired`]), at any distance. The error of the measured ratio serves near it alone: next to a baseline that
/// scatters much it makes a ratio far below the one that is asked about look surer than it is.
///
/// # Errors
/// [`Error::OutOfRange`] unless `change_pct` is finite and at least -100; those of [`relative_effect`].
pub fn relative_effect_beyond(a: impl Into<Moments>, b: impl Into<Moments>, change_pct: f64) -> Result<Effect, Error> {
    let (a, b) = (a.into(), b.into());
    if !(change_pct >= -100.0 && change_pct.is_finite()) {
        let (parameter, range) = ("the change in percent", "finite and at least -100");
        let hint = "a change below -100 % would leave less than nothing";
        return Err(Error::OutOfRange { computing: COMPUTING, parameter, found: change_pct, range, hint });
    }
    ratio(a.mean(), b.mean())?;
    let beyond = welch_effect(a, b.times(1.0 + change_pct / 100.0)?)?;
    Ok(in_percent(b.mean(), &beyond, beyond.se(), beyond.df())?.null)
}

/// [`relative_effect`] of pairs: `se` is that of the mean of `a - r b`, over `|mean_b|`, with n - 1 degrees of freedom (W. G.
/// Cochran, "Sampling Techniques", 3rd ed. 1977, section 6.3), and under the null hypothesis that of [`paired_t`].
///
/// # Errors
/// [`Error::ZeroBaseline`] for a mean of b of 0; [`Error::ZeroSpread`] where `a - b` or `a - r b` is the same for every pair;
/// those of [`paired_t`].
pub fn relative_effect_paired(pairs: &Pairs) -> Result<RelativeEffect, Error> {
    let null = paired_t(pairs)?.effect;
    let ratio = ratio(pairs.a().mean(), pairs.b().mean())?;
    let both = pairs.a().values().iter().zip(pairs.b().values());
    let rest: Vec<f64> = both.map(|(a, b)| a - ratio * b).collect();
    let of_ratio = one_sample_t(&Replicates::new(rest)?, 0.0)?.effect;
    in_percent(pairs.b().mean(), &null, of_ratio.se(), of_ratio.df())
}

fn ratio(mean_a: f64, mean_b: f64) -> Result<f64, Error> {
    if mean_b == 0.0 {
        return Err(Error::ZeroBaseline { computing: COMPUTING });
    }
    finite(mean_a / mean_b, COMPUTING)
}

/// A difference with its error under the null hypothesis, and the error of the ratio, all still in the unit of the samples.
fn in_percent(mean_b: f64, null: &Effect, se: f64, df: f64) -> Result<RelativeEffect, Error> {
    let difference = finite(null.difference() * (100.0 / mean_b), COMPUTING)?;
    let scale = 100.0 / mean_b.abs();
    let change = Effect::new(difference, finite(se * scale, COMPUTING)?, df)?;
    let null = Effect::new(difference, finite(null.se() * scale, COMPUTING)?, null.df())?;
    Ok(RelativeEffect { change, null })
}

/// Effects of several segments as one, each question by its own errors ([`pool`]); and whether the changes agree, which is
/// asked of their ratios. A single effect comes back unchanged.
///
/// # Errors
/// Those of [`pool`].
pub fn pool_relative(effects: &[RelativeEffect]) -> Result<(RelativeEffect, Option<Heterogeneity>), Error> {
    if let [single] = effects {
        return Ok((*single, None));
    }
    let of = |which: fn(&RelativeEffect) -> Effect| pool(&effects.iter().map(which).collect::<Vec<_>>());
    let (change, null) = (of(|effect| effect.change)?, of(|effect| effect.null)?);
    Ok((RelativeEffect { change: change.effect, null: null.effect }, change.heterogeneity))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Alpha, Margin, RatioMargin, difference_test, tost, tost_ratio_unpaired};

    fn summary(n: usize, mean: f64, sd: f64) -> Moments {
        Moments::new(n, mean, sd).expect("a summary")
    }

    #[test]
    fn the_error_grows_with_the_ratio_and_the_test_of_no_difference_is_welchs() {
        // v_a = 16/4 = 4, v_b = 9/9 = 1, r = 2: se of the ratio sqrt(4 + 4)/50, df (4 + 4)^2 / (16/3 + 16/8).
        let (a, b) = (summary(4, 100.0, 4.0), summary(9, 50.0, 3.0));
        let RelativeEffect { change, null } = relative_effect(a, b).expect("an effect");
        assert_eq!((change.difference(), null.difference()), (100.0, 100.0));
        assert!((change.se() - 2.0 * 8.0_f64.sqrt()).abs() < 1e-14, "{change:?}");
        assert!((change.df() - 64.0 / (16.0 / 3.0 + 2.0)).abs() < 1e-12, "{change:?}");
        let welch = welch_effect(a, b).expect("an effect");
        let test = |effect: &Effect| difference_test(effect).expect("a test");
        assert!((test(&null).t / test(&welch).t - 1.0).abs() < 1e-15);
        assert_eq!(null.df(), welch.df());
    }

    #[test]
    fn equal_means_have_one_error() {
        let RelativeEffect { change, null } =
            relative_effect(summary(5, 8.0, 0.2), summary(7, 8.0, 0.3)).expect("an effect");
        assert_eq!(change, null);
    }

    #[test]
    fn a_baseline_below_zero_turns_the_sign_and_not_the_error() {
        let (a, b) = (summary(4, 100.0, 4.0), summary(9, 50.0, 3.0));
        let plain = relative_effect(a, b).expect("an effect");
        let turned = |m: Moments| summary(m.n(), -m.mean(), m.sd());
        assert_eq!(relative_effect(turned(a), turned(b)), Ok(plain));
        let opposite = relative_effect(a, turned(b)).expect("an effect").change;
        assert_eq!((opposite.difference(), opposite.se()), (-300.0, plain.change.se()));
        assert!(matches!(relative_effect(a, summary(3, 0.0, 1.0)), Err(Error::ZeroBaseline { .. })));
    }

    #[test]
    fn a_test_against_a_change_is_that_of_the_ratio_at_any_distance() {
        let (a, b) = (summary(6, 31.0, 1.2), summary(4, 100.0, 19.0));
        let p = |change_pct| {
            let beyond = relative_effect_beyond(a, b, change_pct).expect("an effect");
            difference_test(&beyond).expect("a test").p.get()
        };
        let ratio = tost_ratio_unpaired(
            a,
            b,
            RatioMargin::percent(40.0).expect("a margin"),
            Alpha::new(0.05).expect("a level"),
        );
        let ratio = ratio.expect("a test");
        // A ratio of 0.31 lies below both limits: the upper one-sided tests are halves of the two-sided ones.
        assert!((p(40.0) / (2.0 * ratio.p_upper.get()) - 1.0).abs() < 1e-12, "{ratio:?}");
        assert!((p(-40.0) / (2.0 * (1.0 - ratio.p_lower.get())) - 1.0).abs() < 1e-9, "{ratio:?}");
        let RelativeEffect { change, null } = relative_effect(a, b).expect("an effect");
        assert_eq!(relative_effect_beyond(a, b, 0.0), Ok(null));
        let by_measured = Effect::new(change.difference() + 40.0, change.se(), change.df()).expect("an effect");
        let by_measured = difference_test(&by_measured).expect("a test").p.get();
        assert!(by_measured < p(-40.0) / 2.0, "{by_measured} {}", p(-40.0));
        assert!(matches!(relative_effect_beyond(a, b, -101.0), Err(Error::OutOfRange { .. })));
        assert!(matches!(relative_effect_beyond(a, summary(3, 0.0, 1.0), 5.0), Err(Error::ZeroBaseline { .. })));
    }

    #[test]
    fn pairs_that_scale_together_have_the_error_of_what_does_not() {
        let b = [10.0, 12.0, 9.0, 11.0];
        let rest = [0.1, -0.1, 0.1, -0.1];
        let a: Vec<f64> = b.iter().zip(rest).map(|(b, rest)| 1.5 * b + rest).collect();
        let paired = relative_effect_paired(&Pairs::new(a.clone(), b).expect("pairs")).expect("an effect");
        assert!((paired.change.difference() - 50.0).abs() < 1e-12, "{paired:?}");
        // The rest has a standard deviation of 0.2/sqrt(3), its mean over 10.5 half of that.
        assert!((paired.change.se() - 10.0 / 3.0_f64.sqrt() / 10.5).abs() < 1e-12, "{paired:?}");
        assert_eq!(paired.change.df(), 3.0);
        // a - b is 5.1, 5.9, 4.6 and 5.4: squared deviations of 0.89 in all, so that se^2 = 0.89 / 3 / 4.
        assert!((paired.null.difference() - 50.0).abs() < 1e-12, "{paired:?}");
        assert!((paired.null.se() - 100.0 * (0.89_f64 / 12.0).sqrt() / 10.5).abs() < 1e-12, "{paired:?}");
        assert_eq!(paired.null.df(), 3.0);
        let turned = Pairs::new(a.iter().map(|a| -a).collect::<Vec<_>>(), b.map(|b| -b)).expect("pairs");
        let turned = relative_effect_paired(&turned).expect("an effect");
        assert!((turned.change.difference() - 50.0).abs() < 1e-12, "{turned:?}");
        assert!((turned.null.se() / paired.null.se() - 1.0).abs() < 1e-12, "{turned:?}");
        let none = Pairs::new([1.0, 2.0, 4.0], [-1.0, 0.0, 1.0]).expect("pairs");
        assert!(matches!(relative_effect_paired(&none), Err(Error::ZeroBaseline { .. })));
        let apart =
            relative_effect(&Replicates::new(a).expect("values"), &Replicates::new(b.to_vec()).expect("values"));
        assert!(apart.expect("an effect").change.se() > 10.0 * paired.change.se());
        let same = Pairs::new([10.0, 12.0], [20.0, 24.0]).expect("pairs");
        assert!(matches!(relative_effect_paired(&same), Err(Error::ZeroSpread { .. })), "their ratio has no error");
    }

    #[test]
    fn a_test_against_a_change_counts_from_there_in_percent_of_the_baseline() {
        // v_a = 16/4 = 4, v_b = 9/9 = 1. Against +50 % the baseline is 75 with 1.5^2 v_b: 25/50 beyond, se sqrt(4 + 2.25)/50.
        let (a, b) = (summary(4, 100.0, 4.0), summary(9, 50.0, 3.0));
        let beyond = relative_effect_beyond(a, b, 50.0).expect("an effect");
        assert!((beyond.difference() - 50.0).abs() < 1e-12, "{beyond:?}");
        assert!((beyond.se() - 5.0).abs() < 1e-12, "{beyond:?}");
        assert!((beyond.df() - 6.25 * 6.25 / (16.0 / 3.0 + 2.25 * 2.25 / 8.0)).abs() < 1e-12, "{beyond:?}");
    }

    #[test]
    fn what_a_change_cannot_be_is_refused_and_its_ends_are_none_of_it() {
        let (a, b) = (summary(6, 31.0, 1.2), summary(4, 100.0, 19.0));
        for change_pct in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, (-100.0_f64).next_down()] {
            let refused = relative_effect_beyond(a, b, change_pct);
            // By this function itself, and not by what it hands the number on to.
            let is_told = matches!(refused, Err(Error::OutOfRange { parameter: "the change in percent", .. }));
            assert!(is_told, "{change_pct}: {refused:?}");
        }
        assert!(relative_effect_beyond(a, b, (-100.0_f64).next_up()).is_ok());
        assert!(!matches!(relative_effect_beyond(a, b, -100.0), Err(Error::OutOfRange { .. })));
    }

    #[test]
    fn a_ratio_beyond_the_doubles_is_a_typed_reason() {
        let (huge, tiny) = (summary(4, 1e300, 1e298), summary(4, 1e-300, 1e-302));
        for found in [relative_effect(huge, tiny).map(|_| ()), relative_effect_beyond(huge, tiny, 5.0).map(|_| ())] {
            assert!(matches!(found, Err(Error::Overflow { .. })), "{found:?}");
        }
        // The ratio is a double, and a hundred times the difference is none.
        let near = relative_effect(summary(4, 1.7e308, 1e306), summary(4, 1.0, 0.1));
        assert!(matches!(near, Err(Error::Overflow { .. })), "{near:?}");
    }

    #[test]
    fn segments_are_pooled_for_each_question_by_its_own_errors() {
        // At r = 2 the second baseline's scatter counts four times in the ratio's error, and so its weight is smaller there.
        let first = relative_effect(summary(5, 20.0, 0.4), summary(5, 10.0, 0.1)).expect("an effect");
        let second = relative_effect(summary(5, 20.0, 0.1), summary(5, 10.0, 0.4)).expect("an effect");
        let (both, agreement) = pool_relative(&[first, second]).expect("effects");
        assert_eq!(both.change, pool(&[first.change, second.change]).expect("effects").effect);
        assert_eq!(both.null, pool(&[first.null, second.null]).expect("effects").effect);
        assert!(both.change.se() > both.null.se(), "{both:?}");
        assert_eq!(agreement, pool(&[first.change, second.change]).expect("effects").heterogeneity);
        assert_eq!(pool_relative(&[first]), Ok((first, None)));
        assert!(matches!(pool_relative(&[]), Err(Error::TooFew { found: 0, .. })));
    }

    #[test]
    fn equivalence_near_the_margin_is_that_of_fieller_but_for_the_point_where_the_error_is_taken() {
        let (a, b) = (summary(6, 101.0, 1.2), summary(6, 100.0, 1.2));
        let alpha = Alpha::new(0.05).expect("a level");
        let change = relative_effect(a, b).expect("an effect").change;
        let ours = tost(&change, Margin::absolute(3.0).expect("a margin"), alpha).expect("a test").p.get();
        let margin = RatioMargin::percent(3.0).expect("a margin");
        let exact = tost_ratio_unpaired(a, b, margin, alpha).expect("a test").p.get();
        assert!((ours / exact - 1.0).abs() < 0.08, "{ours} {exact}");
    }
}
