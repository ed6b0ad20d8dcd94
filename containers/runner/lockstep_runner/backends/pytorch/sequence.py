"""One sequence: its cache, and the inputs of each pass over it."""

from lockstep_runner.backends.pytorch.settings import PADDING


class Caches:
    """Makes caches. One static cache is kept: compiled code is bound to its addresses.

    A static cache is read whole, so its length is the cell's own: what else a plan holds changes nothing of a cell.
    """

    def __init__(self, torch, device):
        self._torch, self._device = torch, device
        self._static_for = None
        self._static = None
        self._made = 0

    def serial(self, model, settings, length):
        """Which static cache a cell of this length works on, the first being 1; 0 where it has none."""
        if settings.cache == "dynamic":
            return 0
        wanted = (id(model), length)
        if self._static_for != wanted:
            # Before the next is made, so that there are never two.
            self._static_for, self._static = None, None
            self._static = self._make_static(model, length)
            self._static_for = wanted
            self._made += 1
        return self._made

    def fresh(self, model, settings, length):
        """An empty cache."""
        from transformers import DynamicCache

        if not self.serial(model, settings, length):
            return DynamicCache(config=model.config)
        self._static.reset()
        return self._static

    def sequence(self, model, settings, work, length):
        """The sequence of one repetition of a cell that takes this many positions."""
        cache = self.fresh(model, settings, length)
        sequence = Sequence(self._torch, self._device, settings, cache, work["prompt"], length)
        sequence.model = model
        return sequence

    def _make_static(self, model, length):
        from transformers import StaticCache

        config = model.config.get_text_config(decoder=True)
        heads = config.num_attention_heads
        cache = StaticCache(config=model.config, max_cache_len=length)
        # Outside of any compiled code, where alone the addresses can be marked as static.
        cache.early_initialization(
            batch_size=1,
            num_heads=getattr(config, "num_key_value_heads", None) or heads,
            head_dim=getattr(config, "head_dim", None) or config.hidden_size // heads,
            dtype=model.dtype,
            device=self._device,
        )
        return cache


class Sequence:
    """The passes of one repetition: first the whole prompt, then one token after another."""

    def __init__(self, torch, device, settings, cache, prompt, length):
        self.settings = settings
        self.cache = cache
        self.finite = []
        self._torch, self._device = torch, device
        self._length = settings.padded_length(len(prompt))
        pads = self._length - len(prompt)
        self._prompt = torch.tensor([[0] * pads + prompt], device=device)
        self._mask = None
        if settings.is_padded:
            # On the left, so that the last position is the prompt's last token.
            self._mask = torch.ones((1, length), dtype=torch.long, device=device)
            self._mask[:, :pads] = 0
            self._positions = (torch.arange(length, device=device) - pads).clamp(min=0).unsqueeze(0)

    def prompt_inputs(self):
        """The inputs of the pass over the prompt."""
        return self._inputs(self._prompt, 0, self._length)

    def token_inputs(self, token):
        """The inputs of a pass over one token, an id or a tensor that holds one."""
        if not isinstance(token, self._torch.Tensor):
            token = self._torch.tensor([[token]], device=self._device)
        self._length += 1
        return self._inputs(token, self._length - 1, self._length)

    def _inputs(self, tokens, start, end):
        inputs = {"input_ids": tokens, "past_key_values": self.cache, "use_cache": True, "logits_to_keep": 1}
        if self._mask is not None:
            inputs["attention_mask"] = self._mask if self.settings.cache == "static" else self._mask[:, :end]
            inputs["position_ids"] = self._positions[:, start:end]
        return inputs

    def positions(self):
        """How many positions there are in a cache that does not grow; None in one that does."""
        lengths = {layer.keys.shape[-2] for layer in self.cache.layers if hasattr(layer, "max_cache_len")}
        return max(lengths, default=None)

    def padding(self):
        """How the prompt of this sequence was padded, in the words of the axis."""
        if self._mask is None:
            return "none"
        padded = self._prompt.shape[1]
        pads = padded - int(self._mask[0, :padded].sum())
        is_multiple = padded % PADDING == 0 and pads < PADDING
        return "multiple_of_8" if is_multiple and self.settings.padded == "multiple_of_8" else str(padded)

    def kind(self):
        """The kind of cache that this really was."""
        layers = {type(layer).__name__ for layer in self.cache.layers}
        names = {"DynamicLayer": "dynamic", "StaticLayer": "static"}
        return "+".join(sorted(names.get(layer, layer) for layer in layers))
