"""Reference values of the distribution functions and of what stands directly on them: intervals, Welch's test, Cohen's
d, equivalence, Holm's adjustment, minimal detectable effects, power and pooling.

Probabilities are mpmath's at 60 digits, the noncentral t's at 420, rounded once. Incomplete beta functions are
their continued fraction; the noncentral t is its series in them (R. V. Lenth, "Algorithm AS 243", Applied
Statistics 38, 1989), where Lockstep integrates; quantiles and minimal detectable effects are roots of these. What is
rational is computed on fractions. scipy, numpy and statsmodels must agree before anything is written, except where
they are recorded: scipy, in noncentral_t, is sf and cdf of scipy.stats.nct where either is off by more than 1e-9;
statsmodels, in mde, is the answer of TTestIndPower().solve_power, whose root finder may stop early, and
statsmodels_power its own power there; in power it is TTestIndPower().power. null is no number.
"""

import functools
import math
from fractions import Fraction

import mpmath
import numpy as np
import scipy.special
import scipy.stats as st
from mpmath import mp, mpf
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.oneway import anova_generic
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.weightstats import ttost_ind

from exact import agrees, fractions, mean, normal_sf, real, write

DIGITS = 60
# A tail of 1e-319 is the difference of numbers near 1.
DIGITS_OF_NONCENTRAL = 420
mp.dps = DIGITS
HALF = mpf(1) / 2


