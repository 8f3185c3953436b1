"""Several hosts on this machine: network namespaces, joined by a switch that delays, loses and cuts as told. Needs root.

The switch is a process of its own that passes Ethernet frames between TAP devices, so that what happens is what a network does:
connections do not break, packets just do not arrive.
"""

import fcntl
import heapq
import multiprocessing
import os
import random
import select
import struct
import subprocess
import time

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
BROADCAST = b"\xff" * 6
NETWORK = "10.77.0"


def ip(*words, namespace=None):
    inside = ["ip", "netns", "exec", namespace] if namespace else []
    subprocess.run([*inside, "ip", *words], check=True, capture_output=True)


def open_tap(name):
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    return tap


class Switch:
    """Runs in a process of its own. Ports are numbered as hosts are; what is told comes through `orders`."""

    def __init__(self, taps, orders):
        self.taps = taps
        self.orders = orders
        self.port_of = {}
        self.cut = set()
        self.delay = 0.0
        self.loss = 0.0
        self.waiting = []  # (due, number, port, frame)
        self.number = 0

    def run(self):
        ports = {tap: port for port, tap in enumerate(self.taps)}
        while True:
            timeout = max(0.0, self.waiting[0][0] - time.monotonic()) if self.waiting else None
            ready, _, _ = select.select([*self.taps, self.orders], [], [], timeout)
            for source in ready:
                if source is self.orders:
                    if not self.obey():
                        return
                else:
                    self.receive(source, ports[source])
            self.deliver()

    def obey(self):
        try:
            name, value = self.orders.recv()
        except EOFError:
            return False
        setattr(self, name, value)
        self.orders.send(True)
        return True

    def receive(self, tap, port):
        for _ in range(64):
            try:
                frame = os.read(tap, 65536)
            except BlockingIOError:
                return
            self.port_of[frame[6:12]] = port
            known = self.port_of.get(frame[:6]) if frame[:6] != BROADCAST else None
            for target in [known] if known is not None else range(len(self.taps)):
                if target != port:
                    self.send(port, target, frame)

    def send(self, source, target, frame):
        if frozenset((source, target)) in self.cut or random.random() < self.loss:
            return
        self.number += 1
        heapq.heappush(self.waiting, (time.monotonic() + self.delay, self.number, target, frame))

    def deliver(self):
        now = time.monotonic()
        while self.waiting and self.waiting[0][0] <= now:
            _, _, target, frame = heapq.heappop(self.waiting)
            try:
                os.write(self.taps[target], frame)
            except OSError:
                pass  # A full queue loses packets, as on any network.


class Network:
    """Host 0 is this one; the others are namespaces. Host n has the address 10.77.0.(n + 1)."""

    def __init__(self, hosts):
        self.tag = f"pl{os.getpid() % 100000}"
        self.namespaces = [None] + [f"{self.tag}n{number}" for number in range(1, hosts + 1)]
        taps = []
        for number, namespace in enumerate(self.namespaces):
            device = f"{self.tag}t{number}"
            taps.append(open_tap(device))
            if namespace:
                ip("netns", "add", namespace)
                ip("link", "set", device, "netns", namespace)
                ip("link", "set", "lo", "up", namespace=namespace)
            ip("addr", "add", f"{self.address(number)}/24", "dev", device, namespace=namespace)
            ip("link", "set", device, "up", namespace=namespace)
        self.orders, told = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(target=Switch(taps, told).run, daemon=True)
        self.process.start()
        told.close()
        for tap in taps:
            os.close(tap)

    def address(self, number):
        return f"{NETWORK}.{number + 1}"

    def prefix(self, number):
        """To be put before a command that runs on a host."""
        return ["ip", "netns", "exec", self.namespaces[number]] if number else []

    def tell(self, name, value):
        self.orders.send((name, value))
        self.orders.recv()

    def cut(self, *pairs):
        """Nothing passes between these pairs of hosts; everything between others."""
        self.tell("cut", {frozenset(pair) for pair in pairs})

    def slow(self, seconds=0.0, loss=0.0):
        """Each packet takes so long one way, and such a share of them is lost."""
        self.tell("delay", seconds)
        self.tell("loss", loss)

    def close(self):
        self.process.kill()
        self.process.join()
        for namespace in self.namespaces[1:]:
            subprocess.run(["ip", "netns", "del", namespace], check=False)
