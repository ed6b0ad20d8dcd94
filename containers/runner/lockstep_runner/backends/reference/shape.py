"""The shape of a model: `config.json` of a Hugging Face checkpoint, read and checked.

What would change the mathematics and is not implemented is refused by name. Unknown keys are let through, because every
checkpoint carries dozens that concern training or the tokenizer. A field that is `null` counts as absent.
"""

import json
import math
import os

from lockstep_runner.backends import BackendError

MODEL_TYPES = ("gpt2", "qwen2", "llama")


class Shape:
    """All that the decoder needs to know besides the weights. `rope_*` are absent for GPT-2."""

    def __init__(self, **fields):
        self.__dict__.update(fields)

    def group(self):
        """Query heads that share a key head."""
        return self.heads // self.kv_heads


class _Fields:
    """Typed reads of a JSON object that name the field they fail at."""

    def __init__(self, found, path):
        if not isinstance(found, dict):
            raise BackendError("%s is no JSON object" % path)
        self.found = found
        self.path = path

    def get(self, name, default=None):
        value = self.found.get(name)
        return default if value is None else value

    def size(self, name, default=None):
        value = self.get(name, default)
        if type(value) is not int or not 0 < value < 1 << 24:
            raise self.wrong(name, value, "a whole number above 0")
        return value

    def number(self, name, default=None):
        value = self.get(name, default)
        if type(value) not in (int, float) or not math.isfinite(value) or value <= 0:
            raise self.wrong(name, value, "a number above 0")
        return float(value)

    def flag(self, name, default):
        value = self.get(name, default)
        if not isinstance(value, bool):
            raise self.wrong(name, value, "true or false")
        return value

    def only(self, name, values, default):
        """Refuses an option that is set to what is not implemented."""
        value = self.get(name, default)
        if value not in values:
            raise self.wrong(name, value, "(all that is implemented) " + " or ".join(map(repr, values)))

    def token_ids(self, name):
        value = self.get(name, [])
        ids = value if isinstance(value, list) else [value]
        if not all(type(token) is int and token >= 0 for token in ids):
            raise self.wrong(name, value, "a token id or a list of token ids")
        return frozenset(ids)

    def wrong(self, name, found, expected):
        found = "missing" if found is None else repr(found)[:120]
        return BackendError("%s: field `%s` is %s; expected %s" % (self.path, name, found, expected))


def read_shape(model_dir):
    """Reads `config.json`, and the end-of-sequence ids."""
    fields = _Fields(read_json(os.path.join(model_dir, "config.json")), "config.json")
    model_type = fields.get("model_type")
    if model_type not in MODEL_TYPES:
        raise BackendError("model_type %r is not implemented; known: %s" % (model_type, ", ".join(MODEL_TYPES)))
    if fields.get("quantization_config") is not None:
        raise BackendError("config.json: `quantization_config` is given; only unquantized weights are implemented")
    shape = _gpt2(fields) if model_type == "gpt2" else _decoder(fields, model_type == "llama")
    shape.model_type = model_type
    shape.eos_token_ids = end_of_sequence_ids(model_dir)
    if shape.heads % shape.kv_heads:
        raise fields.wrong("num_key_value_heads", shape.kv_heads, "a divisor of the %d heads" % shape.heads)
    return shape


def end_of_sequence_ids(model_dir):
    """Those of `generation_config.json` where it has some, else those of `config.json`."""
    path = os.path.join(model_dir, "generation_config.json")
    if os.path.exists(path):
        generation = _Fields(read_json(path), "generation_config.json")
        if generation.get("eos_token_id") is not None:
            return generation.token_ids("eos_token_id")
    return _Fields(read_json(os.path.join(model_dir, "config.json")), "config.json").token_ids("eos_token_id")


