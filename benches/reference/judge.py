"""The work of `benches/judge.rs` in Python: journal file to statistics, vectorised with numpy and scipy.

    python judge.py DESIGN.json JOURNAL.jsonl

Reads standard input: an empty line is one judgement, answered with its seconds; `compare FILE` holds one against the
numbers of a verdict. What is timed begins with opening
the file and ends with every number; starting Python and importing numpy and scipy is not timed. JSON is read by orjson,
the fastest parser there is for Python. Every cell is one row of an array; nothing but reading loops over rows.

The same checks of the file as Lockstep makes: the SHA-256 chain of every line, the digest of every row's tokens, rows
that stand twice, launches that were started. The same statistics for every cell: launch means, their mean, standard
deviation and Student interval, percentiles over repetitions, the bootstrap interval of the mean in both lanes with the
same resamples, Welch's test, the relative difference with the interval of the ratio, Cohen's d, TOST, Holm's adjustment and
the minimal detectable effect.
"""

import hashlib
import json
import sys
import time

import numpy as np
import orjson
from scipy import special, stats
from scipy.optimize import elementwise

BEFORE_HEX = b',"chain":"'
SUFFIX = len(BEFORE_HEX) + 64 + 2


def read(path, design):
    """Times in milliseconds: [lane, cell, block, repetition]."""
    lanes = {name: number for number, name in enumerate(design["lanes"])}
    cells = {name: number for number, name in enumerate(design["cells"])}
    launches, repetitions = design["launches"], design["repetitions"]
    sha256, loads, dumps = hashlib.sha256, orjson.loads, orjson.dumps
    previous = sha256(b"lockstep journal").hexdigest().encode()
    started, places, wall = {}, [], []
    with open(path, "rb") as file:
        for line in file:
            head, stated = line[: -SUFFIX - 1], line[-67:-3]
            if sha256(b"%s\n%s}" % (previous, head)).hexdigest().encode() != stated:
                raise SystemExit("the chain is broken")
            previous = stated
            record = loads(line)
            kind = record["type"]
            if kind == "row":
                lane, cell = lanes[record["lane"]], cells[record["cell"]]
                if "sha256:" + sha256(dumps(record["tokens"])).hexdigest() != record["output_sha256"]:
                    raise SystemExit("a row contradicts itself")
                if record["plan"] != design["plan"] or started[record["launch"]] != (record["lane"], record["block"]):
                    raise SystemExit("a row of another plan or launch")
                if record["outcome"] != "ok" or record["attempt"] != 0:
                    raise SystemExit("this journal has only first attempts that are ok")
                places.append(((lane * len(cells) + cell) * launches + record["block"]) * repetitions + record["rep"])
                wall.append(record["wall_ns"])
            elif kind == "launch_start":
                started[record["launch"]] = (record["lane"], record["block"])
    shape = (len(lanes), len(cells), launches, repetitions)
    places, wall = np.array(places), np.array(wall, dtype=float)
    if len(np.unique(places)) != len(places) or len(places) != np.prod(shape):
        raise SystemExit("a row stands twice or is missing")
    times = np.empty(len(wall))
    times[places] = wall / 1e6
    return times.reshape(shape)


def splitmix_indices(seed, resamples, n):
    """The resamples that Lockstep draws: SplitMix64 and Lemire's bounded integers (rejections are below 1e-18)."""
    with np.errstate(over="ignore"):
        state = np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15) * np.arange(1, resamples * n + 1, dtype=np.uint64)
        z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
        low, high = z & np.uint64(0xFFFFFFFF), z >> np.uint64(32)
        index = (high * np.uint64(n) + ((low * np.uint64(n)) >> np.uint64(32))) >> np.uint64(32)
    return index.astype(np.intp).reshape(resamples, n)


def bootstrap(values, seed, resamples, alpha):
    """Percentile intervals of the means of the last axis."""
    indices = splitmix_indices(seed, resamples, values.shape[-1])
    means = np.zeros(values.shape[:-1] + (resamples,))
    for draw in indices.T:
        means += values[..., draw]
    means /= values.shape[-1]
    return np.percentile(means, [50 * alpha, 100 - 50 * alpha], axis=-1)


