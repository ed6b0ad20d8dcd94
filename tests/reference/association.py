"""Reference values for correlations, regression and analysis of variance.

Sums, ranks, coefficients and sums of squares are exact fractions, tails are mpmath's at 50 digits. scipy and
statsmodels, where they offer the same, must agree before anything is written.
"""

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import scipy.stats as st
import statsmodels.api as sm
import statsmodels.formula.api as smf
import pandas as pd

from exact import (agrees, dot, f_sf, fractions, inverse, mean, normal_upper_quantile, rank_and_rss, real, t_two_sided,
                   write)

RNG = np.random.default_rng(165)


def centred(values):
    middle = mean(values)
    return [value - middle for value in values]


def coefficient(x, y):
    u, v = centred(fractions(x)), centred(fractions(y))
    xy, xx, yy = dot(u, v), dot(u, u), dot(v, v)
    r = real(xy) / mpmath.sqrt(real(xx) * real(yy))
    return r, real(1 - xy * xy / (xx * yy))


def tested(x, y):
    r, unexplained = coefficient(x, y)
    if unexplained == 0:
        return {"r": r, "unexplained": 0.0, "t": None, "p": None}
    df = len(x) - 2
    t = r * mpmath.sqrt(df / unexplained)
    return {"r": r, "unexplained": unexplained, "t": t, "p": t_two_sided(t, df)}


def correlation(x, y):
    x, y = [float(value) for value in x], [float(value) for value in y]
    case = {"x": x, "y": y, "pearson": tested(x, y), "spearman": tested(st.rankdata(x), st.rankdata(y))}
    near_line = float(case["pearson"]["unexplained"]) < 1e-6
    agrees(case["pearson"]["r"], st.pearsonr(x, y).statistic)
    agrees(case["pearson"]["p"], st.pearsonr(x, y).pvalue, 1e-2 if near_line else 1e-9)
    agrees(case["spearman"]["r"], st.spearmanr(x, y).statistic)
    if case["spearman"]["p"] is not None:
        agrees(case["spearman"]["p"], st.spearmanr(x, y).pvalue, 1e-8)
    if len(x) > 3:
        r, unexplained = coefficient(x, y)
        # atanh r from 1 - r^2, which keeps its digits near 1
        z = mpmath.sign(r) * mpmath.log((1 + abs(r)) ** 2 / unexplained) / 2
        reach = normal_upper_quantile(Fraction(1, 40)) / mpmath.sqrt(len(x) - 3)
        case["interval_95"] = [mpmath.tanh(z - reach), mpmath.tanh(z + reach)]
        low, high = st.pearsonr(x, y).confidence_interval(0.95)
        agrees(case["interval_95"][0], low, 1e-6)
        agrees(case["interval_95"][1], high, 1e-6)
    return case


def correlations():
    cases = []
    for n in (3, 4, 5, 9, 30, 200):
        x = RNG.normal(10, 2, n)
        cases.append(correlation(x, 0.6 * x + RNG.normal(0, 2, n)))
    cases.append(correlation(RNG.integers(0, 5, 25), RNG.integers(0, 4, 25)))
    x = 1.7e9 + np.arange(12.0)
    cases.append(correlation(x, -0.25 * x + RNG.normal(0, 1e-3, 12)))
    cases.append(correlation(RNG.normal(0, 1, 60), RNG.normal(0, 1, 60)))
    x = np.exp(RNG.normal(0, 3, 40))
    cases.append(correlation(x, np.sqrt(x) * np.exp(RNG.normal(0, 0.2, 40))))
    return cases


def exact_orders(x, y):
    """Every order of y beside x: how many are as large, as small, as far from 0."""
    u, v = centred(fractions(st.rankdata(x))), centred(fractions(st.rankdata(y)))
    observed = dot(u, v)
    sums = [dot(u, order) for order in itertools.permutations(v)]
    share = lambda condition: Fraction(sum(1 for value in sums if condition(value)), len(sums))
    return {
        "x": [float(value) for value in x],
        "y": [float(value) for value in y],
        "p": share(lambda value: abs(value) >= abs(observed)),
        "p_greater": share(lambda value: value >= observed),
        "p_less": share(lambda value: value <= observed),
    }


def spearman_exact():
    cases = [exact_orders(RNG.normal(0, 1, n), RNG.normal(0, 1, n)) for n in (2, 3, 4, 5, 6, 7, 8)]
    cases += [exact_orders(RNG.integers(0, 3, n), RNG.integers(0, 4, n)) for n in (5, 6, 7)]
    cases.append(exact_orders(np.arange(6), np.arange(6)[::-1]))
    return cases


def effective_size(values):
    """Geyer's initial monotone positive sequence."""
    n, u = len(values), centred(fractions(values))
    whole = dot(u, u)
    pairs = []
    for even in range(0, n - 1, 2):
        pair = (dot(u, u[even:]) + dot(u, u[even + 1:])) / whole
        if pair <= 0:
            break
        pairs.append(min([pair] + pairs))
    time = -1 + 2 * sum(pairs)
    sd = mpmath.sqrt(real(whole / (n - 1)))
    standard_error = sd / mpmath.sqrt(real(n / max(time, 1)))
    return {"values": [float(value) for value in values], "time": time, "lags": max(0, 2 * len(pairs) - 1),
            "standard_error": standard_error}


