"""What the gateway shows of the calls that come through it, and how it calls what is behind it: a call is found by its id everywhere, counted by
role, tried again where that does no harm and nowhere else."""

import collections
import concurrent.futures
import unittest

from observed import *

INTAKE = "/peiling.intake.v1.IntakeService/"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"


class StandIn(grpc.GenericRpcHandler):
    """Takes the place of a service: answers with what is in `answers` by method (messages, and codes to fail with), its last for ever; notes
    who called, and with what metadata."""

    def __init__(self):
        self.answers = {}
        self.calls = collections.defaultdict(list)
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers((self,))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def service(self, call):
        method = call.method.rsplit("/", 1)[1]
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self.answer(method, context))

    def answer(self, method, context):
        self.calls[method].append(dict(context.invocation_metadata()))
        answers = self.answers.get(method, [b""])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, grpc.StatusCode):
            context.abort(answer, "stand-in")
        return answer


class Edge(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        start_watched(cls, credentials=True)
        cls.suite.apply_sociale_wijkteams()
        cls.made = cls.suite.make_key(options_pb2.ROLE_ANALYST)
        cls.analyst = cls.suite.client(cls.made.secret)
        # A second gateway, behind which somebody else is intake.
        cls.stand_in = StandIn()
        cls.addClassCleanup(cls.stand_in.server.stop, None)
        processes = cls.suite.processes
        others = [f"--{name}={processes[name].address}" for name in ("access", "registry", "validation", "dedup", "analytics", "fieldwork")]
        directory = cls.suite.directory / "second"
        directory.mkdir()
        cls.gateway = Process("peiling-gateway", directory, [*others, f"--intake=127.0.0.1:{cls.stand_in.port}"], insecure=False)
        cls.addClassCleanup(cls.gateway.stop)

    def setUp(self):
        self.stand_in.answers.clear()
        self.stand_in.calls.clear()

    def through(self, *roles):
        """Somebody who calls the stand-in through its gateway, and their key."""
        made = self.suite.make_key(*roles)
        client = self.suite.client(made.secret, address=self.gateway.address)
        self.suite.wait_admitted(client)
        return client, made.key

    def failure(self, call, *arguments, **how):
        with self.assertRaises(grpc.RpcError) as caught:
            call(*arguments, timeout=TIMEOUT, **how)
        return caught.exception

    def logged(self, title, complete, timeout=10):
        """Log lines of a process, once complete(lines)."""
        deadline = time.monotonic() + timeout
        while not complete(lines := self.suite.log_lines(title)):
            self.assertLess(time.monotonic(), deadline, title)
            time.sleep(0.05)
        return lines

    # What goes along with a call.

    def test_what_reaches_the_service(self):
        client, key = self.through(options_pb2.ROLE_ADMINISTRATOR, options_pb2.ROLE_ANALYST)
        forged = identity_pb2.Identity(subject="keys/forged").SerializeToString()
        client.outcome(INTAKE + "GetWave", intake_pb2.GetWaveRequest(name=W2022), metadata=[
            ("x-request-id", "mine-1"), ("traceparent", f"00-{TRACE}-{CALLER}-01"), ("peiling-identity-bin", forged), ("peiling-other", "x"),
            ("x-custom", "kept")])
        metadata, = self.stand_in.calls["GetWave"]
        identity = identity_pb2.Identity.FromString(metadata["peiling-identity-bin"])
        self.assertEqual((identity.subject, identity.title, identity.credential), (key.name, key.title, identity_pb2.CREDENTIAL_KIND_KEY))
        self.assertEqual([grant.role for grant in identity.grants], [options_pb2.ROLE_ADMINISTRATOR, options_pb2.ROLE_ANALYST])
        self.assertEqual((metadata["x-request-id"], metadata["x-custom"]), ("mine-1", "kept"))
        self.assertEqual(metadata["traceparent"].split("-")[1], TRACE)
        self.assertNotIn("peiling-other", metadata)
        # Services need it for nothing.
        self.assertNotIn("authorization", metadata)

    def test_the_caller_gets_the_id_of_the_call_back(self):
        request = intake_pb2.GetWaveRequest(name=W2022)
        for sent, kept in (("mine-2", True), ("a" * 100, True), ("a" * 101, False), ("mine 3", False), ("mine\"3", False)):
            _, call = self.analyst.intake.GetWave.with_call(request, metadata=[("x-request-id", sent)], timeout=TIMEOUT)
            got = dict(call.initial_metadata()).get("x-request-id") or dict(call.trailing_metadata()).get("x-request-id")
            self.assertTrue(got)
            self.assertEqual(got == sent, kept, sent)
        refused = self.failure(self.analyst.intake.GetResponse, intake_pb2.GetResponseRequest(name=f"{W2022}/responses/1"),
                               metadata=[("x-request-id", "mine-4")])
        self.assertEqual(dict([*refused.initial_metadata(), *refused.trailing_metadata()])["x-request-id"], "mine-4")

    def test_a_call_that_fails_is_found_by_its_id_in_all_logs(self):
        metadata = [("x-request-id", "mine-5"), ("traceparent", f"00-{TRACE}-{CALLER}-01")]
        self.failure(self.analyst.intake.GetWave, intake_pb2.GetWaveRequest(name="surveys/nowhere/waves/1"), metadata=metadata)
        for title in ("gateway", "intake"):
            found = lambda lines: [line for line in lines if line.get("request_id") == "mine-5"]
            for line in found(self.logged(title, found)):
                self.assertEqual((line["method"], line["code"], line["trace_id"]), (INTAKE[1:] + "GetWave", "NOT_FOUND", TRACE), line)

    def test_the_access_log_has_every_call(self):
        for number, (client, method, request) in enumerate((
                (self.analyst, "GetWave", intake_pb2.GetWaveRequest(name=W2022)), (self.analyst, "ListResponses", b""),
                (self.suite.client("nonsense"), "GetWave", b""), (self.suite.client(), "NoSuchThing", b""))):
            client.outcome(INTAKE + method, request, metadata=[("x-request-id", f"log-{number}")])
        ids = {f"log-{number}" for number in range(4)}
        access = lambda lines: {line["request_id"]: line for line in lines if line["message"] == "access" and line.get("request_id") in ids}
        lines = access(self.logged("gateway", lambda lines: len(access(lines)) == 4))
        told = [tuple(lines[f"log-{number}"].get(key, "") for key in ("protocol", "method", "code", "reason", "subject", "roles", "origin"))
                for number in range(4)]
        self.assertEqual(told, [
            ("grpc", INTAKE[1:] + "GetWave", "OK", "", self.made.key.name, "analyst", "127.0.0.1"),
            ("grpc", INTAKE[1:] + "ListResponses", "PERMISSION_DENIED", "ROLE_MISSING", self.made.key.name, "", "127.0.0.1"),
            ("grpc", INTAKE[1:] + "GetWave", "UNAUTHENTICATED", "CREDENTIALS_INVALID", "", "", "127.0.0.1"),
            ("grpc", INTAKE[1:] + "NoSuchThing", "UNIMPLEMENTED", "UNKNOWN_METHOD", "", "", "127.0.0.1")])
        self.assertGreater(lines["log-0"]["milliseconds"], 0)
        self.assertGreater(lines["log-0"]["response_bytes"], 0)

    def test_calls_are_counted_by_role(self):
        self.analyst.intake.GetWave(intake_pb2.GetWaveRequest(name=W2022), timeout=TIMEOUT)
        self.failure(self.analyst.intake.ListResponses, intake_pb2.ListResponsesRequest(parent=W2022))
        series = self.suite.scrape("gateway")
        counted = [{key: s[key] for key in ("method", "code", "role")} for s in series["peiling_gateway_calls_total"]]
        self.assertIn({"method": "GetWave", "code": "OK", "role": "analyst"}, counted)
        self.assertIn({"method": "ListResponses", "code": "PERMISSION_DENIED", "role": "none"}, counted)
        self.assertIn("peiling_gateway_call_seconds_bucket", series)

    # What is tried again.

    def test_what_reads_is_tried_again_and_what_writes_is_not(self):
        client, _ = self.through(*ROLES)
        away = grpc.StatusCode.UNAVAILABLE
        for method, request, times in (
                ("GetWave", intake_pb2.GetWaveRequest(name=W2022), 3), ("ListResponses", intake_pb2.ListResponsesRequest(parent=W2022), 3),
                ("SubmitResponse", intake_pb2.SubmitResponseRequest(parent=W2022), 1),
                ("WithdrawResponse", intake_pb2.WithdrawResponseRequest(name=f"{W2022}/responses/1"), 1), ("ApplyDocuments", b"", 1)):
            with self.subTest(method):
                self.stand_in.answers[method] = [away, away, b""]
                code, _ = client.outcome(INTAKE + method, request)
                self.assertEqual((len(self.stand_in.calls[method]), code), (times, grpc.StatusCode.OK if times == 3 else away))

    def test_what_the_caller_did_wrong_is_not_tried_again(self):
        client, _ = self.through(*ROLES)
        self.stand_in.answers["GetWave"] = [grpc.StatusCode.INVALID_ARGUMENT]
        client.outcome(INTAKE + "GetWave", intake_pb2.GetWaveRequest(name=W2022))
        self.assertEqual(len(self.stand_in.calls["GetWave"]), 1)

    def test_every_method_that_reads_and_no_other_is_tried_again(self):
        """The rules of the services' channels, against the contracts."""
        rules = json.loads((ROOT / "services" / "common" / "server" / "service_config.json").read_text())["methodConfig"]
        again = {f"/{name['service']}/{name['method']}" for rule in rules if "retryPolicy" in rule for name in rule["name"]}
        reading = ("Get", "BatchGet", "List", "Tabulate", "Compare", "Find", "Resolve", "BatchResolve", "Trace", "Validate", "Verify", "Check", "Preview")
        expected = {path_of(method) for method in methods() if method.name.startswith(reading)}
        self.assertEqual(again, expected)


class Balanced(unittest.TestCase):
    def test_calls_go_to_all_replicas_of_a_service_and_survive_the_death_of_one(self):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="peiling-balanced-"))
        self.addCleanup(shutil.rmtree, directory)
        suite = Suite(separate=True, credentials=True)
        self.addCleanup(suite.close)
        replicas = []
        for number in range(2):
            (directory / str(number)).mkdir()
            replicas.append(Process("peiling-registry", directory / str(number), ["--log-level=debug"]))
            self.addCleanup(replicas[-1].stop)
        both = "ipv4:" + ",".join(replica.address for replica in replicas)
        others = [f"--{name}={suite.processes[name].address}" for name in ("access", "validation", "intake", "dedup", "analytics", "fieldwork")]
        gateway = Process("peiling-gateway", directory, [*others, f"--registry={both}"], insecure=False)
        self.addCleanup(gateway.stop)
        client = suite.client(suite.make_key(*ROLES).secret, gateway.address)
        suite.wait_admitted(client)

        request = registry_pb2.ResolveMunicipalityRequest(text="Utrecht", as_of="2022-01-01")
        stopping, failed = threading.Event(), []

        def resolve():
            while not stopping.is_set():
                code, reason = client.outcome("/peiling.registry.v1.RegistryService/ResolveMunicipality", request)
                if code != grpc.StatusCode.OK:
                    failed.append((code, reason))

        threads = [threading.Thread(target=resolve) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(3):
                for replica in replicas:
                    time.sleep(0.5)
                    replica.kill()
                    replica.start()
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failed, [])
        for number in range(2):
            self.assertGreater((directory / str(number) / "peiling-registry.log").read_text().count("ResolveMunicipality"), 10)


if __name__ == "__main__":
    unittest.main()
