"""What is printed, and what is written as JSON."""

from .measure import FOREIGN, RowResult, median, verdict
from .once import OnceResult
from .rows import Bar, Measure

WIDTHS = (48, 9, 9, 8, 17, 6, 6, 8)
HEADS = ("", "Drover", "peer", "ratio", "of the pairs", "must", "goal", "verdict")


def table_line(cells: tuple) -> str:
    first, *rest = (str(cell) for cell in cells)
    return "  " + first.ljust(WIDTHS[0]) + "".join(cell.rjust(width) for cell, width in zip(rest, WIDTHS[1:]))


def number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def span(values: list[float]) -> str:
    return f"{min(values):.2f} … {max(values):.2f}" if values else "-"


def bar_for(measure: Measure, peer: str) -> Bar | None:
    return next((bar for bar in measure.bars if bar.peer == peer), None)


def print_row(result: RowResult, titles: dict[str, str], rounds: int) -> None:
    row = result.row
    print(f"\n{row.name}: {row.title}")
    print(table_line(HEADS))
    for measure in row.measures:
        ours = median(result.values(measure, "drover", rounds))
        for system in result.systems:
            ratios = result.ratios(measure, system, rounds)
            bar = bar_for(measure, system)
            if system in ("drover", "direct") or not (ratios or bar):
                continue
            theirs = median(result.values(measure, system, rounds))
            judged = verdict(ratios, bar, rounds) if bar else ""
            ratio = median(ratios)
            print(table_line((f"{measure.name} ({measure.unit}), {titles[system]}", number(ours), number(theirs),
                              f"{ratio:.2f}" if ratio else "-", span(ratios), f"{bar.must:.2f}" if bar else "",
                              f"{bar.goal:.2f}" if bar else "", judged)))
    for system in result.systems:
        if why := result.why_without(system):
            print(f"  {titles[system]}: {why}")
    print_notes(result)


def print_notes(result: RowResult) -> None:
    if result.voids:
        print(f"  {len(result.voids)} measurements were void; each was made once more")
    disturbed = sum(sample.foreign > FOREIGN or sample.stolen > FOREIGN for sample in result.samples)
    if disturbed:
        print(f"  others used the proxy's core in {disturbed} of {len(result.samples)} measurements: the figures are noisy")
    busiest = max((sample.load_busy or 0 for sample in result.samples), default=0)
    if busiest > 0.97:
        print("  the load's own core was full at times: rates are lower bounds")


UNITS = {"held_kib_per_stream": "held for a stalled stream (KiB)", "rest_mib": "at rest (MiB)", "idle_bytes": "an idle connection (bytes)",
         "stream_bytes": "an active stream (bytes)", "start_ms": "start to HEAD / answered (ms)", "binary_mb": "stripped binary (MB)"}


def print_once(result: OnceResult, titles: dict[str, str]) -> None:
    print(f"\n{result.once.name}: {result.once.title}")
    print(table_line(("", "figure", "", "", "", "must", "goal", "verdict")))
    for system, figures in result.figures.items():
        for key, value in figures.items():
            bar = result.bars.get(key) if system == "drover" else None
            judged = verdict([value], bar, 1) if bar else ""
            print(table_line((f"{titles[system]}, {UNITS[key]}", number(value), "", "", "", f"{bar.must:g}" if bar else "",
                              f"{bar.goal:g}" if bar else "", judged)))
    for system, why in result.faults.items():
        print(f"  {titles[system]}: void: {why[:300]}")


def row_json(result: RowResult, rounds: int) -> dict:
    row = result.row
    measures = []
    for measure in row.measures:
        measures.append({
            "name": measure.name, "unit": measure.unit,
            "values": {system: result.values(measure, system, rounds) for system in result.systems},
            "ratios": {system: result.ratios(measure, system, rounds) for system in result.systems if system not in ("drover", "direct")},
            "bars": [bar_json(bar, result.ratios(measure, bar.peer, rounds), rounds, bar.peer in result.systems) for bar in measure.bars],
        })
    return {"name": row.name, "title": row.title, "access_logs": row.log, "measures": measures,
            "samples": [vars(sample) for sample in result.samples], "voids": [vars(sample) for sample in result.voids],
            "without_figures": {system: why for system in result.systems if (why := result.why_without(system))}}


def bar_json(bar: Bar, values: list[float], rounds: int, measured: bool = True) -> dict:
    return {"peer": bar.peer, "must": bar.must, "goal": bar.goal, "median": median(values), "pairs": len(values),
            "verdict": verdict(values, bar, rounds) if measured else "not measured"}


def once_json(result: OnceResult) -> dict:
    ours = result.figures.get("drover", {})
    return {"name": result.once.name, "title": result.once.title, "figures": result.figures, "voids": result.faults,
            "bars": {key: bar_json(bar, [ours[key]] if key in ours else [], 1) for key, bar in result.bars.items()}}

