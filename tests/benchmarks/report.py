"""The report, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from tests.benchmarks.foreign import warning
from tests.benchmarks.jobs import Latencies
from tests.benchmarks.measuring import BASELINE, OURS, PLAIN, Measured
from tests.benchmarks.ratio import Ratio
from tests.benchmarks.surroundings import heading
from tests.benchmarks.turns import Turn
from tests.databases import NAMES

_TOO_BUSY = 0.8
USUAL = 64
"""Connections that other numbers of connections are compared with."""


@dataclass(frozen=True)
class Section:
    """What was measured on one server and one database."""

    database: str
    server: str
    measured: Sequence[Measured]
    is_pinned: bool


def ratios(measured: Measured, section: Section) -> dict[str, Ratio]:
    """Return how our app compares, by what is compared.

    Args:
        section: Has the same operation with other numbers of connections, perhaps.
    """
    found: dict[str, Ratio] = {}

    def compare(name: str, other: str, pick: Callable[[Turn], float]) -> None:
        if other in measured.turns:
            ours, others = ([pick(turn) for turn in measured.turns[app]] for app in (OURS, other))
            found[name] = Ratio.of(ours, others)

    compare("throughput to baseline", BASELINE, lambda turn: turn.per_second)
    compare("CPU per request to baseline", BASELINE, lambda turn: turn.cpu_microseconds)
    compare("throughput to plain app", PLAIN, lambda turn: turn.per_second)
    if BASELINE in measured.latencies:
        ours, others = ([each.p99 for each in measured.latencies[app]] for app in (OURS, BASELINE))
        found["p99 to baseline"] = Ratio.of(ours, others)
    if measured.connections == 1 and BASELINE in measured.turns:
        ours, others = ([1000 / turn.per_second for turn in measured.turns[app]] for app in (OURS, BASELINE))
        found["milliseconds added to baseline"] = Ratio.difference(ours, others)
    for other in section.measured:
        if other.operation == measured.operation and other.connections == USUAL < measured.connections:
            most, usual = ([turn.per_second for turn in each.turns[OURS]] for each in (measured, other))
            found[f"throughput to that with {USUAL} connections"] = Ratio.of(most, usual)
    return found


def warnings(section: Section) -> Iterator[str]:
    """Yield what a reader must know of figures that say less than they seem to."""
    if not section.is_pinned and section.database != "sqlite":
        yield "The database server could not be kept on its core."
    for measured in section.measured:
        for app, turns in measured.turns.items():
            per_second, generator_busy, app_busy = (
                median(figures)
                for figures in zip(*((t.per_second, t.generator_busy, t.app_busy) for t in turns), strict=True)
            )
            what = f"{measured.operation}, {app}, {measured.connections} connections: {per_second:,.0f} requests/s"
            if generator_busy > _TOO_BUSY:
                ceiling = per_second / generator_busy
                yield f"{what} are near the ceiling of the generator, {ceiling:,.0f}: it may be what was measured."
            elif app_busy < _TOO_BUSY and measured.connections > 1:
                yield f"{what} left the app idle for {1 - app_busy:.0%} of the time: something else was the limit."
            yield from warning(f"{measured.operation}, {app}", [turn.foreign for turn in turns])


def markdown(surroundings: dict[str, Any], sections: Sequence[Section]) -> str:
    """Return the whole report."""
    lines = heading("Benchmarks", surroundings)
    for section in sections:
        lines += [f"## {NAMES[section.database]} on {section.server}", "", *_figures(section), ""]
        lines += [*_comparisons(section), "", *(f"- {warning}" for warning in warnings(section)), ""]
    lines.append(
        "Requests/s, CPU and flushes are of turns at full speed, medians of all turns; latencies are counted from the"
        " time at which a request was due, at a constant rate; CPU is that of the app's processes; flushes are the"
        " flush requests that the disk completed, whoever asked; RSS is that of the serving process. Ratios are"
        " medians of the ratios of neighbouring turns, with the smallest and the largest."
    )
    return "\n".join(lines) + "\n"


def _figures(section: Section) -> Iterator[str]:
    yield (
        "| operation | connections | app | requests/s | at requests/s | p50 ms | p99 ms | p99.9 ms | CPU µs/request |"
        " app busy | generator busy | RSS MiB | flushes/s |"
    )
    yield "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for measured in section.measured:
        for app in measured.turns:
            yield f"| {' | '.join(_row(measured, app))} |"


def _row(measured: Measured, app: str) -> list[str]:
    turns = measured.turns[app]

    def middle(pick: Callable[[Turn], float], form: str) -> str:
        return format(median(pick(turn) for turn in turns), form)

    def latency(pick: Callable[[Latencies], float]) -> str:
        return f"{median(map(pick, measured.latencies[app])):.2f}" if app in measured.latencies else ""

    return [
        measured.operation,
        str(measured.connections),
        app,
        middle(lambda turn: turn.per_second, ",.0f"),
        f"{measured.rates[app]:,.0f}" if app in measured.rates else "",
        latency(lambda each: each.p50),
        latency(lambda each: each.p99),
        latency(lambda each: each.p99_9),
        middle(lambda turn: turn.cpu_microseconds, ".1f"),
        middle(lambda turn: turn.app_busy, ".0%"),
        middle(lambda turn: turn.generator_busy, ".0%"),
        middle(lambda turn: turn.rss_mebibytes, ".0f"),
        middle(lambda turn: turn.flushes, ",.0f"),
    ]


def _comparisons(section: Section) -> Iterator[str]:
    found = [(measured, ratios(measured, section)) for measured in section.measured]
    names = list(dict.fromkeys(name for _, each in found for name in each))
    if not names:
        return
    yield f"| operation | connections | {' | '.join(names)} |"
    yield f"|---|--:|{'--:|' * len(names)}"
    for measured, each in found:
        cells = [measured.operation, str(measured.connections), *(str(each.get(name, "")) for name in names)]
        yield f"| {' | '.join(cells)} |"


def as_json(surroundings: dict[str, Any], sections: Sequence[Section]) -> dict[str, Any]:
    """Return the whole report, every turn included."""
    return {
        **surroundings,
        "sections": [
            {
                **asdict(section),
                "warnings": list(warnings(section)),
                "ratios": [
                    {
                        "operation": measured.operation,
                        "connections": measured.connections,
                        **{name: asdict(ratio) for name, ratio in ratios(measured, section).items()},
                    }
                    for measured in section.measured
                ],
            }
            for section in sections
        ],
    }
