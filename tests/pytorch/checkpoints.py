"""Tiny checkpoints, made with transformers, whose outputs do not merely repeat."""

import functools
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
