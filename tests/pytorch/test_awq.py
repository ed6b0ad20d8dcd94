"""Weights of AWQ, 4 bits each: by the kernels they give what the same numbers give unpacked; without them they are refused."""

import importlib.util
import json
import os
import unittest

from checkpoints import checkpoint, in_four_bits
from needs import needs_compiler, needs_torch
from wire_client import Runner, work

LANE = {"device": "cpu", "threads": "1"}
PROMPT = [3, 1, 4, 1, 5, 9, 2, 6]
_missing = [name for name in ("accelerate", "gptqmodel") if importlib.util.find_spec(name) is None]

needs_kernels = unittest.skipIf(_missing, "AWQ's kernels are not installed here: %s" % ", ".join(_missing))


@needs_torch
class Awq(unittest.TestCase):
    """Over the wire, on a processor."""

    def answers(self, path, lane, cells):
        """A repetition of each cell, a prompt and twelve tokens, from one launch; or what the launch was refused with."""
        with Runner() as runner:
            loaded = runner.load(path, {**LANE, **lane})
            if loaded["type"] == "fatal":
                return [loaded]
            found = [runner.run(work("e2e_kv", PROMPT, 12, **axes)) for axes in cells]
            if found[-1]["type"] == "result":
                self.assertEqual(runner.bye(), ("bye", 0))
        return found

    def answer(self, path, lane, **axes):
        """That of one cell."""
        return self.answers(path, lane, [axes])[0]

    @needs_kernels
    def test_the_kernels_give_the_tokens_of_the_same_numbers_unpacked(self):
        packed, unpacked = in_four_bits("qwen2")
        expected = self.answer(unpacked, {})
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
                self.assertEqual((evidence["cache"], evidence["dtype"]), (cell["cache"], "f32"))

    @needs_kernels
    @needs_compiler
    def test_compiled_code_gives_them_too(self):
        packed, unpacked = in_four_bits("qwen2")
        found = self.answer(packed, {}, cache="static", compile_mode="default", dynamic="false")
        self.assertEqual(found["type"], "result", found)
        self.assertEqual(found["tokens"], self.answer(unpacked, {})["tokens"])
        self.assertEqual(found["evidence"]["quantization"], "awq-4bit")

    @needs_kernels
    def test_whoever_asks_for_other_weights_is_refused(self):
        packed, _ = in_four_bits("qwen2")
        for found in (self.answer(packed, {"quantization": "none"}), self.answer(packed, {}, quantization="none")):
            self.assertEqual(found["type"], "fatal")
            self.assertIn("quantization = 'none' is asked for", found["message"])
            self.assertIn("have 'awq-4bit'", found["message"])

    @unittest.skipUnless(_missing, "AWQ's kernels are installed here")
    def test_without_the_kernels_the_checkpoint_is_refused_by_what_is_missing(self):
        packed, _ = in_four_bits("qwen2")
        found = self.answer(packed, {})
        self.assertEqual(found["type"], "fatal")
        self.assertIn("what runs them is not installed: %s" % ", ".join(_missing), found["message"])

    def test_weights_that_are_not_quantized_are_not_taken_for_it(self):
        for found in (
            self.answer(checkpoint("qwen2"), {"quantization": "awq-4bit"}),
            self.answer(checkpoint("qwen2"), {}, quantization="awq-4bit"),
        ):
            self.assertEqual(found["type"], "fatal")
            self.assertIn("quantization = 'awq-4bit' is asked for", found["message"])
            self.assertIn("have 'none'", found["message"])

    def test_another_method_or_another_number_of_bits_is_refused_by_name(self):
        packed, _ = in_four_bits("qwen2")
        path = os.path.join(packed, "config.json")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        try:
            for change, named in (({"quant_method": "gptq"}, "'gptq' with 4 bits"), ({"bits": 8}, "'awq' with 8 bits")):
                config = json.loads(text)
                config["quantization_config"].update(change)
                with open(path, "w", encoding="utf-8") as file:
                    json.dump(config, file)
                found = self.answer(packed, {})
                self.assertEqual(found["type"], "fatal")
                self.assertIn(named, found["message"])
        finally:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)


if __name__ == "__main__":
    unittest.main()
