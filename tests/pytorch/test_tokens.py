"""What the PyTorch backend answers is what the checkpoint gives: held against transformers and the reference backend."""

import unittest

from checkpoints import checkpoint
from needs import needs_torch
from wire_client import Runner, work

CPU = {"device": "cpu", "threads": "1"}
SEEDED = {"kind": "seeded", "seed": 11, "temperature": 0.9, "top_k": 20, "top_p": 0.95}


def generated(path, prompt, count):
    """Greedy ids by transformers' own loop."""
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    output = model.generate(
        torch.tensor([prompt]), attention_mask=torch.ones((1, len(prompt)), dtype=torch.long),
        do_sample=False, max_new_tokens=count, min_new_tokens=count, pad_token_id=0, eos_token_id=None,
    )
    return output[0, len(prompt):].tolist()


@needs_torch
class Tokens(unittest.TestCase):
    """Eager, in 32-bit floats, on the CPU."""

    PROMPT = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]
    COUNT = 12

    def answers(self, backend, kind, lane, works):
        """Tokens of each work, from one launch."""
        with Runner(backend) as runner:
            self.assertEqual(runner.load(checkpoint(kind), lane)["type"], "loaded")
            found = [runner.run(one) for one in works]
            self.assertEqual(runner.bye(), ("bye", 0))
        self.assertEqual([one["type"] for one in found], ["result"] * len(works), found)
        return [one["tokens"] for one in found]

    def all_phases(self, sampling=None, **axes):
        """Prefill, decode, and both as one."""
        common = {"prompt": self.PROMPT, "sampling": sampling, **axes}
        return [
            work("prefill", **common),
            work("kv_decode", new_tokens=self.COUNT - 1, **common),
            work("e2e_kv", new_tokens=self.COUNT, **common),
        ]

    def test_greedy_tokens_are_those_of_transformers_and_of_the_reference(self):
        for kind in ("qwen2", "llama", "gpt2"):
            with self.subTest(kind):
                first, rest, whole = self.answers("pytorch", kind, CPU, self.all_phases())
                self.assertEqual(first + rest, whole)
                self.assertEqual(whole, generated(checkpoint(kind), self.PROMPT, self.COUNT))
                self.assertEqual([first, rest, whole], self.answers("reference", kind, {}, self.all_phases()))
                self.assertGreater(len(set(whole)), 4, "outputs that repeat prove little")

    def test_no_cache_no_attention_and_no_padding_changes_a_token(self):
        ways = [
            {"cache": cache, "attention": attention, "padded": padded}
            for cache in ("dynamic", "static")
            for attention in ("sdpa", "eager")
            for padded in ("none", "multiple_of_8", "24")
        ]
        for kind in ("qwen2", "gpt2"):
            works = [one for way in ways for one in self.all_phases(**way)]
            found = self.answers("pytorch", kind, CPU, works)
            for index, way in enumerate(ways):
                with self.subTest(kind=kind, **way):
                    self.assertEqual(found[3 * index : 3 * index + 3], found[:3])

    def test_seeded_tokens_are_those_of_the_reference(self):
        for sampling in (SEEDED, {"kind": "seeded", "seed": 5, "temperature": 1.3}):
            with self.subTest(**sampling):
                works = self.all_phases(sampling)
                self.assertEqual(
                    self.answers("pytorch", "qwen2", CPU, works), self.answers("reference", "qwen2", {}, works)
                )

    def test_generation_ends_where_the_reference_ends(self):
        works = [work("e2e_kv", [start, 1, 4], 40, SEEDED, False) for start in range(6)]
        mine, theirs = ([], [])
        for backend, lane, kept in (("pytorch", CPU, mine), ("reference", {}, theirs)):
            with Runner(backend) as runner:
                runner.load(checkpoint("llama"), lane)
                for one in works:
                    answer = runner.run(one)
                    kept.append((answer["tokens"], answer["stop"]))
        self.assertEqual(mine, theirs)
        self.assertIn("eos", [stop for _, stop in mine])

    def test_repetitions_are_independent(self):
        works = [work("e2e_kv", self.PROMPT, 6, cache="static")] * 3
        first, second, third = self.answers("pytorch", "llama", CPU, works)
        self.assertEqual([second, third], [first, first])


if __name__ == "__main__":
    unittest.main()
