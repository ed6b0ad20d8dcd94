"""Weights of AWQ, 4 bits each: what says so of a checkpoint, who is refused, and how layers are watched that multiply in their own way."""

import json
import os
import sys
import unittest
import unittest.mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "containers", "runner"))

from checkpoints import checkpoint, in_four_bits  # noqa: E402
from needs import needs_torch  # noqa: E402
from wire_client import Runner, work  # noqa: E402

from lockstep_runner.backends.pytorch import quantized  # noqa: E402

LANE = {"device": "cpu", "threads": "1"}
PROMPT = [3, 1, 4, 1, 5, 9, 2, 6]
_missing = quantized.missing_packages()


@needs_torch
class Refusals(unittest.TestCase):
    """Over the wire."""

    def refused(self, path, lane, **axes):
        """What the lane, or its cell, is refused with."""
        with Runner() as runner:
            found = runner.load(path, {**LANE, **lane})
            if found["type"] != "fatal":
                found = runner.run(work("e2e_kv", PROMPT, 12, **axes))
        self.assertEqual(found["type"], "fatal", found)
        return found["message"]

    @unittest.skipUnless(_missing, "AWQ's kernels are installed here")
    def test_without_the_kernels_the_checkpoint_is_refused_by_what_is_missing(self):
        packed, _ = in_four_bits("qwen2")
        self.assertIn("what runs them is not installed: %s" % ", ".join(_missing), self.refused(packed, {}))

    def test_whoever_asks_for_other_weights_is_refused(self):
        packed, _ = in_four_bits("qwen2")
        none, awq = {"quantization": "none"}, {"quantization": "awq-4bit"}
        # That a cell asks it of packed weights is seen where these can be loaded: in `test_awq_kernels`.
        for path, lane, cell in ((packed, none, {}), (checkpoint("qwen2"), awq, {}), (checkpoint("qwen2"), {}, awq)):
            with self.subTest(lane=lane, cell=cell):
                asked, has = (none, awq) if path == packed else (awq, none)
                message = self.refused(path, lane, **cell)
                self.assertIn("quantization = %r is asked for" % asked["quantization"], message)
                self.assertIn("have %r" % has["quantization"], message)

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
                self.assertIn(named, self.refused(packed, {}))
        finally:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)


@needs_torch
class Declared(unittest.TestCase):
    """Of a config alone."""

    def test_four_bits_are_what_awq_means_where_no_number_stands(self):
        class Config:
            quantization_config = {"quant_method": "awq"}

        self.assertEqual(quantized.declared(Config), "awq-4bit")
        self.assertEqual(quantized.declared(object()), "none")


@needs_torch
class Watched(unittest.TestCase):
    """Layers that multiply in formats of their own."""

    def evidence(self, cast):
        """Of a model with one such layer, whose own scales are of 16 bits and which casts what it is given."""
        import torch

        class Layer(torch.nn.Module):
            QUANT_TYPE = "awq_toy"

            def __init__(self):
                super().__init__()
                self.bits = 4
                self.register_buffer("scales", torch.ones(4, 4, dtype=torch.float16))

            def forward(self, x):
                return cast(x, self.scales).to(x.dtype)

        class Model(torch.nn.Module):
            device = torch.device("cpu")

            def __init__(self):
                super().__init__()
                self.embedding, self.layer, self.head = torch.nn.Embedding(4, 4), Layer(), torch.nn.Linear(4, 4)

            def forward(self, input_ids, use_cache):
                return self.head(self.layer(self.embedding(input_ids)))

        model = Model()
        found, formats = quantized.evidence(torch, model)
        self.assertFalse(model.layer._forward_hooks or model.layer._forward_pre_hooks, "the watch is over")
        self.assertEqual((found["quantization"], found["quantization.kernels"]), ("awq-4bit", ["Layer"]))
        self.assertEqual(found["quantization.layers"], 1)
        return found["quantization.operators"], {str(dtype) for dtype in formats}

    def test_the_format_is_that_of_the_multiplication_and_not_of_what_the_layer_was_given(self):
        import torch

        def in_bf16(x, scales):
            return x.to(torch.bfloat16).reshape(-1, 4) @ scales.to(torch.bfloat16)

        self.assertEqual(self.evidence(lambda x, scales: in_bf16(x, scales).reshape(x.shape)), (["aten.mm.default"], {"torch.bfloat16"}))

    def test_some_layers_take_another_way_where_there_are_many_tokens(self):
        import torch

        def by_length(x, scales):
            dtype = torch.bfloat16 if x.shape[1] > 1 else torch.float16
            return (x.to(dtype).reshape(-1, 4) @ scales.to(dtype)).reshape(x.shape)

        self.assertEqual(self.evidence(by_length)[1], {"torch.bfloat16", "torch.float16"})

    def test_a_format_that_was_asked_for_and_is_not_multiplied_in_is_refused(self):
        import torch

        from lockstep_runner.backends import Refused
        from lockstep_runner.backends.pytorch.weights import Weights

        weights = Weights(checkpoint("qwen2"), torch.device("cpu"))
        model = weights.model("f32", "sdpa")
        # As the layers of a packed model would be found, in a model that can be had without their kernels.
        seen = {"quantization": "awq-4bit", "quantization.kernels": ["Casting"]}
        with unittest.mock.patch.object(quantized, "evidence", lambda *_: (seen, {torch.bfloat16})):
            with self.assertRaisesRegex(Refused, r"dtype = 'f32' is asked for.* run in bf16\+f32 \(Casting\)"):
                weights._watch(model, "f32")
        self.assertEqual(weights.quantization_of(model), {"quantization": "none"})
        with unittest.mock.patch.object(quantized, "evidence", lambda *_: (seen, {torch.float32})):
            weights._watch(model, "f32")
        self.assertEqual((weights.quantization_of(model), weights.dtype_of(model)), (seen, "f32"))

    def test_what_does_not_go_by_the_dispatcher_is_taken_to_be_in_the_format_of_the_scales(self):
        self.assertEqual(self.evidence(lambda x, scales: x), ([], {"torch.float16"}))


if __name__ == "__main__":
    unittest.main()
