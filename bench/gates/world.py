"""What is measured, and what it is measured with: a gateway in front of the benchmark's nodes, and clients that send exactly
as many requests as they are told."""

import contextlib
import json
import os
import re
import resource
import selectors
import signal
import socket
import struct
import subprocess
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

NODES = 8
SLOTS = 1024  # of a node: more than any gate offers, so that nothing queues
PATIENCE = 120  # seconds that anything may take, Valgrind's slowness included


class Broken(Exception):
    """The world did not do what a gate needs: no figure can be had from it."""


def raise_descriptor_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


class Nodes:
    """The benchmark's stub: nodes that hold the model `m` and answer what the request's tag asks for."""

    def __init__(self, binary: Path, tick_s: float = 0.001):
        """`tick_s`: between two looks at the streams; chunks that are due leave together."""
        self.process = subprocess.Popen([binary, "--nodes", str(NODES), "--tick", str(tick_s)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise Broken("the nodes of the benchmark did not start")
        self.ports = json.loads(line)["ports"]

    def __enter__(self) -> "Nodes":
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


class Gateway:
    """A `drover serve` with the settings that users have, but for ports, nodes and the number of workers.

    `under`: the words of a tool that runs it. `tool_is_parent`: the tool starts the gateway as a child, as strace does, rather
    than becoming it, as Valgrind does."""

    def __init__(self, binary: Path, nodes: Nodes, workers: int = 1, under: list[str] = [], tool_is_parent: bool = False):
        self.nodes = len(nodes.ports)
        self.folder = tempfile.TemporaryDirectory(prefix="drover-gates-")
        settings = Path(self.folder.name, "drover.yaml")
        lines = ["listen: 127.0.0.1:0", "admin: 127.0.0.1:0", f"workers: {workers}",
                 f"access_log: {self.folder.name}/access.log", "nodes:"]
        lines += [f"  - {{url: 'http://127.0.0.1:{port}', name: node-{i}, slots: {SLOTS}}}" for i, port in enumerate(nodes.ports)]
        settings.write_text("\n".join(lines) + "\n")
        self.said = Path(self.folder.name, "stderr")
        with self.said.open("w") as errors:
            self.process = subprocess.Popen([*under, binary, "serve", "--config", settings], cwd=self.folder.name,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            addresses = self._await(lambda: re.search(r"listening on http://[\d.]+:(\d+), admin on (http://\S+)", self.said.read_text()))
            self.port, self.admin = int(addresses[1]), addresses[2]
            self.pid = children(self.process.pid)[0] if tool_is_parent else self.process.pid
            self._await(self._knows_all_nodes)
        except BaseException:
            self.process.kill()
            raise

    def _await(self, look):
        """What `look` returns as soon as that is something."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise Broken(f"drover ended with {self.process.returncode}: {self.said.read_text().strip()}")
            if seen := look():
                return seen
            time.sleep(0.02)
        raise Broken(f"drover did not get ready: {self.said.read_text().strip()}")

    def _knows_all_nodes(self) -> bool:
        nodes = re.findall(r"^drover_node_up\{.*\} (\d)", self.metrics(), re.MULTILINE)
        return len(nodes) == self.nodes and all(up == "1" for up in nodes)

    def metrics(self) -> str:
        try:
            with urllib.request.urlopen(self.admin + "/metrics", timeout=PATIENCE) as answer:
                return answer.read().decode()
        except OSError as error:
            raise Broken(f"the admin listener does not answer: {error}") from error

    def memory(self) -> int:
        """Its proportional set size: what the process costs the machine, in bytes, the kernel's part left out."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
        raise Broken("no figure of memory")

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        self.folder.cleanup()


# ---- clients

SENTENCE = "Why is the sky blue, and why does it turn red at dusk? Answer in two sentences. "


@dataclass(frozen=True)
class Ask:
    """One kind of request. `chunks`: of the streamed answer; 0: one JSON answer. `interval_us`: between two of them.
    `size`: of the body; chat messages are added until it has that. `model` comes last, as routers like it least."""

    chunks: int = 0
    interval_us: int = 0
    size: int = 0
    path: str = "/api/chat"

    def bytes(self, number: int) -> bytes:
        tag = f"[bench {number & 0xfffff:08x} {self.chunks:08x} {self.interval_us:08x}] "
        messages = [{"role": "user", "content": tag + SENTENCE}]
        size = 0
        while size < self.size:
            role = "assistant" if len(messages) % 2 else "user"
            messages.append({"role": role, "content": (SENTENCE + 'It says "blue"\n') * 8})
            size += len(messages[-1]["content"]) + 60
        body = json.dumps({"messages": messages, "stream": self.chunks > 0, "options": {"temperature": 0.7}, "model": "m"})
        head = (f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1:11435\r\nUser-Agent: drover-gates\r\nAccept: application/json\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n")
        return (head + body).encode()


class Connection:
    """A client's connection, one request after another. Checks that each answer is whole, and that it is the request's own."""

    numbers = 0

    def __init__(self, gateway: Gateway):
        self.socket = socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got = b""
        self.scanned = 0

    def send(self, ask: Ask) -> None:
        Connection.numbers += 1
        self.number = Connection.numbers
        self.got, self.scanned = b"", 0
        self.socket.sendall(ask.bytes(self.number))

    def receive(self) -> bool:
        """One read. True: the answer is complete."""
        bytes_read = self.socket.recv(1 << 16)
        if not bytes_read:
            raise Broken(f"the gateway closed a connection: {self.got[:200]!r}")
        self.got += bytes_read
        head = self.got.find(b"\r\n\r\n")
        if head < 0:
            return False
        if not self.got.startswith(b"HTTP/1.1 200 "):
            raise Broken(f"not answered with 200: {self.got[:300]!r}")
        length = re.search(rb"\r\ncontent-length: *(\d+)", self.got[:head], re.IGNORECASE)
        whole = len(self.got) == head + 4 + int(length[1]) if length else self.got.endswith(b"\r\n0\r\n\r\n")
        if whole and b"%05x" % (self.number & 0xfffff) not in self.got[head:]:
            raise Broken(f"somebody else's answer: {self.got[:300]!r}")
        return whole

    def exchange(self, ask: Ask) -> None:
        self.send(ask)
        while not self.receive():
            pass

    def close(self) -> None:
        """At once, without leaving a trace in the kernel's tables: thousands of those slow down whoever reads them."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def connect(gateway: Gateway, count: int) -> list[Connection]:
    return [Connection(gateway) for _ in range(count)]


def one_by_one(connections: list[Connection], ask: Ask, count: int) -> None:
    """`count` requests in all, by one connection after another; never two at a time."""
    for i in range(count):
        connections[i % len(connections)].exchange(ask)


def all_at_once(connections: list[Connection], ask: Ask, until_first_byte: bool = False) -> None:
    """One request on each connection. Returns when all answers are complete, or when the first piece of each has come."""
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            connection.send(ask)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        while selector.get_map():
            ready = selector.select(PATIENCE)
            if not ready:
                raise Broken("an answer did not come")
            for key, _ in ready:
                if key.data.receive() or until_first_byte:
                    selector.unregister(key.fileobj)
