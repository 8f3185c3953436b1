"""A whole wave of 344 municipalities, from contacts to closing: real services, a real mail server, a foreign mailing system and officials who
answer by the links in their mail. Once undisturbed; once with every process killed at random moments, leases that run out, results and events
that come late, twice and in any order. Nobody gets a mail twice, every mail that is due goes, nobody who submitted is reminded, no answer is
lost, and both end the same."""

import collections
import datetime
import random
import re
import struct
import subprocess
import threading
import unittest
import zoneinfo
from unittest import mock

from mail_server import MailServer
from suite import *

AMSTERDAM = zoneinfo.ZoneInfo("Europe/Amsterdam")
CLOCK_LIBRARY = BIN.parent / "tests" / "fault" / "libclock_shift.so"
WAVE = "surveys/proef/waves/2026"
CLIENT = ROOT / "tests" / "e2e" / "mailing_client.py"
LINK = re.compile(r"peiling-uitnodiging_[A-Za-z0-9_=-]+")
HOUR = 3600
DAY = 24 * HOUR

SURVEY_YAML = "kind: survey\nsurvey: proef\ntitle: Proef\ndescription: Een proef.\n"
WAVE_YAML = """
kind: wave
survey: proef
wave: "2026"
title: Proef 2026
language: nl
frame_date: 2022-03-24
opens: {opens}
closes: {closes}
grace: 1h
mailing:
  sender: peiling@vng.test
  sender_name: VNG
  steps:
  - {{id: uitnodiging, kind: invitation}}
  - {{id: herinnering-1, kind: reminder, after: opening, days: 14, at: "09:00"}}
  - {{id: herinnering-2, kind: reminder, after: opening, days: 28, at: "09:00"}}
  - {{id: laatste, kind: reminder, before: closing, days: 3, at: "09:00"}}
  - {{id: verlenging, kind: extension}}
  - {{id: dank, kind: thanks, offset: 10m}}
targets:
- {{stratum: total, code: total, percent: 80}}
- {{stratum: size_class, code: under_50k, percent: 70}}
sections:
- title: Algemeen
  questions:
  - {{code: V1, type: text, title: "Wat is uw naam?", personal: true, required: true, role: respondent}}
  - {{code: V2, type: text, title: "Voor welke gemeente?", role: municipality}}
- title: Teams
  questions:
  - {{code: V3, type: single, required: true, title: "Zijn er teams?", options: [{{code: ja, label: Ja}}, {{code: nee, label: Nee}}]}}
  - {{code: V4, type: multiple, ask: "V3 == ja", title: "Welke?", options: [{{code: a, label: A}}, {{code: b, label: B}}, {{code: c, label: C}}]}}
- title: Slot
  questions:
  - {{code: V5, type: number, title: "Hoeveel?", min: 0, max: 1000}}
  - {{code: V6, type: text, title: "Wat nog?"}}
"""


def moment(time_):
    return time_.strftime("%Y-%m-%d %H:%M")


class Clock:
    """The wall clock of all services; see tests/fault/clock_shift.cc."""

    def __init__(self, path):
        self.path = path
        self.shift = 0
        path.write_bytes(struct.pack("=q", 0))

    def go_to(self, when):
        """To a moment that is not yet; the time since goes on."""
        self.set(max(self.shift, int(when.timestamp() - time.time()) + 1))

    def forward(self, seconds):
        self.set(self.shift + seconds)

    def set(self, shift):
        self.shift = shift
        with open(self.path, "r+b") as file:
            file.write(struct.pack("=q", shift))
        # Abseil counts the processor's cycles and looks at the clock every two seconds; what gateways remember of credentials is of before.
        time.sleep(2.5)

    def environment(self):
        return {"LD_PRELOAD": str(CLOCK_LIBRARY), "PEILING_CLOCK_SHIFT": str(self.path)}


class ClockedSuite(Suite):
    """Services of which each is a process, with a clock of their own."""

    def __init__(self, directory):
        self.clock = Clock(directory / "clock")
        super().__init__(separate=True, directory=directory, credentials=True)

    def add(self, title, program, *needs, arguments=()):
        with mock.patch.dict(os.environ, self.clock.environment()):
            super().add(title, program, *needs, arguments=arguments)
        self.processes[title].environment.update(self.clock.environment())


