"""Reference values for power, minimal detectable effects and numbers of launches.

Everything is mpmath's, by quadrature over the standard error's distribution. statsmodels' power, where it
is a number, must agree to 1e-6, which is what it is good for; its solver is not used.
"""

import math

import mpmath
from statsmodels.stats.power import TTestIndPower, TTestPower

from exact import agrees, normal_sf, t_two_sided, write

mpmath.mp.dps = 30


def critical_value(tail, df):
    """The t exceeded with probability `tail`, from the incomplete beta function."""
    tail = mpmath.mpf(tail)
    low, high = mpmath.mpf(0), mpmath.mpf(10) ** 8
    for _ in range(150):
        middle = (low + high) / 2
        low, high = (low, middle) if t_two_sided(middle, df) / 2 <= tail else (middle, high)
    return high


def over_standard_error(df, inside, end=mpmath.inf):
    """E[inside(S)] for S = sqrt(chi-square / df), up to S = end."""
    df = mpmath.mpf(df)
    ln_constant = mpmath.log(2) + df / 2 * mpmath.log(df / 2) - mpmath.loggamma(df / 2)
    density = lambda s: mpmath.exp(ln_constant + (df - 1) * mpmath.log(s) - df * s * s / 2)
    width = 1 / mpmath.sqrt(2 * df)
    points = [mpmath.mpf(0)] + [1 + k * width for k in range(-12, 21, 2) if 1 + k * width > 0] + [1 + 40 * width]
    if end < points[-1]:
        # Where the end cuts off nearly everything, what is left lies within a few 1/df of it.
        points = [point for point in points if point < end] + [end * mpmath.exp(-4 * j / df) for j in range(20)]
    points = sorted(set(points))
    integrand = lambda s: density(s) * inside(s) if s > 0 else mpmath.mpf(0)
    # The quadrature's tolerance is absolute, so that small probabilities have to be scaled up to it.
    scale = max(abs(integrand((one + other) / 2)) for one, other in zip(points, points[1:]))
    return scale * mpmath.quad(lambda s: integrand(s) / scale, points)


def error(design):
    if "n" in design:
        return 1 / mpmath.sqrt(design["n"]), design["n"] - 1
    return mpmath.sqrt(mpmath.mpf(1) / design["n_a"] + mpmath.mpf(1) / design["n_b"]), design["n_a"] + design["n_b"] - 2


def power_of_difference(design, d, alpha):
    se, df = error(design)
    t, shift = critical_value(mpmath.mpf(alpha) / 2, df), mpmath.mpf(d) / se
    return over_standard_error(df, lambda s: normal_sf(t * s - shift) + normal_sf(t * s + shift))


def power_of_equivalence(design, d, margin, alpha):
    se, df = error(design)
    t, low, high = critical_value(alpha, df), (mpmath.mpf(margin) + d) / se, (mpmath.mpf(margin) - d) / se
    end = (low + high) / (2 * t)
    return over_standard_error(df, lambda s: normal_sf(t * s - low) - normal_sf(high - t * s), end)


def library(design, d, alpha):
    if "n" in design:
        return TTestPower().power(d, design["n"], alpha)
    return TTestIndPower().power(d, design["n_a"], alpha, design["n_b"] / design["n_a"])


def written(design):
    return {"paired": design} if "n" in design else {"unpaired": design}


DESIGNS = [{"n": 2}, {"n": 3}, {"n": 12}, {"n_a": 2, "n_b": 2}, {"n_a": 3, "n_b": 5}, {"n_a": 10, "n_b": 10},
           {"n_a": 60, "n_b": 45}, {"n": 300}]


def differences():
    cases = []
    for design in DESIGNS:
        for d, alpha in ((0.3, 0.05), (1.0, 0.05), (2.5, 0.01)):
            power = power_of_difference(design, d, alpha)
            theirs = library(design, d, alpha)
            if not math.isnan(theirs):
                agrees(power, theirs, 1e-6)
            cases.append({"design": written(design), "d": d, "alpha": alpha, "power": power})
    return cases


def equivalences():
    cases = []
    for design in DESIGNS:
        for d, margin, alpha in ((0.0, 1.0, 0.05), (0.3, 0.8, 0.05), (-0.5, 2.0, 0.01), (0.0, 0.05, 0.05)):
            power = power_of_equivalence(design, d, margin, alpha)
            if power > mpmath.mpf("1e-200"):
                cases.append({"design": written(design), "d": d, "margin": margin, "alpha": alpha, "power": power})
    return cases


def first(power_with, wanted):
    n = 2
    while power_with(n) < wanted:
        n += 1
    return n


def launches():
    cases = []
    sides = {"paired": lambda n: {"n": n}, "unpaired": lambda n: {"n_a": n, "n_b": n}}
    for pairing, design in sides.items():
        for d, power in ((3.0, 0.8), (1.5, 0.8), (0.9, 0.9)):
            n = first(lambda n: power_of_difference(design(n), d, 0.05), power)
            cases.append({"pairing": pairing, "d": d, "margin": None, "power": power, "n": n})
        for d, margin, power in ((0.0, 1.0, 0.8), (0.5, 2.0, 0.9)):
            n = first(lambda n: power_of_equivalence(design(n), d, margin, 0.05), power)
            cases.append({"pairing": pairing, "d": d, "margin": margin, "power": power, "n": n})
    return cases


if __name__ == "__main__":
    write(__file__, __doc__, differences=differences(), equivalences=equivalences(), launches=launches())
