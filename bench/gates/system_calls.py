"""System calls of the worker threads, counted by strace."""

import re
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from world import Ask, Broken, Connection, Gateway, Nodes, all_at_once, connect, one_by_one

WAITS = {"epoll_wait", "epoll_pwait", "epoll_pwait2"}
STEP_S = 0.025  # between the chunks of a stream: so much that no two come in one read
FUTEX_WAIT = "futex(wait)"  # a thread that found a lock taken, or waits to be told something

_LINE = re.compile(r"(\d+\.\d+) (\w+)\((.*)")


def count_calls(lines: list[str], begin: float, end: float) -> Counter:
    """What one thread called between two moments, by name. `lines`: its trace, as `strace -ttt -ff` writes it."""
    calls: Counter = Counter()
    for line in lines:
        found = _LINE.match(line)
        if not found or not begin <= float(found[1]) < end:
            continue
        name = found[2]
        calls[FUTEX_WAIT if name == "futex" and "FUTEX_WAIT" in found[3] else name] += 1
    return calls


def worker_calls(threads: dict[int, Counter], process: int, workers: int) -> Counter:
    """The calls of the worker threads together: of those that read most, but for the first, which is the control loop."""
    others = [calls for thread, calls in threads.items() if thread != process]
    return sum(sorted(others, key=lambda calls: -calls["recvfrom"])[:workers], Counter())


@dataclass
class Calls:
    """For one request or chunk."""

    waits: float
    others: float
    lock_waits: float
    each: dict[str, float]

    @staticmethod
    def per(count: int, calls: Counter) -> "Calls":
        waits = sum(calls[name] for name in WAITS)
        return Calls(waits / count, (calls.total() - waits - calls[FUTEX_WAIT]) / count, calls[FUTEX_WAIT] / count,
                     {name: number / count for name, number in calls.most_common()})

    def __str__(self) -> str:
        return ", ".join(f"{name} {number:.2f}" for name, number in self.each.items() if number >= 0.005)


class Traced:
    """A gateway under strace."""

    def __init__(self, binary: Path, nodes: Nodes, workers: int = 1):
        self.workers = workers
        self.folder = tempfile.TemporaryDirectory(prefix="drover-gates-")
        self.gateway = Gateway(binary, nodes, workers, under=["strace", "-qq", "-ttt", "-ff", "-o", f"{self.folder.name}/trace"],
                               tool_is_parent=True)

    def __enter__(self) -> "Traced":
        return self

    def __exit__(self, *_) -> None:
        self.gateway.stop()
        self.folder.cleanup()

    def count(self, act) -> Counter:
        """The calls of the workers while `act()` runs, and until they rest again."""
        begin = time.time()
        act()
        end = time.time()
        time.sleep(0.2)  # strace writes what it saw
        threads = {}
        for trace in Path(self.folder.name).iterdir():
            threads[int(trace.suffix[1:])] = count_calls(trace.read_text(errors="replace").splitlines(), begin, end)
        calls = worker_calls(threads, self.gateway.pid, self.workers)
        if not calls:
            raise Broken("strace saw nothing; may this user trace processes?")
        return calls


def of_requests(binary: Path, nodes: Nodes, workers: int, connections: int, requests: int = 500) -> Calls:
    """In steady state, one request at a time."""
    with Traced(binary, nodes, workers) as traced:
        clients = connect(traced.gateway, connections)
        one_by_one(clients, Ask(), 8 * connections)
        return Calls.per(requests, traced.count(lambda: one_by_one(clients, Ask(), requests)))


def of_crowded_requests(binary: Path, nodes: Nodes, workers: int, connections: int = 64, rounds: int = 10) -> Calls:
    """In steady state, as many at a time as there are connections."""
    with Traced(binary, nodes, workers) as traced:
        clients = connect(traced.gateway, connections)
        for _ in range(4):
            all_at_once(clients, Ask())

        def act() -> None:
            for _ in range(rounds):
                all_at_once(clients, Ask())

        return Calls.per(rounds * connections, traced.count(act))


def of_chunks(binary: Path, nodes: Nodes, streams: int = 40, chunks: int = 60) -> Calls:
    """Of streams whose chunks come together: nodes with a tick of STEP_S. By the difference of long ones and short ones, so
    that beginnings and ends do not count."""
    short, step_us = 10, int(STEP_S * 1e6)
    with Traced(binary, nodes) as traced:
        clients: list[Connection] = connect(traced.gateway, streams)
        all_at_once(clients, Ask(chunks=short, interval_us=step_us))
        few = traced.count(lambda: all_at_once(clients, Ask(chunks=short, interval_us=step_us)))
        many = traced.count(lambda: all_at_once(clients, Ask(chunks=short + chunks, interval_us=step_us)))
        many.subtract(few)
        return Calls.per(streams * chunks, many)
