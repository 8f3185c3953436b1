"""What the manifests say of the programs, asked of the programs."""

import pathlib
import re
import shutil
import tempfile
import unittest

import checks
from manifests import OVERLAYS, render
from programs import Client, Pod, facts, start_all
from suite import TIMEOUT, W2022, answers_pb2, intake_pb2

# Metrics of others that rules may speak of: Prometheus itself, Kubernetes' and cert-manager's.
FOREIGN = {"up"}
# Words of PromQL that are no metric.
KEYWORDS = {"and", "or", "unless", "offset", "bool", "inf", "by", "without"}


def metrics_of(expression):
    """Names of metrics in an expression of PromQL."""
    expression = re.sub(r"\{[^}]*\}|\[[^]]*\]|\"[^\"]*\"|\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", expression)
    return set(re.findall(r"\b([a-zA-Z_:][\w:]*)\b(?!\s*\()", expression)) - KEYWORDS


class CommandLinesTest(unittest.TestCase):
    def test_programs_know_every_flag_and_variable(self):
        for overlay in [*OVERLAYS, "external"]:
            with self.subTest(overlay):
                self.assertEqual([], checks.command_lines(render(overlay), facts))

    def test_what_a_program_does_not_know_is_seen(self):
        def flag(container):
            container["args"].append("--retries=3")

        def variable(container):
            container["env"].append({"name": "PEILING_INTAKE_STOER", "value": "x"})

        def listen(container):
            next(e for e in container["env"] if e["name"] == "PEILING_LISTEN")["value"] = "0.0.0.0:7401"

        def probe(container):
            container["livenessProbe"]["grpc"]["port"] = 7340

        for mutate, says in [(flag, "no flag --retries"), (variable, "no variable PEILING_INTAKE_STOER"), (listen, "PEILING_LISTEN is"), (probe, "livenessProbe asks")]:
            with self.subTest(says):
                manifests = render("production")
                mutate(manifests.workload("peiling-intake").containers[0])
                self.assertIn(says, "\n".join(checks.command_lines(manifests, facts)))


class ServicesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="peiling-k8s-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, ignore_errors=True)
        cls.pods = start_all(render("production"), cls.directory)
        for pod in cls.pods.values():
            cls.addClassCleanup(pod.close)

    def test_probes_are_answered(self):
        for title, pod in self.pods.items():
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                with self.subTest(title, probe=probe):
                    pod.wait(lambda: pod.probe(probe) == "SERVING", f"pass its {probe}")
            with self.subTest(title, probe="of a name that nobody reports"):
                self.assertEqual("NOT_FOUND", pod.health("nobody"))

    def test_every_metric_of_the_rules_is_there(self):
        client = Client(self.pods["gateway"])
        client.main_job()
        answers = [answers_pb2.Answer(question=question, text=text) for question, text in (("Q1", "Proefpersoon"), ("Q3", "Zwolle"))]
        answers += [answers_pb2.Answer(question=q, selection=answers_pb2.Selection(codes=[code])) for q, code in (("Q5", "nee"), ("Q6", "ja"))]
        client.intake.SubmitResponse(intake_pb2.SubmitResponseRequest(
            parent=W2022, request_id="one", response=intake_pb2.Response(answers=answers_pb2.Answers(answers=answers))), timeout=TIMEOUT)
        # Fieldwork counts in passes.
        fieldwork = self.pods["fieldwork"]
        fieldwork.wait(lambda: "peiling_mail_messages" in fieldwork.metrics(), "count its mail")
        known = set().union(*[pod.metrics() for pod in self.pods.values()]) | FOREIGN
        rules = [rule for m in render("production").of("PrometheusRule") for group in m["spec"]["groups"] for rule in group["rules"]]
        self.assertTrue(rules)
        recorded = {rule["record"] for rule in rules if "record" in rule}
        for rule in rules:
            with self.subTest(rule.get("alert") or rule["record"]):
                self.assertLessEqual(metrics_of(rule["expr"]), known | recorded)


class DrainTest(unittest.TestCase):
    def test_a_pod_that_ends_turns_calls_away_and_is_not_killed(self):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="peiling-k8s-"))
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        manifests = render("production")
        pod = Pod(manifests, manifests.workload("peiling-registry"), directory, {})
        self.addCleanup(pod.close)
        pod.wait(lambda: pod.probe("readinessProbe") == "SERVING", "get ready")
        pod.terminate()
        pod.wait(lambda: pod.probe("readinessProbe") == "NOT_SERVING", "turn calls away")
        self.assertEqual("SERVING", pod.probe("livenessProbe"))
        grace = manifests.workload("peiling-registry").pod["terminationGracePeriodSeconds"]
        self.assertEqual(0, pod.process.wait(timeout=grace))


if __name__ == "__main__":
    unittest.main()
