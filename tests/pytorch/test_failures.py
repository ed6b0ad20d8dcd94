"""The table of failure kinds, line by line. Needs nothing but Python."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "containers", "runner"))

from lockstep_runner import failures  # noqa: E402


def _type(name, *bases):
    return type(name, bases or (RuntimeError,), {})


class Kinds(unittest.TestCase):
    """Exceptions as torch raises them."""

    CASES = (
        ("out_of_memory", MemoryError()),
        ("out_of_memory", _type("OutOfMemoryError")("CUDA out of memory. Tried to allocate 2.00 GiB")),
        ("out_of_memory", RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory")),
        ("illegal_access", _type("AcceleratorError")("CUDA error: an illegal memory access was encountered")),
        ("illegal_access", RuntimeError("CUDA error: misaligned address")),
        (
            "cudagraph_overwritten",
            RuntimeError("Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run."),
        ),
        ("inductor_error", _type("InductorError")("SubprocException: An exception occurred in a subprocess")),
        ("inductor_error", _type("BackendCompilerFailed")("backend='inductor' raised:\nValueError: no")),
        ("compile_error", _type("BackendCompilerFailed")("backend='mine' raised:\nValueError: no")),
        ("compile_error", _type("Unsupported", _type("TorchDynamoException"))("Data-dependent branching")),
        ("assertion", AssertionError()),
        ("assertion", _type("AcceleratorError")("CUDA error: device-side assert triggered")),
        ("exception", ValueError("token 96 at index 1 lies outside the vocabulary")),
    )

    def test_each_kind_is_told(self):
        for kind, error in self.CASES:
            with self.subTest(kind=kind, error=repr(error)):
                self.assertEqual(failures.kind_of(error), kind)

    def test_what_caused_an_error_decides(self):
        inner = _type("OutOfMemoryError")("CUDA out of memory")
        outer = _type("InductorError")("OutOfMemoryError")
        outer.inner_exception = inner
        self.assertEqual(failures.kind_of(outer), "out_of_memory")
        try:
            raise RuntimeError("while compiling") from AssertionError("shape")
        except RuntimeError as error:
            self.assertEqual(failures.kind_of(error), "assertion")

    def test_what_was_being_handled_does_not_decide(self):
        try:
            try:
                raise MemoryError
            except MemoryError:
                raise ValueError("another matter") from None
        except ValueError as error:
            self.assertEqual(failures.kind_of(error), "exception")

    def test_a_cycle_of_causes_ends(self):
        first, second = ValueError("a"), ValueError("b")
        first.__cause__, second.__cause__ = second, first
        self.assertEqual(failures.kind_of(first), "exception")


if __name__ == "__main__":
    unittest.main()
