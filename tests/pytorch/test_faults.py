"""Planted faults: each way in which compiled work was not done leaves the evidence that names it, on the real wire."""

import unittest

from checkpoints import checkpoint
from needs import needs_compiler, needs_cuda
from wire_client import Runner, work

LEAST_SHARE = 0.01


def lane():
    """This machine's device."""
    import torch

    return {"device": "cuda"} if torch.cuda.is_available() else {"device": "cpu", "threads": "1"}


def answer(fault, one, environment=None):
    """The runner's answer to this work, with the fault planted."""
    with Runner("pytorch", fault, environment) as runner:
        loaded = runner.load(checkpoint("llama"), lane())
        if loaded["type"] != "loaded":
            raise AssertionError(loaded)
        return runner.run(one)


def evidence(fault, one, environment=None):
    """What a repetition that came to its end shows."""
    found = answer(fault, one, environment)
    if found["type"] != "result":
        raise AssertionError(found)
    return found["evidence"]


def compiled(phase="prefill", mode="default", **axes):
    """Work that asks for compiled code."""
    return work(phase, compile_mode=mode, dynamic="false", **axes)


@needs_compiler
class Faults(unittest.TestCase):
    """The evidence, mechanism by mechanism; the control first."""

    def test_no_fault_shows_compiled_work(self):
        found = evidence("no_fault", compiled())
        self.assertEqual(found["compile.backend"], "inductor")
        self.assertEqual((found["compile.mode"], found["compile.target"]), ("default", "model"))
        self.assertGreater(found["compile.dynamo_ns"], found["compile.backend_ns"])
        self.assertGreater(found["compile.backend_ns"], 0)
        self.assertEqual(found["compile.graphs"], 1)
        self.assertGreater(found["profile.generated_share"], LEAST_SHARE)
        self.assertTrue(found["attention.kernels"])
        self.assertGreater(found["inductor.generated_calls"], 0)
        self.assertGreater(found["inductor.generated_kernels"], 0)
        self.assertGreater(found.get("triton.new_kernels", found.get("inductor.new_kernels")), 0)
        self.assertEqual(found["compile.suppressed_errors"], [])
        self.assertEqual(found["compile.recompile_limit_hits"], 0)
        self.assertEqual(found["compile.graph_breaks"], 0)
        self.assertIs(found["compile.dynamo_disabled"], False)
        self.assertIs(found["compile.settled"], True)
        self.assertGreater(found["compile.wall_ns"], 0)

    def test_recompile_limit(self):
        found = evidence("recompile_limit", compiled("kv_decode", cache="dynamic"))
        self.assertEqual(found["compile.recompile_limit_hits"], 1)
        self.assertEqual(found["compile.graphs"], 2)
        self.assertEqual(found["compile.recompiles"], 1)
        self.assertIn("size mismatch at index 2", " ".join(found["compile.recompile_reasons"]))

    def test_suppressed_error(self):
        found = evidence("suppressed_error", compiled())
        self.assertIn("planted: no code can be generated", " ".join(found["compile.suppressed_errors"]))
        self.assertIs(found["compile.suppress_errors"], True)
        self.assertLess(found["profile.generated_share"], LEAST_SHARE)

    def test_an_error_that_is_not_suppressed_fails_by_its_class(self):
        found = answer("inductor_error", compiled())
        self.assertEqual((found["type"], found.get("class")), ("failed", "inductor_error"))
        self.assertIs(found["out_of_memory"], False)
        known = found["evidence"]
        self.assertIn("planted: no code can be generated", " ".join(known["compile.errors"]))
        self.assertNotIn("compile.suppressed_errors", known)
        self.assertNotIn("compile.settled", known)
        self.assertEqual((known["compile.graphs"], known["compile.target"], known["device"]), (0, "model", lane()["device"]))
        self.assertGreater(known["compile.dynamo_ns"], 0)

    def test_what_is_known_of_work_that_failed_is_of_that_work(self):
        with Runner("pytorch", "failure_in_profile") as runner:
            runner.load(checkpoint("llama"), lane())
            failed = runner.run(compiled())
            self.assertEqual((failed["type"], failed.get("class")), ("failed", "assertion"))
            self.assertEqual((failed["evidence"]["compile.graphs"], failed["evidence"]["compile.mode"]), (1, "default"))
            # It comes to no cell.
            failed = runner.run({**compiled(), "prompt": [1 << 20]})
            self.assertEqual((failed["type"], failed.get("evidence")), ("failed", None))

    def test_an_overwritten_output_fails_by_its_class(self):
        found = answer("overwritten", compiled())
        self.assertEqual((found["type"], found.get("class")), ("failed", "cudagraph_overwritten"))

    def test_memory_that_is_not_there_fails_by_its_class(self):
        found = answer("out_of_memory", compiled())
        self.assertEqual((found["type"], found.get("class")), ("failed", "out_of_memory"))
        self.assertIs(found["out_of_memory"], True)

    @needs_cuda
    def test_an_illegal_access_fails_by_its_class(self):
        found = answer("illegal_access", compiled())
        self.assertEqual((found["type"], found.get("class")), ("failed", "illegal_access"))
        self.assertIs(found["out_of_memory"], False)

    def test_backend_is_aot_eager(self):
        found = evidence("backend_is_aot_eager", compiled())
        self.assertEqual(found["compile.backend"], "aot_eager")
        self.assertLess(found["profile.generated_share"], LEAST_SHARE)

    def test_aot_eager_is_no_fault_where_it_was_asked_for(self):
        found = evidence("no_fault", compiled(mode="aot_eager"))
        self.assertEqual((found["compile.backend"], found["compile.mode"]), ("aot_eager", "aot_eager"))
        self.assertEqual(found["compile.graphs"], 1)

    def test_dynamo_disabled(self):
        for variable in ("TORCHDYNAMO_DISABLE", "TORCH_COMPILE_DISABLE"):
            for target in ("model", "forward"):
                with self.subTest(variable, target=target):
                    found = evidence("no_fault", compiled(compile_target=target), {variable: "1"})
                    self.assertIs(found["compile.dynamo_disabled"], True)
                    self.assertEqual(found["compile.graphs"], 0)
                    self.assertNotIn("compile.backend", found)

    def test_graph_break_share(self):
        found = evidence("graph_break_share", compiled())
        self.assertGreater(found["compile.graph_breaks"], 0)
        self.assertTrue(found["compile.break_reasons"])
        self.assertLess(found["profile.generated_share"], LEAST_SHARE)

    def test_unexplained(self):
        found = evidence("unexplained", compiled())
        self.assertEqual(found["compile.backend"], "inductor")
        self.assertEqual(found["compile.suppressed_errors"], [])
        self.assertEqual(found["compile.recompile_limit_hits"], 0)
        self.assertEqual(found["compile.graph_breaks"], 0)
        self.assertLess(found["profile.generated_share"], LEAST_SHARE)
        self.assertEqual(found["inductor.generated_calls"], 0)

    def test_decoding_by_the_eager_model_shows_no_call_of_compiled_code(self):
        for mode in ("default", "aot_eager"):
            for fault, is_called in (("no_fault", True), ("eager_decoding", False)):
                with self.subTest(mode, fault=fault):
                    found = evidence(fault, compiled("kv_decode", mode=mode, cache="static"))
                    self.assertGreater(found["compile.graphs"], 0)
                    passes = found["profile.passes"] * found["profile.iterations"]
                    self.assertEqual(found["profile.region_calls"], passes if is_called else 0)
                    if mode == "default":
                        self.assertEqual(found["inductor.generated_calls"] >= passes, is_called)

    def test_a_prompt_by_compiled_code_and_its_tokens_by_the_eager_model(self):
        found = evidence("eager_decoding", compiled("e2e_kv", cache="static"))
        passes = found["profile.passes"] * found["profile.iterations"]
        # The prompt's own kernels are more than the passes, so that their number alone tells nothing.
        self.assertGreater(found["inductor.generated_calls"], passes)
        self.assertEqual(found["profile.region_calls"], found["profile.iterations"])
        self.assertEqual(found["compile.target"], "_Forgetful")

    def test_without_a_profiler_nothing_is_said_of_a_profile(self):
        found = evidence("no_profiler", compiled())
        self.assertIn("Kineto", found["profile.error"])
        self.assertEqual([name for name in found if name.startswith("profile.")], ["profile.error"])

    def test_work_that_fails_while_it_is_profiled_fails(self):
        for mode in ("eager", "aot_eager"):
            with self.subTest(mode):
                found = answer("failure_in_profile", compiled(mode=mode))
                self.assertEqual((found["type"], found.get("class")), ("failed", "assertion"))

    def test_what_compiles_while_the_clock_runs_has_not_settled(self):
        found = evidence("late_compilation", compiled(mode="aot_eager"))
        self.assertGreater(found["compile.graphs"], 0)
        self.assertIs(found["compile.settled"], False)

    def test_an_eager_arm_that_is_compiled_shows_it(self):
        for fault, is_compiled in (("no_fault", False), ("compiled_eager", True)):
            with self.subTest(fault):
                found = evidence(fault, compiled(mode="eager"))
                # On a GPU what is called is not looked at in eager cells, and a generated kernel shows by its name.
                calls = found["inductor.generated_calls"] + found.get("profile.region_calls", 0)
                self.assertEqual(calls > 0, is_compiled)

    def test_dynamic_is_what_the_compiler_was_told(self):
        for fault, expected in (("no_fault", "true"), ("static_all_the_same", "false")):
            for target in ("model", "forward"):
                with self.subTest(fault, target=target):
                    # Decoding over a static cache leaves nothing symbolic, whatever is asked for.
                    asked = {"cache": "static", "compile_mode": "default", "compile_target": target}
                    found = evidence(fault, work("kv_decode", dynamic="true", **asked))
                    self.assertEqual(found["dynamic"], expected)

    def test_shapes_are_symbolic_or_are_not(self):
        for fault, is_symbolic in (("no_fault", False), ("symbolic_shapes", True)):
            with self.subTest(fault):
                found = evidence(fault, compiled(mode="aot_eager"))
                self.assertIs(found["compile.symbolic_shapes"], is_symbolic)
                self.assertEqual(found["dynamic"], "true" if is_symbolic else "false")

    def test_a_mode_that_a_variable_alters_is_another_mode(self):
        for variable, mode in (
            ("TORCHINDUCTOR_COORDINATE_DESCENT_TUNING", "coordinate_descent_tuning"),
            ("TORCHINDUCTOR_MAX_AUTOTUNE", "max_autotune"),
        ):
            with self.subTest(variable):
                self.assertEqual(evidence("no_fault", compiled(), {variable: "1"})["compile.mode"], mode)

    def test_32_bits_that_are_multiplied_in_fewer_are_told(self):
        found = evidence("no_fault", compiled(mode="eager"), {"TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1"})
        self.assertEqual(found["dtype"], "f32 at high precision")

    def test_steps_are_marked_by_torch_or_are_not(self):
        for fault, asked, is_marked in (
            ("no_fault", "true", True),
            ("no_fault", "false", False),
            ("forgotten_marks", "true", False),
        ):
            with self.subTest(fault, asked=asked):
                found = evidence(fault, compiled(mode="aot_eager", cudagraph_mark_step=asked))
                self.assertIs(found["graphs.mark_step"], is_marked)
                self.assertEqual(found["cudagraph_mark_step"], "true" if is_marked else "false")

    @needs_cuda
    def test_no_triton(self):
        found = evidence("no_triton", compiled())
        self.assertIs(found["inductor.sees_triton"], False)
        self.assertIn("libcuda is too old", found["inductor.triton_error"])
        self.assertLess(found["profile.generated_share"], LEAST_SHARE)

    @needs_cuda
    def test_no_cuda_graph(self):
        found = evidence("no_cuda_graph", compiled("kv_decode", mode="reduce-overhead", cache="static"))
        self.assertEqual(found["cuda_graphs.replays"], 0)
        self.assertGreater(found["profile.generated_share"], LEAST_SHARE)


if __name__ == "__main__":
    unittest.main()
