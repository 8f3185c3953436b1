"""A suite that is watched: each process serves metrics, and sends its spans to a collector here."""

import concurrent.futures
import json
import os
import re
import sys
import threading
import time
import urllib.request

from suite import *

sys.path.insert(0, os.environ.get("PEILING_OTLP_STUBS", str(STUBS.parents[1] / "observability" / "stubs")))
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc  # noqa: E402


def submission(wave, request_id):
    """A response that is complete enough to be taken in."""
    answers = [answers_pb2.Answer(question="Q1", text="Proefpersoon"), answers_pb2.Answer(question="Q3", text="Utrecht"),
               answers_pb2.Answer(question="Q5", selection=answers_pb2.Selection(codes=["nee"])),
               answers_pb2.Answer(question="Q6", selection=answers_pb2.Selection(codes=["ja"]))]
    return intake_pb2.SubmitResponseRequest(parent=wave, request_id=request_id,
                                            response=intake_pb2.Response(answers=answers_pb2.Answers(answers=answers)))


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes spans in, as (service.name, span)."""

    def __init__(self):
        self.spans = []
        self.changed = threading.Condition()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self.server)
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def Export(self, request, context):
        with self.changed:
            for resource in request.resource_spans:
                attributes = {a.key: a.value.string_value for a in resource.resource.attributes}
                for scope in resource.scope_spans:
                    self.spans += [(attributes["service.name"], span) for span in scope.spans]
            self.changed.notify_all()
        return trace_service_pb2.ExportTraceServiceResponse()

    def wait_for(self, trace_id, complete, timeout=30):
        """The spans of a trace once complete(spans) is true; what there is after the timeout."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                found = [(service, span) for service, span in self.spans if span.trace_id.hex() == trace_id]
                if complete(found) or not self.changed.wait(max(0, deadline - time.monotonic())):
                    return found

    def stop(self):
        self.server.stop(None)


def start_watched(case, **how):
    """Gives a class of tests a collector and a suite that sends to it, ended with its last test."""
    case.collector = Collector()
    case.addClassCleanup(case.collector.stop)
    case.suite = WatchedSuite(case.collector, **how)
    case.addClassCleanup(case.suite.close)
    case.suite.wait_healthy()


class WatchedSuite(Suite):
    def __init__(self, collector, separate=True, **how):
        self.collector = collector
        self.metrics_ports = {}
        super().__init__(separate=separate, **how)

    def add(self, title, program, *needs, arguments=()):
        self.metrics_ports[title] = free_port()
        super().add(title, program, *needs, arguments=[*arguments, f"--metrics-listen=127.0.0.1:{self.metrics_ports[title]}",
                                                       f"--otlp-endpoint=http://127.0.0.1:{self.collector.port}"])

    def scrape(self, title):
        """{name: [labels]}; of a histogram its _bucket, _sum and _count."""
        url = f"http://127.0.0.1:{self.metrics_ports[title]}/metrics"
        with urllib.request.urlopen(url, timeout=10) as page:
            lines = page.read().decode().splitlines()
        series = {}
        for line in lines:
            sample = re.match(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+", line)
            if sample and not line.startswith("#"):
                series.setdefault(sample[1], []).append(dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', sample[2] or "")))
        return series

    def log_lines(self, title):
        """The lines of a process's log, as objects."""
        process = self.processes[title]
        text = (process.directory / f"{process.program}.log").read_text()
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]
