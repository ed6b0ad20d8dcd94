"""Quantiles by the nine methods, trimmed means and outliers, in exact fractions of the doubles given."""

from fractions import Fraction as F

import numpy as np
import scipy.stats as st

from written import agree, write

METHODS = ["inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen",
           "weibull", "linear", "median_unbiased", "normal_unbiased"]
RANKS = [0.0, 2.5, 7.0, 10.0, 25.0, 33.0, 50.0, 62.5, 75.0, 90.0, 99.0, 100.0]


def quantile(ordered, rank, method):
    """Hyndman and Fan, 1996, word by word, positions from 1."""
    n, p = len(ordered), F(rank) / 100

    def at(position):
        return F(ordered[min(max(position, 1), n) - 1])

    kind = METHODS.index(method) + 1
    m = [F(0), F(0), F(-1, 2), F(0), F(1, 2), p, 1 - p, (p + 1) / 3, p / 4 + F(3, 8)][kind - 1]
    position = n * p + m
    j = position.__floor__()
    g = position - j
    if kind == 1:
        weight = F(g > 0)
    elif kind == 2:
        weight = F(1) if g > 0 else F(1, 2)
    elif kind == 3:
        weight = F(0) if g == 0 and j % 2 == 0 else F(1)
    else:
        weight = g
    return (1 - weight) * at(j) + weight * at(j + 1)


def samples(generator):
    yield [4.25]
    yield [2.0, -1.5]
    yield [1.0, 2.0, 2.0, 2.0, 9.0]
    for size, mean, sd in [(6, 0, 1), (7, 1e-3, 1e-4), (10, 100, 15), (11, -5, 40), (100, 20, 3), (101, 1e9, 10)]:
        values = np.round(generator.normal(mean, sd, size), 6)
        if size >= 10:
            values[[1, size // 2]] = [np.round(mean + 9 * sd, 6), np.round(mean - 6 * sd, 6)]
        yield values.tolist()


def outliers(values):
    ordered = sorted(values)
    q1, q3 = (quantile(ordered, rank, "linear") for rank in (25.0, 75.0))
    n1, n3 = np.percentile(values, [25, 75])
    agree(q1, n1, scale=1.0), agree(q3, n3, scale=1.0)
    low, high = q1 - F(3, 2) * (q3 - q1), q3 + F(3, 2) * (q3 - q1)
    found = [at for at, v in enumerate(values) if F(v) < low or F(v) > high]
    assert found == [at for at, v in enumerate(values) if v < n1 - 1.5 * (n3 - n1) or v > n3 + 1.5 * (n3 - n1)]
    return {"q1": float(q1), "q3": float(q3), "low": float(low), "high": float(high), "outliers": found}


def modified_z(values):
    median = quantile(sorted(values), 50.0, "linear")
    mad = quantile(sorted(abs(F(v) - median) for v in values), 50.0, "linear")
    if mad == 0:
        return None
    agree(mad, st.median_abs_deviation(values), 1e-7)
    scores = [float(F("0.6745") * (F(v) - median) / mad) for v in values]
    return {"mad": float(mad), "scores": scores, "outliers": [at for at, z in enumerate(scores) if abs(z) > 3.5]}


def trimmed(values, percent):
    n = len(values)
    cut = (F(percent) * n / 100).__floor__()
    ordered = sorted(map(F, values))
    kept = ordered[cut:n - cut]
    mean = sum(kept) / len(kept)
    agree(mean, st.trim_mean(values, percent / 100), 1e-9)
    drawn_in = [min(max(v, kept[0]), kept[-1]) for v in ordered]
    centre = sum(drawn_in) / n
    variance = sum((v - centre) ** 2 for v in drawn_in) / (n - 1) if n > 1 else None
    if n > 1:
        agree(float(variance), np.var(st.mstats.winsorize(np.array(values), limits=(cut / n, cut / n)), ddof=1), 1e-5)
    sd = None if variance is None else float(np.sqrt(np.longdouble(variance.numerator) / variance.denominator))
    return {"percent": percent, "cut": cut, "mean": float(mean), "winsorized_sd": sd}


if __name__ == "__main__":
    generator = np.random.default_rng(6)
    cases = []
    for values in samples(generator):
        quantiles = {}
        for method in METHODS:
            found = [float(quantile(sorted(values), rank, method)) for rank in RANKS]
            for rank, value in zip(RANKS, found):
                library = float(np.percentile(values, rank, method=method))
                # numpy steps to the neighbour where 100 * (7 / 100) is rounded up; the definition does not.
                if METHODS.index(method) > 2 or (len(values) * F(rank) / 100).denominator > 2:
                    agree(value, library, 1e-9, scale=max(map(abs, values)) * 1e-3)
            quantiles[method] = found
        cases.append({"values": values, "ranks": RANKS, "quantiles": quantiles, "tukey": outliers(values),
                      "modified_z": modified_z(values), "trimmed": [trimmed(values, p) for p in (0.0, 10.0, 25.0)]})
    write(
        __file__,
        "Order statistics in exact fractions by their definitions, rounded once; checked against numpy.percentile, "
        "scipy.stats.trim_mean, scipy.stats.median_abs_deviation and scipy.stats.mstats.winsorize.",
        ["numpy", "scipy"],
        {"samples": cases},
    )