def beta_fraction(a, b, x, y):
    """I_x(a, b) for x below about its mean, y = 1 - x: Abramowitz and Stegun 26.5.8 by Lentz's method."""
    ln_beta = mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)
    front = mpmath.exp(a * mpmath.log(x) + b * mpmath.log(y) - ln_beta) / a
    value, c, d, m, smallest = mpf(1), mpf(1), mpf(0), 0, mpf(10) ** (2 - mp.dps)
    while True:
        for term in (-(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
                     (m + 1) * (b - m - 1) * x / ((a + 2 * m + 1) * (a + 2 * m + 2))):
            d = 1 / (1 + term * d)
            c = 1 + term / c
            value *= c * d
        if abs(c * d - 1) < smallest:
            return front / value
        m += 1


def beta_cdf(a, b, x, y):
    """I_x(a, b), with y = 1 - x given apart so that neither loses digits."""
    if x * (a + b + 2) <= a + 1:
        return beta_fraction(a, b, x, y)
    return 1 - beta_fraction(b, a, y, x)


def t_sf(t, df):
    t, df = mpf(t), mpf(df)
    if t == 0:
        return HALF
    tail = beta_cdf(df / 2, HALF, df / (df + t * t), t * t / (df + t * t)) / 2
    return tail if t > 0 else 1 - tail


def root(start, value_at, slope_at):
    """Newton's root from a library's, until the digits end."""
    at = mpf(start)
    for _ in range(12):
        step = value_at(at) / slope_at(at)
        at -= step
        if abs(step) < abs(at) * mpf(10) ** (10 - DIGITS):
            return at
    raise ArithmeticError(f"no root near {start}")


def t_quantile(p, df):
    p, df = mpf(p), mpf(df)
    ln_front = mpmath.loggamma((df + 1) / 2) - mpmath.loggamma(df / 2) - mpmath.log(df * mp.pi) / 2
    density = lambda t: mpmath.exp(ln_front - (df + 1) / 2 * mpmath.log1p(t * t / df))
    # By the tail that is the smaller, so that a p near 0 keeps its digits.
    sign, tail = (-1, p) if p < HALF else (1, 1 - p)
    start = abs(st.t.ppf(float(p), float(df)))
    return sign * root(start, lambda t: tail - t_sf(t, df), density)


def f_sf(f, df, df_error):
    f, df, df_error = mpf(f), mpf(df), mpf(df_error)
    whole = df_error + df * f
    return beta_cdf(df_error / 2, df / 2, df_error / whole, df * f / whole)


def chi_square_sf(x, df):
    return mpmath.gammainc(mpf(df) / 2, mpf(x) / 2, mp.inf, regularized=True)


@functools.cache
def first_betas(t, df, digits):
    """I_x(1/2, df/2) and I_x(1, df/2) for x = t^2 / (t^2 + df), with x and 1 - x."""
    x, y = t * t / (t * t + df), df / (t * t + df)
    return beta_cdf(HALF, df / 2, x, y), 1 - y ** (df / 2), x, y


def noncentral_t_cdf(t, df, shift):
    """P(T <= t) at the precision set, which is absolute."""
    if t < 0:
        return 1 - noncentral_t_cdf(-t, df, -shift)
    b, rate = df / 2, shift * shift / 2
    odd, even, x, y = first_betas(t, df, mp.dps)
    # What I_x(a, b) loses when a grows by 1: x^a y^b / (a B(a, b)).
    odd_loss = mpmath.exp(HALF * mpmath.log(x) + b * mpmath.log(y) - mpmath.loggamma(b) - mpmath.loggamma(1 + HALF)
                          + mpmath.loggamma(b + HALF))
    even_loss = x * y**b * b
    odd_weight, even_weight = mpmath.exp(-rate), mpmath.exp(-rate) * shift * mpmath.sqrt(2 / mp.pi)
    total, j, smallest = mpf(0), 0, mpf(10) ** (-mp.dps)
    while True:
        total += odd_weight * odd + even_weight * even
        if j > rate and odd_weight * odd + abs(even_weight) * even < smallest:
            return normal_sf(shift) + total / 2
        odd, even = odd - odd_loss, even - even_loss
        odd_loss *= x * (j + HALF + b) / (j + HALF + 1)
        even_loss *= x * (j + 1 + b) / (j + 2)
        j += 1
        odd_weight *= rate / j
        even_weight *= rate / (j + HALF)


def noncentral_t_tails(t, df, shift):
    """P(T > t) and P(T <= t)."""
    with mp.workdps(DIGITS_OF_NONCENTRAL):
        below = noncentral_t_cdf(mpf(t), mpf(df), mpf(shift))
        return 1 - below, below


def student_t_tails():
    for df in (1, 1.3, 2, 2.5, 3, 4, 5.7, 9, 14.2, 29, 99.5, 358, 598, 9998.25, 1e5, 1e6, 1e7, 3e8):
        for t in (0.001, 0.1, 0.7, 1.3, 2.0, 2.9, 4.5, 8.0, 25.0):
            exact = t_sf(t, df)
            agrees(exact, st.t.sf(t, df), 1e-10)
            yield {"t": t, "df": df, "exact": exact}


def student_t_quantiles():
    for df in (1, 1.3, 2, 3, 4, 7.7, 30, 118, 598, 1e4, 1e6):
        for p in (1e-6, 0.005, 0.025, 0.05, 0.3, 0.9, 0.95, 0.975, 0.995):
            t = t_quantile(p, df)
            agrees(t, st.t.ppf(p, df), 1e-11)
            yield {"p": p, "df": df, "t": t}


def normal_tails():
    for x in (-6.0, -2.5, -1.0, 0.0, 0.3, 1.0, 1.96, 3.0, 5.5, 8.0, 15.0, 30.0, 37.0):
        agrees(normal_sf(x), st.norm.sf(x), 1e-12)
        yield {"x": x, "exact": normal_sf(x)}


def normal_quantiles():
    density = lambda x: mpmath.exp(-x * x / 2) / mpmath.sqrt(2 * mp.pi)
    for p in (1e-300, 1e-50, 1e-10, 0.0001, 0.01, 0.025, 0.05, 0.0751, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.975, 0.99,
              0.9999, 0.9999999999):
        x = root(st.norm.ppf(p), lambda x: normal_sf(-x) - mpf(p), density)
        agrees(x, st.norm.ppf(p), 1e-13)
        yield {"p": p, "x": x}


def chi_square_tails():
    for df in (1, 2, 3, 5, 9, 40, 1000):
        for x in (1e-6, 0.2, 1.0, 3.84, 9.0, 40.0, 200.0, 1100.0):
            agrees(chi_square_sf(x, df), st.chi2.sf(x, df), 1e-11)
            yield {"x": x, "df": df, "exact": chi_square_sf(x, df)}


def incomplete_betas():
    for a in (0.3, 0.5, 1.0, 2.5, 12.0, 300.0):
        for b in (0.3, 0.5, 1.0, 4.0, 40.0, 700.0):
            for x in (1e-8, 0.01, 0.25, 0.5, 0.75, 0.99):
                exact = beta_cdf(mpf(a), mpf(b), mpf(x), 1 - mpf(x))
                agrees(exact, scipy.special.betainc(a, b, x), 1e-10)
                yield {"a": a, "b": b, "x": x, "exact": exact}


def f_tails():
    for df in (1, 2, 5, 24):
        for df_error in (1.0, 2.7, 6.0, 33.3, 400.0, 1e6):
            for f in (0.01, 0.7, 1.0, 3.5, 20.0, 300.0):
                exact = f_sf(f, df, df_error)
                agrees(exact, st.f.sf(f, df, df_error), 1e-9)
                yield {"f": f, "df": df, "df_error": df_error, "exact": exact}


def noncentral_t_cases():
    for df in (1.0, 2.0, 3.0, 4.0, 7.3, 18.0, 118.0, 598.0, 9998.0):
        for ncp in (-1.5, 0.5, 2.0, 3.5, 9.0, 40.0):
            for t in (-2.5, 0.8, 1.98, 4.3, 12.7, 38.0):
                tails = noncentral_t_tails(t, df, ncp)
                library = [number(f(t, df, ncp)) for f in (st.nct.sf, st.nct.cdf)]
                case = {"t": t, "df": df, "ncp": ncp, "sf": tails[0], "cdf": tails[1]}
                # Below 1e-290 nobody has digits to compare.
                off = any(is_off(theirs, ours, 1e-290) for ours, theirs in zip(tails, library))
                yield case | ({"scipy": library} if off else {})


def number(value):
    """A library's number, null for what is none."""
    return float(value) if np.ndim(value) == 0 and math.isfinite(value) else None


def is_off(theirs, ours, scale=0.0):
    """Whether a library misses the 1e-9 asked for."""
    return theirs is None or abs(theirs - ours) > mpf("1e-9") * max(abs(ours), scale)


def moments(values):
    """(n, mean, variance) as fractions."""
    exact = fractions(values)
    middle = mean(exact)
    return len(exact), middle, sum((value - middle) ** 2 for value in exact) / (len(exact) - 1)


def around(middle, se, df, level):
    reach = t_quantile((1 + mpf(level)) / 2, df) * se
    return [middle - reach, middle + reach]


def percentile_of(values, rank):
    """Linear between order statistics, numpy's default."""
    ordered = sorted(fractions(values))
    at = Fraction(rank, 100) * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])


