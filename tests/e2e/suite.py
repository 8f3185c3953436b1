"""Runs the real binaries and talks to them as a foreign client does: grpcio and stubs made from the protos."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid

BIN = pathlib.Path(os.environ.get("PEILING_BIN", "build/release/bin")).resolve()
STUBS = pathlib.Path(os.environ.get("PEILING_STUBS", "build/release/tests/e2e/stubs")).resolve()
ROOT = pathlib.Path(__file__).resolve().parents[2]
SURVEYS = ROOT / "services" / "intake" / "surveys"
SURVEY = SURVEYS / "sociale-wijkteams"
sys.path.insert(0, str(STUBS))

import google  # noqa: E402
import grpc  # noqa: E402

# The stubs share these packages with the libraries.
google.__path__.append(str(STUBS / "google"))
grpc.__path__.append(str(STUBS / "grpc"))
from google.rpc import error_details_pb2, status_pb2  # noqa: E402
from grpc.health.v1 import health_pb2, health_pb2_grpc  # noqa: E402
from peiling.access.v1 import access_pb2, access_pb2_grpc, identity_pb2, options_pb2  # noqa: E402
from peiling.analytics.v1 import analytics_pb2, analytics_pb2_grpc  # noqa: E402
from peiling.dedup.v1 import dedup_pb2, dedup_pb2_grpc  # noqa: E402
from peiling.fieldwork.v1 import contacts_pb2, contacts_pb2_grpc, invitations_pb2, invitations_pb2_grpc  # noqa: E402
from peiling.fieldwork.v1 import mail_pb2, mail_pb2_grpc, progress_pb2, progress_pb2_grpc, webhooks_pb2, webhooks_pb2_grpc  # noqa: E402
from peiling.intake.v1 import drafts_pb2, drafts_pb2_grpc, intake_pb2, intake_pb2_grpc  # noqa: E402
from peiling.registry.v1 import registry_pb2, registry_pb2_grpc  # noqa: E402
from peiling.survey.v1 import answers_pb2, feed_pb2, mailing_pb2, published_pb2, questionnaire_pb2  # noqa: E402
from peiling.validation.v1 import validation_pb2, validation_pb2_grpc  # noqa: E402

from certificates import Authority  # noqa: E402

W2022 = "surveys/sociale-wijkteams/waves/2022"
W2019 = "surveys/sociale-wijkteams/waves/2019"
ROLES = [role for role in options_pb2.Role.values() if role != options_pb2.ROLE_UNSPECIFIED]
TIMEOUT = 60

# What Client.outcome says of a call.
OK = (grpc.StatusCode.OK, "")
ROLE_MISSING = (grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING")
OUTSIDE = (grpc.StatusCode.PERMISSION_DENIED, "NOT_WITHIN_LIMITS")
UNKNOWN = (grpc.StatusCode.UNIMPLEMENTED, "UNKNOWN_METHOD")
MISSING = (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_MISSING")
INVALID = (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID")
EXPIRED = (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")


class Process:
    """One binary, listening on a port of its own choice. `prefix` is put before its command line; `insecure`: neither TLS nor credentials."""

    def __init__(self, program, directory, arguments=(), port=0, host="127.0.0.1", prefix=(), environment=None, insecure=True):
        self.program = program
        self.host = host
        self.prefix = list(prefix)
        self.directory = pathlib.Path(directory)
        self.http_port_file = self.directory / f"{program}.http"
        self.environment = {"PEILING_INSECURE": str(insecure).lower(), "PEILING_HTTP_LISTEN": f"{host}:0",
                            "PEILING_HTTP_PORT_FILE": str(self.http_port_file), **(environment or {})}
        self.arguments = list(arguments)
        self.port = port
        self.process = None
        self.starts = 0
        self.start()

    def start(self):
        """Starts it, the second time on the port it had before."""
        self.starts += 1
        port_file = self.directory / f"{self.program}.{self.starts}.port"
        port_file.unlink(missing_ok=True)  # Of an earlier run in the same directory.
        self.log = open(self.directory / f"{self.program}.log", "ab")
        self.process = subprocess.Popen(
            [*self.prefix, BIN / self.program, f"--listen={self.host}:{self.port}", f"--port-file={port_file}", *map(str, self.arguments)],
            stderr=self.log, stdout=self.log, env={**os.environ, **self.environment})
        deadline = time.monotonic() + 30
        while not (port_file.exists() and port_file.read_text().endswith("\n")):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.program} did not start: {self.log_tail()}")
            time.sleep(0.01)
        self.port = int(port_file.read_text().strip().rsplit(":", 1)[1])

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    @property
    def http_address(self):
        """Of the gateway."""
        return self.http_port_file.read_text().strip()

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()
        self.log.close()

    def stop(self):
        """SIGTERM, as an operator stops it; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=30)
        finally:
            self.log.close()

    def log_tail(self):
        return (self.directory / f"{self.program}.log").read_text(errors="replace")[-2000:]


