"""Runs the real binaries and talks to them as a foreign client does: grpcio and stubs made from the protos."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

BIN = pathlib.Path(os.environ.get("PEILING_BIN", "build/release/bin")).resolve()
STUBS = pathlib.Path(os.environ.get("PEILING_STUBS", "build/release/tests/e2e/stubs")).resolve()
ROOT = pathlib.Path(__file__).resolve().parents[2]
SURVEYS = ROOT / "services" / "intake" / "surveys"
SURVEY = SURVEYS / "sociale-wijkteams"
sys.path.insert(0, str(STUBS))

import google  # noqa: E402
import grpc  # noqa: E402

# The stubs share these packages with the libraries.
google.__path__.append(str(STUBS / "google"))
grpc.__path__.append(str(STUBS / "grpc"))
from google.rpc import error_details_pb2, status_pb2  # noqa: E402
from grpc.health.v1 import health_pb2, health_pb2_grpc  # noqa: E402
from peiling.analytics.v1 import analytics_pb2, analytics_pb2_grpc  # noqa: E402
from peiling.dedup.v1 import dedup_pb2, dedup_pb2_grpc  # noqa: E402
from peiling.intake.v1 import intake_pb2, intake_pb2_grpc  # noqa: E402
from peiling.registry.v1 import registry_pb2, registry_pb2_grpc  # noqa: E402
from peiling.survey.v1 import answers_pb2, feed_pb2, published_pb2, questionnaire_pb2  # noqa: E402
from peiling.validation.v1 import validation_pb2, validation_pb2_grpc  # noqa: E402

W2022 = "surveys/sociale-wijkteams/waves/2022"
W2019 = "surveys/sociale-wijkteams/waves/2019"
# What the raw exports must come to (the published report, section 1.2, and the counts of the exports themselves).
TIMEOUT = 60


class Process:
    """One binary, listening on a port of its own choice. `prefix` is put before its command line."""

    def __init__(self, program, directory, arguments=(), port=0, host="127.0.0.1", prefix=(), environment=None):
        self.program = program
        self.host = host
        self.prefix = list(prefix)
        self.environment = environment
        self.directory = pathlib.Path(directory)
        self.arguments = list(arguments)
        self.port = port
        self.process = None
        self.starts = 0
        self.start()

    def start(self):
        """Starts it, the second time on the port it had before."""
        self.starts += 1
        port_file = self.directory / f"{self.program}.{self.starts}.port"
        port_file.unlink(missing_ok=True)  # Of an earlier run in the same directory.
        self.log = open(self.directory / f"{self.program}.log", "ab")
        self.process = subprocess.Popen(
            [*self.prefix, BIN / self.program, f"--listen={self.host}:{self.port}", f"--port-file={port_file}", *map(str, self.arguments)],
            stderr=self.log, stdout=self.log, env={**os.environ, **(self.environment or {})})
        deadline = time.monotonic() + 30
        while not (port_file.exists() and port_file.read_text().endswith("\n")):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.program} did not start: {self.log_tail()}")
            time.sleep(0.01)
        self.port = int(port_file.read_text().strip().rsplit(":", 1)[1])

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()
        self.log.close()

    def stop(self):
        """SIGTERM, as an operator stops it; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=30)
        finally:
            self.log.close()

    def log_tail(self):
        return (self.directory / f"{self.program}.log").read_text(errors="replace")[-2000:]


