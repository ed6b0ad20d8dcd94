//! Summaries, changes, effect sizes and tests.
//!
//! Formulas take numbers of samples from tables, where they need not be whole once a cell is moved by half its last
//! digit; so what is a line of arithmetic is computed here, and tails, ranks, quantiles and searches by `stats`.

use starlark::environment::GlobalsBuilder;
use starlark::eval::Evaluator;
use starlark::starlark_module;
use starlark::values::Value;

use super::unpack::{Number, a_number, defined, numbers, truncated, whole};
use crate::audit::Error;
use crate::stats;
use crate::stats::distribution::{Hypergeometric, f_sf, normal_quantile, normal_sf, student_t_sf};
use crate::stats::{Alpha, PValue, Points, Power, QuantileMethod, RankNull, Replicates, Sample, ZeroMethod};

pub(super) fn pooled_sd_of(s1: f64, s2: f64, n1: f64, n2: f64) -> Result<f64, Error> {
    let variance = if n1 == n2 {
        (s1 * s1 + s2 * s2) / 2.0
    } else {
        ((n1 - 1.0) * s1 * s1 + (n2 - 1.0) * s2 * s2) / (n1 + n2 - 2.0)
    };
    defined(variance.sqrt(), "a pooled standard deviation")
}

fn welch_se_of(s1: f64, s2: f64, n1: f64, n2: f64) -> Result<f64, Error> {
    defined((s1 * s1 / n1 + s2 * s2 / n2).sqrt(), "Welch's standard error")
}

fn welch_df_of(s1: f64, s2: f64, n1: f64, n2: f64) -> Result<f64, Error> {
    const WHAT: &str = "Welch's degrees of freedom";
    let (a, b) = (s1 * s1 / n1, s2 * s2 / n2);
    // Each on its own: what is infinite in the denominator would leave a 0 that looks like a result.
    let of_a = defined(a * a / (n1 - 1.0), WHAT)?;
    let of_b = defined(b * b / (n2 - 1.0), WHAT)?;
    defined((a + b) * (a + b) / (of_a + of_b), WHAT)
}

/// A p-value as formulas have all of them: the double nearest to it, which is 0.0 below the smallest one.
fn double(p: PValue) -> f64 {
    match p.decimal_log() {
        Some(_) if p.get() >= f64::MIN_POSITIVE => p.get(),
        Some(log10) => libm::exp10(log10),
        None => 0.0,
    }
}

/// Two-sided p-value of a t statistic.
fn two_sided(t: f64, df: f64) -> Result<f64, Error> {
    Ok(2.0 * student_t_sf(defined(t, "t")?.abs(), df)?)
}

pub(super) fn se_of_interval(lo: f64, hi: f64) -> Result<f64, Error> {
    Ok((hi - lo) / (2.0 * normal_quantile(0.975)?))
}

/// p against `delta <= -eps`, p against `delta >= eps`.
pub(super) fn tost_of(delta: f64, se: f64, df: f64, eps: f64) -> Result<(f64, f64), Error> {
    let above = student_t_sf(defined((delta + eps) / se, "TOST")?, df)?;
    // The lower tail of t is the upper tail of -t.
    Ok((above, student_t_sf(-defined((delta - eps) / se, "TOST")?, df)?))
}

/// The most values that one function ranks.
const MAX_RANKED: u64 = 1 << 20;

/// A number of values to be ranked: beyond the limit there is no answer, rather than that of fewer values.
fn ranked(value: f64, name: &str) -> Result<usize, Error> {
    let count = truncated(value, 0, name)?;
    if count > MAX_RANKED {
        return Err(Error::Missing(format!("{name} is {count}, and no more than {MAX_RANKED} values are ranked")));
    }
    Ok(count as usize)
}

fn sample<'v>(values: Value<'v>, eval: &Evaluator<'v, '_, '_>) -> starlark::Result<Sample> {
    Ok(Sample::new(numbers(values, eval.heap())?).map_err(Error::from)?)
}

fn replicates<'v>(values: Value<'v>, eval: &Evaluator<'v, '_, '_>) -> starlark::Result<Replicates> {
    Ok(Replicates::new(numbers(values, eval.heap())?).map_err(Error::from)?)
}

fn points<'v>(x: Value<'v>, y: Value<'v>, eval: &Evaluator<'v, '_, '_>) -> starlark::Result<Points> {
    Ok(Points::new(numbers(x, eval.heap())?, numbers(y, eval.heap())?).map_err(Error::from)?)
}

