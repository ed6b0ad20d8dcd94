"""A supervisor in small: starts the Python runner as a process and speaks the wire with it."""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
RUNNER = os.path.join(HERE, "..", "..", "containers", "runner", "lockstep_runner")
# Runs the runner after planting a fault: `faulty_start.py FAULT BACKEND`.
FAULTY_START = os.path.join(HERE, "faulty_start.py")
CACHES = ("TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")


class Runner:
    """One launch. Beats are kept apart from answers; standard error goes to the file `stderr`, where one is given."""

    def __init__(self, backend="pytorch", fault=None, environment=None, stderr=None):
        command = [sys.executable, "-B", RUNNER, "--backend", backend]
        if fault is not None:
            command = [sys.executable, "-B", FAULTY_START, fault, backend]
        # torch sets these for its own process, this one; a runner that inherits them has no private cache.
        inherited = {name: value for name, value in os.environ.items() if name not in CACHES}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr or (subprocess.DEVNULL if "LOCKSTEP_TEST_STDERR" not in os.environ else None),
            env={**inherited, **(environment or {})},
        )
        self.beats = []
        self.next_id = 0
        self.greeting = self._read()
        self._send({"type": "hello", "protocol": 1})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)

    def ask(self, request):
        """Sends a request; its answer."""
        self._send(request)
        return self._read()

    def load(self, model_dir, axes=None, max_positions=48):
        """Loads a checkpoint."""
        return self.ask({"type": "load", "model_dir": model_dir, "axes": axes or {}, "max_positions": max_positions})

    def run(self, work, warmup=False):
        """One repetition."""
        self.next_id += 1
        return self.ask({"type": "run", "id": self.next_id, "cell": "/0000abcd", "warmup": warmup, "work": work})

    def signals(self, stage):
        """What the runner says of itself."""
        return self.ask({"type": "preflight", "stage": stage})["signals"]

    def bye(self):
        """Takes leave; the exit status."""
        self._send({"type": "bye"})
        answer = self._read()
        self.process.stdin.close()
        return answer["type"], self.process.wait(60)

    def _send(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def _read(self):
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError("the runner left with status %r before it answered" % self.process.wait(60))
            message = json.loads(line)
            if message["type"] != "progress":
                return message
            self.beats.append(message)


def work(phase="kv_decode", prompt=(3, 1, 4, 1, 5), new_tokens=4, sampling=None, ignore_eos=True, **axes):
    """The work of a repetition; axes in the words of Python names."""
    found = {
        "phase": phase,
        "prompt": list(prompt),
        "new_tokens": 1 if phase == "prefill" else new_tokens,
        "sampling": sampling or {"kind": "greedy"},
        "ignore_eos": ignore_eos,
    }
    return {**found, "axes": axes} if axes else found
