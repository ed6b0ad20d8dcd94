"""Which way a cell is to be done: its own axes over those of the lane, checked against what this backend can do."""

from lockstep_runner.backends import Refused

PADDING = 8
# What a scenario's longest prompt may be: every prompt of it is padded to that length.
MOST_PADDED = 8192

# The first value is what is done where neither the cell nor the lane says anything.
HONOURED = {
    "attention": ("sdpa", "eager"),
    "cache": ("dynamic", "static"),
    "compile_mode": ("eager", "none", "default", "reduce-overhead", "aot_eager"),
    "compile_target": ("model", "forward"),
    "cuda_graphs": ("none",),
    "cudagraph_mark_step": ("false", "true"),
    "device": ("cpu", "cuda"),
    "dtype": ("f32", "f16", "bf16"),
    "dynamic": ("false", "true", "none"),
    "padded": ("none", "multiple_of_8", *(str(length) for length in range(PADDING, MOST_PADDED + 1, PADDING))),  # none|multiple_of_8|8 to 8192 by 8
    # The checkpoint's own, where neither the cell nor the lane says anything.
    "quantization": ("none", "awq-4bit"),
}
UNCOMPILED = ("eager", "none")
# Axes that mean nothing where nothing is compiled: they are shown only where they were asked for.
OF_COMPILATION = ("compile_target", "cudagraph_mark_step", "dynamic")


class Settings:
    """The way of one cell."""

    def __init__(self, lane, cell):
        asked = {**lane, **cell}
        found = {axis: asked.get(axis, values[0]) for axis, values in HONOURED.items()}
        self.attention = found["attention"]
        self.cache = found["cache"]
        self.compile_mode = found["compile_mode"]
        self.compile_target = found["compile_target"]
        self.dtype = found["dtype"]
        self.is_compiled = self.compile_mode not in UNCOMPILED
        self.is_dynamic = found["dynamic"] == "true"
        self.padded = found["padded"]
        self.is_padded = self.padded != "none"
        self.quantization = found["quantization"]
        self.marks_step = found["cudagraph_mark_step"] == "true"
        self._refuse_contradictions(asked, found)
        self.axes = {
            axis: value
            for axis, value in found.items()
            if axis not in ("cuda_graphs", "device") and (self.is_compiled or axis in asked or axis not in OF_COMPILATION)
        }

    def _refuse_contradictions(self, asked, found):
        mode = self.compile_mode
        if self.is_compiled and found["dynamic"] == "none":
            raise Refused("dynamic = 'none' is for cells that are not compiled, and this one has %r" % mode)
        if mode != "reduce-overhead":
            return
        # This mode is CUDA graphs and nothing else.
        if self.is_padded:
            raise Refused("padded cells run without CUDA graphs, and this one asks for compile_mode = 'reduce-overhead'")
        if asked.get("cuda_graphs") == "none":
            raise Refused("the lane declares cuda_graphs = 'none', and this cell has compile_mode = 'reduce-overhead'")

    def padded_length(self, length):
        """How long a prompt becomes."""
        if not self.is_padded:
            return length
        if self.padded == "multiple_of_8":
            return -(-length // PADDING) * PADDING
        if int(self.padded) < length:
            raise Refused("padded = %r is shorter than the prompt of %d tokens" % (self.padded, length))
        return int(self.padded)

    def positions(self, work):
        """How many positions a sequence of this work takes."""
        return self.padded_length(len(work["prompt"])) + work["new_tokens"]

    def key(self):
        """Equal for cells that can share what was compiled."""
        return tuple(sorted(self.axes.items()))
