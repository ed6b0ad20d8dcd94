"""Quantized weights: which a checkpoint has, what is needed to run them, and what their layers do when they are run.

Nothing of a layer's name says in which format it multiplies: some unpack into the format of what they are given, some cast that to
their own. So a short pass is watched, once for each model.
"""

import importlib.util
import re

from lockstep_runner.backends import BackendError

# Transformers takes the kernels of AWQ from the one, and places them by the other.
AWQ_PACKAGES = ("accelerate", "gptqmodel")
# Of torch's own operators those that multiply; operators of other libraries inside such a layer are there for nothing else.
MULTIPLIES = re.compile(r"mm|mv|dot|linear")
# Tokens of the passes that are watched: some layers take another way where there are many.
WATCHED_TOKENS = (1, 32)


def declared(config):
    """What a checkpoint's config says, as the axis has it."""
    found = getattr(config, "quantization_config", None)
    if found is None:
        return "none"
    found = found if isinstance(found, dict) else found.to_dict()
    method, bits = found.get("quant_method"), found.get("bits", found.get("w_bit", 4))
    if (method, bits) != ("awq", 4):
        raise BackendError(
            "config.json: quantization_config has quant_method = %r with %r bits; this backend takes unquantized weights and "
            "those of AWQ with 4 bits" % (method, bits)
        )
    return "awq-4bit"


def missing_packages():
    """Those of AWQ's that cannot be imported here."""
    return [name for name in AWQ_PACKAGES if importlib.util.find_spec(name) is None]


def layers(model):
    """The quantized ones."""
    return [module for module in model.modules() if isinstance(getattr(module, "bits", None), int)]


def evidence(torch, model):
    """What the layers are and which operators multiplied; and apart from it, in which formats (torch's)."""
    found = layers(model)
    operators, formats = _watched(torch, model, found)
    if not operators:
        # Launched past torch's dispatcher.
        formats = {tensor.dtype for layer in found for tensor in _floats(_tensors(layer))}
    return {
        "quantization": "+".join(sorted({"%s-%dbit" % (_method(layer), layer.bits) for layer in found})),
        "quantization.kernels": sorted({type(layer).__name__ for layer in found}),
        "quantization.operators": sorted(operators),
        "quantization.layers": len(found),
    }, formats


def _method(layer):
    """Each class of AWQ's layers says its kind, such as `awq_marlin`."""
    kind = str(getattr(layer, "QUANT_TYPE", type(layer).__name__))
    return "awq" if "awq" in kind.lower() else kind


def _tensors(layer):
    return [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]


def _floats(values):
    return [value for value in values if getattr(getattr(value, "dtype", None), "is_floating_point", False)]


def _watched(torch, model, found):
    """The operators that multiplied inside the layers, and the formats of the numbers that they were given."""
    from torch.utils._python_dispatch import TorchDispatchMode

    inside, operators, formats = [], set(), set()

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            name = str(function)
            if inside and (not name.startswith("aten.") or MULTIPLIES.search(name)):
                operators.add(name)
                formats.update(value.dtype for value in _floats([*args, *(kwargs or {}).values()]))
            return function(*args, **(kwargs or {}))

    hooks = [layer.register_forward_pre_hook(lambda *_: inside.append(True)) for layer in found]
    hooks += [layer.register_forward_hook(lambda *_: inside.pop() and None) for layer in found]
    try:
        with torch.no_grad(), Watch():
            for tokens in WATCHED_TOKENS:
                ids = torch.zeros(1, tokens, dtype=torch.long, device=model.device)
                model(input_ids=ids, use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    return operators, formats