def agree_all(ours, theirs, tolerance):
    for one, other in zip(ours, theirs, strict=True):
        agrees(one, other, tolerance)


def lognormal(generator, median, sigma, n):
    return (median * np.exp(sigma * generator.normal(size=n))).tolist()


def samples(generator):
    ranks = [0, 1, 5, 25, 50, 75, 90, 95, 99, 100]
    for shape in ((10, 0.05, 3), (0.37, 0.05, 4), (1234.5, 0.3, 5), (10, 0.05, 10), (2, 0.8, 61), (15, 0.02, 300)):
        values = lognormal(generator, *shape)
        n, middle, variance = moments(values)
        middle, sd = real(middle), mpmath.sqrt(real(variance))
        percentiles = [percentile_of(values, rank) for rank in ranks]
        agree_all(percentiles, np.percentile(values, ranks), 1e-14)
        agree_all([sd, sd / middle], [np.std(values, ddof=1), st.variation(values, ddof=1)], 1e-12)
        case = {"values": values, "mean": middle, "sd": sd, "cv": sd / middle, "ranks": ranks,
                "percentiles": percentiles}
        for level in ("0.95", "0.90"):
            interval = around(middle, sd / mpmath.sqrt(n), n - 1, level)
            agree_all(interval, st.t.interval(float(level), n - 1, np.mean(values), st.sem(values)), 1e-11)
            case[f"interval_{level[2:]}"] = interval
        yield case


def equivalence(a, b, middle, difference, se, df):
    margin = 3 * middle / 100
    lower, upper = t_sf((difference + margin) / se, df), t_sf((margin - difference) / se, df)
    theirs = ttost_ind(np.array(a), np.array(b), -float(margin), float(margin), usevar="unequal")
    agree_all([max(lower, upper), lower, upper], [theirs[0], theirs[1][1], theirs[2][1]], 1e-7)
    return {"margin_percent_of_a": 3.0, "margin": margin, "p": max(lower, upper), "p_lower": lower, "p_upper": upper,
            "interval_90": around(difference, se, df, "0.90")}


