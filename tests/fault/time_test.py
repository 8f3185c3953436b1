"""A wave from before it opens until its personal data are past their time, on a clock that is set forward: to the minute, over the night the clocks
change, and after it nothing personal is left while every table stays as it is."""

import datetime
import unittest
import zoneinfo

from clock_test import Clock
from google.protobuf import timestamp_pb2
from suite import *

WAVE = "surveys/tijd/waves/2026"
RESPONSE = f"{WAVE}/responses/GM0363"
# The clocks go forward in the night of 29 March; the wave ends on the other side of it.
DOCUMENTS = {
    "survey.yaml": "kind: survey\nsurvey: tijd\ntitle: Tijd\n",
    "2026.yaml": """kind: wave
survey: tijd
wave: 2026
title: Tijd 2026
frame_date: 2026-01-01
opens: 2026-03-24 09:00
closes: 2026-03-30 17:00
grace: 2h
language: nl
synthetic_notice: verzonnen
sections:
- title: Wie
  questions:
  - {code: naam, type: text, title: Naam, personal: true, role: respondent}
  - {code: gemeente, type: text, title: Gemeente, role: municipality}
- title: Wat
  questions:
  - {code: wat, type: single, title: Wat, options: [{code: ja, label: Ja}, {code: nee, label: Nee}]}
""",
}
NAME = "Zonderling-Vermeulen"
ADDRESS = "z.vermeulen@amsterdam.nl"
# The suite looks at the wall clock every two seconds (absl::Now).
NOTICED = 4
AMSTERDAM = zoneinfo.ZoneInfo("Europe/Amsterdam")


def request_id():
    return str(uuid.uuid4())


class SuiteOnAClock(Suite):
    """Everything in one process, on a clock of its own."""

    def __init__(self, clock):
        self.clock = clock
        super().__init__(credentials=True)

    def add(self, title, program, *needs, arguments=()):
        self.processes[title] = Process(program, self.directory, arguments, environment=self.clock.environment(), insecure=self.is_insecure(program))

    def restart(self):
        self.entry.stop()
        self.entry.start()
        self.wait_healthy()


