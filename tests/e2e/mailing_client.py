"""A mailing system in Python, written from the protos alone: takes mail from Peiling, sends it over SMTP, and tells what became of it.

    mailing_client.py send   GATEWAY WAVE SMTP SENDER     leases, begins, sends and completes, again and again
    mailing_client.py report GATEWAY WAVE MAILDIR         reads the mail server's reports (RFC 3464) and reports them as delivery events

The key is in PEILING_CREDENTIAL. Either may be killed at any moment and started again. With PEILING_MISCHIEF set to a number, what goes wrong in
real life does: leases are left to run out, results are told twice or not at all, events come in any order and several times."""

import email
import email.policy
import os
import pathlib
import random
import re
import smtplib
import sys
import time
import uuid
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from datetime import datetime, timezone

sys.path.insert(0, os.environ["PEILING_STUBS"])

import google  # noqa: E402
import grpc  # noqa: E402

google.__path__.append(os.path.join(os.environ["PEILING_STUBS"], "google"))
from peiling.fieldwork.v1 import mail_pb2, mail_pb2_grpc  # noqa: E402

PROVIDER = "exim"
BATCH = 40
PAUSE = 0.2
ENHANCED_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")
MISCHIEF = random.Random(int(os.environ["PEILING_MISCHIEF"])) if "PEILING_MISCHIEF" in os.environ else None


def happens(chance):
    return MISCHIEF is not None and MISCHIEF.random() < chance


def patiently(call, request):
    """The answer, however long the service is away. Every request may be repeated."""
    metadata = [("authorization", f"Bearer {os.environ['PEILING_CREDENTIAL']}")] if "PEILING_CREDENTIAL" in os.environ else []
    while True:
        try:
            return call(request, timeout=30, metadata=metadata)
        except grpc.RpcError as error:
            if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED, grpc.StatusCode.RESOURCE_EXHAUSTED,
                                    grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED):
                raise
            time.sleep(PAUSE)


def compose(leased):
    """The mail as it goes over the wire."""
    content = leased.content
    message = EmailMessage()
    message["From"] = formataddr((content.from_name, content.from_address))
    message["To"] = formataddr((content.to_name, content.to_address))
    if content.reply_to:
        message["Reply-To"] = content.reply_to
    message["Subject"] = content.subject
    message["Date"] = format_datetime(datetime.now(timezone.utc))
    message["Message-ID"] = f"<{leased.message.replace('/', '.')}@peiling.test>"
    message["X-Peiling-Message"] = leased.message
    message["Auto-Submitted"] = "auto-generated"
    if content.unsubscribe_url:
        message["List-Unsubscribe"] = f"<{content.unsubscribe_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(content.text)
    if content.html:
        message.add_alternative(content.html, subtype="html")
    return message


def enhanced_code(text):
    """"5.1.1" of "5.1.1 no such mailbox"."""
    found = ENHANCED_CODE.match(text.strip())
    return found.group(0) if found else ""


def refusal(outcome, code, text):
    """What a server said, as an outcome."""
    text = text.decode(errors="replace")
    outcome.smtp_code, outcome.enhanced_code, outcome.diagnostic = code, enhanced_code(text), text[:1000]
    return outcome


def tell_of(message, result):
    """What was not taken is to be seen in the log."""
    if result.result not in (mail_pb2.MAIL_RESULT_OK, mail_pb2.MAIL_RESULT_REPEATED):
        print(f"{message}: {mail_pb2.MailResult.Name(result.result)} {result.problem}", file=sys.stderr, flush=True)