def pairs(generator):
    for first, second in (((10, 0.05, 3), (10, 0.05, 3)), ((10, 0.05, 3), (10, 0.3, 5)),
                          ((10, 0.001, 4), (10, 0.001, 4)), ((12, 0.05, 10), (10, 0.02, 7)),
                          ((15, 0.02, 60), (14.9, 0.03, 60)), ((3, 0.4, 150), (2, 0.1, 20)),
                          ((1, 1e-6, 3), (5, 1e-6, 9))):
        a, b = lognormal(generator, *first), lognormal(generator, *second)
        (n_a, mean_a, var_a), (n_b, mean_b, var_b) = moments(a), moments(b)
        df = (var_a / n_a + var_b / n_b) ** 2 / ((var_a / n_a) ** 2 / (n_a - 1) + (var_b / n_b) ** 2 / (n_b - 1))
        pooled_sd = mpmath.sqrt(real(((n_a - 1) * var_a + (n_b - 1) * var_b) / (n_a + n_b - 2)))
        difference, se, df = real(mean_a - mean_b), mpmath.sqrt(real(var_a / n_a + var_b / n_b)), real(df)
        t = difference / se
        p = 2 * t_sf(abs(t), df)
        theirs = st.ttest_ind(a, b, equal_var=False)
        agree_all([t, df, p], [theirs.statistic, theirs.df, theirs.pvalue], 1e-8)
        yield {"a": a, "b": b, "t": t, "df": df, "p": p, "difference": difference, "se": se,
               "interval_95": around(difference, se, df, "0.95"), "d": difference / pooled_sd, "pooled_sd": pooled_sd,
               "tost": equivalence(a, b, real(mean_a), difference, se, df)}


def holm(generator):
    for p in ([0.01, 0.04, 0.03, 0.005], [0.05], [0.2, 0.2, 0.2], [0.0, 1.0, 0.5, 0.012, 0.0125, 0.0126],
              (generator.random(12) ** 3).tolist(), (generator.random(96) ** 6).tolist()):
        exact, adjusted, largest = fractions(p), [None] * len(p), Fraction(0)
        for done, at in enumerate(sorted(range(len(p)), key=exact.__getitem__)):
            largest = max(largest, min(exact[at] * (len(p) - done), 1))
            adjusted[at] = largest
        rejected = [value <= Fraction(0.05) for value in adjusted]
        theirs = multipletests(p, 0.05, "holm")
        agree_all(adjusted, theirs[1], 1e-14)
        assert rejected == theirs[0].tolist()
        yield {"p": p, "adjusted": adjusted, "rejected": rejected}


def power_of(n_a, n_b, d, t):
    """Of the two-sided test with the critical value t, both rejection regions counted."""
    df, shift = mpf(n_a + n_b - 2), mpf(d) / mpmath.sqrt(mpf(1) / n_a + mpf(1) / n_b)
    return 1 - noncentral_t_cdf(t, df, shift) + noncentral_t_cdf(-t, df, shift)


def detectable(n_a, n_b, alpha, power):
    """The d with this power: the secant method from the normal approximation."""
    df = n_a + n_b - 2
    t = t_quantile(1 - mpf(alpha) / 2, df)
    near = (t + st.norm.ppf(power) * mpmath.sqrt(1 + t * t / (2 * df))) * mpmath.sqrt(mpf(1) / n_a + mpf(1) / n_b)
    d = mpmath.findroot(lambda d: power_of(n_a, n_b, d, t) - mpf(power), (near, near * 1.001), tol=mpf(10) ** -60)
    assert abs(power_of(n_a, n_b, d, t) - mpf(power)) < mpf(10) ** -25
    return d


def mdes():
    sizes = ((2, 2), (3, 3), (4, 4), (5, 5), (10, 10), (60, 60), (300, 300), (5000, 5000), (3, 10), (12, 4))
    asked = [(n_a, n_b, alpha, power) for n_a, n_b in sizes
             for alpha, power in ((0.05, 0.8), (0.01, 0.9), (0.05 / 96, 0.8))]
    # Where the root finder stops far from the power asked for.
    asked += [(2, 2, 0.01, 0.98), (3, 3, 1e-6, 0.8), (5, 5, 1e-6, 0.8), (3, 10, 1e-6, 0.8), (10, 10, 1e-6, 0.8),
              (60, 60, 1e-6, 0.8), (60, 60, 1e-6, 0.9999), (300, 300, 0.05 / 96, 0.995), (4, 4, 0.05 / 96, 0.95)]
    for n_a, n_b, alpha, power in asked:
        exact = detectable(n_a, n_b, alpha, power)
        library = float(TTestIndPower().solve_power(None, n_a, alpha, power, ratio=n_b / n_a))
        library_power = float(TTestIndPower().power(library, n_a, alpha, n_b / n_a))
        if abs(library_power - power) < 1e-6:
            agrees(exact, library, 1e-5)
        yield {"n_a": n_a, "n_b": n_b, "alpha": alpha, "power": power, "statsmodels": library,
               "statsmodels_power": library_power, "exact": exact}


