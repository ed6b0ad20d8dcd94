"""What this interpreter knows about itself. The supervisor compares it with what it sees from outside."""

import os
import sys
import sysconfig

from lockstep_runner import VERSION

# Whether these are loaded tells a lane that measures them from one that only has them installed.
WATCHED = ("accelerate", "gptqmodel", "numpy", "torch", "transformers", "triton", "vllm")


def interpreter(runner_name):
    """Signals that every backend has."""
    found = {
        "runner.name": runner_name,
        "runner.version": VERSION,
        "python.version": sys.version.split()[0],
        "python.implementation": sys.implementation.name,
        "python.executable": sys.executable or "",
        **gil(),
        "python.free_threaded_build": "t" in getattr(sys, "abiflags", ""),
        "python.compiler": sys.version.rpartition("[")[2].rstrip("]"),
        "python.configure": str(sysconfig.get_config_var("CONFIG_ARGS")),
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


def gil():
    """The three signals of the global lock, and whether they agree.

    How the interpreter was built, what it does now, and what it was asked to do. A free-threaded build that was asked for
    nothing and has the lock imported an extension that does not declare that it can do without.
    """
    is_free_threaded = sysconfig.get_config_var("Py_GIL_DISABLED") == 1
    # Pythons before 3.13 have no such function and always have a global lock.
    is_enabled = bool(getattr(sys, "_is_gil_enabled", lambda: True)())
    request = getattr(sys, "_xoptions", {}).get("gil")
    if request is None and not sys.flags.ignore_environment:
        request = os.environ.get("PYTHON_GIL")
    request = str(request) if request else "none"
    expected = request == "1" if is_free_threaded else True
    return {
        "python.gil_build_disabled": is_free_threaded,
        "python.gil_enabled": is_enabled,
        "python.gil_request": request,
        "python.gil_signals_agree": is_enabled == expected,
    }
