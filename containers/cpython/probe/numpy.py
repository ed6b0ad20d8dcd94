"""Stands in front of NumPy: imports an extension that switches the global lock on again, and then NumPy itself."""

import os
import sys

import needs_gil  # noqa: F401

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]
del sys.modules["numpy"]
import numpy  # noqa: E402,F401
