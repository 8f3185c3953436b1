"""Two hundred questionnaires with three people writing in each at once, and a kill -9 in the middle: what was acknowledged is there."""

import concurrent.futures
import re
import threading
import time
import unittest
import uuid

import grpc

from suite import TIMEOUT, Suite, details, answers_pb2, drafts_pb2, intake_pb2, options_pb2

WAVE = "surveys/drafts/waves/one"
SURVEY_YAML = "kind: survey\nsurvey: drafts\ntitle: Drafts\n"
WAVE_YAML = """kind: wave
survey: drafts
wave: one
title: Drafts
frame_date: 2026-01-01
opened: 2026-01-01
language: nl
synthetic_notice: verzonnen
sections:
- title: Wie
  questions:
  - {code: naam, type: text, title: Naam, personal: true, required: true, role: respondent}
  - {code: gemeente, type: text, title: Gemeente, required: true, role: municipality}
- title: Wat
  questions:
  - {code: samen, type: text, title: Wat iedereen weet}
  - {code: a, type: text, title: Wat de eerste weet}
  - {code: b, type: number, title: Wat de tweede weet}
  - {code: c, type: multiple, title: Wat de derde weet, options: [{code: x, label: X}, {code: y, label: Y}]}
"""
DRAFTS = 200
WRITERS = 3
ROUNDS = 3
# As many as write at once; those of one draft come one after the other.
THREADS = 48
# Calls that a process which is killed answers so may have happened.
UNKNOWN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INTERNAL,
           grpc.StatusCode.UNKNOWN)


def text(question, value):
    return answers_pb2.Answer(question=question, text=value)


def change(answer):
    return drafts_pb2.AnswerChange(answer=answer)


def name_of(draft):
    return f"{WAVE}/responses/GM{1000 + draft}"


class Writer:
    """One of those who write in a draft. It goes by what saving answered, and reads the draft only when it is in conflict."""

    def __init__(self, client, draft, number, acknowledged):
        self.client = client
        self.draft = draft
        self.number = number
        self.acknowledged = acknowledged
        self.etag = "r1"
        self.known = ""

    def save(self, answer):
        """Saved, or in conflict; repeated with the same request until it is known which."""
        request = drafts_pb2.SaveDraftRequest(name=name_of(self.draft), etag=self.etag, changes=[change(answer)],
                                              request_id=str(uuid.uuid4()))
        saved = self.patiently(self.client.drafts.SaveDraft, request)
        self.etag = saved.etag
        if not saved.conflicts:
            self.acknowledged.count()
        return saved

    @staticmethod
    def patiently(method, request):
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                return method(request, timeout=5)
            except grpc.RpcError as error:
                if error.code() not in UNKNOWN or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def append(self, mark):
        """Adds to the text that all write in."""
        while self.save(text("samen", self.known + mark)).conflicts:
            self.read()
        self.known += mark

    def read(self):
        draft = self.patiently(self.client.drafts.GetDraft, drafts_pb2.GetDraftRequest(name=name_of(self.draft))).draft
        self.etag = draft.etag
        self.known = next(answer.text for answer in draft.answers.answers if answer.question == "samen")

    def own(self, round_):
        if self.number == 0:
            return text("a", f"ronde {round_}")
        if self.number == 1:
            return answers_pb2.Answer(question="b", number=round_)
        return answers_pb2.Answer(question="c", selection=answers_pb2.Selection(codes=["x", "y"][:1 + round_ % 2]))

    def write(self):
        for round_ in range(ROUNDS):
            self.append(f"<{self.number}.{round_}>")
            # Without having read what the others did since.
            saved = self.save(self.own(round_))
            assert not saved.conflicts, saved


class Acknowledged:
    """Counts, and calls `at` when it comes to a number."""

    def __init__(self, number, at):
        self.lock = threading.Lock()
        self.counted = 0
        self.number = number
        self.at = at

    def count(self):
        with self.lock:
            self.counted += 1
            due = self.counted == self.number
        if due:
            self.at()


