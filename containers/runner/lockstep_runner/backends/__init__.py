"""What does the work of a cell. A backend module is imported at `load`, so that nothing heavy is there before.

A backend has:

- `load(model_dir, axes, max_positions, pulse)`: reads the weights; refuses an axis that it cannot honour;
- `signals(stage)`: signals of its own, for example `engine.cache`;
- `prepare(work, pulse) -> job`: what is not timed (caches, sampler; for `kv_decode` the prefill that picks t0);
- `measure(job, pulse)`: what is timed, and only that;
- `finish(job) -> (tokens, stop, evidence)`: hands over the output and frees what the job held.

Each returns with the device idle. An exception fails the repetition, not the runner.
"""

NAMES = ("reference",)


class BackendError(Exception):
    """Says what was being done, what was found and what to try."""


def make(name):
    """The backend of this name."""
    if name == "reference":
        from lockstep_runner.backends.reference import Reference

        return Reference()
    raise BackendError("there is no backend %r; known: %s" % (name, ", ".join(NAMES)))
