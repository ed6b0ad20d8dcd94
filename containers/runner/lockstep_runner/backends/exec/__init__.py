"""Runs an unmodified program once for each repetition, and reads from its log what came of it.

The program, and the lines that count, stand in the lane's manifest, table `[exec]`; they come as JSON in LOCKSTEP_EXEC.
Nothing is known of how the program does its work, so a repetition shows what it printed and claims nothing else: where
it prints no token ids, the evidence says `work.unshown`, and the row is kept and never compared on time.
"""

import codecs
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading

from lockstep_runner.backends import BackendError, Output, Refused

VARIABLE = "LOCKSTEP_EXEC"
# How Python begins a traceback, and the line that ends it: the exception's class by its full name, and what it says.
TRACEBACK = "Traceback (most recent call last):"
ENDING = re.compile(r"^(?:[^\W\d]\w*\.(?:<locals>\.)?)*(?P<name>[^\W\d]\w*)(?::|$)")
# What Python prints before a traceback that ends nothing.
IGNORED = "Exception ignored in"
# Where there is no traceback: a dotted name that looks like an exception's, and what it says.
EXCEPTION = re.compile(r"^(?:\w+\.)*(?P<name>[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Missing|Unsupported|Failed))(?::|$)")
# More than any report prints; what is longer is cut at its beginning, because the end says what happened.
LONGEST_MESSAGE = 3500


class Exec:
    """The backend `exec`."""

    def __init__(self):
        self._arguments = []
        self._directory = None
        self._lines = []
        self._model_dir = ""

    def load(self, model_dir, axes, max_positions, pulse):
        """Reads what to run; the program loads the model itself, in every repetition."""
        text = os.environ.get(VARIABLE)
        if not text:
            raise BackendError("%s is not set; the lane's manifest needs the table [exec]" % VARIABLE)
        wanted = json.loads(text)
        self._arguments, self._directory = wanted["arguments"], wanted.get("directory")
        self._lines = [(line["name"], re.compile(line["pattern"]), line.get("required", False)) for line in wanted.get("line", [])]
        self._model_dir = model_dir
        if self._directory is not None and not os.path.isdir(self._directory):
            raise BackendError("the folder `%s` that the program runs in is not there" % self._directory)
        program = self._arguments[0]
        if shutil.which(program, path=os.environ.get("PATH")) is None:
            raise BackendError("there is no program `%s` on PATH" % program)

    def signals(self, stage):
        """What is run."""
        return {"exec.arguments": list(self._arguments), "exec.directory": self._directory or os.getcwd()}

    def close(self):
        """Nothing is left between repetitions."""

    def prepare(self, work, pulse):
        """The command line."""
        if work["phase"] != "e2e_kv":
            raise Refused("a program runs as a whole, which is phase `e2e_kv`; the cell asks for `%s`" % work["phase"])
        if work.get("axes"):
            raise Refused("the cell fixes %s, and an unmodified program takes no axes" % ", ".join(sorted(work["axes"])))
        places = {
            "model_dir": self._model_dir,
            "new_tokens": work["new_tokens"],
            "prompt_ids": ",".join(map(str, work["prompt"])),
            "prompt_tokens": len(work["prompt"]),
        }
        return Run([argument.format(**places) for argument in self._arguments], self._directory)

    def left_behind(self):
        """The program's own words stand in the message."""
        return {}

    def measure(self, job, pulse):
        """The program, from its start to its end."""
        job.run(pulse)

    def finish(self, job):
        """What the program printed; a program that failed raises what it failed of."""
        if job.status != 0:
            raise failure(job.status, job.stderr)
        found = {}
        for name, pattern, required in self._lines:
            matches = [match for match in map(pattern.search, job.log) if match]
            if matches:
                found[name] = matches[-1].group("value")
            elif required:
                raise BackendError("the program ended well, and no line of its log is `%s` (%s)" % (name, pattern.pattern))
        tokens = [int(word) for word in re.split(r"[,\s]+", found.pop("tokens", "").strip()) if word]
        evidence = {"log.%s" % name: _value(text) for name, text in found.items()}
        evidence["exec.exit_status"] = job.status
        if not tokens:
            evidence["work.unshown"] = True
        return Output(tokens, "length", evidence)


class Run:
    """One run of the program. Its standard error goes on to the runner's, whole, and is kept for the class of its end."""

    def __init__(self, arguments, directory):
        self._arguments = arguments
        self._directory = directory
        self.status = None
        self.log = []
        self.stderr = []

    def run(self, pulse):
        """Starts the program and waits for its end; each line that it prints is a sign of life."""
        process = subprocess.Popen(
            self._arguments,
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        reading = threading.Thread(target=self._read_errors, args=(process.stderr, pulse))
        reading.start()
        for line in io.TextIOWrapper(process.stdout, encoding="utf-8", errors="replace"):
            self.log.append(line.rstrip("\n"))
            pulse.advance(1)
        reading.join()
        self.status = process.wait()

    def _read_errors(self, stream, pulse):
        """Hands the bytes on as they are, and reads lines from a copy: a bar that only returns its carriage shows life too."""
        decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
        open_line = ""
        while True:
            piece = stream.read1(1 << 16)
            sys.stderr.buffer.write(piece)
            sys.stderr.buffer.flush()
            *lines, open_line = (open_line + decoder.decode(piece, final=not piece)).split("\n")
            if not piece and open_line:
                lines.append(open_line)
            self.stderr.extend(lines)
            self.log.extend(lines)
            pulse.advance(max(len(lines), 1))
            if not piece:
                return


class ProgramFailed(BackendError):
    """The program ended with a status that is not 0."""


def failure(status, stderr):
    """What a program failed of: an exception whose type is named after the one that its traceback ends with."""
    ended = "ended by signal %d" % -status if status < 0 else "ended with status %d" % status
    named = _of_traceback(stderr) or _of_lines(stderr)
    if named is None:
        tail = "\n".join(stderr[-20:])
        return ProgramFailed("the program %s and named no exception: %s" % (ended, tail[-LONGEST_MESSAGE:]))
    name, words = named
    return type(name, (ProgramFailed,), {})("the program %s: %s" % (ended, words[:LONGEST_MESSAGE]))


def _of_traceback(stderr):
    """Class and words of the exception that the last traceback ends with: its first line that is not set in."""
    for number in reversed(range(len(stderr))):
        mark, found, _ = stderr[number].partition(TRACEBACK)
        if not found or (number and stderr[number - 1].startswith(mark + IGNORED)):
            continue
        # Launchers of several processes put a mark before each line of each.
        lines = [line[len(mark) :] if line.startswith(mark) else line for line in stderr[number + 1 :]]
        for at, line in enumerate(lines):
            match = ENDING.match(line)
            if match:
                return match.group("name"), "\n".join(lines[at:])
    return None


def _of_lines(stderr):
    """Class and words of the last line that looks like an exception's."""
    named = [(number, match) for number, match in enumerate(map(EXCEPTION.match, stderr)) if match]
    if not named:
        return None
    number, match = named[-1]
    return match.group("name"), "\n".join(stderr[number:])


def _value(text):
    """A number where the text is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
