"""Rank tests: scipy's normal approximations, and exact distributions by enumeration in fractions."""

from fractions import Fraction as F
from itertools import combinations, product

import numpy as np
import scipy.stats as st
from mpmath import erfc, log10, mp, mpf, sqrt

from written import agree, write

mp.dps = 50
ZERO_METHODS = ["wilcox", "pratt", "zsplit"]


def two_sided_normal(z):
    p = erfc(abs(z) / sqrt(mpf(2)))
    return float(p), float(log10(p))


def midranks(values):
    return [F(sum(w < v for w in values)) + F(sum(w == v for w in values) + 1, 2) for v in values]


def signed_ranks(differences, zero_method):
    taken = [d for d in differences if d != 0 or zero_method != "wilcox"]
    ranks = midranks([abs(d) for d in taken])
    return taken, ranks


def signed_rank_normal(differences, zero_method, correction):
    """Scipy's formulas at 50 digits, checked against scipy."""
    taken, ranks = signed_ranks(differences, zero_method)
    plus = F(0) + sum(r for d, r in zip(taken, ranks) if d > 0)
    zeros = [r for d, r in zip(taken, ranks) if d == 0]
    if zero_method == "zsplit":
        plus += F(sum(zeros)) / 2
    n, n_zero = len(taken), len(zeros) if zero_method == "pratt" else 0
    counted = [abs(d) for d in taken if d != 0 or zero_method == "zsplit"]
    ties = sum(counted.count(v) ** 3 - counted.count(v) for v in set(counted))
    mean = F(n * (n + 1) - n_zero * (n_zero + 1), 4)
    variance = F(2 * n * (n + 1) * (2 * n + 1) - 2 * n_zero * (n_zero + 1) * (2 * n_zero + 1) - ties, 48)
    distance = plus - mean
    if correction:
        distance -= F(1, 2) * ((distance > 0) - (distance < 0))
    z = mpf(distance.numerator) / distance.denominator / sqrt(mpf(variance.numerator) / variance.denominator)
    p, log10_p = two_sided_normal(z)
    library = st.wilcoxon(differences, zero_method=zero_method, correction=correction, method="asymptotic")
    # scipy reports -|z| for a two-sided test.
    agree(abs(z), -library.zstatistic, 1e-9, scale=1e-9)
    if p > 1e-290:
        agree(p, library.pvalue)
    return {"zero_method": zero_method, "continuity": correction, "w_plus": float(plus), "z": float(z), "p": p,
            "log10_p": log10_p}


def signed_rank_exact(differences, zero_method):
    """Every sign pattern of the non-zero differences."""
    taken, ranks = signed_ranks(differences, zero_method)
    nonzero = [r for d, r in zip(taken, ranks) if d != 0]
    observed = sum(r for d, r in zip(taken, ranks) if d > 0)
    sums = [sum(r for r, up in zip(nonzero, signs) if up) for signs in product((False, True), repeat=len(nonzero))]
    tail = min(sum(w <= observed for w in sums), sum(w >= observed for w in sums))
    p = float(min(F(2 * tail, len(sums)), F(1)))
    # scipy tries every pattern for 2 to 13 differences.
    if 2 <= len(differences) <= 13:
        agree(p, st.wilcoxon(differences, zero_method=zero_method, method=st.PermutationMethod()).pvalue)
    return {"zero_method": zero_method, "p": p}


def signed_rank_cases(generator):
    small = [
        [1.0, 2.0, 3.0], [0.5, -1.0, 2.5, 4.0, -0.25], [0.0, 1.0, -1.0, 2.0, 0.0, 3.0], [2.0, 2.0, 2.0, 2.0, -2.0],
        [0.0, 0.0, 1.5, 1.5, -1.5, 3.0, 4.0, 5.0, -6.0, 6.0, 7.0], [1.0], [-3.0, 4.0],
        np.round(generator.normal(0.5, 1, 12), 1).tolist(), np.round(generator.normal(0.2, 1, 13), 0).tolist(),
    ]
    large = [np.round(generator.normal(0.3, 1, 40), 1).tolist(), np.round(generator.normal(0.05, 1, 150), 1).tolist(),
             [0.0] * 6 + [1.0 + 0.001 * i for i in range(294)], [0.0] * 20 + [1.0 + 0.001 * i for i in range(100)]]
    for differences in small + large:
        case = {"differences": differences, "normal": [], "exact": []}
        for zero_method in ZERO_METHODS:
            for correction in (False, True):
                case["normal"].append(signed_rank_normal(differences, zero_method, correction))
            if len(differences) <= 13:
                case["exact"].append(signed_rank_exact(differences, zero_method))
        yield case


