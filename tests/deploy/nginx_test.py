"""The nginx of deploy/nginx in front of Peiling, with foreign clients: credentials, streams, an upload, those who mean no good, and what nginx says itself."""

import contextlib
import http.client
import json
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid

from nginx_server import ROOT, Authorities, Nginx, free_port, make_certificates

import suite
from suite import TIMEOUT, W2022, access_pb2, analytics_pb2, answers_pb2, error_details_pb2, grpc, health_pb2, identity_pb2, intake_pb2, status_pb2

ACCESS = """
certificates:
  - name: mail.spotler.nl
    title: Spotler
    grants: [{role: mailer}]
proxies: [peiling-nginx]
"""
# Those who want 14,000 connections: protocol, kind (tests/fault/hostiles.py), how many. nginx throws each out after 10 s, and it comes back after 5.
CROWD = [("http", "silent", 9000), ("http", "half_handshake", 3000), ("http", "handshake_only", 1000), ("http", "slow_head", 600), ("grpc", "preface_only", 380),
         ("grpc", "resets", 10), ("grpc", "endless_headers", 5), ("http", "endless_head", 5)]


def setUpModule():
    global DIRECTORY, AUTHORITIES, PEILING, HTTP_PORT, NGINX, SECRET
    DIRECTORY = pathlib.Path(tempfile.mkdtemp(prefix="peiling-nginx-"))
    unittest.addModuleCleanup(shutil.rmtree, DIRECTORY, ignore_errors=True)
    AUTHORITIES = Authorities(DIRECTORY)
    (DIRECTORY / "access.yaml").write_text(ACCESS)
    HTTP_PORT = free_port()
    own = AUTHORITIES.processes / "peiling-gateway"
    PEILING = suite.Process("peiling", DIRECTORY, [
        f"--data-dir={DIRECTORY}/data", f"--http-listen=127.0.0.1:{HTTP_PORT}", f"--access-file={DIRECTORY}/access.yaml", f"--tls-certificate={own}/tls.crt",
        f"--tls-key={own}/tls.key", f"--tls-client-ca={AUTHORITIES.processes}/ca.crt", f"--administrator-key-file={DIRECTORY}/administrator.key"], insecure=False)
    unittest.addModuleCleanup(PEILING.stop)
    NGINX = Nginx(DIRECTORY / "nginx", AUTHORITIES, PEILING.port, HTTP_PORT)
    unittest.addModuleCleanup(NGINX.close)
    administrator = client(secret=(DIRECTORY / "administrator.key").read_text().strip())
    NGINX.wait(lambda: succeeds(lambda: healthy(administrator)), "reach a healthy Peiling")
    grants = [identity_pb2.Grant(role=role) for role in suite.ROLES]
    SECRET = administrator.access.CreateKey(access_pb2.CreateKeyRequest(key=access_pb2.Key(title="nginx test", grants=grants), request_id=uuid.uuid4().hex),
                                            timeout=TIMEOUT).secret
    somebody = client(secret=SECRET)
    NGINX.wait(lambda: succeeds(lambda: whoami(somebody)), "let a new key in")
    somebody.apply_sociale_wijkteams()
    NGINX.wait(lambda: succeeds(lambda: somebody.wait_counted(W2022)), "show the wave's progress")


def healthy(somebody):
    return somebody.health.Check(health_pb2.HealthCheckRequest(), timeout=5).status == health_pb2.HealthCheckResponse.SERVING


def succeeds(call):
    try:
        return bool(call())
    except grpc.RpcError:
        return False


def pair(certificate):
    return (certificate / "tls.key").read_bytes(), (certificate / "tls.crt").read_bytes()


def client(nginx=None, secret=None, certificate=None):
    """Somebody with a connection of their own to nginx, over gRPC."""
    credentials = grpc.ssl_channel_credentials((AUTHORITIES.public / "ca.crt").read_bytes(), *(pair(certificate) if certificate else ()))
    return suite.Client(grpc.secure_channel(f"localhost:{(nginx or NGINX).port}", credentials, [("grpc.use_local_subchannel_pool", 1)]), secret)


def curl_command(path, *arguments, nginx=None, certificate=None):
    """curl, which is told headers that nobody must see on its stdin ("-H @-")."""
    own = ["--cert", certificate / "tls.crt", "--key", certificate / "tls.key"] if certificate else []
    return ["curl", "--silent", "--show-error", "--no-buffer", "--max-time", "60", "--cacert", AUTHORITIES.public / "ca.crt", "--header", "@-", *own, *arguments,
            f"https://localhost:{(nginx or NGINX).port}{path}"]


