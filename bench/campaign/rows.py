"""What is measured, and the bars. A bar compares Drover's figure with a peer's of the same round."""

from dataclasses import dataclass, field
from typing import Callable

from .backend import Stub

CHUNK_BYTES = 125  # of a line of Ollama's stream, as the stub writes it
FLOOD_TICK = 0.02  # so that one core can carry nodes and load at such a rate: two or three chunks of a stream leave at once
DELIVERED = 0.98  # of what was offered: with less, a measurement is void


@dataclass(frozen=True)
class Bar:
    """Drover's figure divided by the peer's (peer None: the figure itself) must be at most `must`, and should be at most `goal`."""

    peer: str | None
    must: float
    goal: float


@dataclass(frozen=True)
class Measure:
    """One figure of a measurement. `of(report)` is None where there is none."""

    name: str
    unit: str
    of: Callable[[dict], float | None]
    bars: tuple[Bar, ...] = ()
    over_direct: bool = False  # compared is what it adds to the direct figure of the round
    more_is_better: bool = False


@dataclass(frozen=True)
class Row:
    """One way to load a proxy."""

    name: str
    title: str
    load: tuple  # arguments of the load tool, without times
    systems: tuple[str, ...]
    measures: tuple[Measure, ...]
    streams: bool = False
    log: bool = True
    openai: bool = False
    tick: float = Stub.TICK  # of the nodes, in seconds
    offered: Callable[[dict], float] | None = None  # requests or chunks that the window should have had
    quick: bool = False  # is part of --quick
    quick_systems: tuple[str, ...] = ()
    field: bool = False  # only with --field, with the field's proxies


def proxy_us(report: dict) -> float:
    return report["cpu_ns"]["proxy"] / 1000


def per_request(report: dict) -> float | None:
    return proxy_us(report) / report["requests"] if report["requests"] and "proxy" in report["cpu_ns"] else None


def per_chunk(report: dict) -> float | None:
    return proxy_us(report) / report["chunks"] if report["chunks"] and "proxy" in report["cpu_ns"] else None


def per_megabyte(report: dict) -> float | None:
    each = per_chunk(report)
    return None if each is None else each / CHUNK_BYTES * 1e6


def median_latency(report: dict) -> float:
    return report["latency_us"]["p50"]


def tail_latency(report: dict) -> float:
    return report["latency_us"]["p99"]


def chunk_latency(report: dict) -> float:
    return report["chunk_latency_us"]["p50"]


def chunk_tail(report: dict) -> float:
    return report["chunk_latency_us"]["p99"]


def rate(report: dict) -> float:
    return report["requests"] / report["seconds"]


def open_row(name: str, title: str, bars: tuple[Bar, ...], latency_bars: tuple[Bar, ...], **more) -> Row:
    return Row(name, title, ("open", "--rate", 5000), ("direct", "haproxy_tcp", "nginx", "haproxy_http", "drover"),
               (Measure("CPU per request", "µs", per_request, bars),
                Measure("median latency added", "µs", median_latency, latency_bars, over_direct=True),
                Measure("p99 latency", "µs", tail_latency)),
               offered=lambda report: 5000 * report["seconds"], **more)


def closed_row(name: str, title: str, bars: tuple[Bar, ...], **more) -> Row:
    return Row(name, title, ("closed", "--connections", 64), ("nginx", "haproxy_http", "drover"),
               (Measure("CPU per request", "µs", per_request, bars), Measure("requests", "/s", rate, more_is_better=True)), **more)


def body_row(name: str, size: int, bars: tuple[Bar, ...], **more) -> Row:
    return Row(name, f"bodies of {size // 1000} KB, 32 connections", ("closed", "--connections", 32, "--body", size),
               ("nginx", "haproxy_http", "drover"), (Measure("CPU per request", "µs", per_request, bars),),
               quick_systems=("nginx", "drover"), **more)


def chunk_row(name: str, title: str, per_stream: int, measures: tuple[Measure, ...], systems: tuple[str, ...], **more) -> Row:
    return Row(name, title, ("streams", "--connections", 1000, "--chunk-rate", per_stream), systems, measures, streams=True,
               offered=lambda report: 1000 * per_stream * report["seconds"], **more)


REQUEST_MEASURES = (Measure("CPU per request", "µs", per_request), Measure("requests", "/s", rate, more_is_better=True))
CHUNK_LATENCY = (Measure("median chunk latency", "µs", chunk_latency), Measure("p99 chunk latency", "µs", chunk_tail))

