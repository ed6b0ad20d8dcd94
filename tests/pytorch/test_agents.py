"""N agents in one process: each does the work of one, and what stands still is told."""

import io
import os
import sys
import threading
import unittest
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "containers", "runner"))

from checkpoints import checkpoint  # noqa: E402
from lockstep_runner.backends.pytorch import direct  # noqa: E402
from lockstep_runner.voice import Pulse  # noqa: E402
from needs import needs_cuda, needs_torch  # noqa: E402
from wire_client import Runner, work  # noqa: E402


@needs_torch
class Agents(unittest.TestCase):
    """Over the wire."""

    LANE = {"device": "cpu", "threads": "1"}

    def test_every_agent_gives_the_tokens_of_one(self):
        with Runner() as alone:
            alone.load(checkpoint("qwen2"), self.LANE)
            expected = {phase: alone.run(work(phase))["tokens"] for phase in ("prefill", "kv_decode", "e2e_kv")}
        with Runner("pytorch_direct") as runner:
            self.assertEqual(runner.load(checkpoint("qwen2"), self.LANE)["type"], "loaded")
            for agents in ("1", "3"):
                for phase, tokens in expected.items():
                    with self.subTest(agents=agents, phase=phase):
                        answer = runner.run(work(phase, agents=agents, stream="shared", cache="dynamic"))
                        self.assertEqual(answer["tokens"], tokens)
                        evidence = answer["evidence"]
                        self.assertEqual((evidence["agents"], evidence["stream"]), (agents, "shared"))
                        self.assertEqual(evidence["forward_passes"], len(tokens))
                        self.assertEqual(evidence["agents.forward_passes"], int(agents) * len(tokens))
                        self.assertEqual(len(evidence["agents.wall_ns"]), int(agents))
                        self.assertEqual(evidence["agents.request_ns"], evidence["agents.wall_ns"])
                        self.assertGreater(evidence["agents.fastest_ns"], 0)
                        self.assertLessEqual(evidence["agents.slowest_ns"], answer["wall_ns"])
            self.assertEqual(runner.bye(), ("bye", 0))

    def test_what_cannot_be_honoured_is_refused(self):
        for axes in ({"compile_mode": "default"}, {"cache": "static"}, {"agents": "0"}, {"stream": "other"}):
            with self.subTest(**axes), Runner("pytorch_direct") as runner:
                runner.load(checkpoint("qwen2"), self.LANE)
                self.assertEqual(runner.run(work(**axes))["type"], "fatal")

    def test_streams_of_their_own_need_a_device_with_streams(self):
        with Runner("pytorch_direct") as runner:
            runner.load(checkpoint("qwen2"), self.LANE)
            answer = runner.run(work(agents="2", stream="per_agent"))
            self.assertEqual(answer["type"], "failed")
            self.assertIn("needs a CUDA device", answer["message"])

    @needs_cuda
    def test_on_a_device_one_stream_and_many_give_the_same_tokens(self):
        with Runner("pytorch_direct") as runner:
            runner.load(checkpoint("qwen2"), {"device": "cuda"})
            found = [runner.run(work(agents="4", stream=stream)) for stream in ("shared", "per_agent")]
        self.assertEqual(found[0]["tokens"], found[1]["tokens"])
        self.assertEqual([one["evidence"]["agents.streams"] for one in found], [1, 4])
        for one in found:
            spans = [int(text) for text in one["evidence"]["agents.device_ns"]]
            self.assertEqual(len(spans), 4)
            self.assertTrue(all(0 < span <= one["wall_ns"] for span in spans), spans)


class _Backend:
    """Does what a test wants in place of passes."""

    def __init__(self, do_passes):
        self.do_passes = do_passes

    def set_up_thread(self):
        """Nothing to set up."""

    def in_stream(self, stream):
        """The one stream there is."""
        return direct.contextlib.nullcontext()

    def settle(self, job, count):
        """Does nothing once."""

    def wait_for(self, stream):
        """Nothing to wait for."""


class Threads(unittest.TestCase):
    """The crowd alone; needs no torch."""

    def crowd(self, do_passes, count=3):
        """Agents whose jobs are their numbers."""
        return direct.Crowd([direct.Agent(_Backend(do_passes), number, None) for number in range(count)], direct.Crew())

    def test_none_starts_before_all_may(self):
        begun = []
        crowd = self.crowd(lambda job, count: begun.append(job))
        self.assertEqual(begun, [])
        crowd.run(Pulse())
        self.assertEqual(sorted(begun), [0, 1, 2])

    def test_threads_stay_and_each_settles_a_cell_once_before_any_starts(self):
        seen, crew = [], direct.Crew()

        class Settling(_Backend):
            def settle(self, job, count):
                seen.append(("settle", job, threading.get_ident()))

        backend = Settling(lambda job, count: seen.append(("pass", job, threading.get_ident())))
        for _ in range(2):
            direct.Crowd([direct.Agent(backend, number, None) for number in range(3)], crew).run(Pulse())
        steps = [step for step, _, _ in seen]
        self.assertEqual(steps, (["settle"] * 3 + ["pass"] * 3) * 2)
        self.assertEqual(len({(job, thread) for _, job, thread in seen}), 3, "the same thread for the same agent")

    def test_an_agent_that_cannot_settle_fails_the_repetition_at_once(self):
        class Failing(_Backend):
            def settle(self, job, count):
                if job == 1:
                    raise ValueError("agent 1 cannot")

        crew = direct.Crew()
        backend = Failing(lambda job, count: None)
        with self.assertRaisesRegex(ValueError, "agent 1 cannot"):
            direct.Crowd([direct.Agent(backend, number, None) for number in range(3)], crew)
        done = []
        fine = _Backend(lambda job, count: done.append(job))
        direct.Crowd([direct.Agent(fine, number, None) for number in range(3)], crew).run(Pulse())
        self.assertEqual(sorted(done), [0, 1, 2], "its threads are there for the next one")

    def test_what_goes_wrong_in_an_agent_fails_the_repetition(self):
        def fail(job, count):
            if job == 1:
                raise ValueError("agent 1")

        with self.assertRaisesRegex(ValueError, "agent 1"):
            self.crowd(fail).run(Pulse())

    def test_agents_that_stand_still_are_told_with_where_they_stand(self):
        told, output = threading.Event(), io.StringIO()

        def stand(job, count):
            count.advance(job)
            told.wait()

        crowd = self.crowd(stand)
        tell = crowd._tell_shape

        def tell_and_let_go(done):
            if sum(done) < 3:
                # Some have not come as far as where they stand.
                return
            with mock.patch.object(direct.sys, "stderr", output), mock.patch.object(direct.faulthandler, "dump_traceback"):
                tell(done)
            told.set()

        pulse = Pulse()
        with mock.patch.object(direct, "STALLED_AFTER_S", 0), mock.patch.object(crowd, "_tell_shape", tell_and_let_go):
            crowd.run(pulse)
        self.assertIn("0:0 1:1 2:2", output.getvalue())
        self.assertEqual(pulse.done, 3)


if __name__ == "__main__":
    unittest.main()
