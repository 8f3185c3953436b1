"""Real Redis servers with Sentinels on this machine, to be killed, stalled and cut off."""

import collections
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HOST = "127.0.0.1"


def free_port():
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        return taken.getsockname()[1]


def wait_until(what, condition, timeout=30, pause=0.05):
    """Waits for `condition` to give something true, and gives that back."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {timeout} s: {what}")
        time.sleep(pause)


class RedisError(Exception):
    """What the server refused, or that it is not there."""


def command(at, *words, timeout=2):
    """Asks the server at (host, port); text for simple answers, lists for several, None for nothing."""
    try:
        with socket.create_connection(at, timeout=timeout) as connection:
            words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
            connection.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
            with connection.makefile("rb") as answer:
                return read_answer(answer)
    except OSError as error:
        raise RedisError(str(error)) from error


def read_answer(answer):
    line = answer.readline()
    if not line:
        raise RedisError("the connection ended")
    kind, rest = line[:1], line[1:].strip()
    if kind == b"-":
        raise RedisError(rest.decode())
    if kind == b"+":
        return rest.decode()
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == b"-1" else answer.read(int(rest) + 2)[:-2]
    return None if rest == b"-1" else [read_answer(answer) for _ in range(int(rest))]


def pairs(answer):
    """A flat list of names and values as a dictionary of text."""
    words = [word.decode() for word in answer]
    return dict(zip(words[::2], words[1::2]))


class Server:
    """One redis-server. Its data stay when it is killed."""

    def __init__(self, directory, port=None, host=HOST, prefix=(), arguments=()):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.host = host
        self.port = port or free_port()
        self.prefix = list(prefix)
        self.arguments = list(arguments)
        self.process = None

    def start(self, replica_of=None):
        follow = ["--replicaof", f"{replica_of.host} {replica_of.port}"] if replica_of else []
        self.log = open(self.directory / "redis.log", "ab")
        self.process = subprocess.Popen(
            [*self.prefix, "redis-server", "--bind", self.host, "--port", str(self.port), "--dir", str(self.directory), "--protected-mode", "no",
             "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0",
             "--repl-timeout", "10", "--repl-ping-replica-period", "1", *self.arguments, *follow], stdout=self.log, stderr=self.log)
        wait_until(f"redis-server on port {self.port}", self.answers)

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"redis-server ended: {(self.directory / 'redis.log').read_text()[-2000:]}")
        try:
            return self.ask("PING") == "PONG"
        except RedisError as error:
            return "LOADING" in str(error)

    def ask(self, *words):
        return command((self.host, self.port), *words)

    def role(self):
        try:
            return self.ask("ROLE")[0].decode()
        except RedisError:
            return "none"

    def attached_replicas(self):
        """Replicas that have caught up and follow."""
        try:
            answer = self.ask("INFO", "replication").decode()
        except RedisError:
            return 0
        return answer.count("state=online")

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()
        self.log.close()

    def pause(self):
        """As a machine that hangs: connections stay, nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)


