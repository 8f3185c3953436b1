"""`peilingctl mail run`, `merge` and `bounces` against the real suite and a real mail server: nobody gets a mail twice, whenever the sender is
killed; a mail server that lets nobody send blames nobody; what comes back is told."""

import collections
import csv
import datetime
import json
import unittest
import zoneinfo

from mail_server import MailServer
from suite import *

AMSTERDAM = zoneinfo.ZoneInfo("Europe/Amsterdam")
WAVE = "surveys/proef/waves/2026"
MUNICIPALITIES = 30
# Of every 15 municipalities the first contacts that come back: never five in a row, and between them more leases of one mail than Exim takes
# commands that are no mail.
KINDS = {3: "weg", 6: "terug"}

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
mailing:
  sender: peiling@vng.test
  sender_name: VNG
  steps:
  - {{id: uitnodiging, kind: invitation}}
sections:
- title: Algemeen
  questions:
  - {{code: V1, type: text, title: "Voor welke gemeente?", role: municipality}}
  - {{code: V2, type: text, title: "Wat nog?"}}
"""


class MailRun(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="peiling-mail-run-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.suite = Suite(directory=self.directory, gateway_arguments=["--mail-settle-time=5s"])
        self.addCleanup(self.suite.close)
        self.suite.wait_healthy()
        now = datetime.datetime.now(AMSTERDAM)
        opens, closes = ((now + datetime.timedelta(days=days)).strftime("%Y-%m-%d %H:%M") for days in (-1, 40))
        documents = [intake_pb2.Document(filename="survey.yaml", text=SURVEY_YAML),
                     intake_pb2.Document(filename="2026.yaml", text=WAVE_YAML.format(opens=opens, closes=closes))]
        self.suite.intake.ApplyDocuments(intake_pb2.ApplyDocumentsRequest(documents=documents), timeout=TIMEOUT)
        listed = self.suite.registry.ListMunicipalities(registry_pb2.ListMunicipalitiesRequest(as_of="2022-03-24", page_size=1000), timeout=TIMEOUT)
        self.codes = [municipality.code for municipality in listed.municipalities][:MUNICIPALITIES]
        lines = ["gemeentecode;naam;e-mail;soort;volgorde"]
        lines += [f"{code};Persoon {number};{self.address(code, number)};persoon;{number}" for code in self.codes for number in (1, 2)]
        imported = self.suite.contacts.ImportContacts(contacts_pb2.ImportContactsRequest(
            content="\n".join(lines).encode(), source="proef", as_of="2022-03-24", request_id="contacts"), timeout=TIMEOUT)
        self.assertEqual((imported.added, imported.refused), (2 * MUNICIPALITIES, 0))
        self.issue()

    def issue(self):
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                return self.suite.invitations.IssueInvitations(invitations_pb2.IssueInvitationsRequest(
                    parent=WAVE, municipalities=self.codes, request_id="issue"), timeout=TIMEOUT)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)

    def kind(self, code):
        return KINDS.get(self.codes.index(code) % 15, "")

    def address(self, code, number):
        return f"{self.kind(code) if number == 1 else ''}{number}@{code.lower()}.test"

    def mail_server(self, **options):
        server = MailServer(self.directory / f"exim-{len(list(self.directory.glob('exim-*')))}", **options)
        self.addCleanup(server.stop)
        return server

    def command(self, *words):
        return [BIN / "peilingctl", "--server", self.suite.entry.address, "mail", *map(str, words), "--wave", WAVE]

    def ctl(self, *words, status=0):
        run = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=TIMEOUT)
        self.assertEqual(run.returncode, status, run.stdout + run.stderr)
        return run.stdout + run.stderr if status else run.stdout

    def run_words(self, server, rate=0, lease="4s"):
        return ["run", "--smtp", f"smtp://{server.address}", "--insecure-smtp", "--bounces", "bounces@peiling.test", "--rate", rate,
                "--lease", lease, "--state", self.directory / "state"]

    def states(self):
        status = self.suite.mail.GetMailStatus(mail_pb2.GetMailStatusRequest(parent=WAVE), timeout=TIMEOUT)
        counts = collections.Counter()
        for step in status.steps:
            for state in step.states:
                counts[mail_pb2.MessageState.Name(state.state).removeprefix("MESSAGE_STATE_")] += state.count
        return +counts

    def wait(self, what, condition, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                self.fail(f"{what}: {self.states()}\n{self.suite.entry.log_tail()}")
            time.sleep(0.1)

    def wait_planned(self, count):
        self.wait(f"{count} mails are due", lambda: self.states()["DUE"] == count)

    def send_all(self, server):
        """Runs until nothing is left; leases of runs that were killed end meanwhile."""
        def done():
            self.ctl(*self.run_words(server))
            return not any(self.states()[state] for state in ("DUE", "LEASED", "BEGUN", "UNCERTAIN"))
        self.wait("everything goes", done)

    def receivers(self, number):
        return {self.address(code, number) for code in self.codes}

    def test_nobody_gets_a_mail_twice_however_often_the_sender_is_killed(self):
        server = self.mail_server()
        self.wait_planned(MUNICIPALITIES)
        suite = self.suite.entry.process
        journal = self.directory / "state" / "mail-run.surveys.proef.waves.2026.json"
        told_late = 0
        for _ in range(6):
            before = len(server.accepted())
            run = subprocess.Popen(self.command(*self.run_words(server)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.wait("mail goes out", lambda: len(server.accepted()) >= before + 3 or run.poll() is not None)
            # The suite hears nothing any more: what was sent last is in the journal alone when the sender dies, unless it is still beginning a
            # message.
            suite.send_signal(signal.SIGSTOP)
            try:
                deadline = time.monotonic() + 3
                while journal.stat().st_size == 0 and time.monotonic() < deadline:
                    time.sleep(0.02)
                run.kill()
                run.wait()
            finally:
                suite.send_signal(signal.SIGCONT)
            told_late += journal.stat().st_size > 0
            if told_late == 2:
                break
        self.assertEqual(journal.stat().st_mode & 0o777, 0o600)
        self.send_all(server)
        self.assertEqual(journal.stat().st_size, 0)
        self.assertGreater(told_late, 0, "at least once the sender died before it could tell")
        self.bounced(server)
        accepted = collections.Counter(server.accepted())
        self.assertEqual([mail for mail, count in accepted.items() if count != 1], [], "the server took each once")
        taken = {address for _, address in accepted}
        first = {address for address in self.receivers(1) if not address.startswith("weg")}
        second = {self.address(code, 2) for code in self.codes if self.kind(code)}
        self.assertEqual(taken, first | second, "whoever can be reached is")
        delivered = {address for address, _ in server.mails()}
        self.assertEqual(delivered, {address for address in taken if not address.startswith("terug")})
        came_back = sum(bool(self.kind(code)) for code in self.codes)
        self.assertEqual(self.states(), {"SENT": MUNICIPALITIES, "BOUNCED": came_back})

    def bounced(self, server):
        """Tells what came back; then the next contacts are written to."""
        back = sum(self.kind(code) == "terug" for code in self.codes)
        self.wait("reports come in", lambda: len(list((server.reports / "new").glob("*"))) == back)
        copy = self.directory / "reports"
        shutil.copytree(server.reports, copy)
        self.assertIn(f"{back} taken, 0 known already, 0 not taken", self.ctl("bounces", server.reports))
        self.assertEqual(list((server.reports / "new").glob("*")), [])
        self.assertIn("0 taken", self.ctl("bounces", server.reports))
        self.assertIn(f"0 taken, {back} known already, 0 not taken", self.ctl("bounces", *sorted((copy / "new").glob("*"))))
        (copy / "new" / "brief").write_text("Subject: Afwezig\n\nIk ben er niet.\n")
        self.assertIn("no report of a mail server", self.ctl("bounces", copy, status=1))
        self.assertTrue((copy / "new" / "brief").exists())
        second = {self.address(code, 2) for code in self.codes if self.kind(code)}

        def written_to():
            self.send_all(server)
            return second <= {address for _, address in server.accepted()}
        self.wait("the next contacts are written to", written_to)

    def test_a_mail_server_that_lets_nobody_send_blames_nobody(self):
        self.wait_planned(MUNICIPALITIES)
        refusing = self.mail_server(refuses_relay=True)
        said = self.ctl(*self.run_words(refusing), status=7)
        self.assertIn("relay not permitted", said)
        self.assertIn("SMTP_REFUSED", said)
        self.assertEqual(refusing.accepted(), [])
        time.sleep(3)  # The planner looks again.
        self.assertEqual(self.states(), {"DUE": MUNICIPALITIES}, "everything goes once the server is put right, to the same contacts")
        suppressed = self.suite.mail.ListSuppressions(mail_pb2.ListSuppressionsRequest(), timeout=TIMEOUT).suppressions
        self.assertEqual(list(suppressed), [])
        refusing.stop()
        self.ctl(*self.run_words(refusing), status=5)
        self.assertEqual(self.states(), {"DUE": MUNICIPALITIES})
        server = self.mail_server()
        self.send_all(server)
        self.assertLessEqual({a for a in self.receivers(1) if not a.startswith("weg")}, {address for _, address in server.accepted()})

    def test_a_run_of_many_leases_does_not_wear_out_the_connection(self):
        self.wait_planned(MUNICIPALITIES)
        server = self.mail_server()
        self.ctl(*self.run_words(server, rate=1.9, lease="2s"))  # One mail is leased at a time.
        self.assertLessEqual({a for a in self.receivers(1) if not a.startswith("weg")}, {address for _, address in server.accepted()})

    def test_a_merge_goes_there_and_back(self):
        self.wait_planned(MUNICIPALITIES)
        folder = self.directory / "merge"
        self.ctl("merge", folder, "--max", "20")
        path, = folder.glob("invitation.uitnodiging.*.csv")
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), 20)
        for row in rows:
            self.assertIn(row["to_address"], self.receivers(1))
            self.assertIn("peiling-uitnodiging_", row["link"])
            self.assertTrue(row["unsubscribe_url"] and row["return_token"] and row["gemeente"] and row["subject"])
        self.assertEqual(self.states(), {"BEGUN": 20, "DUE": 10})
        for row in rows:
            row["outcome"] = "sent"
        rows[0]["outcome"] = "not-sent"
        rows[1]["outcome"] = ""
        self.write(path, rows)
        self.assertIn("19 taken, 0 known already, 0 not taken", self.ctl("merge", "--report", path))
        self.assertEqual(self.states(), {"BEGUN": 1, "SENT": 18, "DUE": 11})
        self.assertIn("0 taken, 19 known already, 0 not taken", self.ctl("merge", "--report", path))
        events = [{**rows[2], "outcome": "delivered", "time": "2026-01-01 10:00"}, {**rows[3], "outcome": "hard-bounce", "code": "550 5.1.1"},
                  {**rows[4], "outcome": "delivered", "return_token": "a" * 16}, {**rows[5], "outcome": "weg"}]
        self.write(path, events)
        said = self.ctl("merge", "--report", path, status=1)
        self.assertIn("2 taken, 0 known already, 2 not taken", said)
        self.assertIn("return_token", said)
        self.wait("what bounced has bounced", lambda: self.states()["BOUNCED"] == 1)
        self.assertEqual(self.states()["DELIVERED"], 1)
        files = json.loads(self.ctl("merge", folder, "--excel", "--assume-sent", "-o", "json"))["files"]
        self.assertGreaterEqual(sum(file["mails"] for file in files), 11)
        self.assertEqual(self.states()["BEGUN"], 1)
        self.assertTrue(pathlib.Path(files[0]["file"]).read_bytes().startswith(b"\xef\xbb\xbfmessage;"))

    @staticmethod
    def write(path, rows):
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    unittest.main()