class TimePasses(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="peiling-time-"))
        cls.addClassCleanup(shutil.rmtree, directory)
        cls.clock = Clock(directory / "clock")
        cls.set_clock("2026-03-20 12:00")
        cls.suite = SuiteOnAClock(cls.clock)
        cls.addClassCleanup(cls.suite.close)

    @classmethod
    def set_clock(cls, text):
        """To a moment in Amsterdam."""
        moment = datetime.datetime.fromisoformat(text).replace(tzinfo=AMSTERDAM)
        cls.clock.set(int(moment.timestamp() - time.time()))

    def at(self, text):
        self.set_clock(text)
        time.sleep(NOTICED)

    def as_holder(self):
        issued = self.suite.invitations.ReissueInvitation(
            invitations_pb2.ReissueInvitationRequest(name=f"{WAVE}/invitations/GM0363", request_id=request_id()), timeout=TIMEOUT)
        return self.suite.client("peiling-uitnodiging_" + issued.link.split("peiling-uitnodiging_")[1])

    def redeem(self, holder):
        return holder.outcome("/peiling.fieldwork.v1.InvitationService/RedeemInvitation", invitations_pb2.RedeemInvitationRequest())

    def save(self, holder, **answers):
        """(code, reason) of saving these, over whatever stands there."""
        etag = holder.drafts.GetDraft(drafts_pb2.GetDraftRequest(name=RESPONSE), timeout=TIMEOUT).draft.etag
        changes = [drafts_pb2.AnswerChange(answer=self.answer(question, value)) for question, value in answers.items()]
        return holder.outcome("/peiling.intake.v1.DraftService/SaveDraft",
                              drafts_pb2.SaveDraftRequest(name=RESPONSE, etag=etag, changes=changes, request_id=request_id()))

    def answer(self, question, value):
        if question == "wat":
            return answers_pb2.Answer(question=question, selection=answers_pb2.Selection(codes=[value]))
        return answers_pb2.Answer(question=question, text=value)

    def submit(self, holder):
        return holder.outcome("/peiling.intake.v1.DraftService/SubmitDraft", drafts_pb2.SubmitDraftRequest(name=RESPONSE, request_id=request_id()))

    def reopen(self, holder):
        return holder.outcome("/peiling.intake.v1.DraftService/ReopenDraft", drafts_pb2.ReopenDraftRequest(name=RESPONSE, request_id=request_id()))

    def wave(self):
        return self.suite.intake.GetWave(intake_pb2.GetWaveRequest(name=WAVE), timeout=TIMEOUT).wave

    def questions_answered(self):
        request = intake_pb2.GetResponseRequest(name=RESPONSE, view=intake_pb2.RESPONSE_VIEW_PERSONAL)
        return [answer.question for answer in self.suite.intake.GetResponse(request, timeout=TIMEOUT).response.answers.answers]

    def contact(self):
        return self.suite.contacts.ListContacts(contacts_pb2.ListContactsRequest(parent="municipalities/GM0363", show_erased=True),
                                                timeout=TIMEOUT).contacts[0]

    def files(self):
        """All that the suite wrote, but what it read its keys from."""
        return b"".join(path.read_bytes() for path in sorted(self.suite.directory.rglob("*")) if path.is_file() and not path.is_symlink())

    def until(self, what, true, timeout=90):
        deadline = time.monotonic() + timeout
        while not true():
            self.assertLess(time.monotonic(), deadline, f"not in {timeout} s: {what}")
            time.sleep(0.2)

    def test_a_wave_opens_closes_and_is_forgotten_in_time(self):
        suite = self.suite
        suite.intake.ApplyDocuments(intake_pb2.ApplyDocumentsRequest(
            documents=[intake_pb2.Document(filename=name, text=text) for name, text in DOCUMENTS.items()]), timeout=TIMEOUT)
        suite.contacts.CreateContact(contacts_pb2.CreateContactRequest(
            parent="municipalities/GM0363", request_id=request_id(),
            contact=contacts_pb2.Contact(kind=contacts_pb2.CONTACT_KIND_PERSON, full_name=NAME, email=ADDRESS)), timeout=TIMEOUT)
        invite = invitations_pb2.IssueInvitationsRequest(parent=WAVE, municipalities=["GM0363"], request_id=request_id())
        # Fieldwork hears of the wave a moment later.
        self.until("invited", lambda: suite.outcome("/peiling.fieldwork.v1.InvitationService/IssueInvitations", invite) == OK)
        holder = self.as_holder()

        # To the minute.
        self.at("2026-03-24 08:59:30")
        self.assertEqual(self.redeem(holder), (grpc.StatusCode.FAILED_PRECONDITION, "WAVE_PLANNED"))
        self.at("2026-03-24 09:00:00")
        self.assertEqual(self.redeem(holder), OK)
        self.assertEqual(self.save(holder, naam=NAME, wat="ja"), OK)
        self.assertEqual(self.submit(holder), OK)

        # The last minute before closing, on summer time; then the hours of grace; then no more.
        self.at("2026-03-30 16:59:00")
        self.assertEqual(self.wave().state, intake_pb2.WAVE_STATE_OPEN)
        self.assertEqual(self.reopen(holder), OK)
        self.at("2026-03-30 17:00:00")
        self.assertEqual(self.wave().state, intake_pb2.WAVE_STATE_GRACE)
        self.assertEqual(self.save(holder, wat="nee"), OK)
        self.assertEqual(self.submit(holder), OK)
        self.at("2026-03-30 19:00:00")
        self.assertEqual(self.wave().state, intake_pb2.WAVE_STATE_CLOSED)
        self.assertEqual(self.reopen(holder), (grpc.StatusCode.FAILED_PRECONDITION, "WAVE_CLOSED"))
        self.assertEqual(self.redeem(holder), OK)  # To read.

        # More time is more time, also once it was over.
        suite.intake.ExtendWave(intake_pb2.ExtendWaveRequest(name=WAVE, closes_at=self.timestamp("2026-04-02 17:00"), reason="op verzoek",
                                                             request_id=request_id()), timeout=TIMEOUT)
        self.assertEqual(self.reopen(holder), OK)
        self.assertEqual(self.save(holder, wat="ja"), OK)
        self.assertEqual(self.submit(holder), OK)
        self.at("2026-04-02 20:00:00")
        self.assertEqual(self.reopen(holder), (grpc.StatusCode.FAILED_PRECONDITION, "WAVE_CLOSED"))

        # Nothing personal is in a file in plain text, ever.
        tables = suite.fingerprint(WAVE)
        for text in (NAME, ADDRESS):
            self.assertNotIn(text.encode(), self.files())

        # Three months after closing, and not before.
        self.at("2026-07-02 16:30:00")
        suite.restart()
        self.assertEqual(self.contact().full_name, NAME)
        self.assertEqual(self.questions_answered(), ["naam", "gemeente", "wat"])
        self.at("2026-07-02 17:00:00")
        suite.restart()
        self.until("the contact is erased", lambda: self.contact().HasField("erased_at"))
        self.assertEqual((self.contact().full_name, self.contact().email), ("", ""))
        self.until("the answers are erased", lambda: self.questions_answered() == ["gemeente", "wat"])
        kinds = [change.kind for change in suite.intake.ListWaveChanges(intake_pb2.ListWaveChangesRequest(parent=WAVE), timeout=TIMEOUT).changes]
        self.assertEqual(kinds[-1], intake_pb2.WAVE_CHANGE_KIND_ERASED)
        self.assertIn(intake_pb2.WAVE_CHANGE_KIND_EXTENDED, kinds)
        # The link is gone with its holder; the tables are as they were; there is no way back.
        self.assertEqual(self.redeem(holder), INVALID)
        self.assertEqual(suite.fingerprint(WAVE), tables)
        extend = intake_pb2.ExtendWaveRequest(name=WAVE, closes_at=self.timestamp("2026-08-01 17:00"), request_id=request_id())
        self.assertEqual(suite.outcome("/peiling.intake.v1.IntakeService/ExtendWave", extend),
                         (grpc.StatusCode.FAILED_PRECONDITION, "PERSONAL_DATA_ERASED"))

    def timestamp(self, text):
        return timestamp_pb2.Timestamp(seconds=int(datetime.datetime.fromisoformat(text).replace(tzinfo=AMSTERDAM).timestamp()))


if __name__ == "__main__":
    unittest.main()
