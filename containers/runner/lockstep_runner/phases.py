"""The phases of `containers/WIRE.md`, over what a backend does in one forward pass.

A backend derives from `Phases`, says in `HONOURED` which axes it knows, and gives `load`, `signals`, `begin`, `forward` and
`evidence`. That is all: README.md shows one of twenty lines.
"""

from lockstep_runner.backends import BackendError, Output, Refused
from lockstep_runner.sampling import sampler

# Axes that decide which path does the work. A lane that declares one of them to a backend that does not know it is mistaken
# about what it measures; other axes are checked from outside.
CONCERNING = (
    "attention",
    "cache",
    "compile_mode",
    "cuda_graphs",
    "device",
    "dtype",
    "dynamic",
    "quantization",
    "threads",
)


class Job:
    """One repetition."""

    def __init__(self, work, cache, pick):
        self.work = work
        self.cache = cache
        self.pick = pick
        self.first = None
        self.tokens = []
        self.passes = 0


class Phases:
    """What all backends share: prompt and axes checked, the passes of each phase in their order, the output."""

    # Axis to the values that the backend can honour.
    HONOURED = {}
    # Set by `load`.
    vocab_size = 0
    eos_token_ids = frozenset()

    def begin(self, work):
        """A fresh cache: whatever `forward` and `evidence` need of one repetition."""
        raise NotImplementedError

    def forward(self, tokens, cache, pulse):
        """One pass over new tokens behind those of the cache; the last position's logits, as a list."""
        raise NotImplementedError

    def evidence(self, cache):
        """`cache`, `dtype`, `threads`, and whatever else shows which path did the work."""
        raise NotImplementedError

    def left_behind(self):
        """After a failure: what is known of the work by then."""
        return {}

    def close(self):
        """The runner leaves: removes what was written for this process alone."""

    def check_lane(self, axes):
        """Refuses an axis of the lane that concerns this backend and that it cannot honour."""
        for axis in CONCERNING:
            if axis in axes and axes[axis] not in self.HONOURED.get(axis, ()):
                raise self._unsupported(BackendError, "lane", axis, axes[axis])

    def check_cell(self, axes):
        """Refuses whatever of a cell this backend cannot honour: nobody else checks it."""
        for axis, value in axes.items():
            if value not in self.HONOURED.get(axis, ()):
                raise self._unsupported(Refused, "cell", axis, value)

    def _unsupported(self, kind, who, axis, found):
        values = " or ".join(map(repr, self.HONOURED.get(axis, ()))) or "no such axis"
        return kind("the %s declares %s = %r, this backend has %s" % (who, axis, found, values))

    def check_prompt(self, prompt):
        """Refuses a token that the vocabulary does not have."""
        for index, token in enumerate(prompt):
            if token >= self.vocab_size:
                raise BackendError(
                    "token %d at index %d lies outside the vocabulary of %d ids" % (token, index, self.vocab_size)
                )

    def prepare(self, work, pulse):
        """A fresh cache and sampler; for `kv_decode` the prefill that yields t0."""
        self.check_cell(work.get("axes", {}))
        self.check_prompt(work["prompt"])
        job = Job(work, self.begin(work), sampler(work["sampling"]))
        self.prefill_untimed(job, pulse)
        return job

    def prefill_untimed(self, job, pulse):
        """What comes before the timed part."""
        if job.work["phase"] == "kv_decode":
            job.first = self.advance(job, job.work["prompt"], pulse)

    def measure(self, job, pulse):
        """The passes of the phase."""
        work = job.work
        if work["phase"] == "kv_decode":
            self._decode(job, job.first, work["new_tokens"], pulse)
            return
        token = self.advance(job, work["prompt"], pulse)
        job.passes += 1
        job.tokens.append(token)
        self._decode(job, token, work["new_tokens"] - 1, pulse)

    def advance(self, job, tokens, pulse):
        """A pass, and the token that its logits give."""
        return job.pick(self.forward(tokens, job.cache, pulse))

    def _decode(self, job, token, passes, pulse):
        """Up to `passes` passes, each over the token that the one before gave."""
        for _ in range(passes):
            if self._ends(job, token):
                return
            token = self.advance(job, [token], pulse)
            job.passes += 1
            job.tokens.append(token)

    def _ends(self, job, token):
        return not job.work["ignore_eos"] and int(token) in self.eos_token_ids

    def finish(self, job):
        """Output, stop reason and evidence."""
        last = job.tokens[-1] if job.tokens else job.first
        stop = "eos" if self._ends(job, last) else "length"
        # The cell's axes were checked to be what this backend does; what it observed itself comes after and decides.
        evidence = {**job.work.get("axes", {}), "forward_passes": job.passes, **self.evidence(job.cache)}
        return Output(job.tokens, stop, evidence)
