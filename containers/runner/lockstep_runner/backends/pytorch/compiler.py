"""Compiles for exactly one cell, and reads from torch what came of it.

Everything here is read after the fact from torch's own books (torch 2.11: `torch._dynamo.utils`, the code objects' cache
entries, the settings of what `torch.compile` gave back, `torch._inductor.cudagraph_trees`).
"""

import inspect
import logging
import re

# Texts of evidence are for people, and stand in every row: of each kind the first few and the last tell enough.
SHOWN_TEXTS = 5
SHOWN_CHARACTERS = 300
LIMIT_HIT = "Dynamo recompile limit exceeded"
CUDAGRAPH_LOGGERS = ("torch._inductor.cudagraph_utils.__cudagraphs", "torch._inductor.cudagraph_trees.__cudagraphs")
# What Dynamo calls a size that it left open, among the shapes of a graph.
SYMBOL = re.compile(r"'s\d+")
# More than any cell compiles; torch keeps 64.
KEPT_COMPILATIONS = 4096


class _Overheard(logging.Handler):
    """Keeps why CUDA graphs were skipped: torch counts that, and gives the reason to its log alone."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.texts = []

    def emit(self, record):
        """Keeps the first."""
        if len(self.texts) < SHOWN_TEXTS:
            self.texts.append(record.getMessage())


class Compiler:
    """What is compiled now: one cell at a time, so that torch's counters speak of that cell."""

    def __init__(self, torch, device):
        self._torch = torch
        self._device = device
        self._overheard = _Overheard()
        self._settings = None
        self._callable = None
        for name in CUDAGRAPH_LOGGERS:
            logging.getLogger(name).addHandler(self._overheard)

    def compile(self, model, settings):
        """Forgets what was compiled before; gives what the passes of this cell call."""
        torch = self._torch
        from torch._dynamo import utils
        from torch._inductor import config, metrics

        torch._dynamo.reset()
        utils.counters.clear()
        utils.clear_compilation_metrics()
        utils.set_compilation_metrics_limit(KEPT_COMPILATIONS)
        metrics.reset()
        self._overheard.texts.clear()
        # Only so do the generated C++ kernels show in a profile; Triton's show by themselves.
        config.cpp.enable_kernel_profile = self._device.type == "cpu"
        options = {"dynamic": settings.is_dynamic}
        if settings.compile_mode == "aot_eager":
            options["backend"] = "aot_eager"
        elif settings.compile_mode != "default":
            options["mode"] = settings.compile_mode
        self._settings = settings
        # Called as it is, so that the model itself stays eager.
        self._callable = torch.compile(model if settings.compile_target == "model" else model.forward, **options)
        return self._callable

    def mark(self):
        """Changes whenever something was compiled or captured."""
        from torch._dynamo import utils

        return len(utils.get_compilation_metrics()), utils.counters["stats"]["unique_graphs"], self.captures()

    def told_dynamic(self):
        """What torch.compile was told of sizes, as what it gave back keeps it; None where that keeps nothing."""
        context = getattr(self._callable, "dynamo_ctx", None)
        if context is None and inspect.isfunction(self._callable):
            context = inspect.getclosurevars(self._callable).nonlocals.get("self")
        if not hasattr(context, "_dynamic"):
            return None
        return {True: "true", False: "false"}.get(context._dynamic, "none")

    def marked_steps(self):
        """Steps that were marked for CUDA graphs since torch last forgot them; it counts down."""
        from torch._inductor import cudagraph_trees

        return -cudagraph_trees.MarkStepBox.mark_step_counter

    def captures(self):
        """CUDA graphs recorded since the last reset; None where there can be none."""
        if self._device.type != "cuda":
            return None
        from torch._inductor import cudagraph_trees as trees

        manager = trees.get_manager(self._device.index or 0, create_if_none_exists=False)
        if manager is None:
            return 0
        nodes = list(manager.get_roots())
        for node in nodes:
            for children in node.children.values():
                nodes.extend(children)
        return len(nodes)

    def evidence(self):
        """What torch's books say of the cell that is compiled now."""
        from torch._dynamo import utils
        from torch._inductor import metrics

        counters = utils.counters
        breaks = counters["graph_break"]
        found = {
            "compile.dynamo_disabled": self._is_disabled(),
            "compile.suppress_errors": bool(self._torch._dynamo.config.suppress_errors),
            "compile.graphs": counters["stats"]["unique_graphs"],
            "compile.graph_breaks": sum(breaks.values()),
            "compile.break_reasons": _texts(breaks),
            "compile.cache_hits": counters["inductor"]["fxgraph_cache_hit"],
            "compile.cache_misses": counters["inductor"]["fxgraph_cache_miss"],
            "inductor.generated_kernels": metrics.generated_kernel_count,
            **self._compilations(utils.get_compilation_metrics()),
        }
        backend = self._backend()
        if backend:
            found["compile.backend"] = backend
            found["compile.mode"] = self._mode(backend)
        if self._device.type == "cuda":
            found["cuda_graphs.captures"] = self.captures()
            found["cuda_graphs.skips"] = counters["inductor"]["cudagraph_skips"]
            found["cuda_graphs.skip_reasons"] = _texts(self._overheard.texts)
        return found

    def _compilations(self, compilations):
        """What is told by torch's list of attempts to compile a frame."""
        soft = _names_of_soft_failures(self._torch)
        recompiled = [one for one in compilations if one.recompile_reason]
        limits = [one for one in compilations if (one.fail_reason or "").startswith(LIMIT_HIT)]
        # A hard failure that did not reach us as an exception was suppressed.
        suppressed = [one for one in compilations if one.fail_type and one.fail_type not in soft]
        skipped = [one for one in compilations if one.fail_type in soft and one not in limits]
        return {
            "compile.symbolic_shapes": any(SYMBOL.search(one.graph_node_shapes or "") for one in compilations),
            "compile.recompiles": len(recompiled) - len(limits),
            "compile.recompile_reasons": _texts(one.recompile_reason for one in recompiled),
            "compile.recompile_limit_hits": len(limits),
            "compile.dynamo_ns": _nanoseconds(one.entire_frame_compile_time_s for one in compilations),
            "compile.backend_ns": _nanoseconds(one.backend_compile_time_s for one in compilations),
            "compile.suppressed_errors": _texts("%s: %s" % (one.fail_type, one.fail_reason) for one in suppressed),
            "compile.skipped_frames": _texts(one.fail_reason for one in skipped),
        }

    def _is_disabled(self):
        dynamo = self._torch._dynamo
        if dynamo.config.disable:
            return True
        if self._settings.compile_target == "model":
            return not isinstance(self._callable, dynamo.OptimizedModule)
        return not hasattr(self._callable, "_torchdynamo_orig_callable")

    def _mode(self, backend):
        """The mode of what was compiled: Inductor is told of it by its settings alone, which a variable may set, too."""
        if backend != "inductor":
            return backend
        from torch._inductor import list_mode_options

        modes = {name: set(list_mode_options(name)) for name in ("default", "reduce-overhead", "max-autotune")}
        settings = self._callable.get_compiler_config() or {}
        switched_on = {key for keys in modes.values() for key in keys if settings.get(key)}
        named = [name for name, keys in modes.items() if keys == switched_on]
        return named[0] if named else "+".join(sorted(switched_on))

    def _backend(self):
        """Who compiled the code that is installed now, from the cache entries of every code object that was looked at."""
        from torch._C._dynamo.eval_frame import _debug_get_cache_entry_list
        from torch._dynamo import convert_frame, eval_frame

        names = set()
        for reference in convert_frame.input_codes.seen:
            code = reference()
            for entry in _debug_get_cache_entry_list(code) if code is not None else ():
                backend = eval_frame.innermost_backend(entry.backend)
                names.add(getattr(backend, "compiler_name", None) or getattr(backend, "__name__", str(backend)))
        return "+".join(sorted(names))


def _names_of_soft_failures(torch):
    """What torch calls a failure to trace and lets run eagerly without `suppress_errors`."""
    from torch._dynamo import exc

    kinds, names = [exc.Unsupported], set()
    while kinds:
        kind = kinds.pop()
        names.add(kind.__qualname__)
        kinds.extend(kind.__subclasses__())
    return names


def _nanoseconds(seconds):
    return int(1e9 * sum(one for one in seconds if one))


def _texts(found):
    """The first of these and the last, shortened, each once."""
    short = list(dict.fromkeys(str(text)[:SHOWN_CHARACTERS] for text in found))
    return short if len(short) <= SHOWN_TEXTS else short[: SHOWN_TEXTS - 1] + short[-1:]
