"""The loop: greet, then answer one request at a time. Holds the measuring clock."""

import os
import queue
import signal
import sys
import threading
import time

from lockstep_runner import VERSION, backends, failures, signals, wire
from lockstep_runner.voice import Pulse, Voice

# The runner's exit statuses, as `containers/WIRE.md` lists them.
SAID_BYE = 0
SAID_FATAL = 1
ORPHANED = 3

WORKING_REQUESTS = ("preflight", "load", "run")


def run(backend_name):
    """Speaks the wire until the supervisor says `bye` or is gone; gives the exit status."""
    _quiet_signals()
    wire_in, wire_out = _take_stdio()
    return Runner(backend_name, wire_in, wire_out).run()


def _take_stdio():
    """Keeps standard input and output for the wire: prints go to standard error, children read nothing."""
    wire_in, wire_out = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return wire_in, wire_out


def _quiet_signals():
    """Ends by signals without a traceback. The kernel drops signals to a first process that has no handler."""
    if os.getpid() == 1:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda found, _: os._exit(128 + found))
    else:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _leave_orphaned():
    os._exit(ORPHANED)


def _leave_unheard():
    os._exit(SAID_FATAL)


class Inbox:
    """Requests, read by a thread of their own, so that the end of the input is seen in the middle of work."""

    def __init__(self, descriptor):
        self._descriptor = descriptor
        self._events = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._unanswered = 0
        threading.Thread(target=self._read, name="wire-reader", daemon=True).start()

    def next(self):
        """The next request, a WireError, or None at the end."""
        return self._events.get()

    def answered(self):
        with self._lock:
            self._unanswered -= 1

    def _read(self):
        decoder = wire.LineDecoder()
        while True:
            data = os.read(self._descriptor, 1 << 16)
            if not data:
                break
            for event in decoder.push(data):
                if isinstance(event, dict) and event["type"] in WORKING_REQUESTS:
                    with self._lock:
                        self._unanswered += 1
                self._events.put(event)
        self._events.put(None)
        with self._lock:
            if self._unanswered:
                # Nobody is left to take the answer, and computing on would disturb whoever measures next.
                _leave_orphaned()


class Fatal(Exception):
    """The runner cannot go on."""


