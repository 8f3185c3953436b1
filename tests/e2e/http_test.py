"""The main job by a client that knows nothing but the OpenAPI document: Node over HTTP/JSON, with an API key."""

import json
import subprocess
import unittest

from http_suite import *

JOB = pathlib.Path(__file__).with_name("http_job.mjs")


class HttpJob(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.suite = HttpSuite()
        cls.addClassCleanup(cls.suite.close)
        made = cls.suite.make_key(*ROLES)
        cls.key = made.key
        key_file = cls.suite.directory / "client.key"
        key_file.touch(mode=0o600)
        key_file.write_text(made.secret)
        job = subprocess.run(["node", JOB, cls.suite.origin, key_file, SURVEY], capture_output=True, text=True, timeout=300)
        if job.returncode != 0:
            raise RuntimeError(job.stderr[-4000:])
        cls.found = json.loads(job.stdout)

    def test_every_row_is_taken_in_once(self):
        rows = {wave: (summary["rows"], summary["added"]) for wave, summary in self.found["imported"].items()}
        self.assertEqual(rows, {"2019": ("236", "236"), "2022": ("167", "167")})

    def test_cleaning_report_of_2022(self):
        wanted = {"started": 167, "municipalityUnknown": 31, "restarts": 27, "colleagueDuplicates": 22, "kept": 87, "jointQuestionnaires": 2,
                  "records": 90, "complete": 79, "partial": 11, "waitingCases": 0, "municipalities": 344}
        self.assertEqual({name: int(self.found["cleaning"][name]) for name in wanted}, wanted)

    def test_every_published_figure_comes_out_or_is_accounted_for(self):
        self.assertEqual(self.found["figures"], 324)
        self.assertEqual(self.found["comparison"], [312, 6, 6, 0])

    def test_tables_trends_and_progress(self):
        self.assertEqual(self.found["teams"], [69, 87, 83, 83, 80])
        self.assertEqual(self.found["classes"], [90, 58, 15, 13, 4])
        self.assertEqual(self.found["g4"], 2)
        self.assertEqual((self.found["total"]["usable"], self.found["total"]["responsePercent"]), ("90", 26))

    def test_lists_have_everything_on_their_pages(self):
        self.assertEqual(self.found["seen"], {"responses": 167, "records": 90, "decisions": 167, "contradicting": 2})
        self.assertEqual(self.found["municipalities"]["onDate"], 344)
        self.assertGreater(self.found["municipalities"]["ever"], 344)
        self.assertEqual(self.found["municipalities"]["lineage"], ["GM0505"])

    def test_wrong_answers_are_found(self):
        self.assertIn("ISSUE_KIND_UNKNOWN_CODE", self.found["issues"])
        self.assertIn("ISSUE_KIND_UNKNOWN_QUESTION", self.found["issues"])

    def test_rulings_are_recorded_with_who_made_them(self):
        self.assertEqual(self.found["recordedBy"], self.key.name)
        self.assertEqual(self.found["access"]["caller"], self.key.name)
        # Each was made and repeated.
        self.assertEqual(self.found["access"]["rulings"], [self.key.name] * 4)

    def test_every_operation_of_the_document_was_called_and_answered_as_it_says(self):
        self.assertEqual(self.found["uncalled"], [])


if __name__ == "__main__":
    unittest.main()
