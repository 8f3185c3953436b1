#!/usr/bin/python3
"""What replicas on Redis give: throughput, recovery, memory and lag, as the tables of deploy/README.md have them.

    PEILING_BIN=build/release/bin PEILING_STUBS=build/release/tests/e2e/stubs PYTHONPATH=tests/e2e:tests/fault tests/bench/fleet_figures.py [PART…]

Parts: throughput, recovery, memory, lag (all of them by default). Starts a Redis with two replicas and three Sentinels, and the services on it.
"""

import contextlib
import statistics
import subprocess
import threading

import load
from fleet import *
from redis_servers import SentinelRedis, wait_until

LOAD_SECONDS = 6
REPEATS = 8


@contextlib.contextmanager
def running(replicas):
    redis = SentinelRedis(replicas=2)
    try:
        fleet = Fleet(redis.address(), replicas=replicas)
        try:
            fleet.wait_all_healthy()
            yield fleet, redis
        finally:
            fleet.close()
    finally:
        redis.close()


def spread(seconds):
    return f"{statistics.median(seconds):.2f} s usual, {max(seconds):.2f} s longest, of {len(seconds)}"


def throughput():
    for replicas, partitions in ((1, 1), (2, 1), (2, 4)):
        with running(replicas) as (fleet, _):
            command = [BIN / "intake_load", f"--target={fleet.target('gateway')}", f"--partitions={partitions}", f"--seconds={LOAD_SECONDS}"]
            print(f"-- {replicas} replicas, {partitions} partitions")
            print(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


class Pulse:
    """One writer that never stops; knows the longest time between two acknowledgements since it was last asked."""

    def __init__(self, fleet):
        self.load = load.Load(fleet, writers=0)
        self.fleet = fleet
        self.stopping = False
        self.longest = 0.0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        last = time.monotonic()
        while not self.stopping:
            self.load.submit(load.answer_sheet(self.load.titles[0], next(self.load.numbers), test=True))
            now = time.monotonic()
            self.longest = max(self.longest, now - last)
            last = now

    def after(self, fault, seconds):
        self.longest = 0.0
        fault()
        time.sleep(seconds)
        return self.longest

    def stop(self):
        self.stopping = True
        self.thread.join()


def recovery():
    with running(2) as (fleet, redis):
        load.apply_wave(fleet)
        pulse = Pulse(fleet)
        for service in ("intake", "gateway", "validation"):
            silences = []
            for _ in range(REPEATS):
                silences.append(pulse.after(lambda: fleet.restart(f"{service}-1"), 1))
                fleet.wait_all_healthy()
            print(f"-- {service}, kill -9: writes again after {spread(silences)}")
        print(f"-- primary of Redis, kill -9: writes again after {spread([pulse.after(redis.fail_over, 1) for _ in range(REPEATS)])}")
        pulse.stop()
        redis.wait_whole()
        taken_over = []
        for _ in range(REPEATS):
            fleet.processes["dedup-1"].kill()
            begun = time.monotonic()
            load.cleaning(fleet)
            for name in [pulse.load.submit(load.answer_sheet(title, 1, test=True)) for title in pulse.load.titles[:16]]:
                wait_until("a decision", lambda: decided(fleet, name), 60)
            taken_over.append(time.monotonic() - begun)
            fleet.processes["dedup-1"].start()
            fleet.wait_all_healthy()
        print(f"-- dedup, kill -9: 16 new responses of 4 partitions decided after {spread(taken_over)}")


def decided(fleet, name):
    with contextlib.suppress(grpc.RpcError):
        request = dedup_pb2.ListDecisionsRequest(parent=load.WAVE, page_size=1000)
        while True:
            page = fleet.dedup.ListDecisions(request, timeout=5)
            if any(decision.response == name for decision in page.decisions):
                return True
            if not page.next_page_token:
                return False
            request.page_token = page.next_page_token
    return False


def memory():
    with running(1) as (fleet, redis):
        fleet.apply_sociale_wijkteams()
        server = redis.primary()
        before = usage(server)
        responses = 0
        for source in range(30):
            _, summary = fleet.import_file(W2022, SURVEY / "waves" / "2022" / "responses.csv", source=f"s{source}")
            responses += summary.added
        fleet.cleaning_report(W2022, summary.position.submissions)
        after = usage(server)
        for owner in ("intake", "dedup"):
            print(f"-- {owner}: {(after[owner] - before[owner]) / responses:.0f} bytes a response, of {responses} as in the export of 2022")
        print(f"-- all of Redis: {(after['all'] - before['all']) / responses:.0f} bytes a response")


def usage(server):
    """Bytes of memory by owner of the keys."""
    bytes_of = {"intake": 0, "dedup": 0, "analytics": 0}
    for key in server.ask("KEYS", "*"):
        bytes_of[key.split(b":")[0].decode()] += server.ask("MEMORY", "USAGE", key, "SAMPLES", "0")
    bytes_of["all"] = int(pairs_of(server.ask("INFO", "memory"))["used_memory"])
    return bytes_of


def pairs_of(info):
    return dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)


def lag():
    with running(2) as (fleet, _):
        load.apply_wave(fleet)
        mixed = load.Load(fleet, writers=8)
        mixed.start()
        for what in ("under a load of 8 writers", "without other load"):
            to_record, to_table = [], []
            for number in range(100):
                request = intake_pb2.SubmitResponseRequest(parent=load.WAVE, request_id=f"{what} {number}",
                                                           response=load.answer_sheet(mixed.titles[0], number, test=True))
                answer = mixed.insist(fleet.intake.SubmitResponse, request)
                with mixed.account.lock:
                    mixed.account.responses[request.request_id] = answer.response.name
                begun = time.monotonic()
                fleet.dedup.GetCleaningReport(dedup_pb2.GetCleaningReportRequest(parent=load.WAVE, wait_for=answer.position), timeout=TIMEOUT)
                recorded = time.monotonic()
                fleet.analytics.GetProgress(analytics_pb2.GetProgressRequest(parent=load.WAVE, wait_for=answer.position), timeout=TIMEOUT)
                to_record.append(recorded - begun)
                to_table.append(time.monotonic() - begun)
            print(f"-- {what}: from acknowledged to decided {spread(to_record)}; to counted {spread(to_table)}")
            mixed.stop()
        print(f"-- {mixed.account.rate():.0f} responses a second meanwhile")


PARTS = {"throughput": throughput, "recovery": recovery, "memory": memory, "lag": lag}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        print(f"== {part}", flush=True)
        PARTS[part]()
