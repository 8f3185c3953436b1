"""Links of invitations as strangers would misuse them, over gRPC and HTTP: guessed, changed by a bit, with the signature of another, for another
response, after they were replaced (also while a call is open), revoked or removed, beyond their sections, for municipalities that answer together no
more, after the wave. And what of them is in logs and files: nothing."""

import base64
import concurrent.futures
import http.client
import json
import random
import re
import string
import threading
import time
import unittest

from suite import *

SURVEY_YAML = "kind: survey\nsurvey: links\ntitle: Links\n"
WAVE_YAML = """kind: wave
survey: links
wave: {wave}
title: Links
frame_date: 2026-01-01
{times}
language: nl
synthetic_notice: verzonnen
sections:
- title: Wie
  questions:
  - {{code: naam, type: text, title: Naam, personal: true, role: respondent}}
  - {{code: gemeente, type: text, title: Gemeente, role: municipality}}
- title: Wat
  questions:
  - {{code: wat, type: text, title: Wat}}
- title: Slot
  questions:
  - {{code: slot, type: text, title: Slot}}
"""
OPEN = "surveys/links/waves/open"
CLOSING = "surveys/links/waves/closing"
OTHER = "surveys/links/waves/other"
# Those of the tests, one each, so that none disturbs another.
CODES = ["GM0363", "GM0014", "GM0518", "GM0599", "GM0344", "GM0772", "GM0855", "GM0034", "GM0080", "GM0106", "GM0114", "GM0141", "GM0150", "GM0153", "GM0158", "GM0160", "GM0163",
         "GM0164", "GM0166", "GM0168", "GM0173", "GM0175"]
