"""The nginx of deploy/nginx on this machine: its files as they are, but for addresses and ports."""

import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def make_certificates(folder, *names, more=()):
    subprocess.run([ROOT / "deploy/certificates", *more, folder, *names], check=True)


class Authorities:
    """Three: of Peiling's processes (nginx among them), of what the outside sees, of systems that call with a certificate."""

    def __init__(self, directory):
        self.processes, self.public, self.clients = (directory / name for name in ("processes", "public", "clients"))
        make_certificates(self.processes, "peiling-gateway", "peiling-nginx")
        make_certificates(self.public, "peiling.example=localhost,127.0.0.1")
        make_certificates(self.clients, "mail.spotler.nl", "unknown.example")


class Nginx:
    """Runs from the folder it is given, until close()."""

    def __init__(self, directory, authorities, grpc_port, http_port, **changes):
        """`changes`: more to be said in the server of site.conf."""
        self.directory = directory
        self.port = free_port()
        shutil.copytree(ROOT / "deploy/nginx", directory, dirs_exist_ok=True)
        tls = directory / "tls"
        tls.mkdir()
        (tls / "peiling-nginx").symlink_to(authorities.processes / "peiling-nginx")
        (tls / "clients.crt").symlink_to(authorities.clients / "ca.crt")
        for kind in ("crt", "key"):
            (tls / f"peiling.example.{kind}").symlink_to(authorities.public / f"peiling.example/tls.{kind}")
        site = directory / "site.conf"
        text = site.read_text()
        for there, here in {"gateway.internal:7340": f"127.0.0.1:{grpc_port}", "gateway.internal:7380": f"127.0.0.1:{http_port}",
                            "listen 443": f"listen 127.0.0.1:{self.port}", "/var/log/nginx/peiling.log": f"{directory}/access.log",
                            "server {\n": "server {\n" + "".join(f"  {name} {value};\n" for name, value in changes.items())}.items():
            assert there in text, there
            text = text.replace(there, here)
        site.write_text(text)
        self.command = ["/usr/sbin/nginx", "-p", directory, "-c", directory / "nginx.conf", "-e", directory / "error.log", "-g",
                        f"daemon off; pid {directory}/nginx.pid;"]
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL)
        self.wait(self.listens, "listen")

    def wait(self, holds, what, seconds=30):
        deadline = time.monotonic() + seconds
        while not holds():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nginx did not {what}: {(self.directory / 'error.log').read_text()[-2000:]}")
            time.sleep(0.05)

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def workers(self):
        return set(pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split())

    def memory(self):
        """Bytes of all workers, what they share counted each time."""
        return sum(1024 * int(next(line for line in pathlib.Path(f"/proc/{worker}/status").read_text().splitlines() if line.startswith("VmRSS")).split()[1])
                   for worker in self.workers())

    def reload(self):
        """As "systemctl reload nginx" does it; returns once new workers serve."""
        before = self.workers()
        subprocess.run([*self.command[:-2], "-g", f"pid {self.directory}/nginx.pid;", "-s", "reload"], check=True, stderr=subprocess.DEVNULL)
        self.wait(lambda: len(self.workers() - before) >= len(before & self.workers() or {0}), "start new workers")

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=30)
