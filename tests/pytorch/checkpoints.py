"""Tiny checkpoints, made with transformers, whose outputs do not merely repeat."""

import functools
import json
import os
import tempfile

VOCABULARY = 96
POSITIONS = 128
_folder = tempfile.TemporaryDirectory(prefix="lockstep-checkpoints-")


def _config(kind):
    import transformers

    if kind == "gpt2":
        return transformers.GPT2Config(
            vocab_size=VOCABULARY, n_embd=64, n_layer=2, n_head=4, n_positions=POSITIONS, bos_token_id=0, eos_token_id=7
        )
    config = {"qwen2": transformers.Qwen2Config, "llama": transformers.LlamaConfig}[kind]
    return config(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=7,
    )


@functools.cache
def checkpoint(kind):
    """The folder of a checkpoint of this kind."""
    import torch
    import transformers

    path = os.path.join(_folder.name, kind)
    torch.manual_seed(7)
    model = transformers.AutoModelForCausalLM.from_config(_config(kind))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                # Learned positions weigh as much as tokens, or the last token alone would decide.
                parameter.normal_(std=1.0 if "wpe" in name else 0.25)
            else:
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    model.save_pretrained(path)
    return path


# AWQ's own order of eight numbers in a word of 32 bits.
_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
_GROUP = 32


@functools.cache
def in_four_bits(kind):
    """Two folders with the same numbers: as AWQ packs them, and unpacked. Only projections are packed."""
    import torch
    import transformers
    from safetensors.torch import save_file

    model = transformers.AutoModelForCausalLM.from_pretrained(checkpoint(kind), dtype=torch.float32)
    packed, unpacked = {}, {}
    for name, tensor in model.state_dict().items():
        tensor = tensor.half()
        if name.endswith("_proj.weight"):
            stem = name[: -len("weight")]
            words, unpacked[name] = _in_words(tensor.float())
            packed.update({stem + part: found for part, found in words.items()})
        else:
            packed[name] = tensor.contiguous()
            unpacked[name] = tensor.float()
    model.load_state_dict(unpacked)
    folders = [os.path.join(_folder.name, "%s-%s" % (kind, form)) for form in ("awq", "unpacked")]
    model.save_pretrained(folders[1])
    os.mkdir(folders[0])
    save_file(packed, os.path.join(folders[0], "model.safetensors"), metadata={"format": "pt"})
    with open(os.path.join(folders[1], "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    config["quantization_config"] = {
        "quant_method": "awq", "bits": 4, "group_size": _GROUP, "zero_point": True, "version": "gemm"
    }
    with open(os.path.join(folders[0], "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    return folders


def _in_words(weight):
    """The tensors that stand for `[out, in]`, and what they stand for: whole numbers of 0 to 15, less a zero point, times a scale."""
    outputs, inputs = weight.shape
    groups = weight.t().reshape(inputs // _GROUP, _GROUP, outputs)
    low, high = groups.amin(1, keepdim=True), groups.amax(1, keepdim=True)
    scales = ((high - low) / 15).half().float()
    zeros = (-low / scales).round().clamp(0, 15)
    numbers = (groups / scales + zeros).round().clamp(0, 15)
    meant = ((numbers - zeros) * scales).reshape(inputs, outputs).t().contiguous()
    words = {
        "qweight": _words(numbers.reshape(inputs, outputs)),
        "qzeros": _words(zeros.squeeze(1)),
        "scales": scales.squeeze(1).half(),
    }
    return words, meant


def _words(numbers):
    import torch

    rows, columns = numbers.shape
    eights = numbers.to(torch.int32).reshape(rows, columns // 8, 8)
    words = torch.zeros(rows, columns // 8, dtype=torch.int32)
    for place, column in enumerate(_ORDER):
        words |= eights[:, :, column] << (4 * place)
    return words
