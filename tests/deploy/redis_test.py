"""The Redis of deploy/redis: that it does what its remarks say, and that nobody gets further than they must."""

import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
REDIS = ROOT / "deploy/redis"
OWNERS = ("access", "intake", "dedup", "analytics", "fieldwork")


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def wait_until(what, condition, timeout=30):
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {timeout} s: {what}")
        time.sleep(0.05)


class Servers:
    """Servers set up from deploy/redis, in a folder of their own."""

    def __init__(self, test):
        self.test = test
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="peiling-redis-"))
        test.addClassCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.passwords = self.directory / "passwords"
        subprocess.run([REDIS / "users", "--make", self.passwords], check=True)
        self.acl = self.directory / "users.acl"
        self.acl.write_bytes(subprocess.run([REDIS / "users", self.passwords], stdout=subprocess.PIPE, check=True).stdout)

    def launch(self, program, config):
        process = subprocess.Popen([program, config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.test.addClassCleanup(process.wait)
        self.test.addClassCleanup(process.kill)
        return process

    def start(self, *lines, port=None, primary=None):
        """(port, process) of a server with deploy/redis/redis.conf and more lines."""
        port = port or free_port()
        data = self.directory / f"{port}"
        data.mkdir(exist_ok=True)
        config = data / "redis.conf"
        config.write_text("\n".join([
            f"include {REDIS}/redis.conf", "bind 127.0.0.1", f"port {port}", f"dir {data}", f"aclfile {self.acl}", "masteruser replica",
            f"masterauth {(self.passwords / 'replica').read_text()}", *([f"replicaof 127.0.0.1 {primary}"] if primary else []), *lines, ""]))
        process = self.launch("redis-server", config)
        wait_until("redis-server answers", lambda: "role:" in self.ask(port, "monitor", "info", "replication"))
        return port, process

    def ask(self, port, user, *words, more=()):
        """What the server answers, errors too."""
        who = ["--user", user, "--pass", (self.passwords / user).read_text().strip()] if user else []
        done = subprocess.run(["redis-cli", "--no-auth-warning", "-p", str(port), *who, *more, *map(str, words)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        return done.stdout.strip()


class Access(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.servers = Servers(cls)
        cls.primary, _ = cls.servers.start()
        cls.replica, _ = cls.servers.start(primary=cls.primary)
        wait_until("the replica follows", lambda: "state=online" in cls.ask("monitor", "info", "replication"))

    @classmethod
    def ask(cls, user, *words, more=()):
        return cls.servers.ask(cls.primary, user, *words, more=more)

    def test_nobody_without_a_name(self):
        self.assertIn("NOAUTH", self.ask("", "ping"))
        wrong = self.servers.ask(self.primary, "", "ping", more=["--user", "intake", "--pass", "wrong"])
        self.assertIn("WRONGPASS", wrong)
        for password in ("", "default"):
            self.assertIn("WRONGPASS", self.ask("", "auth", "default", password))
        self.assertIn("NOAUTH", self.ask("", "hget", "intake:k", "f"))

    def test_owners_keep_to_their_own_keys(self):
        for owner in OWNERS:
            for other in (*OWNERS, "x"):
                allowed = owner == other
                for words in (("hset", f"{other}:k", "f", "v"), ("hget", f"{other}:k", "f"), ("xadd", f"{other}:s", "*", "f", "v"),
                              ("eval", "return redis.call('HSET', KEYS[1], 'f', 'v')", 1, f"{other}:e")):
                    with self.subTest(owner=owner, words=words):
                        self.assertEqual("NOPERM" not in self.ask(owner, *words), allowed)

    def test_the_suite_in_one_process_has_the_keys_of_all_services_and_no_others(self):
        for key in (*OWNERS, "x"):
            self.assertEqual("NOPERM" in self.ask("peiling", "hget", f"{key}:k", "f"), key == "x")

    def test_no_service_looks_at_everything_or_throws_away(self):
        dangerous = [("flushall",), ("flushdb",), ("keys", "*"), ("scan", 0), ("randomkey",), ("del", "intake:k"), ("rename", "intake:k", "intake:l"),
                     ("expire", "intake:k", 1), ("config", "set", "appendfsync", "no"), ("shutdown",), ("debug", "sleep", 0), ("monitor",), ("acl", "list"),
                     ("replicaof", "no", "one"), ("client", "kill", "type", "normal"), ("script", "flush"), ("function", "flush"), ("xtrim", "intake:s", "maxlen", 0),
                     ("save",), ("migrate", "h", 1, "intake:k", 0, 1), ("subscribe", "x"), ("psync", "?", -1)]
        for user in (*OWNERS, "peiling", "monitor"):
            for words in dangerous:
                with self.subTest(user=user, words=words):
                    self.assertRegex(self.ask(user, *words), "NOPERM|DEBUG command not allowed")
        # Nor by a script.
        self.assertIn("can't run this command", self.ask("intake", "eval", "return redis.call('FLUSHALL')", 0))

    def test_what_helps_attackers_is_off(self):
        for name in ("enable-debug-command", "enable-module-command", "enable-protected-configs"):
            self.assertEqual(self.ask("intake", "config", "get", name).split(), [name, "no"])

    def test_writes_are_on_the_disk_and_on_the_replica(self):
        answers = subprocess.run(["redis-cli", "--no-auth-warning", "-p", str(self.primary), "--user", "intake", "--pass",
                                  (self.servers.passwords / "intake").read_text().strip()],
                                 input="config get appendfsync\nhset intake:w f v\nwait 1 5000\n", stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        self.assertEqual(answers, ["appendfsync", "always", "1", "1"])
        self.assertEqual(self.servers.ask(self.replica, "intake", "hget", "intake:w", "f"), "v")


class Alone(unittest.TestCase):
    def test_a_primary_without_replicas_takes_no_writes(self):
        servers = Servers(Alone)
        port, _ = servers.start()
        self.assertIn("NOREPLICAS", servers.ask(port, "intake", "hset", "intake:k", "f", "v"))

    def test_full_is_an_error_and_nothing_goes(self):
        servers = Servers(Alone)
        port, _ = servers.start("min-replicas-to-write 0", "maxmemory 3mb")
        value = "v" * 100_000
        written = 0
        while "OOM" not in (answer := servers.ask(port, "intake", "hset", "intake:k", written, value)):
            self.assertEqual(answer, "1")
            written += 1
        self.assertGreater(written, 0)
        for field in range(written):
            self.assertEqual(servers.ask(port, "intake", "hget", "intake:k", field), value)

    def test_everything_is_there_after_a_crash_and_a_start(self):
        servers = Servers(Alone)
        port, process = servers.start("min-replicas-to-write 0")
        self.assertEqual(servers.ask(port, "intake", "hset", "intake:one", "f", "v"), "1")
        # In the log this is MULTI … EXEC.
        script = "redis.call('HSET', KEYS[1], 'f', 'v') return redis.call('XADD', KEYS[2], '1-0', 'f', 'v')"
        self.assertEqual(servers.ask(port, "intake", "eval", script, 2, "intake:two", "intake:stream"), "1-0")
        process.kill()
        process.wait()
        servers.start("min-replicas-to-write 0", port=port)
        self.assertEqual([servers.ask(port, "intake", "hget", f"intake:{key}", "f") for key in ("one", "two")], ["v", "v"])
        self.assertIn("1-0", servers.ask(port, "intake", "xrange", "intake:stream", "-", "+"))

    def test_a_log_cut_off_by_a_crash_is_read_up_to_the_cut(self):
        servers = Servers(Alone)
        port, process = servers.start("min-replicas-to-write 0")
        for field in ("a", "b"):
            servers.ask(port, "intake", "hset", "intake:k", field, "v")
        process.kill()
        process.wait()
        log = next((servers.directory / str(port) / "appendonlydir").glob("*.incr.aof"))
        log.write_bytes(log.read_bytes()[:-5])
        servers.start("min-replicas-to-write 0", port=port)
        self.assertEqual(servers.ask(port, "intake", "hmget", "intake:k", "a", "b"), "v")


class Watched(unittest.TestCase):
    def test_sentinels_make_a_replica_the_primary(self):
        servers = Servers(Watched)
        first, process = servers.start()
        others = [servers.start(primary=first)[0] for _ in range(2)]
        sentinels = []
        for number in range(3):
            config = servers.directory / f"sentinel-{number}.conf"
            sentinels.append(free_port())
            config.write_text("\n".join([
                "bind 127.0.0.1", f"port {sentinels[-1]}", f"dir {servers.directory}", f"sentinel monitor peiling 127.0.0.1 {first} 2",
                "sentinel auth-user peiling sentinel", f"sentinel auth-pass peiling {(servers.passwords / 'sentinel').read_text()}",
                (REDIS / "sentinel.conf").read_text()]))
            servers.launch("redis-sentinel", config)

        def known(port):
            # The Sentinels themselves have no users: they listen to servers and services alone.
            answer = servers.ask(port, "", "sentinel", "master", "peiling").split()
            facts = dict(zip(answer[::2], answer[1::2]))
            return facts.get("num-other-sentinels") == "2" and facts.get("num-slaves") == "2"

        def primary():
            named = {servers.ask(port, "", "sentinel", "get-master-addr-by-name", "peiling") for port in sentinels}
            return int(named.pop().split()[1]) if len(named) == 1 else first

        wait_until("sentinels know all", lambda: all(known(port) for port in sentinels))
        self.assertEqual(servers.ask(first, "intake", "hset", "intake:k", "f", "v"), "1")
        process.kill()
        wait_until("another is primary", lambda: primary() in others)
        wait_until("it takes writes", lambda: servers.ask(primary(), "intake", "hset", "intake:k", "g", "w") in ("0", "1"))
        self.assertEqual(servers.ask(primary(), "intake", "hmget", "intake:k", "f", "g").split(), ["v", "w"])


class Encrypted(unittest.TestCase):
    def test_only_with_a_certificate_of_the_authority(self):
        servers = Servers(Encrypted)
        tls = servers.directory / "tls"
        tls.mkdir()

        def openssl(*words):
            subprocess.run(["openssl", *map(str, words)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        for name in ("ca", "other"):
            openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tls / f"{name}.key", "-out", tls / f"{name}.crt", "-subj", f"/CN={name}", "-days", 1)
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", tls / "tls.key", "-out", tls / "tls.csr", "-subj", "/CN=redis")
        openssl("x509", "-req", "-in", tls / "tls.csr", "-CA", tls / "ca.crt", "-CAkey", tls / "ca.key", "-CAcreateserial", "-out", tls / "tls.crt", "-days", 1)
        port = free_port()
        config = servers.directory / "tls.conf"
        config.write_text((REDIS / "tls.conf").read_text().replace("/etc/redis/tls", str(tls)).replace("6379", str(port)))
        data = servers.directory / "data"
        data.mkdir()
        main = servers.directory / "redis.conf"
        main.write_text(f"include {REDIS}/redis.conf\ninclude {config}\nbind 127.0.0.1\ndir {data}\naclfile {servers.acl}\n")
        servers.launch("redis-server", main)
        ours = ["--tls", "--cacert", str(tls / "ca.crt"), "--cert", str(tls / "tls.crt"), "--key", str(tls / "tls.key")]
        wait_until("redis-server answers", lambda: servers.ask(port, "monitor", "ping", more=ours) == "PONG")
        theirs = ["--tls", "--cacert", str(tls / "ca.crt"), "--cert", str(tls / "other.crt"), "--key", str(tls / "other.key")]
        for refused in ([], ours[:3], theirs):
            self.assertNotIn("PONG", servers.ask(port, "monitor", "ping", more=refused), refused)


if __name__ == "__main__":
    unittest.main()
