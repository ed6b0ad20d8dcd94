"""Every planted fault once on this machine's device, and what the runner answered: `collect_faults.py > FILE`, a JSON line each.

The first line says where it ran; `collect_faults.py --after FILE >> FILE` goes on where that was cut off, and says where again.
The supervisor's rule is held against the answers of a GPU and of a CPU in `tests/seeded_faults.rs`.
"""

import hashlib
import json
import os
import platform
import sys

from test_faults import answer, compiled, lane
from wire_client import HERE, RUNNER

DECODING = {"phase": "kv_decode", "cache": "dynamic"}
# Name, fault, mode, work, environment.
FAULTS = (
    ("control", "no_fault", "default", {}, None),
    ("control_replayed", "no_fault", "reduce-overhead", {"phase": "kv_decode", "cache": "static"}, None),
    ("control_aot_eager", "no_fault", "aot_eager", {}, None),
    ("recompile_limit", "recompile_limit", "default", DECODING, None),
    ("suppressed_error", "suppressed_error", "default", {}, None),
    ("inductor_error", "inductor_error", "default", {}, None),
    ("backend_is_aot_eager", "backend_is_aot_eager", "default", {}, None),
    ("dynamo_disabled", "no_fault", "default", {}, {"TORCHDYNAMO_DISABLE": "1"}),
    ("graph_break_share", "graph_break_share", "default", {}, None),
    ("unexplained", "unexplained", "default", {}, None),
    ("eager_decoding", "eager_decoding", "default", {"phase": "kv_decode", "cache": "static"}, None),
    ("eager_decoding_aot_eager", "eager_decoding", "aot_eager", {"phase": "kv_decode", "cache": "static"}, None),
)
OF_DEVICE = {
    # Inductor's C++ backend needs no Triton, and without CUDA graphs there is the message alone.
    "cpu": (
        # Inductor's C++ backend needs no Triton, and without CUDA graphs there is the message alone.
        ("cudagraph_overwritten", "overwritten", "default", {}, None),
        ("out_of_memory", "out_of_memory", "default", {}, None),
        # The same books and marks of torch on any device: collected where it costs nothing.
        ("eager_decoding_after_prompt", "eager_decoding", "default", {"phase": "e2e_kv", "cache": "static"}, None),
        ("no_profiler", "no_profiler", "default", {}, None),
        ("late_compilation", "late_compilation", "default", {}, None),
        ("another_mode", "no_fault", "default", {}, {"TORCHINDUCTOR_COORDINATE_DESCENT_TUNING": "1"}),
        ("failure_in_profile", "failure_in_profile", "default", {}, None),
        ("compiled_eager", "compiled_eager", "eager", {}, None),
    ),
    # Nothing is planted in the first: torch itself refuses to read what a later replay overwrote.
    "cuda": (
        ("cudagraph_overwritten", "no_fault", "reduce-overhead", DECODING, None),
        ("no_triton", "no_triton", "default", {}, None),
        ("no_cuda_graph", "no_cuda_graph", "reduce-overhead", {"phase": "kv_decode", "cache": "static"}, None),
        ("out_of_memory", "out_of_memory", "default", {}, None),
        ("illegal_access", "illegal_access", "default", {}, None),
        ("compiled_eager", "compiled_eager", "eager", {}, None),
    ),
}


def runner_sha256():
    """Of the runner's files, by name."""
    whole = hashlib.sha256()
    for folder, folders, names in os.walk(RUNNER):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                whole.update(("%s %s\n" % (os.path.relpath(path, RUNNER), hashlib.sha256(file.read()).hexdigest())).encode())
    return whole.hexdigest()


def _place():
    import torch
    import transformers

    found = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "runner_sha256": runner_sha256(),
        "command": " ".join(["python3", os.path.relpath(__file__, os.path.join(HERE, "..", ".."))] + sys.argv[1:]),
        "device": "cpu",
    }
    if torch.cuda.is_available():
        import triton

        properties = torch.cuda.get_device_properties(0)
        found.update(device=properties.name, uuid="GPU-%s" % properties.uuid, triton=triton.__version__)
    return found


def _answered(path, place):
    """Names of the faults that the file holds an answer to, all of this very runner."""
    with open(path, encoding="utf-8") as file:
        texts = file.read().splitlines()
    try:
        lines = [json.loads(text) for text in texts]
    except ValueError as error:
        raise SystemExit("%s holds a line that is no JSON, cut off perhaps: remove it (%s)" % (path, error)) from error
    of_runners = {line["runner_sha256"] for line in lines if "name" not in line}
    if of_runners != {place["runner_sha256"]}:
        raise SystemExit("%s holds answers of another runner, %s: begin anew without --after" % (path, sorted(of_runners)))
    return {line["name"] for line in lines if "name" in line}


def main(arguments):
    """Writes to standard output; with `--after FILE` what that file does not hold yet."""
    place = _place()
    if arguments and (arguments[0] != "--after" or len(arguments) != 2):
        raise SystemExit("usage: collect_faults.py [--after FILE]")
    done = _answered(arguments[1], place) if arguments else set()
    print(json.dumps(place), flush=True)
    for name, fault, mode, asked, environment in FAULTS + OF_DEVICE[lane()["device"]]:
        if name in done:
            continue
        found = answer(fault, compiled(mode=mode, **asked), environment)
        print(json.dumps({"name": name, "mode": mode, "answer": found}), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