class Program:
    """A part of the mailing system, which may be killed and started again."""

    def __init__(self, directory, name, arguments, credential, mischief):
        self.name, self.arguments = name, arguments
        self.log_path = directory / f"{name}.log"
        self.environment = {"PEILING_STUBS": str(STUBS), "PEILING_CREDENTIAL": credential}
        self.mischief, self.starts = mischief, 0
        self.start()

    def start(self):
        self.starts += 1
        environment = {**os.environ, **self.environment}
        if self.mischief is not None:
            environment["PEILING_MISCHIEF"] = str(self.mischief + self.starts)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(["/usr/bin/python3", CLIENT, *self.arguments], env=environment, stdout=log, stderr=log)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Monkey(threading.Thread):
    """Kills a process at random every moment, and starts it again."""

    def __init__(self, victims, seed):
        super().__init__(daemon=True)
        self.victims, self.random, self.over, self.kills = victims, random.Random(seed), threading.Event(), collections.Counter()

    def run(self):
        while not self.over.wait(self.random.uniform(0.3, 1.5)):
            victim = self.random.choice(self.victims)
            victim.kill()
            self.kills[getattr(victim, "program", None) or victim.name] += 1
            self.over.wait(self.random.uniform(0, 0.5))
            victim.start()

    def stop(self):
        self.over.set()
        self.join()


