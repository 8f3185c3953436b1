"""What holds for all manifests together. Each check gives a list of problems, empty when all is well."""

import itertools
import json
import re
import subprocess

from manifests import HERE, ROOT, matches

# Labels that every object has, and that every pod has beside them.
LABELS = {"app.kubernetes.io/part-of": "peiling", "app.kubernetes.io/managed-by": "kustomize"}
# Where a program is told to listen, and what the container calls that port.
PORTS = {"PEILING_LISTEN": "grpc", "PEILING_HTTP_LISTEN": "http", "PEILING_METRICS_LISTEN": "metrics", "PEILING_HEALTH_LISTEN": "health"}
POD_LABELS = ["app.kubernetes.io/name", "app.kubernetes.io/component"]


def schemas(manifests):
    """What the API server would refuse: unknown kinds and fields, wrong types, missing fields, values out of bounds."""
    answers = json.loads(subprocess.run(["node", "schemas.mjs"], cwd=HERE, input=json.dumps(manifests), capture_output=True, text=True, check=True).stdout)
    return [f"{m['kind']} {m['metadata']['name']}: {problem}" for m, answer in zip(manifests, answers) for problem in answer]


def labels(manifests):
    found = []
    for m in manifests:
        for label, value in LABELS.items():
            if m["metadata"].get("labels", {}).get(label) != value:
                found.append(f"{m['kind']} {m['metadata']['name']}: want label {label}: {value}")
    for w in manifests.workloads():
        found += [f"{w.name}: pods want label {label}" for label in [*POD_LABELS, *LABELS] if label not in w.labels]
    return found


def images(manifests, digests=False):
    """Every image says which; with `digests`, exactly which."""
    found = []
    for w in manifests.workloads():
        for c in w.containers:
            name, at, digest = c["image"].partition("@")
            tag = name.rsplit("/", 1)[-1].partition(":")[2]
            if digests and not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
                found.append(f"{w.name}: {c['image']}: want a digest")
            elif not at and tag in ("", "latest"):
                found.append(f"{w.name}: {c['image']}: want a tag that stays")
    return found


def hardening(manifests):
    """What we want beyond the restricted profile."""
    found = []
    for w in manifests.workloads():
        account = manifests.get("ServiceAccount", w.pod.get("serviceAccountName"))
        wants = [
            ("an account of its own", account is not None),
            ("no token", w.pod.get("automountServiceAccountToken") is False and account and account.get("automountServiceAccountToken") is False),
            ("no variables of other services", w.pod.get("enableServiceLinks") is False),
            ("user 65532, as in the image", w.pod["securityContext"].get("runAsUser") == 65532),
        ]
        for c in w.containers:
            resources = c.get("resources", {})
            wants += [
                (f"{c['name']}: a root that cannot be written to", c.get("securityContext", {}).get("readOnlyRootFilesystem") is True),
                (f"{c['name']}: requests and limits of cpu and memory",
                 all(what in resources.get(kind, {}) for kind in ("requests", "limits") for what in ("cpu", "memory"))),
                (f"{c['name']}: no subPath, which is never updated", not any("subPath" in mount for mount in c.get("volumeMounts", []))),
            ]
        found += [f"{w.name}: want {want}" for want, holds in wants if not holds]
    return found


def _secrets_made(manifests):
    return {m["metadata"]["name"] for m in manifests.of("Secret")} | {m["spec"]["secretName"] for m in manifests.of("Certificate")}


def sources(pod):
    """(kind, name) of every ConfigMap and Secret that a pod uses."""
    for volume in pod.get("volumes", []):
        for source in [volume, *volume.get("projected", {}).get("sources", [])]:
            if "configMap" in source:
                yield "ConfigMap", source["configMap"]["name"]
            if "secret" in source:
                yield "Secret", source["secret"].get("secretName") or source["secret"]["name"]
    for c in pod.get("initContainers", []) + pod["containers"]:
        for entry in [e.get("valueFrom", {}) for e in c.get("env", [])] + c.get("envFrom", []):
            for field, kind in [("configMapKeyRef", "ConfigMap"), ("configMapRef", "ConfigMap"), ("secretKeyRef", "Secret"), ("secretRef", "Secret")]:
                if field in entry:
                    yield kind, entry[field]["name"]


def missing_secrets(manifests):
    """Secrets that pods use and nothing here makes: for people to make."""
    used = {name for w in manifests.workloads() for kind, name in sources(w.pod) if kind == "Secret"}
    return used - _secrets_made(manifests)


