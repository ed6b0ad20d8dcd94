"""What this interpreter knows about itself. The supervisor compares it with what it sees from outside."""

import sys

from lockstep_runner import VERSION

# Whether these are loaded tells a lane that measures them from one that only has them installed.
WATCHED = ("accelerate", "numpy", "torch", "transformers", "triton", "vllm")


def interpreter(runner_name):
    """Signals that every backend has."""
    # Pythons before 3.13 have no such function and always have a global lock.
    gil_enabled = getattr(sys, "_is_gil_enabled", lambda: True)()
    found = {
        "runner.name": runner_name,
        "runner.version": VERSION,
        "python.version": sys.version.split()[0],
        "python.implementation": sys.implementation.name,
        "python.executable": sys.executable or "",
        "python.gil_enabled": bool(gil_enabled),
        "python.free_threaded_build": "t" in getattr(sys, "abiflags", ""),
        "python.isolated": bool(sys.flags.isolated),
        "python.site_packages": not sys.flags.no_site,
    }
    for name in WATCHED:
        module = sys.modules.get(name)
        found["modules.%s" % name] = module is not None
        version = getattr(module, "__version__", None)
        if isinstance(version, str):
            found["modules.%s.version" % name] = version
    return found