ROWS = (
    open_row("open", "open loop, 5,000 requests a second",
             (Bar("haproxy_tcp", 1.10, 1.0), Bar("nginx", 1.0, 0.9), Bar("haproxy_http", 1.0, 0.9)),
             (Bar("nginx", 1.1, 1.0),), quick=True),
    closed_row("closed", "closed loop, 64 connections",
               (Bar("nginx", 0.95, 0.85), Bar("haproxy_http", 0.90, 0.78), Bar("envoy", 0.30, 0.25)), quick=True),
    body_row("body_64k", 64_000, (Bar("nginx", 1.35, 1.1),), quick=True),
    body_row("body_400k", 400_000, (Bar("nginx", 1.2, 1.0),)),
    chunk_row("chunks", "1,000 streams, 20,000 chunks a second", 20,
              (Measure("CPU per chunk", "µs", per_chunk,
                       (Bar("haproxy_tcp", 1.0, 0.9), Bar("haproxy_http", 0.85, 0.75), Bar("nginx", 0.95, 0.80))), *CHUNK_LATENCY),
              ("haproxy_tcp", "haproxy_http", "nginx", "drover"), quick=True, quick_systems=("haproxy_tcp", "nginx", "drover")),
    chunk_row("megabyte", "1,000 streams, 120,000 chunks a second", 120,
              (Measure("CPU per MB", "µs", per_megabyte, (Bar("nginx", 1.10, 1.0),)), *CHUNK_LATENCY), ("nginx", "drover"),
              tick=FLOOD_TICK),
    open_row("open_quiet", "open loop, 5,000 requests a second, no access logs", (), (), log=False),
    closed_row("closed_quiet", "closed loop, 64 connections, no access logs", (), log=False),
    chunk_row("chunks_openai", "1,000 streams of OpenAI's events, 20,000 a second", 20,
              (Measure("CPU per chunk", "µs", per_chunk), *CHUNK_LATENCY), ("haproxy_http", "nginx", "drover"), openai=True),
    Row("field_closed", "the field, closed loop, 64 connections, /v1/chat/completions", ("closed", "--connections", 64),
        ("nginx", "drover"), REQUEST_MEASURES, openai=True, field=True),
    Row("field_open", "the field, open loop, 1,000 requests a second, /v1/chat/completions", ("open", "--rate", 1000),
        ("direct", "nginx", "drover"), (*REQUEST_MEASURES[:1], Measure("median latency added", "µs", median_latency, over_direct=True)),
        openai=True, field=True, offered=lambda report: 1000 * report["seconds"]),
    chunk_row("field_chunks", "the field, 1,000 streams, 20,000 events a second, /v1/chat/completions", 20,
              (Measure("CPU per chunk", "µs", per_chunk), *CHUNK_LATENCY), ("nginx", "drover"), openai=True, field=True),
)

# Rows that are no load on a running proxy; campaign/once.py measures them.
@dataclass(frozen=True)
class Once:
    name: str
    title: str
    systems: tuple[str, ...]
    quick_systems: tuple[str, ...] = ()
    quick: bool = False


ONCE = (
    Once("slow_reader", "8 readers that take nothing, then little; 4 MiB each", ("nginx", "haproxy_http", "haproxy_tcp", "drover")),
    Once("memory", "memory: 5,000 idle connections; 5,000 active streams; at rest", ("nginx", "haproxy_http", "drover"), ("drover",), True),
    Once("start", "start to HEAD / answered; size of the binary", ("drover",), ("drover",), True),
)

NAMES = tuple(row.name for row in (*ROWS, *ONCE))

# Figures of ONCE rows are judged by themselves.
MEMORY_BARS = {"idle_bytes": Bar(None, 2048, 1024), "stream_bytes": Bar(None, 4096, 2048), "rest_mib": Bar(None, 24, 12)}
START_BARS = {"start_ms": Bar(None, 150, 50), "binary_mb": Bar(None, 20, 12)}


@dataclass
class Times:
    """How long and how often."""

    rounds: int = 5
    parts: int = 6  # of a round, in each of which every system is measured: what the machine does meanwhile meets all alike
    warmup: float = 0.5
    seconds: float = 1.2
    connections: int = 5000  # of the memory row
    field_proxies: tuple[str, ...] = field(default_factory=tuple)
