"""A second, different survey goes through the same binaries with files alone."""

import unittest

from suite import *

EXAMPLE = SURVEYS / "example-en"


class SecondSurvey(unittest.TestCase):
    def test_survey_in_english_with_every_type_of_question(self):
        suite = Suite()
        self.addCleanup(suite.close)
        suite.wait_healthy()
        applied = suite.apply(*sorted(EXAMPLE.glob("*.yaml")))
        wave = next(resource.name for resource in applied.resources if "/waves/" in resource.name)
        rows, summary = suite.import_file(wave, EXAMPLE / "responses.csv")
        report = suite.cleaning_report(wave, summary.position.submissions)
        self.assertEqual(report.started, len(rows))
        self.assertGreater(report.records, 10)
        self.assertGreater(report.restarts + report.colleague_duplicates, 0)
        self.assertGreater(report.joint_questionnaires, 0)
        self.assertGreater(report.municipality_unknown, 0)
        suite.wait_counted(wave, submissions=summary.position.submissions)
        tables = suite.analytics.Tabulate(analytics_pb2.TabulateRequest(parent=wave), timeout=TIMEOUT).tables
        types = {table.type for table in tables}
        self.assertEqual(types, set(questionnaire_pb2.QuestionType.values()) - {questionnaire_pb2.QUESTION_TYPE_UNSPECIFIED})
        for table in tables:
            for column in table.columns:
                self.assertEqual(column.n + column.not_asked + column.skipped + column.not_reached, report.records)


if __name__ == "__main__":
    unittest.main()
