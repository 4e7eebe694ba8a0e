"""Where the instructions and the heap allocations of a request and of a chunk go."""

import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Callable

from callgrind import ALLOCATIONS, Profile, Profiled, plain
from instructions import profile_chunks, profile_requests, readable
from lock_step import STREAMS, LockStepNode
from world import Ask, Nodes

# Callgrind keeps apart the callers of these, and so tells who allocates.
DEPTH = 14
SEPARATE = [f"--separate-callers{DEPTH}={name}" for name in [*sorted(ALLOCATIONS), "operator new*"]]
SHOWN = 60
NOISE = ("malloc", "calloc", "realloc", "operator new", "std::", "fmt::", "void std::", "void fmt::", "char const* fmt::", "__gnu_cxx")


def short(function: str) -> str:
    """A name that fits a line: without arguments, and with the words that everybody uses for the types of the library."""
    for long, word in ((r"std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> ?>", "std::string"),
                       (r"std::basic_string_view<char, std::char_traits<char> ?>", "std::string_view"),
                       (r"\(anonymous namespace\)::", ""), (r"drover::", ""), (r"\[abi:cxx11\]", ""),
                       (r" \[clone \.resume\]", ""), (r" \[clone [^]]*\]", ""), (r"'\d+$", "")):
        function = re.sub(long, word, function)
    depth, kept = 0, ""
    for c in function:  # arguments, and those of templates
        depth -= c in ">)"
        if depth == 0 and c not in ">)":
            kept += c
        depth += c in "<("
    return kept.replace("<", "").replace("(", "")[:110]


def allocators(profile: Profile, count: int) -> list[str]:
    """One line for each chain of callers, the nearest first; frames of the libraries are left out."""
    chains: Counter = Counter()
    for (_, callee), calls in profile.calls.items():
        if plain(callee) in ALLOCATIONS and calls > 0:
            frames = [frame for frame in callee.split("'")[1:] if not frame.isdigit() and not frame.startswith(NOISE)]
            names = list(dict.fromkeys(short(frame) for frame in frames))
            chains[" < ".join(names[:4])] += calls
    return [f"{calls / count:8.2f}  {chain}" for chain, calls in chains.most_common() if calls / count >= 0.005]


def sources(drover: Path) -> Callable[[list[str]], dict[str, str]]:
    """Tells where functions of the program begin, as `src/file.cpp:12`; those of the libraries are left out."""
    symbols = subprocess.run(["nm", "--demangle", "--defined-only", drover], check=True, capture_output=True, text=True).stdout
    addresses = {words[2]: words[0] for line in symbols.splitlines() if len(words := line.split(maxsplit=2)) == 3}

    def look_up(functions: list[str]) -> dict[str, str]:
        known = [function for function in functions if function in addresses]
        asked = "\n".join(addresses[function] for function in known)
        lines = subprocess.run(["addr2line", "-e", drover], input=asked, check=True, capture_output=True, text=True).stdout
        return {function: line[at + 1:].split(" ")[0] for function, line in zip(known, lines.splitlines())
                if (at := line.find("/src/")) >= 0}

    return look_up


def by_function(counts: Counter, count: int, look_up, merge) -> list[str]:
    """`merge`: what becomes of the counts of several levels of recursion."""
    levels: dict[str, list[int]] = {}
    for function, cost in counts.items():
        levels.setdefault(plain(function), []).append(cost)
    top = Counter({function: merge(costs) for function, costs in levels.items()}).most_common(SHOWN)
    places = look_up([function for function, _ in top])
    return [f"{cost / count:8.0f}  {short(function):60}  {places.get(function, '')}".rstrip() for function, cost in top]


def section(title: str, profile: Profile, count: int, look_up) -> list[str]:
    # A coroutine that goes on when what it waits for ends is called by that: what a small one "calls" may be all the rest of
    # the request.
    return [f"== {title}: {profile.total() / count:,.0f} instructions", "", "-- own", *by_function(profile.own, count, look_up, sum),
            "", "-- with what they call", *by_function(profile.inclusive, count, look_up, max), "",
            "-- allocations, by who asks for them", *(allocators(profile, count) or ["    none"]), ""]


def text(drover: Path, stub: Path) -> str:
    requests, chunks = 100, 200
    with Nodes(stub) as nodes, tempfile.TemporaryDirectory(prefix="drover-gates-") as folder:
        binary = readable(drover, Path(folder))
        with Profiled(binary, nodes, options=SEPARATE) as profiled:
            request = profile_requests(profiled, Ask(), requests)
        with Profiled(binary, nodes, options=SEPARATE) as profiled:
            large = profile_requests(profiled, Ask(size=64 << 10), requests)
        with LockStepNode() as node, Profiled(binary, node, options=SEPARATE) as profiled:
            chunk, event = (profile_chunks(profiled, node, path, chunks) for path in STREAMS)
    look_up = sources(drover)
    return "\n".join(section("a request", request, requests, look_up) +
                     section("a request with a body of 64 KiB", large, requests, look_up) + section("a relayed line", chunk, chunks, look_up) +
                     section("a relayed event", event, chunks, look_up))