class Bearer(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamUnaryClientInterceptor,
             grpc.StreamStreamClientInterceptor):
    """Shows a key or token with every call."""

    def __init__(self, credential):
        self.entry = ("authorization", f"Bearer {credential}")

    def intercept(self, continuation, call, request):
        return continuation(call._replace(metadata=[*(call.metadata or ()), self.entry]), request)

    intercept_unary_unary = intercept_unary_stream = intercept_stream_unary = intercept_stream_stream = intercept


class Client:
    """Somebody who calls: stubs of all services, and the steps of the main job."""

    def __init__(self, channel, credential=None):
        self.use(channel, credential)

    def use(self, channel, credential=None):
        self.channel = channel
        self.calls = calls = grpc.intercept_channel(channel, Bearer(credential)) if credential else channel
        self.access = access_pb2_grpc.AccessServiceStub(calls)
        self.analytics = analytics_pb2_grpc.AnalyticsServiceStub(calls)
        self.contacts = contacts_pb2_grpc.ContactServiceStub(calls)
        self.dedup = dedup_pb2_grpc.DedupServiceStub(calls)
        self.drafts = drafts_pb2_grpc.DraftServiceStub(calls)
        self.fieldwork = progress_pb2_grpc.ProgressServiceStub(calls)
        self.intake = intake_pb2_grpc.IntakeServiceStub(calls)
        self.invitations = invitations_pb2_grpc.InvitationServiceStub(calls)
        self.mail = mail_pb2_grpc.MailServiceStub(calls)
        self.registry = registry_pb2_grpc.RegistryServiceStub(calls)
        self.validation = validation_pb2_grpc.ValidationServiceStub(calls)
        self.webhooks = webhooks_pb2_grpc.WebhookServiceStub(calls)
        self.health = health_pb2_grpc.HealthStub(calls)

    def outcome(self, method, *requests, metadata=(), timeout=TIMEOUT, compression=None):
        """What a call with these messages comes to, (code, reason), by its first answer. `method` as "/peiling.intake.v1.IntakeService/GetWave"."""
        answers = self.calls.stream_stream(method)(iter(map(as_bytes, requests)), metadata=metadata, timeout=timeout, compression=compression)
        try:
            next(answers, None)
            return grpc.StatusCode.OK, ""
        except grpc.RpcError as error:
            info, _ = details(error)
            return error.code(), info.reason if info else ""
        finally:
            answers.cancel()

    # The main job, step by step.

    def apply(self, *paths, dry_run=False):
        documents = [intake_pb2.Document(filename=path.name, text=path.read_text(encoding="utf-8")) for path in paths]
        return self.intake.ApplyDocuments(intake_pb2.ApplyDocumentsRequest(documents=documents, dry_run=dry_run), timeout=TIMEOUT)

    def import_file(self, wave, content, piece=64 << 10, timeout=TIMEOUT, source=""):
        """Returns (rows, summary)."""
        if isinstance(content, pathlib.Path):
            content = content.read_bytes()

        def pieces():
            yield intake_pb2.ImportResponsesRequest(header=intake_pb2.ImportHeader(parent=wave, content_length=len(content), source=source))
            for begin in range(0, len(content), piece):
                yield intake_pb2.ImportResponsesRequest(content=content[begin:begin + piece])

        rows, summary = [], None
        for report in self.intake.ImportResponses(pieces(), timeout=timeout):
            if report.HasField("row"):
                rows.append(report.row)
            elif report.HasField("summary"):
                summary = report.summary
        return rows, summary

    def apply_sociale_wijkteams(self):
        return self.apply(*(SURVEY / name for name in ("survey.yaml", "2019.yaml", "2022.yaml", "published-2022.yaml")))

    def rule_2022(self):
        import csv
        position = None
        with open(SURVEY / "waves" / "2022" / "rulings.csv", encoding="utf-8") as rulings:
            for line in csv.DictReader(rulings):
                ruling = dedup_pb2.Ruling(response=f"{W2022}/responses/{line['response_id']}", reason=line["reason"], ruled_by="e2e",
                                          assign=dedup_pb2.AssignRuling(municipality_code=line["municipality_code"]))
                answer = self.dedup.CreateRuling(dedup_pb2.CreateRulingRequest(parent=W2022, ruling=ruling,
                                                 request_id=f"ruling-{line['response_id']}"), timeout=TIMEOUT)
                position = answer.position
        return position

    def cleaning_report(self, wave, submissions=0):
        request = dedup_pb2.GetCleaningReportRequest(parent=wave, wait_for=feed_pb2.FeedPosition(submissions=submissions))
        return self.dedup.GetCleaningReport(request, timeout=TIMEOUT).report

    def main_job(self):
        """Everything up to the tables of 2022, and the position analytics has to reach."""
        self.apply_sociale_wijkteams()
        for wave in (W2019, W2022):
            _, summary = self.import_file(wave, SURVEY / "waves" / wave[-4:] / "responses.csv")
            self.cleaning_report(wave, summary.position.submissions)
        return self.rule_2022()

    def fingerprint(self, wave):
        """Everything a researcher sees of a wave, to compare runs by."""
        def pages(call, request, field):
            while True:
                page = call(request, timeout=TIMEOUT)
                yield from getattr(page, field)
                if not page.next_page_token:
                    return
                request.page_token = page.next_page_token

        records = [record.SerializeToString(deterministic=True)
                   for record in pages(self.dedup.ListRecords, dedup_pb2.ListRecordsRequest(parent=wave), "records")]
        decisions = [(d.response, d.disposition, tuple(d.municipality_codes), tuple(d.kept_for), d.superseded_by)
                     for d in pages(self.dedup.ListDecisions, dedup_pb2.ListDecisionsRequest(parent=wave), "decisions")]
        tables = self.analytics.Tabulate(analytics_pb2.TabulateRequest(parent=wave), timeout=TIMEOUT).tables
        return records, decisions, [table.SerializeToString(deterministic=True) for table in tables]

    def wait_counted(self, wave, submissions=0, records=0):
        position = feed_pb2.FeedPosition(submissions=submissions, records=records)
        request = analytics_pb2.GetProgressRequest(parent=wave, wait_for=position)
        return self.analytics.GetProgress(request, timeout=TIMEOUT).progress


