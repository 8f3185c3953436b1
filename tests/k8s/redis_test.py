"""Redis as the manifests start it: their scripts, configuration and users, with real servers and Sentinels on this machine."""

import os
import shutil
import unittest

from redis_cluster import SERVERS, Cluster, until


class RedisTest(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster()
        self.addCleanup(self.cluster.close)
        self.cluster.start_all()
        self.cluster.wait_ready()
        until(lambda: self.cluster.primary() == 0, "the first server is primary at the first start")
        until(lambda: "num-slaves\n2" in self.cluster.ask("sentinel", 0, "sentinel", "master", "peiling"), "Sentinels know the replicas")

    def write(self, n, value):
        self.assertEqual("1", self.cluster.ask("redis", n, "hset", "intake:x", value, "1", user="intake"))

    def read(self, n, value, user="intake"):
        return self.cluster.ask("redis", n, "hget", "intake:x", value, user=user)

    def test_every_user_of_the_manifests_logs_in_and_sees_its_own(self):
        self.write(0, "a")
        self.assertEqual("1", self.read(0, "a"))
        self.assertIn("NOPERM", self.read(0, "a", user="dedup"))
        self.assertIn("NOAUTH", self.read(0, "a", user=None))
        for user in (self.cluster.directory / "passwords").iterdir():
            self.assertNotIn("WRONGPASS", self.cluster.ask("redis", 0, "ping", user=user.name))

    def test_a_primary_that_lost_its_disk_does_not_empty_its_replicas(self):
        self.write(0, "kept")
        for n in (1, 2):
            until(lambda: self.read(n, "kept") == "1", "the replicas have it")
        self.cluster.kill("redis", 0)
        shutil.rmtree(self.cluster.folder("redis", 0) / "data")
        self.cluster.start("redis", 0)
        until(lambda: self.cluster.primary() in (1, 2), "another server takes over")
        self.cluster.wait_ready()
        self.assertIn("waiting for a failover", self.cluster.log("redis", 0))
        self.assertEqual("1", self.read(self.cluster.primary(), "kept"))

    def test_everything_started_anew_finds_the_primary_that_was(self):
        self.cluster.kill("redis", 0)
        until(lambda: self.cluster.primary() in (1, 2), "another server takes over")
        primary = self.cluster.primary()
        self.cluster.start("redis", 0)
        self.cluster.wait_ready()
        self.write(primary, "late")
        for kind, n in self.cluster.ports:
            self.cluster.kill(kind, n)
        self.cluster.start_all()
        until(lambda: self.cluster.primary() == primary, "the same server is primary")
        self.cluster.wait_ready()
        self.assertEqual("1", self.read(primary, "late"))

    def test_a_backup_is_a_copy_of_what_a_replica_has(self):
        self.write(0, "a")
        for n in (1, 2):
            until(lambda: self.read(n, "a") == "1", "the replicas have it")
        backup = self.cluster.directory / "backups" / "tonight"
        old = backup.parent / "old"
        old.mkdir(parents=True)
        os.utime(old, (0, 0))
        taken = self.cluster.run_script("take-snapshot", "redis", 0, BACKUP=str(backup))
        self.assertEqual(0, taken.returncode, taken.stderr)
        self.assertIn("1 keys read", taken.stdout)
        kept = self.cluster.run_script("keep-backup", "redis", 0, BACKUP=str(backup), KEEP_DAYS="35")
        self.assertEqual((0, "tonight\n"), (kept.returncode, kept.stdout), kept.stderr)

    def test_while_a_password_changes_both_are_good(self):
        passwords = self.cluster.directory / "passwords"
        (passwords / "intake.other").write_text("the next one")
        self.cluster.kill("redis", 2)
        self.cluster.start("redis", 2)
        self.cluster.wait_ready()
        for password in ("test-intake", "the next one"):
            (passwords / "intake").write_text(password)
            self.assertNotIn("WRONGPASS", self.cluster.ask("redis", 2, "ping", user="intake"))

    def test_a_server_alone_waits_for_sentinels(self):
        for n in range(SERVERS):
            self.cluster.kill("sentinel", n)
        self.cluster.kill("redis", 1)
        self.cluster.start("redis", 1)
        until(lambda: "waiting for 2 Sentinels to agree" in self.cluster.log("redis", 1), "it says what it waits for")
        self.assertEqual([0, 2], self.cluster.ready())


if __name__ == "__main__":
    unittest.main()
