"""Choosing a token from logits; `containers/WIRE.md` gives the algorithm to the bit."""

from bisect import bisect_left, bisect_right
from itertools import accumulate
from math import exp, isfinite

_MASK = (1 << 64) - 1


class SplitMix64:
    """The stream of Steele, Lea and Flood 2014, with the seed as its first state."""

    def __init__(self, seed):
        self._state = seed

    def next_u64(self):
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)


def sampler(spec):
    """The function from logits to a token that `work.sampling` asks for; ValueError names what is out of range."""
    if spec["kind"] == "greedy":
        return pick_greedy
    temperature, top_k, top_p = spec["temperature"], spec.get("top_k"), spec.get("top_p")
    if not temperature > 0:
        raise ValueError("work field `sampling.temperature` is %r; expected a finite number above 0" % temperature)
    if top_k == 0:
        raise ValueError("work field `sampling.top_k` is 0; expected at least 1, or no top_k")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError("work field `sampling.top_p` is %r; expected above 0 and at most 1, or no top_p" % top_p)
    stream = SplitMix64(spec["seed"])
    return lambda logits: _pick_seeded(_finite(logits), stream, temperature, top_k, top_p)


def pick_greedy(logits):
    """The highest logit; of equal ones the lowest id."""
    return _finite(logits).index(max(logits))


def _pick_seeded(logits, stream, temperature, top_k, top_p):
    # Equal logits keep their order in a reversed sort too, so the lowest id stays first.
    order = sorted(range(len(logits)), key=logits.__getitem__, reverse=True)[:top_k]
    highest = logits[order[0]]
    # Running sums by plain additions: `sum` compensates for rounding in some versions of Python.
    sums = list(accumulate([exp((logits[token] - highest) / temperature) for token in order]))
    kept = len(sums)
    if top_p is not None:
        kept = min(bisect_left(sums, top_p * sums[-1]) + 1, kept)
    draw = (stream.next_u64() >> 11) * 2.0**-53
    return order[min(bisect_right(sums, draw * sums[kept - 1], 0, kept), kept - 1)]


def _finite(logits):
    if all(map(isfinite, logits)):
        return logits
    token = next(token for token, logit in enumerate(logits) if not isfinite(logit))
    raise ValueError("the logit of token %d is %r; the weights or the computation are broken" % (token, logits[token]))