def untied_exact_cases():
    """Long samples without ties, where scipy counts exactly."""
    for n in (20, 49):
        differences = [(-1.0) ** (i * i // 3) * (i + 0.5) for i in range(n)]
        yield {"differences": differences, "p": float(st.wilcoxon(differences, method="exact").pvalue)}


def mann_whitney_normal(a, b, correction):
    ranks = midranks(a + b)
    u_a = sum(ranks[:len(a)]) - F(len(a) * (len(a) + 1), 2)
    n = len(a) + len(b)
    ties = sum((a + b).count(v) ** 3 - (a + b).count(v) for v in set(a + b))
    variance = F(len(a) * len(b), 12) * (n + 1 - F(ties, n * (n - 1)))
    distance = u_a - F(len(a) * len(b), 2)
    distance = abs(distance) - (F(1, 2) if correction else 0)
    z = mpf(distance.numerator) / distance.denominator / sqrt(mpf(variance.numerator) / variance.denominator)
    p, log10_p = (1.0, 0.0) if z < 0 else two_sided_normal(z)
    library = st.mannwhitneyu(a, b, use_continuity=correction, method="asymptotic")
    agree(u_a, library.statistic)
    if p > 1e-290:
        agree(p, library.pvalue)
    return {"continuity": correction, "p": p, "log10_p": log10_p}


def mann_whitney_exact(a, b):
    """Every way to choose a's ranks."""
    n = len(a) + len(b)
    observed = sum(x > y for x in a for y in b)
    offset = len(a) * (len(a) + 1) // 2
    sums = [sum(chosen) - offset for chosen in combinations(range(1, n + 1), len(a))]
    tail = min(sum(u <= observed for u in sums), sum(u >= observed for u in sums))
    p = float(min(F(2 * tail, len(sums)), F(1)))
    agree(p, st.mannwhitneyu(a, b, method="exact").pvalue)
    return p


def mann_whitney_cases(generator):
    pairs = [
        ([1.0], [2.0]), ([3.0], [1.0, 2.0, 4.0]), ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]), ([1.5, 7.0, 2.5], [4.0, 5.0]),
        ([1.0, 2.0, 2.0], [2.0, 3.0]), ([5.0, 5.0, 5.0, 1.0], [5.0, 5.0, 9.0, 9.0, 9.0]),
        (np.round(generator.normal(0, 1, 7), 4).tolist(), np.round(generator.normal(1, 1, 8), 4).tolist()),
        (np.round(generator.normal(0, 1, 30), 1).tolist(), np.round(generator.normal(0.4, 1, 45), 1).tolist()),
        ([i / 4 for i in range(60)], [i / 4 + 7.3 for i in range(40)]),
        ([float(i) for i in range(1500)], [float(i) + 2000 for i in range(1200)]),
    ]
    for a, b in pairs:
        large = len(a) + len(b) > 200
        # Written short: the long ones are ranges.
        case = {"a": a, "b": b} if not large else {"range_a": [0, 1500], "range_b": [2000, 3200]}
        case["u_a"] = float(sum((x > y) + 0.5 * (x == y) for x in a for y in b))
        case["cliff"] = float(sum((x > y) - (x < y) for x in a for y in b) / (len(a) * len(b)))
        case["normal"] = [mann_whitney_normal(a, b, correction) for correction in (False, True)]
        untied = len(set(a + b)) == len(a + b)
        case["exact"] = mann_whitney_exact(a, b) if untied and len(a + b) <= 16 else None
        yield case


if __name__ == "__main__":
    generator = np.random.default_rng(1945)
    write(
        __file__,
        "Rank tests. Normal approximations: scipy's formulas in fractions and at 50 digits, rounded once and checked "
        "against scipy. Exact p-values: every arrangement, in fractions, checked against scipy where it can.",
        ["numpy", "scipy", "mpmath"],
        {"signed_rank": list(signed_rank_cases(generator)), "signed_rank_untied": list(untied_exact_cases()),
         "mann_whitney": list(mann_whitney_cases(generator))},
    )
