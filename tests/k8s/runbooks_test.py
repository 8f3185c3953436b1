"""Runbooks speak of what is there: objects, scripts, files, commands of peilingctl."""

import re
import subprocess
import unittest

from manifests import ROOT, render
from programs import BIN, facts

DOCUMENTS = [ROOT / "k8s/README.md", *sorted((ROOT / "k8s/runbooks").glob("*.md"))]
KINDS = {"deployment": "Deployment", "statefulset": "StatefulSet", "cronjob": "CronJob", "certificate": "Certificate"}
PARTS = ["When.", "Check", "Do", "Verify", "Back out"]


def manifests():
    return render("production")


class RunbooksTest(unittest.TestCase):
    def test_each_says_when_what_and_how_to_go_back(self):
        for runbook in DOCUMENTS[1:]:
            text = runbook.read_text()
            places = [text.find(f"**{PARTS[0]}**")] + [text.find(f"\n## {part}") for part in PARTS[1:]]
            with self.subTest(runbook.name):
                self.assertNotIn(-1, places)
                self.assertEqual(sorted(places), places)

    def test_objects_are_there(self):
        for document in DOCUMENTS:
            for kind, name in re.findall(r"\b(deployment|statefulset|cronjob|certificate)/(peiling-[a-z-]+[a-z])\b", document.read_text()):
                with self.subTest(document.name, object=f"{kind}/{name}"):
                    self.assertIsNotNone(manifests().get(KINDS[kind], name))

    def test_pods_and_volumes_are_there(self):
        for document in DOCUMENTS:
            for name in re.findall(r"\b(peiling-[a-z]+)-(?:\d|\$n)\b", document.read_text()):
                with self.subTest(document.name, set=name):
                    self.assertEqual("data", manifests().get("StatefulSet", name)["spec"]["volumeClaimTemplates"][0]["metadata"]["name"])

    def test_scripts_and_paths_in_pods_are_there(self):
        scripts = {f"/start/{name}" for m in manifests().of("ConfigMap") for name in m["data"]}
        for document in DOCUMENTS:
            for script in re.findall(r"/start/[a-z-]+", document.read_text()):
                with self.subTest(document.name, script=script):
                    self.assertIn(script, scripts)

    def test_files_and_links_are_there(self):
        for document in DOCUMENTS:
            text = document.read_text()
            named = re.findall(r"\]\(([^)#:]+)\)", text)
            rooted = re.findall(r"(?<![\w/.])((?:k8s|deploy|services|tests)/[\w./-]*\w)", text)
            inside = re.findall(r"`((?:base|components|overlays)/[a-z./-]*[a-z])`", text)
            for path in [document.parent / n for n in named] + [ROOT / r for r in rooted] + [ROOT / "k8s" / i for i in inside]:
                with self.subTest(document.name, path=str(path)):
                    self.assertTrue(path.exists())

    def test_commands_of_peilingctl_are_there(self):
        for document in DOCUMENTS:
            for line in re.findall(r"\bpeilingctl ([a-z]+(?: [a-z]+)?)", document.read_text()):
                with self.subTest(document.name, command=line):
                    usage = [subprocess.run([BIN / "peilingctl", *words, "--help"], capture_output=True, text=True, timeout=60).stdout
                             for words in (line.split(), [])]
                    self.assertTrue(usage[0] != usage[1], "peilingctl has no such command")

    def test_flags_of_peilingctl_are_there(self):
        for document in DOCUMENTS:
            for words, rest in re.findall(r"\bpeilingctl ([a-z]+(?: [a-z]+)?)\b([^`#|;&\n]*)", document.read_text()):
                known = max((facts("peilingctl", *words.split()[:n]).flags for n in (1, 2)), key=len)
                with self.subTest(document.name, command=words):
                    self.assertLessEqual(set(re.findall(r"(?<!\S)--[a-z-]+", rest)), known)

    def test_keys_that_are_made_by_hand_are_keys(self):
        made = [subprocess.run(["bash", "-c", f"{line}; key"], capture_output=True, text=True, check=True).stdout
                for document in DOCUMENTS for line in re.findall(r"^ *(key\(\) \{.*\})$", document.read_text(), re.MULTILINE)]
        self.assertEqual(2, len(set(made)))
        for key in made:
            self.assertRegex(key, r"^peiling_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$")

    def test_settings_named_as_to_be_set_are_there(self):
        """What README.md tells to replace is what stands in the manifests."""
        rendered = str(list(manifests()))
        for value in ("peiling.example", "'public'", "sha256:" + 64 * "0"):
            self.assertIn(value, rendered)


if __name__ == "__main__":
    unittest.main()
