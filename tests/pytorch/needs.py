"""What a test needs that may not be there: such a test shows as skipped, with the reason."""

import importlib.util
import shutil
import unittest

_missing = [name for name in ("torch", "transformers", "safetensors") if importlib.util.find_spec(name) is None]
HAS_TORCH = not _missing

needs_torch = unittest.skipIf(_missing, "not installed here: %s" % ", ".join(_missing))
needs_compiler = unittest.skipIf(
    _missing or not (shutil.which("g++") or shutil.which("clang++")), "needs torch and a C++ compiler"
)


def has_cuda():
    """Whether torch finds a CUDA device; asked only where torch is."""
    if not HAS_TORCH:
        return False
    import torch

    return torch.cuda.is_available()


needs_cuda = unittest.skipUnless(has_cuda(), "torch finds no CUDA device here")