class SentinelRedis:
    """A primary with replicas, watched over by three Sentinels.

    `hosts` are (address, prefix) of as many hosts as there are servers, with a Sentinel beside each; by default all are on this one.
    """

    NAME = "peiling"

    def __init__(self, replicas=2, sentinels=3, hosts=None):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="peiling-redis-"))
        self.hosts = hosts or [(HOST, [])] * max(1 + replicas, sentinels)
        self.servers = [Server(self.directory / f"redis-{i}", host=self.hosts[i][0], prefix=self.hosts[i][1]) for i in range(1 + replicas)]
        self.servers[0].start()
        for server in self.servers[1:]:
            server.start(replica_of=self.servers[0])
        wait_until("replicas have caught up", lambda: self.servers[0].attached_replicas() == replicas)
        self.sentinels = [self.start_sentinel(i) for i in range(sentinels)]
        wait_until("sentinels know each other", lambda: all(self.knows(at, sentinels, replicas) for at, _ in self.sentinels))

    def start_sentinel(self, number):
        host, prefix = self.hosts[number]
        port = free_port()
        config = self.directory / f"sentinel-{number}.conf"
        config.write_text("\n".join([
            f"port {port}", f"bind {host}", f"dir {self.directory}", "protected-mode no",
            f"sentinel monitor {self.NAME} {self.servers[0].host} {self.servers[0].port} 2",
            f"sentinel down-after-milliseconds {self.NAME} 1000",
            f"sentinel failover-timeout {self.NAME} 3000",
            f"sentinel parallel-syncs {self.NAME} 2", ""]))
        with open(self.directory / f"sentinel-{number}.log", "ab") as log:
            return (host, port), subprocess.Popen([*prefix, "redis-sentinel", str(config)], stdout=log, stderr=log)

    def knows(self, at, sentinels, replicas):
        try:
            known = pairs(command(at, "SENTINEL", "MASTER", self.NAME))
        except RedisError:
            return False
        return int(known["num-other-sentinels"]) == sentinels - 1 and int(known["num-slaves"]) == replicas

    def address(self, options=""):
        """For --store."""
        hosts = ",".join(f"{host}:{port}" for (host, port), _ in self.sentinels)
        return f"redis+sentinel://{hosts}/{self.NAME}{options}"

    def primary(self):
        """The server most Sentinels name now."""
        named = collections.Counter()
        for at, _ in self.sentinels:
            try:
                host, port = command(at, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.NAME)
            except RedisError:
                continue
            named[host.decode(), int(port)] += 1
        (host, port), _ = named.most_common(1)[0]
        return next(server for server in self.servers if (server.host, server.port) == (host, port))

    def fail_over(self):
        """Kills the primary (-9), waits until another is, brings the old one back as a replica. Seconds until there was a new one."""
        self.wait_whole()
        old = self.primary()
        begun = time.monotonic()
        old.kill()
        new = wait_until("a new primary", lambda: self.new_primary(old), timeout=60)
        taken = time.monotonic() - begun
        old.start(replica_of=new)
        return taken

    def new_primary(self, old):
        named = self.primary()
        return named if named is not old and named.role() == "master" else None

    def whole(self):
        """All follow the primary, and every Sentinel has noticed: a failover that begins before would wait for the last one to end."""
        primary = self.primary()
        return primary.attached_replicas() == len(self.servers) - 1 and all(self.settled(at, primary) for at, _ in self.sentinels)

    def wait_whole(self, timeout=60):
        try:
            wait_until("all follow the primary", self.whole, timeout)
        except RuntimeError as error:
            raise RuntimeError(f"{error}: {self.state()}") from error

    def state(self):
        """Who is what, for whoever looks into a failure."""
        servers = [(server.port, server.running(), server.role(), server.attached_replicas()) for server in self.servers]
        seen = []
        for at, _ in self.sentinels:
            try:
                master = pairs(command(at, "SENTINEL", "MASTER", self.NAME))
                replicas = [pairs(replica) for replica in command(at, "SENTINEL", "REPLICAS", self.NAME)]
                seen.append((master["port"], master["flags"], [(r["port"], r["flags"], r["master-port"]) for r in replicas]))
            except RedisError as error:
                seen.append(str(error))
        return f"servers {servers}, Sentinels say {seen}"

    def settled(self, at, primary):
        try:
            master = pairs(command(at, "SENTINEL", "MASTER", self.NAME))
            replicas = [pairs(replica) for replica in command(at, "SENTINEL", "REPLICAS", self.NAME)]
        except RedisError:
            return False
        return (master["ip"], master["port"], master["flags"]) == (primary.host, str(primary.port), "master") and all(r["flags"] == "slave" for r in replicas)

    def close(self):
        for _, process in self.sentinels:
            process.kill()
            process.wait()
        for server in self.servers:
            if server.running():
                server.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
