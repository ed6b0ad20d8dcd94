"""A backend refuses what it cannot honour, says what it did, and imports nothing heavy before it must."""

import json
import os
import shutil
import tempfile
import unittest

from checkpoints import checkpoint
from needs import needs_torch
from wire_client import Runner, work

HEAVY = ("torch", "transformers", "triton", "numpy")


class Refusals(unittest.TestCase):
    """Without torch."""

    def refusal(self, backend, axes):
        """What the runner says to these axes of a lane, and how it leaves."""
        with Runner(backend) as runner:
            answer = runner.load("/nowhere", axes)
            self.assertEqual(runner.process.wait(60), 1)
        return answer

    def test_an_axis_of_the_lane_that_cannot_be_honoured_is_fatal(self):
        for axis, value in (
            ("cache", "perpetual"),
            ("dtype", "f64"),
            ("compile_mode", "max-autotune"),
            ("attention", "flash_attention_2"),
            ("quantization", "awq_4bit"),
            ("cuda_graphs", "all"),
            ("dynamic", "auto"),
            ("threads", "0"),
            ("threads", "60000"),
        ):
            with self.subTest(axis):
                answer = self.refusal("pytorch", {axis: value})
                self.assertEqual(answer["type"], "fatal")
                self.assertIn("%s = %r" % (axis, value), answer["message"])

    def test_contradictions_are_fatal(self):
        for axes in (
            {"compile_mode": "reduce-overhead", "padded": "multiple_of_8"},
            {"compile_mode": "reduce-overhead", "padded": "64"},
            {"compile_mode": "reduce-overhead", "cuda_graphs": "none"},
            {"compile_mode": "default", "dynamic": "none"},
        ):
            with self.subTest(**axes):
                self.assertEqual(self.refusal("pytorch", axes)["type"], "fatal")

    def test_a_backend_file_that_is_none_is_fatal(self):
        with tempfile.TemporaryDirectory() as folder:
            empty = os.path.join(folder, "mine.py")
            with open(empty, "w", encoding="utf-8"):
                pass
            for path, message in ((empty, "no class `Backend`"), (empty + "/other.py", "no backend file")):
                self.assertIn(message, self.refusal(path, {})["message"])


