"""Holm, Bonferroni and Benjamini-Hochberg in fractions of the doubles given."""

from fractions import Fraction as F

import numpy as np
import scipy.stats as st

from written import agree, write


def holm(family):
    adjusted, largest = [None] * len(family), F(0)
    for rank, at in enumerate(sorted(range(len(family)), key=family.__getitem__)):
        largest = max(largest, min(F(1), F(family[at]) * (len(family) - rank)))
        adjusted[at] = largest
    return adjusted


def bonferroni(family):
    return [min(F(1), F(p) * len(family)) for p in family]


def benjamini_hochberg(family):
    adjusted, smallest = [None] * len(family), F(1)
    order = sorted(range(len(family)), key=family.__getitem__)
    for rank in reversed(range(len(order))):
        smallest = min(smallest, F(family[order[rank]]) * len(family) / (rank + 1))
        adjusted[order[rank]] = smallest
    for found, library in zip(adjusted, st.false_discovery_control(family)):
        agree(found, library)
    return adjusted


def cases(generator):
    yield [0.03]
    yield [0.04, 0.001, 0.013, 0.02]
    yield [0.5, 0.5, 0.5, 0.01, 0.01, 1.0]
    yield [1e-300, 3e-200, 0.9, 0.049, 1e-12]
    for size in (5, 24, 96):
        yield np.round(generator.beta(0.3, 3, size), 12).clip(1e-12).tolist()


if __name__ == "__main__":
    generator = np.random.default_rng(1979)
    write(
        __file__,
        "Adjusted p-values in fractions by definition, rounded once; Benjamini-Hochberg checked against "
        "scipy.stats.false_discovery_control.",
        ["numpy", "scipy"],
        {"families": [
            {"p": p, "holm": [float(v) for v in holm(p)], "bonferroni": [float(v) for v in bonferroni(p)],
             "benjamini_hochberg": [float(v) for v in benjamini_hochberg(p)]} for p in cases(generator)
        ]},
    )
