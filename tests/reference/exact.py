"""What reference scripts share: exact linear algebra on fractions, and distributions at 50 digits.

Every double is a fraction, so whatever is rational is computed without any error; the rest is mpmath at 50 digits.
"""

from fractions import Fraction

import mpmath

import written

mpmath.mp.dps = 50


def real(value):
    """A fraction, or a number, at 50 digits."""
    if isinstance(value, Fraction):
        return mpmath.mpf(value.numerator) / mpmath.mpf(value.denominator)
    return mpmath.mpf(value)


def fractions(values):
    return [Fraction(float(value)) for value in values]


def dot(a, b):
    return sum((x * y for x, y in zip(a, b)), Fraction(0))


def mean(values):
    return sum(values, Fraction(0)) / len(values)


def rank_and_rss(columns, response, weights=None):
    """Rank of the design and residual sum of squares, by Gram and Schmidt on fractions."""
    weights = weights or [Fraction(1)] * len(response)
    inner = lambda a, b: sum((w * x * y for w, x, y in zip(weights, a, b)), Fraction(0))
    basis, left = [], list(response)
    for column in columns:
        rest = list(column)
        for other in basis:
            factor = inner(rest, other) / inner(other, other)
            rest = [x - factor * y for x, y in zip(rest, other)]
        if any(rest):
            basis.append(rest)
            factor = inner(left, rest) / inner(rest, rest)
            left = [x - factor * y for x, y in zip(left, rest)]
    return len(basis), inner(left, left)


def inverse(matrix):
    size = len(matrix)
    rows = [list(row) + [Fraction(int(i == j)) for j in range(size)] for i, row in enumerate(matrix)]
    for at in range(size):
        pivot = next(i for i in range(at, size) if rows[i][at] != 0)
        rows[at], rows[pivot] = rows[pivot], rows[at]
        rows[at] = [value / rows[at][at] for value in rows[at]]
        for i in range(size):
            if i != at and rows[i][at] != 0:
                rows[i] = [x - rows[i][at] * y for x, y in zip(rows[i], rows[at])]
    return [row[size:] for row in rows]


def beta_cdf(a, b, x):
    return mpmath.betainc(a, b, 0, x, regularized=True)


def t_two_sided(t, df):
    """P(|T| > |t|)."""
    t, df = mpmath.mpf(t), mpmath.mpf(df)
    return beta_cdf(df / 2, mpmath.mpf(1) / 2, df / (df + t * t))


def f_sf(f, df, df_error):
    f, df, df_error = mpmath.mpf(f), mpmath.mpf(df), mpmath.mpf(df_error)
    return beta_cdf(df_error / 2, df / 2, df_error / (df_error + df * f))


def normal_sf(x):
    return mpmath.erfc(mpmath.mpf(x) / mpmath.sqrt(2)) / 2


def normal_upper_quantile(tail):
    return mpmath.sqrt(2) * mpmath.erfinv(1 - 2 * mpmath.mpf(tail))


def agrees(ours, theirs, tolerance=1e-9):
    """Stops a script whose exact value and whose library disagree."""
    written.agree(real(ours), theirs, tolerance, 1e-290)


def plain(value):
    """Numbers of any kind as doubles, to the bottom of lists and cases."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, (Fraction, mpmath.mpf)):
        return float(real(value))
    return value.item() if hasattr(value, "item") else value


def write(script, about, **groups):
    """Writes the cases beside the script that they come from."""
    packages = ("numpy", "scipy", "statsmodels", "mpmath")
    written.write(script, " ".join(about.split()), packages, plain(groups))
