"""Cells made ready: compiled, settled, and profiled once, before anything of them is timed."""

import inspect
import time

from lockstep_runner.backends.pytorch import profiled, stack
from lockstep_runner.backends.pytorch.compiler import Compiler

# A compiled pass runs once to compile, once to record a CUDA graph, once to replay it; a growing cache takes one iteration
# more. What still compiles after that will go on doing so, and the evidence says that it did not settle.
MOST_ITERATIONS = 5
# The profile of more passes would tell the same, and take longer to read than to run.
PROFILED_PASSES = 64


class Cells:
    """The cells that this process has made ready. Only one compiled cell is: another forgets what was compiled for it."""

    def __init__(self, torch, device, kernels):
        self._torch, self._device, self._kernels = torch, device, kernels
        self._compiler = Compiler(torch, device)
        self._compiled = None
        self._eager = {}
        # What was last made ready, or tried to.
        self.tried = None

    def ready(self, model, settings, cache, work, pulse, backend):
        """The cell of this work on this static cache; the backend begins an iteration of it and does its passes."""
        # What is compiled is bound to the addresses of its cache, and eager work is not.
        bound = cache if settings.is_compiled else None
        key = (settings.key(), bound, work["phase"], len(work["prompt"]), work["new_tokens"])
        if not work["ignore_eos"]:
            # How many passes there are is the output's to say.
            key += (tuple(work["prompt"]), tuple(sorted(work["sampling"].items())))
        self.tried = self._eager.get(key)
        if settings.is_compiled and self._compiled is not None and self._compiled.key == key:
            self.tried = self._compiled
        if self.tried is not None:
            return self.tried
        if settings.is_compiled:
            # Whatever fails from here on leaves no cell behind.
            self._compiled = None
        self.tried = cell = Cell(self._torch, model, settings, settings.positions(work), key)
        self._make_ready(cell, work, pulse, backend)
        if settings.is_compiled:
            self._compiled = cell
        else:
            self._eager[key] = cell
        return cell

    def _make_ready(self, cell, work, pulse, backend):
        kind = "triton" if self._device.type == "cuda" else "cpp"
        compiler = None
        if cell.settings.is_compiled:
            compiler = self._compiler
            before = self._kernels.kernels(kind)
            cell.take(compiler, compiler.compile(cell.model, cell.settings))
        self._settle(cell, compiler, work, pulse, backend)
        if compiler is not None:
            name = "triton.new_kernels" if kind == "triton" else "inductor.new_kernels"
            cell.found[name] = len(self._kernels.kernels(kind) - before)
            cell.found.update(stack.inductor_view())
            cell.found.update(stack.triton())
        self._profile(cell, work, pulse, backend)
        cell.begin_timed()

    def _settle(self, cell, compiler, work, pulse, backend):
        """Iterates until an iteration compiles nothing."""
        compiling_ns = 0
        for iteration in range(MOST_ITERATIONS):
            before = compiler.mark() if compiler else None
            start = time.perf_counter_ns()
            backend.do_passes(backend.begin_iteration(cell, work, pulse), pulse)
            if (compiler.mark() if compiler else None) == before:
                break
            compiling_ns += time.perf_counter_ns() - start
            cell.found["compile.wall_ns"] = compiling_ns
            cell.found["compile.iterations"] = iteration + 1
        if compiler:
            cell.found["compile.settled"] = compiler.mark() == before

    def _profile(self, cell, work, pulse, backend):
        profiled_work = {**work, "new_tokens": min(work["new_tokens"], PROFILED_PASSES)}

        def begin():
            return backend.begin_iteration(cell, profiled_work, pulse)

        def do_passes(job):
            backend.do_passes(job, pulse)

        try:
            found = profiled.profile(self._torch, self._device, cell.settings.is_compiled, begin, do_passes)
        except profiled.Unavailable as error:
            found = {"profile.error": str(error)[:400]}
        cell.found.update(found)


class Cell:
    """One cell, ready to be timed."""

    def __init__(self, torch, model, settings, positions, key):
        self._torch = torch
        self.model, self.settings, self.key = model, settings, key
        # What its longest sequence takes: the profile may be of a shorter one, over the same cache.
        self.positions = positions
        self.callable = model
        self.found = {}
        self._compiler = None
        self._marks_step = settings.is_compiled and settings.marks_step
        self._calls = self._marked_before = 0
        self._mark = None

    def take(self, compiler, compiled):
        """What the passes call from now on, and who knows how it was compiled."""
        self._compiler, self.callable = compiler, compiled
        self._marked_before = compiler.marked_steps()

    def begin_timed(self):
        """From here on nothing may be compiled any more."""
        self._mark = self._compiler.mark() if self._compiler is not None else None

    def call(self, inputs):
        """A pass; the last position's logits, `[1, vocab_size]`."""
        self._calls += 1
        if self._marks_step:
            self._torch.compiler.cudagraph_mark_step_begin()
        return self.callable(**inputs).logits[:, -1, :]

    def evidence(self):
        """How this cell was compiled, as torch's books have it now, and what its profile showed."""
        settings = self.settings
        found = {**settings.axes, **self.found}
        # Read from the objects that did the work, not from what was asked for.
        for axis in ("attention", "cache", "dtype", "padded", "quantization"):
            found.pop(axis)
        if self._compiler is not None:
            found.update(self._compiler.evidence())
            if self._mark is not None and self._compiler.mark() != self._mark:
                # In the timed part, perhaps; of the next repetition that is another question.
                found["compile.settled"] = False
                self.begin_timed()
            found["dynamic"] = "true" if found["compile.symbolic_shapes"] else self._compiler.told_dynamic() or found["dynamic"]
            found["compile_target"] = found["compile.target"] = self._target()
            found["cudagraph_mark_step"] = self._marked()
            found["graphs.mark_step"] = found["cudagraph_mark_step"] == "true"
        return found

    def _target(self):
        """What the passes call: a module, a function, or whatever stands in their place."""
        if isinstance(self.callable, self._torch.nn.Module):
            return "model"
        return "forward" if inspect.isroutine(self.callable) else type(self.callable).__qualname__

    def _marked(self):
        """Whether each pass was marked as a step, or none, or how many."""
        marked = self._compiler.marked_steps() - self._marked_before
        if marked in (0, self._calls):
            return "true" if marked else "false"
        return "%d marks in %d passes" % (marked, self._calls)
