"""A rolling upgrade from the commit before to this one, and back, under load: for a while both versions of every service work on the same data."""

import os
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/fault"))

import load  # noqa: E402
import suite  # noqa: E402
from fleet import Fleet  # noqa: E402
from redis_servers import SentinelRedis, wait_until  # noqa: E402

NEW = suite.BIN
# How much is acknowledged in every state of the upgrade before it goes on.
EACH = 60


def previous():
    """The folder with the programs of the commit before; skips without."""
    done = subprocess.run([ROOT / "tests/deploy/previous", *os.environ.get("PEILING_PREVIOUS", "").split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode == 77:
        raise unittest.SkipTest(done.stderr.strip())
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return pathlib.Path(done.stdout.strip())


class Upgrade(unittest.TestCase):
    def setUp(self):
        self.old = previous()
        self.expected = load.undisturbed_outcome()
        redis = SentinelRedis()
        self.addCleanup(redis.close)
        suite.BIN = self.old
        self.addCleanup(setattr, suite, "BIN", NEW)
        self.fleet = Fleet(redis.address(), replicas=2)
        self.addCleanup(self.fleet.close)
        self.fleet.wait_all_healthy()
        load.apply_wave(self.fleet)
        self.mixed = load.Load(self.fleet, writers=4)

    def replace(self, replica, programs):
        """One replica of every service stops in an orderly way and comes back from `programs`, as a rollout does it."""
        suite.BIN = programs
        for service in ("access", "registry", "validation", "intake", "dedup", "analytics", "fieldwork", "gateway"):
            process = self.fleet.processes[f"{service}-{replica}"]
            self.assertEqual(process.stop(), 0, process.program)
            process.start()
            self.fleet.wait_all_healthy()

    def work(self):
        """Lets the load go on for a while."""
        account = self.mixed.account
        until = len(account.responses) + EACH
        wait_until("the load goes on", lambda: account.unexpected or len(account.responses) >= until, timeout=120)

    def test_replica_by_replica_and_back_with_nothing_lost(self):
        self.mixed.start()
        try:
            # Both versions at once, then the new one alone, and one replica back, as after a change of mind.
            for replica, programs in ((1, NEW), (2, NEW), (2, self.old), (2, NEW)):
                self.work()
                self.replace(replica, programs)
            self.work()
        finally:
            self.mixed.stop()
        load.check(self, self.fleet, self.mixed.account)
        report = load.cleaning(self.fleet)
        self.assertEqual((report.started, report.kept), (len(self.mixed.account.responses), len(self.mixed.titles)))
        self.assertEqual(load.outcome(self.fleet), self.expected)


if __name__ == "__main__":
    unittest.main()
