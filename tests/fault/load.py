"""Mixed load that keeps account of every acknowledgement, and a checker that compares the account with what is there afterwards.

Every request is tried again, with the same request_id, until it is acknowledged. What must come out does therefore not depend on the
faults: each municipality has one record with known answers; everything else is trials, or was withdrawn, or excluded for a while only.
"""

import itertools
import random
import threading
import uuid

from suite import *

WAVE = "surveys/street-trees/waves/soak"
FAULT = pathlib.Path(__file__).resolve().parent
# Any of these may come of a fault; the request is tried again. Everything else is a mistake of Peiling's.
PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.ABORTED, grpc.StatusCode.CANCELLED,
           grpc.StatusCode.RESOURCE_EXHAUSTED)
CALL_TIMEOUT = 5


def apply_wave(suite):
    return suite.apply(SURVEYS / "example-en" / "survey.yaml", FAULT / "soak.yaml")


def titles(suite):
    request = registry_pb2.ListMunicipalitiesRequest(as_of="2024-01-01", page_size=1000)
    return [m.title for m in suite.registry.ListMunicipalities(request, timeout=TIMEOUT).municipalities]


def answer_sheet(title, number, test=False):
    """A response that depends on its municipality and number alone."""
    chosen = random.Random(f"{title}/{number}")
    aims = [aim for aim in ("shade", "water", "nature") if chosen.random() < 0.5]
    answers = [answers_pb2.Answer(question="municipality", text=title), answers_pb2.Answer(question="name", text=f"Official {number}"),
               answers_pb2.Answer(question="trees", number=chosen.randint(0, 2000)),
               answers_pb2.Answer(question="plan", selection=answers_pb2.Selection(codes=[chosen.choice(["yes", "preparing", "no"])]))]
    if aims:
        answers.append(answers_pb2.Answer(question="aims", selection=answers_pb2.Selection(codes=aims)))
    return intake_pb2.Response(test=test, answers=answers_pb2.Answers(answers=answers))


class Account:
    """What was acknowledged, and when."""

    def __init__(self):
        self.lock = threading.Lock()
        self.responses = {}  # Name by request_id.
        self.withdrawn = set()
        self.rulings = 0
        self.retried = 0
        self.silences = []  # (seconds, when it began) of those of more than a second.
        self.begun = self.last = time.monotonic()
        self.unexpected = []

    def acknowledged(self):
        with self.lock:
            now = time.monotonic()
            if now - self.last > 1:
                self.silences.append((now - self.last, self.last))
            self.last = now

    def rate(self):
        return len(self.responses) / (self.last - self.begun)


class Load:
    """Threads that submit, withdraw and rule until told to stop, and then finish what they have begun."""

    def __init__(self, suite, writers=8):
        self.suite = suite
        self.account = Account()
        self.stopping = threading.Event()
        self.titles = titles(suite)
        self.real = iter(self.titles)
        self.numbers = itertools.count()
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(writers)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def run(self, seed):
        chosen = random.Random(seed)
        try:
            while not self.stopping.is_set():
                self.step(chosen)
            while (title := self.next_real()) is not None:
                self.submit(answer_sheet(title, 0))
        except Exception as error:  # Seen by check.
            self.account.unexpected.append(error)

    def step(self, chosen):
        dice = chosen.random()
        if dice < 0.05 and (title := self.next_real()) is not None:
            self.submit(answer_sheet(title, 0))
        elif dice < 0.10:
            self.withdraw(self.submit(answer_sheet(chosen.choice(self.titles), next(self.numbers))))
        elif dice < 0.12:
            self.exclude_for_a_while(self.submit(answer_sheet(chosen.choice(self.titles), next(self.numbers), test=True)))
        else:
            self.submit(answer_sheet(chosen.choice(self.titles), next(self.numbers), test=True))

    def next_real(self):
        with self.account.lock:
            return next(self.real, None)

    def insist(self, call, request):
        """Until it is acknowledged."""
        while True:
            try:
                answer = call(request, timeout=CALL_TIMEOUT)
                self.account.acknowledged()
                return answer
            except grpc.RpcError as error:
                if error.code() not in PASSING:
                    raise
                with self.account.lock:
                    self.account.retried += 1
                time.sleep(0.05)

    def submit(self, response):
        request = intake_pb2.SubmitResponseRequest(parent=WAVE, response=response, request_id=str(uuid.uuid4()))
        name = self.insist(self.suite.intake.SubmitResponse, request).response.name
        with self.account.lock:
            self.account.responses[request.request_id] = name
        return name

    def withdraw(self, name):
        self.insist(self.suite.intake.WithdrawResponse,
                    intake_pb2.WithdrawResponseRequest(name=name, reason="load", request_id=str(uuid.uuid4())))
        with self.account.lock:
            self.account.withdrawn.add(name)

    def exclude_for_a_while(self, name):
        """Needs dedup to have taken the response in: asks again until it has."""
        ruling = dedup_pb2.Ruling(response=name, reason="load", ruled_by="load", exclude=dedup_pb2.ExcludeRuling())
        request = dedup_pb2.CreateRulingRequest(parent=WAVE, ruling=ruling, request_id=str(uuid.uuid4()))
        while True:
            try:
                made = self.insist(self.suite.dedup.CreateRuling, request).ruling.name
                break
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.NOT_FOUND:
                    raise
                time.sleep(0.05)
        self.insist(self.suite.dedup.RetractRuling,
                    dedup_pb2.RetractRulingRequest(name=made, retracted_by="load", reason="load", request_id=str(uuid.uuid4())))
        with self.account.lock:
            self.account.rulings += 1


