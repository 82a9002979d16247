"""Figures -> the Markdown of docs/benchmarks.md."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

Figures = Mapping[str, Any]

INTRO: Final = """# Benchmarks

Written by `make bench` (`python -m bench`); the raw figures are in `bench/results/`. Seconds are
processor time (user and system), medians of runs that take turns. Nothing here is asserted by
a test.
"""


def geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean of positive numbers."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return a Markdown table; all columns but the first are aligned to the right."""
    lines = [
        "| " + " | ".join(header) + " |",
        "|---|" + "---:|" * (len(header) - 1),
    ]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def run_time(kernels: Sequence[Figures]) -> list[str]:
    """Return the section on run time."""
    ratios = [figures["points_over_plain"] for figures in kernels]
    natives = [figures["points_over_native"] for figures in kernels]
    rows = [
        [
            figures["kernel"],
            *(f"{figures['seconds'][key]:.3f}" for key in ("native", "plain", "points")),
            f"{figures['points_over_plain']:.2f}",
            f"{figures['points_over_native']:.2f}",
        ]
        for figures in kernels
    ]
    rows.append(
        ["**geometric mean**", "", "", ""]
        + [f"**{geometric_mean(values):.3f}**" for values in (ratios, natives)]
    )
    rows.append(["worst", "", "", ""] + [f"{max(values):.2f}" for values in (ratios, natives)])
    header = ["kernel", "native, s", "without points, s", "with points, s", "÷ without", "÷ native"]
    return [
        "## Run time",
        "",
        "With migration points and without (`--no-migration`): the same compiler, the same module.",
        "Native: `zig cc -O3` of the C source for the same CPU.",
        "",
        *table(header, rows),
    ]


def code_size(modules: Sequence[tuple[str, Figures]]) -> list[str]:
    """Return the section on code size and the proof."""
    sizes = [
        [
            name,
            f"{figures['code_bytes_plain']:,}",
            f"{figures['code_bytes']:,}",
            f"{figures['code_bytes'] / figures['code_bytes_plain']:.2f}",
            f"{figures['frame_table_bytes']:,}",
        ]
        for name, figures in modules
    ]
    keys = ("functions", "points", "sites")
    tries = ("proved_first", "proved_second", "proved_third", "fills")
    proofs = [
        [name, *(f"{figures['proof'][key]:,}" for key in (*keys, *tries))]
        for name, figures in modules
    ]
    return [
        "## Code size",
        "",
        *table(
            ["module", "without points, bytes", "with points, bytes", "ratio", "frame table"], sizes
        ),
        "",
        "## The proof that frames are closed",
        "",
        "Functions with points, by the attempt at which they were proved; fills are constants that",
        "the code keeps in spill slots and the frame table lists.",
        "",
        *table(
            ["module", "functions", "points", "sites", "first", "second", "third", "fills"], proofs
        ),
    ]


def moves(figures: Figures) -> list[str]:
    """Return the section on checkpoints and resumes."""
    rows = [
        [
            size["mib"],
            f"{size['snapshot_bytes'] / 2**20:.2f}",
            f"{size['checkpoint_ms']:.2f}",
            f"{size['resume_process_ms']:.2f}",
            f"{size['plain_write_ms']:.2f}",
        ]
        for size in figures["sizes"]
    ]
    header = ["used, MiB", "snapshot, MiB", "checkpoint, ms", "resume, ms", "plain write, ms"]
    return [
        "## Checkpoint and resume",
        "",
        "A checkpoint is measured by the program's own clock, a resume from the process's start",
        f"to its end (a process that does nothing takes {figures['process_ms']:.2f} ms). File",
        f"system: {figures['file_system']}. Plain write: as many bytes written to a file there.",
        "",
        *table(header, rows),
    ]


def translation(figures: Sequence[Figures]) -> list[str]:
    """Return the section on translation speed."""
    stages = list(dict.fromkeys(stage for item in figures for stage in item["seconds"]))
    header = ["stage", *(f"{item['module']}, s" for item in figures)]
    header += [f"{item['module']}, instr/s" for item in figures]
    rows: list[list[object]] = []
    for stage in stages:
        taken = [f"{item['seconds'].get(stage, 0):.3f}" for item in figures]
        speed = [f"{item['per_second'].get(stage, 0):,}" for item in figures]
        rows.append([stage, *taken, *speed])
    counts = ", ".join(f"{item['module']} {item['proof']['instructions']:,}" for item in figures)
    return [
        "## Translation",
        "",
        f"Wasm instructions: {counts}.",
        "",
        *table(header, rows),
    ]


def render(figures: Figures) -> str:
    """Return the whole document."""
    machine = [f"- {name}: {value}" for name, value in figures["machine"].items()]
    modules = [(item["kernel"], item) for item in figures["kernels"]]
    measured = {name for name, _ in modules}
    modules += [
        (item["module"], item) for item in figures["translation"] if item["module"] not in measured
    ]
    parts: list[list[str]] = [
        [INTRO.rstrip()],
        [f"Runs of each: {figures['runs']}. Date: {figures['date']}.", "", *machine],
        run_time(figures["kernels"]),
        moves(figures["moves"]),
        translation(figures["translation"]),
        code_size(modules),
    ]
    if figures["notes"]:
        parts.append(["## Notes", "", *(f"- {note}" for note in figures["notes"])])
    return "\n\n".join("\n".join(part) for part in parts) + "\n"
