"""Rows that are no steady load: slow readers, memory, start, size of the binary."""

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .backend import Load
from .machine import Unavailable, pss_bytes, say, until
from .measure import median
from .peers import Drover, Proxy, Setting
from .rows import MEMORY_BARS, START_BARS, Bar, Once, Times

STARTS = 11
SETTLE = 1.0  # seconds until what a program allocates for a while has been given back


@dataclass
class OnceResult:
    once: Once
    figures: dict[str, dict[str, float]] = field(default_factory=dict)  # by system
    bars: dict[str, Bar] = field(default_factory=dict)  # of Drover's figures
    faults: dict[str, str] = field(default_factory=dict)  # by system


@contextmanager
def running(proxy: Proxy):
    try:
        proxy.start(log=True)
        yield proxy
    finally:
        proxy.stop()


class Onces:
    def __init__(self, setting: Setting, proxies: dict[str, type[Proxy]], times: Times):
        self.setting = setting
        self.proxies = proxies
        self.times = times

    def run(self, once: Once, systems: tuple[str, ...]) -> OnceResult:
        result = OnceResult(once)
        for name in systems:
            try:
                getattr(self, once.name)(self.proxies[name](self.setting), result)
            except Unavailable as void:
                result.faults[name] = str(void)
                say(f"{once.name}, {name}: void: {void}")
        return result

    # ---- slow readers: all bytes must come, and the proxy must not take in what its client does not

    def slow_reader(self, proxy: Proxy, result: OnceResult) -> None:
        with running(proxy):
            self.warm(proxy)
            before = pss_bytes(proxy.pids())
            load = self.load(proxy, True, "slow", "--connections", 8)
            time.sleep(0.8)  # readers stand still for a second
            grown = pss_bytes(proxy.pids()) - before
            self.finish(load)
            result.figures[proxy.name] = {"held_kib_per_stream": grown / 8 / 1024}

    # ---- memory

    def memory(self, proxy: Proxy, result: OnceResult) -> None:
        count = self.times.connections
        figures = result.figures.setdefault(proxy.name, {})
        with running(proxy):
            time.sleep(SETTLE)
            figures["rest_mib"] = pss_bytes(proxy.pids()) / 1024 / 1024
            figures["idle_bytes"] = self.growth(proxy, False, count, "idle", "--connections", count)
        with running(proxy):
            # Half a second between chunks: all are active, none is being worked on most of the time.
            figures["stream_bytes"] = self.growth(proxy, True, count, "streams", "--connections", count, "--chunk-rate", 2,
                                                  "--chunks", 14, "--hold")
        result.bars = MEMORY_BARS

    def growth(self, proxy: Proxy, streams: bool, count: int, *load) -> float:
        """Bytes a connection, from before to while all are open."""
        self.warm(proxy)
        time.sleep(SETTLE)
        before = pss_bytes(proxy.pids())
        holding = self.load(proxy, streams, *load)
        if holding.wait_until_held():
            time.sleep(SETTLE)
            grown = pss_bytes(proxy.pids()) - before
        else:
            grown = 0
        self.finish(holding)
        return grown / count

    def warm(self, proxy: Proxy) -> None:
        """A few requests, so that the program's own pages are in memory."""
        self.finish(self.load(proxy, False, "closed", "--connections", 4, "--requests", 200))
        self.finish(self.load(proxy, True, "streams", "--connections", 4, "--chunks", 5, "--chunk-rate", 100))

    def load(self, proxy: Proxy, streams: bool, *arguments) -> Load:
        return Load(self.setting.programs.load, list(arguments), proxy.port(streams, True), {})

    def finish(self, load: Load) -> None:
        report = load.finish()
        if not report["valid"]:
            raise Unavailable(report["fault"])

    # ---- start

    def start(self, proxy: Proxy, result: OnceResult) -> None:
        assert isinstance(proxy, Drover)
        times = [self.time_start(proxy) for _ in range(STARTS)]
        result.figures[proxy.name] = {"start_ms": median(times), "binary_mb": self.stripped_size() / 1e6}
        result.bars = START_BARS

    def time_start(self, proxy: Drover) -> float:
        """Milliseconds from before the program is started until it has answered HEAD /."""
        began = time.perf_counter()
        proxy.launch(log=True, guarded=False)
        try:
            until(lambda: answers_head(proxy.listen), "Drover to answer HEAD /", process=proxy.process, pause=0.0005)
            return (time.perf_counter() - began) * 1000
        finally:
            proxy.stop()

    def stripped_size(self) -> int:
        copy = self.setting.folder / "stripped"
        shutil.copy(self.setting.programs.drover, copy)
        strip = shutil.which("llvm-strip-19") or shutil.which("strip") or shutil.which("llvm-strip")
        if strip is None:
            raise Unavailable("there is no strip")
        subprocess.run([strip, copy], check=True)
        return Path(copy).stat().st_size


def answers_head(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
            client.sendall(f"HEAD / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            return client.recv(12) == b"HTTP/1.1 200"
    except OSError:
        return False