def patiently(call, request, timeout=120):
    """The answer of a call that may be repeated, through whatever is down at the moment."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return call(request, timeout=10)
        except grpc.RpcError as error:
            passing = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.ABORTED,
                                       grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED)
            if not passing or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def answer(question, text=None, number=None, codes=None):
    made = answers_pb2.Answer(question=question)
    if text is not None:
        made.text = text
    elif number is not None:
        made.number = number
    else:
        made.selection.codes.extend(codes)
    return made


def change(made, municipality=""):
    return drafts_pb2.AnswerChange(answer=made, municipality=municipality)


class Fieldwork:
    """One run of the wave."""

    def __init__(self, test, disturbed, seed=20261122):
        self.test, self.disturbed, self.random = test, disturbed, random.Random(seed)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="peiling-wave-"))
        test.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.server = MailServer(self.directory / "exim")
        test.addCleanup(self.server.stop)
        self.suite = ClockedSuite(self.directory)
        test.addCleanup(self.suite.close)
        self.suite.wait_healthy()
        self.monkey = None
        self.programs = []
        self.submitted = {}  # By municipality: when, by the real clock.
        tomorrow = datetime.datetime.now(AMSTERDAM).date() + datetime.timedelta(days=1)
        self.opens = datetime.datetime.combine(tomorrow, datetime.time(9), AMSTERDAM)
        self.closes = datetime.datetime.combine(tomorrow + datetime.timedelta(days=42), datetime.time(17), AMSTERDAM)

    # --- Setting up ---

    def set_up(self):
        documents = [intake_pb2.Document(filename="survey.yaml", text=SURVEY_YAML),
                     intake_pb2.Document(filename="2026.yaml", text=WAVE_YAML.format(opens=moment(self.opens), closes=moment(self.closes)))]
        self.suite.intake.ApplyDocuments(intake_pb2.ApplyDocumentsRequest(documents=documents), timeout=TIMEOUT)
        listed = self.suite.registry.ListMunicipalities(registry_pb2.ListMunicipalitiesRequest(as_of="2022-03-24", page_size=1000), timeout=TIMEOUT)
        self.codes = [municipality.code for municipality in listed.municipalities]
        self.test.assertEqual(len(self.codes), 344)
        self.joint = [(self.codes[20], self.codes[30]), (self.codes[50], self.codes[60])]
        imported = self.suite.contacts.ImportContacts(contacts_pb2.ImportContactsRequest(
            content=self.contacts().encode(), source="proef", as_of="2022-03-24", request_id="contacts"), timeout=TIMEOUT)
        self.test.assertEqual((imported.added, imported.refused), (3 * 344 - 4, 0))
        request = invitations_pb2.IssueInvitationsRequest(parent=WAVE, request_id="issue",
                                                          joint=[invitations_pb2.JointInvitation(municipalities=pair) for pair in self.joint])
        issued = patiently(self.suite.invitations.IssueInvitations, request)
        self.test.assertEqual(issued.issued, 342)
        key = self.suite.make_key(options_pb2.ROLE_MAILER, resources=[WAVE]).secret
        mischief = self.random.randrange(10**6) if self.disturbed else None
        gateway = self.suite.entry.address
        self.programs = [
            Program(self.directory, "sender", ["send", gateway, WAVE, self.server.address, "bounces@peiling.test"], key, mischief),
            Program(self.directory, "second-sender", ["send", gateway, WAVE, self.server.address, "bounces@peiling.test"], key, mischief),
            Program(self.directory, "reporter", ["report", gateway, WAVE, str(self.server.reports)], key, mischief)]
        for program in self.programs:
            self.test.addCleanup(program.kill)

    def kind(self, code):
        return self.codes.index(code) % 10

    def address(self, code, number):
        prefix = {6: "weg", 7: "terug", 9: "druk"}.get(self.kind(code), "") if number == 1 else ""
        return f"{prefix}{number}@{code.lower()}.test"

    def contacts(self):
        lines = ["gemeentecode;naam;e-mail;soort;volgorde"]
        for code in self.codes:
            if self.codes.index(code) not in (40, 70):
                lines += [f"{code};Persoon {number} van {code};{self.address(code, number)};persoon;{number}" for number in (1, 2)]
            lines.append(f"{code};;info@{code.lower()}.test;algemeen;9")
        return "\n".join(lines) + "\n"

    # --- Mail ---

    def states(self):
        status = patiently(self.suite.mail.GetMailStatus, mail_pb2.GetMailStatusRequest(parent=WAVE))
        counts = collections.Counter()
        for step in status.steps:
            for state in step.states:
                counts[mail_pb2.MessageState.Name(state.state).removeprefix("MESSAGE_STATE_")] += state.count
        return counts

    def reported(self):
        """The server has nothing left to deliver, and all it reports was told."""
        queue = subprocess.run(["/usr/sbin/exim4", "-C", self.server.configuration, "-bpc"], stdout=subprocess.PIPE, text=True, check=True).stdout
        return queue.strip() == "0" and not any((self.server.reports / "new").glob("*"))

    def wait(self, what, condition, timeout=240):
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                logs = "".join(program.log_path.read_text()[-1500:] for program in self.programs)
                self.test.fail(f"{what}: {self.states()}\n{logs}" + "".join(p.log_tail()[-800:] for p in self.suite.processes.values()))
            time.sleep(0.2)

    def planned(self):
        """The planner has seen everything: nothing new comes up for a while."""
        before = None
        for _ in range(200):
            now = self.states()
            if now == before:
                return
            before = now
            time.sleep(1.5)

    def mail_all(self):
        """Lets everything that is due go, through all that goes wrong, and come to rest."""
        self.wake_monkey()
        self.planned()
        self.wait("mail goes out", lambda: self.states()["DUE"] == 0 or self.disturbed and self.only_retries())
        self.calm_monkey()
        for _ in range(40):
            self.wait("reports come in", self.reported)
            states = self.states()
            if not any(states[state] for state in ("DUE", "LEASED", "BEGUN", "UNCERTAIN")):
                self.planned()
                if not any(self.states()[state] for state in ("DUE", "LEASED", "BEGUN", "UNCERTAIN")) and self.reported():
                    return
                continue
            # Leases run out; what nobody heard of for so long was not sent; what was refused for now is tried again.
            self.suite.clock.forward(5 * 60)
            time.sleep(2)
        self.test.fail(f"mail does not come to rest: {self.states()}")

    def only_retries(self):
        """What is due waits for another try."""
        time.sleep(5)
        return self.states()["DUE"] < 60

    def wake_monkey(self):
        if self.disturbed:
            self.monkey = Monkey([*self.suite.processes.values(), *self.programs], self.random.random())
            self.monkey.start()

    def calm_monkey(self):
        if self.monkey:
            self.monkey.stop()
            self.monkey = None
            self.suite.wait_healthy()

    def link(self, code, number=None, to=None):
        """The token in the latest mail to somebody."""
        address = to or self.address(code, number)
        tokens = [(int(message["Date"].datetime.timestamp()), LINK.search(message.get_body(("plain",)).get_content()))
                  for recipient, message in self.server.mails() if recipient == address]
        found = [token.group(0) for _, token in sorted(tokens, key=lambda pair: pair[0]) if token]
        self.test.assertTrue(found, f"no link was mailed to {address}")
        return found[-1]

    # --- Officials ---

    def redeem(self, token):
        client = self.suite.client(token)
        return client, patiently(client.invitations.RedeemInvitation, invitations_pb2.RedeemInvitationRequest())

    def save(self, client, name, *changes, etag=""):
        request = drafts_pb2.SaveDraftRequest(name=name, etag=etag, changes=changes, request_id=str(uuid.uuid4()))
        saved = patiently(client.drafts.SaveDraft, request)
        self.test.assertFalse(saved.conflicts)
        return saved.etag

    def fill_in(self, client, name, code):
        number = int(code[2:])
        etag = self.save(client, name, change(answer("V1", text=f"Persoon van {code}")))
        teams = [answer("V3", codes=["ja"]), answer("V4", codes=["a", "b", "c"][:number % 3 + 1])] if number % 4 else [answer("V3", codes=["nee"])]
        etag = self.save(client, name, *map(change, teams), etag=etag)
        return self.save(client, name, change(answer("V5", number=number % 1000)), change(answer("V6", text=f"Over {code}")), etag=etag)

    def submit(self, client, name, municipalities):
        patiently(client.drafts.SubmitDraft, drafts_pb2.SubmitDraftRequest(name=name, request_id=f"submit-{name}"))
        for municipality in municipalities:
            self.submitted[municipality] = time.time()

    def respond(self, code, number):
        to = f"info@{code.lower()}.test" if self.codes.index(code) in (40, 70) else None
        client, invited = self.redeem(self.link(code, number, to))
        self.fill_in(client, invited.response, code)
        for other in list(invited.municipalities)[1:]:
            self.save(client, invited.response, change(answer("V5", number=int(other[2:]) % 1000), other),
                      etag=patiently(client.drafts.GetDraft, drafts_pb2.GetDraftRequest(name=invited.response)).draft.etag)
        self.submit(client, invited.response, invited.municipalities)
        client.channel.close()

    def begin_with_a_colleague(self, code):
        """The holder fills in the first section and asks a colleague for the second."""
        client, invited = self.redeem(self.link(code, 1))
        self.save(client, invited.response, change(answer("V1", text=f"Persoon van {code}")))
        patiently(client.invitations.InviteColleague, invitations_pb2.InviteColleagueRequest(
            response=invited.response, full_name="Collega", email=f"collega@{code.lower()}.test", sections=[2], request_id=f"colleague-{code}"))
        client.channel.close()

    def colleague_answers(self, code):
        client, invited = self.redeem(self.link(code, to=f"collega@{code.lower()}.test"))
        self.test.assertEqual(list(invited.sections), [2])
        self.save(client, invited.response, change(answer("V3", codes=["nee"])))
        client.channel.close()

    def finish(self, code):
        client, invited = self.redeem(self.link(code, 1))
        self.submit(client, invited.response, invited.municipalities)
        client.channel.close()

    def of_kind(self, *kinds):
        second = {pair[1] for pair in self.joint}
        return [code for code in self.codes if self.kind(code) in kinds and code not in second]

    def together(self, act, codes):
        """Several officials at once, in the disturbed run with processes dying under their hands."""
        self.wake_monkey()
        waiting, failures = list(codes), []

        def work():
            while waiting:
                try:
                    act(waiting.pop())
                except IndexError:
                    return
                except Exception as problem:  # pylint: disable=broad-except
                    failures.append(problem)
                    return
        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.calm_monkey()
        if failures:
            raise failures[0]
        self.thank()

    def thank(self):
        """Whoever submitted is thanked, ten minutes later."""
        self.suite.clock.forward(11 * 60)
        self.mail_all()

    # --- The wave ---

    def run(self):
        clock = self.suite.clock
        self.set_up()
        self.test.assertEqual(self.states()["DUE"], 0, "nothing goes before the wave opens")
        clock.go_to(self.opens)
        self.mail_all()
        self.together(lambda code: self.respond(code, 1), self.of_kind(0, 1, 2))
        self.together(self.begin_with_a_colleague, self.of_kind(3, 4))
        self.together(self.colleague_answers, self.of_kind(3, 4))
        for program in self.programs[:2]:
            program.kill()
        clock.go_to(self.opens + datetime.timedelta(days=14))
        self.submit_while_a_reminder_is_leased()
        self.mail_all()
        self.together(self.finish, [code for code in self.of_kind(3, 4) if code not in self.submitted])
        self.together(lambda code: self.respond(code, 2), self.of_kind(6))
        clock.go_to(self.opens + datetime.timedelta(days=28))
        self.mail_all()
        self.together(lambda code: self.respond(code, 1), self.of_kind(9))
        clock.go_to(self.opens + datetime.timedelta(days=31))
        self.mail_all()
        self.together(lambda code: self.respond(code, 2), self.of_kind(5))
        extended = self.closes + datetime.timedelta(days=7)
        request = intake_pb2.ExtendWaveRequest(name=WAVE, reason="Meer tijd", request_id="extend")
        request.closes_at.FromSeconds(int(extended.timestamp()))
        patiently(self.suite.intake.ExtendWave, request)
        self.mail_all()
        self.together(lambda code: self.respond(code, 2), self.of_kind(7))
        clock.go_to(extended - datetime.timedelta(days=3) + datetime.timedelta(hours=1))
        self.mail_all()
        late = self.suite.client(self.link(self.of_kind(8)[0], 1))
        patiently(late.invitations.RedeemInvitation, invitations_pb2.RedeemInvitationRequest())
        clock.go_to(extended + datetime.timedelta(hours=2))
        self.refuse_late(late)
        self.mail_all()
        return self.outcome()

    def submit_while_a_reminder_is_leased(self):
        """Somebody takes the reminders; then some of their officials submit. Whoever did gets none."""
        chosen = self.of_kind(3, 4)[:5]
        leased = {}
        request = mail_pb2.LeaseMailRequest(parent=WAVE, max_messages=1000)
        request.lease_duration.FromSeconds(600)

        def has_reminders():
            request.request_id = str(uuid.uuid4())
            lease = patiently(self.suite.mail.LeaseMail, request)
            leased.update({code_of(message.message): (lease.lease_id, message.message) for message in lease.messages})
            return leased.keys() >= set(chosen)
        self.wait("reminders become due", has_reminders)
        for code in chosen:
            self.finish(code)
        for code in chosen:
            lease, message = leased[code]
            begun = patiently(self.suite.mail.BeginMail, mail_pb2.BeginMailRequest(parent=WAVE, lease_id=lease, messages=[message]))
            self.test.assertEqual([(result.result, result.cancel_reason) for result in begun.results],
                                  [(mail_pb2.MAIL_RESULT_CANCELLED, mail_pb2.CANCEL_REASON_SUBMITTED)])
        for program in self.programs[:2]:
            program.start()

    def refuse_late(self, client):
        code = self.of_kind(8)[0]
        with self.test.assertRaises(grpc.RpcError) as refused:
            client.drafts.SaveDraft(drafts_pb2.SaveDraftRequest(name=f"{WAVE}/responses/{code}", changes=[change(answer("V6", text="te laat"))],
                                                                request_id="late"), timeout=TIMEOUT)
        info, _ = details(refused.exception)
        self.test.assertEqual((refused.exception.code(), info.reason), (grpc.StatusCode.FAILED_PRECONDITION, "WAVE_CLOSED"))

    # --- What came of it ---

    def messages(self):
        request = mail_pb2.ListMessagesRequest(parent=WAVE, page_size=1000)
        while True:
            page = patiently(self.suite.mail.ListMessages, request)
            yield from page.messages
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def outcome(self):
        position = self.suite.intake.GetWave(intake_pb2.GetWaveRequest(name=WAVE), timeout=TIMEOUT).wave.last_sequence
        self.suite.cleaning_report(WAVE, position)
        self.suite.wait_counted(WAVE, position)
        records, decisions, tables = self.suite.fingerprint(WAVE)
        final = {(m.name.split("/")[-1].rsplit(".", 1)[0], mail_pb2.MessageState.Name(m.state), mail_pb2.CancelReason.Name(m.cancel_reason))
                 for m in self.messages()}
        return {"records": records, "decisions": decisions, "tables": tables, "mail": final,
                "sent": sorted((recipient, step_of(message)) for message, recipient in self.server.accepted())}


def code_of(message):
    """The municipality of a message's name."""
    return message.split("/")[-1].split(".")[0]