class DraftsTest(unittest.TestCase):
    def setUp(self):
        self.suite = Suite(credentials=True, gateway_arguments=["--draft-feed-interval=1"])
        self.addCleanup(self.suite.close)
        documents = [intake_pb2.Document(text=SURVEY_YAML), intake_pb2.Document(text=WAVE_YAML)]
        self.suite.intake.ApplyDocuments(intake_pb2.ApplyDocumentsRequest(documents=documents), timeout=TIMEOUT)
        self.administrators = [self.suite.client(self.suite.make_key(options_pb2.ROLE_ADMINISTRATOR).secret) for _ in range(WRITERS)]

    def create(self, draft):
        return self.suite.drafts.CreateDraft(
            drafts_pb2.CreateDraftRequest(parent=WAVE, response_id=f"GM{1000 + draft}", municipalities=[f"GM{1000 + draft}"],
                                          request_id=f"create-{draft}"), timeout=TIMEOUT).draft

    def get(self, draft, validate=False):
        return self.suite.drafts.GetDraft(drafts_pb2.GetDraftRequest(name=name_of(draft), validate=validate), timeout=TIMEOUT).draft

    def changes(self, draft):
        request = drafts_pb2.ListDraftChangesRequest(parent=name_of(draft), page_size=7)
        while True:
            page = self.suite.drafts.ListDraftChanges(request, timeout=TIMEOUT)
            yield from page.changes
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def kill_and_start(self):
        process = self.suite.entry
        process.kill()
        process.start()
        self.killed = True

    def test_nothing_acknowledged_is_lost(self):
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self.create, range(DRAFTS)))
            total = DRAFTS * WRITERS * ROUNDS * 2
            acknowledged = Acknowledged(total // 2, self.kill_and_start)
            self.killed = False
            writers = [Writer(self.administrators[number], draft, number, acknowledged)
                       for draft in range(DRAFTS) for number in range(WRITERS)]
            for done in [pool.submit(writer.write) for writer in writers]:
                done.result()
            self.assertTrue(self.killed)
            self.assertEqual(acknowledged.counted, total)
            list(pool.map(self.check, range(DRAFTS)))
            list(pool.map(self.submit, range(DRAFTS)))
        self.check_states()

    def check(self, draft):
        answers = {answer.question: answer for answer in self.get(draft).answers.answers}
        marks = re.findall(r"<(\d)\.(\d)>", answers["samen"].text)
        self.assertEqual(sorted(marks), sorted((str(writer), str(round_)) for writer in range(WRITERS) for round_ in range(ROUNDS)))
        self.assertEqual(answers["a"].text, f"ronde {ROUNDS - 1}")
        self.assertEqual(answers["b"].number, ROUNDS - 1)
        self.assertEqual(list(answers["c"].selection.codes), ["x", "y"][:1 + (ROUNDS - 1) % 2])
        # Who saved what: every save once, whether the first or the second try of it was acknowledged.
        changes = list(self.changes(draft))
        self.assertEqual([change.etag for change in changes], [f"r{at}" for at in range(1, 2 + 2 * WRITERS * ROUNDS)])
        self.assertEqual(len({change.changed_by for change in changes[1:]}), WRITERS)

    def submit(self, draft):
        request = drafts_pb2.SubmitDraftRequest(name=name_of(draft), request_id=f"submit-{draft}")
        with self.assertRaises(grpc.RpcError) as refused:
            self.suite.drafts.SubmitDraft(request, timeout=TIMEOUT)
        info, fields = details(refused.exception)
        self.assertEqual((info.reason, [field.field for field in fields]), ("RESPONSE_INVALID", ["naam"]))
        self.assertEqual([issue.question for issue in self.get(draft, validate=True).issues], ["naam"])
        self.suite.drafts.SaveDraft(
            drafts_pb2.SaveDraftRequest(name=name_of(draft), etag=self.get(draft).etag, changes=[change(text("naam", f"Persoon {draft}"))],
                                        request_id=f"name-{draft}"), timeout=TIMEOUT)
        submitted = self.suite.drafts.SubmitDraft(request, timeout=TIMEOUT)
        self.assertEqual(submitted.response.state, intake_pb2.RESPONSE_STATE_SUBMITTED)
        self.assertEqual(submitted, self.suite.drafts.SubmitDraft(request, timeout=TIMEOUT), "a repeat is answered alike")

    def check_states(self):
        """The feed has all of them as they are, whatever it had of them meanwhile."""
        last = {}
        for response in self.suite.intake.WatchSubmissions(intake_pb2.WatchSubmissionsRequest(parent=WAVE), timeout=TIMEOUT):
            if response.HasField("caught_up"):
                break
            last[response.submission.response.name] = response.submission.response
        self.assertEqual(len(last), DRAFTS)
        for draft in range(DRAFTS):
            response = last[name_of(draft)]
            self.assertEqual(response.state, intake_pb2.RESPONSE_STATE_SUBMITTED)
            self.assertEqual(list(response.municipalities), [f"GM{1000 + draft}"])
            self.assertNotIn("naam", [answer.question for answer in response.answers.answers])
            self.assertNotEqual(response.respondent_key, "")

    def test_two_pages_of_one_person_do_not_overwrite_each_other(self):
        self.create(0)

        def save(etag, *answers):
            return self.suite.drafts.SaveDraft(
                drafts_pb2.SaveDraftRequest(name=name_of(0), etag=etag, changes=[change(answer) for answer in answers],
                                            request_id=str(uuid.uuid4())), timeout=TIMEOUT)

        def submit(etag):
            return self.suite.drafts.SubmitDraft(drafts_pb2.SubmitDraftRequest(name=name_of(0), etag=etag, request_id=str(uuid.uuid4())),
                                                 timeout=TIMEOUT)

        self.assertEqual(save("r1", text("samen", "van de ander")).etag, "r2")
        mine = save("r1", text("naam", "Persoon"), text("a", "een"))
        self.assertTrue(mine.others_changed)
        mine = save(mine.etag, text("a", "twee"))
        self.assertFalse(mine.conflicts)
        mine = save(mine.etag, text("samen", "van mij"))
        self.assertEqual([conflict.theirs.text for conflict in mine.conflicts], ["van de ander"])
        with self.assertRaises(grpc.RpcError) as refused:
            submit(mine.etag)
        self.assertEqual(details(refused.exception)[0].reason, "ETAG_MISMATCH")
        mine = save(self.get(0).etag, text("samen", "van ons"))
        self.assertFalse(mine.conflicts)
        self.assertEqual(submit(mine.etag).response.state, intake_pb2.RESPONSE_STATE_SUBMITTED)

    def test_between_saves_the_feed_follows(self):
        self.create(0)
        saved = self.suite.drafts.SaveDraft(
            drafts_pb2.SaveDraftRequest(name=name_of(0), etag="r1", changes=[change(text("a", "halverwege"))], last_section=2,
                                        request_id="save"), timeout=TIMEOUT)
        self.assertEqual(saved.etag, "r2")
        for message in self.suite.intake.WatchSubmissions(intake_pb2.WatchSubmissionsRequest(parent=WAVE), timeout=TIMEOUT):
            answers = {answer.question: answer for answer in message.submission.response.answers.answers}
            if "a" in answers:
                break
        response = message.submission.response
        self.assertEqual(answers["a"].text, "halverwege")
        self.assertEqual(response.state, intake_pb2.RESPONSE_STATE_STARTED)
        self.assertEqual(response.completeness.answered, 2)
        self.assertEqual(self.suite.intake.GetResponse(intake_pb2.GetResponseRequest(name=name_of(0)), timeout=TIMEOUT).response.state,
                         intake_pb2.RESPONSE_STATE_STARTED)


if __name__ == "__main__":
    unittest.main()
