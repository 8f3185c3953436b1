"""Bad input gets the answer a user needs, and harms nobody else."""

import unittest

from suite import *

EXPORT = (SURVEY / "waves" / "2022" / "responses.csv").read_bytes()
LINES = EXPORT.split(b"\n")


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.suite = Suite()
        cls.addClassCleanup(cls.suite.close)
        cls.suite.wait_healthy()
        cls.suite.apply_sociale_wijkteams()

    def refused(self, call, code):
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        self.assertEqual(caught.exception.code(), code, caught.exception)
        info, violations = details(caught.exception)
        if code != grpc.StatusCode.RESOURCE_EXHAUSTED:
            self.assertIsNotNone(info, f"no ErrorInfo: {caught.exception}")
            self.assertEqual(info.domain, "peiling.vng.nl")
        return caught.exception, info, violations

    def import_refused(self, content):
        return self.refused(lambda: self.suite.import_file(W2022, content), grpc.StatusCode.INVALID_ARGUMENT)

    def test_broken_csv_says_line_and_column(self):
        rows = [LINES[0], *LINES[1:4], b'9,2022-09-05 08:00:00,,,1,nl,"never closed', b""]
        _, info, _ = self.import_refused(b"\n".join(rows))
        self.assertEqual(info.reason, "EXPORT_MALFORMED")
        self.assertEqual(info.metadata["line"], "5")
        self.assertTrue(int(info.metadata["column"]) > 1)

    def test_rows_before_the_broken_place_are_kept_and_it_can_be_mended(self):
        suite = Suite()
        self.addCleanup(suite.close)
        suite.wait_healthy()
        suite.apply_sociale_wijkteams()
        with self.assertRaises(grpc.RpcError):
            suite.import_file(W2022, b"\n".join([*LINES[:101], b'x,"a"b']))
        rows, summary = suite.import_file(W2022, EXPORT)
        self.assertEqual((summary.rows, summary.unchanged, summary.added), (167, 100, 67))

    def test_wrong_encoding(self):
        _, info, _ = self.import_refused(EXPORT.replace(b"Castricum", "Súdwest".encode("latin-1"), 1))
        self.assertEqual(info.reason, "EXPORT_ENCODING")
        self.assertEqual(info.metadata["line"], "2")

    def test_missing_double_and_unknown_columns_all_at_once(self):
        header = LINES[0].replace(b",Q5,", b",Q5,Q5,").replace(b",Q6,", b",").replace(b",Q7,", b",Q7,Q777,")
        _, info, violations = self.import_refused(b"\n".join([header, *LINES[1:3]]))
        self.assertEqual(info.reason, "EXPORT_COLUMNS")
        text = " ".join(v.field + " " + v.description for v in violations)
        for column in ("Q5", "Q6", "Q777"):
            self.assertIn(column, text)

    def test_unknown_wave(self):
        _, info, _ = self.refused(lambda: self.suite.import_file("surveys/sociale-wijkteams/waves/1999", EXPORT), grpc.StatusCode.NOT_FOUND)
        self.assertEqual(info.reason, "WAVE_NOT_FOUND")
        self.refused(lambda: self.suite.analytics.Tabulate(analytics_pb2.TabulateRequest(parent="surveys/x/waves/y")), grpc.StatusCode.NOT_FOUND)
        self.refused(lambda: self.suite.dedup.GetCleaningReport(dedup_pb2.GetCleaningReportRequest(parent="surveys/x/waves/y")),
                     grpc.StatusCode.NOT_FOUND)

    def test_every_wrong_field_at_once(self):
        request = dedup_pb2.CreateRulingRequest(parent="nonsense", ruling=dedup_pb2.Ruling(response="nonsense"))
        _, info, violations = self.refused(lambda: self.suite.dedup.CreateRuling(request), grpc.StatusCode.INVALID_ARGUMENT)
        self.assertEqual(info.reason, "INVALID_REQUEST")
        self.assertTrue({"parent", "request_id", "ruling.response", "ruling.reason"} <= {v.field for v in violations}, violations)

    def test_yaml_errors_name_line_and_column(self):
        for text, where in (("kind: survey\nsurvey: [a\n", "fout.yaml:"), ("kind: survey\nsurvey: x\ntitle: X\ntitel: Y\n", "fout.yaml:4:1"),
                            ("kind: nonsense\n", "fout.yaml:1:")):
            document = intake_pb2.Document(filename="fout.yaml", text=text)
            _, info, violations = self.refused(
                lambda: self.suite.intake.ApplyDocuments(intake_pb2.ApplyDocumentsRequest(documents=[document])), grpc.StatusCode.INVALID_ARGUMENT)
            self.assertEqual(info.reason, "DOCUMENT_INVALID")
            self.assertTrue(any(v.field.startswith(where) for v in violations), (where, violations))

    def test_questionnaire_in_use_cannot_change(self):
        suite = Suite()
        self.addCleanup(suite.close)
        suite.wait_healthy()
        suite.apply_sociale_wijkteams()
        suite.import_file(W2022, b"\n".join(LINES[:3]))
        text = (SURVEY / "2022.yaml").read_text(encoding="utf-8").replace("Wat is uw naam?", "Hoe heet u?")
        document = intake_pb2.Document(filename="2022.yaml", text=text)
        _, info, _ = self.refused(lambda: suite.intake.ApplyDocuments(intake_pb2.ApplyDocumentsRequest(documents=[document])),
                                  grpc.StatusCode.FAILED_PRECONDITION)
        self.assertEqual(info.reason, "QUESTIONNAIRE_IN_USE")

    def test_oversize_message(self):
        big = intake_pb2.ApplyDocumentsRequest(documents=[intake_pb2.Document(filename="x", text="x" * (8 << 20))])
        error, _, _ = self.refused(lambda: self.suite.intake.ApplyDocuments(big), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertIn("larger than max", error.details())
        self.suite.wait_healthy()

    def test_oversize_field(self):
        request = intake_pb2.SubmitResponseRequest(parent=W2022, request_id="groot", response=intake_pb2.Response(
            answers=answers_pb2.Answers(answers=[answers_pb2.Answer(question="Q7", text="x" * 200_000)])))
        self.refused(lambda: self.suite.intake.SubmitResponse(request), grpc.StatusCode.INVALID_ARGUMENT)

    def test_client_that_stops_reading_harms_nobody(self):
        suite = Suite()
        self.addCleanup(suite.close)
        suite.wait_healthy()
        suite.apply_sociale_wijkteams()
        channels = []
        for _ in range(20):
            channel = grpc.insecure_channel(suite.entry.address, options=[("grpc.use_local_subchannel_pool", 1)])
            stub = intake_pb2_grpc.IntakeServiceStub(channel)
            channels.append((channel, stub.WatchSubmissions(intake_pb2.WatchSubmissionsRequest(parent=W2022)),
                             stub.ImportResponses(iter([intake_pb2.ImportResponsesRequest(header=intake_pb2.ImportHeader(parent=W2022))]))))
        began = time.monotonic()
        position = suite.main_job()
        suite.wait_counted(W2022, records=position.records)
        self.assertLess(time.monotonic() - began, 30)
        for channel, watch, upload in channels:
            watch.cancel()
            upload.cancel()
            channel.close()

    def test_deadline_is_kept(self):
        request = analytics_pb2.GetProgressRequest(parent=W2022, wait_for=feed_pb2.FeedPosition(submissions=10**9))
        self.suite.wait_counted(W2022)
        began = time.monotonic()
        with self.assertRaises(grpc.RpcError) as caught:
            self.suite.analytics.GetProgress(request, timeout=0.5)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        self.assertLess(time.monotonic() - began, 5)


if __name__ == "__main__":
    unittest.main()