TOKEN = re.compile(r"peiling-uitnodiging_[A-Za-z0-9_=-]+")
BASE64URL = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
# For which a gateway remembers what it was told (invitation_checker.h).
REMEMBERED = 1.0
DRAFTS = "/peiling.intake.v1.DraftService/"
INVITATIONS = "/peiling.fieldwork.v1.InvitationService/"
TOO_MANY = (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CREDENTIALS")


def request_id():
    return str(uuid.uuid4())


def bearer(token):
    return [("authorization", f"Bearer {token}")]


def answer_to(question, value):
    return drafts_pb2.AnswerChange(answer=answers_pb2.Answer(question=question, text=value))


class InvitationTokens(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.suite = Suite(credentials=True)
        cls.addClassCleanup(cls.suite.close)
        cls.nobody = cls.suite.client()
        documents = [("survey.yaml", SURVEY_YAML), ("open.yaml", WAVE_YAML.format(wave="open", times="opened: 2026-01-01")),
                     ("other.yaml", WAVE_YAML.format(wave="other", times="opened: 2026-01-01")),
                     ("closing.yaml", WAVE_YAML.format(wave="closing", times="opens: 2026-01-01 09:00\ncloses: 2090-01-01 17:00"))]
        cls.suite.intake.ApplyDocuments(intake_pb2.ApplyDocumentsRequest(
            documents=[intake_pb2.Document(filename=name, text=text) for name, text in documents]), timeout=TIMEOUT)
        cls.issue(OPEN, *CODES)
        for wave in (CLOSING, OTHER):
            cls.issue(wave, "GM0363")
        cls.free = iter(CODES)
        cls.seen = []  # All tokens there ever were.

    @classmethod
    def issue(cls, wave, *codes):
        deadline = time.monotonic() + 30
        request = invitations_pb2.IssueInvitationsRequest(parent=wave, municipalities=codes, request_id=request_id())
        while True:
            try:
                return cls.suite.invitations.IssueInvitations(request, timeout=TIMEOUT)
            except grpc.RpcError as error:
                # Fieldwork hears of a new wave a moment later.
                if error.code() not in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE) or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def new_invitation(self, wave=OPEN):
        """(code, token) of an invitation of this test's own."""
        code = next(self.free) if wave == OPEN else "GM0363"
        return code, self.reissue(code, wave)

    def reissue(self, code, wave=OPEN):
        request = invitations_pb2.ReissueInvitationRequest(name=f"{wave}/invitations/{code}", request_id=request_id())
        return self.token_in(self.suite.invitations.ReissueInvitation(request, timeout=TIMEOUT).link)

    def token_in(self, link):
        token = TOKEN.search(link).group()
        self.seen.append(token)
        return token

    def response(self, code, wave=OPEN):
        return f"{wave}/responses/{code}"

    def call(self, token, method, request):
        return self.nobody.outcome(method, request, metadata=bearer(token))

    def redeem(self, token):
        return self.call(token, INVITATIONS + "RedeemInvitation", invitations_pb2.RedeemInvitationRequest())

    def http(self, token, verb, path, body=None, content_type="application/json"):
        """(status, reason or None, answer)."""
        connection = http.client.HTTPConnection(self.suite.entry.http_address, timeout=TIMEOUT)
        try:
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            if body is not None:
                headers["Content-Type"] = content_type
            connection.request(verb, path, body if body is None or isinstance(body, str) else json.dumps(body), headers)
            answer = connection.getresponse()
            document = json.loads(answer.read() or b"{}")
            return answer.status, document.get("reason"), document
        finally:
            connection.close()

    def text_of(self, token, path, question):
        """The answer in the draft at this path."""
        status, reason, draft = self.http(token, "GET", path)
        self.assertEqual((status, reason), (200, None))
        return {answer["question"]: answer.get("text") for answer in draft["answers"]["answers"]}[question]

    def http_redeem(self, token):
        return self.http(token, "POST", "/v1/invitation-redemptions", {})[:2]

    def assert_refused(self, token, message=None):
        """By gRPC and HTTP, whatever is wrong with it."""
        self.assertEqual(self.redeem(token), INVALID, message)
        self.assertEqual(self.http_redeem(token), (401, "CREDENTIALS_INVALID"), message)

    def colleague(self, token, code, sections=()):
        """(number, token) of a new one."""
        request = invitations_pb2.InviteColleagueRequest(response=self.response(code), full_name="C. Ollega", email=f"{request_id()}@example.nl",
                                                         sections=sections, request_id=request_id())
        made = self.nobody.invitations.InviteColleague(request, metadata=bearer(token), timeout=TIMEOUT)
        return made.colleague.colleague, self.token_in(made.link)

    # What a link is good for.

    def test_a_link_lets_its_holder_fill_in_and_submit(self):
        code, token = self.new_invitation()
        redeemed = self.nobody.invitations.RedeemInvitation(invitations_pb2.RedeemInvitationRequest(), metadata=bearer(token), timeout=TIMEOUT)
        self.assertEqual((redeemed.response, list(redeemed.municipalities), redeemed.holder), (self.response(code), [code], True))
        self.assertEqual(self.http_redeem(token), (200, None))
        path = f"/v1/{self.response(code)}/draft"
        change = {"answer": {"question": "wat", "text": "iets"}}
        self.assertEqual(self.http(token, "POST", f"{path}/answers", {"changes": [change], "requestId": request_id()})[0], 200)
        self.assertEqual(self.text_of(token, path, "wat"), "iets")
        self.assertEqual(self.http(token, "POST", f"{path}/submission", {"requestId": request_id()})[:2], (200, None))
        caller = self.nobody.access.GetCaller(access_pb2.GetCallerRequest(), metadata=bearer(token), timeout=TIMEOUT).identity
        # Issued, and issued anew by the test.
        self.assertEqual((caller.subject, caller.credential), (f"{OPEN}/invitations/{code}/issues/2", identity_pb2.CREDENTIAL_KIND_INVITATION))
        self.assertEqual([(grant.role, list(grant.resources)) for grant in caller.grants],
                         [(options_pb2.ROLE_RESPONDENT, [self.response(code)])])

    def test_a_link_is_for_no_other_response_and_nothing_else(self):
        code, token = self.new_invitation()
        other, other_token = self.new_invitation()
        for each in (token, other_token):
            self.assertEqual(self.redeem(each), OK)
        theirs = self.response(other)
        for name, request in (
                ("GetDraft", drafts_pb2.GetDraftRequest(name=theirs)),
                ("SaveDraft", drafts_pb2.SaveDraftRequest(name=theirs, changes=[answer_to("wat", "x")], request_id=request_id())),
                ("SubmitDraft", drafts_pb2.SubmitDraftRequest(name=theirs, request_id=request_id())),
                ("ReopenDraft", drafts_pb2.ReopenDraftRequest(name=theirs, request_id=request_id())),
                ("ListDraftChanges", drafts_pb2.ListDraftChangesRequest(parent=theirs))):
            self.assertEqual(self.call(token, DRAFTS + name, request), OUTSIDE, name)
        for name, request in (
                ("InviteColleague", invitations_pb2.InviteColleagueRequest(response=theirs, full_name="X", email="x@x.nl", request_id=request_id())),
                ("ListColleagues", invitations_pb2.ListColleaguesRequest(response=theirs)),
                ("RemoveColleague", invitations_pb2.RemoveColleagueRequest(response=theirs, colleague="1", request_id=request_id())),
                ("HandOver", invitations_pb2.HandOverRequest(response=theirs, full_name="X", email="x@x.nl", request_id=request_id()))):
            self.assertEqual(self.call(token, INVITATIONS + name, request), OUTSIDE, name)
        intake = "/peiling.intake.v1.IntakeService/"
        self.assertEqual(self.call(token, intake + "WithdrawResponse", intake_pb2.WithdrawResponseRequest(name=theirs)), OUTSIDE)
        self.assertEqual(self.call(token, intake + "SubmitResponse", intake_pb2.SubmitResponseRequest(parent=OPEN)), OUTSIDE)
        for verb, path in (("GET", f"/v1/{theirs}/draft"), ("GET", f"/v1/{theirs}/draft/changes"), ("GET", f"/v1/{theirs}/colleagues")):
            self.assertEqual(self.http(token, verb, path)[:2], (403, "NOT_WITHIN_LIMITS"), path)
        # Names that are nearly its own.
        for name in (self.response(code)[:-1], self.response(code) + "0", self.response(code) + "/", self.response(code).upper(), OPEN, "",
                     self.response(code, CLOSING), f"{self.response(code)}/../{other}"):
            self.assertEqual(self.call(token, DRAFTS + "GetDraft", drafts_pb2.GetDraftRequest(name=name))[1] in ("NOT_WITHIN_LIMITS", "INVALID_REQUEST"),
                             True, name)
        # Every method of every contract.
        for method in methods():
            options = method.GetOptions()
            access = options.Extensions[options_pb2.access] if options.HasExtension(options_pb2.access) else None
            outcome = self.call(token, path_of(method), b"")
            if access is None:
                self.assertEqual(outcome, UNKNOWN, method.full_name)
            elif options_pb2.ROLE_RESPONDENT in access.roles and not access.unlimited:
                self.assertEqual(outcome, OUTSIDE, method.full_name)
            elif options_pb2.ROLE_RESPONDENT not in access.roles and not access.anonymous:
                self.assertEqual(outcome, ROLE_MISSING, method.full_name)

    # Tokens that are none.

    def test_guesses_get_nobody_in_and_hold_up_nobody(self):
        code, token = self.new_invitation()
        new = [self.new_invitation()[1] for _ in range(2)]
        self.assertEqual(self.redeem(token), OK)
        prefix = token[:-43]
        over = threading.Event()
        chance = random.Random(5)

        def guess():
            return prefix + "".join(chance.choices(BASE64URL, k=43))

        def flood(ask):
            outcomes = set()
            while not over.is_set():
                outcomes.add(ask(guess()))
            return outcomes

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            floods = [pool.submit(flood, self.redeem if i % 2 else self.http_redeem) for i in range(16)]
            try:
                slowest = 0
                end = time.monotonic() + 4
                while time.monotonic() < end:
                    begin = time.monotonic()
                    self.assertEqual(self.call(token, DRAFTS + "GetDraft", drafts_pb2.GetDraftRequest(name=self.response(code))), OK)
                    slowest = max(slowest, time.monotonic() - begin)
                # The first use of a link, too.
                for each in new:
                    self.assertEqual(self.http_redeem(each), (200, None))
            finally:
                over.set()
            for each in floods:
                self.assertLessEqual(each.result(), {INVALID, TOO_MANY, (401, "CREDENTIALS_INVALID"), (503, "TOO_MANY_CREDENTIALS")})
        self.assertLess(slowest, 2)

    def test_what_looks_nearly_like_a_token_is_none(self):
        _, token = self.new_invitation()
        self.assertEqual(self.redeem(token), OK)
        secret = token[-43:]
        for wrong in (token[:-1], token + "A", token + "=", token + "==", "peiling-uitnodiging_", secret, token[:-44] + token[-43:], token.upper(),
                      token.lower(), token.replace("peiling-uitnodiging_", "peiling_"), token + token, token + " " + token,
                      token[:-43] + "A" * 43, "peiling-uitnodiging_" + "A" * 900, "peiling-uitnodiging_" + "A" * 3000,
                      f"peiling-uitnodiging_{OPEN}/invitations/GM0363_{secret}"):
            self.assert_refused(wrong, wrong)
        # What HTTP takes away around it is no part of it; another scheme is another thing.
        self.assertEqual(self.http_redeem(token + " "), (200, None))
        self.assertEqual(self.nobody.outcome(INVITATIONS + "RedeemInvitation", b"", metadata=[("authorization", f"Basic {token}")]), INVALID)
        self.assertEqual(self.http(None, "POST", f"/v1/invitation-redemptions?access_token={token}", {})[:2], (401, "CREDENTIALS_MISSING"))

    def test_no_bit_of_a_token_may_change(self):
        _, token = self.new_invitation()
        self.assertEqual(self.redeem(token), OK)
        begin = len("peiling-uitnodiging_")
        for at in range(begin, len(token)):
            if token[at] not in BASE64URL:
                continue
            number = BASE64URL.index(token[at])
            # The last character of a part has bits that stand for nothing: all of them, there.
            flips = range(6) if at >= len(token) - 2 or at >= len(token) - 46 and at < len(token) - 43 else (at % 6,)
            for bit in flips:
                changed = token[:at] + BASE64URL[number ^ 1 << bit] + token[at + 1:]
                self.assertEqual(self.redeem(changed), INVALID, (at, bit))
        self.assertEqual(self.redeem(token), OK)

    def test_the_signature_of_another_link_is_worth_nothing(self):
        code, token = self.new_invitation()
        _, other = self.new_invitation()
        _, other_wave = self.new_invitation(OTHER)
        number, colleague = self.colleague(token, code)
        _, second = self.colleague(token, code)
        tokens = [token, other, other_wave, colleague, second]
        for each in tokens:
            self.assertEqual(self.redeem(each), OK)
        for one in tokens:
            for another in tokens:
                if one != another:
                    self.assert_refused(one[:-43] + another[-43:])
        # Somebody who was never invited, with a signature of somebody who was.
        ids = base64.urlsafe_b64encode(f"links/open/{code}/99".encode()).decode().rstrip("=")
        for padding in ("", "=", "=="):
            self.assert_refused(f"peiling-uitnodiging_{ids}{padding}_{token[-43:]}")

    # Links that have ended.

    def assert_ends(self, token, code, end):
        """Shown all the time, over gRPC and HTTP, it lets in nobody later than a second after `end` was acknowledged."""
        self.assertEqual((self.redeem(token), self.http_redeem(token)), (OK, (200, None)))
        over = threading.Event()
        last = {}

        def ask_grpc():
            return self.call(token, DRAFTS + "GetDraft", drafts_pb2.GetDraftRequest(name=self.response(code)))

        def ask_http():
            return self.http(token, "GET", f"/v1/{self.response(code)}/draft")[:2]

        def hammer(ask, good, refused):
            while not over.is_set():
                begin = time.monotonic()
                outcome = ask()
                if outcome == good:
                    last[ask] = begin
                else:
                    assert outcome == refused, outcome

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            hammers = [pool.submit(hammer, ask_grpc, OK, INVALID), pool.submit(hammer, ask_http, (200, None), (401, "CREDENTIALS_INVALID"))]
            try:
                time.sleep(1.5)
                end()
                ended = time.monotonic()
                time.sleep(2 * REMEMBERED)
            finally:
                over.set()
            for each in hammers:
                each.result()
        self.assertEqual(len(last), 2)
        for ask, begun in last.items():
            self.assertLessEqual(begun - ended, REMEMBERED, ask)
        self.assert_refused(token)

    def test_a_reissued_link_replaces_the_old_one_at_once(self):
        code, token = self.new_invitation()
        new = []
        self.assert_ends(token, code, lambda: new.append(self.reissue(code)))
        self.assertEqual(self.redeem(new[0]), OK)
        self.assertNotEqual(token[-43:], new[0][-43:])

    def test_a_revoked_link_ends_with_those_of_its_colleagues_and_may_come_back_as_another(self):
        code, token = self.new_invitation()
        _, colleague = self.colleague(token, code)
        self.assertEqual(self.redeem(colleague), OK)
        request = invitations_pb2.RevokeInvitationRequest(name=f"{OPEN}/invitations/{code}", reason="e2e", request_id=request_id())
        self.assert_ends(token, code, lambda: self.suite.invitations.RevokeInvitation(request, timeout=TIMEOUT))
        self.assert_refused(colleague)
        new = self.reissue(code)
        self.assertEqual(self.redeem(new), OK)
        self.assert_refused(token)

    def test_a_colleague_who_is_removed_is_out_and_a_draft_handed_over_is_somebody_elses(self):
        code, token = self.new_invitation()
        number, colleague = self.colleague(token, code)
        remove = invitations_pb2.RemoveColleagueRequest(response=self.response(code), colleague=number, request_id=request_id())
        self.assert_ends(colleague, code, lambda: self.nobody.invitations.RemoveColleague(remove, metadata=bearer(token), timeout=TIMEOUT))
        self.assertEqual(self.redeem(token), OK)
        over = invitations_pb2.HandOverRequest(response=self.response(code), full_name="N. Ieuw", email="n@example.nl", request_id=request_id())
        self.assert_ends(token, code, lambda: self.nobody.invitations.HandOver(over, metadata=bearer(token), timeout=TIMEOUT))

    def open_call(self, token, path, body):
        """A call over HTTP that was let in and of which the last byte is missing: a function that sends it and gives (status, reason)."""
        content = json.dumps(body).encode()
        connection = http.client.HTTPConnection(self.suite.entry.http_address, timeout=TIMEOUT)
        self.addCleanup(connection.close)
        connection.putrequest("POST", path)
        for name, value in (("Authorization", f"Bearer {token}"), ("Content-Type", "application/json"), ("Content-Length", str(len(content)))):
            connection.putheader(name, value)
        connection.endheaders(content[:-1])

        def finish():
            connection.send(content[-1:])
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}").get("reason")

        return finish

    def test_a_call_that_was_open_when_its_link_was_replaced_does_nothing(self):
        code, token = self.new_invitation()
        self.assertEqual(self.redeem(token), OK)
        number, _ = self.colleague(token, code)
        path = f"/v1/{self.response(code)}"
        person = {"fullName": "D. Ief", "email": "dief@example.nl"}
        calls = [self.open_call(token, f"{path}/colleagues", {**person, "requestId": request_id()}),
                 self.open_call(token, f"{path}/colleagues/{number}/removal", {"requestId": request_id()}),
                 self.open_call(token, f"{path}/handover", {**person, "requestId": request_id()}),
                 self.open_call(token, "/v1/invitation-redemptions", {"language": "fy"})]
        time.sleep(0.3)
        new = self.reissue(code)
        # At once, while gateways may remember it.
        for finish in calls:
            status, reason = finish()
            self.assertIn((status, reason), {(403, "NOT_THE_HOLDER"), (401, "TOKEN_UNKNOWN"), (401, "CREDENTIALS_INVALID")})
        colleagues = self.nobody.invitations.ListColleagues(invitations_pb2.ListColleaguesRequest(response=self.response(code)),
                                                            metadata=bearer(new), timeout=TIMEOUT).colleagues
        self.assertEqual([(each.colleague, each.full_name, each.HasField("removed_at")) for each in colleagues], [(number, "C. Ollega", False)])
        self.assertFalse(self.suite.invitations.GetInvitation(
            invitations_pb2.GetInvitationRequest(name=f"{OPEN}/invitations/{code}"), timeout=TIMEOUT).invitation.handed_over)

    def test_a_draft_that_is_saved_in_a_call_open_for_long_is_not_saved_with_a_replaced_link(self):
        code, token = self.new_invitation()
        self.assertEqual(self.redeem(token), OK)
        change = {"answer": {"question": "wat", "text": "van wie het was"}}
        finish = self.open_call(token, f"/v1/{self.response(code)}/draft/answers", {"changes": [change], "requestId": request_id()})
        time.sleep(0.3)
        new = self.reissue(code)
        time.sleep(2)
        self.assertEqual(finish()[0], 401)
        _, _, draft = self.http(new, "GET", f"/v1/{self.response(code)}/draft")
        self.assertNotIn("van wie het was", json.dumps(draft))

    def test_histories_tell_who_held_a_link_before_from_who_holds_it_now(self):
        code, token = self.new_invitation()
        name = self.response(code)
        self.assertEqual(self.redeem(token), OK)
        for question in ("wat", "slot"):
            save = drafts_pb2.SaveDraftRequest(name=name, changes=[answer_to(question, "x")], request_id=request_id())
            self.assertEqual(self.call(token, DRAFTS + "SaveDraft", save), OK)
            token = self.reissue(code)
        changes = self.suite.drafts.ListDraftChanges(drafts_pb2.ListDraftChangesRequest(parent=name), timeout=TIMEOUT).changes
        holders = [f"{OPEN}/invitations/{code}/issues/{issue}" for issue in (2, 3)]
        self.assertEqual(list(dict.fromkeys(change.changed_by for change in changes if change.answers)), holders)

    def test_a_joint_draft_is_not_shown_to_one_of_them_when_they_part(self):
        first, second = sorted((next(self.free), next(self.free)))
        for code in (first, second):
            self.suite.invitations.RevokeInvitation(invitations_pb2.RevokeInvitationRequest(
                name=f"{OPEN}/invitations/{code}", reason="e2e", request_id=request_id()), timeout=TIMEOUT)
        joint = invitations_pb2.JointInvitation(municipalities=[second, first])
        self.suite.invitations.IssueInvitations(invitations_pb2.IssueInvitationsRequest(
            parent=OPEN, joint=[joint], joint_only=True, request_id=request_id()), timeout=TIMEOUT)
        together = f"{first}-2"
        token = self.reissue(together)
        self.assertEqual(self.redeem(token), OK)
        save = drafts_pb2.SaveDraftRequest(name=self.response(together), request_id=request_id(),
                                           changes=[answer_to("wat", "samen"), answer_to("naam", "B. Geheim")])
        self.assertEqual(self.call(token, DRAFTS + "SaveDraft", save), OK)

        self.suite.invitations.RevokeInvitation(invitations_pb2.RevokeInvitationRequest(
            name=f"{OPEN}/invitations/{together}", reason="e2e", request_id=request_id()), timeout=TIMEOUT)
        self.issue(OPEN, first)
        alone = self.reissue(first)
        redeemed = self.nobody.invitations.RedeemInvitation(invitations_pb2.RedeemInvitationRequest(), metadata=bearer(alone), timeout=TIMEOUT)
        self.assertEqual((redeemed.response, list(redeemed.municipalities)), (self.response(first), [first]))
        _, _, draft = self.http(alone, "GET", f"/v1/{self.response(first)}/draft")
        for theirs in ("samen", "Geheim"):
            self.assertNotIn(theirs, json.dumps(draft))
        self.assertEqual(self.http(alone, "GET", f"/v1/{self.response(together)}/draft")[:2], (403, "NOT_WITHIN_LIMITS"))
        time.sleep(REMEMBERED)
        self.assert_refused(token)
        save = drafts_pb2.SaveDraftRequest(name=self.response(first), changes=[answer_to("wat", "alleen")], request_id=request_id())
        self.assertEqual(self.call(alone, DRAFTS + "SaveDraft", save), OK)

    def test_a_name_is_not_an_advertisement(self):
        code, token = self.new_invitation()
        for name in ("www.win.nl", "Klik http://x", "a@b.nl", "x\ny"):
            invite = invitations_pb2.InviteColleagueRequest(response=self.response(code), full_name=name, email="x@example.nl", request_id=request_id())
            self.assertEqual(self.call(token, INVITATIONS + "InviteColleague", invite), (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"), name)

    def test_whoever_may_write_in_all_sections_submits_also_a_colleague(self):
        code, token = self.new_invitation()
        self.assertEqual(self.redeem(token), OK)
        _, colleague = self.colleague(token, code)
        for name, request in (("SaveDraft", drafts_pb2.SaveDraftRequest(changes=[answer_to("wat", "x")])), ("SubmitDraft", drafts_pb2.SubmitDraftRequest()),
                              ("ReopenDraft", drafts_pb2.ReopenDraftRequest())):
            request.name = self.response(code)
            request.request_id = request_id()
            self.assertEqual(self.call(colleague, DRAFTS + name, request), OK, name)

    def test_a_link_is_for_its_sections(self):
        code, token = self.new_invitation()
        self.assertEqual(self.redeem(token), OK)
        name = self.response(code)
        own = drafts_pb2.SaveDraftRequest(name=name, changes=[answer_to("naam", "A. Geheim")], request_id=request_id())
        self.nobody.drafts.SaveDraft(own, metadata=bearer(token), timeout=TIMEOUT)
        _, colleague = self.colleague(token, code, sections=[2])
        redeemed = self.nobody.invitations.RedeemInvitation(invitations_pb2.RedeemInvitationRequest(), metadata=bearer(colleague), timeout=TIMEOUT)
        self.assertEqual((list(redeemed.sections), redeemed.holder), ([2], False))

        def save(*questions):
            request = drafts_pb2.SaveDraftRequest(name=name, changes=[answer_to(question, "x") for question in questions], request_id=request_id())
            return self.call(colleague, DRAFTS + "SaveDraft", request)

        self.assertEqual(save("wat"), OK)
        not_theirs = (grpc.StatusCode.PERMISSION_DENIED, "NOT_WITHIN_SECTIONS")
        for questions in (["naam"], ["slot"], ["wat", "slot"]):
            self.assertEqual(save(*questions), not_theirs, questions)
        answers = f"/v1/{name}/draft/answers"
        body = {"changes": [{"answer": {"question": "slot", "text": "x"}}], "requestId": request_id()}
        self.assertEqual(self.http(colleague, "POST", answers, body)[:2], (403, "NOT_WITHIN_SECTIONS"))
        submit = drafts_pb2.SubmitDraftRequest(name=name, request_id=request_id())
        self.assertEqual(self.call(colleague, DRAFTS + "SubmitDraft", submit), (grpc.StatusCode.PERMISSION_DENIED, "NOT_WHOLE_DRAFT"))
        holders = (grpc.StatusCode.PERMISSION_DENIED, "NOT_THE_HOLDER")
        invite = invitations_pb2.InviteColleagueRequest(response=name, full_name="X", email="x@example.nl", request_id=request_id())
        self.assertEqual(self.call(colleague, INVITATIONS + "InviteColleague", invite), holders)
        hand_over = invitations_pb2.HandOverRequest(response=name, full_name="X", email="x@example.nl", request_id=request_id())
        self.assertEqual(self.call(colleague, INVITATIONS + "HandOver", hand_over), holders)
        _, _, draft = self.http(colleague, "GET", f"/v1/{name}/draft")
        self.assertNotIn("Geheim", json.dumps(draft), "personal, and of another section")
        _, _, draft = self.http(token, "GET", f"/v1/{name}/draft")
        self.assertIn("Geheim", json.dumps(draft))

    def test_after_the_wave_a_link_shows_and_does_no_more(self):
        _, token = self.new_invitation(CLOSING)
        self.assertEqual(self.redeem(token), OK)
        name = self.response("GM0363", CLOSING)
        save = drafts_pb2.SaveDraftRequest(name=name, changes=[answer_to("wat", "op tijd")], request_id=request_id())
        self.assertEqual(self.call(token, DRAFTS + "SaveDraft", save), OK)
        self.suite.intake.CloseWave(intake_pb2.CloseWaveRequest(name=CLOSING, reason="e2e", request_id=request_id()), timeout=TIMEOUT)
        closed = (grpc.StatusCode.FAILED_PRECONDITION, "WAVE_CLOSED")
        deadline = time.monotonic() + 30
        late = drafts_pb2.SaveDraftRequest(name=name, changes=[answer_to("wat", "te laat")], request_id=request_id())
        self.assertEqual(self.call(token, DRAFTS + "SaveDraft", late), closed)
        self.assertEqual(self.call(token, DRAFTS + "SubmitDraft", drafts_pb2.SubmitDraftRequest(name=name, request_id=request_id())), closed)
        # Fieldwork hears of it a moment later.
        redeem = invitations_pb2.RedeemInvitationRequest()
        while not self.nobody.invitations.RedeemInvitation(redeem, metadata=bearer(token), timeout=TIMEOUT).read_only:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        invite = invitations_pb2.InviteColleagueRequest(response=name, full_name="X", email="x@example.nl", request_id=request_id())
        self.assertEqual(self.call(token, INVITATIONS + "InviteColleague", invite), closed)
        self.assertEqual(self.text_of(token, f"/v1/{name}/draft", "wat"), "op tijd")

    # What takes no credential.

    def test_unsubscribing_takes_a_post_and_no_credential(self):
        path = "/v1/unsubscriptions/nothing"
        form = ("List-Unsubscribe=One-Click", "application/x-www-form-urlencoded")
        self.assertEqual(self.http(None, "POST", path, *form)[:2], (400, "TOKEN_INVALID"))
        # Programs that look at links in mail do so with GET: they get the same page whatever the token is.
        connection = http.client.HTTPConnection(self.suite.entry.http_address, timeout=TIMEOUT)
        self.addCleanup(connection.close)
        connection.request("GET", path)
        page = connection.getresponse()
        self.assertEqual((page.status, page.headers.get_content_type()), (200, "text/html"))
        self.assertNotIn(b"nothing", page.read())
        self.assertEqual(self.http("peiling-uitnodiging_x", "POST", path, *form)[:2], (401, "CREDENTIALS_INVALID"))
        unsubscribe = "/peiling.fieldwork.v1.MailService/Unsubscribe"
        self.assertEqual(self.nobody.outcome(unsubscribe, mail_pb2.UnsubscribeRequest(token="nothing")),
                         (grpc.StatusCode.INVALID_ARGUMENT, "TOKEN_INVALID"))
        self.assertEqual(self.nobody.outcome(INVITATIONS + "RedeemInvitation", b""), MISSING)

    # Last, by its name: it looks at what all others have left behind.

    def test_z_no_token_is_in_logs_or_files(self):
        self.assertGreater(len(self.seen), 10)
        secrets = [token[-43:].encode() for token in self.seen]
        for path in self.suite.directory.rglob("*"):
            if not path.is_file():
                continue
            content = path.read_bytes()
            for secret in secrets:
                self.assertNotIn(secret, content, path)
                self.assertNotIn(base64.urlsafe_b64decode(secret + b"="), content, path)
        audited = self.suite.audit_entries()
        self.assertIn(f"{OPEN}/invitations/GM0363/issues/2", {entry.subject for entry in audited})
        for entry in audited:
            self.assertNotIn(b"peiling-uitnodiging_", entry.SerializeToString())


if __name__ == "__main__":
    unittest.main()
