"""Everybody at once when the poll opens, and watchers that do not read: those who come through are kept, the others are told to come back, and
nobody is held up by somebody else."""

import concurrent.futures
import unittest

import load
from fleet import *
from redis_servers import SentinelRedis, wait_until

OFFICIALS = 400
WATCHERS = 40


def resident_bytes(process):
    for line in pathlib.Path(f"/proc/{process.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) << 10
    raise RuntimeError("the process is gone")


class Crowd(unittest.TestCase):
    def setUp(self):
        self.redis = SentinelRedis(replicas=1)
        self.addCleanup(self.redis.close)
        self.fleet = Fleet(self.redis.address(), replicas=2)
        self.addCleanup(self.fleet.close)
        self.fleet.wait_all_healthy()
        load.apply_wave(self.fleet)
        self.mixed = load.Load(self.fleet, writers=4)

    def test_all_at_the_opening_come_through(self):
        """Each official with a connection of their own, all in the same moment."""
        channels = [grpc.insecure_channel(self.fleet.processes[f"gateway-{1 + i % 2}"].address, options=[("grpc.use_local_subchannel_pool", 1)])
                    for i in range(OFFICIALS)]
        for channel in channels:
            self.addCleanup(channel.close)

        def submit(number, channel):
            request = intake_pb2.SubmitResponseRequest(parent=load.WAVE, request_id=f"official-{number}",
                                                       response=load.answer_sheet(self.mixed.titles[number % 342], number, test=True))
            stub = intake_pb2_grpc.IntakeServiceStub(channel)
            return request.request_id, self.mixed.insist(stub.SubmitResponse, request).response.name

        with concurrent.futures.ThreadPoolExecutor(OFFICIALS) as officials:
            for request_id, name in officials.map(submit, range(OFFICIALS), channels):
                self.mixed.account.responses[request_id] = name
        load.check(self, self.fleet, self.mixed.account)

    def test_watchers_that_do_not_read_hold_nobody_up(self):
        channel = grpc.insecure_channel(self.fleet.processes["gateway-1"].address)
        self.addCleanup(channel.close)
        stub = intake_pb2_grpc.IntakeServiceStub(channel)
        watches = [stub.WatchSubmissions(intake_pb2.WatchSubmissionsRequest(parent=load.WAVE, partition=i % 4)) for i in range(WATCHERS)]
        processes = {name: process for name, process in self.fleet.processes.items() if name.startswith(("gateway", "intake"))}
        before = {name: resident_bytes(process) for name, process in processes.items()}
        self.mixed.start()
        wait_until("writes", lambda: len(self.mixed.account.responses) > 3000, timeout=120)
        self.mixed.stop()
        for watch in watches:
            watch.cancel()
        load.check(self, self.fleet, self.mixed.account)
        self.assertEqual(load.outcome(self.fleet), load.undisturbed_outcome())
        for name, process in processes.items():
            self.assertLess(resident_bytes(process) - before[name], 256 << 20, f"{name} keeps what nobody reads")


if __name__ == "__main__":
    unittest.main()
