"""Intervals and tests of Cohen's d: noncentralities at which a t as far out as the observed one has a given tail.

P(T > t) is the integral of a normal tail over the density of the standard deviation's ratio, by Gauss and Legendre at 30
digits, and the noncentrality a root of it. scipy's own noncentral t must agree before anything is written.
"""

import mpmath
import scipy.stats as st
from mpmath import mp, mpf

from written import agree, write

mp.dps = 30
LEVEL = mpf("0.95")


def exceeded(t, df, shift):
    """P(T > t) for a noncentral t."""
    t, df, shift = mpf(t), mpf(df), mpf(shift)
    ln_front = (1 - df / 2) * mpmath.log(2) - mpmath.loggamma(df / 2) + df / 2 * mpmath.log(df)
    density = lambda s: mpmath.exp(ln_front + (df - 1) * mpmath.log(s) - df * s * s / 2)
    # The ratio is near 1, and by 14 standard deviations of it nothing is left.
    spread = 1 / mpmath.sqrt(2 * df)
    ends = sorted({max(mpf(0), 1 + step * spread) for step in range(-14, 15)})
    return mpmath.quad(lambda s: density(s) * mpmath.ncdf(shift - t * s) if s > 0 else mpf(0), ends)


def noncentrality(t, df, tail):
    """The shift at which t is exceeded with probability `tail`."""
    spread = mpmath.sqrt(1 + mpf(t) ** 2 / (2 * df))
    guess = t + mpf(st.norm.ppf(float(tail))) * spread
    ends = (guess - spread / 2, guess + spread / 2)
    return mpmath.findroot(lambda shift: exceeded(t, df, shift) - tail, ends, solver="anderson", tol=mpf(10) ** -44)


def case(d, n, se, df):
    t, tail = mpf(d) / se, (1 - LEVEL) / 2
    low, high = (noncentrality(t, df, above) for above in (tail, 1 - tail))
    agree(st.nct.sf(float(t), df, float(low)), tail, 1e-6)
    agree(st.nct.cdf(float(t), df, float(high)), tail, 1e-6)
    # A test of an edge that leaves enough of its tail to be compared.
    edge = mpf(d) + se
    above = exceeded(t, df, edge / se)
    return {
        "d": d, "n": n, "interval_95": [float(low * se), float(high * se)],
        "edge": float(edge), "p": float(2 * min(above, 1 - above)),
    }


def cases():
    printed = [
        (0.0, 10, 10), (0.5, 2, 3), (-0.18, 540, 540), (-1.21, 540, 540), (0.026, 1890, 1890), (-0.59, 1620, 1620),
        (-0.022, 300, 300), (2.0, 3, 3), (-10.3, 270, 270), (28.21, 300, 300), (0.8, 60, 300),
    ]
    for d, n_a, n_b in printed:
        yield case(d, [n_a, n_b], mpmath.sqrt(mpf(1) / n_a + mpf(1) / n_b), n_a + n_b - 2)


def paired():
    """d of pairs is the mean of their differences in standard deviations of these."""
    for d, n in [(0.0, 10), (0.5, 2), (-0.18, 540), (1.3, 12), (-2.0, 4), (0.8, 60), (-10.3, 30)]:
        yield case(d, n, 1 / mpmath.sqrt(mpf(n)), n - 1)


if __name__ == "__main__":
    write(
        __file__,
        "Cohen's d with its exact interval and the p value of an edge one standard error above it: mpmath at 30 digits, "
        "checked against scipy's noncentral t.",
        ["scipy", "mpmath"],
        {"cases": list(cases()), "paired": list(paired())},
    )
