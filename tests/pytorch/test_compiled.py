"""Compiled cells beyond the faults: tokens, counters of their own, beats, and the private cache."""

import glob
import os
import tempfile
import unittest

from checkpoints import checkpoint
from needs import needs_compiler, needs_cuda
from test_faults import LEAST_SHARE, compiled, lane
from wire_client import Runner, work


@needs_compiler
class Compiled(unittest.TestCase):
    """With Inductor, on this machine's device."""

    def loaded(self, runner):
        """The runner, with a model."""
        self.assertEqual(runner.load(checkpoint("qwen2"), lane())["type"], "loaded")
        return runner

    def result(self, runner, one, warmup=False):
        """The answer, which has to be a result."""
        answer = runner.run(one, warmup)
        self.assertEqual(answer["type"], "result", answer)
        return answer

    def test_compiled_tokens_are_the_eager_ones_and_counters_belong_to_a_cell(self):
        static = dict(cache="static", new_tokens=6)
        with Runner() as runner:
            self.loaded(runner)
            eager = self.result(runner, work(compile_mode="eager", **static))
            self.assertNotIn("compile.graphs", eager["evidence"])
            first = self.result(runner, compiled("kv_decode", **static), warmup=True)
            again = self.result(runner, compiled("kv_decode", **static))
            between = self.result(runner, work(compile_mode="eager", **static))
            prefill = self.result(runner, compiled("prefill", compile_target="forward"))
            after = self.result(runner, work(compile_mode="eager", **static))
        for found in (first, again, between, after):
            self.assertEqual(found["tokens"], eager["tokens"])
        for found in (first, again):
            # One for the prompt, one for all further tokens.
            self.assertEqual(found["evidence"]["compile.graphs"], 2)
            self.assertEqual(found["evidence"]["cache"], "static")
            self.assertGreater(found["evidence"]["profile.generated_share"], LEAST_SHARE)
        self.assertEqual(first["evidence"]["compile.wall_ns"], again["evidence"]["compile.wall_ns"])
        self.assertNotIn("compile.graphs", between["evidence"])
        self.assertEqual(prefill["evidence"]["compile.graphs"], 1)
        self.assertEqual(prefill["evidence"]["compile.target"], "forward")
        self.assertIn("compile", {beat["step"] for beat in runner.beats})

    def test_another_static_cache_is_compiled_for_anew(self):
        asked = compiled("prefill", cache="static")
        with Runner() as runner:
            self.loaded(runner)
            first = self.result(runner, asked)
            self.result(runner, work("prefill", cache="static", padded="multiple_of_8"))
            again = self.result(runner, asked)
        self.assertEqual(first["tokens"], again["tokens"])
        # Compiled code is bound to the addresses of its cache: in the timed part it would compile or record again.
        self.assertNotEqual(first["evidence"]["compile.wall_ns"], again["evidence"]["compile.wall_ns"])
        self.assertEqual(again["evidence"]["compile.recompiles"], 0)

    def test_a_static_cache_is_as_long_as_its_own_cell_whatever_else_is_to_come(self):
        # More tokens than are profiled: the profile is of the same cache.
        asked = compiled("kv_decode", cache="static", new_tokens=66)
        longer = work("kv_decode", cache="static", prompt=range(1, 8), new_tokens=80)
        found = []
        for max_positions in (96, 128):
            with Runner() as runner:
                self.assertEqual(runner.load(checkpoint("llama"), lane(), max_positions)["type"], "loaded")
                found.append(self.result(runner, asked))
                self.assertEqual(self.result(runner, longer)["evidence"]["cache.positions"], 87)
                self.assertNotIn("cache.positions", self.result(runner, work(cache="dynamic"))["evidence"])
        self.assertEqual(found[0]["tokens"], found[1]["tokens"])
        for one in found:
            self.assertEqual(one["evidence"]["cache.positions"], len(asked["prompt"]) + 66)
            self.assertIs(one["evidence"]["compile.settled"], True)
            self.assertEqual(one["evidence"]["compile.graphs"], 2)

    def test_decoding_over_a_growing_cache_outgrows_torch_s_limit_of_graphs_at_eight_tokens(self):
        with Runner() as runner:
            self.loaded(runner)
            for mode in ("default", "aot_eager"):
                for tokens, hits in ((7, 0), (8, 1)):
                    asked = compiled("kv_decode", mode=mode, cache="dynamic", new_tokens=tokens)
                    found = self.result(runner, asked)["evidence"]
                    # One for the prompt and one for each length after it, as far as the limit goes.
                    self.assertEqual((found["compile.graphs"], found["compile.recompile_limit_hits"]), (8, hits), mode)

    def test_eager_work_over_another_static_cache_is_not_made_ready_again(self):
        short, long = (work(cache="static", new_tokens=tokens) for tokens in (4, 9))
        with Runner() as runner:
            self.loaded(runner)
            first, other, again = (self.result(runner, one) for one in (short, long, short))
        # A profile is made once, and never takes the same time twice.
        self.assertEqual(first["evidence"]["profile.kernels_ns"], again["evidence"]["profile.kernels_ns"])
        self.assertNotEqual(first["evidence"]["profile.kernels_ns"], other["evidence"]["profile.kernels_ns"])
        self.assertEqual(first["evidence"]["cache.positions"], again["evidence"]["cache.positions"])
        self.assertEqual(first["tokens"], again["tokens"])

    def test_outputs_that_end_by_themselves_are_cells_of_their_own(self):
        asked = {"cache": "static", "compile_mode": "aot_eager", "dynamic": "false", "ignore_eos": False}
        with Runner() as runner:
            self.loaded(runner)
            first = self.result(runner, work("kv_decode", **asked))
            other = self.result(runner, work("kv_decode", prompt=(2, 7, 1, 8, 2), **asked))
            again = self.result(runner, work("kv_decode", prompt=(2, 7, 1, 8, 2), **asked))
        self.assertNotEqual(first["evidence"]["compile.wall_ns"], other["evidence"]["compile.wall_ns"])
        self.assertEqual(other["evidence"]["compile.wall_ns"], again["evidence"]["compile.wall_ns"])
        self.assertIs(again["evidence"]["compile.settled"], True)

    def test_one_graph_serves_a_growing_cache_where_shapes_are_dynamic(self):
        asked = {"cache": "dynamic", "new_tokens": 6, "compile_mode": "default"}
        with Runner() as runner:
            self.loaded(runner)
            eager = self.result(runner, work(new_tokens=6))
            found = self.result(runner, work(dynamic="true", **asked))
        self.assertEqual(found["tokens"], eager["tokens"])
        self.assertEqual(found["evidence"]["compile.recompile_limit_hits"], 0)
        self.assertEqual(found["evidence"]["dynamic"], "true")
        self.assertIs(found["evidence"]["compile.symbolic_shapes"], True)
        self.assertLessEqual(found["evidence"]["compile.graphs"], 4)

    def test_the_kernel_cache_is_private_and_goes_with_its_process(self):
        with tempfile.TemporaryDirectory() as folder:
            pattern = os.path.join(folder, "lockstep-kernels-*")
            with Runner(environment={"TMPDIR": folder}) as killed:
                self.loaded(killed)
                abandoned = glob.glob(pattern)
                self.assertEqual(len(abandoned), 1)
                killed.process.kill()
                killed.process.wait(60)
            with Runner(environment={"TMPDIR": folder}) as runner:
                self.loaded(runner)
                self.assertIs(runner.signals("after_imports")["kernel_cache.private"], True)
                self.assertEqual(set(glob.glob(pattern)) & set(abandoned), set())
                self.assertEqual(len(glob.glob(pattern)), 1)
                self.assertEqual(runner.bye(), ("bye", 0))
            self.assertEqual(glob.glob(pattern), [])
            with Runner(environment={"TMPDIR": folder, "TRITON_CACHE_DIR": folder}) as runner:
                self.loaded(runner)
                self.assertIs(runner.signals("after_imports")["kernel_cache.private"], False)

    @needs_cuda
    def test_reduce_overhead_replays_graphs_and_gives_the_eager_tokens(self):
        static = dict(cache="static", new_tokens=8)
        with Runner() as runner:
            self.loaded(runner)
            eager = self.result(runner, work(**static))
            for mark in ("false", "true"):
                asked = compiled("kv_decode", mode="reduce-overhead", cudagraph_mark_step=mark, **static)
                found = self.result(runner, asked)
                self.assertEqual(found["tokens"], eager["tokens"])
                self.assertEqual(found["evidence"]["compile.mode"], "reduce-overhead")
                self.assertIs(found["evidence"]["graphs.mark_step"], mark == "true")
                self.assertGreater(found["evidence"]["cuda_graphs.captures"], 0)
                self.assertGreater(found["evidence"]["cuda_graphs.replays"], 0)
                self.assertGreater(found["evidence"]["device_ns"], 0)
                self.assertLessEqual(found["evidence"]["device_ns"], found["wall_ns"])


if __name__ == "__main__":
    unittest.main()
