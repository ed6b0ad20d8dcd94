"""A decoder in plain Python: slow, exact (64-bit floats throughout), with no dependency at all.

It answers one question: are these the tokens that the checkpoint gives? Way of the data: `shape` (config.json, checked)
-> `tensors` (safetensors, read) -> `decoder` (forward passes over a cache) -> `Reference` (the phases).
"""

import gc

from lockstep_runner.backends import BackendError
from lockstep_runner.backends.reference.decoder import Cache, build
from lockstep_runner.backends.reference.shape import read_shape
from lockstep_runner.backends.reference.tensors import Checkpoint
from lockstep_runner.sampling import sampler

CACHES = ("dynamic", "none")
# Axes that this backend has one value of; a lane that declares another is mistaken about what it measures.
FIXED_AXES = {
    "compile_mode": ("none", "eager"),
    "device": ("cpu",),
    "dtype": ("f64",),
    "quantization": ("none",),
    "threads": ("1",),
}


class _Job:
    def __init__(self, work, pick, cache):
        self.work = work
        self.pick = pick
        self.cache = cache
        self.first = None
        self.tokens = []
        self.passes = 0


class Reference:
    """The backend `reference`."""

    def __init__(self):
        self._shape = None
        self._decoder = None
        self._cache_kind = None

    def load(self, model_dir, axes, max_positions, pulse):
        """Reads the checkpoint and lays its weights out as Python numbers."""
        self._cache_kind = axes.get("cache", "dynamic")
        if self._cache_kind not in CACHES:
            raise _unsupported("cache", self._cache_kind, CACHES)
        for axis, values in FIXED_AXES.items():
            if axis in axes and axes[axis] not in values:
                raise _unsupported(axis, axes[axis], values)
        self._shape = read_shape(model_dir)
        if max_positions > self._shape.max_positions:
            raise BackendError(
                "the longest cell needs %d positions, the model has %d" % (max_positions, self._shape.max_positions)
            )
        with Checkpoint(model_dir, pulse) as checkpoint:
            self._decoder = build(self._shape, checkpoint)
            checkpoint.refuse_rest(self._shape)
        # The weights stay: without this, every full collection would walk all of them inside somebody's timed loop.
        gc.collect()
        gc.freeze()

    def signals(self, stage):
        """Signals of this backend."""
        return {
            "engine.name": "reference",
            "engine.cache": self._cache_kind,
            "engine.dtype": "f64",
            "engine.model_type": self._shape.model_type,
            "threads": 1,
        }

    def prepare(self, work, pulse):
        """A fresh cache and sampler; for `kv_decode` the prefill that yields t0."""
        for index, token in enumerate(work["prompt"]):
            if token >= self._shape.vocab_size:
                raise BackendError(
                    "token %d at index %d lies outside the vocabulary of %d ids"
                    % (token, index, self._shape.vocab_size)
                )
        job = _Job(work, sampler(work["sampling"]), Cache(self._shape, self._cache_kind))
        if work["phase"] == "kv_decode":
            job.first = job.pick(self._decoder.forward(work["prompt"], job.cache, pulse))
        return job

    def measure(self, job, pulse):
        """The passes of the phase."""
        work = job.work
        if work["phase"] == "kv_decode":
            self._decode(job, job.first, work["new_tokens"], pulse)
            return
        token = job.pick(self._decoder.forward(work["prompt"], job.cache, pulse))
        job.passes += 1
        job.tokens.append(token)
        self._decode(job, token, work["new_tokens"] - 1, pulse)

    def _decode(self, job, token, passes, pulse):
        """Up to `passes` passes, each over the token that the one before gave."""
        for _ in range(passes):
            if self._ends(job, token):
                return
            token = job.pick(self._decoder.forward([token], job.cache, pulse))
            job.passes += 1
            job.tokens.append(token)

    def _ends(self, job, token):
        return not job.work["ignore_eos"] and token in self._shape.eos_token_ids

    def finish(self, job):
        """Output, stop reason and evidence."""
        last = job.tokens[-1] if job.tokens else job.first
        stop = "eos" if self._ends(job, last) else "length"
        evidence = {"cache": job.cache.kind, "dtype": "f64", "forward_passes": job.passes, "threads": 1}
        return job.tokens, stop, evidence


def _unsupported(axis, found, values):
    return BackendError(
        "the lane declares %s = %r, the reference backend has %s" % (axis, found, " or ".join(map(repr, values)))
    )
