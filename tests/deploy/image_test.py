"""Builds the image as deploy/image/build does, without a daemon, and runs what is in it the way a cluster does: as a user without rights, on a root
that cannot be written to."""

import fcntl
import hashlib
import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Debian's base, the packages for building, and the image; kept from run to run.
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "peiling"
MIRROR = "http://deb.debian.org/debian"
BASE = "localhost/peiling-base:bookworm"
IMAGE = "localhost/peiling:test"
BILL = "usr/share/sbom/peiling.spdx.json"
USER = 65532
PROGRAMS = {"peiling", "peilingctl", "peiling-access", "peiling-gateway", "peiling-registry", "peiling-validation", "peiling-intake", "peiling-dedup", "peiling-analytics",
            "peiling-fieldwork"}
MOST_BYTES = 88 << 20


def missing():
    """Why the image cannot be built here, and what helps; empty when it can."""
    if os.geteuid() != 0:
        return "building without a daemon takes root: sudo tests/run -L image"
    for program in ("buildah", "debootstrap"):
        if subprocess.run(["which", program], stdout=subprocess.DEVNULL, check=False).returncode != 0:
            return f"{program} is not here: deploy/install"
    return ""


def run(*command, **options):
    """Runs a command and gives its output; what it said when it fails."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {(done.stdout + done.stderr)[-6000:]}")
    return done.stdout


def has_image(name):
    return subprocess.run(["buildah", "inspect", "--type", "image", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def make_base():
    """Debian's smallest system as an image, as a registry would give it."""
    with tempfile.TemporaryDirectory(dir=CACHE) as directory:
        run("debootstrap", "--variant=minbase", "bookworm", f"{directory}/root", MIRROR)
        container = run("buildah", "from", "scratch").strip()
        run("buildah", "add", "--quiet", container, f"{directory}/root", "/")
        run("buildah", "commit", "--quiet", container, BASE)
        run("buildah", "rm", container)


def build():
    """Builds the image; Debian's packages and compiled objects are those of an earlier run where they are the same."""
    CACHE.mkdir(parents=True, exist_ok=True)
    # One at a time; the lock goes with this process.
    global lock
    lock = open(CACHE / "lock", "w")  # pylint: disable=consider-using-with
    fcntl.flock(lock, fcntl.LOCK_EX)
    storage = CACHE / "storage.conf"
    storage.write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{CACHE}/storage"\nrunroot = "{CACHE}/run"\n')
    os.environ |= {"CONTAINERS_STORAGE_CONF": str(storage), "BUILDAH_ISOLATION": "chroot"}
    # What an interrupted run left: nobody else works in this storage, and a container keeps its image from being removed.
    run("buildah", "rm", "--all")
    what = b"".join((ROOT / "deploy" / name).read_bytes() for name in ("Dockerfile", "install", "packages.txt"))
    packages = f"localhost/peiling-packages:{hashlib.sha256(what).hexdigest()[:12]}"
    builder = [ROOT / "deploy/image/build", "--builder", "buildah"]
    if not has_image(packages):
        if not has_image(BASE):
            make_base()
        run(*builder, packages, "--pull-never", "--target", "packages", "--build-arg", f"BASE={BASE}")
    objects = pathlib.Path(run("ccache", "--get-config", "cache_dir").strip())
    objects.mkdir(parents=True, exist_ok=True)
    run(*builder, IMAGE, "--pull-never", "--build-arg", f"BASE={packages}", "--volume", f"{objects}:/ccache")
    # What was the image or the packages of an earlier run.
    for old in set(run("buildah", "images", "--format", "{{.Name}}:{{.Tag}}").split()) - {BASE, packages, IMAGE, "<none>:<none>"}:
        run("buildah", "rmi", old)
    run("buildah", "rmi", "--prune")


def mounted():
    """The image's files, read-only, with this machine's /tmp and /proc in theirs."""
    container = run("buildah", "from", "--pull-never", IMAGE).strip()
    unittest.addModuleCleanup(run, "buildah", "rm", container)
    files = run("buildah", "mount", container).strip()
    root = tempfile.mkdtemp(prefix="peiling-image-", dir="/tmp")
    unittest.addModuleCleanup(os.rmdir, root)
    run("mount", "--bind", files, root)
    unittest.addModuleCleanup(run, "umount", "--recursive", root)
    run("mount", "-o", "remount,bind,ro", root)
    run("mount", "--bind", "/tmp", f"{root}/tmp")
    run("mount", "--types", "proc", "-o", "ro,nosuid,nodev,noexec", "proc", f"{root}/proc")
    return pathlib.Path(root)


