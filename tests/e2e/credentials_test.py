"""Tokens of an OIDC issuer, certificates of systems, and such as nobody should believe."""

import http.server
import ssl
import threading
import unittest

import tokens
from suite import *

LIST_SURVEYS = "/peiling.intake.v1.IntakeService/ListSurveys"
LIST_CASES = "/peiling.dedup.v1.DedupService/ListCases"
GET_PROGRESS = "/peiling.analytics.v1.AnalyticsService/GetProgress"

ACCESS_FILE = """
issuers:
  - issuer: {url}
    audience: peiling
    jwks: {jwks}
    roles-claim: realm_access.roles
    grants:
      peiling-onderzoeker: {{role: researcher, resources: [surveys/sociale-wijkteams/waves/2022]}}
      peiling-analist: {{role: analyst}}
certificates:
  - name: mail.spotler.nl
    title: Spotler
    grants: [{{role: mailer}}]
"""


class JwksServer:
    """Publishes the keys of an issuer over HTTPS; counts who asks."""

    def __init__(self, issuer, pair):
        self.asked = 0
        publisher = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                publisher.asked += 1
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(issuer.jwks().encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_port}/certs"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Believer:
    """A gateway that believes an issuer whose keys are published on a server, or (`jwks_file`) in a file."""

    jwks_file = False
    keys_interval = 600

    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="peiling-credentials-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.issuer = tokens.Issuer(cls.directory)
        authority = Authority(cls.directory / "web")
        cls.server = JwksServer(cls.issuer, authority.issue("login"))
        cls.addClassCleanup(cls.server.close)
        cls.published = cls.directory / "jwks.json"
        cls.publish()
        access_file = cls.directory / "access.yaml"
        access_file.write_text(ACCESS_FILE.format(url=cls.issuer.url, jwks=f"file:{cls.published}" if cls.jwks_file else cls.server.url))
        cls.suite = Suite(separate=True, tls=True, gateway_arguments=[f"--access-file={access_file}", f"--token-keys-ca={authority.certificate}",
                                                                     f"--token-keys-interval={cls.keys_interval}"])
        cls.addClassCleanup(cls.suite.close)
        cls.suite.main_job()

    @classmethod
    def publish(cls, keys=None):
        new = cls.published.with_suffix(".new")
        new.write_text(keys or cls.issuer.jwks())
        new.replace(cls.published)

    def outcome(self, token, method=LIST_SURVEYS, request=b""):
        client = self.suite.client(token)
        try:
            return client.outcome(method, request)
        finally:
            client.channel.close()

    def answer(self, token):
        """All that somebody sees who shows it."""
        with self.assertRaises(grpc.RpcError) as caught:
            self.suite.client(token).intake.ListSurveys(intake_pb2.ListSurveysRequest(), timeout=TIMEOUT)
        error = caught.exception
        return error.code(), error.details(), details(error)[0].SerializeToString(deterministic=True), \
            tuple(sorted(key for key, _ in error.trailing_metadata()))

    def wait_for(self, expected, token, timeout):
        deadline = time.monotonic() + timeout
        while (outcome := self.outcome(token)) != expected:
            self.assertLess(time.monotonic(), deadline, outcome)
            time.sleep(0.1)

    def test_a_new_key_of_the_issuer_is_found(self):
        for algorithm in ("ES256", "RS256"):
            before = self.issuer.token(self.issuer.claims(["peiling-analist"]))
            self.issuer.rotate(f"{algorithm}-{self.jwks_file}", algorithm)
            token = self.issuer.token(self.issuer.claims(["peiling-analist"]))
            self.publish()
            self.wait_for(OK, token, 70)
            self.assertEqual(self.outcome(before), OK)


