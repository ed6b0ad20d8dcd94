"""The parity backend: whole sequences in 32 bits, position by position in fewer, and a difference that does not go unseen."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "containers", "runner"))

from checkpoints import checkpoint  # noqa: E402
from needs import needs_compiler, needs_torch  # noqa: E402
from test_faults import compiled, lane  # noqa: E402
from wire_client import Runner, work  # noqa: E402

PROMPT = [3, 1, 4, 1, 5, 9, 2, 6]
TOKENS = 16


def answer(backend, kind, one):
    """The answer to one piece of work, which has to be a result."""
    with Runner(backend) as runner:
        loaded = runner.load(checkpoint(kind), lane())
        if loaded["type"] != "loaded":
            raise AssertionError(loaded)
        found = runner.run(one)
    if found["type"] != "result":
        raise AssertionError(found)
    return found


@needs_torch
class Parity(unittest.TestCase):
    """Over the wire, on this machine's device."""

    def test_in_32_bits_the_tokens_are_those_of_the_timed_backend(self):
        for phase in ("e2e_kv", "kv_decode"):
            asked = work(phase, PROMPT, TOKENS, dtype="f32")
            found, timed = (answer(backend, "qwen2", asked) for backend in ("pytorch_parity", "pytorch"))
            self.assertEqual(found["tokens"], timed["tokens"])
            evidence = found["evidence"]
            self.assertNotIn("teacher.positions", evidence)
            for low, mean, high in zip(*(map(float, evidence["logits." + name]) for name in ("min", "mean", "max"))):
                self.assertTrue(low < mean < high)
            self.assertEqual([len(evidence["logits." + name]) for name in ("mean", "std")], [TOKENS, TOKENS])

    @needs_compiler
    def test_in_32_bits_compiled_tokens_are_the_eager_ones(self):
        for kind in ("qwen2", "llama", "gpt2"):
            with self.subTest(kind):
                eager = answer("pytorch_parity", kind, work("e2e_kv", PROMPT, TOKENS, cache="static"))
                for mode in ("default", "aot_eager"):
                    asked = compiled("e2e_kv", mode, cache="static", prompt=PROMPT, new_tokens=TOKENS)
                    self.assertEqual(answer("pytorch_parity", kind, asked)["tokens"], eager["tokens"], mode)

    def test_in_fewer_bits_every_decisive_position_agrees(self):
        for kind in ("qwen2", "gpt2"):
            for cache in ("dynamic", "static"):
                with self.subTest(kind=kind, cache=cache):
                    found = answer("pytorch_parity", kind, work("kv_decode", PROMPT, TOKENS, dtype="bf16", cache=cache))
                    evidence = found["evidence"]
                    self.assertEqual(evidence["teacher.positions"], TOKENS + 1)
                    self.assertGreater(evidence["teacher.rms_error"], 0)
                    self.assertGreater(evidence["teacher.decisive"], TOKENS // 2)
                    self.assertEqual(evidence["teacher.agreeing"], evidence["teacher.decisive"])
                    self.assertEqual(len(found["tokens"]), TOKENS)

    def test_drawn_tokens_have_no_parity(self):
        sampling = {"kind": "seeded", "seed": 1, "temperature": 1.0}
        with Runner("pytorch_parity") as runner:
            runner.load(checkpoint("qwen2"), lane())
            self.assertEqual(runner.run(work("e2e_kv", PROMPT, 4, sampling))["type"], "failed")


@needs_torch
class Compared(unittest.TestCase):
    """The measure alone."""

    def compared(self, teacher, pupil):
        """Of plain lists."""
        import torch
        from lockstep_runner.backends.pytorch.parity import compared

        return compared(torch, torch.tensor(teacher), torch.tensor(pupil))

    def test_only_positions_whose_margin_exceeds_four_times_the_error_count(self):
        # The error is 0.5 everywhere; margins are 10 and 1.
        found = self.compared([[10.0, 0.0], [1.0, 0.0]], [[10.5, 0.5], [0.5, 0.5]])
        self.assertEqual((found["teacher.decisive"], found["teacher.agreeing"]), (1, 1))
        self.assertEqual((found["teacher.decisive_share"], found["teacher.rms_error"]), (0.5, 0.5))

    def test_another_pick_at_a_decisive_position_is_seen(self):
        # One position in twenty is wrong, by its margin.
        teacher = [[9.0, 0.0]] * 20
        found = self.compared(teacher, [[0.0, 0.1], *teacher[1:]])
        self.assertEqual((found["teacher.decisive"], found["teacher.agreeing"]), (20, 19))


if __name__ == "__main__":
    unittest.main()
