"""kill -9 of the gateway and of access while audited calls are made: whatever somebody was told is in the audit log, once."""

import collections
import random
import threading
import unittest

from suite import *

KILLS = 16
CALLERS = 6


class Caller(threading.Thread):
    """Makes audited calls, some of which are refused or fail, and notes what it was told of each."""

    def __init__(self, suite, number):
        super().__init__(daemon=True)
        roles = (options_pb2.ROLE_RESEARCHER, options_pb2.ROLE_ADMINISTRATOR) if number % 3 else (options_pb2.ROLE_RESEARCHER,)
        made = suite.make_key(*roles)
        self.subject = made.key.name
        self.client = suite.client(made.secret)
        self.random = random.Random(number)
        self.stopping = threading.Event()
        self.told = {}  # (action, object, result) by request id.
        self.broken_off = collections.Counter()

    def run(self):
        while not self.stopping.is_set():
            action, name, call = self.random.choice((self.read, self.read_nothing, self.submit, self.rule))()
            request_id = str(uuid.uuid4())
            try:
                made = call(metadata=[("x-request-id", request_id)], timeout=5, wait_for_ready=True)
                self.told[request_id] = (action, made.ruling.name if action.endswith("CreateRuling") else name, "OK")
            except grpc.RpcError as error:
                info, _ = details(error)
                # Said by the gateway or by a service; not by the connection that broke, nor that it could not be written down.
                if info and error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAUTHENTICATED):
                    self.told[request_id] = (action, name, error.code().name)
                else:
                    self.broken_off[info.reason if info else error.code().name] += 1
                    time.sleep(0.02)

    def read(self):
        name = f"{W2022}/responses/{self.random.randint(1, 9)}"
        return self.of("GetResponse", name, self.client.intake.GetResponse, intake_pb2.GetResponseRequest(name=name))

    def read_nothing(self):
        name = f"{W2022}/responses/none"
        return self.of("GetResponse", name, self.client.intake.GetResponse, intake_pb2.GetResponseRequest(name=name))

    def submit(self):
        name = f"{W2022}/responses/none"
        return self.of("WithdrawResponse", name, self.client.intake.WithdrawResponse,
                       intake_pb2.WithdrawResponseRequest(name=name, reason="fault", request_id=str(uuid.uuid4())))

    def rule(self):
        ruling = dedup_pb2.Ruling(response=f"{W2022}/responses/{self.random.randint(1, 100)}", reason="fault", exclude=dedup_pb2.ExcludeRuling())
        request = dedup_pb2.CreateRulingRequest(parent=W2022, ruling=ruling, request_id=str(uuid.uuid4()))
        return f"peiling.dedup.v1.DedupService/CreateRuling", W2022, lambda **how: self.client.dedup.CreateRuling(request, **how)

    def of(self, method, name, stub, request):
        return f"peiling.intake.v1.IntakeService/{method}", name, lambda **how: stub(request, **how)


class Audit(unittest.TestCase):
    def test_what_somebody_was_told_is_in_the_log_once(self):
        suite = Suite(separate=True, credentials=True)
        self.addCleanup(suite.close)
        suite.main_job()
        callers = [Caller(suite, number) for number in range(CALLERS)]
        for caller in callers:
            self.addCleanup(caller.stopping.set)
            caller.start()
        chosen = random.Random(4)
        for _ in range(KILLS):
            time.sleep(chosen.uniform(0.1, 0.6))
            victim = chosen.choice(("gateway", "access"))
            suite.processes[victim].kill()
            time.sleep(chosen.choice((0, 0.3)))
            suite.processes[victim].start()
            self.let_in(callers)
        for caller in callers:
            caller.stopping.set()
        for caller in callers:
            caller.join()
        self.let_in(callers)

        entries = {}
        for entry in suite.audit_entries():
            self.assertNotIn(entry.request_id, entries, "an entry twice")
            entries[entry.request_id] = entry
        told = 0
        for caller in callers:
            for request_id, (action, name, result) in caller.told.items():
                entry = entries[request_id]
                self.assertEqual((entry.subject, entry.action, entry.object, entry.result, entry.count), (caller.subject, action, name, result, 1))
            told += len(caller.told)
        broken_off = sum((caller.broken_off for caller in callers), collections.Counter())
        print(f"{told} calls answered, {len(entries)} entries, {KILLS} kills; broken off: {dict(broken_off)}", file=sys.stderr)
        self.assertGreater(told, 200)

    def let_in(self, callers):
        """All callers come through again."""
        for caller in callers:
            enough = len(caller.told) + 3
            deadline = time.monotonic() + TIMEOUT
            while caller.is_alive() and not caller.stopping.is_set() and len(caller.told) < enough:
                self.assertLess(time.monotonic(), deadline, "nobody comes through")
                time.sleep(0.01)


if __name__ == "__main__":
    unittest.main()
