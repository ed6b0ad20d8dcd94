"""The planted faults that a processor answered, as they are committed, are the answers of the runner as it is."""

import json
import os
import unittest

from needs import needs_torch
from wire_client import HERE


@needs_torch
class Collected(unittest.TestCase):
    """Where this fails, the runner has changed: `collect_faults.py > ../journals/cpu/planted-faults.jsonl`."""

    def test_the_processors_answers_are_of_this_runner(self):
        from collect_faults import runner_sha256

        with open(os.path.join(HERE, "..", "journals", "cpu", "planted-faults.jsonl"), encoding="utf-8") as file:
            place = json.loads(file.readline())
        self.assertEqual(place["runner_sha256"], runner_sha256())


if __name__ == "__main__":
    unittest.main()
