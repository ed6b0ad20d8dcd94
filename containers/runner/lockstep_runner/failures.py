"""What kind of failure an exception is: the table that decides `failed.class`.

By the names of types and by messages, because what raises them is not imported here.
"""

import re

EXCEPTION = "exception"
OUT_OF_MEMORY = "out_of_memory"

# Kind, names of types (of the exception, its bases, or what caused it), message. The first line that fits decides, so
# what tells the cause stands before what tells only where it was noticed: a compiler without memory is out of memory.
TABLE = (
    (
        OUT_OF_MEMORY,
        ("MemoryError", "OutOfMemoryError"),
        r"out of memory|can't allocate memory|CUBLAS_STATUS_ALLOC_FAILED",
    ),
    ("illegal_access", (), r"illegal memory access|misaligned address|illegal address"),
    ("cudagraph_overwritten", (), r"output of CUDAGraphs that has been overwritten"),
    (
        "inductor_error",
        ("InductorError", "LoweringException", "SubprocException", "TritonMissing", "CppCompileError"),
        r"backend='inductor' raised|torch\._inductor\.exc\.",
    ),
    (
        "compile_error",
        ("TorchDynamoException", "BackendCompilerFailed", "InternalTorchDynamoError", "Unsupported"),
        r"backend='[^']*' raised|torch\._dynamo\.exc\.",
    ),
    ("assertion", ("AssertionError",), r"device-side assert"),
)


def kind_of(error):
    """The kind of an exception, one of the wire's."""
    chain = list(_chain(error))
    names = {base.__name__ for found in chain for base in type(found).__mro__}
    text = "\n".join(str(found) for found in chain)
    for kind, types, message in TABLE:
        if names.intersection(types) or re.search(message, text):
            return kind
    return EXCEPTION


def _chain(error):
    """The exception and what caused it; not what merely was being handled."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = getattr(error, "inner_exception", None) or error.__cause__
