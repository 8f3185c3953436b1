"""Every metric and label that the alerts and the dashboard name is there in what the programs really show."""

import pathlib
import re
import unittest
import urllib.request

import yaml

from observed import *

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "observability"

# What the scraper itself adds.
SCRAPED_LABELS = {"job", "instance"}
SCRAPED_METRICS = {"up": set(), "ALERTS": set()}
# Shown from the first fault on.
ONLY_AFTER_A_FAULT = {
    "peiling_gateway_access_log_dropped_total": set(),
    "peiling_gateway_connections_turned_away_total": {"protocol", "reason"},
    "peiling_dedup_lost_races_total": {"wave"},
}
WORDS = {"by", "on", "without", "group_right", "group_left", "and", "or", "unless", "ignoring", "bool", "le", "inf"}


def expressions():
    """[(where, expression)] of rules and dashboard, and {recorded name: labels}."""
    found, recorded = [], {}
    for group in yaml.safe_load((FOLDER / "rules.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            found.append((rule.get("alert") or rule["record"], rule["expr"]))
            if "record" in rule:
                recorded.setdefault(rule["record"], set()).update(rule.get("labels", {}))
                recorded[rule["record"]].update(label for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", rule["expr"])
                                                for label in re.split(r",\s*", labels))
    # The lag has the labels of the positions it is made of.
    recorded["peiling:feed_lag"] |= recorded["peiling:feed_position"]

    def walk(node, title):
        if isinstance(node, dict):
            title = node.get("title", title)
            if isinstance(node.get("expr"), str):
                found.append((f"dashboard: {title}", node["expr"]))
            if isinstance(node.get("definition"), str):
                metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", node["definition"]).groups()
                found.append((f"dashboard: variable {label}", f"sum by ({label}) ({metric})"))
            for child in node.values():
                walk(child, title)
        elif isinstance(node, list):
            for child in node:
                walk(child, title)

    walk(json.loads((FOLDER / "dashboard.json").read_text()), "")
    return found, recorded


def metrics_named(expression):
    """[(metric, labels it is selected by)] and the labels that results are grouped by."""
    grouped = {label for labels in re.findall(r"\b(?:by|on|without) \(([^)]*)\)", expression) for label in re.split(r",\s*", labels)}
    rest = re.sub(r"\b(?:by|on|without) \([^)]*\)", " ", expression)
    rest = re.sub(r"\[[^\]]*\]", " ", rest)
    metrics = []
    for name, selector in re.findall(r"([a-zA-Z_:][\w:]*)(\{[^}]*\})?(?!\w*\s*\()", rest):
        if name not in WORDS:
            metrics.append((name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))))
    return metrics, grouped


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        start_watched(cls)
        position = cls.suite.main_job()
        cls.suite.wait_counted(W2022, records=position.records)
        cls.suite.intake.SubmitResponse(submission(W2022, "metrics"), timeout=TIMEOUT)
        urllib.request.urlopen(f"http://{cls.suite.entry.http_address}/v1/openapi.json", timeout=10).close()
        # Fieldwork counts in passes.
        deadline = time.monotonic() + TIMEOUT
        while "peiling_drafts" not in cls.suite.scrape("fieldwork") and time.monotonic() < deadline:
            time.sleep(0.2)
        cls.labels = {}
        cls.by_process = {}
        for title in cls.suite.processes:
            cls.by_process[title] = cls.suite.scrape(title)
            for name, series in cls.by_process[title].items():
                for labels in series:
                    cls.labels.setdefault(name, set()).update(labels)

    def test_what_rules_and_dashboard_name_is_there(self):
        found, recorded = expressions()
        self.assertGreater(len(found), 50)
        known = {**self.labels, **recorded, **SCRAPED_METRICS, **ONLY_AFTER_A_FAULT}
        for where, expression in found:
            with self.subTest(where):
                metrics, grouped = metrics_named(expression)
                self.assertTrue(metrics, expression)
                labels = set()
                for name, selected in metrics:
                    self.assertTrue(name in known, name)
                    self.assertLessEqual(selected, known[name] | SCRAPED_LABELS, name)
                    labels |= known[name]
                # What is counted over labels that are there.
                self.assertLessEqual(grouped, labels | SCRAPED_LABELS, expression)

    def test_the_readme_names_what_is_there(self):
        text = (FOLDER / "README.md").read_text()
        for name in set(re.findall(r"`((?:peiling|grpc_server)_[a-z_]+)`", text)):
            with self.subTest(name):
                self.assertTrue(any(known.startswith(name) for known in [*self.labels, *ONLY_AFTER_A_FAULT]), name)

    def test_every_process_says_what_it_is(self):
        for title, series in self.by_process.items():
            with self.subTest(title):
                self.assertEqual(set(series["peiling_build_info"][0]), {"version", "commit"})
                self.assertIn("process_resident_memory_bytes", series)
                self.assertIn("peiling_ready", series)

    def test_feeds_end_where_their_followers_are(self):
        ends = [tuple(s[label] for label in ("feed", "wave", "partition"))
                for title in ("intake", "dedup") for s in self.by_process[title].get("peiling_feed_end", [])]
        self.assertIn(("submissions", W2022, "0"), ends)
        self.assertIn(("records", W2022, "0"), ends)
        for follower, feed in (("dedup", "submissions"), ("analytics", "records")):
            positions = self.by_process[follower].get("peiling_feed_position", [])
            self.assertIn({"follower": follower, "feed": feed, "wave": W2022, "partition": "0"}, positions)


if __name__ == "__main__":
    unittest.main()
