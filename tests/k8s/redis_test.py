"""Redis as the manifests start it: their scripts, configuration and users, with real servers and Sentinels on this machine."""

import base64
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from manifests import Manifests, render
from programs import free_port

SERVERS = 3


def until(holds, what, seconds=90):
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"in {seconds} s not: {what}")
        time.sleep(0.1)


class Cluster:
    """Three servers and three Sentinels of the test overlay, in folders and on ports of this machine."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="peiling-k8s-redis-"))
        self.manifests = Manifests(render("test") + render("production").of("ConfigMap"))
        self.processes = {}
        self.ports = {(kind, n): free_port() for kind in ("redis", "sentinel") for n in range(SERVERS)}
        self.write_files()
        self.write_certificates()

    def write_files(self):
        """What the pods find in their volumes."""
        for folder in ("conf", "start", "passwords", "tls"):
            (self.directory / folder).mkdir()
        for m in self.manifests.of("ConfigMap"):
            folder = {"peiling-redis-conf": "conf", "peiling-redis-start": "start", "peiling-backup": "start"}.get(m["metadata"]["name"].rsplit("-", 1)[0])
            for name, text in m["data"].items() if folder else ():
                path = self.directory / folder / name
                path.write_text(text.replace("/etc/redis/tls", str(self.directory / "tls")))
                path.chmod(0o755)
        for m in self.manifests.of("Secret"):
            user = re.fullmatch(r"peiling-redis-(\w+)-\w+", m["metadata"]["name"]).group(1)
            (self.directory / "passwords" / user).write_bytes(base64.b64decode(m["data"]["password"]))

    def write_certificates(self):
        tls = self.directory / "tls"
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        for command in (
                ["req", "-x509", *new, "-subj", "/CN=ca", "-keyout", tls / "ca.key", "-out", tls / "ca.crt"],
                ["req", "-x509", *new, "-subj", "/CN=server", "-addext", "subjectAltName=DNS:localhost", "-CA", tls / "ca.crt", "-CAkey", tls / "ca.key",
                 "-keyout", tls / "tls.key", "-out", tls / "tls.crt"]):
            subprocess.run(["openssl", *command], check=True, capture_output=True)

    def environment(self, kind, n):
        servers, sentinels = [" ".join(f"localhost:{self.ports[k, i]}" for i in range(SERVERS)) for k in ("redis", "sentinel")]
        folders = {name.upper(): str(self.directory / name) for name in ("conf", "passwords", "tls")}
        return {**os.environ, **folders, "ANNOUNCE_HOST": "localhost", "ANNOUNCE_PORT": str(self.ports[kind, n]), "SENTINELS": sentinels, "SERVERS": servers,
                "FIRST_PRIMARY": f"localhost:{self.ports['redis', 0]}", "MAXMEMORY": "64mb", "DATA": str(self.folder(kind, n) / "data"),
                "RUN": str(self.folder(kind, n) / "run"), "WORK": str(self.directory)}

    def folder(self, kind, n):
        return self.directory / f"{kind}-{n}"

    def start(self, kind, n):
        for name in ("data", "run"):
            (self.folder(kind, n) / name).mkdir(parents=True, exist_ok=True)
        with (self.folder(kind, n) / "log").open("ab") as log:
            self.processes[kind, n] = subprocess.Popen([self.directory / "start" / f"start-{kind}"], env=self.environment(kind, n), stdout=log, stderr=log)

    def start_all(self):
        for kind, n in self.ports:
            self.start(kind, n)

    def kill(self, kind, n):
        self.processes[kind, n].kill()
        self.processes[kind, n].wait()

    def log(self, kind, n):
        return (self.folder(kind, n) / "log").read_text(errors="replace")

    def run_script(self, name, kind, n, **more):
        return subprocess.run([self.directory / "start" / name], env={**self.environment(kind, n), **more}, capture_output=True, text=True, timeout=60)

    def ask(self, kind, n, *command, user=None):
        tls = self.directory / "tls"
        login = ["--user", user, "--pass", (self.directory / "passwords" / user).read_text(), "--no-auth-warning"] if user else []
        return subprocess.run(["redis-cli", "--tls", "--cacert", tls / "ca.crt", "--cert", tls / "tls.crt", "--key", tls / "tls.key", "-p",
                               str(self.ports[kind, n]), *login, *command], capture_output=True, text=True, timeout=30).stdout.strip()

    def primary(self):
        """Number of the server that is primary according to all Sentinels and itself; None while they disagree."""
        said = {self.ask("sentinel", n, "sentinel", "get-master-addr-by-name", "peiling") for n in range(SERVERS)}
        for n in range(SERVERS):
            if said == {f"localhost\n{self.ports['redis', n]}"} and self.ask("redis", n, "role", user="monitor").startswith("master"):
                return n
        return None

    def ready(self):
        return [n for n in range(SERVERS) if self.run_script("ready-redis", "redis", n).returncode == 0]

    def wait_ready(self):
        until(lambda: self.ready() == list(range(SERVERS)), "all servers ready")

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


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