class Credentials(Believer, unittest.TestCase):
    # Tokens that hold.

    def test_roles_of_a_token_are_what_its_claim_is_granted(self):
        researcher, analyst, both, none = (self.issuer.token(self.issuer.claims(roles)) for roles in (
            ["peiling-onderzoeker", "offline_access"], ["peiling-analist"], ["peiling-onderzoeker", "peiling-analist"], ["something"]))
        cases, progress = dedup_pb2.ListCasesRequest, analytics_pb2.GetProgressRequest
        for token, method, request, outcome in (
                (researcher, LIST_CASES, cases(parent=W2022), OK), (researcher, LIST_CASES, cases(parent=W2019), OUTSIDE),
                (researcher, GET_PROGRESS, progress(parent=W2019), OUTSIDE), (analyst, GET_PROGRESS, progress(parent=W2019), OK),
                (analyst, LIST_CASES, cases(parent=W2022), ROLE_MISSING), (both, LIST_CASES, cases(parent=W2022), OK),
                (both, GET_PROGRESS, progress(parent=W2019), OK), (none, LIST_SURVEYS, b"", ROLE_MISSING)):
            self.assertEqual(self.outcome(token, method, request), outcome, (method, str(request)))

    def test_whoever_shows_a_token_is_known_by_issuer_and_subject(self):
        client = self.suite.client(self.issuer.token(self.issuer.claims(["peiling-analist"], sub="f:91a2")))
        caller = client.access.GetCaller(access_pb2.GetCallerRequest(), timeout=TIMEOUT).identity
        self.assertEqual((caller.subject, caller.credential), ("tokens/login.example.nl/f:91a2", identity_pb2.CREDENTIAL_KIND_TOKEN))
        self.assertTrue(caller.HasField("expires_at"))

    def test_a_list_of_audiences_will_do(self):
        self.assertEqual(self.outcome(self.issuer.token(self.issuer.claims(["peiling-analist"], aud=["account", "peiling"]))), OK)

    def test_clocks_may_be_a_little_off(self):
        now = int(time.time())
        for times in ({"nbf": now + 20, "iat": now + 20}, {"exp": now - 20}):
            self.assertEqual(self.outcome(self.issuer.token(self.issuer.claims(["peiling-analist"], **times))), OK, times)

    # Tokens that do not.

    def forgeries(self):
        issuer, now = self.issuer, int(time.time())
        good = issuer.claims(["peiling-analist"])
        strange = tokens.SigningKey(self.directory, "strange")
        swapped = tokens.SigningKey(self.directory, "swapped")
        swapped.kid = issuer.keys[-1].kid
        token = issuer.token(good)
        head, body, signature = token.split(".")
        other_body = tokens.encoded(issuer.claims(["peiling-onderzoeker"]))
        without = lambda name: {key: value for key, value in good.items() if key != name}
        return {
            "alg none": issuer.unsigned(good), "alg None": issuer.unsigned(good, "None"), "alg empty": issuer.unsigned(good, ""),
            "no signature": f"{head}.{body}.", "HS256 with the public key": issuer.signed_with_public_key(good),
            "a key nobody knows": issuer.token(good, strange), "a swapped key": issuer.token(good, swapped),
            "another's kid": issuer.token(good, strange, kid=issuer.keys[-1].kid), "its own key in the header": issuer.token(good, strange, jwk=strange.jwk()),
            "a key of its own server": issuer.token(good, strange, jku="https://evil.example/jwks"),
            "another algorithm in the header": issuer.token(good, alg="ES256"), "a critical extension": issuer.token(good, crit=["exp"]),
            "other claims": f"{head}.{other_body}.{signature}", "signature cut": token[:-8], "a part too many": f"{token}.x",
            "white space": f"{head}. {body}.{signature}", "base64 with padding": f"{head}.{body}==.{signature}", "claims that are no JSON": issuer.token("x"),
            "claims that are a list": issuer.token([good]), "wrong issuer": issuer.token({**good, "iss": "https://login.example.nl/realms/other"}),
            "issuer with a slash": issuer.token({**good, "iss": issuer.url + "/"}), "no issuer": issuer.token(without("iss")),
            "wrong audience": issuer.token({**good, "aud": "account"}), "no audience": issuer.token(without("aud")),
            "audience that begins right": issuer.token({**good, "aud": "peiling2"}), "no end": issuer.token(without("exp")),
            "end that is text": issuer.token({**good, "exp": str(now + 300)}), "not yet": issuer.token({**good, "nbf": now + 600}),
            "no subject": issuer.token(without("sub")),
        }

    def test_no_forgery_is_believed_and_all_are_answered_alike(self):
        answers = {}
        for what, token in self.forgeries().items():
            with self.subTest(what):
                self.assertEqual(self.outcome(token), INVALID)
                answers.setdefault(self.answer(token), what)
        answers.setdefault(self.answer("nonsense"), "nonsense")
        answers.setdefault(self.answer(f"peiling_{'0' * 16}_{'a' * 43}"), "no key")
        self.assertEqual(len(answers), 1, answers)

    def test_a_token_that_has_ended_says_so(self):
        now = int(time.time())
        self.assertEqual(self.outcome(self.issuer.token(self.issuer.claims(["peiling-analist"], exp=now - 300, iat=now - 600, nbf=now - 600))), EXPIRED)

    def test_a_token_that_has_ended_and_is_forged_does_not(self):
        strange = tokens.SigningKey(self.directory, "ended")
        self.assertEqual(self.outcome(self.issuer.token(self.issuer.claims(["peiling-analist"], exp=1), strange)), INVALID)

    def test_unknown_keys_make_nobody_ask_the_issuer_for_each(self):
        asked = self.server.asked
        strange = tokens.SigningKey(self.directory, "flood")
        for number in range(50):
            self.assertEqual(self.outcome(self.issuer.token(self.issuer.claims(["peiling-analist"]), strange, kid=f"flood-{number}")), INVALID)
        self.assertLessEqual(self.server.asked - asked, 3)

    # Certificates.

    def caller(self, pair, **how):
        return self.suite.client(certificate=pair, **how)

    def test_a_system_is_known_by_its_certificate(self):
        client = self.caller(self.suite.authority.issue("mail.spotler.nl", server=False))
        caller = client.access.GetCaller(access_pb2.GetCallerRequest(), timeout=TIMEOUT).identity
        self.assertEqual((caller.subject, caller.title, caller.credential, [grant.role for grant in caller.grants]),
                         ("certificates/mail.spotler.nl", "Spotler", identity_pb2.CREDENTIAL_KIND_CERTIFICATE, [options_pb2.ROLE_MAILER]))
        self.assertEqual(client.outcome(GET_PROGRESS, analytics_pb2.GetProgressRequest(parent=W2022)), OK)
        self.assertEqual(client.outcome(LIST_CASES, dedup_pb2.ListCasesRequest(parent=W2022)), ROLE_MISSING)

    def test_a_name_is_one_among_the_alternative_names_not_the_common_name(self):
        client = self.caller(self.suite.authority.issue("mail.spotler.nl", dns=["other.nl"], server=False))
        self.assertEqual(client.outcome(LIST_SURVEYS, b""), INVALID)

    def test_a_name_that_is_not_listed_is_refused(self):
        for name in ("other.spotler.nl", "spotler.nl", "peiling-gateway"):
            self.assertEqual(self.caller(self.suite.authority.issue(f"client-{name}", dns=[name], server=False)).outcome(LIST_SURVEYS, b""), INVALID)

    def test_certificates_of_others_and_expired_ones_get_no_connection_that_helps(self):
        expired = self.suite.authority.issue("expired", dns=["mail.spotler.nl"], days=-1, server=False)
        strange = Authority(self.directory / "strange-authority").issue("mail.spotler.nl", server=False)
        for pair in (expired, strange):
            code, _ = self.caller(pair).outcome(LIST_SURVEYS, b"", timeout=5)
            self.assertIn(code, (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED))

    def test_what_is_shown_goes_before_the_certificate(self):
        pair = self.suite.authority.issue("mail.spotler.nl", server=False)
        token = self.issuer.token(self.issuer.claims(["peiling-onderzoeker"]))
        self.assertEqual(self.caller(pair, credential=token).outcome(LIST_CASES, dedup_pb2.ListCasesRequest(parent=W2022)), OK)
        self.assertEqual(self.caller(pair, credential="nonsense").outcome(LIST_SURVEYS, b""), INVALID)

    def test_proxy_headers_of_anybody_are_not_believed(self):
        import urllib.parse
        pem = urllib.parse.quote(self.suite.authority.issue("mail.spotler.nl", server=False).certificate.read_text())
        self.assertEqual(self.suite.client().outcome(LIST_SURVEYS, b"", metadata=[("x-client-certificate", pem)]), MISSING)


class KeysInAFile(Believer, unittest.TestCase):
    jwks_file = True
    keys_interval = 1

    def test_an_issuer_that_withdraws_its_keys_is_believed_no_longer(self):
        token = self.issuer.token(self.issuer.claims(["peiling-analist"]))
        self.wait_for(OK, token, 10)
        self.publish('{"keys": []}')
        self.wait_for(INVALID, token, 10)
        self.publish()
        self.wait_for(OK, token, 10)


if __name__ == "__main__":
    unittest.main()