class Sender:
    def __init__(self, stub, wave, smtp, sender):
        self.stub, self.wave, self.sender = stub, wave, sender
        self.host, self.port = smtp.rsplit(":", 1)
        self.smtp = None

    def lease(self):
        request = mail_pb2.LeaseMailRequest(parent=self.wave, max_messages=BATCH, request_id=str(uuid.uuid4()))
        request.lease_duration.FromSeconds(60)
        return patiently(self.stub.LeaseMail, request)

    def connect(self):
        """Before anything is begun: what is not tried yet need not be told."""
        while self.smtp is None:
            try:
                self.smtp = smtplib.SMTP(self.host, int(self.port), timeout=20)
                self.smtp.ehlo()
            except OSError:
                self.hang_up()
                time.sleep(PAUSE)

    def hang_up(self):
        if self.smtp is not None:
            self.smtp.close()
        self.smtp = None

    def send(self, leased):
        """What sending gave; None when nobody can know whether it went."""
        outcome = mail_pb2.MailOutcome(message=leased.message)
        recipient = leased.content.to_address
        try:
            # The server's reports name it, and prove that they are of this message.
            self.smtp.sendmail(self.sender, [recipient], compose(leased).as_bytes(policy=email.policy.SMTP),
                               mail_options=[f"ENVID={leased.message}/{leased.return_token}"], rcpt_options=["NOTIFY=SUCCESS,FAILURE,DELAY"])
            outcome.sent = True
            outcome.provider_message_id = leased.message
        except smtplib.SMTPRecipientsRefused as refused:
            code, text = refused.recipients[recipient]
            outcome.permanent = code >= 500
            refusal(outcome, code, text)
        except smtplib.SMTPDataError as refused:
            outcome.permanent = refused.smtp_code >= 500
            refusal(outcome, refused.smtp_code, refused.smtp_error)
        except smtplib.SMTPSenderRefused as refused:
            # That is about this mailing system, not about the message.
            self.hang_up()
            outcome.not_tried = True
            refusal(outcome, refused.smtp_code, refused.smtp_error)
        except (smtplib.SMTPException, OSError):
            self.hang_up()
            return None
        return outcome

    def run_once(self):
        """One batch; False when nothing was due."""
        lease = self.lease()
        if not lease.messages:
            return False
        if happens(0.1):
            return True  # The lease runs out.
        for leased in lease.messages:
            self.connect()
            begun = patiently(self.stub.BeginMail, mail_pb2.BeginMailRequest(parent=self.wave, lease_id=lease.lease_id, messages=[leased.message]))
            if begun.results[0].result != mail_pb2.MAIL_RESULT_OK:
                continue
            outcome = self.send(leased)
            if outcome is None or happens(0.05):
                continue  # The server's report will tell.
            for _ in range(2 if happens(0.1) else 1):
                completed = patiently(self.stub.CompleteMail,
                                      mail_pb2.CompleteMailRequest(parent=self.wave, lease_id=lease.lease_id, outcomes=[outcome]))
                tell_of(leased.message, completed.results[0])
            if outcome.not_tried:
                time.sleep(PAUSE)
        return True

    def run(self):
        while True:
            if not self.run_once():
                time.sleep(PAUSE)


KINDS = {"delivered": mail_pb2.DELIVERY_EVENT_KIND_DELIVERED, "relayed": mail_pb2.DELIVERY_EVENT_KIND_ACCEPTED,
         "failed": mail_pb2.DELIVERY_EVENT_KIND_HARD_BOUNCE, "delayed": mail_pb2.DELIVERY_EVENT_KIND_SOFT_BOUNCE}


def events_of(path):
    """Delivery events of a report."""
    report = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    for part in report.walk():
        if part.get_content_type() != "message/delivery-status":
            continue
        blocks = part.get_payload()
        message, _, token = (blocks[0]["Original-Envelope-ID"] or "").strip().rpartition("/")
        for number, block in enumerate(blocks[1:]):
            # Others there are ("expanded") say nothing of the message.
            kind = KINDS.get((block["Action"] or "").strip().lower())
            if not message or kind is None:
                continue
            event = mail_pb2.DeliveryEvent(message=message, provider=PROVIDER, event_id=f"{path.name.split(':')[0]}-{number}", kind=kind,
                                           enhanced_code=enhanced_code(block["Status"] or ""),
                                           diagnostic=(block["Diagnostic-Code"] or "")[:1000], return_token=token)
            event.time.FromSeconds(int(path.name.split(".")[0]))
            yield event


class Reporter:
    def __init__(self, stub, wave, maildir):
        self.stub, self.wave, self.maildir = stub, wave, pathlib.Path(maildir)

    def run_once(self):
        paths = sorted((self.maildir / "new").glob("*"))[:200]
        events = [event for path in paths for event in events_of(path)]
        if MISCHIEF is not None:
            events += [event for event in events if happens(0.2)]
            MISCHIEF.shuffle(events)
        for at in range(0, len(events), 50):
            request = mail_pb2.ReportDeliveryEventsRequest(parent=self.wave, events=events[at:at + 50])
            for _ in range(2 if happens(0.2) else 1):
                response = patiently(self.stub.ReportDeliveryEvents, request)
            for event, result in zip(request.events, response.results):
                tell_of(event.message, result)
        # What was not reported to the end is reported again.
        for path in paths:
            path.rename(self.maildir / "cur" / f"{path.name}:2,S")
        return bool(paths)

    def run(self):
        while True:
            if not self.run_once():
                time.sleep(PAUSE)


def main(arguments):
    what, gateway, wave, *rest = arguments
    stub = mail_pb2_grpc.MailServiceStub(grpc.insecure_channel(gateway, options=[("grpc.max_receive_message_length", 16 << 20)]))
    {"send": Sender, "report": Reporter}[what](stub, wave, *rest).run()


if __name__ == "__main__":
    main(sys.argv[1:])
