"""Where the instructions and the heap allocations of a request and of a chunk go."""

import re
import tempfile
from collections import Counter
from pathlib import Path

from callgrind import ALLOCATIONS, Profile, Profiled, plain
from instructions import profile_chunks, profile_requests, readable
from lock_step import STREAMS, LockStepNode
from world import Ask, Nodes

# Callgrind keeps apart the callers of these, and so tells who allocates.
DEPTH = 14
SEPARATE = [f"--separate-callers{DEPTH}={name}" for name in [*sorted(ALLOCATIONS), "operator new*"]]
SHOWN = 40
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


def by_function(counts: Counter, count: int) -> list[str]:
    merged: Counter = Counter()
    for function, cost in counts.items():
        merged[short(plain(function))] += cost
    return [f"{cost / count:8.0f}  {function}" for function, cost in merged.most_common(SHOWN)]


def section(title: str, profile: Profile, count: int) -> list[str]:
    # A function that calls itself through others is counted once for each level, so only its share of the own is exact.
    return [f"== {title}: {profile.total() / count:,.0f} instructions", "", "-- own", *by_function(profile.own, count), "",
            "-- with what they call", *by_function(profile.inclusive, count), "", "-- allocations, by who asks for them",
            *(allocators(profile, count) or ["    none"]), ""]


def text(drover: Path, stub: Path) -> str:
    requests, chunks = 100, 200
    with Nodes(stub) as nodes, tempfile.TemporaryDirectory(prefix="drover-gates-") as folder:
        binary = readable(drover, Path(folder))
        with Profiled(binary, nodes, options=SEPARATE) as profiled:
            request = profile_requests(profiled, Ask(), requests)
        with LockStepNode() as node, Profiled(binary, node, options=SEPARATE) as profiled:
            chunk, event = (profile_chunks(profiled, node, path, chunks) for path in STREAMS)
    return "\n".join(section("a request", request, requests) + section("a relayed line", chunk, chunks) +
                     section("a relayed event", event, chunks))
