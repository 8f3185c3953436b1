"""deploy/quickstart, as a newcomer runs it: the same result on files and on a Redis of its own, and the same again when it goes on."""

import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = os.environ["PEILING_BIN"]


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Quickstart(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="peiling-quickstart-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def command(self, *arguments, data="data"):
        return [ROOT / "deploy/quickstart", "--programs", PROGRAMS, "--listen", f"127.0.0.1:{free_port()}", "--http-listen", "127.0.0.1:0", "--data-dir",
                f"{self.directory}/{data}", *arguments]

    def run_batch(self, *arguments, data="data"):
        """What it printed, and its exit status."""
        done = subprocess.run(self.command("--batch", *arguments, data=data), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=300)
        return done.stdout, done.returncode

    def finish(self, *arguments, data="data"):
        """What it printed, when it went well: all, and of that the cleaning report and the figures."""
        output, status = self.run_batch(*arguments, data=data)
        self.assertEqual(status, 0, output[-4000:])
        self.assertRegex(output, r"324 printed figures: 312 match, .*, 0 differ")
        return output, output[output.index("From raw export to published tables"):]

    def test_the_same_on_files_and_on_redis_with_two_replicas_of_every_service(self):
        _, expected = self.finish(data="files")
        _, report = self.finish("--redis", "--replicas", "2", data="redis")
        self.assertEqual(report, expected)
        # Goes on with what is there, all in one process, and changes nothing.
        output, report = self.finish("--redis", data="redis")
        self.assertEqual(report, expected)
        self.assertRegex(output, r"167 rows into .*: 0 added, 0 updated, 167 unchanged")

    def test_how_to_go_on_is_what_it_says(self):
        for arguments in ((), ("--separate",)):
            with self.subTest(arguments), subprocess.Popen(self.command(*arguments, data="".join(arguments)), stdout=subprocess.PIPE, text=True) as quickstart:
                try:
                    told = []
                    while not (told and told[-1].startswith("The first administrator")):
                        told.append(next(quickstart.stdout))
                    export, _, curl = [line.strip() for line in told if line.startswith("  ")][-3:]
                    script = f"set -e -o pipefail; {export}; peilingctl whoami; {curl} --silent --fail"
                    done = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
                    self.assertEqual(0, done.returncode, f"{script}: {done.stdout}")
                    self.assertIn("keys/", done.stdout)
                    self.assertIn('"surveys/sociale-wijkteams"', done.stdout)
                finally:
                    quickstart.send_signal(signal.SIGINT)
            for key in ("quickstart.key", "administrator.key"):
                self.assertEqual(0o600, stat.S_IMODE(os.stat(f"{self.directory}/{''.join(arguments)}/{key}").st_mode), key)

    def test_a_port_that_is_taken_is_told_before_anything_starts(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            for flag in ("--listen", "--http-listen"):
                output, status = self.run_batch(flag, f"127.0.0.1:{taken.getsockname()[1]}")
                self.assertEqual(1, status, output)
                self.assertIn(f"take another address with {flag}", output)

    def test_nothing_stays_behind(self):
        self.finish("--redis", "--separate")
        here = subprocess.run(["pgrep", "--full", re.escape(self.directory)], stdout=subprocess.PIPE, text=True, check=False)
        self.assertEqual(here.stdout, "")

    def test_mistakes_are_told(self):
        for arguments, what in ((("--replicas", "2"), "add --redis"), (("--replicas", "x"), "want 1 to 9"), (("--no-such-flag",), "Usage")):
            output, status = self.run_batch(*arguments)
            self.assertEqual(status, 2, output)
            self.assertIn(what, output)


if __name__ == "__main__":
    unittest.main()