def references(manifests):
    """Everything that is named exists."""
    found = []

    def want(holds, who, what):
        if not holds:
            found.append(f"{who}: there is no {what}")

    for w in manifests.workloads():
        for kind, name in sources(w.pod):
            want(kind == "Secret" or manifests.get(kind, name), w.name, f"{kind} {name}")
        volumes = {v["name"] for v in w.pod.get("volumes", [])} | {c["metadata"]["name"] for c in w.manifest["spec"].get("volumeClaimTemplates", [])}
        for volume in w.pod.get("volumes", []):
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            want(claim is None or manifests.get("PersistentVolumeClaim", claim), w.name, f"PersistentVolumeClaim {claim}")
        for c in w.containers:
            for mount in c.get("volumeMounts", []):
                want(mount["name"] in volumes, w.name, f"volume {mount['name']}")
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                port = next((p.get("port") for p in c.get(probe, {}).values() if isinstance(p, dict) and "port" in p), None)
                want(port is None or port in w.ports() or port in w.ports().values(), f"{w.name} {probe}", f"port {port}")
        if w.kind == "StatefulSet":
            want(manifests.get("Service", w.manifest["spec"]["serviceName"]), w.name, f"Service {w.manifest['spec']['serviceName']}")
    for service in manifests.of("Service"):
        for w in selected(manifests, service["spec"]["selector"]):
            for port in service["spec"]["ports"]:
                want(port["targetPort"] in w.ports(), service["metadata"]["name"], f"port {port['targetPort']} in {w.name}")
    for hpa in manifests.of("HorizontalPodAutoscaler"):
        target = hpa["spec"]["scaleTargetRef"]
        want(manifests.get(target["kind"], target["name"]), hpa["metadata"]["name"], f"{target['kind']} {target['name']}")
    for certificate in manifests.of("Certificate"):
        issuer = certificate["spec"]["issuerRef"]
        want(issuer["kind"] == "ClusterIssuer" or manifests.get("Issuer", issuer["name"]), certificate["metadata"]["name"], f"Issuer {issuer['name']}")
    for issuer in manifests.of("Issuer"):
        secret = issuer["spec"].get("ca", {}).get("secretName")
        want(secret is None or secret in _secrets_made(manifests), issuer["metadata"]["name"], f"Secret {secret}")
    for monitor in manifests.of("ServiceMonitor"):
        services = [s for s in manifests.of("Service") if matches(monitor["spec"]["selector"], s["metadata"]["labels"])]
        want(services, monitor["metadata"]["name"], "Service that it selects")
        for service in services:
            for endpoint in monitor["spec"]["endpoints"]:
                want(endpoint["port"] in [p["name"] for p in service["spec"]["ports"]], monitor["metadata"]["name"],
                     f"port {endpoint['port']} of Service {service['metadata']['name']}")
    return found


def selected(manifests, labels_wanted):
    return [w for w in manifests.workloads() if matches({"matchLabels": labels_wanted}, w.labels)]


def selectors(manifests):
    """Whoever selects pods selects those of one workload: its own."""
    found = []
    for w in manifests.of("Deployment", "StatefulSet"):
        picked = [o.name for o in selected(manifests, w["spec"]["selector"]["matchLabels"])]
        if picked != [w["metadata"]["name"]]:
            found.append(f"{w['kind']} {w['metadata']['name']}: selects {picked}")
    for kind in ("Service", "PodDisruptionBudget"):
        for m in manifests.of(kind):
            selector = m["spec"].get("selector", {})
            picked = [o.name for o in selected(manifests, selector.get("matchLabels", selector))]
            if picked != [m["metadata"]["name"]]:
                found.append(f"{kind} {m['metadata']['name']}: selects {picked}")
    for w in manifests.of("Deployment", "StatefulSet"):
        name = w["metadata"]["name"]
        for kind in ["Service", "PodDisruptionBudget"] + (["HorizontalPodAutoscaler"] if w["kind"] == "Deployment" else []):
            if manifests.get(kind, name) is None:
                found.append(f"{w['kind']} {name}: want a {kind}")
    return found


