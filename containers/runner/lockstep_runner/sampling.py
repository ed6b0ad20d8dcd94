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
    return pick_greedy if spec["kind"] == "greedy" else Seeded(spec).pick


def pick_greedy(logits):
    """The highest logit; of equal ones the lowest id."""
    return _finite(logits).index(max(logits))


class Seeded:
    """Draws from a stream of its own."""

    def __init__(self, spec):
        temperature, top_k, top_p = spec["temperature"], spec.get("top_k"), spec.get("top_p")
        if not temperature > 0:
            raise ValueError("work field `sampling.temperature` is %r; expected a finite number above 0" % temperature)
        if top_k == 0:
            raise ValueError("work field `sampling.top_k` is 0; expected at least 1, or no top_k")
        if top_p is not None and not 0 < top_p <= 1:
            raise ValueError("work field `sampling.top_p` is %r; expected above 0 and at most 1, or no top_p" % top_p)
        self._stream = SplitMix64(spec["seed"])
        self._temperature, self.top_k, self._top_p = temperature, top_k, top_p

    def pick(self, logits):
        """A token by its logit, from the logits of all tokens."""
        # Equal logits keep their order in a reversed sort too, so the lowest id stays first.
        order = sorted(range(len(_finite(logits))), key=logits.__getitem__, reverse=True)[: self.top_k]
        return order[self.draw([logits[token] for token in order])]

    def draw(self, ranked):
        """The place of the drawn candidate among the logits of the candidates: at most `top_k`, highest first."""
        # Running sums by plain additions: `sum` compensates for rounding in some versions of Python.
        sums = list(accumulate([exp((logit - ranked[0]) / self._temperature) for logit in ranked]))
        kept = len(sums)
        if self._top_p is not None:
            kept = min(bisect_left(sums, self._top_p * sums[-1]) + 1, kept)
        drawn = (self._stream.next_u64() >> 11) * 2.0**-53
        return min(bisect_right(sums, drawn * sums[kept - 1], 0, kept), kept - 1)


def _finite(logits):
    if all(map(isfinite, logits)):
        return logits
    token = next(token for token, logit in enumerate(logits) if not isfinite(logit))
    raise ValueError("the logit of token %d is %r; the weights or the computation are broken" % (token, logits[token]))
