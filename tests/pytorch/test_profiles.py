"""Shares and replays from what a profiler gives, on made-up events: a GPU's as well as a CPU's. Needs no torch."""

import os
import sys
import types
import unittest
import unittest.mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "containers", "runner"))

from lockstep_runner.backends.pytorch import profiled  # noqa: E402
from lockstep_runner.backends.pytorch.compiler import Compiler  # noqa: E402

CUDA, CPU = types.SimpleNamespace(type="cuda", index=0), types.SimpleNamespace(type="cpu", index=None)


class Event:
    """As torch's profiler hands them out."""

    def __init__(self, name, start, end, device="cpu", thread=1, note=False):
        self._fields = {
            "name": name,
            "start_ns": start,
            "end_ns": end,
            "duration_ns": end - start,
            "device_type": device,
            "start_thread_id": thread,
            "is_user_annotation": note,
        }

    def __getattr__(self, name):
        return lambda: self._fields[name]


def fake_torch():
    """The names that the profile takes from torch."""

    class Graph:
        """A CUDA graph that does nothing."""

        def replay(self):
            """Nothing."""
            return "replayed"

    return types.SimpleNamespace(
        autograd=types.SimpleNamespace(DeviceType=types.SimpleNamespace(CUDA="cuda")),
        cuda=types.SimpleNamespace(CUDAGraph=Graph),
    )


class Shares(unittest.TestCase):
    """What counts, and what does not."""

    def share(self, rows, device=CUDA):
        """Evidence from rows."""
        return profiled._shares(rows, profiled.GENERATED[device.type])

    def test_what_attended_is_named_without_templates_and_what_was_only_fused_beside_it_is_not(self):
        names = (
            "void pytorch_flash::flash_fwd_splitkv_kernel<Flash_fwd_kernel_traits<128, 64> >(Flash_fwd_params)",
            "void (anonymous namespace)::softmax_warp_forward<float, float, 5>(float*)",
            "fmha_cutlassF_f32_aligned_64x64_rf_sm80(PyTorchMemEffAttention::Params)",
            "fmha_cutlassF_f32_aligned_64x64_rf_sm80(PyTorchMemEffAttention::Params)",
            "triton_poi_fused__scaled_dot_product_efficient_attention_add_3",
            "void at::native::(anonymous namespace)::cunn_SoftMaxForward<4, float>(float*)",
            "void at::native::(anonymous namespace)::{lambda(softmax)#1}(float*)",
            "void gemvx::kernel<int>(int)",
        )
        found = profiled._of_attention([(name, 1) for name in names], profiled.GENERATED["cuda"])
        expected = [
            "at::native::cunn_SoftMaxForward",
            "fmha_cutlassF_f32_aligned_64x64_rf_sm80",
            "pytorch_flash::flash_fwd_splitkv_kernel",
            "softmax_warp_forward",
        ]
        self.assertEqual(found, expected)

    def test_on_a_gpu_only_what_the_device_ran_counts(self):
        events = [
            Event("triton_red_fused_mean_0", 0, 30, "cuda"),
            Event("nvjet_hsh_64x8_64x16", 30, 90, "cuda"),
            Event("Memcpy DtoH (Device -> Pinned)", 90, 100, "cuda"),
            Event("ProfilerStep#1", 0, 1000, "cuda", note=True),
            Event("cudaGraphLaunch", 0, 500),
        ]
        found = self.share(profiled._on_device(fake_torch(), events))
        self.assertEqual(found["profile.generated_share"], 0.3)
        self.assertEqual(found["profile.kernels_ns"], 100)
        self.assertEqual(found["inductor.generated_calls"], 1)

    def test_on_a_cpu_an_operator_counts_without_what_it_called(self):
        events = [
            Event("Torch-Compiled Region: 0/0", 0, 1000),
            Event("aten::linear", 0, 100),
            Event("aten::addmm", 10, 90),
            Event("graph_0_cpp_fused_add_mul_1", 100, 150),
            Event("aten::argmax", 150, 200),
            Event("aten::mm", 0, 50, thread=2),
        ]
        rows = sorted(profiled._own_times(events))
        self.assertEqual(
            rows,
            [
                ("aten::addmm", 80),
                ("aten::argmax", 50),
                ("aten::linear", 20),
                ("aten::mm", 50),
                ("graph_0_cpp_fused_add_mul_1", 50),
            ],
        )
        self.assertEqual(self.share(rows, CPU)["profile.generated_share"], 0.2)

    def test_on_a_cpu_a_stretched_call_decides_nothing(self):
        rows = [("aten::mm", 50), ("aten::mm", 90_000), ("aten::mm", 60), ("cpp_fused_add_0", 60)]
        found = self.share(profiled._typical(rows), CPU)
        self.assertEqual(found["profile.kernels_ns"], 240)
        self.assertEqual(found["profile.generated_share"], 0.25)

    def test_a_profile_that_saw_nothing_is_no_share_of_zero(self):
        self.assertEqual(self.share([]), {})
        self.assertEqual(self.share(profiled._on_device(fake_torch(), [Event("cudaLaunchKernel", 0, 9)])), {})

    def test_names_of_generated_kernels(self):
        for device, name, is_generated in (
            ("cuda", "triton_poi_fused__to_copy_add_0", True),
            ("cuda", "triton_tem_fused_mm_3", True),
            ("cuda", "void at::native::vectorized_elementwise_kernel<4, triton_x>", False),
            ("cuda", "flash_fwd_kernel", False),
            ("cpu", "graph_12_cpp_fused_add_0", True),
            ("cpu", "cpp_fused_add_0", True),
            ("cpu", "aten::add", False),
        ):
            with self.subTest(name):
                self.assertEqual(bool(profiled.GENERATED[device].match(name)), is_generated)


class Graphs(unittest.TestCase):
    """CUDA graphs, counted."""

    def test_replays_are_counted_while_the_profile_runs_and_not_after(self):
        torch = fake_torch()
        graph = torch.cuda.CUDAGraph()
        graph.replay()
        with profiled._Replays(torch, CUDA) as replays:
            self.assertEqual([graph.replay(), graph.replay()], ["replayed"] * 2)
        graph.replay()
        self.assertEqual(replays.evidence(), {"cuda_graphs.replays": 2})

    def test_without_a_gpu_nothing_is_said_of_them(self):
        with profiled._Replays(types.SimpleNamespace(), CPU) as replays:
            pass
        self.assertEqual(replays.evidence(), {})
        self.assertIsNone(Compiler(types.SimpleNamespace(), CPU).captures())

    def test_captures_are_all_the_nodes_of_the_trees(self):
        node = lambda *children: types.SimpleNamespace(children={"f": list(children)})  # noqa: E731
        roots = [node(node(), node(node())), node()]
        trees = types.ModuleType("torch._inductor.cudagraph_trees")
        trees.get_manager = lambda index, create_if_none_exists: types.SimpleNamespace(get_roots=lambda: iter(roots))
        inductor = types.ModuleType("torch._inductor")
        inductor.cudagraph_trees = trees
        fakes = {"torch": types.ModuleType("torch"), "torch._inductor": inductor, trees.__name__: trees}
        with unittest.mock.patch.dict(sys.modules, fakes):
            self.assertEqual(Compiler(types.SimpleNamespace(), CUDA).captures(), 5)
            trees.get_manager = lambda index, create_if_none_exists: None
            self.assertEqual(Compiler(types.SimpleNamespace(), CUDA).captures(), 0)


if __name__ == "__main__":
    unittest.main()