class Suite(Client):
    """All services: in one process, or (separate=True) each in its own behind a gateway. Calls as somebody with every role: without
    credentials, as on a developer's machine, or (credentials=True) with a key that the first administrator made. tls=True: everything over
    mutual TLS, with credentials."""

    def __init__(self, separate=False, directory=None, gateway_arguments=(), credentials=False, tls=False):
        self.prepare(directory, credentials, tls)
        if separate:
            self.add("access", "peiling-access", arguments=[f"--store=sqlite:{self.directory}/access.db", *self.administrator_key()])
            self.add("registry", "peiling-registry")
            self.add("validation", "peiling-validation", "registry")
            self.add("intake", "peiling-intake", "validation", arguments=[f"--store=sqlite:{self.directory}/intake.db"])
            self.add("dedup", "peiling-dedup", "intake", "registry", arguments=[f"--store=sqlite:{self.directory}/dedup.db"])
            self.add("analytics", "peiling-analytics", "intake", "dedup", "registry")
            self.add("fieldwork", "peiling-fieldwork", "intake", "dedup", "analytics", "registry",
                     arguments=[f"--store=sqlite:{self.directory}/fieldwork.db"])
            self.add("gateway", "peiling-gateway", "access", "registry", "validation", "intake", "dedup", "analytics", "fieldwork",
                     arguments=gateway_arguments)
            self.entry = self.processes["gateway"]
        else:
            self.add("peiling", "peiling", arguments=[f"--data-dir={self.directory}/data", *self.administrator_key(), *gateway_arguments])
            self.entry = self.processes["peiling"]
        self.connect()

    def prepare(self, directory=None, credentials=False, tls=False):
        self.own_directory = directory is None
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="peiling-e2e-"))
        self.credentials = credentials or tls
        self.authority = Authority(self.directory / "authority") if tls else None
        self.certificates = {}
        self.processes = {}
        self.clients = []

    def administrator_key(self):
        return [f"--administrator-key-file={self.directory}/administrator.key"] if self.credentials else []

    def add(self, title, program, *needs, arguments=()):
        addresses = [f"--{need}={self.processes[need].address}" for need in needs]
        self.processes[title] = Process(program, self.directory, [*addresses, *self.tls_flags(program), *arguments],
                                        insecure=self.is_insecure(program))

    def tls_flags(self, program, **names):
        return self.authority.flags(self.certificate(program, **names)) if self.authority else []

    def certificate(self, name, **names):
        """Of the authority, made once; None without TLS."""
        if self.authority and name not in self.certificates:
            self.certificates[name] = self.authority.issue(name, **names)
        return self.certificates.get(name)

    def is_insecure(self, program):
        """Services without TLS must be told so; those who let people in ask for credentials even then."""
        return not (self.credentials if program in ("peiling", "peiling-gateway") else self.authority)

    def gateways(self):
        """Addresses of all ways in."""
        return [self.entry.address]

    def connect(self):
        self.use(self.open_channel())
        self.administrator = self
        if self.credentials:
            self.wait_healthy()
            self.administrator = self.client((self.directory / "administrator.key").read_text().strip())
            self.use(self.open_channel(), self.make_key(*ROLES).secret)

    def open_channel(self, address=None, certificate=None):
        """To the gateways by default. `certificate`: a pair of the authority, to be shown."""
        address = address or "ipv4:" + ",".join(self.gateways())
        options = [("grpc.max_reconnect_backoff_ms", 500), ("grpc.use_local_subchannel_pool", 1), ("grpc.ssl_target_name_override", "localhost"),
                   ("grpc.service_config", '{"loadBalancingConfig":[{"round_robin":{}}]}')]
        if not self.authority:
            return grpc.insecure_channel(address, options=options)
        key, chain = certificate.read() if certificate else (None, None)
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(self.authority.certificate.read_bytes(), key, chain), options=options)

    def client(self, credential=None, address=None, certificate=None):
        """Somebody with a connection of their own."""
        client = Client(self.open_channel(address, certificate), credential)
        self.clients.append(client)
        return client

    def make_key(self, *roles, resources=(), grants=(), expires_at=None):
        """The answer of CreateKey, once all gateways know of the key."""
        grants = grants or [identity_pb2.Grant(role=role, resources=resources) for role in roles]
        key = access_pb2.Key(title="e2e", grants=grants, expires_at=expires_at)
        made = self.administrator.access.CreateKey(access_pb2.CreateKeyRequest(key=key, request_id=str(uuid.uuid4())), timeout=TIMEOUT)
        for address in self.gateways():
            with self.open_channel(address) as channel:
                self.wait_admitted(Client(channel, made.secret))
        return made

    def audit_entries(self, page_size=1000, **filters):
        """All that the audit log has of them, the latest first."""
        request = access_pb2.ListAuditEntriesRequest(page_size=page_size, **filters)
        entries = []
        while True:
            page = self.administrator.access.ListAuditEntries(request, timeout=TIMEOUT)
            entries += page.entries
            if not page.next_page_token:
                return entries
            request.page_token = page.next_page_token

    def wait_admitted(self, client, timeout=10):
        deadline = time.monotonic() + timeout
        while True:
            try:
                return client.access.GetCaller(access_pb2.GetCallerRequest(), timeout=TIMEOUT).identity
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE) or time.monotonic() > deadline:
                    raise
            time.sleep(0.02)

    def wait_healthy(self, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while True:
            try:
                answer = self.health.Check(health_pb2.HealthCheckRequest(), timeout=2)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            except grpc.RpcError:
                pass
            if time.monotonic() > deadline:
                raise RuntimeError("not healthy: " + "\n".join(p.log_tail() for p in self.processes.values()))
            time.sleep(0.05)

    def close(self):
        for client in (self, *self.clients):
            client.channel.close()
        statuses = {title: process.stop() for title, process in reversed(self.processes.items())}
        if self.own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)
        return statuses


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def as_bytes(message):
    return message if isinstance(message, bytes) else message.SerializeToString()


def methods():
    """The RPCs of all contracts, as descriptors."""
    for module in (access_pb2, analytics_pb2, contacts_pb2, dedup_pb2, drafts_pb2, intake_pb2, invitations_pb2, mail_pb2, progress_pb2,
                   registry_pb2, validation_pb2, webhooks_pb2):
        for service in module.DESCRIPTOR.services_by_name.values():
            yield from service.methods


def path_of(method):
    return f"/{method.containing_service.full_name}/{method.name}"


def detail(error, kind):
    """The detail of an RpcError that is of this kind of message, or None."""
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        for packed in status_pb2.Status.FromString(value).details:
            if packed.Is(kind.DESCRIPTOR):
                found = kind()
                packed.Unpack(found)
                return found
    return None


def details(error):
    """(ErrorInfo or None, [field violations]) of an RpcError."""
    bad = detail(error, error_details_pb2.BadRequest)
    return detail(error, error_details_pb2.ErrorInfo), list(bad.field_violations) if bad else []


def retry_delay(error):
    """Seconds after which an RpcError says to try again; 0 when it does not."""
    info = detail(error, error_details_pb2.RetryInfo)
    return info.retry_delay.ToNanoseconds() / 1e9 if info else 0
