"""Every service in a process of its own, over mutual TLS with certificates of an authority that the test makes."""

import contextlib
import ssl
import unittest

from suite import *

RESOLVE = "/peiling.registry.v1.RegistryService/ResolveMunicipality"
IDENTITY = ("peiling-identity-bin", identity_pb2.Identity(subject="keys/0123456789abcdef").SerializeToString())


def shown(address, authority):
    """The serial number of the certificate a new connection gets to see."""
    context = ssl.create_default_context(cafile=authority.certificate)
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as plain, context.wrap_socket(plain, server_hostname="localhost") as tls:
        return tls.getpeercert()["serialNumber"]


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.suite = Suite(separate=True, tls=True)
        cls.addClassCleanup(cls.suite.close)
        cls.suite.wait_healthy()
        cls.registry = cls.suite.processes["registry"]

    def direct(self, certificate=None):
        """Somebody who calls the registry past the gateway."""
        return self.suite.client(address=self.registry.address, certificate=certificate)

    def resolve(self, client, metadata=()):
        return client.outcome(RESOLVE, registry_pb2.ResolveMunicipalityRequest(text="Amsterdam"), metadata=metadata)[0]

    def test_main_job(self):
        position = self.suite.main_job()
        self.suite.wait_counted(W2022, records=position.records)
        report = self.suite.cleaning_report(W2022)
        self.assertEqual((report.started, report.records, report.complete), (167, 90, 79))

    def test_services_take_calls_from_certificates_of_the_suite_alone(self):
        intake = self.suite.certificate("peiling-intake")
        stranger = Authority(self.suite.directory / "strangers").issue("peiling-intake")
        self.assertEqual(self.resolve(self.direct(intake)), grpc.StatusCode.OK)
        self.assertEqual(self.resolve(self.direct()), grpc.StatusCode.UNAVAILABLE)
        self.assertEqual(self.resolve(self.direct(stranger)), grpc.StatusCode.UNAVAILABLE)
        with grpc.insecure_channel(self.registry.address) as channel:
            self.assertEqual(self.resolve(Client(channel)), grpc.StatusCode.UNAVAILABLE)

    def test_who_calls_is_believed_of_the_gateway_alone(self):
        self.assertEqual(self.resolve(self.direct(self.suite.certificate("peiling-gateway")), [IDENTITY]), grpc.StatusCode.OK)
        intake = self.direct(self.suite.certificate("peiling-intake"))
        self.assertEqual(self.resolve(intake, [IDENTITY]), grpc.StatusCode.PERMISSION_DENIED)
        self.assertEqual(self.resolve(intake), grpc.StatusCode.OK)

    def test_keys_the_audit_log_and_checking_links_are_for_gateways_alone(self):
        entry = access_pb2.AuditEntry(name="audit-entries/tls-test", count=1)
        entry.time.GetCurrentTime()
        well = (grpc.StatusCode.OK, "")
        calls = (("access", "peiling.access.v1.AccessService/WatchKeys", access_pb2.WatchKeysRequest(), well),
                 ("access", "peiling.access.v1.AccessService/RecordAuditEntries", access_pb2.RecordAuditEntriesRequest(entries=[entry]), well),
                 ("fieldwork", "peiling.fieldwork.v1.InvitationService/VerifyToken", invitations_pb2.VerifyTokenRequest(token="guessed"),
                  (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_UNKNOWN")))
        for service, method, request, result in calls:
            for name, expected in (("peiling-intake", (grpc.StatusCode.PERMISSION_DENIED, "NOT_A_GATEWAY")), ("peiling-gateway", result)):
                client = self.suite.client(address=self.suite.processes[service].address, certificate=self.suite.certificate(name))
                self.assertEqual(client.outcome(f"/{method}", request), expected, (name, method))

    def test_certificates_are_replaced_without_dropping_a_call(self):
        authority = self.suite.authority
        gateway = self.suite.entry.address
        before = shown(gateway, authority)
        watch = self.suite.intake.WatchWaves(intake_pb2.WatchWavesRequest(), timeout=TIMEOUT)
        while not next(watch).HasField("caught_up"):
            pass
        for name in list(self.suite.certificates):
            authority.issue(name)
        deadline = time.monotonic() + 20
        while shown(gateway, authority) == before:
            self.assertLess(time.monotonic(), deadline, "never saw the new certificate")
            time.sleep(0.1)
        self.suite.apply(*(SURVEYS / "example-en" / name for name in ("survey.yaml", "2024.yaml")))
        self.assertIn("waves/2024", next(watch).wave.wave.name)
        watch.cancel()
        # Services connect anew, with what they have now.
        self.registry.stop()
        self.registry.start()
        self.suite.wait_healthy()


class Scarcity(unittest.TestCase):
    """A service that may have few files and gets more connections than that."""

    FILES = 200

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="peiling-e2e-")
        self.addCleanup(self.directory.cleanup)
        authority = Authority(self.directory.name)
        self.pair = authority.issue("peiling-registry")
        health = free_port()
        self.registry = Process("peiling-registry", self.directory.name, [*authority.flags(self.pair), f"--health-listen=127.0.0.1:{health}",
                                "--max-buffer-bytes=2097152"],
                                prefix=["prlimit", f"--nofile={self.FILES}:{self.FILES}"], insecure=False)
        self.addCleanup(self.registry.stop)
        self.probe = grpc.insecure_channel(f"127.0.0.1:{health}")
        self.addCleanup(self.probe.close)
        self.authority = authority

    @contextlib.contextmanager
    def client(self):
        key, chain = self.pair.read()
        credentials = grpc.ssl_channel_credentials(self.authority.certificate.read_bytes(), key, chain)
        with grpc.secure_channel(self.registry.address, credentials, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            yield registry_pb2_grpc.RegistryServiceStub(channel)

    def get(self, registry):
        request = registry_pb2.GetMunicipalityRequest(name="municipalities/GM0363")
        return registry.GetMunicipality(request, timeout=TIMEOUT, wait_for_ready=True).municipality.code

    def test_those_who_are_there_are_served_and_others_once_there_is_room(self):
        with self.client() as early:
            self.assertEqual(self.get(early), "GM0363")
            idle = [socket.create_connection(("127.0.0.1", self.registry.port)) for _ in range(3 * self.FILES)]
            refused = [connection for connection in idle if self.is_closed(connection)]
            self.assertGreater(len(refused), self.FILES)
            self.assertEqual(self.get(early), "GM0363")
            for connection in idle:
                connection.close()
            with self.client() as late:
                self.assertEqual(self.get(late), "GM0363")

    def test_connections_without_calls_make_room_for_others(self):
        with self.client() as client:
            context = ssl.create_default_context(cafile=self.authority.certificate)
            context.load_cert_chain(self.pair.certificate, self.pair.key)
            context.set_alpn_protocols(["h2"])
            crowd = []
            for _ in range(self.FILES // 2):
                connection = context.wrap_socket(socket.create_connection(("127.0.0.1", self.registry.port)), server_hostname="localhost")
                connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5))
                crowd.append(connection)
                self.assertEqual(self.get(client), "GM0363")
            descriptors = pathlib.Path(f"/proc/{self.registry.process.pid}/fd")
            self.assertLess(len(list(descriptors.iterdir())), len(crowd))
            for connection in crowd:
                connection.close()

    def test_who_only_connects_is_sent_away_in_time(self):
        with socket.create_connection(("127.0.0.1", self.registry.port)) as idle:
            begin = time.monotonic()
            idle.settimeout(30)
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(idle.recv(1), b"")
            self.assertLess(time.monotonic() - begin, 20)

    def test_probes_need_no_certificate(self):
        answer = health_pb2_grpc.HealthStub(self.probe).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT, wait_for_ready=True)
        self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING)

    @staticmethod
    def is_closed(connection):
        connection.settimeout(0.05)
        try:
            return connection.recv(1) == b""
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True


