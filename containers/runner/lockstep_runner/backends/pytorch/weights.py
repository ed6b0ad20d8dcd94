"""The model: transformers' own class from a checkpoint folder, loaded once for each number format."""

import os

from lockstep_runner.backends import BackendError, Refused
from lockstep_runner.backends.pytorch import quantized
from lockstep_runner.backends.reference.shape import end_of_sequence_ids, read_json

DTYPES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}
# Keys of old checkpoints that are computed from the config.
COMPUTED = (".attn.bias", ".attn.masked_bias", "rotary_emb.inv_freq")


class Weights:
    """The checkpoint, and its models in memory."""

    def __init__(self, model_dir, device):
        # The folder is all there is: nothing is to be looked up on the network.
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        import torch
        import transformers

        transformers.utils.logging.disable_progress_bar()
        self._torch, self._transformers = torch, transformers
        self._model_dir, self._device = model_dir, device
        self._models = {}
        self._quantized = {}
        try:
            self.config = transformers.AutoConfig.from_pretrained(model_dir, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise BackendError("cannot read the config of `%s`: %s" % (model_dir, error)) from error
        self.quantization = quantized.declared(self.config)
        self.eos_token_ids = end_of_sequence_ids(model_dir)
        self.kind = _kind(model_dir)

    def check(self, settings, kind):
        """Weights are quantized or they are not: whoever asks for the other is told so."""
        if settings.quantization != self.quantization:
            raise kind(
                "quantization = %r is asked for, and the weights of `%s` have %r"
                % (settings.quantization, self._model_dir, self.quantization)
            )

    def model(self, dtype, attention):
        """The model in this format, attending in this way."""
        if dtype not in self._models:
            self._models[dtype] = self._load(dtype, attention)
        model = self._models[dtype]
        if model.config._attn_implementation != attention:
            model.set_attn_implementation(attention)
        return model

    def _load(self, dtype, attention):
        placed = {}
        if self.quantization != "none":
            missing = quantized.missing_packages()
            if missing:
                raise BackendError(
                    "the weights of `%s` have quantization = %r, and what runs them is not installed: %s"
                    % (self._model_dir, self.quantization, ", ".join(missing))
                )
            # The kernels are chosen for the device, and pack the weights anew for it.
            placed["device_map"] = {"": str(self._device)}
        model, info = self._transformers.AutoModelForCausalLM.from_pretrained(
            self._model_dir,
            dtype=getattr(self._torch, DTYPES[dtype]),
            attn_implementation=attention,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            **placed,
        )
        # transformers makes up what it does not find.
        unexpected = [key for key in info["unexpected_keys"] if not key.endswith(COMPUTED)]
        wrong = sorted(map(str, [*info["missing_keys"], *info["mismatched_keys"], *unexpected]))
        if wrong:
            raise BackendError(
                "`%s` is no checkpoint of %s: %d tensors are missing, of another shape, or of no use: %s"
                % (self._model_dir, type(model).__name__, len(wrong), ", ".join(wrong[:4]))
            )
        model = model.to(self._device).eval()
        if self.quantization != "none":
            self._watch(model, dtype)
        return model

    def _watch(self, model, dtype):
        """Some layers multiply in a format of their own whatever they are given, and transformers casts some models."""
        found, formats = quantized.evidence(self._torch, model)
        self._quantized[model] = found, formats
        used = self.dtype_of(model)
        if used != dtype:
            del self._quantized[model]
            raise Refused(
                "dtype = %r is asked for, and here the quantized weights of `%s` are run in %s (%s): ask for what they are run in"
                % (dtype, self._model_dir, used, ", ".join(found["quantization.kernels"]))
            )

    def quantization_of(self, model):
        """What the model's quantized layers are and what multiplied in them."""
        return self._quantized[model][0] if model in self._quantized else {"quantization": "none"}

    def dtype_of(self, model):
        """The format that the model's weights really have or are multiplied in, and of 32 bits the precision where that is less."""
        names = {getattr(self._torch, name): short for short, name in DTYPES.items()}
        found = {parameter.dtype for parameter in model.parameters() if parameter.dtype.is_floating_point}
        found |= self._quantized.get(model, ({}, set()))[1]
        precision = self._torch.get_float32_matmul_precision()
        if precision != "highest":
            # TF32, or bf16 in parts: a variable of torch or of cuBLAS may switch it on.
            names[self._torch.float32] = "f32 at %s precision" % precision
        return "+".join(sorted(names.get(dtype, str(dtype)) for dtype in found))


def _kind(model_dir):
    """Where the weights come from, if the folder says so."""
    path = os.path.join(model_dir, "lockstep.json")
    if not os.path.exists(path):
        return None
    found = read_json(path)
    kind = found.get("weights") if isinstance(found, dict) else None
    if isinstance(kind, dict):
        kind = kind.get("kind")
    if not isinstance(kind, str):
        raise BackendError("`%s` does not say what kind of weights these are: expected a text `weights`" % path)
    return kind