#[starlark_module]
pub(super) fn register(builder: &mut GlobalsBuilder) {
    fn mean<'v>(x: Value<'v>, eval: &mut Evaluator<'v, '_, '_>) -> starlark::Result<f64> {
        Ok(sample(x, eval)?.mean())
    }

    fn median<'v>(x: Value<'v>, eval: &mut Evaluator<'v, '_, '_>) -> starlark::Result<f64> {
        Ok(stats::quantile(&sample(x, eval)?, stats::Percent::new(50.0).map_err(Error::from)?, QuantileMethod::Linear))
    }

    fn std<'v>(x: Value<'v>, eval: &mut Evaluator<'v, '_, '_>) -> starlark::Result<f64> {
        Ok(replicates(x, eval)?.sd())
    }

    fn count<'v>(it: Value<'v>, eval: &mut Evaluator<'v, '_, '_>) -> starlark::Result<u64> {
        Ok(it.iterate(eval.heap())?.filter(|value| value.to_bool()).count() as u64)
    }

    fn chg(a: Number, b: Number) -> starlark::Result<f64> {
        Ok(defined(100.0 * (b.0 - a.0) / a.0, "chg()")?)
    }

    fn gain(e: Number, c: Number) -> starlark::Result<f64> {
        Ok(defined(100.0 * (e.0 - c.0) / e.0, "gain()")?)
    }

    fn wmean<'v>(v: Value<'v>, w: Value<'v>, eval: &mut Evaluator<'v, '_, '_>) -> starlark::Result<f64> {
        let (values, weights) = (numbers(v, eval.heap())?, numbers(w, eval.heap())?);
        let weighted: f64 = values.iter().zip(&weights).map(|(value, weight)| value * weight).sum();
        Ok(defined(weighted / weights.iter().sum::<f64>(), "wmean()")?)
    }

    fn pooled_sd(
        s1: Number,
        s2: Number,
        #[starlark(default = Number(1.0))] n1: Number,
        #[starlark(default = Number(1.0))] n2: Number,
    ) -> starlark::Result<f64> {
        Ok(pooled_sd_of(s1.0, s2.0, n1.0, n2.0)?)
    }

    fn welch_se(s1: Number, s2: Number, n1: Number, n2: Number) -> starlark::Result<f64> {
        Ok(welch_se_of(s1.0, s2.0, n1.0, n2.0)?)
    }

    fn welch_df(s1: Number, s2: Number, n1: Number, n2: Number) -> starlark::Result<f64> {
        Ok(welch_df_of(s1.0, s2.0, n1.0, n2.0)?)
    }

    fn welch_t(m1: Number, s1: Number, n1: Number, m2: Number, s2: Number, n2: Number) -> starlark::Result<f64> {
        Ok(defined((m1.0 - m2.0) / welch_se_of(s1.0, s2.0, n1.0, n2.0)?, "welch_t()")?)
    }

    fn welch_p(m1: Number, s1: Number, n1: Number, m2: Number, s2: Number, n2: Number) -> starlark::Result<f64> {
        let t = (m1.0 - m2.0) / welch_se_of(s1.0, s2.0, n1.0, n2.0)?;
        Ok(two_sided(t, welch_df_of(s1.0, s2.0, n1.0, n2.0)?)?)
    }

    fn cohen_d(m1: Number, s1: Number, n1: Number, m2: Number, s2: Number, n2: Number) -> starlark::Result<f64> {
        Ok(defined((m1.0 - m2.0) / pooled_sd_of(s1.0, s2.0, n1.0, n2.0)?, "cohen_d()")?)
    }

    fn student_p(m1: Number, s1: Number, m2: Number, s2: Number, n: Number) -> starlark::Result<f64> {
        let se = ((s1.0 * s1.0 + s2.0 * s2.0) / n.0).sqrt();
        Ok(two_sided((m1.0 - m2.0) / se, 2.0 * n.0 - 2.0)?)
    }

    fn p_from_t(t: Number, df: Number) -> starlark::Result<f64> {
        Ok(two_sided(t.0, df.0)?)
    }

    fn p_from_d(d: Number, n: Number) -> starlark::Result<f64> {
        Ok(two_sided(d.0 * (n.0 / 2.0).sqrt(), 2.0 * n.0 - 2.0)?)
    }

    fn sd_from_ci(lo: Number, hi: Number, n: Number) -> starlark::Result<f64> {
        Ok(defined(se_of_interval(lo.0, hi.0)? * n.0.sqrt(), "sd_from_ci()")?)
    }

    fn se_from_ci(lo: Number, hi: Number) -> starlark::Result<f64> {
        Ok(se_of_interval(lo.0, hi.0)?)
    }

    fn tost(delta: Number, se: Number, df: Number, eps: Number) -> starlark::Result<(f64, f64)> {
        Ok(tost_of(delta.0, se.0, df.0, eps.0)?)
    }

    fn tsf(t: Number, df: Number) -> starlark::Result<f64> {
        Ok(student_t_sf(t.0, df.0).map_err(Error::from)?)
    }

    fn fsf(f: Number, a: Number, b: Number) -> starlark::Result<f64> {
        Ok(f_sf(f.0, a.0, b.0).map_err(Error::from)?)
    }

    fn wilcoxon_w0(n_nonzero: Number, n_zero: Number, zero_method: &str) -> starlark::Result<f64> {
        let (zeros, others) = (ranked(n_zero.0, "n_zero")?, ranked(n_nonzero.0, "n_nonzero")?);
        let zero_method = match zero_method {
            "wilcox" => ZeroMethod::Wilcox,
            "pratt" => ZeroMethod::Pratt,
            "zsplit" => ZeroMethod::Zsplit,
            other => return Err(Error::Misuse(format!("zero_method {other:?}: it is wilcox, pratt or zsplit")).into()),
        };
        let mut differences = vec![0.0; zeros];
        differences.extend((0..others).map(|index| 1.0 + 0.001 * index as f64));
        let sample = Sample::new(differences).map_err(Error::from)?;
        let tested = stats::signed_rank(&sample, zero_method, RankNull::Normal { continuity: false });
        Ok(double(tested.map_err(Error::from)?.p))
    }

    fn mde_d(
        n: Number,
        #[starlark(default = Number(0.05))] alpha: Number,
        #[starlark(default = Number(0.8))] power: Number,
    ) -> starlark::Result<f64> {
        let n = truncated(n.0, 2, "n")?;
        let (alpha, power) = (Alpha::new(alpha.0).map_err(Error::from)?, Power::new(power.0).map_err(Error::from)?);
        Ok(stats::mde(n, n, alpha, power).map_err(Error::from)?.d)
    }

    fn holm<'v>(
        ps: Value<'v>,
        #[starlark(default = Number(0.05))] alpha: Number,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Vec<bool>> {
        let family: Result<Vec<PValue>, _> = numbers(ps, eval.heap())?.into_iter().map(PValue::new).collect();
        let decided = stats::holm(&family.map_err(Error::from)?, Alpha::new(alpha.0).map_err(Error::from)?);
        Ok(decided.iter().map(|decision| decision.rejected).collect())
    }

    fn pearson<'v>(x: Value<'v>, y: Value<'v>, eval: &mut Evaluator<'v, '_, '_>) -> starlark::Result<f64> {
        Ok(stats::pearson(&points(x, y, eval)?).map_err(Error::from)?.r)
    }

    fn spearman<'v>(x: Value<'v>, y: Value<'v>, eval: &mut Evaluator<'v, '_, '_>) -> starlark::Result<f64> {
        Ok(stats::spearman(&points(x, y, eval)?).map_err(Error::from)?.r)
    }

    fn r2_two(r1: Number, r2: Number, r12: Number) -> starlark::Result<f64> {
        let explained = r1.0 * r1.0 + r2.0 * r2.0 - 2.0 * r1.0 * r2.0 * r12.0;
        Ok(defined(explained / (1.0 - r12.0 * r12.0), "r2_two()")?)
    }

    fn tukey_outliers<'v>(x: Value<'v>, eval: &mut Evaluator<'v, '_, '_>) -> starlark::Result<Vec<Value<'v>>> {
        let fences = stats::tukey_outliers(&sample(x, eval)?, QuantileMethod::Linear).map_err(Error::from)?;
        let values = x.iterate(eval.heap())?.enumerate();
        Ok(values.filter(|(index, _)| fences.outliers.contains(index)).map(|(_, value)| value).collect())
    }

    #[allow(non_snake_case)]
    fn hyper_ge(k: Number, N: Number, K: Number, n: Number) -> starlark::Result<f64> {
        let (population, marked) = (whole(N.0, 0, "N")?, whole(K.0, 0, "K")?);
        let drawn = Hypergeometric::new(population, marked, whole(n.0, 0, "n")?).map_err(Error::from)?;
        // At least k of a whole number is at least k rounded up; below 0 every draw is.
        Ok(drawn.at_least(a_number(k.0, "hyper_ge()")?.ceil().max(0.0) as u64))
    }

    fn t1_p<'v>(x: Value<'v>, eval: &mut Evaluator<'v, '_, '_>) -> starlark::Result<f64> {
        Ok(double(stats::one_sample_t(&replicates(x, eval)?, 0.0).map_err(Error::from)?.test.p))
    }

    fn t1_ci_lo<'v>(x: Value<'v>, eval: &mut Evaluator<'v, '_, '_>) -> starlark::Result<f64> {
        let values = replicates(x, eval)?;
        let quantile = stats::distribution::student_t_quantile(0.975, values.df()).map_err(Error::from)?;
        Ok(values.mean() - quantile * values.standard_error())
    }

    fn two_prop_p(k1: Number, n1: Number, k2: Number, n2: Number) -> starlark::Result<f64> {
        let p = (k1.0 + k2.0) / (n1.0 + n2.0);
        let z = (k1.0 / n1.0 - k2.0 / n2.0) / (p * (1.0 - p) * (1.0 / n1.0 + 1.0 / n2.0)).sqrt();
        Ok(2.0 * normal_sf(defined(z.abs(), "two_prop_p()")?).map_err(Error::from)?)
    }

    fn frac_near_multiple<'v>(
        x: Value<'v>,
        q: Number,
        tol: Number,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<f64> {
        const WHAT: &str = "frac_near_multiple()";
        let (values, tol) = (numbers(x, eval.heap())?, a_number(tol.0, WHAT)?);
        let mut near = 0_u64;
        for value in &values {
            let multiple = defined(value / q.0, WHAT)?;
            near += u64::from((multiple - multiple.round_ties_even()).abs() * q.0 <= tol);
        }
        Ok(defined(near as f64 / values.len() as f64, WHAT)?)
    }
}
