"""The `exec` backend over the real wire: an unmodified program, its log, and how it fails."""

import json
import os
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "pytorch"), os.path.join(HERE, "..", "..", "containers", "runner")]
import wire_client  # noqa: E402
from lockstep_runner.backends.exec import failure  # noqa: E402

WORK = {"phase": "e2e_kv", "prompt": [3, 1, 4], "new_tokens": 2, "sampling": {"kind": "greedy"}, "ignore_eos": True}
LINES = [
    {"name": "wall_s", "pattern": r"Time: (?P<value>[0-9.]+) sec", "required": True},
    {"name": "device", "pattern": r"Using device=(?P<value>\w+)"},
]


def launch(program, lines=LINES, stderr=None, **more):
    """A runner whose program is this Python text."""
    arguments = [sys.executable, "-c", program, "{new_tokens}", "{prompt_ids}"]
    wanted = {"arguments": arguments, "line": lines, **more}
    return wire_client.Runner("exec", environment={"LOCKSTEP_EXEC": json.dumps(wanted)}, stderr=stderr)


def failure_name(stderr):
    """The class of what a program failed of that wrote this."""
    return type(failure(3, stderr.splitlines())).__name__


class Exec(unittest.TestCase):
    def test_the_last_declared_line_counts_and_nothing_more_is_claimed(self):
        program = "print('Using device=cpu'); print('Time: 9.5 sec'); print('Time: 1.25 sec')"
        with launch(program) as runner:
            self.assertEqual(runner.greeting["runner"], "python-exec")
            self.assertEqual(runner.load(".")["type"], "loaded")
            answer = runner.run(WORK)
        self.assertEqual(answer["type"], "result", answer)
        self.assertEqual(answer["tokens"], [])
        self.assertEqual(
            answer["evidence"],
            {"log.wall_s": 1.25, "log.device": "cpu", "exec.exit_status": 0, "work.unshown": True},
        )

    def test_token_ids_that_are_printed_are_the_output(self):
        lines = [{"name": "tokens", "pattern": r"ids: (?P<value>[0-9, ]+)"}]
        program = "import sys; print('ids:', sys.argv[2])"
        with launch(program, lines) as runner:
            runner.load(".")
            answer = runner.run(WORK)
        self.assertEqual(answer["tokens"], [3, 1, 4])
        self.assertNotIn("work.unshown", answer["evidence"])

    def test_an_exception_keeps_its_class_however_much_is_printed_around_it(self):
        program = (
            "import sys\n"
            "class InductorError(Exception): pass\n"
            "sys.stderr.write('noise\\n' * 20000)\n"
            "import atexit; atexit.register(lambda: sys.stderr.write('cleanup line\\n' * 500))\n"
            "raise InductorError('backend failed')\n"
        )
        with launch(program) as runner:
            runner.load(".")
            answer = runner.run(WORK)
        self.assertEqual(answer["type"], "failed", answer)
        self.assertEqual(answer["class"], "inductor_error")
        self.assertIn("InductorError: backend failed", answer["message"])
        self.assertIn("status 1", answer["message"])

    def test_the_class_is_the_one_that_the_last_traceback_ends_with_whatever_its_name(self):
        names = {
            "torch._dynamo.exc.RecompileLimitExceeded": ("compile_error", "RecompileLimitExceeded"),
            "mylib.CUDAOutOfMem": ("exception", "CUDAOutOfMem"),
            "library.faults.f.<locals>.Odd": ("exception", "Odd"),
        }
        for full, (kind, name) in names.items():
            written = (
                "ValueError: earlier and handled\n"
                "Traceback (most recent call last):\n"
                '  File "a.py", line 1, in <module>\n'
                "    NotThis: of a source line\n"
                "%s: it was too much\n"
                "Hint: a word of the message\n"
                "Exception ignored in: <function f>\n"
                "Traceback (most recent call last):\n"
                '  File "b.py", line 1, in f\n'
                "TypeError: at the end of the interpreter\n"
            ) % full
            with launch("import sys; sys.stderr.write(%r); sys.exit(3)" % written) as runner:
                runner.load(".")
                answer = runner.run(WORK)
            self.assertEqual(answer.get("class", "exception"), kind, answer)
            self.assertIn(full + ": it was too much", answer["message"])
            self.assertEqual(failure_name(written), name)

    def test_a_marked_traceback_and_lines_without_one_are_read_too(self):
        marked = "[rank0]: Traceback (most recent call last):\n[rank0]:   File \"a\"\n[rank0]: lib.OutOfRoom: no\n"
        self.assertEqual(failure_name(marked), "OutOfRoom")
        self.assertEqual(failure_name("noise\nlib.GoneError: no\nnote: more\n"), "GoneError")
        self.assertEqual(failure_name("note: nothing\n"), "ProgramFailed")
        self.assertEqual(failure_name("Traceback (most recent call last):\n  cut off"), "ProgramFailed")

    def test_standard_error_is_handed_on_byte_by_byte(self):
        written = b"\xff\xfe half \xc3\r 10%\r 20%\r\nlast line without an end"
        program = "import sys; sys.stderr.buffer.write(%r); print('Time: 1 sec')" % written
        with tempfile.TemporaryFile() as kept:
            with launch(program, stderr=kept) as runner:
                runner.load(".")
                self.assertEqual(runner.run(WORK)["type"], "result")
            kept.seek(0)
            self.assertEqual(kept.read(), written)

    def test_a_program_that_dies_of_a_signal_says_of_which(self):
        with launch("import os; os.kill(os.getpid(), 9)") as runner:
            runner.load(".")
            answer = runner.run(WORK)
        self.assertIn("ended by signal 9", answer["message"])

    def test_a_good_end_without_a_required_line_is_a_failure(self):
        with launch("print('hello')") as runner:
            runner.load(".")
            answer = runner.run(WORK)
        self.assertEqual(answer["type"], "failed")
        self.assertIn("no line of its log is `wall_s`", answer["message"])

    def test_other_phases_and_cell_axes_are_refused(self):
        for change in ({"phase": "kv_decode"}, {"axes": {"cache": "static"}}):
            with launch("print('Time: 1 sec')") as runner:
                runner.load(".")
                answer = runner.run({**WORK, **change})
            self.assertEqual(answer["type"], "fatal", change)

    def test_a_program_that_is_not_there_is_told_at_load(self):
        wanted = json.dumps({"arguments": ["no-such-program"]})
        with wire_client.Runner("exec", environment={"LOCKSTEP_EXEC": wanted}) as runner:
            self.assertIn("no-such-program", runner.load(".")["message"])
        with wire_client.Runner("exec") as runner:
            self.assertIn("LOCKSTEP_EXEC", runner.load(".")["message"])


if __name__ == "__main__":
    unittest.main()