def holm(p):
    order = np.argsort(p)
    stepped = np.maximum.accumulate(np.arange(len(p), 0, -1) * p[order])
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def detectable(df, alpha, power):
    """Noncentrality at which the two-sided test has the power, by df."""
    critical = stats.t.isf(alpha / 2, df)

    def excess(noncentrality, df, critical):
        upper = 1 - special.nctdtr(df, noncentrality, critical)
        return upper + special.nctdtr(df, noncentrality, -critical) - power

    return elementwise.find_root(excess, (0.5 * critical, 3 * critical + 3), args=(df, critical)).x


def judge(path, design):
    alpha, margin = design["alpha"], design["margin_pct"]
    times = read(path, design)
    launches = times.mean(axis=3)
    n = launches.shape[2]
    mean, sd = launches.mean(axis=2), launches.std(axis=2, ddof=1)
    reach = stats.t.isf(alpha / 2, n - 1) * sd / np.sqrt(n)
    flat = times.reshape(times.shape[0], times.shape[1], -1)
    percentiles = np.percentile(flat, [50, 90, 95, 99], axis=2)
    resampled = bootstrap(launches, design["seed"], design["resamples"], alpha)

    # Candidate against baseline in percent of the baseline's mean: the error of the ratio for intervals and TOST, the
    # error at a ratio of 1 for what Welch's test detects.
    base, candidate = mean[0], mean[1]
    scale = 100 / base
    difference = (candidate - base) * scale

    def error(ratio):
        variance = sd**2 / n * scale**2 * np.stack([ratio**2, np.ones_like(ratio)])
        se = np.sqrt(variance.sum(axis=0))
        return se, se**4 / (variance**2 / (n - 1)).sum(axis=0)

    se, df = error(candidate / base)
    null_se, null_df = error(np.ones_like(base))
    p = stats.ttest_ind(launches[1], launches[0], axis=1, equal_var=False).pvalue
    cohen_d = (candidate - base) / np.sqrt((sd**2).mean(axis=0))
    half = stats.t.isf(alpha / 2, df) * se
    tost_half = stats.t.isf(alpha, df) * se
    p_tost = np.maximum(stats.t.sf((difference + margin) / se, df), stats.t.cdf((difference - margin) / se, df))
    return {
        "mean_ms": mean, "sd_ms": sd, "cv_pct": 100 * sd / mean, "min_ms": launches.min(axis=2),
        "max_ms": launches.max(axis=2), "student_low": mean - reach, "student_high": mean + reach,
        "p50_ms": percentiles[0], "p90_ms": percentiles[1], "p95_ms": percentiles[2], "p99_ms": percentiles[3],
        "bootstrap_low": resampled[0], "bootstrap_high": resampled[1],
        "difference_pct": difference, "low_pct": difference - half, "high_pct": difference + half,
        "tost_low_pct": difference - tost_half, "tost_high_pct": difference + tost_half,
        "cohen_d": cohen_d, "p": p, "p_adjusted": holm(p), "p_tost": p_tost,
        "mde_pct": detectable(null_df, alpha, design["power"]) * null_se,
    }


def compare(result, expected):
    """Relative differences beyond the six digits to which a verdict rounds; the largest by number."""
    worst = {}
    for name, stated in expected.items():
        stated, own = np.asarray(stated, dtype=float), result[name]
        with np.errstate(divide="ignore"):
            digit = 10.0 ** (np.floor(np.log10(np.abs(own))) - 5)
        beyond = np.maximum(np.abs(own - stated) - 0.5 * digit, 0) / np.abs(own)
        worst[name] = float(beyond.max())
    return worst


def main():
    with open(sys.argv[1], "rb") as file:
        design = json.load(file)
    print("ready", flush=True)
    for command in sys.stdin:
        if command.startswith("compare "):
            with open(command.split(" ", 1)[1].strip(), "rb") as file:
                worst = compare(judge(sys.argv[2], design), json.load(file))
            print(json.dumps(worst), flush=True)
            continue
        begun = time.perf_counter()
        judge(sys.argv[2], design)
        print(time.perf_counter() - begun, flush=True)


if __name__ == "__main__":
    main()
