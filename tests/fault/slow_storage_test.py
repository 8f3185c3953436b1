"""A Redis whose disk has become slow, and a primary that hangs: writes wait or are refused, none is acknowledged that is not safe, and it goes on
by itself."""

import struct
import unittest

import load
from fleet import *
from redis_servers import SentinelRedis, Server, command, wait_until

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

    def test_a_primary_that_lives_through_a_failover_acknowledges_nothing_that_the_next_one_lacks(self):
        """For a moment there are two primaries, and a replica that still follows the old one."""
        redis = SentinelRedis()
        self.addCleanup(redis.close)
        fleet, mixed = self.run_load(redis.address())
        for fault in (self.hang, self.order_failover, self.hang, self.order_failover):
            redis.wait_whole()
            self.wait_for_more(mixed)
            fault(redis)
            self.wait_for_more(mixed)
        redis.wait_whole()
        self.finish(fleet, mixed)

    def hang(self, redis):
        """Until the moment there is another primary, and not longer."""
        old = redis.primary()
        old.pause()
        wait_until("another primary", lambda: any(server.role() == "master" for server in redis.servers if server is not old), 60, pause=0.002)
        old.resume()

    def order_failover(self, redis):
        old = redis.primary()
        command(redis.sentinels[0][0], "SENTINEL", "FAILOVER", redis.NAME)
        wait_until("another primary", lambda: redis.new_primary(old), timeout=60)


if __name__ == "__main__":
    unittest.main()
