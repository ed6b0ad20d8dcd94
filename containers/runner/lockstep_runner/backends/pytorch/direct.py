"""N agents in one process: threads that each decode a sequence of their own with one model on one device.

The phases are the wire's, done by all agents at once: with `prefill` each agent's time is its time to the first token.
The timed part lasts from the moment when all may start until the last has its output.

An agent's thread stays, and does each cell once untimed. In threads that were started for the repetition a pass took a third
of a second on an H200, many times what it takes a thread that has done it before; that cuDNN keeps its plans for each thread is
the likely cause.
"""

import contextlib
import faulthandler
import functools
import queue
import sys
import threading
import time

from lockstep_runner.backends import BackendError, Output
from lockstep_runner.backends.pytorch import PyTorch
from lockstep_runner.backends.pytorch.settings import HONOURED, UNCOMPILED

# How often the waiting thread looks at what the agents have done.
LOOK_EVERY_S = 0.05
# After so long without any pass, standard error gets the shape of the hang.
STALLED_AFTER_S = 10
# How long agents may take to get ready, which is to do the cell once.
READY_WITHIN_S = 600


class Direct(PyTorch):
    """The backend `pytorch_direct`."""

    HONOURED = {
        **HONOURED,
        "agents": tuple(str(count) for count in range(1, 65)),  # 1 to 64
        "cache": ("dynamic",),
        "compile_mode": UNCOMPILED,
        "stream": ("shared", "per_agent"),
    }

    def __init__(self):
        super().__init__()
        self._crew = Crew()
        self._settled = set()

    def prepare(self, work, pulse):
        """One iteration of one agent, untimed; then a thread for each agent, its prefill done, waiting for the start."""
        self.check_cell(work.get("axes", {}))
        asked = {**self._lane, **work.get("axes", {})}
        # Every agent has a sampler and a cache of its own: the jobs share nothing but the model.
        jobs = [super(Direct, self).prepare(work, pulse) for _ in range(int(asked.get("agents", "1")))]
        streams = self._streams(asked.get("stream", "shared"), len(jobs))
        # What was done so far is there for every stream.
        self._synchronize()
        crowd = Crowd([Agent(self, job, stream) for job, stream in zip(jobs, streams)], self._crew)
        self._synchronize()
        return crowd

    def measure(self, crowd, pulse):
        """All agents at once."""
        crowd.run(pulse)
        self._synchronize()

    def finish(self, crowd):
        """The first agent's output, if all gave the same, and how long each took."""
        outputs = [super(Direct, self).finish(agent.job) for agent in crowd.agents]
        first = outputs[0]
        for number, other in enumerate(outputs):
            if (other.tokens, other.stop) != (first.tokens, first.stop):
                raise BackendError("agent %d gave other tokens than agent 0, from the same prompt and seed" % number)
        walls = [agent.wall_ns for agent in crowd.agents]
        streams = {id(agent.stream) for agent in crowd.agents if agent.stream is not None}
        evidence = {
            **first.evidence,
            "agents": str(len(walls)),
            "agents.forward_passes": sum(output.evidence["forward_passes"] for output in outputs),
            "agents.fastest_ns": min(walls),
            "agents.slowest_ns": max(walls),
            # Each agent does one request.
            "agents.request_ns": [str(wall) for wall in walls],
            "agents.requests": 1,
            "agents.wall_ns": [str(wall) for wall in walls],
            "agents.streams": len(streams) or 1,
            "stream": "per_agent" if len(streams) == len(walls) else "shared",
        }
        # Of the first agent alone it would say something else than its name.
        if evidence.pop("device_ns", None) is not None:
            # By CUDA events, each in its agent's own stream.
            evidence["agents.device_ns"] = [str(output.evidence["device_ns"]) for output in outputs]
        return Output(first.tokens, first.stop, evidence)

    def _synchronize(self):
        """The whole device, whatever the stream."""
        if self._device.type == "cuda" and threading.current_thread() is threading.main_thread():
            self._torch.cuda.synchronize(self._device)

    def _streams(self, kind, count):
        """A stream for each agent; None is the one that all share."""
        if kind == "shared":
            return [None] * count
        if self._device.type != "cuda":
            raise BackendError("stream = 'per_agent' needs a CUDA device, and this is %s" % self._device)
        return [self._torch.cuda.Stream(self._device) for _ in range(count)]

    def in_stream(self, stream):
        """The context of an agent's thread."""
        if stream is None:
            return contextlib.nullcontext()
        return self._torch.cuda.stream(stream)

    def set_up_thread(self):
        """What torch keeps for each thread."""
        self._torch.set_grad_enabled(False)
        if self._device.type == "cuda":
            self._torch.cuda.set_device(self._device)

    def settle(self, job, count):
        """The cell once, untimed, by this thread; it has done no other's planning before."""
        done = (threading.get_ident(), id(job.cell))
        if done not in self._settled:
            self.do_passes(self.begin_iteration(job.cell, job.work, count), count)
            self._settled.add(done)

    def wait_for(self, stream):
        """Until an agent's own work is done."""
        if self._device.type == "cuda":
            (stream or self._torch.cuda.current_stream(self._device)).synchronize()


