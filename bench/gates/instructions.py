"""Instructions and heap allocations of the workers, counted by callgrind in the program itself and in the scheduler's
benchmark."""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from callgrind import COMMAND, Profile, Profiled, read_profile
from lock_step import STREAMS, LockStepNode, Stream
from world import Ask, Broken, Nodes, connect, one_by_one

TIMES = 5  # each figure is the median of so many: in some of them a worker took over what the probes had found


@dataclass
class Cost:
    """Of one request or chunk."""

    instructions: float
    allocations: float

    @staticmethod
    def per(count: int, profile: Profile) -> "Cost":
        return Cost(profile.total() / count, profile.allocations() / count)


def readable(binary: Path, folder: Path) -> Path:
    """A copy that Valgrind can read: it knows the symbols, but not every form of DWARF 5. The code is the same."""
    copy = folder / binary.name
    subprocess.run(["objcopy", "--strip-debug", binary, copy], check=True)
    return copy


def median(measure: Callable[[], Profile]) -> Profile:
    return sorted((measure() for _ in range(TIMES)), key=Profile.total)[TIMES // 2]


def profile_requests(profiled: Profiled, ask: Ask, count: int, connections: int = 4) -> Profile:
    """In steady state, one at a time."""
    clients = connect(profiled.gateway, connections)
    one_by_one(clients, ask, 6 * connections)
    profile = median(lambda: profiled.measure(lambda: one_by_one(clients, ask, count)))
    for client in clients:
        client.close()
    return profile


def profile_chunks(profiled: Profiled, node: LockStepNode, path: str, count: int) -> Profile:
    """In the middle of a stream."""
    stream = Stream(profiled.gateway, node, path)
    stream.steps(50)
    profile = median(lambda: profiled.measure(lambda: stream.steps(count)))
    stream.end()
    return profile


@dataclass
class OfGateway:
    request: Cost
    large_request: Cost
    chunk: Cost
    event: Cost


def of_gateway(binary: Path, nodes: Nodes) -> OfGateway:
    with Profiled(binary, nodes) as profiled:
        request = Cost.per(100, profile_requests(profiled, Ask(), 100))
        large_request = Cost.per(20, profile_requests(profiled, Ask(size=64 << 10), 20))
    with LockStepNode() as node, Profiled(binary, node) as profiled:
        chunk, event = (Cost.per(200, profile_chunks(profiled, node, path, 200)) for path in STREAMS)
    return OfGateway(request, large_request, chunk, event)


def of_spread_requests(binary: Path, nodes: Nodes, workers: int) -> Cost:
    """Over so many connections that each worker has some."""
    with Profiled(binary, nodes, workers) as profiled:
        return Cost.per(96, profile_requests(profiled, Ask(), 96, connections=24))


# ---- the scheduler

SCHEDULER = "drover::balance::Scheduler::"
HOLDS = {  # what the lock is held for: the benchmark that does it, and the call
    "submit": ("BM_Decide/nodes:8", "submit("),
    "finished": ("BM_Decide/nodes:8", "finished("),
    "observe_inventory": ("BM_Poll/nodes:8", "observe_inventory("),
    "tick": ("BM_Tick/nodes:8", "tick("),
    "add_to": ("BM_Snapshot/nodes:8", "add_to("),
}


def _profile_benchmark(binary: Path, name: str) -> Profile:
    with tempfile.TemporaryDirectory(prefix="drover-gates-") as folder:
        file = Path(folder, "profile")
        command = [*COMMAND, f"--callgrind-out-file={file}", binary, f"--benchmark_filter=^{name}$", "--benchmark_min_time=0.2"]
        done = subprocess.run(command, capture_output=True, text=True)
        written = list(Path(folder).iterdir())
        if done.returncode != 0 or not written:
            raise Broken(f"{name} does not run under callgrind: {done.stderr.strip()}")
        profile = Profile()
        for path in written:
            profile.add(read_profile(path.read_text(errors="replace").splitlines()))
        return profile


def of_scheduler(benchmark: Path) -> dict[str, float]:
    """Instructions of one call of each kind, with eight nodes. The benchmark's own set-up calls are too few to matter."""
    profiles = {name: _profile_benchmark(benchmark, name) for name in {name for name, _ in HOLDS.values()}}
    costs = {}
    for call, (name, function) in HOLDS.items():
        edges = [edge for edge in profiles[name].calls if edge[1].startswith(SCHEDULER + function)]
        calls = sum(profiles[name].calls[edge] for edge in edges)
        if not calls:
            raise Broken(f"{name} makes no call of {SCHEDULER}{function})")
        costs[call] = sum(profiles[name].passed[edge] for edge in edges) / calls
    return costs
