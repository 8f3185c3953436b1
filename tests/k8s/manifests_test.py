"""What Kubernetes would take, and what would work there: every overlay, rendered and checked without a cluster."""

import re
import unittest

import yaml

import checks
import pod_security
from manifests import OVERLAYS, ROOT, render

CHECKS = [checks.schemas, pod_security.problems, checks.hardening, checks.labels, checks.images, checks.references, checks.selectors, checks.rollouts,
          checks.certificates, checks.network]
SERVICES = {"access", "gateway", "registry", "validation", "intake", "dedup", "analytics", "fieldwork"}


class ManifestsTest(unittest.TestCase):
    def test_nothing_is_wrong(self):
        for overlay in [*OVERLAYS, "external"]:
            for check in CHECKS:
                with self.subTest(overlay, check=check.__name__):
                    self.assertEqual([], check(render(overlay)))

    def test_every_service_is_there(self):
        for overlay in [*OVERLAYS, "external"]:
            with self.subTest(overlay):
                self.assertEqual(SERVICES, {w.title for w in render(overlay).workloads() if w.labels["app.kubernetes.io/component"] == "service"})

    def test_only_the_drawn_arrows_go_between_services(self):
        drawn = {(who, to) for who, to, _ in checks.arrows_by_policies(render("production")) if {who, to} <= SERVICES}
        self.assertEqual({("gateway", s) for s in SERVICES - {"gateway"}} |
                         {("validation", "registry"), ("intake", "validation"), ("dedup", "intake"), ("dedup", "registry"), ("analytics", "intake"),
                          ("analytics", "dedup"), ("analytics", "registry"), ("fieldwork", "intake"), ("fieldwork", "dedup"),
                          ("fieldwork", "analytics"), ("fieldwork", "registry")}, drawn)

    def test_only_nginx_reaches_the_gateway(self):
        arrows = checks.arrows_by_policies(render("production"))
        self.assertEqual({("nginx", 7340), ("nginx", 7380)}, {(who, port) for who, to, port in arrows if to == "gateway"})

    def test_only_stateful_services_and_backups_reach_redis(self):
        reach = {who for who, to, _ in checks.arrows_by_policies(render("production")) if to == "redis"}
        self.assertEqual({"access", "intake", "dedup", "analytics", "fieldwork", "backup", "restore", "redis", "sentinel"}, reach)

    def test_ways_out_of_the_namespace_are_few(self):
        names = {w.title for w in render("production").workloads()}
        self.assertEqual({(name, "Egress", "kube-system", (53,)) for name in names} |
                         {(name, "Egress", "monitoring", (4317,)) for name in SERVICES} |
                         {(name, "Ingress", "monitoring", ("metrics",)) for name in SERVICES} |
                         {("fieldwork", "Egress", "0.0.0.0/0", (443,)), ("nginx", "Ingress", "anywhere", ("https",))}, checks.outside(render("production")))

    def test_an_external_redis_is_reached_where_its_address_says(self):
        external = render("external")
        stores = {(who, port) for who, direction, where, ports in checks.outside(external) if where == "192.0.2.0/24" for port in ports}
        addresses = external.environment(external.workload("peiling-intake").containers[0])["PEILING_INTAKE_STORE"]
        port = int(re.search(r":(\d+)\?", addresses).group(1))
        self.assertEqual({("access", port), ("intake", port), ("dedup", port), ("analytics", port), ("fieldwork", port)}, stores)

    def test_traces_go_where_the_collector_is(self):
        production = render("production")
        for title in SERVICES:
            endpoint = production.environment(production.workload(f"peiling-{title}").containers[0])["OTEL_EXPORTER_OTLP_ENDPOINT"]
            namespace, port = re.fullmatch(r"http://[a-z-]+\.([a-z-]+):(\d+)", endpoint).groups()
            self.assertIn((title, "Egress", namespace, (int(port),)), checks.outside(production))

    def test_production_has_no_passwords_and_says_exactly_what_runs(self):
        production = render("production")
        self.assertEqual([], production.of("Secret"))
        self.assertEqual({"peiling-administrator", "peiling-personal-data-fieldwork", "peiling-personal-data-intake"} | {f"peiling-redis-{user}" for user in checks.redis_users()}, checks.missing_secrets(production))
        self.assertEqual([], checks.images(production, digests=True))

    def test_nobody_but_redis_sees_all_passwords(self):
        for w in render("production").workloads():
            secrets = {name.removeprefix("peiling-redis-") for kind, name in checks.sources(w.pod) if kind == "Secret" and name != w.name}
            allowed = {"access": {"access", "peiling-administrator"}, "nginx": {"peiling-public", "peiling-clients-ca"}, "intake": {"intake", "peiling-personal-data-intake"},
                       "dedup": {"dedup"}, "analytics": {"analytics"}, "fieldwork": {"fieldwork", "peiling-personal-data-fieldwork"}, "redis": checks.redis_users(), "sentinel": {"sentinel"},
                       "backup": {"monitor", "replica"}, "restore": {"peiling"}}.get(w.title, set())
            self.assertEqual(allowed, secrets - {"client", "server"}, w.title)

    def test_test_overlay_wants_nothing_made_by_hand(self):
        self.assertEqual(set(), checks.missing_secrets(render("test")))

    def test_rules_are_those_of_observability(self):
        """Else run k8s/components/monitoring/make-rules."""
        rules = yaml.safe_load((ROOT / "deploy/observability/rules.yaml").read_text())
        self.assertEqual(rules, render("production").get("PrometheusRule", "peiling")["spec"])

    def test_alerts_name_the_jobs_that_prometheus_makes(self):
        """jobLabel makes the job of a Service's name label."""
        production = render("production")
        jobs = {s["metadata"]["labels"][production.get("ServiceMonitor", "peiling")["spec"]["jobLabel"]] for s in production.of("Service")
                if s["metadata"]["labels"].get("app.kubernetes.io/component") == "service"}
        named = re.findall(r'job=~?"([^"]*)"', str(production.get("PrometheusRule", "peiling")["spec"]))
        self.assertTrue(named)
        for jobs_named in named:
            self.assertLessEqual(jobs, set(jobs_named.split("|")))

    def test_alerts_lead_to_runbooks(self):
        for group in render("production").get("PrometheusRule", "peiling")["spec"]["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    self.assertTrue((ROOT / rule["annotations"]["runbook_url"]).exists(), rule["alert"])

    def test_production_survives_the_loss_of_a_zone(self):
        for w in render("production").workloads():
            if w.kind == "CronJob":
                continue
            with self.subTest(w.name):
                zone = w.pod["topologySpreadConstraints"][0]
                self.assertEqual(("topology.kubernetes.io/zone", "DoNotSchedule"), (zone["topologyKey"], zone["whenUnsatisfiable"]))
                replicas = w.manifest["spec"].get("replicas") or render("production").get("HorizontalPodAutoscaler", w.name)["spec"]["minReplicas"]
                self.assertGreaterEqual(replicas, 2)


def container(manifests, name):
    return manifests.workload(name).containers[0]


def change(path, value):
    """A mutation: sets a field of the intake's pod or container, "container." in front for the latter."""
    def mutate(manifests):
        workload = manifests.workload("peiling-intake")
        first, *steps, last = path.split(".")
        thing = {"container": workload.containers[0], "pod": workload.pod, "spec": workload.manifest["spec"]}[first]
        for step in steps:
            thing = thing.setdefault(step, {})
        thing[last] = value
    return mutate


def edit(kind, name, do):
    return lambda manifests: do(manifests.get(kind, name))


def drop(kind, name):
    return lambda manifests: manifests.remove(manifests.get(kind, name))


# (what was done to the manifests of production, which check sees it, what it says)
MUTATIONS = [
    (change("container.livenesProbe", {}), checks.schemas, "livenesProbe: unknown field"),
    (change("container.livenessProbe.grpc.prot", 1), checks.schemas, "grpc.prot: unknown field"),
    (change("spec.minReadySeconds", "10"), checks.schemas, "minReadySeconds must be integer"),
    (change("container.resources.limits.memory", "512 MB"), checks.schemas, "memory"),
    (change("container.imagePullPolicy", "Sometimes"), checks.schemas, "imagePullPolicy"),
    (edit("PodDisruptionBudget", "peiling-intake", lambda m: m["spec"].update(maxUnavailble=1)), checks.schemas, "maxUnavailble: unknown field"),
    (edit("Certificate", "peiling-redis-ca", lambda m: m["spec"].pop("secretName")), checks.schemas, "secretName"),
    (edit("Certificate", "peiling-redis-ca", lambda m: m["spec"].update(dnsName="x")), checks.schemas, "dnsName: unknown field"),
    (edit("ServiceMonitor", "peiling", lambda m: m["spec"]["endpoints"][0].update(intervall="1s")), checks.schemas, "intervall: unknown field"),
    (edit("NetworkPolicy", "intake", lambda m: m.update(apiVersion="networking.k8s.io/v9")), checks.schemas, "no such kind"),
    (change("container.securityContext.privileged", True), pod_security.problems, "Privileged Containers"),
    (change("container.securityContext.allowPrivilegeEscalation", None), pod_security.problems, "Privilege Escalation"),
    (change("container.securityContext.capabilities", {"add": ["SYS_ADMIN"], "drop": ["ALL"]}), pod_security.problems, "Capabilities"),
    (change("container.securityContext.capabilities", {}), pod_security.problems, "Capabilities"),
    (change("container.securityContext.runAsUser", 0), pod_security.problems, "Running as Non-root user"),
    (change("container.securityContext.runAsNonRoot", False), pod_security.problems, "Running as Non-root"),
    (change("pod.securityContext.seccompProfile.type", "Unconfined"), pod_security.problems, "Seccomp"),
    (change("pod.hostNetwork", True), pod_security.problems, "Host Namespaces"),
    (change("pod.volumes", [{"name": "root", "hostPath": {"path": "/"}}]), pod_security.problems, "Volume Types"),
    (change("container.ports", [{"name": "grpc", "containerPort": 7400, "hostPort": 7400}]), pod_security.problems, "Host Ports"),
    (change("pod.initContainers", [{"name": "i", "image": "x:1", "securityContext": {"privileged": True}}]), pod_security.problems, "initContainers"),
    (change("container.securityContext.readOnlyRootFilesystem", False), checks.hardening, "root that cannot be written"),
    (change("pod.automountServiceAccountToken", True), checks.hardening, "no token"),
    (change("container.resources", {"requests": {"cpu": 1}}), checks.hardening, "requests and limits"),
    (change("container.image", "peiling:latest"), checks.images, "tag that stays"),
    (change("container.image", "registry:5000/peiling"), checks.images, "tag that stays"),
    (drop("ServiceAccount", "peiling-intake"), checks.hardening, "account of its own"),
    (drop("Service", "peiling-intake"), checks.selectors, "want a Service"),
    (drop("PodDisruptionBudget", "peiling-intake"), checks.selectors, "want a PodDisruptionBudget"),
    (edit("Service", "peiling-intake", lambda m: m["spec"]["selector"].update({"app.kubernetes.io/name": "inatke"})), checks.selectors, "selects []"),
    (edit("PodDisruptionBudget", "peiling-intake", lambda m: m["spec"].pop("selector")), checks.selectors, "PodDisruptionBudget"),
    (edit("Service", "peiling-intake", lambda m: m["spec"]["ports"][0].update(targetPort="grcp")), checks.references, "port grcp"),
    (edit("HorizontalPodAutoscaler", "peiling-intake", lambda m: m["spec"]["scaleTargetRef"].update(name="intake")), checks.references, "Deployment intake"),
    (edit("Certificate", "peiling-redis-server", lambda m: m["spec"]["issuerRef"].update(name="redis")), checks.references, "Issuer redis"),
    (lambda manifests: [manifests.remove(m) for m in manifests.of("ConfigMap") if "config" in m["metadata"]["name"]], checks.references, "ConfigMap"),
    (drop("PersistentVolumeClaim", "peiling-backup"), checks.references, "PersistentVolumeClaim"),
    (edit("Deployment", "peiling-intake", lambda m: m["metadata"]["labels"].clear()), checks.labels, "part-of"),
    (change("pod.terminationGracePeriodSeconds", 30), checks.rollouts, "more than the drain"),
    (change("spec.strategy.rollingUpdate.maxUnavailable", 1), checks.rollouts, "maxUnavailable 0"),
    (change("container.livenessProbe.grpc.service", ""), checks.rollouts, "liveness"),
    (change("spec.replicas", 3), checks.rollouts, "autoscaler"),
    (change("container.args", ["--validation=dns:///peiling-registry:7400"]), checks.network, "intake is told to talk to registry:7400"),
    (change("container.args", ["--validation=dns:///peiling-validation:7401"]), checks.network, "intake is told to talk to validation:7401"),
    (change("container.env", []), checks.certificates, "want PEILING_TLS_KEY to be tls.key"),
    (change("container.args", ["--insecure"]), checks.certificates, "want no plaintext"),
    (drop("Certificate", "peiling-intake"), checks.certificates, "want a certificate for this name"),
    (edit("Certificate", "peiling-intake", lambda m: m["spec"]["dnsNames"].append("peiling-gateway")), checks.certificates, "want a certificate for this name"),
    (change("pod.volumes", [{"name": "tls", "secret": {"secretName": "peiling-ca"}}]), checks.certificates, "has the key of peiling-ca"),
    (drop("NetworkPolicy", "validation"), checks.network, "intake is told to talk to validation:7400, and no policy lets it"),
    (drop("NetworkPolicy", "default-deny"), checks.network, "want a policy that denies"),
]


class MutationsTest(unittest.TestCase):
    def test_what_is_wrong_is_seen(self):
        for number, (mutate, check, says) in enumerate(MUTATIONS):
            with self.subTest(number, says=says):
                manifests = render("production")
                mutate(manifests)
                self.assertIn(says, "\n".join(check(manifests)))

    def test_an_arrow_needs_both_ends(self):
        registry = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "registry"}}}
        egress = edit("NetworkPolicy", "intake", lambda m: m["spec"]["egress"][0]["to"].append(registry))
        ingress = edit("NetworkPolicy", "registry", lambda m: m["spec"]["ingress"][0]["from"].append({"podSelector": {}}))
        for mutations, arrow in [([egress], False), ([ingress], False), ([egress, ingress], True)]:
            manifests = render("production")
            for mutate in mutations:
                mutate(manifests)
            self.assertEqual(arrow, "policies let intake talk to registry:7400, and nothing tells it to" in checks.network(manifests))


if __name__ == "__main__":
    unittest.main()
