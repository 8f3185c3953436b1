"""nginx as the manifests start it: its script and configuration, as the user of the pod, with addresses and files of this machine."""

import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

from manifests import ROOT, render

sys.path.insert(0, str(ROOT / "tests/deploy"))

from nginx_server import Authorities, free_port, make_certificates  # noqa: E402

USER = 65532


def as_user():
    os.setgid(USER)
    os.setuid(USER)


class EdgeTest(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="peiling-k8s-edge-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.manifests = render("production")
        workload = self.manifests.workload("peiling-nginx")
        self.container = workload.containers[0]
        self.ports = {name: free_port() for name in workload.ports()}
        self.authorities = Authorities(self.directory)
        secrets = {"public": self.authorities.public / "peiling.example", "clients": self.authorities.clients, "tls": self.authorities.processes / "peiling-nginx"}
        self.mounts = {mount["name"]: self.directory / "pod" / mount["name"] for mount in self.container["volumeMounts"]}
        here = {"/etc/peiling": str(self.directory / "pod"), "/dev/stdout": str(self.directory / "access.log")}
        here |= {f"listen {port}": f"listen 127.0.0.1:{self.ports[name]}" for name, port in workload.ports().items()}
        here |= {f"peiling-gateway:{port}": f"127.0.0.1:{free_port()}" for port in (7340, 7380)}
        for volume in workload.pod["volumes"]:
            folder = self.mounts[volume["name"]]
            if volume["name"] in secrets:
                folder.parent.mkdir(exist_ok=True)
                folder.symlink_to(secrets[volume["name"]])
                continue
            folder.mkdir(parents=True)
            files = self.manifests.get("ConfigMap", volume["configMap"]["name"])["data"] if "configMap" in volume else {}
            for name, text in files.items():
                for there, local in here.items():
                    text = text.replace(there, local)
                (folder / name).write_text(text)
                (folder / name).chmod(0o555)
        root = os.geteuid() == 0
        if root:
            subprocess.run(["chown", "-R", "-H", f"{USER}:{USER}", self.directory], check=True)
        environment = {"CONF": str(self.mounts["conf"]), "RUN": str(self.mounts["run"]), "CERTIFICATES": str(self.directory / "pod"), "LOOK_SECONDS": "1",
                       "PAUSE_SECONDS": "2", "PATH": "/usr/sbin:/usr/bin:/bin"} | {e["name"]: e["value"] for e in self.container["env"]}
        with (self.directory / "log").open("wb") as log:
            self.process = subprocess.Popen([self.mounts["start"] / pathlib.Path(self.container["command"][0]).name], env=environment, stdout=log, stderr=log,
                                            preexec_fn=as_user if root else None, start_new_session=True)
        self.addCleanup(self.end)
        self.wait(self.alive, "live")

    def end(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def wait(self, holds, what):
        deadline = time.monotonic() + 30
        while not holds():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"nginx did not {what}: {(self.directory / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def alive(self):
        probe = self.container["livenessProbe"]["httpGet"]
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.ports[probe['port']]}{probe['path']}", timeout=5).status == 204
        except OSError:
            return False

    def shown(self):
        """The certificate that the outside sees."""
        return ssl.get_server_certificate(("127.0.0.1", self.ports["https"]), timeout=5)

    def test_a_renewed_certificate_is_shown_without_a_restart(self):
        before = self.shown()
        make_certificates(self.authorities.public, "peiling.example=localhost,127.0.0.1", more=["--renew"])
        renewed = (self.authorities.public / "peiling.example/tls.crt").read_text()
        subprocess.run(["chown", "-R", "-H", f"{USER}:{USER}", self.authorities.public], check=os.geteuid() == 0)
        self.assertNotEqual(before.strip(), renewed.strip())
        self.wait(lambda: self.shown().strip() == renewed.strip(), "show the new certificate")

    def test_it_ends_in_an_orderly_way_after_others_had_time_to_turn_away(self):
        self.process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        self.assertTrue(self.alive())
        self.assertEqual(0, self.process.wait(timeout=30))
        self.assertGreaterEqual(time.monotonic() - begun, 1.5)
        self.assertFalse(self.alive())

    def test_an_nginx_that_ended_ends_the_container(self):
        os.kill(int((self.mounts["run"] / "nginx.pid").read_text()), signal.SIGTERM)
        self.process.wait(timeout=30)


if __name__ == "__main__":
    unittest.main()
