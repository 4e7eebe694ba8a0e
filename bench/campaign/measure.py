"""One campaign: rows in rounds, the systems of a row one after another in alternating order, all of them in front of the same
nodes; what is void is measured once more."""

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Callable, Iterator

from . import rows
from .backend import Load, Stub
from .machine import PROXY_CORE, Unavailable, core_busy_ns, cpu_ns, say
from .peers import Proxy, Setting
from .rows import Bar, Measure, Row, Times

FOREIGN = 0.05  # of the proxy's core, used by others: the measurement counts as disturbed
HOLDING = 0.8  # of the pairs must meet a bar, and the median


@dataclass
class Sample:
    """One measurement of one system."""

    system: str
    round: int
    report: dict
    part: int = 0  # of the round
    void: str | None = None
    foreign: float = 0  # share of the proxy's core that others used
    stolen: float = 0  # share of it that the host gave to another machine
    load_busy: float | None = None  # share of the load's core that nodes and load used


@dataclass
class RowResult:
    row: Row
    systems: tuple[str, ...] = ()  # that were to be measured
    samples: list[Sample] = field(default_factory=list)
    voids: list[Sample] = field(default_factory=list)  # measured again, or given up
    missing: dict[str, str] = field(default_factory=dict)  # systems that could not start, and why
    parts: int = 1  # of a round

    def report(self, system: str, round_: int) -> dict | None:
        """Of all parts of the round together; None if one is missing."""
        reports = [one.report for one in self.samples if one.system == system and one.round == round_]
        return together(reports) if len(reports) == self.parts else None

    def value(self, measure: Measure, system: str, round_: int) -> float | None:
        report = self.report(system, round_)
        value = measure.of(report) if report else None
        if value is None or not measure.over_direct or system == "direct":
            return value
        direct = self.value(measure, "direct", round_)
        return None if direct is None else value - direct

    def values(self, measure: Measure, system: str, rounds: int) -> list[float]:
        found = (self.value(measure, system, round_) for round_ in range(rounds))
        return [value for value in found if value is not None]

    def why_without(self, system: str) -> str | None:
        """Why there is no figure at all of a system that was to be measured."""
        if any(sample.system == system for sample in self.samples):
            return None
        void = next((sample.void for sample in self.voids if sample.system == system), None)
        return f"void in every round: {void}" if void else self.missing.get(system)

    def ratios(self, measure: Measure, peer: str, rounds: int) -> list[float]:
        """Drover's figure to the peer's, of each round in which both are valid."""
        pairs = ((self.value(measure, "drover", round_), self.value(measure, peer, round_)) for round_ in range(rounds))
        return [ours / theirs for ours, theirs in pairs if ours is not None and theirs]


def together(reports: list[dict]) -> dict:
    """Counts and times add up; of percentiles, the median."""
    whole = {key: sum(report[key] for report in reports) for key in ("seconds", "requests", "chunks")}
    whole["cpu_ns"] = {name: sum(report["cpu_ns"][name] for report in reports) for name in reports[0]["cpu_ns"]}
    for latency in ("latency_us", "chunk_latency_us"):
        whole[latency] = {name: median([report[latency][name] for report in reports]) for name in reports[0][latency]}
    return whole


def median(values: list[float]) -> float | None:
    if not values:
        return None
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def holds(values: list[float], limit: float, rounds: int) -> bool:
    """The median does, and at least four of five."""
    return bool(values) and median(values) <= limit and sum(value <= limit for value in values) >= HOLDING * rounds


def verdict(values: list[float], bar: Bar, rounds: int) -> str:
    """`goal`, `must` (that, but not the goal), `MISSED`, or `void`: too few valid pairs to say."""
    if len(values) < HOLDING * rounds:
        return "void"
    if holds(values, bar.goal, rounds):
        return "goal"
    return "must" if holds(values, bar.must, rounds) else "MISSED"