def effective_sizes():
    cases = []
    for n, memory in ((4, 0.0), (30, 0.0), (60, 0.8), (61, -0.6), (80, 0.3)):
        values = [RNG.normal()]
        while len(values) < n:
            values.append(memory * values[-1] + RNG.normal())
        cases.append(effective_size([float(round(100 + value, 4)) for value in values]))
    return cases


def regression(name, predictors, response):
    rows = len(response)
    columns = [[Fraction(1)] * rows] + [fractions(predictor) for predictor in predictors]
    y = fractions(response)
    inverted = inverse([[dot(a, b) for b in columns] for a in columns])
    moments = [dot(column, y) for column in columns]
    coefficients = [dot(row, moments) for row in inverted]
    fitted = [sum((b * column[i] for b, column in zip(coefficients, columns)), Fraction(0)) for i in range(rows)]
    rss = sum(((value - fit) ** 2 for value, fit in zip(y, fitted)), Fraction(0))
    tss = dot(centred(y), centred(y))
    df = rows - len(columns)
    s2 = rss / df
    errors = [mpmath.sqrt(real(s2 * inverted[i][i])) for i in range(len(columns))]
    ts = [real(b) / e for b, e in zip(coefficients, errors)]
    f = (tss - rss) / (len(columns) - 1) / s2
    case = {
        "name": name,
        "predictors": [[float(value) for value in predictor] for predictor in predictors],
        "response": [float(value) for value in response],
        "coefficients": coefficients,
        "se": errors,
        "t": ts,
        "p": [t_two_sided(t, df) for t in ts],
        "residual_sd": mpmath.sqrt(real(s2)),
        "df": df,
        "r2": 1 - rss / tss,
        "adjusted_r2": 1 - s2 / (tss / (rows - 1)),
        "f": f,
        "f_p": f_sf(real(f), len(columns) - 1, df),
    }
    library = sm.OLS(np.array(response, float), sm.add_constant(np.array(predictors, float).T)).fit()
    # By its own QR or pseudo-inverse statsmodels loses digits in ill-conditioned designs.
    tolerance = 1e-5 if name == "longley" else 1e-8
    for ours, theirs in zip(case["coefficients"] + case["se"], list(library.params) + list(library.bse)):
        agrees(real(ours), theirs, tolerance)
    agrees(case["r2"], library.rsquared, tolerance)
    agrees(case["f_p"], library.f_pvalue, 1e-6)
    return case


def regressions():
    n = 20
    x1, x2, x3 = RNG.normal(0, 1, n), RNG.uniform(1, 100, n), RNG.integers(0, 2, n).astype(float)
    cases = [
        regression("one predictor", [x2], 3.0 + 0.5 * x2 + RNG.normal(0, 4, n)),
        regression("three predictors", [x1, x2, x3], 1.0 - 2.0 * x1 + 0.03 * x2 + 0.7 * x3 + RNG.normal(0, 0.5, n)),
        regression("one residual", [[1.0, 2.0, 4.0]], [2.0, 2.5, 7.0]),
    ]
    cubic = np.linspace(-2, 3, 15)
    cases.append(regression("cubic", [cubic, cubic**2, cubic**3], 2 - cubic + 0.1 * cubic**3 + RNG.normal(0, 0.1, 15)))
    longley = sm.datasets.longley.load_pandas()
    cases.append(regression("longley", list(longley.exog.to_numpy().T), longley.endog.to_numpy()))
    return cases


def line(ss, df, ss_residual, df_residual, total):
    if df == 0:
        return None
    ms = ss_residual / df_residual
    f = ss / df / ms
    return {
        "ss": ss, "df": df, "f": f, "p": f_sf(real(f), df, df_residual), "eta2": ss / total,
        "partial_eta2": ss / (ss + ss_residual), "omega2": (ss - df * ms) / (total + ms),
    }


def design(cells, a_levels, b_levels):
    one = [[Fraction(1)] * len(cells)]
    of_a = [[Fraction(int(cell[0] == level)) for cell in cells] for level in a_levels]
    of_b = [[Fraction(int(cell[1] == level)) for cell in cells] for level in b_levels]
    return one, of_a, of_b


def sums_to_zero(cells, a_levels, b_levels):
    code = lambda value, level, levels: Fraction(int(value == level) - int(value == levels[-1]))
    of_a = [[code(cell[0], level, a_levels) for cell in cells] for level in a_levels[:-1]]
    of_b = [[code(cell[1], level, b_levels) for cell in cells] for level in b_levels[:-1]]
    both = [[x * y for x, y in zip(a, b)] for a in of_a for b in of_b]
    return of_a, of_b, both