def enter(*command):
    """A command line that runs one inside the image, as its user and without a way to more rights."""
    return ["setpriv", "--no-new-privs", "chroot", f"--userspec={USER}:{USER}", "--groups=", str(IMAGE_ROOT), *command]


def setUpModule():
    global IMAGE_ROOT, suite
    reason = missing()
    if reason and "CI" not in os.environ:
        raise unittest.SkipTest(reason)
    if reason:
        raise RuntimeError(reason)
    begun = time.monotonic()
    build()
    print(f"built in {time.monotonic() - begun:.0f} s", file=sys.stderr)
    IMAGE_ROOT = mounted()
    # Programs as the suite starts them, in the image.
    programs = tempfile.TemporaryDirectory(prefix="peiling-programs-")
    unittest.addModuleCleanup(programs.cleanup)
    for program in PROGRAMS:
        path = pathlib.Path(programs.name) / program
        path.write_text("#!/bin/sh\nexec " + " ".join(enter(f"/usr/bin/{program}")) + ' "$@"\n')
        path.chmod(0o755)
    os.environ["PEILING_BIN"] = programs.name
    import suite  # pylint: disable=import-outside-toplevel


def image_files():
    """(path in the image, lstat) of everything but what is mounted in it."""
    for directory, names, files in os.walk(IMAGE_ROOT):
        if pathlib.Path(directory) == IMAGE_ROOT:
            names[:] = set(names) - {"tmp", "proc"}
        for name in names + files:
            path = pathlib.Path(directory) / name
            yield path.relative_to(IMAGE_ROOT), path.lstat()