class _Count:
    """How far an agent is: written by its thread alone."""

    def __init__(self):
        self.done = 0

    def advance(self, units):
        """As the runner's pulse."""
        self.done += units


class Agent:
    """A thread that waits for the start, does one job, and keeps its time or what went wrong."""

    def __init__(self, backend, job, stream):
        self.job, self.stream = job, stream
        self.count = _Count()
        self.wall_ns = 0
        self.error = None
        self.ended = threading.Event()
        self._backend = backend

    def run(self, ready, start):
        """The thread's body."""
        try:
            self._backend.set_up_thread()
            with self._backend.in_stream(self.stream):
                self._backend.settle(self.job, _Count())
                self._backend.wait_for(self.stream)
                ready.wait()
                start.wait()
                if ready.broken:
                    # Another could not get ready; this thread is wanted for the next repetition.
                    return
                begun = time.perf_counter_ns()
                self._backend.do_passes(self.job, self.count)
                self._backend.wait_for(self.stream)
                self.wall_ns = time.perf_counter_ns() - begun
        except threading.BrokenBarrierError:
            pass
        except Exception as error:
            self.error = error
            ready.abort()
        finally:
            self.ended.set()


class Crew:
    """Threads that stay from one repetition to the next."""

    def __init__(self):
        self._desks = []

    def do(self, number, work):
        """Has the thread of this number call `work`."""
        while len(self._desks) <= number:
            desk = queue.SimpleQueue()
            threading.Thread(target=_serve, args=(desk,), name="agent-%d" % len(self._desks), daemon=True).start()
            self._desks.append(desk)
        self._desks[number].put(work)


def _serve(desk):
    while True:
        desk.get()()


class Crowd:
    """The agents of one repetition."""

    def __init__(self, agents, crew):
        self.agents = agents
        self._ready = threading.Barrier(len(agents) + 1)
        self._start = threading.Event()
        for number, agent in enumerate(agents):
            crew.do(number, functools.partial(agent.run, self._ready, self._start))
        # An agent that cannot get ready says so by its error, and nobody waits for it for ever.
        try:
            self._ready.wait(READY_WITHIN_S)
        except threading.BrokenBarrierError:
            self._start.set()
            self._raise_first()
            raise BackendError("the agents were not ready within %d s" % READY_WITHIN_S) from None

    def run(self, pulse):
        """Lets all start; returns when all have ended."""
        self._start.set()
        last, since, is_told = 0, time.monotonic(), False
        for waited_for in self.agents:
            while not waited_for.ended.wait(LOOK_EVERY_S):
                done = [agent.count.done for agent in self.agents]
                pulse.done = sum(done)
                if pulse.done != last:
                    last, since, is_told = pulse.done, time.monotonic(), False
                elif not is_told and time.monotonic() - since > STALLED_AFTER_S:
                    is_told = True
                    self._tell_shape(done)
        pulse.done = sum(agent.count.done for agent in self.agents)
        self._raise_first()

    def _raise_first(self):
        for agent in self.agents:
            if agent.error is not None:
                raise agent.error

    def _tell_shape(self, done):
        """Which agents stand, and where: the supervisor keeps the end of standard error with a row that hangs."""
        passes = " ".join("%d:%d" % pair for pair in enumerate(done))
        sys.stderr.write("no agent has done a pass for %d s; passes by agent: %s\n" % (STALLED_AFTER_S, passes))
        faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
        sys.stderr.flush()