class Suite:
    """All services: in one process, or (separate=True) each in its own behind a gateway."""

    def __init__(self, separate=False, directory=None, gateway_arguments=()):
        self.own_directory = directory is None
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="peiling-e2e-"))
        self.processes = {}
        if separate:
            self.add("registry", "peiling-registry")
            self.add("validation", "peiling-validation", "registry")
            self.add("intake", "peiling-intake", "validation", arguments=[f"--store=sqlite:{self.directory}/intake.db"])
            self.add("dedup", "peiling-dedup", "intake", "registry", arguments=[f"--store=sqlite:{self.directory}/dedup.db"])
            self.add("analytics", "peiling-analytics", "intake", "dedup", "registry")
            self.add("gateway", "peiling-gateway", "registry", "validation", "intake", "dedup", "analytics", arguments=gateway_arguments)
            self.entry = self.processes["gateway"]
        else:
            self.add("peiling", "peiling", arguments=[f"--data-dir={self.directory}/data"])
            self.entry = self.processes["peiling"]
        self.connect()

    def add(self, title, program, *needs, arguments=()):
        addresses = [f"--{need}={self.processes[need].address}" for need in needs]
        self.processes[title] = Process(program, self.directory, [*addresses, *arguments])

    def connect(self):
        self.use(grpc.insecure_channel(self.entry.address, options=[("grpc.max_reconnect_backoff_ms", 500)]))

    def use(self, channel):
        self.channel = channel
        self.analytics = analytics_pb2_grpc.AnalyticsServiceStub(self.channel)
        self.dedup = dedup_pb2_grpc.DedupServiceStub(self.channel)
        self.intake = intake_pb2_grpc.IntakeServiceStub(self.channel)
        self.registry = registry_pb2_grpc.RegistryServiceStub(self.channel)
        self.validation = validation_pb2_grpc.ValidationServiceStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)

    def wait_healthy(self, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while True:
            try:
                answer = self.health.Check(health_pb2.HealthCheckRequest(), timeout=2)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            except grpc.RpcError:
                pass
            if time.monotonic() > deadline:
                raise RuntimeError("not healthy: " + "\n".join(p.log_tail() for p in self.processes.values()))
            time.sleep(0.05)

    def close(self):
        self.channel.close()
        statuses = {title: process.stop() for title, process in reversed(self.processes.items())}
        if self.own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)
        return statuses

    # The main job, step by step.

    def apply(self, *paths, dry_run=False):
        documents = [intake_pb2.Document(filename=path.name, text=path.read_text(encoding="utf-8")) for path in paths]
        return self.intake.ApplyDocuments(intake_pb2.ApplyDocumentsRequest(documents=documents, dry_run=dry_run), timeout=TIMEOUT)

    def import_file(self, wave, content, piece=64 << 10, timeout=TIMEOUT, source=""):
        """Returns (rows, summary)."""
        if isinstance(content, pathlib.Path):
            content = content.read_bytes()

        def pieces():
            yield intake_pb2.ImportResponsesRequest(header=intake_pb2.ImportHeader(parent=wave, content_length=len(content), source=source))
            for begin in range(0, len(content), piece):
                yield intake_pb2.ImportResponsesRequest(content=content[begin:begin + piece])

        rows, summary = [], None
        for report in self.intake.ImportResponses(pieces(), timeout=timeout):
            if report.HasField("row"):
                rows.append(report.row)
            elif report.HasField("summary"):
                summary = report.summary
        return rows, summary

    def apply_sociale_wijkteams(self):
        return self.apply(*(SURVEY / name for name in ("survey.yaml", "2019.yaml", "2022.yaml", "published-2022.yaml")))

    def rule_2022(self):
        import csv
        position = None
        with open(SURVEY / "waves" / "2022" / "rulings.csv", encoding="utf-8") as rulings:
            for line in csv.DictReader(rulings):
                ruling = dedup_pb2.Ruling(response=f"{W2022}/responses/{line['response_id']}", reason=line["reason"], ruled_by="e2e",
                                          assign=dedup_pb2.AssignRuling(municipality_code=line["municipality_code"]))
                answer = self.dedup.CreateRuling(dedup_pb2.CreateRulingRequest(parent=W2022, ruling=ruling,
                                                 request_id=f"ruling-{line['response_id']}"), timeout=TIMEOUT)
                position = answer.position
        return position

    def cleaning_report(self, wave, submissions=0):
        request = dedup_pb2.GetCleaningReportRequest(parent=wave, wait_for=feed_pb2.FeedPosition(submissions=submissions))
        return self.dedup.GetCleaningReport(request, timeout=TIMEOUT).report

    def main_job(self):
        """Everything up to the tables of 2022, and the position analytics has to reach."""
        self.apply_sociale_wijkteams()
        for wave in (W2019, W2022):
            _, summary = self.import_file(wave, SURVEY / "waves" / wave[-4:] / "responses.csv")
            self.cleaning_report(wave, summary.position.submissions)
        return self.rule_2022()

    def fingerprint(self, wave):
        """Everything a researcher sees of a wave, to compare runs by."""
        def pages(call, request, field):
            while True:
                page = call(request, timeout=TIMEOUT)
                yield from getattr(page, field)
                if not page.next_page_token:
                    return
                request.page_token = page.next_page_token

        records = [record.SerializeToString(deterministic=True)
                   for record in pages(self.dedup.ListRecords, dedup_pb2.ListRecordsRequest(parent=wave), "records")]
        decisions = [(d.response, d.disposition, tuple(d.municipality_codes), tuple(d.kept_for), d.superseded_by)
                     for d in pages(self.dedup.ListDecisions, dedup_pb2.ListDecisionsRequest(parent=wave), "decisions")]
        tables = self.analytics.Tabulate(analytics_pb2.TabulateRequest(parent=wave), timeout=TIMEOUT).tables
        return records, decisions, [table.SerializeToString(deterministic=True) for table in tables]

    def wait_counted(self, wave, submissions=0, records=0):
        position = feed_pb2.FeedPosition(submissions=submissions, records=records)
        request = analytics_pb2.GetProgressRequest(parent=wave, wait_for=position)
        return self.analytics.GetProgress(request, timeout=TIMEOUT).progress


def details(error):
    """(ErrorInfo or None, [field violations]) of an RpcError."""
    info, violations = None, []
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        status = status_pb2.Status.FromString(value)
        for detail in status.details:
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                info = error_details_pb2.ErrorInfo()
                detail.Unpack(info)
            elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                bad = error_details_pb2.BadRequest()
                detail.Unpack(bad)
                violations = list(bad.field_violations)
    return info, violations
