"""Weights from safetensors files: https://github.com/huggingface/safetensors#format.

A file is a little-endian u64 length, that many bytes of JSON (name -> dtype, shape, data_offsets), then the data.
"""

import json
import os
import struct
import sys
from array import array

from lockstep_runner.backends import BackendError
from lockstep_runner.backends.reference.shape import read_json

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
HEADER_LIMIT_BYTES = 100_000_000
ITEM_BYTES = {"F32": 4, "F16": 2, "BF16": 2}
# Weights are read in pieces of this size, so that a large tensor is never in memory twice.
PIECE_BYTES = 1 << 20
# Tuples hold every number as an object: several times faster to multiply, and eight times the memory.
TUPLE_LIMIT_WEIGHTS = 4_000_000


class Checkpoint:
    """The weight files of one folder, open. Tensors are asked for by their name in a full model."""

    def __init__(self, model_dir, pulse):
        self._dir = model_dir
        self._pulse = pulse
        self._files = {}
        self._tensors = {}
        self._used = set()
        for name, file in self._layout():
            self._open(file)
        count = sum(_elements(shape) for _, _, shape, _ in self._tensors.values())
        self._row = tuple if count <= TUPLE_LIMIT_WEIGHTS else lambda values: values

    def keep_arrays(self):
        """Rows of matrices stay arrays of machine numbers, however few they are."""
        self._row = lambda values: values

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for file in self._files.values():
            file.close()

    def vector(self, name, length):
        """A tensor of one dimension, as a list."""
        return list(self._read(name, [length]))

    def rows(self, name, rows, columns):
        """A matrix `[rows, columns]`, as a list of rows."""
        values = self._read(name, [rows, columns])
        return [self._row(values[start : start + columns]) for start in range(0, rows * columns, columns)]

    def columns(self, name, rows, columns):
        """A matrix `[rows, columns]`, as a list of its columns."""
        values = self._read(name, [rows, columns])
        return [self._row(values[column::columns]) for column in range(columns)]

    def refuse_rest(self, shape):
        """A tensor that no pass reads means that the checkpoint is another model than its config says."""
        rest = sorted(name for name in self._tensors if name not in self._used and not _is_redundant(shape, name))
        if rest:
            shown = ", ".join(rest[:4])
            raise BackendError("the checkpoint holds %d tensors that its config has no use for: %s" % (len(rest), shown))

    def _layout(self):
        """Pairs of tensor name and file; the name is None where the file itself tells."""
        if os.path.exists(os.path.join(self._dir, SINGLE_FILE)):
            return [(None, SINGLE_FILE)]
        path = os.path.join(self._dir, INDEX_FILE)
        if not os.path.exists(path):
            raise BackendError("`%s` holds neither %s nor %s" % (self._dir, SINGLE_FILE, INDEX_FILE))
        index = read_json(path)
        found = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(found, dict) or not found:
            raise BackendError("`%s` has no weight_map" % path)
        for file in found.values():
            # The file comes from outside: it must not lead out of its folder.
            if not isinstance(file, str) or file != os.path.basename(file) or file in ("", ".", ".."):
                raise BackendError("`%s`: shard %r is no plain file name" % (path, file))
        return sorted(found.items())

    def _open(self, name):
        if name in self._files:
            return
        path = os.path.join(self._dir, name)
        try:
            file = self._files[name] = open(path, "rb")
            file_bytes = os.fstat(file.fileno()).st_size
            length = file.read(8)
            header_bytes = int.from_bytes(length, "little")
            if len(length) < 8 or header_bytes > min(HEADER_LIMIT_BYTES, file_bytes - 8):
                raise ValueError("its header does not fit")
            header = json.loads(file.read(header_bytes).decode("utf-8"))
            self._enter(name, header, 8 + header_bytes, file_bytes)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BackendError("`%s` is not a complete safetensors file: %r" % (path, error)) from error

    def _enter(self, file, header, data_start, file_bytes):
        header.pop("__metadata__", None)
        for tensor, facts in header.items():
            dtype, shape, (begin, end) = facts["dtype"], facts["shape"], facts["data_offsets"]
            if not all(type(number) is int and number >= 0 for number in [*shape, begin, end]):
                raise ValueError("tensor %r has a malformed shape or place" % tensor)
            wrong_size = dtype in ITEM_BYTES and end - begin != _elements(shape) * ITEM_BYTES[dtype]
            if wrong_size or begin > end or data_start + end > file_bytes:
                raise ValueError("tensor %r does not lie inside the file" % tensor)
            self._tensors[tensor] = (file, dtype, shape, data_start + begin)

    def _read(self, name, shape):
        """The values of a tensor, row-major, as an array of 32-bit floats. All stored formats widen to it exactly."""
        stored = name if name in self._tensors else name.split(".", 1)[1]
        if stored not in self._tensors:
            raise BackendError("tensor `%s` of shape %s is missing from the checkpoint" % (name, shape))
        file, dtype, found, offset = self._tensors[stored]
        if found != shape:
            raise BackendError("tensor `%s` has shape %s, the config implies %s" % (stored, found, shape))
        if dtype not in ITEM_BYTES:
            raise BackendError("tensor `%s` is stored as %s; F32, F16 and BF16 are implemented" % (stored, dtype))
        self._used.add(stored)
        values = array("f")
        self._files[file].seek(offset)
        left = _elements(shape) * ITEM_BYTES[dtype]
        while left:
            piece = self._files[file].read(min(PIECE_BYTES, left))
            if not piece:
                raise BackendError("tensor `%s`: the file became shorter while it was read" % stored)
            _widen(dtype, piece, values)
            left -= len(piece)
            self._pulse.advance(len(piece))
        return values


def _widen(dtype, piece, values):
    if dtype == "F16":
        values.extend(struct.unpack("<%de" % (len(piece) // 2), piece))
        return
    if dtype == "BF16":
        # The upper half of a 32-bit float.
        wide = bytearray(2 * len(piece))
        wide[2::4], wide[3::4] = piece[0::2], piece[1::2]
        piece = bytes(wide)
    numbers = array("f")
    numbers.frombytes(piece)
    if sys.byteorder == "big":
        numbers.byteswap()
    values.extend(numbers)


def _elements(shape):
    count = 1
    for size in shape:
        count *= size
    return count


def _is_redundant(shape, name):
    """Buffers that are computed from the config, and a copy of the embedding where the output is tied to it."""
    if shape.model_type == "gpt2" and name.endswith((".attn.bias", ".attn.masked_bias")):
        return True
    if shape.model_type != "gpt2" and name.endswith("rotary_emb.inv_freq"):
        return True
    return shape.tied and name == "lm_head.weight"
