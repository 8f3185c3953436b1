"""The main job by a foreign client: raw exports in, the published report out."""

import contextlib
import re
import sqlite3
import unittest

from suite import *

# How the answers to personal questions read in the invented exports.
NAMES = re.compile(rb"Respondent 0|Collega 0|Onbekend 0|beleidsmedewerker Wmo")


class Wave2022(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.suite = Suite()
        cls.addClassCleanup(cls.suite.close)
        cls.suite.wait_healthy()
        cls.suite.apply_sociale_wijkteams()
        cls.rows = {}
        cls.position = {}
        for wave in (W2019, W2022):
            cls.rows[wave], summary = cls.suite.import_file(wave, SURVEY / "waves" / wave[-4:] / "responses.csv")
            cls.position[wave] = summary.position.submissions
        cls.before_rulings = cls.suite.cleaning_report(W2022, cls.position[W2022])
        cls.waiting = list(cls.suite.dedup.ListCases(
            dedup_pb2.ListCasesRequest(parent=W2022, state=dedup_pb2.CASE_STATE_WAITING)).cases)
        cls.ruled = cls.suite.rule_2022()
        cls.suite.wait_counted(W2022, records=cls.ruled.records)
        cls.suite.wait_counted(W2019, submissions=cls.position[W2019])

    def test_every_row_is_taken_in_once(self):
        self.assertEqual(len(self.rows[W2022]), 167)
        self.assertEqual(len(self.rows[W2019]), 236)
        self.assertEqual({row.outcome for row in self.rows[W2022]}, {intake_pb2.IMPORT_OUTCOME_ADDED})

    def test_same_export_again_adds_nothing(self):
        rows, summary = self.suite.import_file(W2022, SURVEY / "waves" / "2022" / "responses.csv")
        self.assertEqual((summary.rows, summary.unchanged, summary.added, summary.updated), (167, 167, 0, 0))
        self.assertEqual(summary.position.submissions, self.position[W2022])

    def test_without_rulings_one_case_waits(self):
        report = self.before_rulings
        self.assertEqual((report.records, report.waiting_cases, report.ambiguous), (89, 1, 2))
        self.assertEqual(list(self.waiting[0].municipality_codes), ["GM0373", "GM0893"])
        self.assertEqual({d.response[-3:] for d in self.waiting[0].decisions}, {"101", "103"})

    def test_cleaning_report_of_2022(self):
        report = self.suite.cleaning_report(W2022)
        self.assertEqual(report.started, 167)
        self.assertEqual(report.municipality_unknown, 31)
        self.assertEqual((report.restarts, report.colleague_duplicates, report.equally_complete), (27, 22, 2))
        self.assertEqual((report.kept, report.joint_questionnaires), (87, 2))
        self.assertEqual((report.records, report.complete, report.partial), (90, 79, 11))
        self.assertEqual((report.waiting_cases, report.municipalities), (0, 344))
        parts = (report.kept + report.restarts + report.colleague_duplicates + report.municipality_unknown + report.ambiguous +
                 report.out_of_frame + report.withdrawn + report.test + report.excluded + report.empty)
        self.assertEqual(parts, report.started)

    def test_cleaning_report_of_2019(self):
        report = self.suite.cleaning_report(W2019)
        self.assertEqual((report.started, report.records, report.municipalities), (236, 212, 355))

    def test_equally_complete_colleagues_contradict_each_other(self):
        cases = self.suite.dedup.ListCases(dedup_pb2.ListCasesRequest(parent=W2022, contradicting=True)).cases
        self.assertEqual({case.titles[0] for case in cases}, {"Veenendaal", "Oost Gelre"})
        for case in cases:
            self.assertTrue(case.contradictions[0].answers)

    def test_every_published_figure_comes_out_or_is_a_slip(self):
        comparison = self.suite.analytics.CompareWithPublished(analytics_pb2.CompareWithPublishedRequest(parent=W2022), timeout=TIMEOUT)
        differing = [f"{c.published.id}: printed {c.published.percent} of {c.published.base}, computed {c.percent} ({c.k}/{c.n})"
                     for c in comparison.figures if c.verdict not in (analytics_pb2.VERDICT_MATCHES, analytics_pb2.VERDICT_SLIP, analytics_pb2.VERDICT_CONTRADICTED)]
        self.assertEqual(differing, [])
        self.assertGreater(len(comparison.figures), 300)
        # The printed size classes are not those of the municipalities the report itself lists.
        contradicted = {c.published.id for c in comparison.figures if c.verdict == analytics_pb2.VERDICT_CONTRADICTED}
        self.assertEqual(contradicted, {f"{what}.{size}" for what in ("fieldwork", "Q5.ja") for size in ("under_50k", "50k_to_100k", "100k_to_200k")})
        slips = {c.published.id for c in comparison.figures if c.verdict == analytics_pb2.VERDICT_SLIP}
        self.assertEqual(slips, {c.published.id for c in comparison.figures if c.published.slip})
        self.assertEqual(slips, {"Q15.anders", "Q20.jeugdteam", "Q25.veiligthuis", "Q40.schakelt_in", "Q54.supervisie", "Q55.passend"})

    def test_report_contradicts_itself_where_it_does(self):
        comparison = self.suite.analytics.CompareWithPublished(analytics_pb2.CompareWithPublishedRequest(parent=W2022), timeout=TIMEOUT)
        wrong = {claim.published.id: claim for claim in comparison.claims if claim.verdict == analytics_pb2.VERDICT_DIFFERS}
        self.assertEqual(set(wrong), {"response_2014", "response_2015", "panel_representativeness", "size_bands", "small_share",
                                      "small_over_represented"})
        self.assertIn("63 van 90 (70 procent)", wrong["panel_representativeness"].finding)
        self.assertIn("50.000", wrong["size_bands"].finding)
        self.assertTrue(any(claim.verdict == analytics_pb2.VERDICT_MATCHES for claim in comparison.claims))

    def test_tables_by_stratum_add_up(self):
        request = analytics_pb2.TabulateRequest(parent=W2022, questions=["Q5"],
                                                by=analytics_pb2.Breakdown(stratum=analytics_pb2.STRATUM_SIZE_CLASS))
        table, = self.suite.analytics.Tabulate(request, timeout=TIMEOUT).tables
        total, *classes = table.columns
        self.assertEqual((total.records, total.n), (90, 90))
        self.assertEqual([column.records for column in classes], [58, 15, 13, 4])
        for line in table.lines:
            self.assertEqual(line.figures[0].k, sum(figure.k for figure in line.figures[1:]))

    def test_bases_account_for_every_record(self):
        for table in self.suite.analytics.Tabulate(analytics_pb2.TabulateRequest(parent=W2022), timeout=TIMEOUT).tables:
            for column in table.columns:
                self.assertEqual(column.n + column.not_asked + column.skipped + column.not_reached, column.records, table.question)

    def test_filter_by_group_shows_g4_honestly(self):
        g4 = analytics_pb2.Filter(stratum=published_pb2.StratumFilter(group="G4"))
        table, = self.suite.analytics.Tabulate(analytics_pb2.TabulateRequest(parent=W2022, questions=["Q5"], filters=[g4]), timeout=TIMEOUT).tables
        self.assertEqual(table.columns[0].records, 2)

    def test_progress_now_and_on_a_date(self):
        now = {(line.stratum, line.code): line for line in self.suite.wait_counted(W2022).lines}
        total = next(line for (stratum, _), line in now.items() if stratum == "total")
        self.assertEqual((total.municipalities, total.started, total.usable, total.complete, total.response_percent), (344, 167, 90, 79, 26))
        request = analytics_pb2.GetProgressRequest(parent=W2022, as_of="2022-10-03")
        then = self.suite.analytics.GetProgress(request, timeout=TIMEOUT).progress.lines[0]
        self.assertTrue(0 < then.usable < 90 and then.complete <= then.usable, str(then))
        request.as_of = "2022-09-01"
        self.assertEqual(self.suite.analytics.GetProgress(request, timeout=TIMEOUT).progress.lines[0].started, 0)

    def test_trends_of_the_report(self):
        trends = {trend.id: trend for trend in self.suite.analytics.ListTrends(
            analytics_pb2.ListTrendsRequest(parent="surveys/sociale-wijkteams"), timeout=TIMEOUT).trends}
        teams = {point.wave: point for point in trends["teams"].points}
        self.assertEqual([teams[w].percent for w in ("2014", "2015", "2017", "2019", "2022")], [69, 87, 83, 83, 80])
        self.assertEqual(teams["2019"].source, analytics_pb2.FIGURE_SOURCE_RECORDS)
        self.assertEqual((teams["2019"].n, teams["2022"].n), (212, 90))
        self.assertEqual(teams["2014"].source, analytics_pb2.FIGURE_SOURCE_PUBLISHED)
        self.assertGreaterEqual(len(trends), 34)

    def test_trend_that_is_not_comparable_is_refused_with_a_reason(self):
        request = analytics_pb2.GetTrendRequest(parent="surveys/sociale-wijkteams",
                                                option=published_pb2.OptionCount(question="Q40", option="consultatie"))
        points = {point.wave: point for point in self.suite.analytics.GetTrend(request, timeout=TIMEOUT).trend.points}
        self.assertEqual(points["2019"].comparability, questionnaire_pb2.COMPARABILITY_STATUS_BROKEN)
        self.assertTrue(points["2019"].comparability_reason)
        self.assertFalse(points["2019"].HasField("percent"))

    def test_invented_answers_are_shown_as_such(self):
        answer = self.suite.analytics.Tabulate(analytics_pb2.TabulateRequest(parent=W2022, questions=["Q5"]), timeout=TIMEOUT)
        self.assertTrue(answer.notices)

    def test_names_of_people_leave_through_no_feed(self):
        seen = b""
        stream = self.suite.intake.WatchSubmissions(intake_pb2.WatchSubmissionsRequest(parent=W2022), timeout=TIMEOUT)
        for message in stream:
            if message.HasField("caught_up"):
                self.assertEqual(message.caught_up.sequence, self.position[W2022])
                break
            seen += message.SerializeToString()
        stream.cancel()
        self.assertIsNone(NAMES.search(seen))
        self.assertIn(b"Castricum", seen)
        personal = self.suite.intake.GetResponse(intake_pb2.GetResponseRequest(
            name=f"{W2022}/responses/5", view=intake_pb2.RESPONSE_VIEW_PERSONAL)).response
        self.assertIn("Respondent 037", [answer.text for answer in personal.answers.answers])

    def test_names_of_people_can_be_read_nowhere_in_the_stores(self):
        data = self.suite.directory / "data"
        with contextlib.closing(sqlite3.connect(f"file:{data}/intake.db?mode=ro", uri=True)) as store:
            documents = store.execute("SELECT key, value FROM documents WHERE value IS NOT NULL").fetchall()
            events = [value for (value,) in store.execute("SELECT value FROM feed")]
        self.assertTrue(any(bytes(key).startswith(b"personal/") for key, _ in documents), "they are there, sealed")
        self.assertFalse([key for key, value in documents if NAMES.search(value)])
        self.assertFalse([event for event in events if NAMES.search(event)])
        for file in [*data.glob("dedup.db*"), *self.suite.directory.glob("*.log")]:
            self.assertIsNone(NAMES.search(file.read_bytes()), file)

    def test_ruling_taken_back_and_made_again(self):
        rulings = self.suite.dedup.ListRulings(dedup_pb2.ListRulingsRequest(parent=W2022)).rulings
        first = rulings[0]
        back = self.suite.dedup.RetractRuling(dedup_pb2.RetractRulingRequest(
            name=first.name, retracted_by="e2e", reason="proef", request_id="retract-1"), timeout=TIMEOUT)
        self.suite.wait_counted(W2022, records=back.position.records)
        report = self.suite.cleaning_report(W2022)
        self.assertEqual((report.records, report.waiting_cases, report.ambiguous), (90, 1, 1))
        again = dedup_pb2.Ruling(response=first.response, reason=first.reason, ruled_by="e2e", assign=first.assign)
        self.suite.dedup.CreateRuling(dedup_pb2.CreateRulingRequest(parent=W2022, ruling=again, request_id="again-1"), timeout=TIMEOUT)
        report = self.suite.cleaning_report(W2022)
        self.assertEqual((report.records, report.complete, report.waiting_cases), (90, 79, 0))

    def test_submission_shows_in_tables_when_waited_for(self):
        # In a wave of its own, so that the other tests keep their numbers.
        wave = "surveys/sociale-wijkteams/waves/proef"
        text = (SURVEY / "2022.yaml").read_text(encoding="utf-8").replace('wave: "2022"', 'wave: "proef"')
        self.suite.intake.ApplyDocuments(intake_pb2.ApplyDocumentsRequest(documents=[intake_pb2.Document(filename="proef.yaml", text=text)]))
        submitted = self.suite.intake.SubmitResponse(intake_pb2.SubmitResponseRequest(
            parent=wave, request_id="een", response=intake_pb2.Response(answers=answers_pb2.Answers(answers=[
                answers_pb2.Answer(question="Q1", text="Proefpersoon"),
                answers_pb2.Answer(question="Q3", text="gem. Nissewaard"),
                answers_pb2.Answer(question="Q5", selection=answers_pb2.Selection(codes=["nee"])),
                answers_pb2.Answer(question="Q6", selection=answers_pb2.Selection(codes=["ja"]))]))), timeout=TIMEOUT)
        request = analytics_pb2.TabulateRequest(parent=wave, questions=["Q5"], wait_for=submitted.position)
        for _ in range(100):  # The wave itself is new to analytics.
            try:
                table, = self.suite.analytics.Tabulate(request, timeout=TIMEOUT).tables
                break
            except grpc.RpcError as error:
                self.assertIn(error.code(), (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE))
                time.sleep(0.05)
        self.assertEqual(table.columns[0].n, 1)
        record = self.suite.dedup.GetRecord(dedup_pb2.GetRecordRequest(name=f"{wave}/records/GM1930")).record
        self.assertTrue(record.complete)

    def test_submission_with_errors_names_every_question(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.suite.intake.SubmitResponse(intake_pb2.SubmitResponseRequest(
                parent=W2022, request_id="fout", validate_only=True, response=intake_pb2.Response(answers=answers_pb2.Answers(answers=[
                    answers_pb2.Answer(question="Q5", selection=answers_pb2.Selection(codes=["misschien"])),
                    answers_pb2.Answer(question="Q999", text="?")]))), timeout=TIMEOUT)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        info, violations = details(caught.exception)
        self.assertEqual((info.reason, info.domain), ("RESPONSE_INVALID", "peiling.vng.nl"))
        self.assertTrue({"Q1", "Q3", "Q5", "Q999"} <= {part for v in violations for part in v.field.replace("[", " ").replace("]", " ").replace('"', " ").split()} |
                        {word for v in violations for word in v.description.split()}, violations)


if __name__ == "__main__":
    unittest.main()
