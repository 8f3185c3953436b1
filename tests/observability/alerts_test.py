"""The alert rules, by Prometheus's own tool, and that every alert has a runbook."""

import pathlib
import subprocess
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "observability"


class Alerts(unittest.TestCase):
    def promtool(self, *arguments):
        done = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_rules_are_rules(self):
        self.promtool("check", "rules", "rules.yaml")

    def test_alerts_fire_when_they_must(self):
        self.promtool("test", "rules", "rules_test.yaml")

    def alerts(self):
        groups = yaml.safe_load((FOLDER / "rules.yaml").read_text())["groups"]
        return [rule for group in groups for rule in group["rules"] if "alert" in rule]

    def test_every_alert_is_tested(self):
        tested = (FOLDER / "rules_test.yaml").read_text()
        for rule in self.alerts():
            self.assertIn(f"alertname: {rule['alert']}", tested.replace('alertname="', "alertname: "), rule["alert"])

    def test_every_alert_says_what_to_do(self):
        for rule in self.alerts():
            self.assertIn(rule["labels"]["severity"], ("warning", "critical"))
            for text in ("summary", "description", "runbook_url"):
                self.assertTrue(rule["annotations"][text])
            self.assertTrue((ROOT / rule["annotations"]["runbook_url"]).is_file(), rule["annotations"]["runbook_url"])


if __name__ == "__main__":
    unittest.main()
