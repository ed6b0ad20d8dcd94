"""Reference values for two-by-two tables: Fisher's exact test, odds ratios and their exact bounds, Mantel and Haenszel.

Probabilities of tables are fractions of whole numbers, bounds are mpmath's at 50 digits. scipy and statsmodels, where
they offer the same, must agree before anything is written.
"""

import math
from fractions import Fraction

import mpmath
import numpy as np
import scipy.stats as st
from statsmodels.stats.contingency_tables import StratifiedTable

from exact import agrees, normal_sf, normal_upper_quantile, real, write


def share(k, n):
    return {"k": k, "n": n}


def ways(k_a, n_a, k_b, n_b):
    hits = k_a + k_b
    return {k: math.comb(n_a, k) * math.comb(n_b, hits - k) for k in range(max(0, hits - n_b), min(n_a, hits) + 1)}


def bound(weights, observed, upper, tail):
    """The odds ratio at which the tail of `observed` has the probability given; None for an infinite one."""
    if observed == (max(weights) if upper else min(weights)):
        return None if upper else mpmath.mpf(0)
    chosen = [k for k in weights if (k <= observed if upper else k >= observed)]
    weights = {k: mpmath.mpf(value) for k, value in weights.items()}

    def probability(ln_ratio):
        ratio = mpmath.exp(ln_ratio)
        powers = {k: value * ratio ** k for k, value in weights.items()}
        return sum(powers[k] for k in chosen) / sum(powers.values())

    low, high = mpmath.mpf(-60), mpmath.mpf(60)
    for _ in range(140):
        middle = (low + high) / 2
        before = probability(middle) > tail if upper else probability(middle) < tail
        low, high = (middle, high) if before else (low, middle)
    return mpmath.exp(high)


def logarithm(p):
    return mpmath.log10(real(p))


def fisher():
    cases = []
    tables = [(3, 4, 1, 4), (8, 10, 1, 6), (19, 24, 2, 6), (0, 12, 7, 15), (5, 5, 0, 5), (10, 40, 10, 40),
              (300, 1000, 250, 1200), (900, 1000, 100, 1000), (1500, 1500, 0, 1500), (17, 5241, 40, 5241)]
    for k_a, n_a, k_b, n_b in tables:
        weights = ways(k_a, n_a, k_b, n_b)
        whole, observed = sum(weights.values()), weights[k_a]
        p = Fraction(sum(value for value in weights.values() if value <= observed), whole)
        greater = Fraction(sum(value for k, value in weights.items() if k >= k_a), whole)
        less = Fraction(sum(value for k, value in weights.items() if k <= k_a), whole)
        table = [[k_a, n_a - k_a], [k_b, n_b - k_b]]
        for alternative, ours in (("two-sided", p), ("greater", greater), ("less", less)):
            theirs = st.fisher_exact(table, alternative).pvalue
            if theirs > 1e-280:
                agrees(ours, theirs, 1e-7)
        bounds = None
        if len(weights) < 300:
            bounds = [bound(weights, k_a, upper, mpmath.mpf(1) - mpmath.mpf(0.95)) for upper in (False, True)]
        over, under = k_a * (n_b - k_b), (n_a - k_a) * k_b
        cases.append({"a": share(k_a, n_a), "b": share(k_b, n_b), "odds_ratio": Fraction(over, under) if under else None,
                      "p": p, "log10_p": logarithm(p), "p_greater": greater, "log10_p_greater": logarithm(greater),
                      "p_less": less, "log10_p_less": logarithm(less), "bounds_95": bounds})
    return cases


def convolved(tables):
    whole = {0: 1}
    for table in tables:
        longer = {}
        for k, value in whole.items():
            for more, other in ways(*table).items():
                longer[k + more] = longer.get(k + more, 0) + value * other
        whole = longer
    return whole


def half(cells):
    return [cell + Fraction(1, 2) for cell in cells] if 0 in cells else cells


def pooled(cells, zero_cells):
    """Odds ratio and interval; cells are hits and misses of a, then of b."""
    cells = [half(row) if zero_cells == "haldane_anscombe" else row for row in cells]
    parts = [(Fraction(a + d) / (a + b + c + d), Fraction(b + c) / (a + b + c + d), Fraction(a * d) / (a + b + c + d),
              Fraction(b * c) / (a + b + c + d)) for a, b, c, d in cells]
    r, s = sum(part[2] for part in parts), sum(part[3] for part in parts)
    if r == 0 or s == 0:
        return (None if s == 0 else Fraction(0)), None
    variance = (sum(p * r_ for p, _, r_, _ in parts) / (2 * r * r)
                + sum(p * s_ + q * r_ for p, q, r_, s_ in parts) / (2 * r * s)
                + sum(q * s_ for _, q, _, s_ in parts) / (2 * s * s))
    reach = normal_upper_quantile(Fraction(1, 40)) * mpmath.sqrt(real(variance))
    return r / s, [real(r / s) * mpmath.exp(-reach), real(r / s) * mpmath.exp(reach)]


def stratified():
    cases = []
    designs = [
        [(3, 10, 1, 10), (5, 12, 2, 9), (8, 20, 6, 22)],
        [(3, 10, 0, 10), (2, 8, 0, 9)],
        [(0, 10, 4, 10), (0, 7, 1, 6), (0, 3, 0, 5)],
        [(3, 10, 0, 10), (5, 12, 2, 9), (4, 4, 6, 6), (0, 8, 0, 8)],
        [(30, 300, 10, 290), (40, 250, 35, 260), (12, 100, 3, 90), (1, 5, 4, 6)],
    ]
    for design in designs:
        used = [row for row in design if 0 < row[0] + row[2] < row[1] + row[3]]
        cells = [[k_a, n_a - k_a, k_b, n_b - k_b] for k_a, n_a, k_b, n_b in used]
        excess = abs(sum(Fraction(a * d - b * c, a + b + c + d) for a, b, c, d in cells))
        variance = sum(Fraction((a + b) * (c + d) * (a + c) * (b + d), (a + b + c + d) ** 2 * (a + b + c + d - 1))
                       for a, b, c, d in cells)
        tests = {}
        library = StratifiedTable([np.array([[a, b], [c, d]], float) for a, b, c, d in cells])
        for name, correction in (("plain", Fraction(0)), ("corrected", Fraction(1, 2))):
            square = max(excess - correction, Fraction(0)) ** 2 / variance
            tests[name] = {"chi_square": square, "p": 2 * normal_sf(mpmath.sqrt(real(square)))}
            agrees(tests[name]["p"], library.test_null_odds(correction=correction > 0).pvalue, 1e-8)
        case = {"strata": [{"name": str(i), "a": share(*row[:2]), "b": share(*row[2:])} for i, row in enumerate(design)],
                "used": len(used), **tests}
        for zero_cells in ("keep", "haldane_anscombe"):
            ratio, interval = pooled(cells, zero_cells)
            case[zero_cells] = {"odds_ratio": ratio, "interval_95": interval}
            if zero_cells == "keep" and interval is not None:
                agrees(ratio, library.oddsratio_pooled, 1e-9)
                agrees(interval[0], library.oddsratio_pooled_confint()[0], 1e-8)
        hits = sum(row[0] for row in used)
        weights = convolved(used)
        case["bounds_95"] = [bound(weights, hits, upper, mpmath.mpf(1) - mpmath.mpf(0.95)) for upper in (False, True)]
        cases.append(case)
    return cases


if __name__ == "__main__":
    write(__file__, __doc__, fisher=fisher(), stratified=stratified())
