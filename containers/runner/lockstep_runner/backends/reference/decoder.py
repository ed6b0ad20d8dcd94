"""Forward passes of GPT-2 (Radford et al. 2019), Llama (Touvron et al. 2023) and Qwen2 (Yang et al. 2024).

Vectors are lists of floats; a matrix is a list of rows, so that its product with a vector is one dot product a row. Positions
go through a layer one after another, each over the keys and values of those before it: causal without a mask.
"""

import math
from array import array
from operator import mul

try:
    from math import sumprod  # Python 3.12

    def squares_of(rows):
        return None

    def multiply(rows, squares, x):
        """Matrix times vector."""
        return [sumprod(row, x) for row in rows]

except ImportError:

    def sumprod(a, b):
        return sum(map(mul, a, b))

    def squares_of(rows):
        return [sumprod(row, row) for row in rows]

    def multiply(rows, squares, x):
        """Matrix times vector, by w.x = (|w|^2 + |x|^2 - |w - x|^2) / 2.

        `dist` is the one reduction over two vectors that these Pythons do in C, four times as fast as multiplying. It
        rounds by about 2^-53 (|w|^2 + |x|^2); that stays below a thousandth of what 32-bit arithmetic rounds, 2^-24 |w| |x|,
        as long as the norms differ by less than a factor of a hundred thousand.
        """
        x = tuple(x)
        square_of_x = sumprod(x, x)
        return [
            (square + square_of_x - (distance := math.dist(row, x)) * distance) / 2
            for row, square in zip(rows, squares)
        ]


class Cache:
    """Keys and values of the positions so far: for every layer and key head, `keys[position][dim]` and
    `values[dim][position]`. The kind `none` forgets them after every pass and keeps the tokens alone."""

    def __init__(self, shape, kind):
        self.kind = kind
        self.tokens = []
        self._shape = shape
        self.layers = self._empty()

    def admit(self, tokens):
        """Adds the tokens of a pass; gives what the pass has to compute and its first position."""
        held = len(self.tokens)
        self.tokens.extend(tokens)
        if self.kind == "none":
            self.layers = self._empty()
            return self.tokens, 0
        return tokens, held

    def _empty(self):
        shape = self._shape
        return [
            [([], [[] for _ in range(shape.head_dim)]) for _ in range(shape.kv_heads)] for _ in range(shape.layers)
        ]


def build(shape, checkpoint):
    """The decoder of a shape, with its weights."""
    return Gpt2(shape, checkpoint) if shape.model_type == "gpt2" else Decoder(shape, checkpoint)


class Linear:
    """Rows of weights, with a bias or none."""

    def __init__(self, rows, bias=None):
        self.rows = rows
        self.squares = squares_of(rows)
        self.bias = bias

    def __call__(self, x):
        y = multiply(self.rows, self.squares, x)
        return y if self.bias is None else add(y, self.bias)


