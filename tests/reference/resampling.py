"""Bootstrap intervals by scipy from the very resamples that the room draws.

The stream is repeated here: SplitMix64 begun at the seed, positions by Lemire's bounded integers, one group after the
other in each resample. Means are rounded once from exact sums.
"""

import warnings
from fractions import Fraction as F

import numpy as np
import scipy.stats as st

from written import write

MASK = (1 << 64) - 1


class SplitMix64:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, bound):
        favoured = (1 << 64) % bound
        while True:
            product = self.next() * bound
            if product & MASK >= favoured:
                return product >> 64


def mean(values):
    return float(sum(map(F, values)) / len(values))


def mean_of_all(clusters):
    values = [value for cluster in clusters for value in cluster]
    return mean(values)


def intervals(groups, statistic, resamples, seed, confidence):
    """All three methods for `groups`, lists of values or of clusters; `statistic` takes the groups."""
    generator = SplitMix64(seed)
    distribution = [
        statistic([[group[generator.below(len(group))] for _ in group] for group in groups]) for _ in range(resamples)
    ]
    estimate = statistic(groups)

    # scipy sees positions, so that clusters of any length can be drawn by it.
    def of_positions(*positions):
        return statistic([[group[int(at)] for at in chosen] for group, chosen in zip(groups, positions)])

    found = {"estimate": estimate}
    for name in ("percentile", "basic", "bca"):
        drawn = st._resampling.BootstrapResult(None, np.array(distribution), None)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = st.bootstrap(
                [np.arange(len(group)) for group in groups], of_positions, n_resamples=0, bootstrap_result=drawn,
                vectorized=False, confidence_level=confidence, method=name,
            )
        found[name] = [float(end) for end in result.confidence_interval]
    return found


def cases(generator):
    def case(kind, groups, statistic, seed, resamples=500, confidence=0.95):
        return {"kind": kind, "groups": groups, "seed": seed, "resamples": resamples, "confidence": confidence} | (
            intervals(groups, statistic, resamples, seed, confidence)
        )

    def one(groups):
        return mean(groups[0])

    def difference(groups):
        return mean(groups[0]) - mean(groups[1])

    def clustered(groups):
        return mean_of_all(groups[0])

    def clustered_difference(groups):
        return mean_of_all(groups[0]) - mean_of_all(groups[1])

    for seed, size, confidence, resamples in [
        (42, 7, 0.95, 1000), (1, 12, 0.9, 100), (165, 40, 0.95, 1000), (2**63, 25, 0.99, 5000),
    ]:
        skewed = np.round(generator.lognormal(1, 0.8, size), 6).tolist()
        yield case("mean", [skewed], one, seed, resamples, confidence)
    for seed, n_a, n_b in [(7, 6, 9), (8, 30, 12)]:
        groups = [np.round(generator.normal(10, 1, n_a), 6).tolist(), np.round(generator.lognormal(2, 0.4, n_b), 6).tolist()]
        yield case("difference", groups, difference, seed)
    for seed, size in [(9, 8), (10, 20)]:
        base = generator.uniform(5, 50, size)
        pair = [np.round(base + generator.exponential(1, size), 6).tolist(), np.round(base, 6).tolist()]
        differences = [a - b for a, b in zip(*pair)]
        yield case("paired", [differences], one, seed) | {"groups": pair}

    def launches(count, level):
        return [np.round(level + generator.normal(0, 1) + generator.normal(0, 0.1, int(generator.integers(1, 7))), 6).tolist()
                for _ in range(count)]

    for seed, count in [(11, 5), (12, 14)]:
        yield case("clustered", [launches(count, 20)], clustered, seed)
    yield case("clustered_difference", [launches(9, 20), launches(12, 19)], clustered_difference, 13)


if __name__ == "__main__":
    write(
        __file__,
        "Bootstrap intervals: scipy.stats.bootstrap's percentile, basic and BCa intervals of resamples drawn by the "
        "room's own stream, which this script repeats.",
        ["numpy", "scipy"],
        {"intervals": list(cases(np.random.default_rng(1993)))},
    )
