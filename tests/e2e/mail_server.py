"""A real mail server (Debian's Exim) on loopback, in a directory of its own. What an address stands for is in its local part:

    weg…      is refused at once (550 5.1.1)
    druk…     is refused the first time (451 4.2.1)
    terug…    is taken, and comes back later (Unrouteable address)
    bounces…  gets the server's reports (RFC 3464), in `reports`
    others    are delivered, to `mailbox`

Of what it takes it reports what became of it, as asked for with DSN (RFC 3461)."""

import email
import email.policy
import os
import pathlib
import pwd
import socket
import subprocess
import time

EXIM = "/usr/sbin/exim4"

CONFIGURATION = """
spool_directory = {directory}/spool
log_file_path = {directory}/log/%s
primary_hostname = mail.peiling.test
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
exim_user = {user}
exim_group = {group}
keep_environment =
acl_smtp_rcpt = check
dsn_advertise_hosts = *
tls_advertise_hosts = {tls_hosts}
{tls}
smtp_accept_max = 200
smtp_accept_queue_per_connection = 10000
remote_max_parallel = 1
begin acl
check:
{relay}  deny local_parts = ^weg
       message = 5.1.1 no such mailbox
  defer local_parts = ^druk
       !ratelimit = 2 / 1h / strict / per_rcpt / druk-$local_part
       message = 4.2.1 try later
  accept
begin routers
reports:
  driver = accept
  local_parts = ^bounces
  transport = reports
all:
  driver = accept
  local_parts = !^terug
  transport = mailbox
begin transports
reports:
  driver = appendfile
  directory = {directory}/reports
  maildir_format
  envelope_to_add
  user = {user}
mailbox:
  driver = appendfile
  directory = {directory}/mailbox
  maildir_format
  envelope_to_add
  user = {user}
"""


class MailServer:
    """Runs until `stop`. `certificate` and `key`: PEM files for STARTTLS; none: no TLS. `refuses_relay`: takes mail from nobody, as one that was
    set up wrongly does."""

    def __init__(self, directory, certificate=None, key=None, refuses_relay=False):
        self.directory = pathlib.Path(directory)
        self.user = pwd.getpwnam("Debian-exim") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        for name in ("spool", "log", "reports", "mailbox"):
            (self.directory / name).mkdir(parents=True)
            os.chown(self.directory / name, self.user.pw_uid, self.user.pw_gid)
        # Exim's own user goes through all that leads there.
        for part in (self.directory, *self.directory.parents):
            if os.access(part, os.W_OK) and part.stat().st_uid == os.geteuid() and part != pathlib.Path("/"):
                part.chmod(part.stat().st_mode | 0o011)
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.configuration = self.directory / "exim.conf"
        tls = f"tls_certificate = {certificate}\ntls_privatekey = {key}" if certificate else ""
        self.configuration.write_text(CONFIGURATION.format(
            directory=self.directory, port=self.port, user=self.user.pw_name, group=self.user.pw_gid, tls=tls,
            tls_hosts="*" if certificate else "", relay="  deny message = relay not permitted\n" if refuses_relay else ""))
        self.process = None
        self.read = {}  # Mail by file.
        self.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def reports(self):
        return self.directory / "reports"

    def start(self):
        with open(self.directory / "out", "ab") as out:
            self.process = subprocess.Popen([EXIM, "-C", self.configuration, "-bdf", "-q5s"], stdout=out, stderr=out)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.directory / "out").read_text() + self.log()) from None
                time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def log(self):
        return "".join(path.read_text(errors="replace") for path in sorted((self.directory / "log").iterdir()))

    def mails(self):
        """[(envelope recipient, message)] of all that was delivered to people."""
        for path in (self.directory / "mailbox" / "new").glob("*"):
            if path.name not in self.read:
                message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
                self.read[path.name] = (str(message["Envelope-to"]), message)
        return list(self.read.values())

    def accepted(self):
        """[(Message-ID, recipient)] of all it took from outside, also what came back: as often as it took it; from its log."""
        messages, recipients = {}, {}
        for line in self.log().splitlines():
            words = line.split()
            if len(words) > 4 and words[3] == "<=" and words[4] != "<>":
                messages[words[2]] = next((word[3:] for word in words if word.startswith("id=")), "")
            elif len(words) > 4 and words[3] in ("=>", "**", "==") and words[2] in messages:
                address = next((word.strip("<>:") for word in words[4:6] if "@" in word), "")
                recipients.setdefault(words[2], set()).add(address)
        return sorted((messages[queued], address) for queued, addresses in recipients.items() for address in addresses)
