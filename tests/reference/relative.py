"""Relative differences of two means with the error of both, at 50 digits from the exact values of the doubles given."""

import numpy as np
import scipy.stats as st
from mpmath import mp, mpf, sqrt

from means import moments, tested, welch
from written import agree, write

mp.dps = 50


def change(a, b):
    """100 (r - 1) of two summaries, its standard error by the delta method, and Satterthwaite's degrees of freedom."""
    ratio = a[1] / b[1]
    _, se, df = welch(a, (b[0], b[1], abs(ratio) * b[2]))
    return 100 * (ratio - 1), 100 * se / abs(b[1]), df


def null(a, b):
    """The same size with Welch's error of the difference, in percent of b."""
    difference, se, df = welch(a, b)
    return 100 * difference / b[1], 100 * se / abs(b[1]), df


def sample_cases(generator):
    for n_a, n_b, factor, spread in [(5, 5, 2.0, 0.05), (5, 8, 2.0, 0.02), (3, 3, 1.0, 0.01), (10, 10, 0.1, 0.1), (4, 30, -3.0, 0.2)]:
        a = np.round(10 * factor * generator.normal(1, spread, n_a), 9).tolist()
        b = np.round(10 * generator.normal(1, spread, n_b), 9).tolist()
        of_a, of_b = moments(a), moments(b)
        found = {"change": tested(*change(of_a, of_b)), "null": tested(*null(of_a, of_b))}
        library = st.ttest_ind(a, b, equal_var=False)
        agree(found["null"]["p"], library.pvalue, 1e-8)
        agree(found["null"]["df"], library.df, 1e-9)
        yield {"a": a, "b": b} | found


def pair_cases(generator):
    for size, factor in [(3, 2.0), (6, 1.02), (20, 0.4)]:
        b = np.round(generator.normal(10, 1, size), 9).tolist()
        a = [float(np.round(factor * value + generator.normal(0, 0.1), 9)) for value in b]
        n, mean_b, _ = moments(b)
        ratio = moments(a)[1] / mean_b
        rest = [mpf(x) - ratio * mpf(y) for x, y in zip(a, b)]
        se = sqrt(sum(value**2 for value in rest) / (n - 1) / n)
        differences = [mpf(x) - mpf(y) for x, y in zip(a, b)]
        mean = sum(differences) / n
        of_null = sqrt(sum((value - mean) ** 2 for value in differences) / (n - 1) / n)
        found = {
            "change": tested(100 * (ratio - 1), 100 * se / mean_b, mpf(n - 1)),
            "null": tested(100 * mean / mean_b, 100 * of_null / mean_b, mpf(n - 1)),
        }
        agree(found["null"]["p"], st.ttest_rel(a, b).pvalue, 1e-8)
        yield {"a": a, "b": b} | found


if __name__ == "__main__":
    generator = np.random.default_rng(165)
    write(
        __file__,
        "Relative differences of two means in percent of the second: mpmath at 50 digits from the doubles given, rounded "
        "once; what is tested under the null hypothesis is checked against scipy.",
        ["numpy", "scipy", "mpmath"],
        {"samples": list(sample_cases(generator)), "pairs": list(pair_cases(generator))},
    )
