"""Tests and effect sizes of one and two means, at 50 digits from the exact values of the doubles given."""

import numpy as np
import scipy.stats as st
from mpmath import betainc, gamma, log10, mp, mpf, sqrt
from mpmath import sign as mpsign

from written import agree, write

mp.dps = 50


def moments(values):
    """(n, mean, sd) of exact doubles."""
    exact = [mpf(float(v)) for v in values]
    n, mean = len(exact), sum(exact) / len(exact)
    return n, mean, sqrt(sum((v - mean) ** 2 for v in exact) / (n - 1))


def t_upper(t, df):
    """P(T > t)."""
    tail = betainc(df / 2, mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2
    return tail if t >= 0 else 1 - tail


def t_quantile(p, df):
    """The t that is exceeded with probability p < 1/2: bisection on the log scale."""
    low, high = mpf(0), mpf(1)
    while t_upper(high, df) > p:
        high *= 2
    for _ in range(170):
        middle = (low + high) / 2
        low, high = (middle, high) if t_upper(middle, df) > p else (low, middle)
    return (low + high) / 2


def tested(difference, se, df):
    """The two-sided test and the 95 % interval of a difference."""
    t = difference / se
    p = 2 * t_upper(abs(t), df)
    reach = t_quantile(mpf("0.025"), df) * se
    return {
        "difference": float(difference), "se": float(se), "df": float(df), "t": float(t), "p": float(p),
        "log10_p": float(log10(p)), "interval_95": [float(difference - reach), float(difference + reach)],
    }


def equivalence(difference, se, df, margin):
    lower, upper = t_upper((difference + margin) / se, df), t_upper((margin - difference) / se, df)
    return {"margin": float(margin), "p_lower": float(lower), "p_upper": float(upper),
            "log10_p_lower": float(log10(lower)), "log10_p_upper": float(log10(upper))}


def welch(a, b):
    (n_a, mean_a, sd_a), (n_b, mean_b, sd_b) = a, b
    v_a, v_b = sd_a**2 / n_a, sd_b**2 / n_b
    df = (v_a + v_b) ** 2 / (v_a**2 / (n_a - 1) + v_b**2 / (n_b - 1))
    return mean_a - mean_b, sqrt(v_a + v_b), df


def pooled(a, b):
    (n_a, mean_a, sd_a), (n_b, mean_b, sd_b) = a, b
    df = n_a + n_b - 2
    sd = sqrt(((n_a - 1) * sd_a**2 + (n_b - 1) * sd_b**2) / df)
    return mean_a - mean_b, sd * sqrt(mpf(1) / n_a + mpf(1) / n_b), mpf(df), sd


def ratio_equivalence(a, b, percent):
    """Both one-sided tests of mean_a / mean_b against 1 -+ percent."""
    sides = []
    for sign in (-1, 1):
        ratio = 1 + sign * mpf(percent) / 100
        difference, se, df = welch(a, (b[0], b[1] * ratio, b[2] * ratio))
        # A ratio above the limit is a difference above 0, or below 0 for a negative mean of b.
        sides.append(float(t_upper(-sign * mpsign(b[1]) * difference / se, df)))
    return {"percent": percent, "p_lower": sides[0], "p_upper": sides[1]}


def hedges(d, df):
    """Exact and approximate correction of a standardised difference with df degrees of freedom."""
    exact = gamma(mpf(df) / 2) / (sqrt(mpf(df) / 2) * gamma(mpf(df - 1) / 2)) if df > 1 else None
    approximate = 1 - mpf(3) / (4 * df - 1)
    return {"factor": exact and float(exact), "g": exact and float(d * exact), "g_approximate": float(d * approximate)}


def two_samples(a, b, margin, percent):
    """Everything about two summaries."""
    difference, se, df = welch(a, b)
    student = pooled(a, b)
    d = difference / student[3]
    return {
        "welch": tested(difference, se, df), "pooled": tested(*student[:3]), "pooled_sd": float(student[3]),
        "tost": equivalence(difference, se, df, mpf(margin)), "ratio": ratio_equivalence(a, b, percent),
        "d": float(d), "hedges": hedges(d, a[0] + b[0] - 2),
    }


def sample_cases(generator):
    for size, mean, sd in [(2, 10, 1), (3, 0, 1), (5, 2.5, 0.02), (12, -40, 9), (30, 1e6, 3), (300, 1e-3, 1e-5)]:
        values = np.round(generator.normal(mean, sd, size), 10).tolist()
        expected = float(np.round(mean + sd / 3, 6))
        n, m, s = moments(values)
        found = tested(m - mpf(expected), s / sqrt(mpf(n)), mpf(n - 1))
        agree(found["p"], st.ttest_1samp(values, expected).pvalue, 1e-7)
        yield {"values": values, "expected": expected} | found


def value_cases(generator):
    for n_a, n_b, shift, spread in [(2, 2, 1, 1), (2, 9, 0.1, 3), (5, 5, 0, 0.2), (8, 30, -2, 5), (40, 25, 30, 0.1)]:
        a = np.round(generator.normal(100 + shift, 1, n_a), 9).tolist()
        b = np.round(generator.normal(100, spread, n_b), 9).tolist()
        case = two_samples(moments(a), moments(b), 1.5, 3.0)
        agree(case["welch"]["p"], st.ttest_ind(a, b, equal_var=False).pvalue, 1e-8)
        agree(case["pooled"]["p"], st.ttest_ind(a, b).pvalue, 1e-8)
        yield {"a": a, "b": b, "margin": 1.5} | case


def offset_cases():
    """Values that share an offset beside which they hardly differ; each is the exact double given."""
    small = lambda middle, unit, steps: [middle + unit * step for step in steps]
    sides = [
        (small(1.0, 1e-8, [-1, 0, 1, 3]), small(1.0, 1e-8, [-2, -1, 0, 0.5, 1])),
        (small(1e15, 1.0, [1, 2, 4, 8, 9]), small(1e15, 1.0, [0, 3, 3, 1])),
        (small(1e15, 0.125, [1, 2, 2, 3]), small(1e15, 0.125, [0, 1, 0])),
        (small(-3e9, 1e-6, [0, 1, 5, 2, 7, 7]), small(-3e9, 1e-6, [1, 2, 4, 2, 6, 9])),
    ]
    for a, b in sides:
        case = two_samples(moments(a), moments(b), max(abs(x - b[0]) for x in a) / 2, 3.0)
        # The library is given the values without the offset: beside it, its own sums lose what is compared.
        near_a, near_b = [x - b[0] for x in a], [x - b[0] for x in b]
        agree(case["welch"]["p"], st.ttest_ind(near_a, near_b, equal_var=False).pvalue, 1e-8)
        agree(case["pooled"]["p"], st.ttest_ind(near_a, near_b).pvalue, 1e-8)
        yield {"a": a, "b": b, "margin": case["tost"]["margin"]} | case


def summary_cases():
    printed = [
        ((300, 71.52, 2.31), (300, 70.98, 1.87)), ((2, 1.0, 0.5), (2, 1.5, 0.0)), ((60, 10.4, 0.2), (30, 10.4, 0.3)),
        ((12, -3.0, 1.1), (7, -2.9, 2.0)), ((5000, 104.9, 1.5), (5000, 52.3, 1.5)), ((1000, 5.0, 0.01), (900, 9.0, 0.02)),
        ((30, 1.0, 1e-9), (30, 2.0, 1e-9)), ((100000, 0.31, 0.4), (90000, 0.3, 0.5)),
    ]
    for a, b in printed:
        exact = [(n, mpf(mean), mpf(sd)) for n, mean, sd in (a, b)]
        case = two_samples(*exact, 0.75, 3.0)
        for equal, name in [(False, "welch"), (True, "pooled")]:
            library = st.ttest_ind_from_stats(a[1], a[2], a[0], b[1], b[2], b[0], equal_var=equal).pvalue
            if library > 1e-290:
                agree(case[name]["p"], library, 1e-9)
        yield {"a": list(a), "b": list(b), "margin": 0.75} | case


def pair_cases(generator):
    for size, shift in [(2, 0.4), (3, 0.01), (10, 0.0), (25, 0.3), (120, -0.05)]:
        base = generator.uniform(5, 50, size)
        a = np.round(base + shift + generator.normal(0, 0.1, size), 9).tolist()
        b = np.round(base, 9).tolist()
        # The differences as doubles, which is what a paired test is given.
        differences = [x - y for x, y in zip(a, b)]
        n, mean, sd = moments(differences)
        found = tested(mean, sd / sqrt(mpf(n)), mpf(n - 1))
        agree(found["p"], st.ttest_rel(a, b).pvalue, 1e-8)
        sd_average = sqrt((moments(a)[2] ** 2 + moments(b)[2] ** 2) / 2)
        sides = []
        for sign in (-1, 1):
            limit = float(1 + sign * mpf("0.02"))
            k, m, s = moments([x - limit * y for x, y in zip(a, b)])
            sides.append(float(t_upper(-sign * m / (s / sqrt(mpf(k))), mpf(k - 1))))
        yield {"a": a, "b": b} | found | {
            "tost": equivalence(mean, sd / sqrt(mpf(n)), mpf(n - 1), mpf(0.25)),
            "ratio": {"percent": 2.0, "p_lower": sides[0], "p_upper": sides[1]},
            "d_z": float(mean / sd), "d_av": float(mean / sd_average),
        }


if __name__ == "__main__":
    generator = np.random.default_rng(165)
    write(
        __file__,
        "Tests of one and two means, equivalence and effect sizes: mpmath at 50 digits from the doubles given, rounded "
        "once, checked against scipy where scipy has the statistic and its p-value is a normal double.",
        ["numpy", "scipy", "mpmath"],
        {
            "one_sample": list(sample_cases(generator)), "two_samples": list(value_cases(generator)),
            "offset": list(offset_cases()),
            "summaries": list(summary_cases()), "pairs": list(pair_cases(generator)),
        },
    )
