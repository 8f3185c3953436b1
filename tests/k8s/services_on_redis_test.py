"""The services on the Redis of the manifests, with the addresses, users and certificates they are given there; and the way to a backup and back."""

import contextlib
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from manifests import render
from programs import BIN, Client, free_port, start_all
from redis_cluster import SERVERS, Cluster, until
from suite import W2022

STATEFUL = ["access", "intake", "dedup", "analytics", "fieldwork"]


def mounted(cluster, user):
    """What a pod of this user has in /etc/peiling/redis."""
    folder = cluster.directory / f"mounted-{user}"
    folder.mkdir()
    shutil.copy(cluster.directory / "passwords" / user, folder / "password")
    for name in ("ca.crt", "tls.crt", "tls.key"):
        shutil.copy(cluster.directory / "tls" / name, folder)
    return str(folder)


class Here:
    """Addresses and paths of the manifests, as they are on this machine."""

    def __init__(self, cluster, user):
        self.names = {"/etc/peiling/redis": mounted(cluster, user)}
        for kind in ("sentinel", "redis"):
            for n in range(SERVERS):
                self.names[f"peiling-{kind}-{n}.peiling-{kind}:{6379 if kind == 'redis' else 26379}"] = f"localhost:{cluster.ports[kind, n]}"
                self.names[f"peiling-{kind}-{n}.peiling-{kind}"] = f"localhost:{cluster.ports[kind, n]}"

    def __call__(self, text, **more):
        for there, here in {**self.names, **more}.items():
            text = text.replace(there, here)
        return text


def run_steps(manifests, cronjob, verb, here):
    """Runs the containers of a CronJob that are peilingctl, and begin with `verb`, with what they are told; returns what they print."""
    output = ""
    for container in manifests.workload(cronjob).containers:
        if container["command"] == ["peilingctl"] and container["name"].startswith(verb):
            done = subprocess.run([BIN / "peilingctl", *map(here, container["args"])], capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, f"{container['name']}: {done.stderr}"
            output += done.stdout
    return output


class ServicesOnRedisTest(unittest.TestCase):
    def cluster(self):
        cluster = Cluster()
        self.addCleanup(cluster.close)
        cluster.start_all()
        cluster.wait_ready()
        until(lambda: cluster.primary() == 0, "the first server is primary")
        return cluster

    @contextlib.contextmanager
    def services(self, cluster):
        """A client of all services on this Redis."""
        directory = pathlib.Path(tempfile.mkdtemp(prefix="peiling-k8s-"))
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        manifests = render("test")
        here = {user: Here(cluster, user) for user in STATEFUL}
        stores = {user: here[user](manifests.environment(manifests.workload(f"peiling-{user}").containers[0])[f"PEILING_{user.upper()}_STORE"])
                  for user in here}
        pods = start_all(manifests, directory, stores)
        try:
            yield Client(pods["gateway"])
        finally:
            for pod in pods.values():
                pod.close()
            for user in here:
                shutil.rmtree(cluster.directory / f"mounted-{user}")

    @contextlib.contextmanager
    def copy_of_redis(self, cluster, manifests):
        """The sidecar of the backup, with its command line, on the data that the step before took."""
        sidecar = next(c for c in manifests.workload("peiling-backup").containers if c["name"] == "redis")
        here = {"6379": str(free_port()), "/work": str(cluster.directory)}
        process = subprocess.Popen([*sidecar["command"], *[here.get(a, a) for a in sidecar["args"]]], stdout=subprocess.DEVNULL)
        try:
            probe = sidecar["startupProbe"]["exec"]["command"]
            until(lambda: subprocess.run([probe[0], "-p", here["6379"], *probe[1:]], capture_output=True).returncode == 0, "the copy is read")
            yield f"127.0.0.1:{here['6379']}"
        finally:
            process.kill()
            process.wait()

    def test_a_backup_taken_while_services_run_is_restored_into_an_empty_redis(self):
        production = render("production")
        first = self.cluster()
        backup = first.directory / "backups" / "tonight"
        with self.services(first) as client:
            position = client.main_job()
            client.cleaning_report(W2022, position.submissions)
            before = client.fingerprint(W2022)
            until(lambda: first.run_script("ready-redis", "redis", 1).returncode == 0, "replicas follow")
            taken = first.run_script("take-snapshot", "redis", 0, BACKUP=str(backup))
            self.assertEqual(0, taken.returncode, taken.stderr)
            with self.copy_of_redis(first, production) as address:
                def here(text):
                    return text.replace("127.0.0.1:6379", address).replace("$(BACKUP)", str(backup))
                run_steps(production, "peiling-backup", "export", here)
                run_steps(production, "peiling-backup", "verify", here)
        kept = first.run_script("keep-backup", "redis", 0, BACKUP=str(backup), KEEP_DAYS="35")
        self.assertEqual("tonight\n", kept.stdout, kept.stderr)

        second = self.cluster()
        chosen = second.run_script("choose-backup", "redis", 0, BACKUPS=str(backup.parent), RESTORE="newest")
        self.assertEqual(0, chosen.returncode, chosen.stderr)
        restore = Here(second, "peiling")
        run_steps(production, "peiling-restore", "import", lambda text: restore(text, **{"/work/chosen": str(second.directory / "chosen")}))
        with self.services(second) as client:
            client.wait_counted(W2022, position.submissions, position.records)
            self.assertEqual(before, client.fingerprint(W2022))


if __name__ == "__main__":
    unittest.main()