def powers():
    """Where statsmodels answers no number, among ordinary designs, and some where it answers."""
    for n_a, n_b, d, alpha in ((2, 2, 20.0, 0.05), (2, 2, 20.0, 0.01), (2, 2, 20.0, 0.05 / 96), (3, 3, 20.0, 1e-6),
                               (5, 5, 5.0, 1e-6), (5, 5, 10.0, 1e-6), (3, 10, 5.0, 0.01), (3, 10, 5.0, 1e-6),
                               (10, 10, 2.0, 1e-6), (10, 10, 5.0, 0.05 / 96), (10, 10, 5.0, 1e-6), (60, 60, 2.0, 1e-6),
                               (300, 300, 0.5, 0.05 / 96), (5, 5, 1.0, 0.05), (60, 45, 0.5, 0.01)):
        exact = power_of(n_a, n_b, d, t_quantile(1 - mpf(alpha) / 2, n_a + n_b - 2))
        library = number(TTestIndPower().power(d, n_a, alpha, n_b / n_a))
        if library is not None:
            agrees(exact, library, 1e-6)
        yield {"n_a": n_a, "n_b": n_b, "d": d, "alpha": alpha, "exact": exact, "statsmodels": library}


def pools():
    for effects in (((1.2, 0.3, 4.0), (1.5, 0.2, 3.1)), ((-0.4, 0.1, 3.7), (0.3, 0.15, 7.2), (0.1, 0.4, 2.2)),
                    ((10.0, 1.0, 50.0), (10.1, 1.1, 40.0), (12.0, 0.9, 60.0), (9.0, 2.0, 10.0))):
        differences, errors, dfs = (fractions(column) for column in zip(*effects))
        k, total = len(effects), sum(1 / se**2 for se in errors)
        shares = [1 / se**2 / total for se in errors]
        difference = sum(share * each for share, each in zip(shares, differences))
        df = 1 / sum(share**2 / each for share, each in zip(shares, dfs))
        q = sum(((each - difference) / se) ** 2 for each, se in zip(differences, errors))
        uncertainty = sum((1 - share) ** 2 / each for share, each in zip(shares, dfs))
        f = q / (k - 1) / (1 + Fraction(2 * (k - 2), k * k - 1) * uncertainty)
        df_error = (k * k - 1) / (3 * uncertainty)
        p, p_chi_square = f_sf(real(f), k - 1, real(df_error)), chi_square_sf(real(q), k - 1)
        means, ses, sizes = (np.array(column) for column in zip(*effects))
        fixed = combine_effects(means, ses**2)
        welch = anova_generic(means, (sizes + 1) * ses**2, sizes + 1, use_var="unequal", welch_correction=True)
        agree_all([difference, 1 / mpmath.sqrt(real(total)), q, f, df_error, p],
                  [fixed.mean_effect_fe, fixed.sd_eff_w_fe, fixed.q, welch.statistic, welch.df[1], welch.pvalue], 1e-9)
        yield {"effects": [dict(zip(("difference", "se", "df"), effect)) for effect in effects],
               "difference": difference, "se": 1 / mpmath.sqrt(real(total)), "df": df, "q": q, "q_df": k - 1,
               "p_chi_square": p_chi_square, "f": f, "df_error": df_error, "p": p}


if __name__ == "__main__":
    generator = np.random.default_rng(147)
    write(__file__, __doc__, student_t_sf=list(student_t_tails()), student_t_quantile=list(student_t_quantiles()),
          normal_sf=list(normal_tails()), normal_quantile=list(normal_quantiles()),
          chi_square_sf=list(chi_square_tails()), incomplete_beta=list(incomplete_betas()), f_sf=list(f_tails()),
          noncentral_t=list(noncentral_t_cases()), samples=list(samples(generator)), pairs=list(pairs(generator)),
          holm=list(holm(generator)), mde=list(mdes()), power=list(powers()), pool=list(pools()))
