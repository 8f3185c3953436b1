"""The real programs, asked and started as the manifests do."""

import base64
import functools
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.request
import uuid

import grpc

import suite
from manifests import ROOT
from suite import health_pb2, health_pb2_grpc

BIN = pathlib.Path(os.environ["PEILING_BIN"]).resolve()
# In the order in which each finds those it needs.
ORDER = ["access", "registry", "validation", "intake", "dedup", "analytics", "fieldwork", "gateway"]
# Of the first administrator, as a Secret would have it.
ADMINISTRATOR = "peiling_00000000000000a1_made-up-for-a-test-cluster-and-known-to-all"
# Those made by hand, as people would make them.
SECRETS = {"peiling-administrator": {"key": ADMINISTRATOR},
           **{f"peiling-personal-data-{service}": {"keys": f"test-1 {base64.b64encode(os.urandom(32)).decode()}\n"} for service in ("intake", "fieldwork")}}
# What the manifests start with these names is ours; the rest is Redis'.
OURS = re.compile(r"peiling(ctl|-[a-z]+)?$")


class Facts:
    """Flags and variables of a program, or of a command of it, as its --help has them."""

    def __init__(self, program, *commands):
        text = subprocess.run([BIN / program, *commands, "--help"], check=True, capture_output=True, text=True, timeout=60).stdout
        self.flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))
        self.variables = set(re.findall(r"Env:(\w+)", text))


@functools.cache
def facts(program, *commands):
    return Facts(program, *commands) if OURS.match(program) else None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Pod:
    """A container of a workload on this machine: its command line and variables, with addresses and files of this machine."""

    def __init__(self, manifests, workload, directory, pods, store=None):
        """`pods`: those it talks to, by (name, port). `store`: the address of its store; a file when not given."""
        container = workload.containers[0]
        self.container = container
        self.metrics_port = free_port()
        self.health_port = free_port()
        self.mounts = mount(manifests, workload, directory)
        local = {f"dns:///{name}:{port}": f"127.0.0.1:{pod.port}" for (name, port), pod in pods.items()}
        self.port_file = directory / f"{workload.name}.port"
        here = {
            "PEILING_LISTEN": "127.0.0.1:0",
            "PEILING_HTTP_LISTEN": f"127.0.0.1:{free_port()}",
            "PEILING_METRICS_LISTEN": f"127.0.0.1:{self.metrics_port}",
            "PEILING_HEALTH_LISTEN": f"127.0.0.1:{self.health_port}",
            "PEILING_PORT_FILE": str(self.port_file),
            "PEILING_DRAIN_PAUSE_SECONDS": "2",
        }
        variables = {}
        for name, value in manifests.environment(container).items():
            stored = (store or f"sqlite:{directory}/{workload.title}.db") if name.endswith("_STORE") else None
            variables[name] = here.get(name) or stored or self.file(value) or value or workload.name
        arguments = [flag + equals + local.get(value, value) for flag, equals, value in (a.partition("=") for a in container.get("args", []))]
        self.log = directory / f"{workload.name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([BIN / container["command"][0], *container["command"][1:], *arguments], env={**here, **variables},
                                            stdout=log, stderr=log)
        self.wait(lambda: self.port_file.exists() and self.port_file.read_text().endswith("\n"), "listen")
        self.port = int(self.port_file.read_text().rsplit(":", 1)[1])
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.health_port}")

    def file(self, path):
        """Where something in a volume is; None for what is not in one."""
        return next((str(folder / path[len(point) + 1:]) for point, folder in self.mounts.items() if path and path.startswith(f"{point}/")), None)

    def wait(self, holds, what, seconds=60):
        deadline = time.monotonic() + seconds
        while not holds():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.log.stem} did not {what}: {self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def health(self, service):
        """SERVING, NOT_SERVING, or the code of an error: NOT_FOUND for a name that nobody reports."""
        try:
            answer = health_pb2_grpc.HealthStub(self.channel).Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
            return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        except grpc.RpcError as error:
            return error.code().name

    def probe(self, name):
        """What a probe of the manifest would hear."""
        return self.health(self.container[name]["grpc"].get("service", ""))

    def metrics(self):
        """Names of what Prometheus would read; a histogram's with its endings."""
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10).read().decode()
        return set(re.findall(r"^([a-zA-Z_:][\w:]*)", text, re.MULTILINE))

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def close(self):
        self.channel.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def mount(manifests, workload, directory):
    """{mount point: folder} of what the pod finds in its volumes: certificates of an authority in the directory, Secrets and files of the manifests."""
    mounts = {}
    for entry in workload.containers[0].get("volumeMounts", []):
        volume = next(v for v in workload.pod["volumes"] if v["name"] == entry["name"])
        secret = volume.get("secret", {}).get("secretName")
        certificate = manifests.get("Certificate", secret)
        if certificate:
            names = ",".join([*certificate["spec"]["dnsNames"], "127.0.0.1"])
            subprocess.run([ROOT / "deploy/certificates", directory / "certificates", f"{secret}={names}"], check=True)
            mounts[entry["mountPath"]] = directory / "certificates" / secret
            continue
        folder = directory / workload.name / entry["name"]
        folder.mkdir(parents=True)
        files = manifests.get("ConfigMap", volume["configMap"]["name"])["data"] if "configMap" in volume else {}
        files = SECRETS.get(secret, files)
        for name, text in files.items():
            (folder / name).write_text(text)
        mounts[entry["mountPath"]] = folder
    return mounts


class Client(suite.Client):
    """Somebody with every role who calls a gateway, once all behind it is healthy."""

    def __init__(self, gateway):
        gateway.wait(lambda: gateway.health("") == "SERVING", "be healthy with all that is behind it")
        ca = pathlib.Path(gateway.file("/etc/peiling/tls/ca.crt")).read_bytes()
        channel = grpc.secure_channel(f"127.0.0.1:{gateway.port}", grpc.ssl_channel_credentials(ca))
        grants = [suite.identity_pb2.Grant(role=role) for role in suite.ROLES]
        administrator = suite.Client(channel, ADMINISTRATOR)
        made = administrator.access.CreateKey(suite.access_pb2.CreateKeyRequest(key=suite.access_pb2.Key(title="tests", grants=grants), request_id=uuid.uuid4().hex),
                                              timeout=suite.TIMEOUT)
        super().__init__(channel, made.secret)
        gateway.wait(self.admitted, "let a new key in")

    def admitted(self):
        try:
            return bool(self.access.GetCaller(suite.access_pb2.GetCallerRequest(), timeout=suite.TIMEOUT).identity.subject)
        except grpc.RpcError:
            return False


def start_all(manifests, directory, stores=None):
    """Every service, from its Deployment; `stores`: addresses by service."""
    pods, ports = {}, {}
    try:
        for title in ORDER:
            workload = manifests.workload(f"peiling-{title}")
            pods[title] = ports[workload.name, workload.ports()["grpc"]] = Pod(manifests, workload, directory, ports, (stores or {}).get(title))
    except RuntimeError:
        for pod in pods.values():
            pod.close()
        raise
    return pods
