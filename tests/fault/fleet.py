"""Several replicas of every service over one store, as on a cluster, on one machine."""

import base64
import os
import pathlib
import shutil
import tempfile
import threading

from suite import *

# What each service calls.
NEEDS = {
    "access": (),
    "registry": (),
    "validation": ("registry",),
    "intake": ("validation",),
    "dedup": ("intake", "registry"),
    "analytics": ("intake", "dedup", "registry"),
    "fieldwork": ("intake", "dedup", "analytics", "registry"),
    "gateway": ("access", "registry", "validation", "intake", "dedup", "analytics", "fieldwork"),
}
STATEFUL = ("access", "intake", "dedup", "analytics", "fieldwork")
# Those that seal personal data, with keys they are given: their store is no file beside which they could make some.
SEALING = ("intake", "fieldwork")


class Fleet(Suite):
    """Talks to all gateways in turn. `processes` are named "intake-1", "intake-2", …"""

    def __init__(self, store, replicas=2, arguments=None, hosts=None, environment=None, tls=False):
        """`arguments` and `environment` by service; `hosts` are (address, prefix) for each replica, by default all on this one; anywhere else
        they must speak TLS."""
        self.prepare(tls=tls)
        self.hosts = hosts or [("127.0.0.1", [])] * replicas
        self.environment = environment or {}
        self.restarting = threading.Lock()
        self.personal_data_keys = self.directory / "personal-data.keys"
        self.personal_data_keys.write_text(f"test-1 {base64.b64encode(os.urandom(32)).decode()}\n")
        self.personal_data_keys.chmod(0o600)
        for service, needs in NEEDS.items():
            for number in range(1, replicas + 1):
                self.start_replica(service, number, needs, store, (arguments or {}).get(service, ()))
        self.connect()

    def start_replica(self, service, number, needs, store, arguments):
        home = self.directory / f"{service}-{number}"
        home.mkdir()
        peers = [f"--{need}={self.target(need)}" for need in needs]
        stores = [f"--store={store}"] if service in STATEFUL else []
        keys = self.administrator_key() if service == "access" else []
        environment = self.environment.get(service, {})
        if service in SEALING:
            environment = {"PEILING_PERSONAL_DATA_KEY_FILE": str(self.personal_data_keys), **environment}
        host, prefix = self.hosts[number - 1]
        program = f"peiling-{service}"
        tls = self.tls_flags(program, ips=[address for address, _ in self.hosts])
        self.processes[f"{service}-{number}"] = Process(program, home, [*peers, *stores, *keys, *tls, *arguments], host=host, prefix=prefix,
                                                        environment=environment, insecure=self.is_insecure(program))

    def target(self, service):
        """All replicas of a service, as a gRPC target."""
        return "ipv4:" + ",".join(process.address for name, process in self.processes.items() if name.startswith(f"{service}-"))

    def gateways(self):
        return [process.address for name, process in self.processes.items() if name.startswith("gateway-")]

    def restart(self, name):
        """kill -9, and back on the same port as a supervisor brings it back."""
        with self.restarting:
            self.processes[name].kill()
            self.processes[name].start()

    def healthy(self):
        """Replicas that say they can answer."""
        names = []
        for name, process in self.processes.items():
            with self.open_channel(process.address, self.certificate("e2e")) as channel:
                try:
                    answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=2)
                except grpc.RpcError:
                    continue
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    names.append(name)
        return names

    def wait_all_healthy(self, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while len(self.healthy()) < len(self.processes):
            if time.monotonic() > deadline:
                missing = set(self.processes) - set(self.healthy())
                raise RuntimeError(f"not healthy: {missing}: " + "\n".join(self.processes[name].log_tail() for name in missing))
            time.sleep(0.1)
