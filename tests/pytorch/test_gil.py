"""Agents in one interpreter, and what that interpreter says of its global lock. Needs neither torch nor NumPy."""

import os
import sys
import threading
import unittest
from unittest import mock

from wire_client import HERE, Runner, work

sys.path.insert(0, os.path.join(HERE, "..", "..", "containers", "runner"))
from lockstep_runner import signals  # noqa: E402
from lockstep_runner.backends.agents import control  # noqa: E402
from lockstep_runner.backends.reference import decoder  # noqa: E402

MODEL = os.path.join(HERE, "..", "fixtures", "engine", "qwen2")
STAGES = ("before_imports", "after_warmup", "at_exit")


class Agents(unittest.TestCase):
    def setUp(self):
        self.runner = Runner("agents")
        self.addCleanup(self.runner.__exit__)

    def loaded(self):
        answer = self.runner.load(MODEL)
        self.assertEqual(answer["type"], "loaded", answer)
        return self.runner

    def test_every_agent_decodes_the_tokens_of_the_reference(self):
        with Runner("reference") as reference:
            self.assertEqual(reference.load(MODEL)["type"], "loaded")
            expected = {phase: reference.run(work(phase))["tokens"] for phase in ("prefill", "kv_decode")}
        runner = self.loaded()
        for phase, tokens in expected.items():
            for agents in ("1", "2"):
                answer = runner.run(work(phase, agents=agents, kernels="python"))
                self.assertEqual(answer["tokens"], tokens, answer)
                found = answer["evidence"]
                self.assertEqual((found["agents"], found["kernels"]), (agents, "python"))
                self.assertEqual(found["forward_passes"], len(tokens))
                self.assertEqual(len(found["agents.request_ns"]), int(agents) * found["agents.requests"])
                self.assertTrue(all(0 < int(ns) <= answer["wall_ns"] for ns in found["agents.request_ns"]))
        self.assertEqual(runner.bye(), ("bye", 0))

    def test_a_control_of_two_processes_stands_around_every_sample(self):
        runner = self.loaded()
        for _ in range(2):
            found = runner.run(work(agents="2"))["evidence"]
            around = [found["control.before"], found["control.after"]]
            self.assertEqual(found["control.two_process_speedup"], min(around))
            self.assertGreaterEqual(found["control.looks"], 1)
            # How much more than one they do is the host's to say, and whatever else runs there.
            self.assertTrue(all(value > 0 for value in around), around)

    def test_a_sample_waits_for_an_idle_host_and_not_for_ever(self):
        busy, idle = [1.1, 1.2, 1.9, 1.0], [1.85, 1.0]
        with mock.patch.object(control.Control, "__init__", lambda _: None):
            watched = control.Control()
        for gains, expected in ((busy, (1.9, 3)), (idle, (1.85, 1))):
            with mock.patch.object(watched, "speedup", side_effect=gains):
                self.assertEqual(watched.calm(None), expected)
        with mock.patch.object(watched, "speedup", return_value=1.5), mock.patch.object(control, "PATIENCE_NS", 0):
            self.assertEqual(watched.calm(None), (1.5, 1))

    def test_the_model_cut_after_a_layer_is_another_one_and_says_so(self):
        runner = self.loaded()
        whole, cut = (runner.run(work(new_tokens=8, layers=layers)) for layers in ("2", "1"))
        self.assertEqual((whole["evidence"]["layers"], cut["evidence"]["layers"]), ("2", "1"))
        self.assertNotEqual(whole["tokens"], cut["tokens"])

    def test_what_it_cannot_honour_is_refused(self):
        runner = self.loaded()
        answer = runner.run(work(layers="99"))
        self.assertEqual(answer["type"], "fatal")
        self.assertIn("layers = '99'", answer["message"])

    def test_every_look_holds_the_three_signals(self):
        runner = self.runner
        looks = [runner.signals(STAGES[0])]
        self.loaded()
        looks += [runner.signals(stage) for stage in STAGES[1:]]
        for look in looks:
            self.assertTrue(look["python.gil_signals_agree"])
            self.assertEqual(look["python.gil_build_disabled"], not look["python.gil_enabled"])
            self.assertEqual(look["python.gil_request"], "none")


class Lock(unittest.TestCase):
    """Interpreters that are not here, by what they would say."""

    def look(self, build, enabled, request):
        asked = {} if request is None else {"gil": request}
        with mock.patch.object(signals.sysconfig, "get_config_var", lambda name: build), mock.patch.object(
            signals.sys, "_is_gil_enabled", lambda: enabled, create=True
        ), mock.patch.object(signals.sys, "_xoptions", asked, create=True):
            return signals.gil()

    def test_a_lock_that_an_import_switched_on_again_does_not_agree(self):
        self.assertTrue(self.look(1, False, None)["python.gil_signals_agree"])
        self.assertTrue(self.look(0, True, None)["python.gil_signals_agree"])
        self.assertTrue(self.look(1, True, "1")["python.gil_signals_agree"], "it was asked for")
        found = self.look(1, True, None)
        self.assertFalse(found["python.gil_signals_agree"])
        self.assertEqual((found["python.gil_build_disabled"], found["python.gil_enabled"]), (True, True))
        self.assertFalse(self.look(1, True, "0")["python.gil_signals_agree"])


class SharedRotation(unittest.TestCase):
    """What agents share without a lock."""

    def test_agents_that_fill_the_rotary_table_together_fill_it_as_one_would(self):
        shape = mock.Mock(head_dim=8, rope_frequencies=[1.0, 0.5, 0.25, 0.125])
        heads, positions = [float(number) for number in range(8)], range(48)
        alone = decoder.Rotary(shape)
        expected = [alone(heads, position) for position in positions]
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(1e-6)
        for _ in range(40):
            shared, start, found = decoder.Rotary(shape), threading.Barrier(4), []

            def agent():
                start.wait()
                found.append([shared(heads, position) for position in positions])

            agents = [threading.Thread(target=agent) for _ in range(4)]
            for thread in agents:
                thread.start()
            for thread in agents:
                thread.join()
            self.assertEqual(found, [expected] * 4)

if __name__ == "__main__":
    unittest.main()
