"""Clocks that jump, forward and back, while the poll runs: nothing is lost, and whoever is alive is not taken for dead."""

import struct
import unittest

import load
from fleet import *
from redis_servers import Server, wait_until

LIBRARY = BIN.parent / "tests" / "fault" / "libclock_shift.so"
DAY = 24 * 3600


class Clock:
    """The wall clock of some processes; see clock_shift.cc."""

    def __init__(self, path):
        self.path = path
        path.write_bytes(struct.pack("=q", 0))

    def set(self, seconds):
        with open(self.path, "r+b") as file:
            file.write(struct.pack("=q", seconds))

    def environment(self):
        return {"LD_PRELOAD": str(LIBRARY), "PEILING_CLOCK_SHIFT": str(self.path)}


class ClockJumps(unittest.TestCase):
    def test_clocks_that_jump_lose_nothing(self):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="peiling-clock-"))
        self.addCleanup(shutil.rmtree, directory)
        clocks = {service: Clock(directory / service) for service in ("intake", "dedup", "analytics", "gateway")}
        redis = Server(directory / "redis")
        redis.start()
        self.addCleanup(redis.kill)
        fleet = Fleet(f"redis://{redis.host}:{redis.port}", replicas=2,
                      environment={service: clock.environment() for service, clock in clocks.items()})
        self.addCleanup(fleet.close)
        fleet.wait_all_healthy()
        load.apply_wave(fleet)
        mixed = load.Load(fleet)
        mixed.start()
        try:
            for offset in (DAY, 0, -DAY, 3650 * DAY, 0):
                for clock in clocks.values():
                    clock.set(offset)
                    enough = len(mixed.account.responses) + 50
                    wait_until(f"writes with the clock {offset} s off", lambda: len(mixed.account.responses) >= enough, timeout=60)
        finally:
            mixed.stop()
        fleet.wait_all_healthy()
        load.check(self, fleet, mixed.account)
        self.assertEqual(load.outcome(fleet), load.undisturbed_outcome())


if __name__ == "__main__":
    unittest.main()
