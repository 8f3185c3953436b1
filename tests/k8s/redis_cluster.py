"""Redis as the manifests start it: three servers and three Sentinels of the test overlay, in folders and on ports of this machine."""

import base64
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

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
    """Six processes that close() ends."""

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
            user = re.fullmatch(r"peiling-redis-(\w+)-\w+", m["metadata"]["name"])
            if user:
                (self.directory / "passwords" / user.group(1)).write_bytes(base64.b64decode(m["data"]["password"]))

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