def step_of(message_id):
    """The step of a mail, from its Message-ID "surveys.proef.waves.2026.messages.GM0003.uitnodiging.1@peiling.test"."""
    return message_id.split("@")[0].split(".")[6]


class Wave(unittest.TestCase):
    maxDiff = 4000

    def check_mail(self, fieldwork, outcome):
        accepted = fieldwork.server.accepted()
        twice = [mail for mail, count in collections.Counter(
            (recipient, message) for message, recipient in accepted).items() if count > 1]
        self.assertEqual(twice, [])
        steps = collections.Counter((recipient, step_of(message)) for message, recipient in accepted)
        self.assertEqual([mail for mail, count in steps.items() if count > 1], [], "nobody gets a step twice")
        delivered = collections.Counter((recipient, str(message["Message-ID"])) for recipient, message in fieldwork.server.mails())
        self.assertEqual([mail for mail, count in delivered.items() if count > 1], [], "no mailbox has a mail twice")
        open_states = {state for _, state, _ in outcome["mail"]} & {f"MESSAGE_STATE_{s}" for s in ("DUE", "LEASED", "BEGUN", "UNCERTAIN")}
        self.assertEqual(open_states, set(), "every mail that was due went, or need not go")
        sent = {(recipient, step_of(message)) for message, recipient in accepted}
        steps_of = collections.defaultdict(set)
        for message, _ in accepted:
            steps_of[message.split(".")[5]].add(step_of(message))
        invited = set(fieldwork.codes) - {pair[1] for pair in fieldwork.joint}
        self.assertEqual({code for code, steps in steps_of.items() if "uitnodiging" in steps}, invited)
        self.assertEqual({code for code, steps in steps_of.items() if "dank" in steps}, set(fieldwork.submitted) & invited)
        for code in fieldwork.of_kind(8):
            self.assertLessEqual({"herinnering-1", "herinnering-2", "verlenging~1", "laatste"}, steps_of[code], code)
        for recipient, message in fieldwork.server.mails():
            step = step_of(str(message["Message-ID"]).strip("<>"))
            code = code_of(str(message["X-Peiling-Message"]))
            if step.startswith(("herinnering", "laatste", "verlenging")) and code in fieldwork.submitted:
                self.assertLess(message["Date"].datetime.timestamp(), fieldwork.submitted[code] + 1, f"{recipient} was reminded by {step}")
        self.assertIn((fieldwork.address(fieldwork.of_kind(6)[0], 2), "uitnodiging"), sent, "a refused address leads to the next contact")
        self.assertIn((fieldwork.address(fieldwork.of_kind(7)[0], 2), "uitnodiging"), sent, "so does one that comes back")
        self.assertIn((fieldwork.address(fieldwork.of_kind(5)[0], 2), "uitnodiging"), sent, "and one that stays silent")

    def check_answers(self, fieldwork, outcome):
        records = [dedup_pb2.Record.FromString(record) for record in outcome["records"]]
        self.assertEqual({record.municipality_code for record in records if record.complete}, set(fieldwork.submitted))
        for record in records:
            if not record.complete:
                continue
            numbers = [a.number for a in record.answers.answers if a.question == "V5"]
            if fieldwork.kind(record.municipality_code) not in (3, 4):
                self.assertEqual(numbers, [int(record.municipality_code[2:]) % 1000], record.municipality_code)

    def test_a_wave_ends_the_same_whatever_goes_wrong(self):
        undisturbed = Fieldwork(self, disturbed=False)
        expected = undisturbed.run()
        self.check_mail(undisturbed, expected)
        self.check_answers(undisturbed, expected)
        disturbed = Fieldwork(self, disturbed=True)
        outcome = disturbed.run()
        self.check_mail(disturbed, outcome)
        self.check_answers(disturbed, outcome)
        for part, what in expected.items():
            self.assertEqual(outcome[part], what, part)


if __name__ == "__main__":
    unittest.main()
