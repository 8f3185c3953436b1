"""Ten thousand connections that are hostile or half open, and callers who ask for more than their share: whoever else calls is served as before,
in about the same time, and the gateway's memory stays bounded."""

import json
import resource
import ssl
import statistics
import subprocess
import threading
import unittest
import urllib.request

from crowd_test import resident_bytes
from suite import *

# Those that get through a handshake come first: it takes both sides some work.
CONNECTIONS = {
    "http": {"slow_head": 400, "slow_body": 200, "half_body": 200, "half_handshake": 300, "silent": 800},
    "grpc": {"handshake_only": 500, "preface_only": 800, "settings_only": 800, "half_headers": 700, "slow_message": 200, "garbage": 100,
             "slow_handshake": 500, "half_handshake": 1500, "silent": 3000},
}
# A few connections that never pause.
FLOODS = {"http": {"endless_head": 4, "endless_chunks": 4}, "grpc": {"endless_headers": 5, "pings": 5, "resets": 1}}
CALLS = {"burst": 200, "bad_credentials": 100, "giant_metadata": 20, "huge_messages": 4, "unread_streams": 500, "endless_streams": 2000}
MEMORY = 1 << 30
# A machine with two cores that also runs those who attack.
SLOWEST = 1.0
SECONDS = 8


class Attackers:
    """See hostiles.py."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([sys.executable, pathlib.Path(__file__).with_name("hostiles.py"), *map(str, arguments)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def figures(self):
        """When all of them are there."""
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        with self.process:
            return json.loads(self.process.stdout.readline() or "{}")


class Customer:
    """Somebody who calls every now and then, and notes how it goes."""

    def __init__(self, client):
        self.client = client
        self.stopping = threading.Event()
        self.seconds = []
        self.failed = []
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopping.wait(0.02):
            began = time.monotonic()
            try:
                self.client.intake.GetWave(intake_pb2.GetWaveRequest(name=W2022), timeout=10)
            except grpc.RpcError as error:
                self.failed.append((error.code().name, error.details()))
            self.seconds.append(time.monotonic() - began)

    def stop(self):
        self.stopping.set()
        self.thread.join()
        return self

    def percentile_99(self):
        return statistics.quantiles(self.seconds, n=100)[98]


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        cls.suite = Suite(separate=True, tls=True)
        cls.addClassCleanup(cls.suite.close)
        cls.suite.main_job()
        cls.gateway = cls.suite.processes["gateway"]
        cls.addresses = {"grpc": cls.gateway.address, "http": cls.gateway.http_address}
        cls.authority = cls.suite.authority.certificate
        cls.https = ssl.create_default_context(cafile=cls.authority)
        cls.customer = cls.suite.client(cls.suite.make_key(options_pb2.ROLE_ANALYST).secret)

    def attack(self, *arguments):
        attackers = Attackers(*arguments)
        self.addCleanup(attackers.process.kill)
        return attackers

    def check(self, customer, what):
        self.assertGreater(len(customer.seconds), 20, what)
        self.assertEqual(customer.failed, [], what)
        self.assertLess(customer.percentile_99(), SLOWEST, what)
        self.assertLess(resident_bytes(self.gateway), MEMORY, what)

    def served(self, seconds=SECONDS):
        customer = Customer(self.customer)
        time.sleep(seconds)
        return customer.stop()

    def say(self, what, customer, **figures):
        figures.update(calls=len(customer.seconds), failed=len(customer.failed), p50_ms=round(1000 * statistics.median(customer.seconds), 1),
                       p99_ms=round(1000 * customer.percentile_99(), 1), gateway_mb=resident_bytes(self.gateway) >> 20)
        print(json.dumps({"what": what, **figures}), file=sys.stderr)

    def test_ten_thousand_connections_leave_others_served(self):
        self.say("nobody else", self.served(3))
        customer = Customer(self.customer)
        self.addCleanup(customer.stop)
        attackers, tried = {}, 0
        for protocol, kinds in CONNECTIONS.items():
            for kind, count in kinds.items():
                attackers[protocol, kind] = self.attack("connections", protocol, self.addresses[protocol], self.authority, kind, count)
                figures = attackers[protocol, kind].figures()
                tried += figures["made"] + figures["refused"]
        self.assertGreaterEqual(tried, 10_000)
        time.sleep(SECONDS)
        # Somebody new, too.
        fresh = self.suite.client(self.suite.make_key(options_pb2.ROLE_ANALYST).secret)
        fresh.intake.ListSurveys(intake_pb2.ListSurveysRequest(), timeout=10)
        with urllib.request.urlopen(f"https://{self.addresses['http']}/v1/openapi.json", timeout=10, context=self.https) as answer:
            self.assertEqual(answer.status, 200)
        customer.stop()
        ended = {who: attack.end() for who, attack in attackers.items()}
        self.say("10,000 connections", customer, attackers=list(ended.values()))
        self.check(customer, ended)

    def test_connections_that_never_pause_harm_nobody_else(self):
        for protocol, kinds in FLOODS.items():
            for kind, count in kinds.items():
                with self.subTest(kind):
                    attackers = self.attack("connections", protocol, self.addresses[protocol], self.authority, kind, count)
                    attackers.figures()
                    customer = self.served()
                    ended = attackers.end()
                    self.say(kind, customer, attackers=ended)
                    self.check(customer, ended)

    def test_callers_who_ask_for_too_much_harm_nobody_else(self):
        for kind, count in CALLS.items():
            with self.subTest(kind):
                hostile = self.suite.make_key(options_pb2.ROLE_RESEARCHER, options_pb2.ROLE_ADMINISTRATOR)
                attackers = self.attack("calls", self.addresses["grpc"], self.authority, hostile.secret, kind, count)
                attackers.figures()
                customer = self.served()
                outcomes = attackers.end()
                self.say(kind, customer, outcomes=outcomes)
                self.check(customer, kind)

    def test_whoever_is_refused_is_told_when_to_come_back(self):
        client = self.suite.client(self.suite.make_key(options_pb2.ROLE_ANALYST).secret)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            futures = [client.intake.ListSurveys.future(intake_pb2.ListSurveysRequest(), timeout=30) for _ in range(500)]
            refusals = [future.exception() for future in futures if future.exception() is not None]
            if refusals:
                break
        self.assertTrue(refusals)
        for refusal in refusals:
            self.assertEqual(refusal.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
            self.assertIsNotNone(details(refusal)[0], refusal)
            self.assertIn(details(refusal)[0].reason, ("RATE_LIMITED", "TOO_MANY_CALLS"))
            self.assertGreater(retry_delay(refusal), 0)
        time.sleep(max(map(retry_delay, refusals)))
        client.intake.ListSurveys(intake_pb2.ListSurveysRequest(), timeout=10)


if __name__ == "__main__":
    unittest.main()
