"""The control of a sample: what two processes, which share no lock, gain over one on this host at this moment.

Scaling means nothing on a busy host: threads that wait for a processor look like threads that wait for a lock. Two idle
processors give close to 2. The processes are started once and wait between samples, so that a control costs only its work.
"""

import os
import subprocess
import sys
import time

from lockstep_runner.backends import BackendError

# How long one process works for a control, about: some ticks of the kernel's scheduler, and short beside a sample.
WORK_NS = 50_000_000
# Samples that follow each other within this time share the control between them.
FRESH_NS = 100_000_000
# What two idle processors give at least, and how long a sample waits for it. What then comes is the plan's to refuse.
SANE = 1.8
PATIENCE_NS = 3_000_000_000
WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")


class Control:
    """Two processes that work when they are told to."""

    def __init__(self):
        self._workers = [_Worker() for _ in range(2)]
        self._rounds = 20_000
        self._last = None
        for _ in range(3):
            took = min(self._together(self._workers[:1]) for _ in range(2))
            self._rounds = max(1, self._rounds * WORK_NS // max(1, took))

    def speedup(self, pulse):
        """How many times the work of one process the two did in the same time."""
        now = time.monotonic_ns()
        if pulse is not None and self._last is not None and now - self._last[0] < FRESH_NS:
            return self._last[1]
        alone = [self._together([worker]) for worker in self._workers]
        both = self._together(self._workers)
        if pulse is not None:
            pulse.advance(1)
        # The faster of the two ran undisturbed, so that whatever disturbs the pair lowers the speed-up and nothing raises it.
        found = len(alone) * min(alone) / both
        self._last = (time.monotonic_ns(), found)
        return found

    def calm(self, pulse):
        """The speed-up as soon as it is sane, or after a while whatever it is; and how often it was looked for."""
        until = time.monotonic_ns() + PATIENCE_NS
        looks, found = 1, self.speedup(pulse)
        while found < SANE and time.monotonic_ns() < until:
            self._last = None
            looks, found = looks + 1, self.speedup(pulse)
        return found, looks

    def close(self):
        """Ends the processes."""
        for worker in self._workers:
            worker.close()

    def _together(self, workers):
        """How long the slowest took, all having been told at once."""
        for worker in workers:
            worker.tell(self._rounds)
        return max(worker.took_ns() for worker in workers)


class _Worker:
    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def tell(self, rounds):
        try:
            self._process.stdin.write(b"%d\n" % rounds)
            self._process.stdin.flush()
        except OSError as error:
            raise self._gone() from error

    def took_ns(self):
        line = self._process.stdout.readline()
        if not line:
            raise self._gone()
        return int(line)

    def _gone(self):
        return BackendError("a process of the control ended with status %r" % self._process.poll())

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)