def read_json(path):
    """A JSON file."""
    try:
        with open(path, "rb") as file:
            return json.loads(file.read().decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BackendError("cannot read `%s`: %s" % (path, error)) from error


def _head_dim(fields, hidden, heads, name):
    if hidden % heads:
        raise fields.wrong(name, heads, "a divisor of the hidden size %d" % hidden)
    return hidden // heads


def _gpt2(fields):
    fields.only("activation_function", ("gelu_new", "gelu_pytorch_tanh"), "gelu_new")
    fields.only("scale_attn_weights", (True,), True)
    fields.only("scale_attn_by_inverse_layer_idx", (False,), False)
    fields.only("add_cross_attention", (False,), False)
    hidden, heads = fields.size("n_embd"), fields.size("n_head")
    return Shape(
        hidden=hidden,
        inner=fields.size("n_inner", 4 * hidden),
        layers=fields.size("n_layer"),
        heads=heads,
        kv_heads=heads,
        head_dim=_head_dim(fields, hidden, heads, "n_head"),
        vocab_size=fields.size("vocab_size"),
        max_positions=fields.size("n_positions"),
        norm_eps=fields.number("layer_norm_epsilon", 1e-5),
        qkv_bias=True,
        output_bias=True,
        mlp_bias=True,
        tied=fields.flag("tie_word_embeddings", True),
    )


def _decoder(fields, is_llama):
    fields.only("hidden_act", ("silu", "swish"), "silu")
    hidden, heads = fields.size("hidden_size"), fields.size("num_attention_heads")
    if fields.get("head_dim") is None:
        head_dim = _head_dim(fields, hidden, heads, "num_attention_heads")
    else:
        head_dim = fields.size("head_dim")
    if head_dim % 2:
        raise fields.wrong("head_dim", head_dim, "an even number, for rotary embedding")
    layers, max_positions = fields.size("num_hidden_layers"), fields.size("max_position_embeddings")
    _refuse_sliding_window(fields, layers, max_positions)
    theta, scaling = _rope(fields)
    # Qwen2 has these biases fixed in its code; its configs need not mention them.
    attention_bias = is_llama and fields.flag("attention_bias", False)
    return Shape(
        hidden=hidden,
        inner=fields.size("intermediate_size"),
        layers=layers,
        heads=heads,
        kv_heads=fields.size("num_key_value_heads", heads),
        head_dim=head_dim,
        vocab_size=fields.size("vocab_size"),
        max_positions=max_positions,
        norm_eps=fields.number("rms_norm_eps", 1e-6),
        rope_frequencies=[scaling(theta ** -(2 * pair / head_dim)) for pair in range(head_dim // 2)],
        qkv_bias=attention_bias or not is_llama,
        output_bias=attention_bias,
        mlp_bias=is_llama and fields.flag("mlp_bias", False),
        tied=fields.flag("tie_word_embeddings", False),
    )


def _refuse_sliding_window(fields, layers, max_positions):
    """A window that some layer would really apply; published configs carry window sizes that are switched off."""
    kinds = fields.get("layer_types", [])
    if not isinstance(kinds, list) or any(kind != "full_attention" for kind in kinds[:layers]):
        raise fields.wrong("layer_types", kinds, "full attention in every layer")
    if not fields.flag("use_sliding_window", False):
        return
    # The two defaults are those of `Qwen2Config`.
    if fields.size("sliding_window", 4096) < max_positions and fields.get("max_window_layers", 28) < layers:
        raise fields.wrong("use_sliding_window", True, "full attention in every layer")


def _rope(fields):
    """Base of the rotary frequencies, and the function that scales each."""
    theta = fields.number("rope_theta", 10000.0)
    newer, older = fields.get("rope_parameters"), fields.get("rope_scaling")
    if newer is not None and older is not None and newer != older:
        raise fields.wrong("rope_parameters", newer, "the same as `rope_scaling`, or only one of the two")
    options = newer if newer is not None else older
    if options is None:
        _refuse_partial(fields)
        return theta, lambda frequency: frequency
    inner = _Fields(options, "config.json, rope options")
    _refuse_partial(fields)
    _refuse_partial(inner)
    if inner.get("rope_theta") is not None:
        theta = inner.number("rope_theta")
        if fields.get("rope_theta", theta) != theta:
            raise inner.wrong("rope_theta", theta, "%r, as at the top level" % fields.get("rope_theta"))
    name = "rope_type" if inner.get("rope_type") is not None else "type"
    kind = inner.get(name)
    if kind == "llama3":
        return theta, _llama3_scaling(inner)
    if kind == "default" or (kind is None and set(options) <= {"rope_theta"}):
        return theta, lambda frequency: frequency
    raise inner.wrong(name, kind, "(all that is implemented) 'default' or 'llama3'")


def _llama3_scaling(fields):
    """Llama 3.1: keeps short wavelengths, divides the frequency of long ones, blends in between."""
    factor = fields.number("factor")
    low, high = fields.number("low_freq_factor"), fields.number("high_freq_factor")
    original = fields.size("original_max_position_embeddings")
    if high <= low:
        raise fields.wrong("high_freq_factor", high, "more than low_freq_factor = %r" % low)

    def scale(frequency):
        wavelength = 2 * math.pi / frequency
        if wavelength < original / high:
            return frequency
        if wavelength > original / low:
            return frequency / factor
        smooth = (original / wavelength - low) / (high - low)
        return (1 - smooth) * frequency / factor + smooth * frequency

    return scale


def _refuse_partial(fields):
    if fields.get("partial_rotary_factor", 1.0) != 1.0:
        raise fields.wrong("partial_rotary_factor", fields.get("partial_rotary_factor"), "1")
