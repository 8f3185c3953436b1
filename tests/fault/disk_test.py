"""A full disk, under Redis and under SQLite: writes are refused in so many words, nothing acknowledged is lost, and once there is room it goes
on."""

import contextlib
import subprocess
import unittest

import load
from fleet import *
from redis_servers import Server, wait_until


@contextlib.contextmanager
def small_disk(test, megabytes):
    """A file system of its own. Needs root."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="peiling-disk-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "peiling-test", path], check=True)
    test.addCleanup(shutil.rmtree, path, ignore_errors=True)
    test.addCleanup(subprocess.run, ["umount", "--lazy", path], check=True)
    yield path


def fill(path):
    """Leaves no byte free."""
    with contextlib.suppress(OSError), open(path / "filling", "wb", buffering=0) as file:
        while file.write(b"\0" * 4096) > 0:
            pass
    return path / "filling"


class FullDisk(unittest.TestCase):
    def submit_until_refused(self, suite, mixed):
        """The refusal."""
        self.unanswered = []
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            request = intake_pb2.SubmitResponseRequest(parent=load.WAVE, request_id=str(load.uuid.uuid4()),
                                                       response=load.answer_sheet(mixed.titles[0], next(mixed.numbers), test=True))
            try:
                answer = suite.intake.SubmitResponse(request, timeout=load.CALL_TIMEOUT)
            except grpc.RpcError as error:
                self.unanswered.append(request)
                # It may be stored and only its entry in the audit log not: then nobody says anything, until the log has it.
                if error.code() != grpc.StatusCode.DEADLINE_EXCEEDED:
                    return error
                continue
            mixed.account.responses[request.request_id] = answer.response.name
        self.fail("everything was taken in")

    def go_on(self, suite, mixed):
        """What was not taken in, again, and all records."""
        for request in self.unanswered:
            answer = mixed.insist(suite.intake.SubmitResponse, request)
            mixed.account.responses[request.request_id] = answer.response.name
        mixed.stopping.set()
        mixed.start()
        mixed.stop()
        load.check(self, suite, mixed.account)
        self.assertEqual(load.outcome(suite), load.undisturbed_outcome())

    def test_sqlite_refuses_and_goes_on(self):
        # Room for four stores with their logs, which SQLite copies into the file at 16 MiB each.
        with small_disk(self, 64) as disk:
            suite = Suite(directory=disk)
            self.addCleanup(suite.close)
            suite.wait_healthy()
            load.apply_wave(suite)
            mixed = load.Load(suite, writers=1)
            filling = fill(disk)
            refusal = self.submit_until_refused(suite, mixed)
            # Whichever was full first: intake's store or that of the audit log.
            self.assertIn((refusal.code(), details(refusal)[0].reason),
                          {(grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL"), (grpc.StatusCode.UNAVAILABLE, "AUDIT_UNAVAILABLE")})
            filling.unlink()
            self.go_on(suite, mixed)

    def test_redis_that_cannot_write_its_log_acknowledges_nothing(self):
        with small_disk(self, 64) as disk:
            redis = Server(disk / "redis")
            redis.start()
            self.addCleanup(lambda: redis.running() and redis.kill())
            suite = Fleet(f"redis://{redis.host}:{redis.port}", replicas=1)
            self.addCleanup(suite.close)
            suite.wait_all_healthy()
            load.apply_wave(suite)
            mixed = load.Load(suite, writers=1)
            filling = fill(disk)
            refusal = self.submit_until_refused(suite, mixed)
            self.assertIn(refusal.code(), (grpc.StatusCode.RESOURCE_EXHAUSTED, *load.PASSING), refusal)
            # With appendfsync always a Redis that cannot write ends itself.
            wait_until("Redis has given up, or refuses", lambda: not redis.running() or self.refuses(redis), timeout=30)
            wait_until("intake says so", lambda: "intake-1" not in suite.healthy(), timeout=30)
            filling.unlink()
            if not redis.running():
                redis.start()
            suite.wait_all_healthy()
            self.go_on(suite, mixed)

    def refuses(self, redis):
        return b"aof_last_write_status:err" in redis.ask("INFO", "persistence")


if __name__ == "__main__":
    unittest.main()
