"""Who may do what, by a foreign client through the gateway to services of their own over mutual TLS."""

import csv
import re
import unittest

from google.protobuf import timestamp_pb2

from suite import *

SURVEY_NAME = "surveys/sociale-wijkteams"
INTAKE = "/peiling.intake.v1.IntakeService/"
DEDUP = "/peiling.dedup.v1.DedupService/"
ANALYTICS = "/peiling.analytics.v1.AnalyticsService/"
ACCESS = "/peiling.access.v1.AccessService/"
# How answers to personal questions read in the invented exports.
NAMES = re.compile(rb"Respondent 0|Collega 0|Onbekend 0|beleidsmedewerker Wmo")


def allowed(method):
    """Roles that the contract lets in; None when nobody may call from outside."""
    options = method.GetOptions()
    if not options.HasExtension(options_pb2.access):
        return None
    return set(ROLES if is_anonymous(method) else options.Extensions[options_pb2.access].roles)


def is_anonymous(method):
    """Anybody may call, without credentials, too."""
    return method.GetOptions().Extensions[options_pb2.access].anonymous


def role_name(role):
    return options_pb2.Role.Name(role).removeprefix("ROLE_").lower()


class Access(unittest.TestCase):
    """The poll of 2022, done by three who may each do a part of it; then everybody tries everything."""

    @classmethod
    def setUpClass(cls):
        cls.suite = Suite(separate=True, tls=True)
        cls.addClassCleanup(cls.suite.close)
        cls.keys = {role: cls.suite.make_key(role) for role in ROLES}
        cls.clients = {role: cls.suite.client(made.secret) for role, made in cls.keys.items()}
        cls.administrator = cls.clients[options_pb2.ROLE_ADMINISTRATOR]
        cls.researcher = cls.clients[options_pb2.ROLE_RESEARCHER]
        cls.analyst = cls.clients[options_pb2.ROLE_ANALYST]
        cls.administrator.apply_sociale_wijkteams()
        for wave in (W2019, W2022):
            _, summary = cls.researcher.import_file(wave, SURVEY / "waves" / wave[-4:] / "responses.csv")
            cls.researcher.cleaning_report(wave, summary.position.submissions)
        cls.position = cls.researcher.rule_2022()
        cls.analyst.wait_counted(W2022, records=cls.position.records)

    def limited(self, role, *resources):
        return self.suite.client(self.suite.make_key(role, resources=resources).secret)

    def audit(self, **filters):
        return self.suite.audit_entries(**filters)

    def subject(self, role):
        return self.keys[role].key.name

    # The job.

    def test_every_published_figure_comes_out(self):
        report = self.analyst.cleaning_report(W2022)
        self.assertEqual((report.started, report.records, report.complete), (167, 90, 79))
        comparison = self.analyst.analytics.CompareWithPublished(analytics_pb2.CompareWithPublishedRequest(parent=W2022), timeout=TIMEOUT)
        verdicts = [figure.verdict for figure in comparison.figures]
        self.assertEqual([verdicts.count(v) for v in (analytics_pb2.VERDICT_MATCHES, analytics_pb2.VERDICT_SLIP,
                                                      analytics_pb2.VERDICT_CONTRADICTED, analytics_pb2.VERDICT_DIFFERS)], [312, 6, 6, 0])

    # RPC × role.

    def test_exactly_the_declared_roles_get_in(self):
        for method in methods():
            for role in ROLES:
                with self.subTest(method.full_name, role=role_name(role)):
                    outcome = self.clients[role].outcome(path_of(method), b"")
                    if allowed(method) is None:
                        self.assertEqual(outcome, UNKNOWN)
                    elif role not in allowed(method):
                        self.assertEqual(outcome, ROLE_MISSING)
                    elif method.name == "RedeemInvitation":
                        self.assertEqual(outcome, (grpc.StatusCode.PERMISSION_DENIED, "NO_INVITATION"), "no role is a link")
                    else:
                        self.assertNotIn(outcome[0], (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED,
                                                      grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNAVAILABLE), outcome)

    def test_nobody_gets_in_without_credentials(self):
        nobody = self.suite.client()
        for method in methods():
            with self.subTest(method.full_name):
                outcome = nobody.outcome(path_of(method), b"")
                if is_anonymous(method):
                    self.assertEqual(outcome[0], grpc.StatusCode.INVALID_ARGUMENT, outcome)
                else:
                    self.assertIn(outcome, (MISSING,) if allowed(method) else (MISSING, UNKNOWN))

    def test_somebody_with_every_role_cannot_call_what_services_call(self):
        internal = [method.name for method in methods() if allowed(method) is None]
        self.assertEqual(sorted(internal), ["BatchGetResponseStates", "RecordAuditEntries", "VerifyToken", "WatchKeys"])
        for method in methods():
            if method.name in internal:
                self.assertEqual(self.suite.outcome(path_of(method), b""), UNKNOWN)

    def test_what_no_contract_has_is_unknown(self):
        for path in ("/peiling.intake.v1.IntakeService/DropEverything", "/peiling.nowhere.v1.Nothing/Get", "/nonsense", "/a/b/c"):
            self.assertEqual(self.suite.outcome(path, b""), UNKNOWN, path)

    def test_the_committed_table_says_the_same(self):
        with open(ROOT / "tests" / "gateway" / "permissions.csv", encoding="utf-8") as file:
            table = {row["method"]: {role for role in ROLES if row[role_name(role)] == "x" or row["about"] == "anybody"}
                     for row in csv.DictReader(file)}
        self.assertEqual(table, {path_of(method): allowed(method) or set() for method in methods()})

    # Limits to surveys and waves.

    def test_a_limit_lets_in_what_lies_within_it(self):
        request = intake_pb2.ListResponsesRequest
        for limit, wanted, outcome in (
                (W2022, W2022, OK), (SURVEY_NAME, W2022, OK), (SURVEY_NAME, W2019, OK),
                (W2022, W2019, OUTSIDE), (W2022, "", OUTSIDE), (W2022, SURVEY_NAME, OUTSIDE), (W2022, W2022 + "0", OUTSIDE),
                (W2022, W2022[:-1], OUTSIDE), (W2022, "surveys/other/waves/2022", OUTSIDE), (SURVEY_NAME, "surveys/sociale-wijkteams-2/waves/1", OUTSIDE)):
            with self.subTest(limit=limit, wanted=wanted):
                client = self.limited(options_pb2.ROLE_RESEARCHER, limit)
                self.assertEqual(client.outcome(INTAKE + "ListResponses", request(parent=wanted)), outcome)

    def test_a_name_that_climbs_out_of_its_limit_shows_nothing(self):
        client = self.limited(options_pb2.ROLE_RESEARCHER, W2022)
        for name in (f"{W2022}/../2019", f"{W2022}/../2019/responses/1", f"{W2022}//responses/1", f"{W2022}/responses/../../2019"):
            for method, request in (("ListResponses", intake_pb2.ListResponsesRequest(parent=name)),
                                    ("GetResponse", intake_pb2.GetResponseRequest(name=name))):
                code, _ = client.outcome(INTAKE + method, request)
                self.assertIn(code, (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED), name)

    def test_limits_of_other_services(self):
        client = self.limited(options_pb2.ROLE_RESEARCHER, W2022)
        record = self.researcher.dedup.ListRecords(dedup_pb2.ListRecordsRequest(parent=W2022, page_size=1), timeout=TIMEOUT).records[0].name
        other = self.researcher.dedup.ListRecords(dedup_pb2.ListRecordsRequest(parent=W2019, page_size=1), timeout=TIMEOUT).records[0].name
        for method, request, outcome in (
                (DEDUP + "GetRecord", dedup_pb2.GetRecordRequest(name=record), OK),
                (DEDUP + "GetRecord", dedup_pb2.GetRecordRequest(name=other), OUTSIDE),
                (DEDUP + "WatchRecords", dedup_pb2.WatchRecordsRequest(parent=W2022), OK),
                (DEDUP + "WatchRecords", dedup_pb2.WatchRecordsRequest(parent=W2019), OUTSIDE),
                (ANALYTICS + "Tabulate", analytics_pb2.TabulateRequest(parent=W2022), OK),
                (ANALYTICS + "Tabulate", analytics_pb2.TabulateRequest(parent=W2019), OUTSIDE),
                (ANALYTICS + "ListTrends", analytics_pb2.ListTrendsRequest(parent=SURVEY_NAME), OUTSIDE),
                (INTAKE + "GetWave", intake_pb2.GetWaveRequest(name=W2019), OK),
                (INTAKE + "GetResponse", intake_pb2.GetResponseRequest(name=f"{W2022}/responses/5"), OK),
                (INTAKE + "GetResponse", intake_pb2.GetResponseRequest(name=f"{W2019}/responses/5"), OUTSIDE)):
            with self.subTest(method, request=str(request)):
                self.assertEqual(client.outcome(method, request), outcome)

    def test_whoever_is_limited_cannot_call_what_is_for_all_surveys(self):
        client = self.limited(options_pb2.ROLE_ADMINISTRATOR, SURVEY_NAME)
        for method in ("ApplyDocuments",):
            self.assertEqual(client.outcome(INTAKE + method, b""), OUTSIDE)
        for method in ("CreateKey", "ListKeys", "ListAuditEntries"):
            self.assertEqual(client.outcome(ACCESS + method, b""), OUTSIDE)

    def test_a_limit_of_one_role_is_not_widened_by_another(self):
        grants = [identity_pb2.Grant(role=options_pb2.ROLE_ANALYST), identity_pb2.Grant(role=options_pb2.ROLE_RESEARCHER, resources=[W2022])]
        client = self.suite.client(self.suite.make_key(grants=grants).secret)
        for method, request, outcome in ((ANALYTICS + "Tabulate", analytics_pb2.TabulateRequest(parent=W2019), OK),
                                         (INTAKE + "ListResponses", intake_pb2.ListResponsesRequest(parent=W2019), OUTSIDE),
                                         (INTAKE + "ListResponses", intake_pb2.ListResponsesRequest(parent=W2022), OK)):
            self.assertEqual(client.outcome(method, request), outcome)

    def test_a_field_given_twice_counts_as_the_service_reads_it(self):
        """Protobuf takes the last."""
        client = self.limited(options_pb2.ROLE_RESEARCHER, W2022)
        within, beside = (intake_pb2.ListResponsesRequest(parent=wave, page_size=1).SerializeToString() for wave in (W2022, W2019))
        self.assertEqual(client.outcome(INTAKE + "ListResponses", within + beside), OUTSIDE)
        self.assertEqual(client.outcome(INTAKE + "ListResponses", beside + within), OK)
        # Nobody may hide in compression either: the gateway takes none.
        for request in (within, beside):
            self.assertEqual(client.outcome(INTAKE + "ListResponses", request, compression=grpc.Compression.Gzip)[0], grpc.StatusCode.UNIMPLEMENTED)
        self.assertEqual(client.outcome(INTAKE + "ListResponses", b"\xff\xff"), (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"))

    def test_every_message_of_a_stream_is_checked(self):
        client = self.limited(options_pb2.ROLE_RESEARCHER, W2022)
        header = {wave: intake_pb2.ImportResponsesRequest(header=intake_pb2.ImportHeader(parent=wave)) for wave in (W2022, W2019)}
        content = intake_pb2.ImportResponsesRequest(content=(SURVEY / "waves" / "2022" / "responses.csv").read_bytes()[:3000])
        for requests, outcome in (((header[W2019],), OUTSIDE), ((content, header[W2022]), OUTSIDE), ((header[W2022], header[W2019]), OUTSIDE)):
            self.assertEqual(client.outcome(INTAKE + "ImportResponses", *requests), outcome, requests)
        rows, summary = client.import_file(W2022, SURVEY / "waves" / "2022" / "responses.csv")
        self.assertEqual((len(rows), summary.unchanged), (167, 167))
        self.assertEqual(self.analyst.cleaning_report(W2019).started, 236)

    # Keys.

    def test_a_key_that_has_ended_is_refused(self):
        end = timestamp_pb2.Timestamp()
        end.FromNanoseconds(time.time_ns() + 3_000_000_000)
        client = self.suite.client(self.suite.make_key(options_pb2.ROLE_ANALYST, expires_at=end).secret)
        self.assertEqual(client.outcome(INTAKE + "ListSurveys", b""), OK)
        time.sleep(max(0, end.ToNanoseconds() / 1e9 - time.time()) + 0.1)
        self.assertEqual(client.outcome(INTAKE + "ListSurveys", b""), EXPIRED)

    def test_a_revoked_key_is_refused_within_a_second_on_an_open_connection_too(self):
        made = self.suite.make_key(options_pb2.ROLE_RESEARCHER)
        client = self.suite.client(made.secret)
        revoked = self.administrator.access.RevokeKey(access_pb2.RevokeKeyRequest(name=made.key.name, request_id="revoke"), timeout=TIMEOUT).key
        began = time.monotonic()
        self.assertEqual(revoked.revoked_by, self.subject(options_pb2.ROLE_ADMINISTRATOR))
        while client.outcome(INTAKE + "ListSurveys", b"") == OK:
            self.assertLess(time.monotonic() - began, 1)
        self.assertEqual(client.outcome(INTAKE + "ListSurveys", b""), INVALID)

    def test_a_secret_is_shown_once(self):
        key = access_pb2.Key(title="once", grants=[identity_pb2.Grant(role=options_pb2.ROLE_ANALYST)])
        request = access_pb2.CreateKeyRequest(key=key, request_id="once")
        first, second = (self.administrator.access.CreateKey(request, timeout=TIMEOUT) for _ in range(2))
        self.assertEqual(first.key, second.key)
        self.assertTrue(first.secret)
        self.assertEqual(second.secret, "")

    def test_wrong_keys_are_all_answered_alike(self):
        secret = self.keys[options_pb2.ROLE_ANALYST].secret
        _, identifier, text = secret.split("_", 2)
        other = self.keys[options_pb2.ROLE_MAILER].secret.split("_", 2)[2]
        answers = set()
        for wrong in ("nonsense", "peiling_", f"peiling_{identifier}", f"peiling_{identifier}_", f"peiling_{identifier}_{text[:-1]}",
                      f"peiling_{identifier}_{other}", f"peiling_{'0' * 16}_{text}", f"PEILING_{identifier}_{text}", "a.b.c", "x" * 8000,
                      f"peiling_{identifier}_{text}x"):
            with self.subTest(wrong[:60]), self.assertRaises(grpc.RpcError) as caught:
                self.suite.client(wrong).intake.ListSurveys(intake_pb2.ListSurveysRequest(), timeout=TIMEOUT)
            info, _ = details(caught.exception)
            self.assertEqual((caught.exception.code(), info.reason), INVALID)
            answers.add((caught.exception.details(), info.SerializeToString(deterministic=True)))
        self.assertEqual(len(answers), 1, answers)
        for scheme in ("Basic YTpi", "Bearer", "", f"bearer{secret}", secret):
            code, _ = self.suite.client().outcome(INTAKE + "ListSurveys", b"", metadata=[("authorization", scheme)])
            self.assertEqual(code, grpc.StatusCode.UNAUTHENTICATED, scheme)

    def test_two_credentials_at_once_are_none(self):
        good, bad = (("authorization", f"Bearer {secret}") for secret in (self.keys[options_pb2.ROLE_ANALYST].secret, "nonsense"))
        for metadata in ((good, bad), (bad, good)):
            self.assertEqual(self.suite.client().outcome(INTAKE + "ListSurveys", b"", metadata=metadata)[0], grpc.StatusCode.UNAUTHENTICATED)

    # Who called is known behind the gateway, and only from it.

    def forged(self, subject="keys/forged"):
        grants = [identity_pb2.Grant(role=role) for role in ROLES]
        return ("peiling-identity-bin", identity_pb2.Identity(subject=subject, grants=grants).SerializeToString())

    def test_rulings_are_recorded_with_who_made_them(self):
        rulings = self.researcher.dedup.ListRulings(dedup_pb2.ListRulingsRequest(parent=W2022), timeout=TIMEOUT).rulings
        self.assertEqual({(ruling.ruled_by, ruling.recorded_by) for ruling in rulings}, {("e2e", self.subject(options_pb2.ROLE_RESEARCHER))})

    def test_an_identity_that_a_client_sends_is_ignored(self):
        caller = self.analyst.access.GetCaller(access_pb2.GetCallerRequest(), metadata=[self.forged()], timeout=TIMEOUT).identity
        self.assertEqual((caller.subject, caller.credential), (self.subject(options_pb2.ROLE_ANALYST), identity_pb2.CREDENTIAL_KIND_KEY))
        self.assertEqual(self.analyst.outcome(INTAKE + "ListResponses", intake_pb2.ListResponsesRequest(parent=W2022), metadata=[self.forged()]),
                         ROLE_MISSING)

    def direct(self, service, name=None):
        """A client of a service itself, with the certificate of `name`."""
        return self.suite.client(address=self.suite.processes[service].address, certificate=name and self.suite.certificate(name))

    def test_a_service_answers_nobody_without_a_certificate(self):
        code, _ = self.direct("dedup").outcome(DEDUP + "ListRulings", dedup_pb2.ListRulingsRequest(parent=W2022), timeout=5)
        self.assertEqual(code, grpc.StatusCode.UNAVAILABLE)

    def test_a_service_believes_a_gateway_alone(self):
        request = dedup_pb2.ListRulingsRequest(parent=W2022)
        gateway, sibling = self.direct("dedup", "peiling-gateway"), self.direct("dedup", "peiling-analytics")
        self.assertEqual(gateway.outcome(DEDUP + "ListRulings", request, metadata=[self.forged()]), OK)
        self.assertEqual(sibling.outcome(DEDUP + "ListRulings", request), OK)
        self.assertEqual(sibling.outcome(DEDUP + "ListRulings", request, metadata=[self.forged()])[0], grpc.StatusCode.PERMISSION_DENIED)

    # The audit log.

    def test_what_is_done_is_in_the_audit_log(self):
        ruling = self.researcher.dedup.ListRulings(dedup_pb2.ListRulingsRequest(parent=W2022), timeout=TIMEOUT).rulings[0]
        entry = next(e for e in self.audit(action="CreateRuling") if e.object == ruling.name)
        self.assertEqual((entry.subject, entry.credential, entry.action, entry.result, entry.reason, entry.count),
                         (self.subject(options_pb2.ROLE_RESEARCHER), identity_pb2.CREDENTIAL_KIND_KEY, "peiling.dedup.v1.DedupService/CreateRuling",
                          "OK", "", 1))
        self.assertIn("127.0.0.1", entry.origin)
        self.assertTrue(entry.request_id)
        self.assertLess(abs(entry.time.ToNanoseconds() / 1e9 - time.time()), 300)

    def test_every_way_a_call_can_end_is_in_the_audit_log(self):
        response = intake_pb2.GetResponseRequest(name=f"{W2022}/responses/5")
        calls = {
            "audit-ok": (self.researcher, (f"{W2022}/responses/5", "OK", "")),
            "audit-error": (self.researcher, (f"{W2022}/responses/none", "NOT_FOUND", "RESPONSE_NOT_FOUND")),
            "audit-role": (self.analyst, (f"{W2022}/responses/5", "PERMISSION_DENIED", "ROLE_MISSING")),
            "audit-limit": (self.limited(options_pb2.ROLE_RESEARCHER, W2019), (f"{W2022}/responses/5", "PERMISSION_DENIED", "NOT_WITHIN_LIMITS")),
        }
        for request_id, (client, (name, _, _)) in calls.items():
            client.outcome(INTAKE + "GetResponse", intake_pb2.GetResponseRequest(name=name), metadata=[("x-request-id", request_id)])
        entries = self.audit_of(calls)
        for request_id, (_, (name, result, reason)) in calls.items():
            with self.subTest(request_id):
                entry = entries[request_id]
                self.assertEqual((entry.result, entry.reason, entry.count), (result, reason, 1))
                # Before the request is read nobody knows what it is about.
                self.assertEqual(entry.object, "" if reason == "ROLE_MISSING" else name)
                self.assertTrue(entry.subject.startswith("keys/"))
        self.suite.client("nonsense").outcome(INTAKE + "GetResponse", response, metadata=[("x-request-id", "audit-nobody")])
        self.audit_of(["audit-nobody"])
        nobody = [entry for entry in self.audit(result="UNAUTHENTICATED") if entry.reason == "CREDENTIALS_INVALID"]
        self.assertEqual({entry.subject for entry in nobody}, {""})

    def audit_of(self, request_ids):
        """Entries by request id, once all are there: refusals are collected for a second."""
        deadline = time.monotonic() + 10
        while True:
            entries = {entry.request_id: entry for entry in self.audit() if entry.request_id in request_ids}
            if len(entries) == len(request_ids):
                return entries
            self.assertLess(time.monotonic(), deadline, set(request_ids) - set(entries))
            time.sleep(0.1)

    def test_refusals_that_come_in_number_are_counted_together(self):
        client = self.suite.client(self.suite.make_key(options_pb2.ROLE_MAILER).secret)
        subject = self.suite.wait_admitted(client).subject
        for _ in range(200):
            self.assertEqual(client.outcome(INTAKE + "GetResponse", b""), ROLE_MISSING)
        deadline = time.monotonic() + 10
        while sum(entry.count for entry in self.audit(subject=subject)) < 200:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        entries = self.audit(subject=subject)
        self.assertEqual(sum(entry.count for entry in entries), 200)
        self.assertLess(len(entries), 100)

    def test_streams_and_keys_are_in_the_audit_log(self):
        imported = [entry.object for entry in self.audit(action="ImportResponses", result="OK")]
        self.assertIn(W2022, imported)
        created = {entry.object for entry in self.audit(action="CreateKey", result="OK")}
        self.assertLessEqual({made.key.name for made in self.keys.values()}, created)

    def test_pages_and_filters_of_the_audit_log(self):
        # Reading it is written there, too.
        until = timestamp_pb2.Timestamp()
        until.FromNanoseconds(time.time_ns() - 2_000_000_000)
        everything = self.audit(until=until)
        self.assertEqual(everything, self.audit(until=until, page_size=7))
        self.assertEqual(len({entry.name for entry in everything}), len(everything))
        times = [entry.time.ToNanoseconds() for entry in everything]
        self.assertEqual(times, sorted(times, reverse=True))
        researcher = self.subject(options_pb2.ROLE_RESEARCHER)
        self.assertTrue(all(entry.subject == researcher for entry in self.audit(subject=researcher)))
        below = self.audit(object=W2022)
        self.assertTrue(below)
        self.assertTrue(all(entry.object == W2022 or entry.object.startswith(W2022 + "/") for entry in below))

    def test_nothing_personal_and_no_secret_is_kept_of_calls(self):
        self.researcher.outcome(INTAKE + "GetResponse", intake_pb2.GetResponseRequest(
            name=f"{W2022}/responses/5", view=intake_pb2.RESPONSE_VIEW_PERSONAL))
        self.suite.client("a-secret-that-is-not-one").outcome(INTAKE + "ListSurveys", b"")
        secrets = [made.secret[-43:].encode() for made in self.keys.values()] + [b"a-secret-that-is-not-one"]
        files = [*self.suite.directory.glob("access.db*"), *self.suite.directory.glob("*.log")]
        self.assertGreater(len(files), 5)
        for file in files:
            content = file.read_bytes()
            self.assertIsNone(NAMES.search(content), file)
            self.assertEqual([secret for secret in secrets if secret in content], [], file)


if __name__ == "__main__":
    unittest.main()
