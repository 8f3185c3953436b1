"""A Redis whose disk has become slow, and a primary that hangs: writes wait or are refused, none is acknowledged that is not safe, and it goes on
by itself."""

import struct
import unittest

import load
from fleet import *
from redis_servers import SentinelRedis, Server, wait_until

LIBRARY = BIN.parent / "tests" / "fault" / "libslow_disk.so"


class SlowStorage(unittest.TestCase):
    def run_load(self, store):
        fleet = Fleet(store, replicas=2)
        self.addCleanup(fleet.close)
        fleet.wait_all_healthy()
        load.apply_wave(fleet)
        mixed = load.Load(fleet)
        mixed.start()
        self.addCleanup(mixed.stopping.set)
        return fleet, mixed

    def wait_for_more(self, mixed, count=50):
        enough = len(mixed.account.responses) + count
        wait_until("more acknowledged writes", lambda: len(mixed.account.responses) >= enough, timeout=60)

    def finish(self, fleet, mixed):
        mixed.stop()
        fleet.wait_all_healthy()
        load.check(self, fleet, mixed.account)
        self.assertEqual(load.outcome(fleet), load.undisturbed_outcome())

    def test_a_slow_disk_slows_writes_and_one_that_stands_still_refuses_them(self):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="peiling-slow-"))
        self.addCleanup(shutil.rmtree, directory)
        delay = directory / "microseconds"

        def slow(seconds):
            delay.write_bytes(struct.pack("=q", int(seconds * 1e6)))

        slow(0)
        redis = Server(directory / "redis", prefix=["env", f"LD_PRELOAD={LIBRARY}", f"PEILING_SLOW_DISK={delay}"])
        redis.start()
        self.addCleanup(redis.kill)
        fleet, mixed = self.run_load(f"redis://{redis.host}:{redis.port}")
        self.wait_for_more(mixed)
        slow(0.1)
        self.wait_for_more(mixed)
        slow(8)
        wait_until("intake says that it is not ready", lambda: {"intake-1", "intake-2"}.isdisjoint(fleet.healthy()), timeout=60)
        slow(0)
        self.wait_for_more(mixed)
        self.finish(fleet, mixed)

    def test_a_primary_that_hangs_is_replaced_and_follows_when_it_comes_to(self):
        redis = SentinelRedis()
        self.addCleanup(redis.close)
        fleet, mixed = self.run_load(redis.address())
        self.wait_for_more(mixed)
        old = redis.primary()
        old.pause()
        try:
            wait_until("another primary", lambda: redis.new_primary(old), timeout=60)
            self.wait_for_more(mixed)
        finally:
            old.resume()
        redis.wait_whole()
        self.wait_for_more(mixed)
        self.finish(fleet, mixed)


if __name__ == "__main__":
    unittest.main()
