"""The command line against the real suite: what a researcher types, sees and can rely on in scripts."""

import csv
import io
import json
import unittest

from suite import *

EXPORTS = SURVEY / "waves"


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.suite = Suite()
        cls.addClassCleanup(cls.suite.close)
        cls.ctl("wait", "--timeout", "30s")
        cls.applied = cls.ctl("apply", "-f", SURVEY)
        cls.imported = [cls.ctl("import", EXPORTS / wave / "responses.csv", "--wave", wave) for wave in ("2019", "2022")]
        cls.waiting = cls.ctl("cases", "list", "--wave", "2022", "--state", "waiting", "-o", "json")
        cls.ruled = cls.ctl("cases", "rule", "-f", EXPORTS / "2022" / "rulings.csv", "--wave", "2022", "--by", "e2e")

    @classmethod
    def ctl(cls, *words, status=0):
        """What it prints; the exit status must be `status`."""
        run = subprocess.run([BIN / "peilingctl", "--server", cls.suite.entry.address, *map(str, words)], capture_output=True,
                             text=True, timeout=TIMEOUT, env={**os.environ, "COLUMNS": "120"})
        if run.returncode != status:
            raise AssertionError(f"{words}: exit status {run.returncode}, not {status}\n{run.stdout}\n{run.stderr}")
        return run.stdout + run.stderr if status else run.stdout

    def test_applying_and_ruling_again_change_nothing(self):
        self.assertIn("unchanged", self.ctl("apply", "-f", SURVEY))
        self.assertNotIn("created", self.ctl("apply", "-f", SURVEY))
        self.assertIn("unchanged", self.ctl("cases", "rule", "-f", EXPORTS / "2022" / "rulings.csv", "--wave", "2022", "--by", "e2e"))
        self.assertEqual(len(json.loads(self.ctl("cases", "rulings", "--wave", "2022", "-o", "json"))["rulings"]), 2)

    def test_one_case_waited_for_a_ruling(self):
        case, = json.loads(self.waiting)["cases"]
        self.assertEqual(case["titles"], ["Bergen (NH.)", "Bergen (L.)"])

    def test_report_shows_printed_and_computed_and_ends_well(self):
        text = self.ctl("report", "--wave", "2022")
        for words in ("started", "167", "−31", "−27", "−22", "records", "90", "matches", "0 differ", "6 slips", "paragraaf 1.2"):
            self.assertIn(words, text)
        rows = list(csv.DictReader(io.StringIO(self.ctl("report", "--wave", "2022", "-o", "csv"))))
        figures = [row for row in rows if row["section"] == "figure"]
        self.assertGreater(len(figures), 300)
        self.assertEqual([row["id"] for row in figures if row["verdict"] == "differs"], [])

    def test_report_says_no_when_figures_differ(self):
        # Before the rulings are in, a record is missing.
        suite = Suite()
        self.addCleanup(suite.close)
        suite.wait_healthy()
        suite.apply_sociale_wijkteams()
        _, summary = suite.import_file(W2022, EXPORTS / "2022" / "responses.csv")
        suite.wait_counted(W2022, submissions=summary.position.submissions)
        run = subprocess.run([BIN / "peilingctl", "--server", suite.entry.address, "report", "--wave", "2022"], capture_output=True, text=True)
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn("1 case waits for a ruling", run.stdout)

    def test_tables_in_every_format(self):
        self.assertIn("80% (72)", self.ctl("table", "Q5", "--wave", "2022"))
        table, = json.loads(self.ctl("table", "Q5", "--wave", "2022", "--by", "size-class", "-o", "json"))["tables"]
        self.assertEqual([int(column["records"]) for column in table["columns"]], [90, 58, 15, 13, 4])
        rows = list(csv.DictReader(io.StringIO(self.ctl("table", "Q5", "--wave", "2022", "--filter", "group=G40", "-o", "csv"))))
        self.assertTrue(rows)

    def test_trend_over_waves(self):
        text = self.ctl("trend", "Q5", "ja")
        for percent in ("69%", "87%", "83%", "80%"):
            self.assertIn(percent, text)

    def test_wide_tables_fit_the_terminal(self):
        for line in self.ctl("progress", "--wave", "2022").splitlines():
            self.assertLessEqual(len(line), 120)

    def test_names_as_people_type_them(self):
        resolved = json.loads(self.ctl("municipality", "resolve", "gem. Nissewaard", "Bergen", "test", "--as-of", "2022-03-24", "-o", "json", status=1)
                              .split("\nerror", 1)[0])["resolutions"]
        self.assertEqual([r["kind"].rsplit("_", 1)[-1] for r in resolved], ["EXACT", "AMBIGUOUS", "UNKNOWN"])

    def test_watching_ends_when_caught_up_if_asked(self):
        lines = self.ctl("watch", "submissions", "--wave", "2022", "--once", "-o", "json").splitlines()
        self.assertEqual(len([line for line in lines if "submission" in json.loads(line)]), 167)

    def test_mistakes_have_their_exit_status_and_a_way_out(self):
        self.assertIn("REASON", self.ctl("table", "Q999", "--wave", "2022", status=3).upper())
        self.assertIn("wave", self.ctl("table", "Q5", "--wave", "1999", status=3))
        self.ctl("table", "Q5", "--colour", status=2)
        self.assertIn("line", self.ctl("import", self.write("broken.csv", (EXPORTS / "2022" / "responses.csv").read_text() + '9,"x'),
                                       "--wave", "2022", "--dry-run", status=4))
        self.ctl("cases", "rule", "101", "--assign", "GM0893", "--reason", "anders", "--by", "e2e", "--wave", "2022", status=6)
        run = subprocess.run([BIN / "peilingctl", "--server", "127.0.0.1:1", "get", "waves"], capture_output=True, text=True)
        self.assertEqual(run.returncode, 5)
        self.assertIn("127.0.0.1:1", run.stderr)

    def write(self, name, text):
        path = self.suite.directory / name
        path.write_text(text)
        return path


if __name__ == "__main__":
    unittest.main()
