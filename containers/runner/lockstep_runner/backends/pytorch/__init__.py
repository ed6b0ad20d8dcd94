"""PyTorch with transformers' own models, eager or compiled, with the evidence of what really ran.

Way of the data: `settings` (which way a cell is to be done) -> `weights` (the model) -> `cell` (compiled for exactly that
cell by `compiler`, one iteration of it `profiled`) -> `sequence` (cache and inputs of each pass) -> `PyTorch` (the phases,
on the device). `kernel_cache` is the private folder of compiled kernels, `stack` what software and device say of themselves.
Only torch 2.11 was read and tried; where another version keeps other books, a cell fails by name rather than without proof.
"""

import gc
import os

from lockstep_runner.backends import BackendError, Refused
from lockstep_runner.backends.pytorch.kernel_cache import KernelCache
from lockstep_runner.backends.pytorch.settings import HONOURED, Settings
from lockstep_runner.phases import Job, Phases
from lockstep_runner.sampling import Seeded


class PyTorch(Phases):
    """The backend `pytorch`."""

    HONOURED = HONOURED

    def __init__(self):
        self._lane = {}

    def load(self, model_dir, axes, max_positions, pulse):
        """Imports torch and loads the model as the lane declares it; cells may ask for other formats later."""
        threads = _threads(axes.get("threads"))
        self.check_lane({axis: value for axis, value in axes.items() if axis != "threads"})
        self._lane = {axis: value for axis, value in axes.items() if axis in self.HONOURED}
        try:
            Settings(self._lane, {})
        except Refused as error:
            raise BackendError(str(error)) from error
        kernels = KernelCache()
        import torch

        from lockstep_runner.backends.pytorch.cell import Cells
        from lockstep_runner.backends.pytorch.sequence import Caches
        from lockstep_runner.backends.pytorch.weights import Weights

        if threads is not None:
            torch.set_num_threads(threads)
        self._torch, self._device = torch, _device(torch, axes.get("device"))
        # For this thread, which does all the work.
        torch.set_grad_enabled(False)
        pulse.advance(1)
        self._weights = Weights(model_dir, self._device)
        self._lane.setdefault("quantization", self._weights.quantization)
        self._settings = settings = Settings(self._lane, {})
        self._weights.check(settings, BackendError)
        config = self._weights.config.get_text_config(decoder=True)
        self.vocab_size, self.eos_token_ids = config.vocab_size, self._weights.eos_token_ids
        if max_positions > config.max_position_embeddings:
            raise BackendError(
                "the longest cell needs %d positions, the model has %d" % (max_positions, config.max_position_embeddings)
            )
        self._weights.model(settings.dtype, settings.attention)
        self._caches = Caches(torch, self._device)
        self._cells = Cells(torch, self._device, kernels)
        self._kernels = kernels
        # What is loaded stays: without this, every full collection would walk it inside somebody's timed loop.
        gc.collect()
        gc.freeze()

    def signals(self, stage):
        """Signals of this backend."""
        from lockstep_runner.backends.pytorch import stack

        found = {
            "engine.name": "pytorch",
            "engine.model_type": self._weights.config.model_type,
            "engine.device": self._device.type,
            # Where a cell does not say otherwise.
            "engine.cache": self._settings.cache,
            "engine.dtype": self._settings.dtype,
            "kernel_cache.private": self._kernels.is_private,
            "threads": self._torch.get_num_threads(),
            **stack.signals(self._torch, self._device),
        }
        if self._weights.kind is not None:
            found["weights.kind"] = self._weights.kind
        return found

    def close(self):
        """Removes what was written for this process alone."""
        self._kernels.close()

    def prepare(self, work, pulse):
        """The cell compiled and profiled, if this process has not done so; then a fresh cache, and the untimed prefill."""
        self._cells.tried = None
        self.check_cell(work.get("axes", {}))
        self.check_prompt(work["prompt"])
        step = pulse.step
        # Another format of the weights, another cache, the compiler: none of them reports units.
        pulse.enter("compile")
        cell = self._ready(work, pulse)
        gc.collect()
        pulse.enter(step)
        return self.begin_iteration(cell, work, pulse)

    def _ready(self, work, pulse):
        settings = Settings(self._lane, work.get("axes", {}))
        self._weights.check(settings, Refused)
        model = self._weights.model(settings.dtype, settings.attention)
        cache = self._caches.serial(model, settings, settings.positions(work))
        return self._cells.ready(model, settings, cache, work, pulse, self)

    def measure(self, job, pulse):
        """The passes of the phase, and the output's way back to the host."""
        self.do_passes(job, pulse)

    def do_passes(self, job, pulse):
        """The timed part of one sequence."""
        job.started = self._event()
        super().measure(job, pulse)
        tensors = [token for token in job.tokens if not isinstance(token, int)]
        if tensors:
            job.tokens = self._torch.cat(tensors, dim=1)[0].tolist()
        job.ended = self._event()
        self._synchronize()

    def finish(self, job):
        """Output, device time, and the evidence of the cell as it stands now."""
        finite = job.cache.finite
        if finite and not self._torch.stack(finite).isfinite().all():
            raise BackendError("a logit is not finite; the weights or the computation are broken")
        output = super().finish(job)
        output.evidence.update(job.cell.evidence())
        if job.started is not None:
            output.evidence["device_ns"] = int(1e6 * job.started.elapsed_time(job.ended))
        return output

    def left_behind(self):
        """What is known of the cell that failed, where it came so far."""
        cell = self._cells.tried
        if cell is None:
            return {}
        found = {"device": self._device.type, **cell.evidence()}
        if "compile.suppressed_errors" in found:
            # That one of them was not suppressed is why we are here.
            found["compile.errors"] = found.pop("compile.suppressed_errors")
        return found

    def advance(self, job, tokens, pulse):
        """A pass, and the pick of its token: greedy on the device, where the next pass needs it."""
        logits = self.pass_over(job, tokens, pulse)
        if isinstance(job.pick, Seeded):
            return self._draw(job.pick, logits)
        # NaN and infinity survive a sum; one number a pass is looked at when the clock has stopped.
        job.cache.finite.append(logits.sum(dtype=self._torch.float32))
        return logits.argmax(dim=-1, keepdim=True)

    def pass_over(self, job, tokens, pulse):
        """The logits of the last position, where the device will have them."""
        sequence = job.cache
        inputs = sequence.prompt_inputs() if tokens is job.work["prompt"] else sequence.token_inputs(tokens[0])
        logits = job.cell.call(inputs)
        pulse.advance(1)
        return logits

    def _draw(self, seeded, logits):
        wide = logits[0].to("cpu", self._torch.float64)
        if not wide.isfinite().all():
            raise BackendError("a logit is not finite; the weights or the computation are broken")
        # Stable, so that of equal logits the lowest id comes first.
        ranked, order = self._torch.sort(wide, descending=True, stable=True)
        return int(order[seeded.draw(ranked[: seeded.top_k].tolist())])

    def evidence(self, sequence):
        """What is read from the objects that did the work."""
        positions = sequence.positions()
        return {
            "cache": sequence.kind(),
            **({"cache.positions": positions} if positions is not None else {}),
            "device": self._device.type,
            "dtype": self._weights.dtype_of(sequence.model),
            "padded": sequence.padding(),
            **self._weights.quantization_of(sequence.model),
            "attention": sequence.model.config._attn_implementation,
            "attention.implementation": sequence.model.config._attn_implementation,
            "threads": self._torch.get_num_threads(),
        }

    def begin_iteration(self, cell, work, pulse):
        """One iteration of the cell, as far as it is untimed."""
        sampling = work["sampling"]
        pick = Seeded(sampling) if sampling["kind"] == "seeded" else None
        job = Job(work, self._caches.sequence(cell.model, cell.settings, work, cell.positions), pick)
        job.cell = cell
        self.prefill_untimed(job, pulse)
        self._synchronize()
        return job

    def _event(self):
        if self._device.type != "cuda":
            return None
        event = self._torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _synchronize(self):
        if self._device.type == "cuda":
            self._torch.cuda.synchronize(self._device)


def _device(torch, asked):
    has_cuda = torch.cuda.is_available()
    if asked == "cuda" and not has_cuda:
        raise BackendError("the lane declares device = 'cuda', and torch %s finds no CUDA device" % torch.__version__)
    if asked == "cpu" or not has_cuda:
        return torch.device("cpu")
    # One device a runner: the environment says which.
    return torch.device("cuda", 0)


def _threads(asked):
    if asked is None:
        return None
    most = len(os.sched_getaffinity(0))
    if not asked.isdigit() or not 0 < int(asked) <= most:
        raise BackendError("the lane declares threads = %r; this process may use 1 to %d" % (asked, most))
    return int(asked)