@needs_torch
class Cells(unittest.TestCase):
    """With a model, eager."""

    LANE = {"device": "cpu", "threads": "1"}

    def test_the_reference_refuses_what_it_does_not_do(self):
        for axes in ({"cache": "static"}, {"compile_mode": "default"}, {"dtype": "f32"}, {"colour": "red"}):
            with self.subTest(**axes), Runner("reference") as runner:
                runner.load(checkpoint("llama"))
                answer = runner.run(work(**axes))
                self.assertEqual(answer["type"], "fatal")
                self.assertIn(next(iter(axes)), answer["message"])
                self.assertEqual(runner.process.wait(60), 1)

    def test_the_reference_shows_the_axes_of_the_cell(self):
        axes = {"cache": "none", "compile_mode": "eager", "dtype": "f64", "padded": "none"}
        with Runner("reference") as runner:
            runner.load(checkpoint("llama"))
            answer = runner.run(work(**axes))
        self.assertEqual({name: answer["evidence"][name] for name in axes}, axes)

    def test_an_unknown_axis_of_a_cell_is_refused(self):
        for axes in ({"colour": "red"}, {"dtype": "f64"}):
            with self.subTest(**axes), Runner() as runner:
                runner.load(checkpoint("llama"), self.LANE)
                self.assertEqual(runner.run(work(**axes))["type"], "fatal")

    def test_cells_change_format_cache_and_attention_in_one_launch(self):
        with Runner() as runner:
            runner.load(checkpoint("llama"), {**self.LANE, "dtype": "f32", "cache": "dynamic", "compile_mode": "eager"})
            for axes in (
                {"dtype": "bf16", "cache": "static", "attention": "eager"},
                {"dtype": "f32", "cache": "dynamic", "attention": "sdpa", "padded": "multiple_of_8"},
                {"dtype": "f16", "dynamic": "false", "compile_target": "forward", "cudagraph_mark_step": "false"},
            ):
                with self.subTest(**axes):
                    evidence = runner.run(work(**axes))["evidence"]
                    self.assertEqual({name: evidence[name] for name in axes}, axes)
                    self.assertEqual(evidence["compile_mode"], "eager")
                    self.assertEqual(evidence["forward_passes"], 4)
                    self.assertEqual(evidence["threads"], 1)

    def test_what_does_not_fit_fails_and_the_runner_lives(self):
        with Runner() as runner:
            runner.load(checkpoint("llama"), self.LANE, max_positions=16)
            for one in (work(new_tokens=12), work(prompt=[96])):
                answer = runner.run(one)
                self.assertEqual(answer["type"], "failed")
                self.assertNotIn("class", answer)
            # Padding needs room of its own, and has it.
            for cache in ("static", "dynamic"):
                for padded in ("multiple_of_8", "64"):
                    answer = runner.run(work(new_tokens=11, padded=padded, cache=cache))
                    self.assertEqual(answer["type"], "result", answer)
            self.assertEqual(runner.bye(), ("bye", 0))

    def test_a_prompt_longer_than_what_it_is_padded_to_is_refused(self):
        with Runner() as runner:
            runner.load(checkpoint("llama"), self.LANE)
            answer = runner.run(work(prompt=range(9), padded="8"))
            self.assertEqual(answer["type"], "fatal")
            self.assertIn("padded = '8' is shorter than the prompt of 9 tokens", answer["message"])

    def test_a_model_without_the_positions_is_fatal(self):
        with Runner() as runner:
            self.assertIn("129 positions", runner.load(checkpoint("llama"), self.LANE, 129)["message"])

    def test_a_checkpoint_with_missing_weights_is_fatal(self):
        from safetensors.torch import load_file, save_file

        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(checkpoint("llama"), folder, dirs_exist_ok=True)
            path = os.path.join(folder, "model.safetensors")
            weights = load_file(path)
            del weights["model.layers.1.mlp.up_proj.weight"]
            save_file(weights, path, {"format": "pt"})
            with Runner() as runner:
                answer = runner.load(folder, self.LANE)
        self.assertEqual(answer["type"], "fatal")
        self.assertIn("model.layers.1.mlp.up_proj.weight", answer["message"])

    def test_broken_weights_fail_instead_of_giving_tokens(self):
        from safetensors.torch import load_file, save_file

        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(checkpoint("llama"), folder, dirs_exist_ok=True)
            path = os.path.join(folder, "model.safetensors")
            weights = load_file(path)
            weights["model.norm.weight"][3] = float("nan")
            save_file(weights, path, {"format": "pt"})
            with Runner() as runner:
                runner.load(folder, self.LANE)
                for sampling in (None, {"kind": "seeded", "seed": 1, "temperature": 1.0}):
                    answer = runner.run(work(sampling=sampling))
                    self.assertEqual(answer["type"], "failed")
                    self.assertIn("not finite", answer["message"])

    def test_signals_name_the_stack_and_nothing_heavy_comes_early(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(checkpoint("llama"), folder, dirs_exist_ok=True)
            with open(os.path.join(folder, "lockstep.json"), "w", encoding="utf-8") as file:
                json.dump({"weights": "synthetic"}, file)
            with Runner() as runner:
                self.assertEqual(runner.greeting["runner"], "python-pytorch")
                early = runner.signals("before_imports")
                runner.load(folder, self.LANE)
                late = runner.signals("after_imports")
        self.assertEqual([early["modules." + name] for name in HEAVY], [False] * len(HEAVY))
        import torch

        self.assertEqual(late["torch.version"], torch.__version__)
        self.assertEqual(late["torch.git"], torch.version.git_version)
        self.assertEqual(late["weights.kind"], "synthetic")
        self.assertEqual(late["threads"], 1)
        self.assertEqual(late["engine.model_type"], "llama")
        self.assertTrue(late["triton.path"].endswith("__init__.py") if "triton.path" in late else late["triton.error"])


if __name__ == "__main__":
    unittest.main()
