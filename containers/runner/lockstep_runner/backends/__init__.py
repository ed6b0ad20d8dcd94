"""What does the work of a cell. A backend module is imported at `load`, so that nothing heavy is there before.

A backend has:

- `load(model_dir, axes, max_positions, pulse)`: reads the weights; refuses an axis that it cannot honour;
- `signals(stage)`: signals of its own, for example `engine.cache`;
- `prepare(work, pulse) -> job`: what is not timed (caches, sampler; for `kv_decode` the prefill that picks t0);
- `measure(job, pulse)`: what is timed, and only that;
- `finish(job) -> Output`: hands over the output and frees what the job held;
- `close()`: the runner leaves.

Each returns with the device idle. An exception fails the repetition, not the runner; `Refused` ends the runner.
`lockstep_runner.phases` has the last four for a backend that can do a forward pass.

A backend of somebody else is a Python file with a class `Backend`: `--backend path/to/file.py`.
"""

import os

NAMES = ("reference", "pytorch", "pytorch_direct", "pytorch_parity", "agents", "exec")


class BackendError(Exception):
    """Says what was being done, what was found and what to try."""


class Refused(BackendError):
    """A cell asks for what this backend cannot honour. Running something else instead would be worse than to stop."""


class Output:
    """What came of a repetition."""

    def __init__(self, tokens, stop, evidence):
        self.tokens = tokens
        self.stop = stop
        self.evidence = evidence

    def fields(self):
        """As the wire's `result` has it."""
        return {"tokens": self.tokens, "stop": self.stop, "evidence": self.evidence}


def is_known(name):
    """Whether `--backend` may say this: a name, or a file."""
    return name in NAMES or name.endswith(".py")


def label(name):
    """What the greeting calls a backend."""
    return os.path.splitext(os.path.basename(name))[0] if name.endswith(".py") else name


def make(name):
    """The backend of this name, or of this file."""
    if name == "reference":
        from lockstep_runner.backends.reference import Reference

        return Reference()
    if name == "pytorch":
        from lockstep_runner.backends.pytorch import PyTorch

        return PyTorch()
    if name == "pytorch_direct":
        from lockstep_runner.backends.pytorch.direct import Direct

        return Direct()
    if name == "agents":
        from lockstep_runner.backends.agents import Agents

        return Agents()
    if name == "pytorch_parity":
        from lockstep_runner.backends.pytorch.parity import Parity

        return Parity()
    if name == "exec":
        from lockstep_runner.backends.exec import Exec

        return Exec()
    if name.endswith(".py"):
        return _from_file(name)
    raise BackendError("there is no backend %r; known: %s, or a Python file" % (name, ", ".join(NAMES)))


def _from_file(path):
    import importlib.util

    if not os.path.isfile(path):
        raise BackendError("there is no backend file `%s`" % path)
    spec = importlib.util.spec_from_file_location("lockstep_backend", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not isinstance(getattr(module, "Backend", None), type):
        raise BackendError("`%s` has no class `Backend`" % path)
    return module.Backend()
