"""Forward passes of Llama and Qwen2 in NumPy, 32-bit throughout: the reference's decoder with its loops in kernels.

The matrix products release the interpreter's lock; what lies between them does not.
"""

import math

from lockstep_runner.backends import BackendError

ARCHITECTURES = ("qwen2", "llama")


class NumpyCache:
    """Keys and values of the positions so far, per layer `[kv_heads, positions, head_dim]`, and how many there are."""

    def __init__(self, np, shape, positions):
        size = (shape.layers, shape.kv_heads, positions, shape.head_dim)
        self.keys, self.values = np.empty(size, np.float32), np.empty(size, np.float32)
        self.length = 0

    def rewind(self, length):
        """Forgets what came after the first positions."""
        self.length = length


class NumpyDecoder:
    """The decoder of a shape, with its weights, transposed so that a pass is `states @ weights`."""

    def __init__(self, np, shape, checkpoint, max_positions):
        if shape.model_type not in ARCHITECTURES:
            known = " and ".join(ARCHITECTURES)
            raise BackendError("kernels = 'numpy' knows %s, and the model is %s" % (known, shape.model_type))
        self.np, self.shape = np, shape
        self.tokens = self._matrix(checkpoint, "model.embed_tokens.weight", shape.vocab_size, shape.hidden)
        self.blocks = [self._block(checkpoint, "model.layers.%d." % layer) for layer in range(shape.layers)]
        self.norm = self._vector(checkpoint, "model.norm.weight", shape.hidden)
        output = self.tokens
        if not shape.tied:
            output = self._matrix(checkpoint, "lm_head.weight", shape.vocab_size, shape.hidden)
        self.output = np.ascontiguousarray(output.T)
        angles = np.outer(np.arange(max_positions, dtype=np.float32), np.asarray(shape.rope_frequencies, np.float32))
        self.cos, self.sin = np.cos(angles), np.sin(angles)

    def cache(self, positions):
        """An empty cache."""
        return NumpyCache(self.np, self.shape, positions)

    def forward(self, tokens, cache, pulse):
        """One pass over new tokens behind those of the cache; the last position's logits `[vocab_size]`."""
        first, count = cache.length, len(tokens)
        cache.length = first + count
        states = self.tokens[list(tokens)]
        for layer, block in enumerate(self.blocks):
            states = states + self._attention(block, self._normed(states, block["norm_1"]), cache, layer, first)
            normed = self._normed(states, block["norm_2"])
            gate = normed @ block["gate"]
            gate = gate / (1 + self.np.exp(-gate))
            states = states + (gate * (normed @ block["up"])) @ block["down"]
            pulse.advance(count)
        return self._normed(states[-1], self.norm) @ self.output

    def _attention(self, block, normed, cache, layer, first):
        """What every position takes from itself and those before it. `[count, hidden]`."""
        np, shape, count = self.np, self.shape, len(normed)
        end = first + count
        queries = self._rotated(self._heads(normed @ block["q"] + block["q_bias"], shape.heads), first)
        cache.keys[layer, :, first:end] = self._rotated(
            self._heads(normed @ block["k"] + block["k_bias"], shape.kv_heads), first
        )
        cache.values[layer, :, first:end] = self._heads(normed @ block["v"] + block["v_bias"], shape.kv_heads)
        keys, values = cache.keys[layer, :, :end], cache.values[layer, :, :end]
        # [kv_heads, group * count, dim]: the queries that share a key head are rows of one product.
        queries = queries.reshape(shape.kv_heads, -1, shape.head_dim)
        scores = (queries @ keys.transpose(0, 2, 1)) * np.float32(1 / math.sqrt(shape.head_dim))
        if count > 1:
            later = np.arange(end) > np.arange(first, end)[:, None]
            scores = np.where(np.tile(later, (shape.group(), 1)), np.float32(-np.inf), scores)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (scores @ values) / scores.sum(axis=-1, keepdims=True)
        mixed = mixed.reshape(shape.heads, count, shape.head_dim).transpose(1, 0, 2).reshape(count, -1)
        return mixed @ block["o"] + block["o_bias"]

    def _heads(self, flat, heads):
        """`[count, heads * dim]` -> `[heads, count, dim]`."""
        return flat.reshape(len(flat), heads, self.shape.head_dim).transpose(1, 0, 2)

    def _rotated(self, heads, first):
        """Rotary position embedding, as the reference has it."""
        half, end = self.shape.head_dim // 2, first + heads.shape[1]
        cos, sin = self.cos[first:end], self.sin[first:end]
        low, high = heads[..., :half], heads[..., half:]
        return self.np.concatenate([low * cos - high * sin, high * cos + low * sin], axis=-1)

    def _normed(self, states, scale):
        """Root mean square norm over the last axis."""
        mean = (states * states).mean(axis=-1, keepdims=True)
        return states / self.np.sqrt(mean + self.np.float32(self.shape.norm_eps)) * scale

    def _block(self, checkpoint, path):
        shape = self.shape
        hidden, inner = shape.hidden, shape.inner
        queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
        found = {
            "norm_1": self._vector(checkpoint, path + "input_layernorm.weight", hidden),
            "norm_2": self._vector(checkpoint, path + "post_attention_layernorm.weight", hidden),
        }
        for name, module, outputs, inputs, bias in (
            ("q", "self_attn.q_proj", queries, hidden, shape.qkv_bias),
            ("k", "self_attn.k_proj", keys, hidden, shape.qkv_bias),
            ("v", "self_attn.v_proj", keys, hidden, shape.qkv_bias),
            ("o", "self_attn.o_proj", hidden, queries, shape.output_bias),
            ("gate", "mlp.gate_proj", inner, hidden, False),
            ("up", "mlp.up_proj", inner, hidden, False),
            ("down", "mlp.down_proj", hidden, inner, False),
        ):
            weights = self._matrix(checkpoint, "%s%s.weight" % (path, module), outputs, inputs)
            found[name] = self.np.ascontiguousarray(weights.T)
            biases = self._vector(checkpoint, "%s%s.bias" % (path, module), outputs) if bias else self.np.float32(0)
            found[name + "_bias"] = biases
        if shape.mlp_bias:
            raise BackendError("kernels = 'numpy' knows no biases in the feed-forward block, and the model has some")
        return found

    def _matrix(self, checkpoint, name, rows, columns):
        return self.np.array(checkpoint.rows(name, rows, columns), self.np.float32)

    def _vector(self, checkpoint, name, length):
        return self.np.array(checkpoint.vector(name, length), self.np.float32)