def attend(shape, layer_cache, queries, keys, values):
    """Adds the keys and values of one position, then mixes the values of all positions for every query head."""
    dim, group = shape.head_dim, shape.group()
    for head, (past_keys, past_values) in enumerate(layer_cache):
        past_keys.append(keys[head * dim : (head + 1) * dim])
        for column, value in zip(past_values, values[head * dim : (head + 1) * dim]):
            column.append(value)
    scale = 1 / math.sqrt(dim)
    mixed = []
    for head in range(shape.heads):
        past_keys, past_values = layer_cache[head // group]
        query = [scale * x for x in queries[head * dim : (head + 1) * dim]]
        scores = [sumprod(query, key) for key in past_keys]
        highest = max(scores)
        weights = [math.exp(score - highest) for score in scores]
        total = sum(weights)
        mixed.extend([sumprod(weights, column) / total for column in past_values])
    return mixed


def add(a, b):
    return [x + y for x, y in zip(a, b)]


class _Model:
    """What the families share: the walk over layers and positions."""

    def forward(self, tokens, cache, pulse):
        """One pass over new tokens behind those of the cache; the last position's logits."""
        tokens, first = cache.admit(tokens)
        states = [self.embed(token, first + index) for index, token in enumerate(tokens)]
        for block, layer_cache in zip(self.blocks, cache.layers):
            for index, state in enumerate(states):
                states[index] = block(state, first + index, layer_cache)
                pulse.advance(1)
        return self.output(self.final_norm(states[-1]))


class Gpt2(_Model):
    def __init__(self, shape, checkpoint):
        self.tokens = checkpoint.rows("transformer.wte.weight", shape.vocab_size, shape.hidden)
        self.positions = checkpoint.rows("transformer.wpe.weight", shape.max_positions, shape.hidden)
        self.blocks = [Gpt2Block(shape, checkpoint, "transformer.h.%d." % layer) for layer in range(shape.layers)]
        self.final_norm = LayerNorm(shape, checkpoint, "transformer.ln_f")
        self.output = _output(shape, checkpoint, self.tokens)

    def embed(self, token, position):
        return add(self.tokens[token], self.positions[position])


class Gpt2Block:
    def __init__(self, shape, checkpoint, path):
        hidden, inner = shape.hidden, shape.inner
        self.shape = shape
        self.norm_1 = LayerNorm(shape, checkpoint, path + "ln_1")
        self.attention_in = _conv1d(checkpoint, path + "attn.c_attn", hidden, 3 * hidden)
        self.attention_out = _conv1d(checkpoint, path + "attn.c_proj", hidden, hidden)
        self.norm_2 = LayerNorm(shape, checkpoint, path + "ln_2")
        self.mlp_in = _conv1d(checkpoint, path + "mlp.c_fc", hidden, inner)
        self.mlp_out = _conv1d(checkpoint, path + "mlp.c_proj", inner, hidden)

    def __call__(self, x, position, layer_cache):
        hidden = self.shape.hidden
        qkv = self.attention_in(self.norm_1(x))
        mixed = attend(self.shape, layer_cache, qkv[:hidden], qkv[hidden : 2 * hidden], qkv[2 * hidden :])
        x = add(x, self.attention_out(mixed))
        return add(x, self.mlp_out([gelu(value) for value in self.mlp_in(self.norm_2(x))]))


class LayerNorm:
    def __init__(self, shape, checkpoint, path):
        self.scale = checkpoint.vector(path + ".weight", shape.hidden)
        self.shift = checkpoint.vector(path + ".bias", shape.hidden)
        self.eps = shape.norm_eps

    def __call__(self, x):
        mean = sum(x) / len(x)
        centred = [value - mean for value in x]
        factor = 1 / math.sqrt(sumprod(centred, centred) / len(x) + self.eps)
        return [value * factor * scale + shift for value, scale, shift in zip(centred, self.scale, self.shift)]


class Decoder(_Model):
    """Llama and Qwen2, which differ in their biases alone."""

    def __init__(self, shape, checkpoint):
        rotary = Rotary(shape)
        self.tokens = checkpoint.rows("model.embed_tokens.weight", shape.vocab_size, shape.hidden)
        self.blocks = [
            DecoderBlock(shape, checkpoint, "model.layers.%d." % layer, rotary) for layer in range(shape.layers)
        ]
        self.final_norm = RmsNorm(shape, checkpoint, "model.norm.weight")
        self.output = _output(shape, checkpoint, self.tokens)

    def embed(self, token, position):
        return self.tokens[token]


class DecoderBlock:
    def __init__(self, shape, checkpoint, path, rotary):
        hidden, inner = shape.hidden, shape.inner
        queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim

        def linear(name, outputs, inputs, bias):
            rows = checkpoint.rows(path + name + ".weight", outputs, inputs)
            return Linear(rows, checkpoint.vector(path + name + ".bias", outputs) if bias else None)

        self.shape = shape
        self.rotary = rotary
        self.norm_1 = RmsNorm(shape, checkpoint, path + "input_layernorm.weight")
        self.queries = linear("self_attn.q_proj", queries, hidden, shape.qkv_bias)
        self.keys = linear("self_attn.k_proj", keys, hidden, shape.qkv_bias)
        self.values = linear("self_attn.v_proj", keys, hidden, shape.qkv_bias)
        self.attention_out = linear("self_attn.o_proj", hidden, queries, shape.output_bias)
        self.norm_2 = RmsNorm(shape, checkpoint, path + "post_attention_layernorm.weight")
        self.gate = linear("mlp.gate_proj", inner, hidden, shape.mlp_bias)
        self.up = linear("mlp.up_proj", inner, hidden, shape.mlp_bias)
        self.down = linear("mlp.down_proj", hidden, inner, shape.mlp_bias)

    def __call__(self, x, position, layer_cache):
        normed = self.norm_1(x)
        queries = self.rotary(self.queries(normed), position)
        keys = self.rotary(self.keys(normed), position)
        x = add(x, self.attention_out(attend(self.shape, layer_cache, queries, keys, self.values(normed))))
        normed = self.norm_2(x)
        return add(x, self.down([silu(gate) * up for gate, up in zip(self.gate(normed), self.up(normed))]))


class RmsNorm:
    def __init__(self, shape, checkpoint, name):
        self.scale = checkpoint.vector(name, shape.hidden)
        self.eps = shape.norm_eps

    def __call__(self, x):
        factor = 1 / math.sqrt(sumprod(x, x) / len(x) + self.eps)
        return [value * factor * scale for value, scale in zip(x, self.scale)]


class Rotary:
    """Rotary position embedding (Su et al. 2021); pairs are the two halves of a head, as in Hugging Face checkpoints.

    Frequencies and angles are rounded to 32 bits, because checkpoints were trained with that rounding."""

    def __init__(self, shape):
        self.frequencies = array("f", shape.rope_frequencies).tolist()
        self.dim = shape.head_dim
        # By position. Agents share it without a lock: who finds none makes the same one as any other.
        self.tables = {}

    def __call__(self, heads, position):
        table = self.tables.get(position)
        if table is None:
            row = array("f", [position * frequency for frequency in self.frequencies]).tolist()
            table = self.tables[position] = ([math.cos(angle) for angle in row], [math.sin(angle) for angle in row])
        cos, sin = table
        half = self.dim // 2
        rotated = []
        for start in range(0, len(heads), self.dim):
            low, high = heads[start : start + half], heads[start + half : start + self.dim]
            rotated.extend([a * c - b * s for a, b, c, s in zip(low, high, cos, sin)])
            rotated.extend([b * c + a * s for a, b, c, s in zip(low, high, cos, sin)])
        return rotated


def silu(x):
    return x / (1 + math.exp(-x)) if x > -700 else 0.0


def gelu(x):
    """The tanh form, `gelu_new`."""
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _conv1d(checkpoint, path, inputs, outputs):
    """GPT-2 stores projections as `[inputs, outputs]`."""
    rows = checkpoint.columns(path + ".weight", inputs, outputs)
    return Linear(rows, checkpoint.vector(path + ".bias", outputs))


def _output(shape, checkpoint, tokens):
    return Linear(tokens if shape.tied else checkpoint.rows("lm_head.weight", shape.vocab_size, shape.hidden))