def rollouts(manifests):
    """A rollout never takes a replica away before its successor is ready, and a pod has the time to drain."""
    found = []
    for w in manifests.workloads():
        if w.kind != "Deployment" or w.labels["app.kubernetes.io/component"] != "service":
            continue
        spec, container = w.manifest["spec"], w.containers[0]
        environment = manifests.environment(container)
        drain = int(environment.get("PEILING_DRAIN_PAUSE_SECONDS", 0)) + int(environment.get("PEILING_DRAIN_SECONDS", 10))
        wants = [
            ("maxUnavailable 0 and maxSurge 1", spec["strategy"].get("rollingUpdate") == {"maxUnavailable": 0, "maxSurge": 1}),
            ("minReadySeconds", spec.get("minReadySeconds", 0) > 0),
            ("no replicas beside the autoscaler's", "replicas" not in spec),
            (f"10 s more than the drain of {drain} s", w.pod["terminationGracePeriodSeconds"] >= drain + 10),
            ("a pause of two readiness probes, so that others turn away", "PEILING_DRAIN_PAUSE_SECONDS" in environment),
            ("liveness by what depends on no other service", container["livenessProbe"]["grpc"].get("service") == "alive"),
            ("a start with time", container["startupProbe"]["failureThreshold"] * container["startupProbe"]["periodSeconds"] >= 60),
            ("spread over zones and hosts", [c["topologyKey"] for c in w.pod.get("topologySpreadConstraints", [])] ==
             ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]),
        ]
        found += [f"{w.name}: want {want}" for want, holds in wants if not holds]
    return found


def certificates(manifests):
    """Every service listens and calls with a certificate of its own name, and nobody has the key of an authority."""
    found = []
    authorities = {m["spec"]["secretName"] for m in manifests.of("Certificate") if m["spec"].get("isCA")}
    for w in manifests.workloads():
        for volume in w.pod.get("volumes", []):
            for source in [volume, *volume.get("projected", {}).get("sources", [])]:
                secret = source.get("secret", {})
                name, items = secret.get("secretName") or secret.get("name"), secret.get("items")
                if name in authorities and (items is None or any(item["key"] != "ca.crt" for item in items)):
                    found.append(f"{w.name}: has the key of {name}")
        if w.labels["app.kubernetes.io/component"] != "service":
            continue
        container = w.containers[0]
        environment = manifests.environment(container)
        own = manifests.get("Certificate", w.name)
        mounts = {mount["mountPath"]: next((v.get("secret", {}).get("secretName") for v in w.pod["volumes"] if v["name"] == mount["name"]), None)
                  for mount in container.get("volumeMounts", [])}
        if own is None or own["spec"]["dnsNames"] != [w.name] or set(own["spec"]["usages"]) != {"server auth", "client auth"}:
            found.append(f"{w.name}: want a certificate for this name, as server and client")
        for variable, key in (("PEILING_TLS_CERTIFICATE", "tls.crt"), ("PEILING_TLS_KEY", "tls.key"), ("PEILING_TLS_CLIENT_CA", "ca.crt")):
            folder, _, file = environment.get(variable, "").rpartition("/")
            if file != key or own is None or mounts.get(folder) != own["spec"]["secretName"]:
                found.append(f"{w.name}: want {variable} to be {key} of its certificate")
        if environment.get("PEILING_INSECURE", "false") != "false" or "--insecure" in container.get("args", []):
            found.append(f"{w.name}: want no plaintext")
    return found


# Who talks to whom, as (from, to, port).

def _addresses(manifests, workload):
    """Services named in arguments, variables and files of a workload's containers, with the port when one is given."""
    mounted = [v["configMap"]["name"] for v in workload.pod.get("volumes", []) if "configMap" in v]
    files = [text for name in mounted for text in manifests.get("ConfigMap", name)["data"].values()]
    for c in workload.containers:
        for text in [*files, *c.get("args", []), *filter(None, manifests.environment(c).values())]:
            for name, port in re.findall(r"(?:peiling-[a-z]+-\d\.|\.|\b)(peiling-[a-z]+)\b(?!-\d)(?::(\d+))?", text):
                service = manifests.get("Service", name)
                # A file may name a certificate as well.
                if service and (port or text not in files):
                    yield service, int(port) if port else None


def arrows_by_flags(manifests):
    """What the programs were told: their peers, their store. Whoever asks Sentinels goes on to what these watch."""
    arrows = set()
    for w in manifests.workloads():
        for service, port in _addresses(manifests, w):
            port = port or service["spec"]["ports"][0]["port"]
            arrows |= {(w.title, to.title, port) for to in selected(manifests, service["spec"]["selector"])}
    watched = {(to, port) for who, to, port in arrows if who == "sentinel" and to != "sentinel"}
    return arrows | {(who, *server) for who, to, _ in arrows if to == "sentinel" for server in watched}


