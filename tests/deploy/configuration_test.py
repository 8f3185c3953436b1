"""deploy/CONFIGURATION.md says what the programs say."""

import os
import pathlib
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Configuration(unittest.TestCase):
    maxDiff = None

    def test_reference_is_that_of_the_programs(self):
        made = subprocess.run([ROOT / "deploy/configuration", os.environ["PEILING_BIN"]], stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertEqual((ROOT / "deploy/CONFIGURATION.md").read_text(), made, "to write it anew: deploy/configuration BUILD/bin >deploy/CONFIGURATION.md")


if __name__ == "__main__":
    unittest.main()
