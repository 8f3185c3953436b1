"""Redis with Sentinel and the services on hosts of their own (network namespaces), with the network between them slow, losing packets and cut
in two. Whatever is acknowledged meanwhile is there afterwards, once."""

import contextlib
import unittest

import load
from fleet import *
from network import Network
from redis_servers import SentinelRedis, wait_until

# Hosts of the network: Redis on 1 to 3, a replica of every service on 4 and on 5, whoever asks on 0.
REDIS = (1, 2, 3)
SERVICES = (4, 5)


class NetworkFaults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.expected = load.undisturbed_outcome()

    @contextlib.contextmanager
    def poll_under_load(self):
        network = Network(len(REDIS) + len(SERVICES))
        self.addCleanup(network.close)
        redis = SentinelRedis(hosts=[(network.address(host), network.prefix(host)) for host in REDIS])
        self.addCleanup(redis.close)
        fleet = Fleet(redis.address(), hosts=[(network.address(host), network.prefix(host)) for host in SERVICES], tls=True)
        self.addCleanup(fleet.close)
        fleet.wait_all_healthy()
        load.apply_wave(fleet)
        mixed = load.Load(fleet)
        mixed.start()
        try:
            yield network, redis, fleet, mixed.account
        finally:
            network.cut()
            network.slow()
            mixed.stop()
        fleet.wait_all_healthy()
        load.check(self, fleet, mixed.account)
        self.assertEqual(load.outcome(fleet), self.expected)

    def wait_for_more(self, account, count=20):
        """Writes come through."""
        enough = len(account.responses) + count
        wait_until("more acknowledged writes", lambda: len(account.responses) >= enough, timeout=60)

    def host_of(self, redis, server):
        return REDIS[redis.servers.index(server)]

    def test_a_primary_cut_off_from_its_replicas_acknowledges_nothing(self):
        with self.poll_under_load() as (network, redis, _, account):
            self.wait_for_more(account)
            old = redis.primary()
            alone = self.host_of(redis, old)
            # The services still reach it: writes arrive there that no replica will ever have.
            network.cut(*((alone, other) for other in REDIS if other != alone))
            wait_until("another primary", lambda: redis.new_primary(old), timeout=60)
            self.wait_for_more(account)
            network.cut()
            redis.wait_whole()
            self.wait_for_more(account)

    def test_services_cut_off_from_their_store_are_passed_over(self):
        with self.poll_under_load() as (network, _, fleet, account):
            self.wait_for_more(account)
            network.cut(*((SERVICES[0], host) for host in REDIS))
            away = {"intake-1", "dedup-1"}
            wait_until("they say that they are not ready", lambda: away.isdisjoint(fleet.healthy()), timeout=60)
            self.wait_for_more(account)
            self.assertIn("intake-2", fleet.healthy())
            network.cut()
            fleet.wait_all_healthy()

    def test_a_slow_network_that_loses_packets_only_takes_longer(self):
        with self.poll_under_load() as (network, _, _, account):
            self.wait_for_more(account)
            network.slow(0.02, loss=0.01)
            self.wait_for_more(account, 100)
            network.slow()
            self.wait_for_more(account)


if __name__ == "__main__":
    unittest.main()