def _policies(manifests, workload, direction):
    return [p["spec"] for p in manifests.of("NetworkPolicy")
            if matches(p["spec"]["podSelector"], workload.labels) and direction in p["spec"]["policyTypes"]]


def _let_through(policies, field, side, other, receiver, port):
    """Whether policies at one end ("ingress", "from"; "egress", "to") let the other end talk. Ports by name are the receiver's."""
    for rule in [rule for policy in policies for rule in policy.get(field, [])]:
        ports = {receiver.ports().get(p["port"], p["port"]) for p in rule.get("ports", [])} or {port}
        inside = [peer for peer in rule.get(side, []) if set(peer) == {"podSelector"}]
        if port in ports and any(matches(peer["podSelector"], other.labels) for peer in inside):
            return True
    return not policies


def arrows_by_policies(manifests):
    """What the network lets through inside the namespace: both ends must allow it. Ports are those of the receiver's containers."""
    return {(w.title, to.title, port) for w in manifests.workloads() for to in manifests.workloads() for port in to.ports().values()
            if _let_through(_policies(manifests, w, "Egress"), "egress", "to", to, to, port)
            and _let_through(_policies(manifests, to, "Ingress"), "ingress", "from", w, to, port)}


def network(manifests):
    wanted, let_through = arrows_by_flags(manifests), arrows_by_policies(manifests)
    found = [f"{who} is told to talk to {to}:{port}, and no policy lets it" for who, to, port in sorted(wanted - let_through)]
    found += [f"policies let {who} talk to {to}:{port}, and nothing tells it to" for who, to, port in sorted(let_through - wanted)]
    deny_all = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    if not any(policy["spec"] == deny_all for policy in manifests.of("NetworkPolicy")):
        found.append("want a policy that denies everything to all pods, those to come as well")
    return found


def outside(manifests):
    """Ways in and out of the namespace: (workload, direction, namespace or range of addresses, ports)."""
    ways = set()
    for w in manifests.workloads():
        for direction, field, side in (("Ingress", "ingress", "from"), ("Egress", "egress", "to")):
            for policy in _policies(manifests, w, direction):
                for rule in policy.get(field, []):
                    ports = tuple(sorted({p["port"] for p in rule.get("ports", [])}, key=str))
                    for peer in rule.get(side, [{}]):
                        if "podSelector" in peer and "namespaceSelector" not in peer:
                            continue
                        namespace = peer.get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name")
                        ways.add((w.title, direction, namespace or peer.get("ipBlock", {}).get("cidr", "anywhere"), ports))
    return ways


def command_lines(manifests, facts):
    """Every flag and variable is one that the program knows. `facts` of a program and its commands: programs.Facts, None for programs of others."""
    found = []
    for w in manifests.workloads():
        for c in w.containers:
            program, *arguments = [*c["command"], *c.get("args", [])]
            commands = list(itertools.takewhile(lambda a: not a.startswith("-"), arguments))
            known = facts(program, *commands)
            if known is None:
                continue
            for argument in arguments:
                if argument.startswith("-") and argument.partition("=")[0] not in known.flags:
                    found.append(f"{w.name}: {program} has no flag {argument}")
            for name in manifests.environment(c):
                if name.startswith(("PEILING_", "OTEL_")) and name not in known.variables:
                    found.append(f"{w.name}: {program} knows no variable {name}")
            for variable, port_name in PORTS.items():
                address = manifests.environment(c).get(variable)
                if address and int(address.rsplit(":", 1)[1]) != w.ports().get(port_name):
                    found.append(f"{w.name}: {variable} is {address}, and port {port_name} is {w.ports().get(port_name)}")
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if "grpc" in c.get(probe, {}) and c[probe]["grpc"]["port"] != w.ports().get("health"):
                    found.append(f"{w.name}: {probe} asks port {c[probe]['grpc']['port']}, and health is at {w.ports().get('health')}")
    return found


def redis_users():
    """Users of deploy/redis/users.acl that log in."""
    text = (ROOT / "deploy/redis/users.acl").read_text()
    return set(re.findall(r"^user (\S+) on\b", text, re.MULTILINE))
