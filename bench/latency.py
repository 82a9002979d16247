"""How long a request for a checkpoint waits until the program reaches a point.

The runtime's own hook asks at random times and notes when a point sees it (MVVM_TEST_LATENCY,
docs/internals.md, section 5).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.build import Builder, command_of
from bench.programs import Program
from bench.tables import Figures, percentile, table
from bench.timing import run_once

AIM_US: Final = 1000.0
SHARES: Final = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "worst": 1.0}


def parse_waits(text: str) -> list[tuple[int, int]]:
    """Return (by the clock, of processor time) in ns for each request that a point has seen."""
    rows = [line.split() for line in text.splitlines()]
    return [(int(clock), int(cpu)) for clock, cpu in rows]


def collect_waits(program: Program, builder: Builder, size: str) -> list[tuple[int, int]]:
    """Run a program once, asked all the time. Raises RuntimeError when it does not end well."""
    exe = builder.translate(program.build, migration=True).path
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "waits"
        ended = run_once(command_of(program, exe, size), {"MVVM_TEST_LATENCY": str(report)})
        if ended.status != 0:
            raise RuntimeError(f"{program.name} ended with status {ended.status}")
        return parse_waits(report.read_text())


def summarize(waits: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Return percentiles in microseconds, by the clock and of processor time."""
    clock, cpu = zip(*waits, strict=True) if waits else ((0,), (0,))
    return {
        "requests": len(waits),
        "clock_us": {key: percentile(clock, share) / 1000 for key, share in SHARES.items()},
        "cpu_us": {key: percentile(cpu, share) / 1000 for key, share in SHARES.items()},
    }


def summarize_all(waits: Mapping[str, Sequence[tuple[int, int]]]) -> dict[str, Any]:
    """Return each program's percentiles, and those of all requests together."""
    return {
        "programs": [{"program": name, **summarize(own)} for name, own in waits.items()],
        "all": summarize([wait for own in waits.values() for wait in own]),
    }


def render_latency(figures: Figures) -> list[str]:
    """Return the section on latency."""
    rows = [_row(item["program"], item) for item in figures["programs"]]
    rows.append(_row("**all**", figures["all"]))
    header = ["program", "requests", "median", "99 %", "99.9 %", "worst", "99.9 % cpu", "worst cpu"]
    late = [item["program"] for item in figures["programs"] if item["clock_us"]["p999"] > AIM_US]
    return [
        "From the moment that the flag is set to the moment that a point has left for it, in",
        "microseconds; requests at random times, one run of each program. By the clock, with what",
        "the system lets run meanwhile; the last two columns are the thread's processor time.",
        f"The aim is {AIM_US:,.0f}. Its 99.9th percentile is above: {', '.join(late) or 'none'}.",
        "",
        *table(header, rows),
    ]


def _row(title: str, item: Figures) -> list[str]:
    return [
        title,
        f"{item['requests']:,}",
        *(f"{item['clock_us'][key]:,.1f}" for key in SHARES),
        *(f"{item['cpu_us'][key]:,.1f}" for key in ("p999", "worst")),
    ]
