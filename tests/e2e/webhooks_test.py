"""Webhooks of the real suite, over TLS to receivers on loopback: signed events arrive at who is believed, however many others never answer, are
somebody else or do not exist."""

import base64
import collections
import datetime
import hashlib
import hmac
import http.server
import json
import ssl
import threading
import unittest
import zoneinfo

from suite import *

AMSTERDAM = zoneinfo.ZoneInfo("Europe/Amsterdam")
WAVE = "surveys/proef/waves/2026"
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
sections:
- title: Algemeen
  questions:
  - {{code: V1, type: text, title: "Voor welke gemeente?", role: municipality}}
"""

Received = collections.namedtuple("Received", "path headers body")


class Receiver:
    """Over TLS, with a certificate for localhost; answers 200 and keeps what it got."""

    def __init__(self, pair):
        self.received = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.received.append(Received(self.path, self.headers, body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # Who does not believe it hangs up.

        self.server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"https://localhost:{self.server.server_port}/haak"

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Webhooks(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="peiling-webhooks-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.authority = Authority(self.directory / "authority")
        self.suite = Suite(directory=self.directory,
                           gateway_arguments=["--webhook-allow=127.0.0.0/8,::1/128", f"--webhook-ca={self.authority.certificate}"])
        self.addCleanup(self.suite.close)
        self.suite.wait_healthy()
        now = datetime.datetime.now(AMSTERDAM)
        opens, self.closes = (now.replace(second=0, microsecond=0) + datetime.timedelta(days=days) for days in (-1, 40))
        documents = [intake_pb2.Document(filename="survey.yaml", text=SURVEY_YAML),
                     intake_pb2.Document(filename="2026.yaml", text=WAVE_YAML.format(opens=f"{opens:%Y-%m-%d %H:%M}",
                                                                                   closes=f"{self.closes:%Y-%m-%d %H:%M}"))]
        self.suite.intake.ApplyDocuments(intake_pb2.ApplyDocumentsRequest(documents=documents), timeout=TIMEOUT)

    def receiver(self, authority, name):
        receiver = Receiver(authority.issue(name))
        self.addCleanup(receiver.close)
        return receiver

    def create(self, url):
        webhook = webhooks_pb2.Webhook(title="VNG", url=url, event_types=[webhooks_pb2.WEBHOOK_EVENT_TYPE_WAVE_EXTENDED])
        return self.suite.webhooks.CreateWebhook(
            webhooks_pb2.CreateWebhookRequest(webhook=webhook, request_id=str(uuid.uuid4())), timeout=TIMEOUT)

    def extend(self, days):
        request = intake_pb2.ExtendWaveRequest(name=WAVE, request_id=str(uuid.uuid4()))
        request.closes_at.FromDatetime((self.closes + datetime.timedelta(days=days)).astimezone(datetime.timezone.utc))
        self.suite.intake.ExtendWave(request, timeout=TIMEOUT)

    def deliveries(self, webhook):
        request = webhooks_pb2.ListWebhookDeliveriesRequest(parent=webhook.name)
        return self.suite.webhooks.ListWebhookDeliveries(request, timeout=TIMEOUT).deliveries

    def eventually(self, holds, what):
        deadline = time.monotonic() + 60
        while not holds():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.05)

    def test_each_is_told_by_itself(self):
        good = self.receiver(self.authority, "goed")
        stranger = self.receiver(Authority(self.directory / "other", "Another authority"), "vreemd")
        silent = socket.socket()
        self.addCleanup(silent.close)
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        closed = socket.socket()
        closed.bind(("127.0.0.1", 0))
        nobody = f"https://127.0.0.1:{closed.getsockname()[1]}/"
        closed.close()

        hanging = [self.create(f"https://127.0.0.1:{silent.getsockname()[1]}/{number}").webhook for number in range(5)]
        others = [self.create(stranger.url).webhook, self.create(nobody).webhook]
        created = self.create(good.url)
        self.extend(1)
        self.extend(2)
        self.eventually(lambda: len(good.received) == 2, "both extensions, while five receivers never answer")
        tells = {json.loads(received.body)["data"]["extensions"] for received in good.received}
        self.assertEqual(tells, {1, 2})
        for received in good.received:
            signed = f"{received.headers['webhook-id']}.{received.headers['webhook-timestamp']}.".encode() + received.body
            key = base64.b64decode(created.secret.removeprefix("whsec_"))
            signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
            self.assertEqual(received.headers["webhook-signature"], f"v1,{signature}")
            self.assertEqual(received.headers["content-type"], "application/cloudevents+json; charset=utf-8")
        self.eventually(lambda: not self.deliveries(created.webhook), "nothing waits for who got everything")
        for webhook in others:
            self.eventually(lambda: any(one.last_error for one in self.deliveries(webhook)), f"{webhook.url} failed")
        self.assertEqual(stranger.received, [], "nothing is sent to whom an authority nobody named vouches for")
        for webhook in hanging:
            self.assertEqual(len(self.deliveries(webhook)), 2)

    def test_a_url_within_this_network_is_refused(self):
        for url in ("https://10.0.0.1/", "https://[fec0::1]/", "https://[::ffff:0:10.0.0.1]/", "https://[64:ff9b::a00:1]/", "https://[3fff::1]/",
                    "http://vng.example/"):
            with self.assertRaises(grpc.RpcError) as refused:
                self.create(url)
            self.assertEqual(refused.exception.code(), grpc.StatusCode.INVALID_ARGUMENT, url)


if __name__ == "__main__":
    unittest.main()