class Start(unittest.TestCase):
    """What a process refuses to start with, and what it says."""

    def refusal(self, program, *arguments):
        run = subprocess.run([BIN / program, *arguments], capture_output=True, text=True, timeout=TIMEOUT, env={"PATH": os.environ["PATH"]})
        self.assertEqual(run.returncode, 1)
        self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
        return run.stderr

    def test_plaintext_is_for_loopback_and_told_to_alone(self):
        for arguments, way_out in ((["--listen=0.0.0.0:0"], "--tls-certificate"), ([], "--insecure"),
                                   (["--listen=0.0.0.0:0", "--insecure"], "127.0.0.1")):
            said = self.refusal("peiling-registry", *arguments)
            self.assertIn("TLS_REQUIRED", said)
            self.assertIn(way_out, said)

    def test_files_that_are_of_no_use_are_named(self):
        with tempfile.TemporaryDirectory(prefix="peiling-e2e-") as directory:
            authority = Authority(directory)
            good, expired = authority.issue("good"), authority.issue("expired", days=-1)
            ca = f"--tls-client-ca={authority.certificate}"
            for certificate, key, reason, named in ((expired.certificate, expired.key, "TLS_CERTIFICATE_EXPIRED", expired.certificate),
                                                    (good.certificate, expired.key, "TLS_KEY_MISMATCH", expired.key),
                                                    ("/no/such/file", good.key, "TLS_FILE_UNREADABLE", "/no/such/file")):
                said = self.refusal("peiling-registry", f"--tls-certificate={certificate}", f"--tls-key={key}", ca)
                self.assertIn(reason, said)
                self.assertIn(str(named), said)

    def test_services_are_not_called_in_plaintext_over_the_network(self):
        said = self.refusal("peiling-validation", "--registry=dns:///registry.example:7400", "--insecure")
        self.assertIn("--peer-ca", said)


if __name__ == "__main__":
    unittest.main()
