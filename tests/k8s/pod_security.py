"""The restricted profile of Kubernetes' Pod Security Standards, as a checker.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/ (restricted, which includes baseline), for Linux pods. Each rule names the
control there, the fields it restricts and which values they may have; None stands for a field that is not set.
"""

CONTAINERS = ("spec.containers", "spec.initContainers", "spec.ephemeralContainers")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
HOOKS = ("postStart", "preStop")


def each(fields, with_pod=None):
    """The fields in containers of every kind, and possibly in the pod."""
    paths = [f"{c}[*].{field}" for c in CONTAINERS for field in fields]
    return paths + ([f"spec.{with_pod}"] if with_pod else [])


def unset_or(*values):
    return lambda value: value is None or value in values


def only(*values):
    return lambda value: set(value or []) <= set(values)


SECCOMP = ("RuntimeDefault", "Localhost")
SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
SYSCTLS = {"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_syncookies",
           "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
           "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"}
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}

RULES = [
    # Baseline
    ("HostProcess", each(["securityContext.windowsOptions.hostProcess"], "securityContext.windowsOptions.hostProcess"), unset_or(False)),
    ("Host Namespaces", ["spec.hostNetwork", "spec.hostPID", "spec.hostIPC"], unset_or(False)),
    ("Privileged Containers", each(["securityContext.privileged"]), unset_or(False)),
    ("Host Ports", each(["ports[*].hostPort"]), unset_or(0)),
    ("Host Probes / Lifecycle Hooks",
     each([f"{p}.{a}.host" for p in PROBES for a in ("httpGet", "tcpSocket")] + [f"lifecycle.{h}.{a}.host" for h in HOOKS for a in ("httpGet", "tcpSocket")]),
     unset_or("")),
    ("AppArmor", each(["securityContext.appArmorProfile.type"], "securityContext.appArmorProfile.type"), unset_or("RuntimeDefault", "Localhost")),
    ("SELinux", each(["securityContext.seLinuxOptions.type"], "securityContext.seLinuxOptions.type"), unset_or(*SELINUX_TYPES)),
    ("SELinux", each(["securityContext.seLinuxOptions.user", "securityContext.seLinuxOptions.role"]) +
     ["spec.securityContext.seLinuxOptions.user", "spec.securityContext.seLinuxOptions.role"], unset_or("")),
    ("/proc Mount Type", each(["securityContext.procMount"]), unset_or("Default")),
    ("Sysctls", ["spec.securityContext.sysctls[*].name"], unset_or(*SYSCTLS)),
    # Restricted
    ("Volume Types", ["spec.volumes[*]"], lambda volume: volume is None or set(volume) - {"name"} <= VOLUMES),
    ("Privilege Escalation", each(["securityContext.allowPrivilegeEscalation"]), lambda value: value is False),
    ("Running as Non-root user", each(["securityContext.runAsUser"], "securityContext.runAsUser"), lambda value: value != 0),
    ("Capabilities", each(["securityContext.capabilities.drop"]), lambda value: "ALL" in (value or [])),
    ("Capabilities", each(["securityContext.capabilities.add"]), only("NET_BIND_SERVICE")),
]
# Fields that a container has from its pod when it does not say otherwise.
INHERITED = [
    ("Running as Non-root", "securityContext.runAsNonRoot", lambda value: value is True),
    ("Seccomp", "securityContext.seccompProfile.type", lambda value: value in SECCOMP),
]


def values(thing, path):
    """What is at a path: a value for each element where the path has [*]; (None) where a field is missing, nothing where a list is."""
    step, _, rest = path.partition(".")
    field, star, _ = step.partition("[*]")
    inside = thing.get(field) if isinstance(thing, dict) else None
    found = (inside or []) if star else [inside]
    return [value for one in found for value in (values(one, rest) if rest else [one])]


def problems(manifests):
    found = []
    for workload in manifests.workloads():
        template = workload.template
        for control, paths, allowed in RULES:
            found += [f"{workload.name}: {control}: {path} is {value!r}" for path in paths for value in values(template, path) if not allowed(value)]
        for control, field, allowed in INHERITED:
            of_pod = values(template, f"spec.{field}")[0]
            for path in CONTAINERS:
                for value in values(template, f"{path}[*].{field}"):
                    if not allowed(of_pod if value is None else value):
                        found.append(f"{workload.name}: {control}: {path}[*].{field} is {value!r}, the pod's {of_pod!r}")
    return found
