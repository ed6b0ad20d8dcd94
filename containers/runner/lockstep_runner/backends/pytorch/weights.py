"""The model: transformers' own class from a checkpoint folder, loaded once for each number format."""

import os

from lockstep_runner.backends import BackendError
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
        try:
            self.config = transformers.AutoConfig.from_pretrained(model_dir, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise BackendError("cannot read the config of `%s`: %s" % (model_dir, error)) from error
        self.eos_token_ids = end_of_sequence_ids(model_dir)
        self.kind = _kind(model_dir)

    def model(self, dtype, attention):
        """The model in this format, attending in this way."""
        if dtype not in self._models:
            self._models[dtype] = self._load(dtype, attention)
        model = self._models[dtype]
        if model.config._attn_implementation != attention:
            model.set_attn_implementation(attention)
        return model

    def _load(self, dtype, attention):
        model, info = self._transformers.AutoModelForCausalLM.from_pretrained(
            self._model_dir,
            dtype=getattr(self._torch, DTYPES[dtype]),
            attn_implementation=attention,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
        # transformers makes up what it does not find.
        unexpected = [key for key in info["unexpected_keys"] if not key.endswith(COMPUTED)]
        wrong = sorted(map(str, [*info["missing_keys"], *info["mismatched_keys"], *unexpected]))
        if wrong:
            raise BackendError(
                "`%s` is no checkpoint of %s: %d tensors are missing, of another shape, or of no use: %s"
                % (self._model_dir, type(model).__name__, len(wrong), ", ".join(wrong[:4]))
            )
        return model.to(self._device).eval()

    def dtype_of(self, model):
        """The format that the model's weights really have, and that 32 bits are multiplied in where that is another."""
        names = {getattr(self._torch, name): short for short, name in DTYPES.items()}
        found = {parameter.dtype for parameter in model.parameters()}
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
