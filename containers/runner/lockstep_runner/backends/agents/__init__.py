"""N agents in one Python process: threads that each decode requests of their own, in pure Python or in NumPy.

What this backend is for is the interpreter itself. Pure Python holds the global lock throughout, NumPy's kernels give it
up, so the two arms bracket what the lock can cost. Way of the data: `Reference`'s checkpoint -> `kernels` (the two
decoders over the same weights) -> `Crowd` (threads that start together) -> evidence, with the `control` of the same
moment: what two processes, which share no lock, gained on this host.
"""

import contextlib
import copy
import gc
import os
import sys
import time

from lockstep_runner.backends import BackendError, Refused
from lockstep_runner.backends.agents.control import Control
from lockstep_runner.backends.pytorch.direct import Agent, Crew, Crowd
from lockstep_runner.backends.reference.decoder import Cache, build
from lockstep_runner.backends.reference.shape import read_shape
from lockstep_runner.backends.reference.tensors import Checkpoint
from lockstep_runner.phases import Phases

# Requests that an agent serves one after the other in a sample. A thread asks for the lock anew every five milliseconds
# (`sys.getswitchinterval`), and NumPy decodes one in less: a sample has to see many such turns.
REQUESTS = {"python": 1, "numpy": 32}
BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


class Agents(Phases):
    """The backend `agents`."""

    HONOURED = {
        "agents": tuple(str(count) for count in range(1, 65)),  # 1 to 64
        "cache": ("dynamic",),
        "compile_mode": ("none", "eager"),
        "cuda_graphs": ("none",),
        "device": ("cpu",),
        "dynamic": ("none",),
        "kernels": tuple(REQUESTS),  # python|numpy
        "padded": ("none",),
        "quantization": ("none",),
        "threads": ("1",),
    }

    def __init__(self):
        self._shape = None
        self._control = None
        self._decoders = {}
        self._numpy = None
        self._blas_threads = 0
        self._crew = Crew()

    def load(self, model_dir, axes, max_positions, pulse):
        """Imports NumPy where it is installed, and lays the weights out for both arms."""
        self._shape = shape = read_shape(model_dir)
        self.HONOURED = {**self.HONOURED, "layers": tuple(str(count + 1) for count in range(shape.layers))}
        self.check_lane(axes)
        self.vocab_size, self.eos_token_ids = shape.vocab_size, shape.eos_token_ids
        if max_positions > shape.max_positions:
            raise BackendError(
                "the longest cell needs %d positions, the model has %d" % (max_positions, shape.max_positions)
            )
        self._numpy, self._blas_threads = _import_numpy()
        with Checkpoint(model_dir, pulse) as checkpoint:
            # Rows stay arrays of machine numbers: numbers as objects would be counted by all agents at once, and a counter
            # that two processors write to is slower than the arithmetic it counts for.
            checkpoint.keep_arrays()
            self._decoders["python"] = build(shape, checkpoint)
            if self._numpy is not None:
                from lockstep_runner.backends.agents.kernels import NumpyDecoder

                self._decoders["numpy"] = NumpyDecoder(self._numpy, shape, checkpoint, max_positions)
            checkpoint.refuse_rest(shape)
        for kernels in self._decoders:
            # What an interpreter and a BLAS do once, they do now.
            warm = self.begin({"prompt": [0], "new_tokens": 1, "axes": {"kernels": kernels}})
            self.forward([0], warm, pulse)
        self._control = Control()
        gc.collect()
        gc.freeze()

    def signals(self, stage):
        """Signals of this backend."""
        found = {
            "engine.name": "agents",
            "engine.cache": "dynamic",
            "engine.model_type": self._shape.model_type,
            "processors": len(os.sched_getaffinity(0)),
            "threads": 1,
        }
        if self._numpy is not None:
            found["blas.threads"] = self._blas_threads
        return found

    def close(self):
        """Ends the processes of the control."""
        if self._control is not None:
            self._control.close()

    def prepare(self, work, pulse):
        """A thread for each agent, its prefill done, waiting for the start; and the control of this moment."""
        axes = work.get("axes", {})
        self.check_cell(axes)
        self.check_prompt(work["prompt"])
        kernels = axes.get("kernels", "python")
        if kernels not in self._decoders:
            raise Refused("the cell asks for kernels = %r, and NumPy is not installed here" % kernels)
        agents = [Agent(self, self._job(work, kernels, pulse), None) for _ in range(int(axes.get("agents", "1")))]
        crowd = Crowd(agents, self._crew)
        # What earlier repetitions left behind is not collected inside the timed part.
        gc.collect()
        # The agents wait for their start, so that nothing of theirs runs beside the control.
        try:
            crowd.before, crowd.looks = self._control.calm(pulse)
        except BackendError:
            # Their threads are wanted again, and nobody else would let them go.
            crowd.run(pulse)
            raise
        return crowd

    def _job(self, work, kernels, pulse):
        job = super().prepare(work, pulse)
        job.kernels, job.requests, job.request_ns = kernels, REQUESTS[kernels], []
        job.mark = len(work["prompt"]) if work["phase"] == "kv_decode" else 0
        return job

    def begin(self, work):
        """An empty cache of the cell's arm, and the decoder that fills it."""
        axes = work.get("axes", {})
        kernels, layers = axes.get("kernels", "python"), int(axes.get("layers", self._shape.layers))
        # The model cut after its first layers is a smaller model over the same weights.
        decoder = copy.copy(self._decoders[kernels])
        decoder.blocks = decoder.blocks[:layers]
        is_numpy = kernels == "numpy"
        positions = len(work["prompt"]) + work["new_tokens"]
        cache = decoder.cache(positions) if is_numpy else Cache(self._shape, "dynamic")
        cache.decoder = decoder
        return cache

    def forward(self, tokens, cache, pulse):
        """One pass."""
        return cache.decoder.forward(tokens, cache, pulse)

    def advance(self, job, tokens, pulse):
        """A pass and its token. NumPy picks the highest logit itself: a list of all would hold the lock for longer."""
        logits = self.forward(tokens, job.cache, pulse)
        if isinstance(logits, list):
            return job.pick(logits)
        if job.work["sampling"]["kind"] != "greedy":
            return job.pick(logits.tolist())
        if not self._numpy.isfinite(logits.sum()):
            raise BackendError("a logit is not finite; the weights or the computation are broken")
        return int(logits.argmax())

    def measure(self, crowd, pulse):
        """All agents at once."""
        crowd.run(pulse)

    def do_passes(self, job, pulse):
        """The requests of one agent, one after the other; each has to give the same tokens."""
        first = None
        for _ in range(job.requests):
            begun = time.perf_counter_ns()
            if job.request_ns:
                job.cache.rewind(job.mark)
            job.tokens, job.passes = [], 0
            super().measure(job, pulse)
            job.request_ns.append(time.perf_counter_ns() - begun)
            first = first or job.tokens
            if job.tokens != first:
                raise BackendError("a request gave other tokens than the one before it, from the same prompt")

    def set_up_thread(self):
        """Nothing is kept for a thread."""

    def settle(self, job, count):
        """Nothing is planned for a thread."""

    def in_stream(self, stream):
        """Threads of a processor have no streams."""
        return contextlib.nullcontext()

    def wait_for(self, stream):
        """Everything is done when the call returns."""

    def finish(self, crowd):
        """The first agent's output, if all gave the same, how long each request took, and the control around it."""
        after = self._control.speedup(None)
        outputs = [super(Agents, self).finish(agent.job) for agent in crowd.agents]
        first, job = outputs[0], crowd.agents[0].job
        for number, other in enumerate(outputs):
            if (other.tokens, other.stop) != (first.tokens, first.stop):
                raise BackendError("agent %d gave other tokens than agent 0, from the same prompt and seed" % number)
        first.evidence.update(
            {
                "agents": str(len(outputs)),
                "agents.request_ns": [str(ns) for agent in crowd.agents for ns in agent.job.request_ns],
                "agents.requests": job.requests,
                "agents.wall_ns": [str(agent.wall_ns) for agent in crowd.agents],
                "control.after": after,
                "control.before": crowd.before,
                "control.looks": crowd.looks,
                "control.two_process_speedup": min(crowd.before, after),
                "gil": str(bool(getattr(sys, "_is_gil_enabled", lambda: True)())).lower(),
            }
        )
        return first

    def evidence(self, cache):
        """What did the work."""
        is_numpy = not isinstance(cache, Cache)
        return {
            "cache": "dynamic",
            "dtype": "f32" if is_numpy else "f64",
            "kernels": "numpy" if is_numpy else "python",
            "layers": str(len(cache.decoder.blocks)),
            "threads": self._blas_threads if is_numpy else 1,
        }


def _import_numpy():
    """NumPy, and how many threads its BLAS has: those that the import left behind, and the caller."""
    for name in BLAS_THREADS:
        os.environ.setdefault(name, "1")
    before = len(os.listdir("/proc/self/task"))
    try:
        import numpy
    except ImportError:
        return None, 0
    threads = 1 + len(os.listdir("/proc/self/task")) - before
    if threads != 1:
        raise BackendError("NumPy's BLAS has %d threads; set %s to 1 for this lane" % (threads, " and ".join(BLAS_THREADS)))
    return numpy, threads
