"""Weights of AWQ by its kernels, where they are installed: they give what the same numbers give unpacked."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "containers", "runner"))

from checkpoints import in_four_bits  # noqa: E402
from needs import needs_compiler, needs_torch  # noqa: E402
from wire_client import Runner, work  # noqa: E402

from lockstep_runner.backends.pytorch import quantized  # noqa: E402

LANE = {"device": "cpu", "threads": "1"}
PROMPT = [3, 1, 4, 1, 5, 9, 2, 6]
_missing = quantized.missing_packages()


@needs_torch
@unittest.skipIf(_missing, "AWQ's kernels are not installed here: %s" % ", ".join(_missing))
class Kernels(unittest.TestCase):
    """Over the wire, on a processor."""

    def answers(self, path, lane, cells):
        """A repetition of each cell, a prompt and twelve tokens, from one launch."""
        with Runner() as runner:
            runner.load(path, {**LANE, **lane})
            found = [runner.run(work("e2e_kv", PROMPT, 12, **axes)) for axes in cells]
            self.assertEqual({answer["type"] for answer in found}, {"result"}, found)
            self.assertEqual(runner.bye(), ("bye", 0))
        return found

    def test_the_kernels_give_the_tokens_of_the_same_numbers_unpacked(self):
        packed, unpacked = in_four_bits("qwen2")
        (expected,) = self.answers(unpacked, {}, [{}])
        self.assertEqual(expected["evidence"]["quantization"], "none")
        self.assertGreater(len(set(expected["tokens"])), 4, "outputs that repeat prove little")
        said = {"quantization": "awq-4bit"}
        cells = [{"cache": "dynamic"}, {"cache": "static"}, {"cache": "dynamic", **said}, {"cache": "static", **said}]
        for cell, found in zip(cells, self.answers(packed, {}, cells), strict=True):
            with self.subTest(**cell):
                self.assertEqual(found["tokens"], expected["tokens"])
                evidence = found["evidence"]
                # Two layers, seven projections each.
                self.assertEqual((evidence["quantization"], evidence["quantization.layers"]), ("awq-4bit", 14))
                self.assertTrue(all("Awq" in name for name in evidence["quantization.kernels"]), evidence)
                # In 32 bits no packed kernel multiplies: the layers unpack.
                self.assertEqual(evidence["quantization.operators"], ["aten.mm.default"])
                self.assertEqual((evidence["cache"], evidence["dtype"]), (cell["cache"], "f32"))

    def test_in_16_bits_the_packed_weights_themselves_are_multiplied(self):
        packed, _ = in_four_bits("qwen2")
        cells = [{"dtype": "bf16"}, {"dtype": "f16"}]
        for cell, found in zip(cells, self.answers(packed, {"dtype": "bf16"}, cells[:1]) + self.answers(packed, {"dtype": "f16"}, cells[1:])):
            with self.subTest(**cell):
                self.assertEqual(found["evidence"]["dtype"], cell["dtype"])
                self.assertEqual(found["evidence"]["quantization.operators"], ["aten._weight_int4pack_mm_for_cpu.default"])

    def test_a_cell_that_asks_for_unquantized_weights_is_refused(self):
        packed, _ = in_four_bits("qwen2")
        with Runner() as runner:
            runner.load(packed, LANE)
            refused = runner.run(work("e2e_kv", PROMPT, 12, quantization="none"))
        self.assertEqual(refused["type"], "fatal")
        self.assertIn("quantization = 'none' is asked for", refused["message"])
        self.assertIn("have 'awq-4bit'", refused["message"])

    @needs_compiler
    def test_compiled_code_gives_them_too(self):
        packed, unpacked = in_four_bits("qwen2")
        (found,) = self.answers(packed, {}, [{"cache": "static", "compile_mode": "default", "dynamic": "false"}])
        self.assertEqual(found["tokens"], self.answers(unpacked, {}, [{}])[0]["tokens"])
        self.assertEqual(found["evidence"]["quantization"], "awq-4bit")


if __name__ == "__main__":
    unittest.main()
