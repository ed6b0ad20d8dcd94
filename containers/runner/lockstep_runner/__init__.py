"""The runner for lanes of the Python world: speaks the wire of `containers/WIRE.md` over standard input and output.

Standard library only outside `backends/`, so that the harness does not load what it measures. Python 3.9 and later.

Way of the data: `__main__` (checks the interpreter, keeps standard output for the wire) -> `loop` (greets, answers one
request at a time, holds the measuring clock) with `wire` (lines to checked requests and back) and `voice` (answers,
and beats beside the work) -> a backend of `backends` (imported at `load`, not before) with `sampling`.
"""

VERSION = "0.1.0"
