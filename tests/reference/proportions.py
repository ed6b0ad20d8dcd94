"""Reference values for proportions, the hypergeometric and the beta distribution.

Hypergeometric probabilities are exact fractions of whole numbers, the rest is mpmath's at 50 digits. scipy and
statsmodels, where they offer the same, must agree before anything is written.
"""

import math
from fractions import Fraction

import mpmath
import scipy.stats as st
from statsmodels.stats.proportion import proportion_confint, proportions_ztest

from exact import agrees, beta_cdf, normal_sf, normal_upper_quantile, real, write


def hypergeometric():
    cases = []
    urns = [(10, 4, 3), (134, 12, 30), (52410, 60, 1000), (1000, 500, 500), (60, 59, 2), (20000, 100, 2000)]
    for population, marked, draws in urns:
        low, high = max(0, draws + marked - population), min(draws, marked)
        ways = {k: math.comb(marked, k) * math.comb(population - marked, draws - k) for k in range(low, high + 1)}
        whole = math.comb(population, draws)
        for k in sorted({low, low + 1, (3 * low + high) // 4, draws * marked // population, (low + high) // 2, high - 1}):
            if not low <= k <= high:
                continue
            pmf = real(Fraction(ways[k], whole))
            cdf = real(Fraction(sum(value for j, value in ways.items() if j <= k), whole))
            sf = real(Fraction(sum(value for j, value in ways.items() if j > k), whole))
            if pmf < mpmath.mpf("1e-290"):
                continue
            agrees(pmf, st.hypergeom.pmf(k, population, marked, draws), 1e-6)
            cases.append({"population": population, "marked": marked, "draws": draws, "k": k, "pmf": pmf, "cdf": cdf,
                          "sf": sf if sf > mpmath.mpf("1e-290") or sf == 0 else None})
    return cases


def bisected(condition):
    """Where an increasing condition turns true between 0 and 1, to 45 digits."""
    low, high = mpmath.mpf(0), mpmath.mpf(1)
    for _ in range(175):
        middle = (low + high) / 2
        low, high = (low, middle) if condition(middle) else (middle, high)
    return high


def exact_end(k, n, tail, upper):
    if upper:
        return mpmath.mpf(1) if k == n else 1 - exact_end(n - k, n, tail, False)
    return mpmath.mpf(0) if k == 0 else bisected(lambda x: beta_cdf(k, n - k + 1, x) >= tail)


def wilson_end(k, n, tail, upper):
    z = normal_upper_quantile(tail)
    share = mpmath.mpf(k) / n
    middle = share + z * z / (2 * n)
    reach = z * mpmath.sqrt(share * (1 - share) / n + z * z / (4 * mpmath.mpf(n) ** 2))
    return (middle + reach if upper else middle - reach) / (1 + z * z / n)


def intervals():
    cases = []
    counts = [(0, 1), (1, 1), (0, 2), (1, 2), (2, 6), (0, 35), (5, 35), (19, 24), (24, 24), (190, 200), (17, 5241),
              (52000, 52410), (1, 20000)]
    for k, n in counts:
        for level in (0.9, 0.95, 0.999):
            tail = (1 - Fraction(level)) / 2
            ends = lambda end, tail: [end(k, n, real(tail), False), end(k, n, real(tail), True)]
            case = {"k": k, "n": n, "confidence": level, "wilson": ends(wilson_end, tail),
                    "clopper_pearson": ends(exact_end, tail),
                    "wilson_bounds": ends(wilson_end, 2 * tail), "clopper_pearson_bounds": ends(exact_end, 2 * tail)}
            for method, key in (("wilson", "wilson"), ("beta", "clopper_pearson")):
                for ours, theirs in zip(case[key], proportion_confint(k, n, 1 - level, method)):
                    assert abs(ours - theirs) <= 1e-8 * max(abs(ours), 1e-8), (k, n, level, ours, theirs)
            cases.append(case)
    return cases


def few_hits():
    """Wilson's interval far from the middle, where the exact one would take the bisection hours."""
    cases = []
    for k, n in [(1, 10**8), (0, 10**9), (5, 4 * 10**7), (10**8 - 2, 10**8)]:
        ends = [wilson_end(k, n, real(Fraction(1, 40)), upper) for upper in (False, True)]
        for ours, theirs in zip(ends, proportion_confint(k, n, 0.05, "wilson")):
            assert abs(ours - theirs) <= 1e-15, (k, n, ours, theirs)
        cases.append({"k": k, "n": n, "confidence": 0.95, "wilson": ends})
    return cases


def two_proportions():
    cases = []
    for k_a, n_a, k_b, n_b in [(19, 24, 2, 6), (0, 30, 5, 30), (300, 52410, 250, 52410), (1, 1, 0, 1), (7, 9, 7, 9),
                               (4000, 4001, 1, 4000), (123, 1000, 150, 900)]:
        pooled = Fraction(k_a + k_b, n_a + n_b)
        difference = Fraction(k_a, n_a) - Fraction(k_b, n_b)
        z = real(difference) / mpmath.sqrt(real(pooled * (1 - pooled) * (Fraction(1, n_a) + Fraction(1, n_b))))
        p = 2 * normal_sf(abs(z))
        agrees(p, proportions_ztest([k_a, k_b], [n_a, n_b])[1], 1e-9)
        cases.append({"a": {"k": k_a, "n": n_a}, "b": {"k": k_b, "n": n_b}, "difference": difference, "z": z,
                      "p": p if p > mpmath.mpf("1e-300") else None, "log10_p": mpmath.log10(p)})
    return cases


if __name__ == "__main__":
    write(__file__, __doc__, hypergeometric=hypergeometric(), intervals=intervals(), few_hits=few_hits(), two_proportions=two_proportions())
