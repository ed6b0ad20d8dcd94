"""A decoder in plain Python: slow, exact (64-bit floats throughout), with no dependency at all.

It answers one question: are these the tokens that the checkpoint gives? Way of the data: `shape` (config.json, checked)
-> `tensors` (safetensors, read) -> `decoder` (forward passes over a cache) -> `Reference`, whose phases are those of
`lockstep_runner.phases`.
"""

import gc

from lockstep_runner.backends import BackendError
from lockstep_runner.backends.reference.decoder import Cache, build
from lockstep_runner.backends.reference.shape import read_shape
from lockstep_runner.backends.reference.tensors import Checkpoint
from lockstep_runner.phases import Phases


class Reference(Phases):
    """The backend `reference`."""

    HONOURED = {
        "attention": ("eager",),
        "cache": ("dynamic", "none"),
        "compile_mode": ("none", "eager"),
        "cuda_graphs": ("none",),
        "device": ("cpu",),
        "dtype": ("f64",),
        "dynamic": ("none",),
        "padded": ("none",),
        "quantization": ("none",),
        "threads": ("1",),
    }

    def __init__(self):
        self._shape = None
        self._decoder = None
        self._cache_kind = None

    def load(self, model_dir, axes, max_positions, pulse):
        """Reads the checkpoint and lays its weights out as Python numbers."""
        self.check_lane(axes)
        self._cache_kind = axes.get("cache", "dynamic")
        self._shape = read_shape(model_dir)
        self.vocab_size, self.eos_token_ids = self._shape.vocab_size, self._shape.eos_token_ids
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

    def begin(self, work):
        """An empty cache, of the kind that the cell fixes or the lane declares."""
        return Cache(self._shape, work.get("axes", {}).get("cache", self._cache_kind))

    def forward(self, tokens, cache, pulse):
        """One pass."""
        return self._decoder.forward(tokens, cache, pulse)

    def evidence(self, cache):
        """What this backend always does."""
        return {"cache": cache.kind, "dtype": "f64", "threads": 1}
