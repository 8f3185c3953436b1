"""One submission is one trace, from the gateway to the store, as a collector gets it; and the log says the same id."""

import unittest

from observed import *

TRACE = "4bf92f3577b34da6a3ce929d0e0e473%x"
CALLER = "00f067aa0ba902b7"
SERVER, CLIENT, INTERNAL = 2, 3, 1
SUBMIT = "peiling.intake.v1.IntakeService/SubmitResponse"
VALIDATE = "peiling.validation.v1.ValidationService/ValidateResponses"


def attributes(span):
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}


class Traces:
    """The tests, for both ways to run the suite."""

    @classmethod
    def setUpClass(cls):
        start_watched(cls, separate=cls.separate)
        cls.suite.apply_sociale_wijkteams()

    def submit(self, number, sampled=True, parent=W2022):
        """Submits a response within a trace; what it was answered with, or the error."""
        request = submission(parent, f"trace-{number}")
        metadata = [("traceparent", f"00-{TRACE % number}-{CALLER}-0{int(sampled)}"), ("tracestate", "congo=t61rcWkgMzE")]
        try:
            return self.suite.intake.SubmitResponse(request, metadata=metadata, timeout=TIMEOUT)
        except grpc.RpcError as error:
            return error

    def ids_of(self, kind, name, spans):
        return [span for _, span in spans if (span.kind, span.name) == (kind, name)]

    def test_one_trace_holds_everything_from_gateway_to_store(self):
        answered = self.submit(1)
        self.assertNotIsInstance(answered, grpc.RpcError, answered)

        def complete(spans):
            return (len(self.ids_of(SERVER, SUBMIT, spans)) == 2 and self.ids_of(SERVER, VALIDATE, spans)
                    and self.ids_of(INTERNAL, "intake commit", spans) and self.ids_of(INTERNAL, "intake group", spans))

        spans = self.collector.wait_for(TRACE % 1, complete)
        self.assertTrue(complete(spans), [(service, span.name, span.kind) for service, span in spans])
        by_id = {span.span_id.hex(): span for _, span in spans}

        def path(span):
            """From the first span to this one."""
            names = []
            while span is not None:
                names.insert(0, (span.kind, span.name))
                parent = span.parent_span_id.hex()
                span = by_id.get(parent)
                if span is None:
                    self.assertEqual(parent, CALLER)
            return names

        way = [(SERVER, SUBMIT), (CLIENT, SUBMIT), (SERVER, SUBMIT), (INTERNAL, "intake group")]
        for commit in self.ids_of(INTERNAL, "intake commit", spans):
            self.assertEqual(path(commit), [*way, (INTERNAL, "intake commit")])
            self.assertEqual(attributes(commit)["db.system"], "sqlite")
        for validated in self.ids_of(SERVER, VALIDATE, spans):
            self.assertEqual(path(validated), [*way, (CLIENT, VALIDATE), (SERVER, VALIDATE)])
        for _, span in spans:
            path(span)
            self.assertEqual(span.trace_state, "congo=t61rcWkgMzE")
            self.assertLessEqual(span.start_time_unix_nano, span.end_time_unix_nano)
        services = {service for service, _ in spans}
        self.assertEqual(services, {"peiling-gateway", "peiling-intake", "peiling-validation"} if self.separate else {"peiling"})

    def test_a_trace_that_is_not_recorded_where_it_began_is_not_recorded_here(self):
        self.submit(2, sampled=False)
        # What comes after it has been sent when what came after is there.
        self.submit(3)
        self.assertTrue(self.collector.wait_for(TRACE % 3, bool))
        self.assertEqual(self.collector.wait_for(TRACE % 2, bool, timeout=1), [])

    def test_the_log_of_a_failed_call_has_the_id_of_its_trace(self):
        failed = self.submit(4, parent="surveys/nowhere/waves/1")
        self.assertEqual(failed.code(), grpc.StatusCode.NOT_FOUND)
        spans = self.collector.wait_for(TRACE % 4, lambda spans: len(self.ids_of(SERVER, SUBMIT, spans)) == 2)
        served = {span.span_id.hex() for span in self.ids_of(SERVER, SUBMIT, spans)}
        for title in ("gateway", "intake") if self.separate else ("peiling",):
            lines = [line for line in self.suite.log_lines(title) if line.get("trace_id") == TRACE % 4 and line["message"] == "call failed"]
            self.assertTrue(lines, title)
            for line in lines:
                self.assertIn(line["span_id"], served)
                self.assertEqual((line["method"], line["code"], line["reason"], line["level"]), (SUBMIT, "NOT_FOUND", "WAVE_NOT_FOUND", "info"))

    def test_an_id_that_is_not_valid_begins_a_trace(self):
        before = len(self.collector.spans)
        with self.assertRaises(grpc.RpcError):
            self.suite.intake.GetWave(intake_pb2.GetWaveRequest(name="surveys/nowhere/waves/9"),
                                      metadata=[("traceparent", "00-" + "0" * 32 + f"-{CALLER}-01")], timeout=TIMEOUT)
        with self.collector.changed:
            self.collector.changed.wait_for(
                lambda: any(s.name.endswith("/GetWave") and s.kind == SERVER for _, s in self.collector.spans[before:]), 30)
        served = [s for _, s in self.collector.spans[before:] if s.name.endswith("/GetWave")]
        self.assertTrue(served)
        self.assertNotIn("0" * 32, {s.trace_id.hex() for s in served})
        self.assertEqual({attributes(s)["rpc.grpc.status_code"] for s in served}, {5})


class SeparateTraces(Traces, unittest.TestCase):
    separate = True


class TracesInOneProcess(Traces, unittest.TestCase):
    separate = False


class Flags(unittest.TestCase):
    def test_an_endpoint_that_is_none_is_refused_at_the_start(self):
        done = subprocess.run([BIN / "peiling-registry", "--listen=127.0.0.1:0", "--otlp-endpoint=http://host:4317/v1/traces"],
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 1)
        self.assertIn("OTLP_ENDPOINT_INVALID", done.stderr)

    def test_a_collector_that_is_away_holds_nothing_up(self):
        with tempfile.TemporaryDirectory() as directory:
            process = Process("peiling-registry", directory, ["--otlp-endpoint=http://127.0.0.1:1"])
            with grpc.insecure_channel(process.address) as channel:
                stub = registry_pb2_grpc.RegistryServiceStub(channel)
                begin = time.monotonic()
                for _ in range(200):
                    stub.ResolveMunicipality(registry_pb2.ResolveMunicipalityRequest(text="Utrecht", as_of="2022-01-01"), timeout=10)
                self.assertLess(time.monotonic() - begin, 10)
            begin = time.monotonic()
            self.assertEqual(process.stop(), 0)
            self.assertLess(time.monotonic() - begin, 10)


if __name__ == "__main__":
    unittest.main()