class Contents(unittest.TestCase):
    def test_only_programs_of_peiling_can_be_run(self):
        programs = {str(path) for path, status in image_files() if stat.S_ISREG(status.st_mode) and status.st_mode & 0o111 and ".so" not in path.name}
        self.assertEqual(programs, {f"usr/bin/{program}" for program in PROGRAMS})
        self.assertFalse((IMAGE_ROOT / "bin/sh").exists())

    def test_nothing_gives_rights_or_can_be_written_to(self):
        for path, status in image_files():
            if stat.S_ISLNK(status.st_mode):
                continue
            self.assertEqual(status.st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH), 0, path)
            self.assertEqual(status.st_uid, USER if str(path) == "var/lib/peiling" else 0, path)

    def test_links_lead_somewhere(self):
        for path, status in image_files():
            if stat.S_ISLNK(status.st_mode):
                target = os.readlink(IMAGE_ROOT / path)
                found = IMAGE_ROOT / target.lstrip("/") if target.startswith("/") else (IMAGE_ROOT / path).parent / target
                self.assertTrue(found.exists(), f"{path} -> {target}")

    def test_size(self):
        size = sum(status.st_size for _, status in image_files() if stat.S_ISREG(status.st_mode))
        print(f"{size / 1e6:.1f} MB", end=" ", file=sys.stderr)
        self.assertLess(size, MOST_BYTES)

    def test_configuration(self):
        config = json.loads(run("buildah", "inspect", "--type", "image", IMAGE))["OCIv1"]["config"]
        self.assertEqual((config["User"], config["StopSignal"], config["Cmd"]), (f"{USER}:{USER}", "SIGTERM", ["peiling"]))
        self.assertNotIn("Entrypoint", config)
        labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
        self.assertLessEqual({"title", "description", "source", "revision", "version", "created", "licenses"}, set(labels))
        self.assertRegex(labels["version"], r"^\d+\.\d+\.\d+$")
        self.assertRegex(labels["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


class BillOfMaterials(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bill = json.loads((IMAGE_ROOT / BILL).read_text())
        cls.packages = {package["SPDXID"]: package for package in cls.bill["packages"]}
        cls.files = {file["SPDXID"]: file for file in cls.bill["files"]}
        cls.relations = [(r["spdxElementId"], r["relationshipType"], r["relatedSpdxElement"]) for r in cls.bill["relationships"]]

    def test_document_is_spdx(self):
        self.assertEqual((self.bill["spdxVersion"], self.bill["dataLicense"], self.bill["SPDXID"]), ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT"))
        self.assertRegex(self.bill["documentNamespace"], r"^https://[^#]+$")
        self.assertTrue(self.bill["creationInfo"]["creators"][0].startswith("Tool: "))
        everything = self.packages.keys() | self.files.keys() | {"SPDXRef-DOCUMENT"}
        self.assertEqual(len(everything), len(self.bill["packages"]) + len(self.bill["files"]) + 1, "an SPDXID twice")
        for name in everything:
            self.assertRegex(name, r"^SPDXRef-[A-Za-z0-9.-]+$")
        for left, _, right in self.relations:
            self.assertLessEqual({left, right}, everything)
        self.assertEqual([right for left, kind, right in self.relations if kind == "DESCRIBES"], ["SPDXRef-Package-peiling"])
        for package in self.packages.values():
            self.assertTrue(package["name"] and package["versionInfo"] and package["downloadLocation"])
            self.assertRegex(package["externalRefs"][0]["referenceLocator"], r"^pkg:(deb/debian|generic)/[^@]+@.+")

    def test_every_file_is_listed_as_it_is_and_once_in_a_package(self):
        here = {f"./{path}" for path, status in image_files() if stat.S_ISREG(status.st_mode)}
        self.assertEqual({file["fileName"] for file in self.files.values()}, here - {f"./{BILL}"})
        for file in self.files.values():
            sums = {checksum["algorithm"]: checksum["checksumValue"] for checksum in file["checksums"]}
            content = (IMAGE_ROOT / file["fileName"]).read_bytes()
            self.assertEqual(sums, {"SHA1": hashlib.sha1(content).hexdigest(), "SHA256": hashlib.sha256(content).hexdigest()}, file["fileName"])
        held = sorted(right for _, kind, right in self.relations if kind == "CONTAINS")
        self.assertEqual(held, sorted(self.files))

    def test_packages_answer_for_their_files(self):
        for name, package in self.packages.items():
            held = [self.files[right] for left, kind, right in self.relations if (left, kind) == (name, "CONTAINS")]
            self.assertEqual(package["filesAnalyzed"], bool(held), name)
            if held:
                sums = sorted(file["checksums"][0]["checksumValue"] for file in held)
                self.assertEqual(package["packageVerificationCode"]["packageVerificationCodeValue"], hashlib.sha1("".join(sums).encode()).hexdigest(), name)

    def test_debian_packages_are_known_to_scanners_with_their_conditions(self):
        shipped = {package["name"] for package in self.packages.values() if package["filesAnalyzed"]} - {"peiling"}
        self.assertLessEqual({"libc6", "libgrpc29", "libssl3", "libhiredis0.14", "ca-certificates", "tzdata"}, shipped)
        self.assertEqual({path.name for path in (IMAGE_ROOT / "var/lib/dpkg/status.d").iterdir()}, shipped)
        for package in shipped:
            self.assertTrue((IMAGE_ROOT / "usr/share/doc" / package / "copyright").is_file(), package)


class Running(unittest.TestCase):
    def test_every_program_runs(self):
        for program in PROGRAMS:
            self.assertIn("--help", run(*enter(f"/usr/bin/{program}", "--help")), program)

    def start(self):
        directory = tempfile.TemporaryDirectory(prefix="peiling-run-", dir="/tmp")
        self.addCleanup(directory.cleanup)
        os.chown(directory.name, USER, USER)
        services = suite.Suite(separate=True, directory=directory.name)
        self.addCleanup(services.close)
        services.wait_healthy()
        return services

    def test_services_run_without_rights_on_a_read_only_root(self):
        for title, process in self.start().processes.items():
            status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{process.process.pid}/status").read_text().splitlines() if ":\t" in line)
            self.assertEqual(status["Uid"].split(), [str(USER)] * 4, title)
            self.assertEqual(int(status["CapEff"], 16) | int(status["CapPrm"], 16) | int(status["CapInh"], 16), 0, title)
            self.assertEqual(status["NoNewPrivs"], "1", title)
            self.assertTrue(os.statvfs(f"/proc/{process.process.pid}/root").f_flag & os.ST_RDONLY, title)

    def test_main_job_and_an_orderly_end(self):
        services = self.start()
        position = services.main_job()
        services.wait_counted(suite.W2022, records=position.records)
        report = services.cleaning_report(suite.W2022)
        self.assertEqual((report.started, report.records, report.complete), (167, 90, 79))
        printed = run(*enter("/usr/bin/peilingctl", "--server", services.entry.address, "report", "--wave", "sociale-wijkteams/2022"))
        self.assertIn("0 differ", printed)
        # SIGTERM drains.
        self.assertEqual(set(services.close().values()), {0})


if __name__ == "__main__":
    if os.geteuid() == 0 and "PEILING_MOUNTS_APART" not in os.environ:
        # Mounts of its own, that go with it.
        os.execvpe("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv], os.environ | {"PEILING_MOUNTS_APART": "1"})
    unittest.main()
