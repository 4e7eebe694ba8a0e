"""Figures, the bars that they must hold, and the table that says whether they do."""

import json
from dataclasses import dataclass
from enum import StrEnum


ONCE = 0.02  # counts are of hundreds: what happens once or twice among them belongs to none


class Verdict(StrEnum):
    goal = "goal"  # as good as it is meant to become
    ok = "ok"
    fail = "FAIL"
    recorded = "recorded"  # there is nothing to compare it with


@dataclass(frozen=True)
class AtMost:
    """An absolute bar. `must`: above it the gate fails. `goal`: what one is after."""

    must: float
    goal: float | None = None

    def judge(self, value: float, _: float | None) -> Verdict:
        if value > self.must + ONCE:
            return Verdict.fail
        return Verdict.goal if self.goal is not None and value <= self.goal + ONCE else Verdict.ok

    def words(self, _: float | None) -> str:
        return f"<= {number(self.must)}" + ("" if self.goal is None else f" ({number(self.goal)})")


@dataclass(frozen=True)
class NotAbove:
    """A bar relative to another measurement of the same run. Only for the worse: what became cheaper is welcome."""

    percent: float
    whose: str

    def judge(self, value: float, other: float | None) -> Verdict:
        if other is None:
            return Verdict.recorded
        return Verdict.fail if value > other * (1 + self.percent / 100) else Verdict.ok

    def words(self, other: float | None) -> str:
        return f"<= {self.whose} + {self.percent:g} %" + ("" if other is None else f" = {number(other * (1 + self.percent / 100))}")


@dataclass(frozen=True)
class Gate:
    name: str
    what: str
    unit: str
    bar: AtMost | NotAbove


PARENT = NotAbove(5, "parent")
ONE_WORKER = NotAbove(5, "one")

# The bars of system calls are the goal's figures and a tenth.
GATES = {gate.name: gate for gate in [
    Gate("calls.request", "system calls of a request, waits apart", "calls", AtMost(4.4)),
    Gate("waits.request", "waits of a request", "waits", AtMost(2.2)),
    Gate("calls.chunk", "system calls of a relayed chunk, waits apart", "calls", AtMost(2.2)),
    Gate("waits.chunk", "waits of a chunk, many streams at a time", "waits", AtMost(0.44)),
    Gate("allocations.request", "heap allocations of a request", "calls", AtMost(2, goal=0)),
    Gate("allocations.chunk", "heap allocations of a relayed line", "calls", AtMost(0)),
    Gate("allocations.event", "heap allocations of a relayed event", "calls", AtMost(0)),
    Gate("memory.idle", "memory of an idle keep-alive connection", "bytes", AtMost(2048, goal=1024)),
    Gate("memory.stream", "memory of an active stream", "bytes", AtMost(4096, goal=2048)),
    Gate("memory.rest", "memory at rest", "KiB", AtMost(24 << 10, goal=12 << 10)),
    Gate("binary", "stripped binary", "KiB", AtMost(20_000_000 / 1024, goal=12_000_000 / 1024)),
    Gate("instructions.request", "instructions of a request", "", PARENT),
    Gate("instructions.large_request", "instructions of a request with a body of 64 KiB", "", PARENT),
    Gate("instructions.chunk", "instructions of a relayed line", "", PARENT),
    Gate("instructions.event", "instructions of a relayed event", "", PARENT),
    Gate("instructions.decision", "instructions of a scheduler decision, 8 nodes", "", PARENT),
    Gate("instructions.lock", "instructions of the longest hold of the lock, 8 nodes", "", PARENT),
    Gate("workers.calls", "two workers: system calls of a request", "calls", ONE_WORKER),
    Gate("workers.waits", "two workers: waits of a request", "waits", ONE_WORKER),
    Gate("workers.instructions", "two workers: instructions of a request", "", ONE_WORKER),
    Gate("workers.lock", "two workers: waits for a lock, of a request", "waits", AtMost(0.05)),
]}


def number(value: float) -> str:
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.1f}"


@dataclass
class Row:
    gate: Gate
    value: float
    other: float | None  # what a relative bar refers to
    note: str
    verdict: Verdict


class Report:
    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.remarks: list[str] = []

    def add(self, name: str, value: float, other: float | None = None, note: str = "", percent: float | None = None) -> None:
        """`percent`: another tolerance than the gate's."""
        gate = GATES[name]
        if percent is not None and isinstance(gate.bar, NotAbove):
            gate = Gate(gate.name, gate.what, gate.unit, NotAbove(percent, gate.bar.whose))
        self.rows.append(Row(gate, value, other, note, gate.bar.judge(value, other)))

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    @property
    def failed(self) -> bool:
        return any(row.verdict == Verdict.fail for row in self.rows)

    def table(self) -> str:
        lines = [("figure", "is", "", "bar (goal)", "verdict", "")]
        for row in self.rows:
            change = f"{(row.value / row.other - 1) * 100:+.1f} %" if row.other else ""
            lines.append((row.gate.what, number(row.value), change, row.gate.bar.words(row.other), str(row.verdict), row.note))
        widths = [max(len(line[column]) for line in lines) for column in range(5)]
        texts = []
        for what, value, change, bar, verdict, note in lines:
            texts.append(f"{what:{widths[0]}}  {value:>{widths[1]}}  {change:>{widths[2]}}  {bar:{widths[3]}}  "
                         f"{verdict:{widths[4]}}  {note}".rstrip())
        return "\n".join([*texts, *self.remarks])

    def json(self) -> str:
        rows = [{"name": row.gate.name, "what": row.gate.what, "unit": row.gate.unit, "value": row.value, "compared_with": row.other,
                 "bar": row.gate.bar.words(row.other), "verdict": row.verdict.name, "note": row.note} for row in self.rows]
        return json.dumps({"passed": not self.failed, "rows": rows, "remarks": self.remarks}, indent=2)
