"""An event of the submission feed that cannot be read (a flipped disk, a bad restore): it is set aside and told of, and everything behind it is
taken in."""

import contextlib
import sqlite3
import unittest

from suite import *

POISONED = f"{W2022}/responses/101"


class PoisonedEvent(unittest.TestCase):
    def setUp(self):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="peiling-poison-"))
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        self.directory = directory
        with self.running() as suite:
            suite.main_job()

    @contextlib.contextmanager
    def running(self):
        suite = Suite(directory=self.directory)
        try:
            suite.wait_healthy()
            yield suite
        finally:
            suite.close()

    def exchange_event(self, new):
        """Puts other bytes in the place of the event of POISONED; those that were there."""
        with contextlib.closing(sqlite3.connect(self.directory / "data" / "intake.db")) as database, database:
            rows = database.execute("SELECT id, value FROM feed WHERE instr(value, CAST(? AS BLOB))", (POISONED,)).fetchall()
            if not rows:
                rows = [(self.row, b"")]
            self.row, old = rows[0]
            database.execute("UPDATE feed SET value = ? WHERE id = ?", (new, self.row))
        return old

    def forget_decisions(self):
        """Dedup and analytics begin again from intake's feed."""
        for service in ("dedup", "analytics"):
            for file in (self.directory / "data").glob(f"{service}.db*"):
                file.unlink()

    def test_it_is_set_aside_and_the_rest_is_counted(self):
        old = self.exchange_event(b"\xff\xff\xff no event at all")
        self.forget_decisions()
        with self.running() as suite:
            self.assertEqual(suite.cleaning_report(W2022, submissions=167).started, 166)
            self.assertEqual(suite.cleaning_report(W2019, submissions=236).started, 236)
            suite.wait_counted(W2022, submissions=167)
            log = suite.entry.log_tail() + (self.directory / "peiling.log").read_text(errors="replace")
            self.assertIn("it is set aside", log)
        self.exchange_event(old)
        self.forget_decisions()
        with self.running() as suite:
            self.assertEqual(suite.cleaning_report(W2022, submissions=167).started, 167)


if __name__ == "__main__":
    unittest.main()