def bearer(secret):
    return f"authorization: Bearer {secret}\n" if secret else ""


def curl(path, *arguments, secret=None, headers="", **more):
    """(status, {header: value}, body) of a request."""
    done = subprocess.run(curl_command(path, "--include", *arguments, **more), input=(headers + bearer(secret)).encode(), stdout=subprocess.PIPE, check=True, timeout=90)
    head, _, body = done.stdout.decode().replace("\r\n", "\n").partition("\n\n")
    first, *lines = head.splitlines()
    return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}, body


def failure(call):
    """(code, reason, seconds to wait or None) of a call that is refused."""
    try:
        call()
    except grpc.RpcError as error:
        info, _ = suite.details(error)
        wait = None
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                for detail in status_pb2.Status.FromString(value).details:
                    retry = error_details_pb2.RetryInfo()
                    if detail.Unpack(retry):
                        wait = retry.retry_delay.seconds
        return error.code(), info.reason if info else "", wait
    raise AssertionError("not refused")


def whoami(somebody, metadata=()):
    return somebody.access.GetCaller(access_pb2.GetCallerRequest(), timeout=TIMEOUT, metadata=metadata).identity


class Credentials(unittest.TestCase):
    def test_a_key_opens_grpc_and_http(self):
        key = whoami(client(secret=SECRET))
        self.assertTrue(key.subject.startswith("keys/"))
        status, _, body = curl("/v1/caller", secret=SECRET)
        self.assertEqual((200, key.subject), (status, json.loads(body)["subject"]))

    def test_a_client_certificate_opens_grpc_and_http(self):
        certificate = AUTHORITIES.clients / "mail.spotler.nl"
        identity = whoami(client(certificate=certificate))
        self.assertEqual(("certificates/mail.spotler.nl", "Spotler"), (identity.subject, identity.title))
        status, _, body = curl("/v1/caller", certificate=certificate)
        self.assertEqual((200, "certificates/mail.spotler.nl"), (status, json.loads(body)["subject"]))

    def test_a_certificate_that_nobody_knows_opens_nothing(self):
        certificate = AUTHORITIES.clients / "unknown.example"
        self.assertEqual((grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"), failure(lambda: whoami(client(certificate=certificate)))[:2])
        self.assertEqual(401, curl("/v1/caller", certificate=certificate)[0])

    def test_a_certificate_of_another_authority_is_refused_at_the_door(self):
        certificate = AUTHORITIES.processes / "peiling-nginx"
        self.assertEqual(grpc.StatusCode.UNAUTHENTICATED, failure(lambda: whoami(client(certificate=certificate)))[0])
        status, headers, body = curl("/v1/caller", certificate=certificate)
        self.assertEqual((401, "application/problem+json", "Bearer"), (status, headers["content-type"], headers["www-authenticate"]))
        self.assertEqual(401, json.loads(body)["status"])

    def test_a_client_cannot_say_which_certificate_it_has(self):
        for pem in ((AUTHORITIES.clients / "mail.spotler.nl/tls.crt").read_text(), (AUTHORITIES.processes / "peiling-nginx/tls.crt").read_text(), "x"):
            escaped = pem.replace("\n", "%0A").replace(" ", "%20").replace("+", "%2B")
            self.assertEqual((grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_MISSING"),
                             failure(lambda: whoami(client(), metadata=[("x-client-certificate", escaped)]))[:2])
            self.assertEqual(401, curl("/v1/caller", headers=f"X-Client-Certificate: {escaped}\nX_Client_Certificate: {escaped}\n")[0])

    def test_a_client_cannot_say_from_where_it_comes(self):
        forged = [("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=203.0.113.7")]
        request_id = uuid.uuid4().hex
        somebody = client(secret=SECRET)
        somebody.intake.ApplyDocuments(intake_pb2.ApplyDocumentsRequest(dry_run=True, documents=[
            intake_pb2.Document(filename="survey.yaml", text=(suite.SURVEY / "survey.yaml").read_text())]), timeout=TIMEOUT,
            metadata=[*forged, ("x-request-id", request_id)])
        entries = somebody.access.ListAuditEntries(access_pb2.ListAuditEntriesRequest(action="ApplyDocuments"), timeout=TIMEOUT).entries
        origin = [entry.origin for entry in entries if entry.request_id == request_id]
        self.assertEqual(1, len(origin), entries)
        self.assertIn("127.0.0.1", origin[0])

    def test_a_call_has_one_id_everywhere_and_one_that_is_none_is_replaced(self):
        for sent, taken in (("call-1.2_3", True), ("x y", False), ("a" * 101, False)):
            _, headers, _ = curl("/v1/caller", secret=SECRET, headers=f"X-Request-Id: {sent}\n")
            self.assertEqual(taken, headers["x-request-id"] == sent, sent)
            self.assertTrue(headers["x-request-id"])


class Streams(unittest.TestCase):
    def submit(self):
        answers = [answers_pb2.Answer(question=question, text=text) for question, text in (("Q1", "Proefpersoon"), ("Q3", "Zwolle"))]
        answers += [answers_pb2.Answer(question=q, selection=answers_pb2.Selection(codes=[code])) for q, code in (("Q5", "nee"), ("Q6", "ja"))]
        client(secret=SECRET).intake.SubmitResponse(intake_pb2.SubmitResponseRequest(
            parent=W2022, request_id=uuid.uuid4().hex, response=intake_pb2.Response(answers=answers_pb2.Answers(answers=answers))), timeout=TIMEOUT)

    def test_a_watch_over_grpc_tells_at_once(self):
        watch = client(secret=SECRET).analytics.WatchProgress(analytics_pb2.WatchProgressRequest(parent=W2022), timeout=TIMEOUT)
        self.addCleanup(watch.cancel)
        before = next(watch).progress
        self.submit()
        self.assertNotEqual(before, next(watch).progress)

    def test_a_watch_over_http_tells_at_once(self):
        for media in ("text/event-stream", "application/x-ndjson"):
            with subprocess.Popen(curl_command(f"/v1/{W2022}/progress-events"), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
                try:
                    process.stdin.write(f"accept: {media}\n{bearer(SECRET)}".encode())
                    process.stdin.close()
                    events = iter(lambda: process.stdout.readline().strip(), None)
                    before = next(line for line in events if b"{" in line)
                    self.submit()
                    self.assertNotEqual(before, next(line for line in events if b"{" in line))
                finally:
                    process.kill()

    def test_the_export_goes_in_as_one_stream(self):
        rows, summary = client(secret=SECRET).import_file(W2022, suite.SURVEY / "waves/2022/responses.csv", piece=4 << 10)
        self.assertEqual(167, len(rows))
        self.assertTrue(summary.position.submissions)

    def test_more_calls_than_a_connection_has(self):
        """nginx ends a connection after 1000; the client does not notice."""
        somebody = client(secret=SECRET)
        for _ in range(1500):
            whoami(somebody)

    def test_a_long_list_of_mistakes_comes_back_whole(self):
        """Details of errors are long headers."""
        wrong = [intake_pb2.Document(filename=f"{i}.yaml", text="neither: a survey\n") for i in range(40)]
        with self.assertRaises(grpc.RpcError) as refused:
            client(secret=SECRET).intake.ApplyDocuments(intake_pb2.ApplyDocumentsRequest(documents=wrong), timeout=TIMEOUT)
        info, violations = suite.details(refused.exception)
        self.assertEqual((grpc.StatusCode.INVALID_ARGUMENT, True), (refused.exception.code(), len(violations) >= 40), info)


class OwnAnswers(unittest.TestCase):
    """What nginx says itself."""

    def nginx(self, grpc_port=None, http_port=None, **changes):
        directory = DIRECTORY / uuid.uuid4().hex
        nginx = Nginx(directory, AUTHORITIES, grpc_port or PEILING.port, http_port or HTTP_PORT, **changes)
        self.addCleanup(nginx.close)
        return nginx

    def assert_problem(self, status, answer):
        self.assertEqual((status, "application/problem+json"), (answer[0], answer[1]["content-type"]))
        problem = json.loads(answer[2])
        self.assertEqual((status, True, True), (problem["status"], bool(problem["title"]), answer[1]["x-request-id"] in problem["detail"]))
        for header, value in (("cache-control", "no-store"), ("x-content-type-options", "nosniff"), ("x-frame-options", "DENY")):
            self.assertEqual(value, answer[1][header])
        self.assertIn("max-age", answer[1]["strict-transport-security"])

    def test_a_gateway_that_is_away(self):
        nginx = self.nginx(free_port(), free_port())
        self.assertEqual((grpc.StatusCode.UNAVAILABLE, "GATEWAY_UNREACHABLE", 1), failure(lambda: whoami(client(nginx, SECRET))))
        self.assert_problem(502, curl("/v1/caller", nginx=nginx, secret=SECRET))

    def test_a_gateway_that_is_another(self):
        """Behind the address is somebody without the gateway's certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(AUTHORITIES.public / "peiling.example/tls.crt", AUTHORITIES.public / "peiling.example/tls.key")
        reached = []
        with contextlib.closing(context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)) as false:
            def accept():
                with contextlib.suppress(OSError):
                    while True:
                        connection, _ = false.accept()
                        with connection:
                            reached.append(connection.recv(1))
            threading.Thread(target=accept, daemon=True).start()
            port = false.getsockname()[1]
            nginx = self.nginx(port, port)
            self.assertEqual("GATEWAY_UNREACHABLE", failure(lambda: whoami(client(nginx, SECRET)))[1])
            self.assert_problem(502, curl("/v1/caller", nginx=nginx, secret=SECRET))
        self.assertEqual([], [sent for sent in reached if sent])

    def test_more_than_is_taken(self):
        nginx = self.nginx(client_max_body_size="64k")
        self.assertEqual((grpc.StatusCode.RESOURCE_EXHAUSTED, "CALL_TOO_LARGE", None),
                         failure(lambda: client(nginx, SECRET).import_file(W2022, bytes(1 << 20), piece=16 << 10)))
        (DIRECTORY / "large").write_bytes(bytes(1 << 20))
        self.assert_problem(413, curl("/v1/documents", "--data-binary", f"@{DIRECTORY}/large", nginx=nginx, secret=SECRET))

    def test_more_at_once_than_one_address_may(self):
        nginx = self.nginx(limit_conn="peiling_address 1")
        watch = client(nginx, SECRET).analytics.WatchProgress(analytics_pb2.WatchProgressRequest(parent=W2022), timeout=TIMEOUT)
        self.addCleanup(watch.cancel)
        next(watch)
        self.assertEqual((grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS", 1), failure(lambda: whoami(client(nginx, SECRET))))
        answer = curl("/v1/caller", nginx=nginx, secret=SECRET)
        self.assert_problem(429, answer)
        self.assertEqual("1", answer[1]["retry-after"])

    def test_what_is_no_request_of_peiling(self):
        self.assert_problem(404, curl("/"))
        self.assert_problem(404, curl("/favicon.ico"))
        self.assert_problem(405, curl("/v1/caller", "--request", "TRACE"))
        self.assert_problem(431, curl("/v1/caller", "--http1.1", headers=f"x: {'y' * 9000}\n"))
        plain = http.client.HTTPConnection("localhost", NGINX.port, timeout=10)
        plain.request("GET", "/v1/caller")
        self.assertEqual(400, plain.getresponse().status)
        with self.assertRaises(subprocess.CalledProcessError):
            curl("/v1/caller", "--tls-max", "1.1")

    def test_what_the_gateway_says_goes_through_as_it_is(self):
        status, headers, body = curl("/v1/no-such-thing", secret=SECRET)
        self.assertEqual((404, "application/problem+json"), (status, headers["content-type"].partition(";")[0]))
        self.assertNotIn("Request ", json.loads(body)["detail"])
        self.assertEqual(404, curl("/v1", secret=SECRET)[0])
        status, headers, _ = curl("/v1/openapi.json")
        self.assertEqual(200, status)
        self.assertIn("api-version", headers)
        self.assertEqual("max-age=31536000; includeSubDomains", headers["strict-transport-security"])

    def test_the_log_has_every_call_and_no_secret(self):
        request_id = uuid.uuid4().hex
        curl("/v1/surveys?pageSize=77", secret=SECRET, headers=f"X-Request-Id: {request_id}\n", certificate=AUTHORITIES.clients / "mail.spotler.nl")
        whoami(client(secret=SECRET), metadata=[("x-request-id", request_id)])
        log = NGINX.directory / "access.log"
        NGINX.wait(lambda: log.read_text().count(request_id) == 2, "log both")
        over_http, over_grpc = [line for line in map(json.loads, log.read_text().splitlines()) if line["request_id"] == request_id]
        self.assertEqual(("GET /v1/surveys", "200", "127.0.0.1", "SUCCESS"), tuple(over_http[name] for name in ("action", "status", "origin", "client_certificate")))
        self.assertEqual(("POST /peiling.access.v1.AccessService/GetCaller", "0", "NONE"),
                         tuple(over_grpc[name] for name in ("action", "grpc_status", "client_certificate")))
        for secret in (SECRET, "Bearer", "pageSize", "CERTIFICATE"):
            self.assertNotIn(secret, log.read_text())

    def test_links_to_unsubscribe_are_in_no_log(self):
        link = "link-that-unsubscribes"
        with contextlib.closing(Nginx(DIRECTORY / "alone", AUTHORITIES, PEILING.port, free_port())) as alone:
            for nginx, expected in ((NGINX, 400), (alone, 502)):
                self.assertEqual(expected, curl(f"/v1/unsubscriptions/{link}", "--request", "POST", nginx=nginx)[0])
                self.assertEqual(413, curl(f"/v1/unsubscriptions/{link}", "--data", "x" * (65 << 10), nginx=nginx)[0])
            for path in (f"/v1//unsubscriptions/{link}", f"/v1/unsubscriptions%2f{link}", f"/V1/Unsubscriptions/{link}"):
                self.assertNotEqual(200, curl(path, nginx=alone)[0])
            for nginx, lines in ((NGINX, 2), (alone, 5)):
                logs = [nginx.directory / name for name in ("access.log", "error.log")]
                NGINX.wait(lambda: logs[0].read_text().count("/v1/unsubscriptions/...") >= lines, "log them")
                for log in logs:
                    self.assertNotIn(link, log.read_text())
        status, headers, body = curl(f"/v1/unsubscriptions/{link}")
        self.assertEqual((200, "text/html; charset=utf-8"), (status, headers["content-type"]))
        self.assertIn("<form method=\"post\">", body)
        # Of the gateway the log has methods alone.
        own = (PEILING.directory / "peiling.log").read_text()
        self.assertIn("MailService/Unsubscribe", own)
        self.assertNotIn(link, own)


class Caller:
    """Somebody who calls all the time, on a connection of their own."""

    def __init__(self):
        self.seconds, self.failures = [], []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.call)

    def call(self):
        somebody = client(secret=SECRET)
        while not self.ended.is_set():
            begun = time.monotonic()
            try:
                somebody.access.GetCaller(access_pb2.GetCallerRequest(), timeout=20)
            except grpc.RpcError as error:
                self.failures.append(error)
            self.seconds.append(time.monotonic() - begun)
            time.sleep(0.005)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


class Hostile(unittest.TestCase):
    def join(self, protocol, kind, count):
        process = subprocess.Popen([sys.executable, ROOT / "tests/fault/hostiles.py", "connections", protocol, f"localhost:{NGINX.port}",
                                    AUTHORITIES.public / "ca.crt", kind, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.communicate)
        return process

    def test_ten_thousand_connections_that_are_there_for_nothing_leave_others_served(self):
        crowd = [self.join(*kind) for kind in CROWD]
        made = [json.loads(process.stdout.readline()) for process in crowd]
        self.assertGreaterEqual(sum(figures["made"] for figures in made), 10_000, made)
        established = self.established()
        with Caller() as over_grpc:
            begun = time.monotonic()
            over_http = []
            while time.monotonic() < begun + 10:
                at = time.monotonic()
                self.assertEqual(200, curl("/v1/caller", secret=SECRET)[0])
                over_http.append(time.monotonic() - at)
        self.assertEqual([], over_grpc.failures)
        print(f"\n{established} connections, nginx {NGINX.memory() >> 20} MiB", file=sys.stderr)
        for name, seconds in (("gRPC", over_grpc.seconds), ("HTTP, with a handshake and curl's start", over_http)):
            seconds.sort()
            usual, longest = seconds[len(seconds) // 2], seconds[-1]
            print(f"{name}: {len(seconds)} calls, usual {usual * 1000:.0f} ms, longest {longest * 1000:.0f} ms", file=sys.stderr)
            self.assertLess(usual, 1)

    def established(self):
        rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(1 for row in rows if row[1].endswith(f":{NGINX.port:04X}") and row[3] == "01")


class Reload(unittest.TestCase):
    def shown(self):
        return ssl.get_server_certificate(("127.0.0.1", NGINX.port), timeout=10).strip()

    def test_a_new_certificate_is_shown_and_nobody_is_cut_off(self):
        watch = client(secret=SECRET).analytics.WatchProgress(analytics_pb2.WatchProgressRequest(parent=W2022), timeout=TIMEOUT)
        self.addCleanup(watch.cancel)
        next(watch)
        with Caller() as caller:
            time.sleep(0.5)
            for _ in range(3):
                before = self.shown()
                make_certificates(AUTHORITIES.public, "peiling.example=localhost,127.0.0.1", more=["--renew"])
                make_certificates(AUTHORITIES.processes, "peiling-nginx", more=["--renew"])
                NGINX.reload()
                NGINX.wait(lambda: self.shown() != before, "show the new certificate")
                self.assertEqual((AUTHORITIES.public / "peiling.example/tls.crt").read_text().strip(), self.shown())
                time.sleep(0.5)
        self.assertEqual([], caller.failures)
        Streams.submit(self)
        self.assertTrue(next(watch).HasField("progress"))


if __name__ == "__main__":
    unittest.main()
