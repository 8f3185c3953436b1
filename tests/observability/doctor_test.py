"""peilingctl doctor on deployments that are well and on such that are not."""

import shutil
import unittest

from observed import *

WELL, WARNING, WRONG = 0, 1, 2


def doctor(address, *arguments):
    """(exit code, {what: [(state, how, remedy)]})."""
    done = subprocess.run([BIN / "peilingctl", "--server", address, "doctor", "-o", "json", *arguments], capture_output=True, text=True, timeout=90)
    findings = {}
    for finding in json.loads(done.stdout)["findings"]:
        findings.setdefault(finding["what"], []).append((finding["state"], finding["how"], finding["remedy"]))
    return done.returncode, findings


class Doctor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        start_watched(cls)
        position = cls.suite.main_job()
        cls.suite.wait_counted(W2022, records=position.records)
        cls.metrics = [argument for port in cls.suite.metrics_ports.values() for argument in ("--metrics", f"127.0.0.1:{port}")]

    def examine(self, *arguments):
        return doctor(self.suite.entry.address, *arguments)

    def test_all_is_well(self):
        code, findings = self.examine("--store", f"sqlite:{self.suite.directory}/intake.db", *self.metrics)
        # A tree that is not built as a whole has programs of several commits.
        if findings["versions"][0][0] == "warning":
            code, _ = WELL, findings.pop("versions")
        self.assertEqual({state for found in findings.values() for state, _, _ in found}, {"well"}, findings)
        self.assertEqual(code, WELL)
        self.assertTrue({"gateway", "registry", "validation", "intake", "dedup", "analytics", "fieldwork", "submission", "feeds",
                         f"analytics of {W2022}"} <= set(findings), findings)

    def test_people_get_a_table(self):
        done = subprocess.run([BIN / "peilingctl", "--server", self.suite.entry.address, "doctor"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, WELL, done.stdout + done.stderr)
        self.assertIn("✓", done.stdout)
        self.assertNotIn("✗", done.stdout)

    def test_a_service_that_is_down_is_named(self):
        dedup = self.suite.processes["dedup"]
        dedup.kill()
        self.addCleanup(self.suite.wait_healthy)
        self.addCleanup(dedup.start)
        deadline = time.monotonic() + 20
        while True:
            code, findings = self.examine(*self.metrics)
            if findings["dedup"][0][0] == "wrong" or time.monotonic() > deadline:
                break
        self.assertEqual(findings["dedup"][0][:2], ("wrong", "it is not ready"))
        self.assertEqual(code, WRONG)
        address = f"127.0.0.1:{self.suite.metrics_ports['dedup']}"
        self.assertEqual(findings[address][0][0], "wrong")
        self.assertIn(f"dedup of {W2022}", findings)
        self.assertEqual(findings["intake"][0][0], "well")
        self.assertEqual(findings["submission"][0][0], "well")
        self.assertTrue(all(remedy for found in findings.values() for state, _, remedy in found if state != "well"))

    def test_a_gateway_that_is_not_there_ends_the_questions(self):
        code, findings = doctor(f"127.0.0.1:{free_port()}", "--timeout", "2s")
        self.assertEqual((code, list(findings)), (WRONG, ["gateway"]))

    def test_another_service_for_the_gateway(self):
        code, findings = doctor(self.suite.processes["intake"].address)
        self.assertEqual(code, WRONG)
        self.assertEqual((findings["intake"][0][0], findings["registry"][0][0]), ("well", "wrong"))
        self.assertIn("the address of the gateway?", findings["registry"][0][2])

    def test_a_file_that_is_not_there(self):
        code, findings = self.examine("--store", f"sqlite:{self.suite.directory}/nowhere.db")
        self.assertEqual(code, WRONG)
        self.assertEqual(findings[f"store {self.suite.directory}/nowhere.db"][0][0], "wrong")


class Metrics(unittest.TestCase):
    """What pages of several processes say together; the pages are made up."""

    def pages(self, *pages):
        import http.server
        arguments = []
        for page in pages:
            class Handler(http.server.BaseHTTPRequestHandler):
                text = page

                def do_GET(self):
                    self.send_response(200 if self.path == "/metrics" else 404)
                    self.end_headers()
                    self.wfile.write(self.text.replace("NOW", str(time.time())).encode())

                def log_message(self, *_):
                    pass

            server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.addCleanup(server.server_close)
            self.addCleanup(server.shutdown)
            arguments += ["--metrics", f"http://127.0.0.1:{server.server_port}/metrics"]
        _, findings = doctor("127.0.0.1:1", "--timeout", "1s", *arguments)
        del findings["gateway"]
        return [(state, how) for found in findings.values() for state, how, _ in found]

    def said(self, findings, state):
        return " / ".join(how for found, how in findings if found == state)

    def test_lag_counts_shared_work_by_the_furthest_and_whole_indices_by_the_least_far(self):
        labels = 'feed="submissions",wave="w",partition="1"'
        found = self.pages(f'peiling_feed_end{{{labels}}} 5000\npeiling_feed_position{{follower="dedup",{labels}}} 10\n'
                           f'peiling_feed_position{{follower="analytics",{labels}}} 4999\n',
                           f'peiling_feed_position{{follower="dedup",{labels}}} 5000\n'
                           f'peiling_feed_position{{follower="analytics",{labels}}} 20\n')
        self.assertEqual(self.said(found, "warning"), "analytics is 4980 events behind in the submissions of partition 1")

    def test_versions_that_differ(self):
        found = self.pages('peiling_build_info{version="1",commit="a"} 1\n', 'peiling_build_info{version="1",commit="b"} 1\n')
        self.assertEqual(self.said(found, "warning"), "several run side by side: 1 (a), 1 (b)")

    def test_clocks_apart(self):
        self.assertEqual(self.said(self.pages("peiling_clock_seconds NOW\n"), "warning"), "")
        self.assertRegex(self.said(self.pages(f"peiling_clock_seconds {time.time() - 60}\n"), "warning"), r"its clock is 6\d\.\d s behind")

    def test_states(self):
        found = self.pages('peiling_ready{server="a"} 0\npeiling_ready{server="b"} 1\npeiling_store_up{store="intake"} 0\n'
                           'peiling_dedup_poisoned_events{wave="w",partition="0"} 3\n')
        self.assertEqual(self.said(found, "wrong"), "a is not ready / the store of intake cannot be read or written")
        self.assertEqual(self.said(found, "warning"), "3 events of w were set aside")
        self.assertEqual(self.said(found, "well"), "ready: b")


@unittest.skipUnless(shutil.which("redis-server"), "no redis-server")
class Redis(unittest.TestCase):
    def start(self, *arguments):
        directory = tempfile.mkdtemp(prefix="peiling-doctor-")
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        port = free_port()
        process = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--save", "", *arguments],
                                   stdout=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return port
            except OSError:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.02)

    def look(self, address):
        _, findings = doctor("127.0.0.1:1", "--timeout", "1s", "--store", address)
        del findings["gateway"]
        # On a busy machine any server may take long to answer.
        return [(state, how) for found in findings.values() for state, how, _ in found if not how.endswith("ms to answer")]

    def test_a_server_that_keeps_what_it_acknowledges(self):
        port = self.start("--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "100mb")
        (state, how), = self.look(f"redis://127.0.0.1:{port}")
        self.assertEqual(state, "well", how)
        self.assertRegex(how, r"Redis 7\.\S+, master with 0 replicas")

    def test_faults(self):
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "100mb"]
        for arguments, query, said in (
                (["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory", "100mb"], "", "appendfsync everysec"),
                ([*durable, "--maxmemory-policy", "allkeys-lru"], "", "would throw data away"),
                (durable, "?wait=1", "has 0 replicas that follow, a write must reach 1"),
                ([*durable, "--requirepass", "secret"], "", "NOAUTH"),
                (durable[:-2] + ["--maxmemory", "500kb"], "", "maxmemory"),
                ([*durable, "--replicaof", "127.0.0.1 1"], "", "is a replica")):
            with self.subTest(said):
                found = self.look(f"redis://127.0.0.1:{self.start(*arguments)}{query}")
                self.assertIn("wrong", [state for state, _ in found], found)
                self.assertIn(said, " / ".join(how for state, how in found if state == "wrong"))

    def test_memory_without_a_bound(self):
        found = self.look(f"redis://127.0.0.1:{self.start('--appendonly', 'yes', '--appendfsync', 'always')}")
        self.assertEqual([state for state, _ in found], ["well", "warning"])

    def test_nobody_there_and_no_address(self):
        self.assertEqual([state for state, _ in self.look(f"redis://127.0.0.1:{free_port()}")], ["wrong"])
        self.assertEqual([state for state, _ in self.look("redis://127.0.0.1:x")], ["wrong"])
        self.assertEqual([state for state, _ in self.look(f"redis+sentinel://127.0.0.1:{free_port()}/peiling")], ["wrong"])


if __name__ == "__main__":
    unittest.main()
