"""kill -9 of every process in the middle of the import: nothing acknowledged is lost, nothing counts twice, and in the end everything is as if nothing had happened."""

import random
import threading
import unittest

from suite import *

EXPORT = (SURVEY / "waves" / "2022" / "responses.csv").read_bytes()


def undisturbed():
    suite = Suite()
    try:
        suite.wait_healthy()
        position = suite.main_job()
        suite.wait_counted(W2022, records=position.records)
        return suite.fingerprint(W2022)
    finally:
        suite.close()


class Kill(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.expected = undisturbed()

    def import_until_done(self, suite, acknowledged):
        """Imports again and again, as a person would after an error, and notes every row reported durable."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            try:
                _, summary = self.slow_import(suite, acknowledged)
                return summary
            except grpc.RpcError as error:
                self.assertIn(error.code(), (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL,
                                             grpc.StatusCode.UNKNOWN), error)
                last = error
                time.sleep(0.1)
        self.fail(f"the import never came through: {last}")

    def slow_import(self, suite, acknowledged):
        def pieces():
            yield intake_pb2.ImportResponsesRequest(header=intake_pb2.ImportHeader(parent=W2022))
            for begin in range(0, len(EXPORT), 4096):
                time.sleep(0.005)  # Leaves time to be killed in the middle.
                yield intake_pb2.ImportResponsesRequest(content=EXPORT[begin:begin + 4096])

        summary = None
        for report in suite.intake.ImportResponses(pieces(), timeout=TIMEOUT):
            if report.HasField("row") and report.row.outcome != intake_pb2.IMPORT_OUTCOME_REFUSED:
                acknowledged.add(report.row.response)
            if report.HasField("summary"):
                summary = report.summary
        return None, summary

    def run_with_kills(self, separate, victims, seed):
        suite = Suite(separate=separate)
        self.addCleanup(suite.close)
        suite.wait_healthy()
        suite.apply_sociale_wijkteams()
        generator = random.Random(seed)
        acknowledged = set()
        result = {}
        importer = threading.Thread(target=lambda: result.update(summary=self.import_until_done(suite, acknowledged)))
        importer.start()
        for victim in victims:
            time.sleep(generator.uniform(0.02, 0.15))
            suite.processes[victim].kill()
            suite.processes[victim].start()
        importer.join()
        suite.wait_healthy()
        summary = result["summary"]
        self.assertEqual(summary.rows, 167)
        stored = {r.name for r in suite.intake.ListResponses(intake_pb2.ListResponsesRequest(parent=W2022, page_size=1000), timeout=TIMEOUT).responses}
        self.assertEqual(acknowledged - stored, set(), "acknowledged and lost")
        self.assertEqual(len(stored), 167)
        # One event for each response: nothing was taken in twice.
        self.assertEqual(summary.position.submissions, 167)
        suite.cleaning_report(W2022, summary.position.submissions)
        position = suite.rule_2022()
        suite.wait_counted(W2022, records=position.records)
        records, decisions, tables = suite.fingerprint(W2022)
        self.assertEqual(decisions, self.expected[1])
        self.assertEqual(records, self.expected[0], "records are not the same bytes")
        self.assertEqual(tables, self.expected[2])

    def test_all_in_one_process(self):
        self.run_with_kills(False, ["peiling"] * 4, seed=1)

    def test_every_service_of_its_own(self):
        self.run_with_kills(True, ["intake", "dedup", "analytics", "validation", "registry", "fieldwork", "gateway", "intake", "dedup"], seed=2)


if __name__ == "__main__":
    unittest.main()
