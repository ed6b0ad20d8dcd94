"""The backend that README.md shows is whole: it runs as it stands there, and gives the reference's tokens."""

import os
import re
import tempfile
import unittest

from checkpoints import checkpoint
from needs import needs_torch
from wire_client import HERE, Runner, work


def shown():
    """The Python block of README.md."""
    with open(os.path.join(HERE, "..", "..", "README.md"), encoding="utf-8") as file:
        blocks = re.findall(r"```python\n(.*?)```", file.read(), re.DOTALL)
    if len(blocks) != 1:
        raise AssertionError("README.md shows %d blocks of Python" % len(blocks))
    return blocks[0]


@needs_torch
class OwnBackend(unittest.TestCase):
    """Started as README.md says."""

    def test_the_shown_backend_gives_the_tokens_of_the_reference(self):
        works = [work("e2e_kv", new_tokens=8), work("kv_decode", new_tokens=7, cache="dynamic", dtype="f32")]
        theirs = works[:1] + [work("kv_decode", new_tokens=7)]
        found = {}
        with tempfile.TemporaryDirectory() as folder:
            mine = os.path.join(folder, "my_backend.py")
            with open(mine, "w", encoding="utf-8") as file:
                file.write(shown())
            for name, asked in ((mine, works), ("reference", theirs)):
                with Runner(name) as runner:
                    self.assertEqual(runner.load(checkpoint("qwen2"))["type"], "loaded")
                    found[name] = [runner.run(one)["tokens"] for one in asked]
                    if name == mine:
                        self.assertEqual(runner.greeting["runner"], "python-my_backend")
                        self.assertEqual(runner.signals("after_imports")["engine.name"], "mine")
                        self.assertEqual(runner.run(work(cache="static"))["type"], "fatal")
        self.assertEqual(found[mine], found["reference"])


if __name__ == "__main__":
    unittest.main()
