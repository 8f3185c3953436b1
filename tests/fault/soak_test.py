"""The whole poll of 2022 and a mixed load, on Redis with Sentinel and two replicas of every service, while everything is killed again and
again: kill -9 of services, of Redis replicas and of its primary. In the end every acknowledged write is there, once, and all tables are
those of an undisturbed run.

PEILING_SOAK_FAILOVERS, PEILING_SOAK_KILLS: how many at least (3 and 24); PEILING_SOAK_REPORT: a file for the figures, as JSON.
"""

import json
import os
import random
import threading
import unittest

import load
from fleet import *
from redis_servers import SentinelRedis, wait_until

FAILOVERS = int(os.environ.get("PEILING_SOAK_FAILOVERS", "3"))
KILLS = int(os.environ.get("PEILING_SOAK_KILLS", "24"))


def undisturbed_2022():
    suite = Suite()
    try:
        suite.wait_healthy()
        suite.wait_counted(W2022, records=suite.main_job().records)
        return suite.fingerprint(W2022)
    finally:
        suite.close()


class Chaos:
    """Kills services and Redis in turn, evenly spread."""

    def __init__(self, fleet, redis, seed=1):
        self.fleet = fleet
        self.redis = redis
        self.random = random.Random(seed)
        self.failovers = []
        self.kills = 0
        self.done = []  # (when, what)

    def run(self):
        every = max(1, KILLS // max(1, FAILOVERS))
        while self.kills < KILLS or len(self.failovers) < FAILOVERS:
            self.kill_service()
            if self.kills % every == 0 and len(self.failovers) < FAILOVERS:
                self.failovers.append(self.redis.fail_over())
                self.note("another primary")
            elif self.random.random() < 0.1:
                self.kill_redis_replica()

    def kill_service(self):
        name = self.random.choice(sorted(self.fleet.processes))
        self.fleet.restart(name)
        self.kills += 1
        self.note(f"{name} is back")
        time.sleep(self.random.uniform(0.1, 0.6))

    def kill_redis_replica(self):
        primary = wait_until("a primary", self.redis.primary)
        replica = self.random.choice([server for server in self.redis.servers if server is not primary])
        replica.kill()
        self.kills += 1
        time.sleep(self.random.uniform(0.0, 1.0))
        replica.start(replica_of=self.redis.primary())
        self.note("a replica of Redis is back")

    def note(self, what):
        self.done.append((time.monotonic(), what))

    def during(self, begin, seconds):
        """What was done then, for whoever looks into a silence."""
        return [f"{when - begin:+.1f} s {what}" for when, what in self.done if begin - 3 < when < begin + seconds + 1]


class Soak(unittest.TestCase):
    def test_nothing_acknowledged_is_lost(self):
        expected_2022 = undisturbed_2022()
        expected = load.undisturbed_outcome()
        redis = SentinelRedis(replicas=2)
        self.addCleanup(redis.close)
        fleet = Fleet(redis.address(), replicas=2)
        self.addCleanup(fleet.close)
        fleet.wait_all_healthy()
        load.apply_wave(fleet)

        mixed = load.Load(fleet)
        mixed.start()
        poll = threading.Thread(target=self.poll_2022, args=(fleet, mixed))
        poll.start()
        chaos = Chaos(fleet, redis)
        try:
            chaos.run()
        finally:
            mixed.stop()
            poll.join()
        fleet.wait_all_healthy()

        load.check(self, fleet, mixed.account)
        report = load.cleaning(fleet)
        self.assertEqual(report.started, len(mixed.account.responses))
        self.assertEqual((report.kept, report.withdrawn, report.excluded), (len(mixed.titles), len(mixed.account.withdrawn), 0))
        self.assertEqual(report.test, report.started - report.kept - report.withdrawn)
        self.assertEqual(load.outcome(fleet), expected)
        fleet.wait_counted(W2022, records=self.ruled.records)
        self.assertEqual(fleet.fingerprint(W2022), expected_2022)
        self.report(chaos, mixed)

    def poll_2022(self, fleet, mixed):
        """The whole job of 2022, step by step, each tried again until it comes through."""
        for step in (fleet.apply_sociale_wijkteams, lambda: self.import_wave(fleet, W2019), lambda: self.import_wave(fleet, W2022)):
            self.insist(step)
        self.ruled = self.insist(fleet.rule_2022)

    def import_wave(self, fleet, wave):
        _, summary = fleet.import_file(wave, SURVEY / "waves" / wave[-4:] / "responses.csv")
        fleet.cleaning_report(wave, summary.position.submissions)

    def insist(self, step):
        while True:
            try:
                return step()
            except grpc.RpcError as error:
                if error.code() not in load.PASSING:
                    raise
                time.sleep(0.2)

    def report(self, chaos, mixed):
        account = mixed.account
        figures = {
            "failovers": len(chaos.failovers), "failover_seconds": [round(seconds, 2) for seconds in chaos.failovers], "kills": chaos.kills,
            "acknowledged": len(account.responses), "withdrawn": len(account.withdrawn), "rulings": account.rulings,
            "retried": account.retried, "per_second": round(account.rate(), 1),
            "longest_silences": [(round(seconds, 1), chaos.during(begin, seconds)) for seconds, begin in sorted(account.silences)[:-4:-1]],
            "seconds": round(account.last - account.begun, 1)}
        print(json.dumps(figures), file=sys.stderr)
        if path := os.environ.get("PEILING_SOAK_REPORT"):
            pathlib.Path(path).write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    unittest.main()
