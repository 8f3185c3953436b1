"""HTTP/JSON as it goes over the wire: curl, with keys."""

import base64
import gzip
import json
import subprocess
import unittest
import urllib.parse

from http_suite import *

WAVE = "/v1/" + W2022
SECURITY = {
    "cache-control": "no-store",
    "content-security-policy": "frame-ancestors 'none'",
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "api-version": "1.1.0",
}
DASHBOARD = "https://dashboard.example.nl"


class Answer:
    """Of `curl --include`."""

    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        status, *headers = head.decode().split("\r\n")
        self.status = int(status.split()[1])
        self.headers = {}
        for name, _, value in (header.partition(":") for header in headers):
            self.headers[name.lower()] = ", ".join(filter(None, [self.headers.get(name.lower()), value.strip()]))

    @property
    def type(self):
        return self.headers.get("content-type")

    @property
    def json(self):
        return json.loads(self.body)


class Curl(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.suite = HttpSuite(f"--cors-origins={DASHBOARD}")
        cls.addClassCleanup(cls.suite.close)
        cls.suite.wait_counted(W2022, records=cls.suite.main_job().records)
        cls.researcher = cls.suite.make_key(options_pb2.ROLE_RESEARCHER).secret
        cls.analyst = cls.suite.make_key(options_pb2.ROLE_ANALYST, resources=[W2022]).secret
        cls.administrator = cls.suite.make_key(options_pb2.ROLE_ADMINISTRATOR).secret

    def configuration(self, path, method, headers, key):
        """What curl reads on stdin, so that no key is among its arguments."""
        lines = [f'url = "{self.suite.origin}{path}"', f'request = "{method}"', *(f'header = "{header}"' for header in headers)]
        if key:
            lines.append(f'header = "Authorization: Bearer {key}"')
        return "\n".join(lines)

    def ask(self, path, method="GET", headers=(), key=None, data=None, arguments=()):
        command = ["curl", "--silent", "--show-error", "--include", "--max-time", "60", "--config", "-", *arguments]
        if method == "HEAD":
            command.append("--head")
        if data is not None:
            command += ["--data-binary", data]
        if key is None:
            key = self.researcher
        asked = subprocess.run(command, input=self.configuration(path, method, headers, key).encode(), capture_output=True, timeout=90)
        self.assertEqual(asked.returncode, 0, asked.stderr)
        return Answer(asked.stdout)

    def post(self, path, message, **arguments):
        return self.ask(path, "POST", ["Content-Type: application/json"], data=json.dumps(message), **arguments)

    def assertProblem(self, answer, status, reason):
        self.assertEqual((answer.status, answer.type), (status, "application/problem+json"), answer.body)
        self.assertEqual((answer.json["status"], answer.json["reason"]), (status, reason), answer.body)
        self.assertTrue(answer.json["title"] and answer.json["detail"], answer.body)
        return answer.json

    def test_figures_of_the_report(self):
        comparison = self.ask(f"{WAVE}/published-comparison").json
        self.assertEqual([comparison[name] for name in ("matching", "slips", "contradicted", "differing")], [312, 6, 6, 0])
        self.assertEqual(self.ask(f"{WAVE}/cleaning-report").json["report"]["records"], "90")
        table, = self.ask(f"{WAVE}/tables?questions=Q5&byStratum=STRATUM_SIZE_CLASS").json["tables"]
        self.assertEqual([column["records"] for column in table["columns"]], ["90", "58", "15", "13", "4"])
        g4 = {"questions": ["Q5"], "filters": [{"stratum": {"group": "G4"}}]}
        table, = self.post(f"{WAVE}/table-queries", g4).json["tables"]
        self.assertEqual(table["columns"][0]["records"], "2")
        self.assertEqual(self.ask(f"{WAVE}/progress?asOf=2022-09-01").json["lines"][0]["started"], "0")

    def test_every_answer_carries_version_request_id_and_security_headers(self):
        asked = [self.ask(WAVE, headers=["X-Request-Id: from-me-1"]), self.ask("/v1/nowhere"), self.ask(WAVE, key="peiling_wrong"),
                 self.ask("/v1/openapi.json"), self.ask(WAVE, "HEAD"), self.ask(WAVE, "OPTIONS")]
        for answer in asked:
            self.assertEqual({name: answer.headers.get(name, "").split(";")[0] for name in SECURITY}, SECURITY)
            self.assertTrue(answer.headers.get("x-request-id"))
        self.assertEqual(asked[0].headers["x-request-id"], "from-me-1")

    def test_unchanged_resource_is_not_sent_again(self):
        wave = self.ask(WAVE)
        self.assertEqual(wave.headers["etag"], f'"{wave.json["etag"]}"')
        again = self.ask(WAVE, headers=[f"If-None-Match: {escape(wave.headers['etag'])}"])
        self.assertEqual((again.status, again.body), (304, b""))
        self.assertEqual(again.headers["etag"], wave.headers["etag"])
        other = self.ask(WAVE, headers=[f"If-None-Match: {escape(chr(34) + 'other' + chr(34))}"])
        self.assertEqual((other.status, other.body), (200, wave.body))

    def test_change_of_what_has_changed_meanwhile_is_refused(self):
        made = self.post("/v1/keys", {"key": {"title": "curl", "grants": [{"role": "ROLE_ANALYST"}]}, "requestId": "curl"}, key=self.administrator)
        key = made.json["key"]
        revocation = [f"/v1/{key['name']}/revocation", "POST"]
        stale = self.ask(*revocation, ["Content-Type: application/json", f"If-Match: {escape(chr(34) + 'old' + chr(34))}"],
                         key=self.administrator, data='{"requestId": "curl-1"}')
        self.assertProblem(stale, 412, "ETAG_MISMATCH")
        revoked = self.ask(*revocation, ["Content-Type: application/json", f"If-Match: {escape(chr(34) + key['etag'] + chr(34))}"],
                           key=self.administrator, data='{"requestId": "curl-2"}')
        self.assertEqual(revoked.status, 200, revoked.body)
        self.assertTrue(revoked.json["revokedAt"])

    def test_all_that_is_wrong_is_said_at_once(self):
        problem = self.assertProblem(self.ask("/v1/municipalities?asOf=2022-13-01&pageSize=-1"), 400, "INVALID_REQUEST")
        self.assertEqual({(error["in"], error["location"]["name"]) for error in problem["errors"]}, {("query", "asOf"), ("query", "pageSize")})
        problem = self.assertProblem(self.ask("/v1/municipalities?asof=2022-01-01&pageSize=ten&page=1"), 400, "INVALID_REQUEST")
        self.assertEqual({error["location"]["name"] for error in problem["errors"]}, {"asof", "pageSize", "page"})
        answers = [{"question": "Q5", "selection": {"codes": ["misschien"]}}, {"question": "Q999", "text": "?"}]
        problem = self.assertProblem(self.post(f"{WAVE}/responses", {"response": {"answers": {"answers": answers}}, "requestId": "fout", "validateOnly": True},
                                               key=self.administrator), 400, "RESPONSE_INVALID")
        self.assertEqual({error["in"] for error in problem["errors"]}, {"body"})
        self.assertLessEqual({"Q1", "Q3", "Q5", "Q999"}, {error["location"].get("name") for error in problem["errors"]}, problem)
        self.assertEqual([error for error in problem["errors"] if "pointer" in error["location"]], [], "a question is not a place in the body")

    def test_body_that_does_not_fit_the_contract_is_pointed_at(self):
        problem = self.assertProblem(self.post("/v1/municipality-resolution", {"texts": ["Bergen", 7], "asOf": 2022, "colour": "blue"}), 400, "INVALID_REQUEST")
        self.assertEqual({error["location"]["pointer"] for error in problem["errors"]}, {"#/texts/1", "#/asOf", "#/colour"})
        broken = self.ask("/v1/municipality-resolution", "POST", ["Content-Type: application/json"], data='{"texts": ["Bergen"')
        self.assertProblem(broken, 400, "BODY_MALFORMED")

    def test_times_may_have_any_offset_and_come_back_in_utc(self):
        for since, some in (("2022-01-01T01:00:00+01:00", True), ("2100-01-01T01:00:00-05:00", False)):
            entries = self.ask(f"/v1/audit-entries?action=CreateRuling&since={urllib.parse.quote(since)}", key=self.administrator).json["entries"]
            self.assertEqual(bool(entries), some, since)
            for entry in entries:
                self.assertTrue(entry["time"].endswith("Z"))

    def test_head_is_get_without_its_body(self):
        got, head = self.ask(WAVE), self.ask(WAVE, "HEAD")
        self.assertEqual((head.status, head.body), (200, b""))
        for name in ("content-type", "content-length", "etag"):
            self.assertEqual(head.headers.get(name), got.headers[name], name)
        self.assertEqual(self.ask(WAVE + "/records/GM9999", "HEAD").status, 404)

    def test_options_says_what_may_be_done(self):
        answer = self.ask("/v1/municipality-resolution", "OPTIONS", key="")
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertEqual(set(answer.headers["allow"].split(", ")), {"GET", "HEAD", "OPTIONS", "POST"})
        self.assertNotIn("access-control-allow-origin", answer.headers)

    def test_pages_of_allowed_origins_alone_may_call(self):
        preflight = ["Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization"]
        allowed = self.ask(WAVE, "OPTIONS", [f"Origin: {DASHBOARD}", *preflight], key="")
        self.assertEqual(allowed.headers.get("access-control-allow-origin"), DASHBOARD)
        self.assertIn("authorization", allowed.headers.get("access-control-allow-headers", "").lower())
        self.assertIn("GET", allowed.headers.get("access-control-allow-methods", ""))
        self.assertEqual(self.ask(WAVE, headers=[f"Origin: {DASHBOARD}"]).headers.get("access-control-allow-origin"), DASHBOARD)
        other = self.ask(WAVE, "OPTIONS", ["Origin: https://elsewhere.example.nl", *preflight], key="")
        self.assertNotIn("access-control-allow-origin", other.headers)

    def test_document_is_there_for_everybody(self):
        answer = self.ask("/v1/openapi.json", headers=["Origin: https://elsewhere.example.nl"], key="")
        self.assertEqual((answer.status, answer.type), (200, "application/json"))
        self.assertEqual(answer.headers["access-control-allow-origin"], "*")
        self.assertEqual(answer.json["info"]["version"], "1.1.0")

    def test_who_is_not_known_may_do_nothing(self):
        for key in ("", "peiling_0123456789abcdef_" + "A" * 43, "eyJhbGciOiJub25lIn0.e30.", self.researcher[:-1] + "!"):
            answer = self.ask(WAVE, key=key)
            self.assertEqual((answer.status, answer.type), (401, "application/problem+json"), key)
            self.assertTrue(answer.headers["www-authenticate"].startswith("Bearer"))

    def test_who_may_not_is_told_so(self):
        self.assertProblem(self.ask(f"{WAVE}/records", key=self.analyst), 403, "ROLE_MISSING")
        self.assertEqual(self.ask(f"{WAVE}/progress", key=self.analyst).status, 200)
        self.assertProblem(self.ask(f"/v1/{W2019}/progress", key=self.analyst), 403, "NOT_WITHIN_LIMITS")

    def test_what_is_not_there(self):
        self.assertProblem(self.ask("/v1/surveys/none/waves/2022"), 404, "WAVE_NOT_FOUND")
        self.assertProblem(self.ask(f"{WAVE}/records/GM9999"), 404, "RECORD_NOT_FOUND")
        for path in ("/", "/v1", "/v1/nowhere", WAVE + "/", "/v1//surveys", "/v2/surveys", "/peiling.intake.v1.IntakeService/GetWave", "/v1/key-events"):
            answer = self.ask(path)
            self.assertEqual((answer.status, answer.type), (404, "application/problem+json"), path)

    def test_what_cannot_be_done_there(self):
        for method in ("DELETE", "PUT", "PATCH"):
            answer = self.ask(WAVE, method)
            self.assertEqual((answer.status, answer.type), (405, "application/problem+json"), method)
            self.assertEqual(set(answer.headers["allow"].split(", ")), {"GET", "HEAD", "OPTIONS"})

    def test_types_that_are_not_spoken(self):
        self.assertEqual(self.ask(WAVE, headers=["Accept: text/html"]).status, 406)
        self.assertEqual(self.ask(WAVE, headers=["Accept: text/html, */*;q=0.1"]).status, 200)
        for body_type in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"):
            answer = self.ask("/v1/municipality-resolution", "POST", [f"Content-Type: {body_type}"], data='{"texts": ["Bergen"]}')
            self.assertEqual((answer.status, answer.type), (415, "application/problem+json"), body_type)

    def test_long_answers_are_compressed_for_who_takes_that(self):
        path = f"{WAVE}/tables"
        plain, packed = self.ask(path), self.ask(path, headers=["Accept-Encoding: gzip"])
        self.assertEqual(packed.headers["content-encoding"], "gzip")
        self.assertIn("Accept-Encoding", packed.headers["vary"])
        self.assertEqual(gzip.decompress(packed.body), plain.body)
        self.assertLess(len(packed.body), len(plain.body) / 5)

    def stream(self, path, headers, enough, data=None):
        """Lines of a stream until `enough` says so of one."""
        command = ["curl", "--silent", "--no-buffer", "--max-time", "60", "--config", "-", *(["--data-binary", data] if data else [])]
        curl = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            curl.stdin.write(self.configuration(path, "POST" if data else "GET", headers, self.researcher).encode())
            curl.stdin.close()
            lines = []
            for line in curl.stdout:
                lines.append(line.decode().rstrip("\n"))
                if enough(lines[-1]):
                    return lines
            self.fail("the stream ended: " + "\n".join(lines[-3:]))
        finally:
            curl.kill()
            curl.wait()
            curl.stdout.close()

    def test_feed_by_lines(self):
        lines = self.stream(f"{WAVE}/submission-events", ["Accept: application/x-ndjson"], lambda line: "caughtUp" in line)
        events = [json.loads(line) for line in lines if line]
        self.assertEqual([int(event["submission"]["sequence"]) for event in events[:-1]], list(range(1, len(events))))
        self.assertEqual(events[-1]["caughtUp"]["sequence"], str(len(events) - 1))

    def test_feed_by_events_goes_on_after_the_last_one(self):
        lines = self.stream(f"{WAVE}/submission-events", ["Accept: text/event-stream"], lambda line: "caughtUp" in line)
        ids = [line[3:].strip() for line in lines if line.startswith("id:")]
        data = [json.loads(line[5:]) for line in lines if line.startswith("data:")]
        self.assertEqual(ids[:3], ["1", "2", "3"])
        self.assertEqual(data[2]["submission"]["sequence"], "3")
        last = len(data) - 1
        rest = self.stream(f"{WAVE}/submission-events", ["Accept: text/event-stream", f"Last-Event-ID: {last - 1}"], lambda line: "caughtUp" in line)
        sequences = [json.loads(line[5:])["submission"]["sequence"] for line in rest if line.startswith("data:") and "submission" in line]
        self.assertEqual(sequences, [str(last)])

    def test_stream_that_fails_says_so(self):
        lines = self.stream(f"{WAVE}/submission-events?afterSequence=1000000", ["Accept: application/x-ndjson"], lambda line: "SEQUENCE_IN_FUTURE" in line)
        self.assertEqual(json.loads(lines[-1])["status"], 400)

    def test_export_by_lines(self):
        content = (SURVEY / "waves" / "2022" / "responses.csv").read_bytes()
        body = self.suite.directory / "import.ndjson"
        pieces = [content[at:at + 30_000] for at in range(0, len(content), 30_000)]
        body.write_text("".join(json.dumps(line) + "\n" for line in [
            {"header": {"dryRun": True}}, *({"content": base64.b64encode(piece).decode()} for piece in pieces)]))
        lines = self.stream(f"{WAVE}/imports", ["Content-Type: application/x-ndjson"], lambda line: '"summary"' in line, data=f"@{body}")
        self.assertEqual(json.loads(lines[-1])["summary"]["unchanged"], "167")


def escape(text):
    """For curl's configuration."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


if __name__ == "__main__":
    unittest.main()
