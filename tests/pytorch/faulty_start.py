"""Starts the runner with a fault planted: `faulty_start.py FAULT BACKEND`: compiled work is not done, or not as it is told.

The fault is planted when the backend has loaded, as an unlucky stack or harness would have it from the start.
"""

import os
import sys

RUNNER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "containers", "runner")


def no_fault(torch, backend):
    """The control."""


def recompile_limit(torch, backend):
    """A lower limit, so that the test need not compile eight times."""
    torch._dynamo.config.recompile_limit = 2


def inductor_error(torch, backend):
    """Code generation fails."""
    from torch._inductor import graph

    def fail(*_):
        raise RuntimeError("planted: no code can be generated")

    graph.GraphLowering.codegen = fail


def suppressed_error(torch, backend):
    """The same, and nobody is told."""
    inductor_error(torch, backend)
    torch._dynamo.config.suppress_errors = True


def backend_is_aot_eager(torch, backend):
    """A harness that avoids Inductor, whatever it is asked for."""
    honest = torch.compile
    torch.compile = lambda model, mode=None, **options: honest(model, **{**options, "backend": "aot_eager"})


def no_cuda_graph(torch, backend):
    """A harness that loses the mode on the way, so that Inductor compiles and no CUDA graph replays it."""
    honest = torch.compile
    torch.compile = lambda model, mode=None, **options: honest(model, **options)


def compiled_eager(torch, backend):
    """A harness that left the model compiled for the eager arm, too."""
    model = backend._weights.model("f32", "sdpa")
    model.forward = torch.compile(model.forward)


def static_all_the_same(torch, backend):
    """A harness that loses what it is told of sizes."""
    honest = torch.compile
    torch.compile = lambda model, dynamic=None, **options: honest(model, dynamic=False, **options)


def graph_break_share(torch, backend):
    """All but the output layer stays out of the graph."""
    model = backend._weights.model("f32", "sdpa")
    model.model.forward = torch._dynamo.disable(model.model.forward, reason="planted")


def eager_decoding(torch, backend):
    """The prompt's pass goes to compiled code, and each token's to the eager model, as after a wrapper that forgets."""
    honest = backend._cells._compiler.compile

    def compiled(model, settings):
        called = honest(model, settings)
        return _Forgetful(called, model)

    backend._cells._compiler.compile = compiled


class _Forgetful:
    """Compiled for prompts alone."""

    def __init__(self, compiled, eager):
        self._compiled, self._eager = compiled, eager

    def __call__(self, **inputs):
        """A pass."""
        is_prompt = inputs["input_ids"].shape[1] > 1
        return (self._compiled if is_prompt else self._eager)(**inputs)


def forgotten_marks(torch, backend):
    """A torch whose function of this name does nothing."""
    torch.compiler.cudagraph_mark_step_begin = lambda: None


def late_compilation(torch, backend):
    """What was compiled is thrown away just before the clock starts."""
    honest = backend.measure

    def measure(job, pulse):
        torch._dynamo.reset()
        honest(job, pulse)

    backend.measure = measure


def symbolic_shapes(torch, backend):
    """A harness that asks for dynamic shapes, whatever it is asked for."""
    honest = torch.compile
    torch.compile = lambda model, **options: honest(model, **{**options, "dynamic": True})


def failure_in_profile(torch, backend):
    """The work itself fails while it is profiled, and only then."""
    honest, profile = backend.do_passes, torch.profiler.profile

    def profiling(*arguments, **options):
        def fail(*_):
            backend.do_passes = honest
            raise AssertionError("planted: the work failed")

        backend.do_passes = fail
        return profile(*arguments, **options)

    torch.profiler.profile = profiling


def no_profiler(torch, backend):
    """A torch that was built without it."""

    def fail(*_, **__):
        raise AssertionError("planted: Kineto is not available")

    torch.profiler.profile = fail


def unexplained(torch, backend):
    """Inductor by name, and it hands back what it was given."""
    torch._TorchCompileInductorWrapper.__call__ = lambda self, graph, inputs: graph.forward


def no_triton(torch, backend):
    """Triton cannot be imported, and errors are suppressed, as where a compiled matrix once was measured eager."""
    # Loading a model onto a GPU imports Triton already, and torch remembers what came of it.
    for name in [name for name in sys.modules if name == "triton" or name.startswith("triton.")]:
        del sys.modules[name]
    from torch.utils import _triton

    for found in vars(_triton).values():
        getattr(found, "cache_clear", int)()
    sys.meta_path.insert(0, _NoTriton())
    torch._dynamo.config.suppress_errors = True


class _NoTriton:
    """Refuses the import, as a broken installation would."""

    def find_spec(self, name, path=None, target=None):
        """Part of the import system's protocol."""
        if name == "triton" or name.startswith("triton."):
            raise ImportError("planted: libcuda is too old for this Triton")


def overwritten(torch, backend):
    """The message of a CUDA graph's overwritten output, where there are no CUDA graphs."""
    def fail(*_, **__):
        raise RuntimeError(
            "Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run."
        )

    _in_place_of_compiled(backend, lambda device: fail())


def out_of_memory(torch, backend):
    """A pass that needs more than any device has, asked of the device's own allocator."""
    _in_place_of_compiled(backend, lambda device: torch.empty(1 << 50, dtype=torch.uint8, device=device))


def illegal_access(torch, backend):
    """A kernel that writes where nothing is mapped; only a GPU tells of it and lives."""

    def write(device):
        storage = torch._C._construct_storage_from_data_pointer(1 << 30, device, 4096)
        torch.empty(0, dtype=torch.uint8, device=device).set_(storage, 0, (4096,)).fill_(1)
        torch.cuda.synchronize()

    _in_place_of_compiled(backend, write)


def _in_place_of_compiled(backend, work):
    """Calls this with the model's device where a compiled model would be called."""
    honest = backend._cells._compiler.compile

    def compiled(model, settings):
        honest(model, settings)
        device = next(model.parameters()).device
        return lambda *_, **__: work(device)

    backend._cells._compiler.compile = compiled


def main():
    """The runner's own start, but for the fault."""
    fault, name = sys.argv[1:]
    sys.path.insert(0, os.path.abspath(RUNNER))
    from lockstep_runner import backends, loop

    make = backends.make

    def make_faulty(wanted):
        backend = make(wanted)
        load = backend.load

        def load_and_plant(*arguments):
            load(*arguments)
            import torch

            globals()[fault](torch, backend)

        backend.load = load_and_plant
        return backend

    backends.make = make_faulty
    status = loop.run(name)
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
