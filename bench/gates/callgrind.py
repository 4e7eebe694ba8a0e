"""Runs programs under Valgrind's callgrind, and reads what it writes: instructions and calls, function by function."""

import re
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable

from world import Broken, Gateway, Nodes

COMMAND = ["valgrind", "-q", "--tool=callgrind", "--separate-threads=yes", "--compress-strings=yes", "--compress-pos=yes"]

ALLOCATIONS = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"}


def plain(function: str) -> str:
    """Without its callers, which callgrind adds where it was told to keep them apart, and without the depth of recursion."""
    return function.split("'")[0]


@dataclass
class Profile:
    """Of one thread or several. Counts are of instructions, but for `calls`."""

    own: Counter = field(default_factory=Counter)  # by function
    inclusive: Counter = field(default_factory=Counter)  # by function: its own and those of what it calls
    calls: Counter = field(default_factory=Counter)  # by (caller, callee)
    passed: Counter = field(default_factory=Counter)  # by (caller, callee): instructions of the callee on its behalf
    places: dict[str, str] = field(default_factory=dict)  # by function: the file in which it stands

    def total(self) -> int:
        return self.own.total()

    def times(self, callee: str) -> int:
        return sum(count for (_, name), count in self.calls.items() if name == callee)

    def allocations(self) -> int:
        # One that a function of this set makes on behalf of another is not a second one.
        return sum(count for (caller, callee), count in self.calls.items()
                   if plain(callee) in ALLOCATIONS and plain(caller) not in ALLOCATIONS)

    def add(self, other: "Profile") -> None:
        for name in ("own", "inclusive", "calls", "passed"):
            getattr(self, name).update(getattr(other, name))
        self.places |= other.places


_NAMED = re.compile(r"(fn|cfn|fl|fi|fe|cfi|cfl|ob|cob)=(?:\((\d+)\))?\s*(.*)")
_TABLE = {"fn": "fn", "cfn": "fn", "fl": "fl", "fi": "fl", "fe": "fl", "cfi": "fl", "cfl": "fl", "ob": "ob", "cob": "ob"}


def read_profile(lines: Iterable[str]) -> Profile:
    """Reads callgrind's file format (version 1, one event). Costs of recursion are counted once for each level."""
    profile = Profile()
    names: dict[str, dict[str, str]] = {"fn": {}, "fl": {}, "ob": {}}
    function = callee = place = ""
    calls: int | None = None  # the next cost is that of so many calls; 0 of them: one that began before the counting did
    for line in lines:
        first = line[:1]
        if first in "0123456789+-*":  # position and cost
            if not first.strip():
                continue
            words = line.split()
            cost = int(words[1]) if len(words) > 1 else 0
            profile.inclusive[function] += cost
            if calls is None:
                profile.own[function] += cost
            else:
                profile.calls[function, callee] += calls
                profile.passed[function, callee] += cost
                calls = None
        elif line.startswith("calls="):
            calls = int(line[6:].split()[0])
        elif found := _NAMED.match(line):
            kind, number, name = found.groups()
            table = names[_TABLE[kind]]
            if number is None:
                value = name
            elif name:
                value = table[number] = name.strip()
            else:
                value = table[number]
            if kind == "fn":
                function = value
                profile.places.setdefault(function, place)
            elif kind == "cfn":
                callee = value
            elif kind == "fl":
                place = value
    return profile


class Profiled:
    """A gateway under callgrind."""

    def __init__(self, binary: Path, nodes: Nodes, workers: int = 1, options: list[str] = []):
        self.workers = workers
        self.folder = tempfile.TemporaryDirectory(prefix="drover-gates-")
        self.file = f"{self.folder.name}/profile"
        self.gateway = Gateway(binary, nodes, workers, under=[*COMMAND, *options, f"--callgrind-out-file={self.file}"])

    def __enter__(self) -> "Profiled":
        return self

    def __exit__(self, *_) -> None:
        self.gateway.stop()
        self.folder.cleanup()

    def measure(self, act) -> Profile:
        """What the workers did while `act()` ran: the busiest threads, but for the first, which is the control loop."""
        self._dump()
        for old in Path(self.folder.name).iterdir():
            old.unlink()
        act()
        self._dump()
        threads = [read_profile(path.read_text(errors="replace").splitlines()) for path in Path(self.folder.name).iterdir()
                   if not path.name.endswith("-01")]
        profile = Profile()
        for thread in sorted(threads, key=lambda thread: -thread.total())[:self.workers]:
            profile.add(thread)
        if not profile.total():
            raise Broken("callgrind saw nothing")
        return profile

    def _dump(self) -> None:
        """Writes what was counted to files, one a thread, and sets the counters to nought."""
        done = subprocess.run(["callgrind_control", "--dump", str(self.gateway.pid)], capture_output=True, text=True)
        if done.returncode != 0 or "Error" in done.stdout + done.stderr:
            raise Broken(f"callgrind_control: {(done.stdout + done.stderr).strip()}")
