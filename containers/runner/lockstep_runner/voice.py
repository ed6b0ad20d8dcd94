"""What the runner says: answers from the working thread, beats from a thread of their own."""

import os
import threading

from lockstep_runner import wire

# The wire asks for one beat a second. A beat holds the interpreter for some tens of microseconds.
BEAT_EVERY_S = 0.5


class Pulse:
    """How far the work is: written by the working thread, read by the beating one."""

    def __init__(self):
        self.step = "load"
        self.done = 0

    def enter(self, step):
        """Begins a step; nothing of it is done."""
        self.done = 0
        self.step = step

    def advance(self, units):
        """Adds units: tokens, tensors, bytes."""
        self.done += units


class Voice:
    """The wire's output. A beat is written under the same lock that ends the work, so that none follows its answer."""

    def __init__(self, descriptor, pulse, on_lost):
        self._descriptor = descriptor
        self._pulse = pulse
        self._on_lost = on_lost
        self._changed = threading.Condition()
        self._working = False
        threading.Thread(target=self._beat, name="wire-beats", daemon=True).start()

    def begin_work(self, step):
        """From now on beats are sent, until the next `say`."""
        self._pulse.enter(step)
        with self._changed:
            self._working = True
            self._changed.notify()

    def say(self, message):
        """Ends the work, if there was any, and sends the message."""
        line = wire.encode(message)
        with self._changed:
            self._working = False
            self._changed.notify()
            self._write(line)

    def _beat(self):
        with self._changed:
            while True:
                if not self._working:
                    self._changed.wait()
                elif not self._changed.wait(BEAT_EVERY_S) and self._working:
                    pulse = self._pulse
                    self._write(wire.encode({"type": "progress", "step": pulse.step, "done": pulse.done}))

    def _write(self, line):
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
        except OSError:
            # Nobody reads any more.
            self._on_lost()