class Runner:
    """One launch."""

    def __init__(self, backend_name, wire_in, wire_out):
        self._backend_name = backend_name
        self._name = "python-%s" % backends.label(backend_name)
        self._backend = None
        self._max_positions = 0
        self._greeted = False
        self._pulse = Pulse()
        self._voice = Voice(wire_out, self._pulse, _leave_unheard)
        self._inbox = Inbox(wire_in)

    def run(self):
        self._voice.say(
            {
                "type": "hello",
                "protocol": wire.PROTOCOL,
                "runner": self._name,
                "version": VERSION,
                "pid": os.getpid(),
            }
        )
        while True:
            event = self._inbox.next()
            if event is None:
                return ORPHANED
            try:
                if isinstance(event, wire.WireError):
                    raise Fatal("the supervisor broke the wire: %s" % event)
                self._check_turn(event)
                if event["type"] == "bye":
                    self._voice.say({"type": "bye"})
                    if self._backend is not None:
                        self._backend.close()
                    return SAID_BYE
                self._answer(event)
            except (Fatal, wire.WireError) as error:
                message = _bounded(error)
            except Exception as error:
                message = "answering a request: %s" % _describe(error)
            else:
                continue
            self._voice.say({"type": "fatal", "message": message})
            return SAID_FATAL

    def _check_turn(self, request):
        tag = request["type"]
        if not self._greeted:
            expected = ("hello",)
        elif self._backend is None:
            expected = ("preflight", "load", "bye")
        else:
            expected = ("preflight", "run", "bye")
        if tag not in expected:
            words = " or ".join("`%s`" % word for word in expected)
            raise Fatal("the supervisor broke the wire: expected request %s, got request `%s`" % (words, tag))
        if tag == "preflight" and request["stage"] == "host":
            raise Fatal("the supervisor broke the wire: stage `host` is before any lane, and its own")

    def _answer(self, request):
        tag = request["type"]
        if tag == "hello":
            self._greeted = True
            return
        if tag == "preflight":
            answer = self._preflight(request)
        elif tag == "load":
            answer = self._load(request)
        else:
            answer = self._repeat(request)
        self._voice.say(answer)
        self._inbox.answered()

    def _preflight(self, request):
        self._voice.begin_work("load")
        found = signals.interpreter(self._name)
        if self._backend is not None:
            found.update(self._backend.signals(request["stage"]))
        return {"type": "signals", "stage": request["stage"], "signals": found}

    def _load(self, request):
        self._voice.begin_work("load")
        self._max_positions = request["max_positions"]
        start = time.perf_counter_ns()
        try:
            backend = backends.make(self._backend_name)
            backend.load(request["model_dir"], request["axes"], self._max_positions, self._pulse)
        except Exception as error:
            raise Fatal("loading the model: %s" % _describe(error)) from error
        wall_ns = time.perf_counter_ns() - start
        self._backend = backend
        return {"type": "loaded", "wall_ns": wall_ns}

    def _repeat(self, request):
        self._voice.begin_work("warmup" if request["warmup"] else "measure")
        echo = {"id": request["id"], "cell": request["cell"]}
        try:
            _check_work(request["work"], self._max_positions)
            slowdown = _slowdown(request.get("slowdown_pct"))
            job = self._backend.prepare(request["work"], self._pulse)
            start = time.perf_counter_ns()
            self._backend.measure(job, self._pulse)
            if slowdown:
                until = start + int((time.perf_counter_ns() - start) * (1 + slowdown))
                while time.perf_counter_ns() < until:
                    pass
            wall_ns = time.perf_counter_ns() - start
            output = self._backend.finish(job)
        except backends.Refused as error:
            raise Fatal("cell %s: %s" % (request["cell"], _describe(error))) from error
        except Exception as error:
            return self._failed(echo, error)
        return {"type": "result", **echo, "wall_ns": wall_ns, **output.fields()}

    def _failed(self, echo, error):
        kind = failures.kind_of(error)
        answer = {"type": "failed", **echo, "out_of_memory": kind == failures.OUT_OF_MEMORY, "message": _describe(error)}
        if kind != failures.EXCEPTION:
            # A plain exception is what `failed` says anyway.
            answer["class"] = kind
        known = _known(self._backend)
        return {**answer, "evidence": known} if known else answer


def _known(backend):
    """What the backend knows of work that failed; after some failures it cannot be asked any more."""
    try:
        return backend.left_behind()
    except Exception as error:
        return {"evidence.error": _describe(error)}


def _slowdown(pct):
    """The share by which the timed part is to last longer than it would."""
    if pct is None:
        return 0.0
    if not 0 <= pct <= 1000:
        raise ValueError("work field `slowdown_pct` is %r; expected a number from 0 to 1000" % (pct,))
    return pct / 100


def _check_work(work, max_positions):
    """Checks what needs no model to check."""
    prompt, new_tokens = len(work["prompt"]), work["new_tokens"]
    if prompt == 0:
        raise ValueError("work field `prompt` is empty; expected at least one token")
    if new_tokens == 0:
        raise ValueError("work field `new_tokens` is 0; expected at least 1")
    if work["phase"] == "prefill" and new_tokens != 1:
        raise ValueError("work field `new_tokens` is %d; expected 1 for prefill" % new_tokens)
    if prompt + new_tokens > max_positions:
        raise ValueError(
            "work field `new_tokens` is %d after a prompt of %d; expected at most %d positions in all, as `load` "
            "announced" % (new_tokens, prompt, max_positions)
        )


def _describe(error):
    """For the wire in short, for standard error in full."""
    import traceback  # needed only where something is wrong already

    traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
    sys.stderr.flush()
    if isinstance(error, backends.BackendError) or type(error) is ValueError:
        return _bounded(error)
    return _bounded("%s: %s" % (type(error).__name__, error))


def _bounded(message):
    return str(message)[:4000]