class Campaign:
    def __init__(self, setting: Setting, proxies: dict[str, type[Proxy]], times: Times,
                 profile: Callable[[Proxy, str, Callable[[], None]], None] | None = None):
        self.setting = setting
        self.proxies = proxies
        self.times = times
        self.profile = profile

    def run(self, row: Row, systems: tuple[str, ...]) -> RowResult:
        result = RowResult(row, systems, parts=self.times.parts)
        with self.nodes(row) as setting:
            self.run_before(setting, row, systems, result)
        return result

    @contextmanager
    def nodes(self, row: Row) -> Iterator[Setting]:
        """With the nodes of the row: those of all rows, but where it has a tick of its own."""
        if row.tick == Stub.TICK:
            yield self.setting
            return
        stub = Stub(self.setting.programs.stub, row.tick)
        try:
            yield replace(self.setting, stub=stub)
        finally:
            stub.stop()

    def run_before(self, setting: Setting, row: Row, systems: tuple[str, ...], result: RowResult) -> None:
        running: dict[str, Proxy] = {}
        try:
            for name in systems:
                proxy = self.proxies[name](setting)
                try:
                    proxy.start(row.log)
                    running[name] = proxy
                except Unavailable as missing:
                    proxy.stop()
                    result.missing[name] = str(missing)
            order = list(running.values())
            for round_, part in product(range(self.times.rounds), range(self.times.parts)):
                for proxy in order:
                    self.measure(row, proxy, round_, part, result)
                order.reverse()
            if self.profile and "drover" in running:
                self.profile(running["drover"], row.name, lambda: self.load(row, running["drover"], 0, 0))
        finally:
            for proxy in running.values():
                proxy.stop()

    def measure(self, row: Row, proxy: Proxy, round_: int, part: int, result: RowResult) -> None:
        for attempt in range(2):
            sample = self.load(row, proxy, round_, part)
            if sample.void is None:
                result.samples.append(sample)
                return
            result.voids.append(sample)
            say(f"{row.name}, round {round_ + 1}, {proxy.title}: void{' again' if attempt else ''}: {sample.void[:300]}")

    def load(self, row: Row, proxy: Proxy, round_: int, part: int) -> Sample:
        """One run of the load tool, with all that can make it void."""
        times = ["--warmup", self.times.warmup, "--seconds", self.times.seconds]
        arguments = [*row.load, *times]
        arguments += ["--api", "openai"] if row.openai else []
        arguments += ["--any-body"] if proxy.any_body else []
        arguments += ["--any-answer"] if proxy.any_answer else []
        proxies, own = proxy.pids(), [proxy.setting.stub.pid]
        proxy.before()
        before = self.accounts(proxies)
        watched = {"stub": own} | ({"proxy": proxies} if proxies else {})
        load = Load(self.setting.programs.load, arguments, proxy.port(row.streams, row.log), watched)
        report = load.finish()
        sample = Sample(proxy.name, round_, report, part)
        self.note_disturbance(sample, before, self.accounts(proxies))
        sample.void = self.why_void(row, proxy, sample)
        proxy.trim_logs()
        return sample

    def why_void(self, row: Row, proxy: Proxy, sample: Sample) -> str | None:
        report = sample.report
        if not report["valid"]:
            return report["fault"]
        if row.offered:
            part = (report["chunks"] if row.streams else report["requests"]) / row.offered(report)
            if part < rows.DELIVERED:
                return f"only {part:.1%} of what was offered came through"
        return proxy.after(report["all_requests"])

    def accounts(self, proxies: list[int]) -> tuple[float, int, int, int]:
        """Now; what the proxy's core has done, and what was stolen of it; what the proxy has used."""
        busy, stolen = core_busy_ns(PROXY_CORE)
        return time.monotonic() * 1e9, busy, stolen, cpu_ns(proxies)

    def note_disturbance(self, sample: Sample, before: tuple, after: tuple) -> None:
        wall, busy, stolen, used = (late - early for early, late in zip(before, after))
        sample.foreign = max(0.0, (busy - used) / wall)
        sample.stolen = stolen / wall
        report = sample.report
        if report["valid"]:
            sample.load_busy = (report["cpu_ns"].get("stub", 0) + report["cpu_ns"]["load"]) / (report["seconds"] * 1e9)