def two_way(name, cells):
    """cells: (level of a, level of b, values)."""
    a_levels, b_levels = sorted({cell[0] for cell in cells}), sorted({cell[1] for cell in cells})
    values = [fractions(cell[2]) for cell in cells]
    weights = [Fraction(len(group)) for group in values]
    means = [mean(group) for group in values]
    within = sum((dot(centred(group), centred(group)) for group in values), Fraction(0))
    everything = [value for group in values for value in group]
    total = dot(centred(everything), centred(everything))
    df_residual = len(everything) - len(cells)
    fit = lambda columns: rank_and_rss(columns, means, weights)
    one, of_a, of_b = design(cells, a_levels, b_levels)
    (rank, rss), (rank_a, rss_a), (rank_b, rss_b) = fit(one + of_a + of_b), fit(one + of_a), fit(one + of_b)
    table = lambda ss, df: line(ss, df, within, df_residual, total)
    case = {
        "name": name,
        "cells": [{"a": cell[0], "b": cell[1], "values": [float(value) for value in cell[2]]} for cell in cells],
        "two": {"a": table(rss_b - rss, rank - rank_b), "b": table(rss_a - rss, rank - rank_a)},
        "three": None,
        "interaction": table(rss, len(cells) - rank),
        "residual": {"ss": within, "df": df_residual},
        "total": {"ss": total, "df": len(everything) - 1},
    }
    if len(cells) == len(a_levels) * len(b_levels):
        za, zb, both = sums_to_zero(cells, a_levels, b_levels)
        without_a, without_b = fit(one + zb + both), fit(one + za + both)
        case["three"] = {"a": table(without_a[1], len(za)), "b": table(without_b[1], len(zb))}
        check_with_statsmodels(case)
    return case


def check_with_statsmodels(case):
    rows = [(cell["a"], cell["b"], value) for cell in case["cells"] for value in cell["values"]]
    frame = pd.DataFrame(rows, columns=["a", "b", "y"])
    fitted = smf.ols("y ~ C(a, Sum) * C(b, Sum)", frame).fit()
    for kind, key in ((2, "two"), (3, "three")):
        table = sm.stats.anova_lm(fitted, typ=kind)
        for ours, theirs in (("a", "C(a, Sum)"), ("b", "C(b, Sum)")):
            agrees(case[key][ours]["ss"], table["sum_sq"][theirs], 1e-8)
            agrees(case[key][ours]["p"], table["PR(>F)"][theirs], 1e-7)
        agrees(case["interaction"]["ss"], table["sum_sq"]["C(a, Sum):C(b, Sum)"], 1e-8)


def layouts():
    draw = lambda n, middle, sd=1.0: list(np.round(RNG.normal(middle, sd, n), 3))
    grid = lambda names_a, names_b: list(itertools.product(names_a, names_b))
    cases = [
        two_way("balanced", [(a, b, draw(4, i)) for i, (a, b) in enumerate(grid("xyz", "uv"))]),
        two_way("unequal", [(a, b, draw(2 + i % 4, 3 * i % 5)) for i, (a, b) in enumerate(grid("xyz", "uvw"))]),
    ]
    holes = [cell for cell in grid("pqrs", "uvwx") if cell not in {("p", "u"), ("q", "w"), ("s", "x"), ("r", "u")}]
    cases.append(two_way("empty cells", [(a, b, draw(3 + i % 2, i % 7)) for i, (a, b) in enumerate(holes)]))
    parts = grid("xy", "uv") + grid("pq", "wz")
    cases.append(two_way("two parts", [(a, b, draw(2 + i % 2, i)) for i, (a, b) in enumerate(parts)]))
    tree = [("x", "u"), ("x", "v"), ("y", "v")]
    cases.append(two_way("a tree", [(a, b, draw(3, i)) for i, (a, b) in enumerate(tree)]))
    single = [("x", "u", 1), ("x", "v", 5), ("y", "u", 2), ("y", "v", 1)]
    cases.append(two_way("single values", [(a, b, draw(n, i)) for i, (a, b, n) in enumerate(single)]))
    return cases


def one_way():
    cases = []
    for sizes in ((3, 3), (5, 2, 9), (1, 4, 4, 7), (30, 30, 30)):
        groups = [list(np.round(RNG.normal(100 + i, 2.5, n), 4)) for i, n in enumerate(sizes)]
        values = [fractions(group) for group in groups]
        everything = [value for group in values for value in group]
        total = dot(centred(everything), centred(everything))
        within = sum((dot(centred(group), centred(group)) for group in values), Fraction(0))
        df_residual = len(everything) - len(groups)
        between = line(total - within, len(groups) - 1, within, df_residual, total)
        library = st.f_oneway(*groups)
        agrees(real(between["f"]), library.statistic, 1e-8)
        agrees(between["p"], library.pvalue, 1e-7)
        cases.append({"groups": [[float(value) for value in group] for group in groups], "between": between,
                      "residual": within, "df_residual": df_residual, "total": total})
    return cases


if __name__ == "__main__":
    write(__file__, __doc__, correlations=correlations(), spearman_exact=spearman_exact(),
          effective_sizes=effective_sizes(), regressions=regressions(),
          one_way=one_way(), two_way=layouts())
