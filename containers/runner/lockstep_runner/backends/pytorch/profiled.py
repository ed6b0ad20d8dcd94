"""Which kernels did the work: the passes of an untimed iteration, profiled."""

import re
from statistics import median

# Inductor names its Triton kernels so; on the CPU its C++ kernels carry the number of their graph.
GENERATED = {"cuda": re.compile(r"^triton_"), "cpu": re.compile(r"^(graph_\d+_)?(cpp_fused|cpp_)")}
# On the CPU: operators have a namespace, and what wraps compiled code has none.
OPERATOR = re.compile(r"^\w+::\w+")
# Dynamo's own mark around each call of code that it compiled, whatever the backend.
REGION = re.compile(r"^Torch-Compiled Region")
# What attends is a library's kernel by one of these names, or a softmax between two products.
ATTENTION = re.compile(r"flash|fmha|mem_?eff|sdpa|scaled_dot_product|softmax", re.IGNORECASE)
# A kernel's name without what it returns and what its templates were given; anonymous namespaces are taken out before.
SHORT_NAME = re.compile(r"(?:void )?([\w:]*)")
SHOWN_KERNELS = 5
# A GPU's times are its own. On a CPU whatever else runs stretches single calls a thousandfold, so that several are needed.
ITERATIONS = {"cuda": 1, "cpu": 3}


class Unavailable(Exception):
    """There is no profile to be had here."""


def profile(torch, device, is_compiled, begin, do_passes):
    """Runs `do_passes(begin())` with the profiler on the passes alone; evidence by name, or `Unavailable`."""
    activity, on_gpu = torch.profiler.ProfilerActivity, device.type == "cuda"
    # Beside the kernels of a GPU only the calls of compiled code are looked for.
    activities = ([activity.CUDA] if on_gpu else []) + ([activity.CPU] if is_compiled or not on_gpu else [])
    replays, rows, regions = _Replays(torch, device), [], 0
    for _ in range(ITERATIONS[device.type]):
        job = begin()
        profiler = _started(torch, activities)
        try:
            with replays:
                do_passes(job)
        finally:
            profiler.stop()
        events = profiler.profiler.kineto_results.events()
        rows.extend(_on_device(torch, events) if on_gpu else _own_times(events))
        regions += sum(1 for event in events if REGION.match(event.name()) and not _is_on_device(torch, event))
    found = _shares(rows if on_gpu else _typical(rows), GENERATED[device.type])
    if found:
        found["profile.iterations"] = ITERATIONS[device.type]
        found["profile.passes"] = job.passes
    if activity.CPU in activities:
        # An eager cell, too, has to show that it called none.
        found["profile.region_calls"] = regions
    kernels = _of_attention(rows, GENERATED[device.type])
    if kernels:
        found["attention.kernels"] = kernels
    return {**found, **replays.evidence()}


def _started(torch, activities):
    try:
        profiler = torch.profiler.profile(activities=activities, acc_events=True)
        profiler.start()
    except (AssertionError, RuntimeError) as error:
        # A torch that was built without its profiler asserts it; or there is no right to the device's counters, or somebody else
        # has them.
        raise Unavailable(str(error)) from error
    return profiler


def _of_attention(rows, generated):
    """Short names of the kernels that attended; on a CPU, of the operators."""
    # A generated kernel is called by all that was fused into it, also by what only prepares the library's inputs.
    names = {name for name, _ in rows if ATTENTION.search(name) and not generated.match(name)}
    short = {SHORT_NAME.match(name.replace("(anonymous namespace)::", "")).group(1) for name in names}
    # What is left of a name that has none of its own, such as a lambda's, is the namespace.
    return sorted(name for name in short if name and not name.endswith("::"))[:SHOWN_KERNELS]


def _shares(rows, generated):
    """`rows` of name and nanoseconds."""
    total = calls = of_generated = 0
    for name, nanoseconds in rows:
        total += nanoseconds
        if generated.match(name):
            calls += 1
            of_generated += nanoseconds
    if total <= 0:
        # The profiler saw nothing: that is no share of zero.
        return {}
    return {
        "profile.generated_share": of_generated / total,
        "profile.kernels_ns": int(total),
        "inductor.generated_calls": calls,
    }


def _on_device(torch, events):
    """Kernels and copies, as the device ran them."""
    for event in events:
        if _is_on_device(torch, event) and not event.is_user_annotation():
            yield event.name(), event.duration_ns()


def _is_on_device(torch, event):
    return event.device_type() == torch.autograd.DeviceType.CUDA


def _own_times(events):
    """Operators and generated kernels, each without the time of those that it called."""
    wanted = [event for event in events if OPERATOR.match(event.name()) or GENERATED["cpu"].match(event.name())]
    by_thread = {}
    for event in wanted:
        by_thread.setdefault(event.start_thread_id(), []).append(event)
    for found in by_thread.values():
        # Callers before what they call.
        found.sort(key=lambda event: (event.start_ns(), -event.duration_ns()))
        stack = []
        for event in found:
            while stack and stack[-1][0].end_ns() <= event.start_ns():
                yield _closed(stack.pop())
            if stack:
                stack[-1][1] += event.duration_ns()
            stack.append([event, 0])
        while stack:
            yield _closed(stack.pop())


def _typical(rows):
    """Every call at the median of its name."""
    by_name = {}
    for name, nanoseconds in rows:
        by_name.setdefault(name, []).append(nanoseconds)
    for name, found in by_name.items():
        yield from [(name, median(found))] * len(found)


def _closed(entry):
    event, of_called = entry
    return event.name(), max(event.duration_ns() - of_called, 0)


class _Replays:
    """Counts replays of CUDA graphs while it is entered."""

    def __init__(self, torch, device):
        self._torch = torch
        self._is_counting = device.type == "cuda"
        self._count = 0

    def __enter__(self):
        if self._is_counting:
            self._original = self._torch.cuda.CUDAGraph.replay
            counted = self

            def replay(graph):
                counted._count += 1
                return counted._original(graph)

            self._torch.cuda.CUDAGraph.replay = replay
        return self

    def __exit__(self, *_):
        if self._is_counting:
            self._torch.cuda.CUDAGraph.replay = self._original

    def evidence(self):
        """Nothing where there are no CUDA graphs."""
        return {"cuda_graphs.replays": self._count} if self._is_counting else {}