def all_responses(suite, wave):
    request = intake_pb2.ListResponsesRequest(parent=wave, page_size=1000)
    while True:
        page = suite.intake.ListResponses(request, timeout=TIMEOUT)
        yield from page.responses
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def feed(suite, wave, partition):
    """All events of a submission feed."""
    watch = suite.intake.WatchSubmissions(intake_pb2.WatchSubmissionsRequest(parent=wave, partition=partition), timeout=TIMEOUT)
    events = []
    for message in watch:
        if message.HasField("caught_up"):
            watch.cancel()
            return events
        events.append(message.submission)
    raise AssertionError("the watch ended")


def position_of(suite, wave):
    """Where the submission feeds of a wave end."""
    partitions = suite.intake.GetWave(intake_pb2.GetWaveRequest(name=wave), timeout=TIMEOUT).wave.partitions
    ends = [len(feed(suite, wave, partition)) for partition in range(partitions)]
    return feed_pb2.FeedPosition(submissions=ends[0], further_submissions=ends[1:])


def check(test, suite, account):
    """Fails `test` unless what is there is what was acknowledged: none lost, none doubled, each in the feed once."""
    test.assertEqual(account.unexpected, [])
    names = list(account.responses.values())
    test.assertEqual(len(names), len(set(names)), "two requests were given the same response")
    stored = {response.name: response for response in all_responses(suite, WAVE)}
    test.assertEqual(set(names) - set(stored), set(), "acknowledged and lost")
    test.assertEqual(set(stored) - set(names), set(), "stored twice, or never asked for")
    withdrawn = {name for name, response in stored.items() if response.state == intake_pb2.RESPONSE_STATE_WITHDRAWN}
    test.assertEqual(withdrawn, account.withdrawn)
    events = 0
    for partition in range(4):
        of_partition = feed(suite, WAVE, partition)
        test.assertEqual([event.sequence for event in of_partition], list(range(1, len(of_partition) + 1)))
        latest = {event.response.name: event.sequence for event in of_partition}
        test.assertEqual({name: stored[name].sequence for name in latest}, latest)
        events += len(of_partition)
    test.assertEqual(events, len(names) + len(account.withdrawn), "an event too many or too few")


def undisturbed_outcome():
    """What researchers must see: from a run of the same records without any fault."""
    suite = Suite()
    try:
        suite.wait_healthy()
        apply_wave(suite)
        load = Load(suite, writers=1)
        load.stopping.set()  # The records alone.
        load.start()
        load.stop()
        return outcome(suite)
    finally:
        suite.close()


def outcome(suite):
    """Tables, and the records without what differs from run to run (names of responses)."""
    position = position_of(suite, WAVE)
    tables = suite.analytics.Tabulate(analytics_pb2.TabulateRequest(parent=WAVE, wait_for=position), timeout=TIMEOUT).tables
    records = {}
    request = dedup_pb2.ListRecordsRequest(parent=WAVE, page_size=1000)
    for record in suite.dedup.ListRecords(request, timeout=TIMEOUT).records:
        records[record.municipality_code] = record.answers.SerializeToString(deterministic=True)
    return records, [table.SerializeToString(deterministic=True) for table in tables]


def cleaning(suite, wave=WAVE):
    request = dedup_pb2.GetCleaningReportRequest(parent=wave, wait_for=position_of(suite, wave))
    return suite.dedup.GetCleaningReport(request, timeout=TIMEOUT).report
