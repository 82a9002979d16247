"""Run time: programs with points, without, natively, and under wasmtime, taking turns."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from bench.build import Builder, command_of
from bench.programs import Program
from bench.tables import Figures, by_group, geometric_mean, table, worst
from bench.timing import Job, interleave, wasmtime_job

COLUMNS: Final = {
    "native": "native",
    "clang": "clang",
    "wasmtime": "wasmtime",
    "plain": "without points",
    "points": "with points",
}
YARDSTICK_RUNS: Final = dict.fromkeys(("native", "clang", "wasmtime"), 3)  # at most
RATIOS: Final = {
    "points_over_plain": ("points", "plain", "points ÷ without"),
    "points_over_native": ("points", "native", "points ÷ native"),
    "plain_over_native": ("plain", "native", "without ÷ native"),
    "points_over_wasmtime": ("points", "wasmtime", "points ÷ wasmtime"),
    "wasmtime_over_native": ("wasmtime", "native", "wasmtime ÷ native"),
    "points_over_clang": ("points", "clang", "points ÷ clang"),
}


def available_columns() -> list[str]:
    """Return the columns that can be measured on this machine."""
    return [name for name in COLUMNS if name != "clang" or shutil.which("clang") is not None]


def jobs_of(
    program: Program, builder: Builder, size: str, columns: Sequence[str]
) -> dict[str, Job]:
    """Build a program for each column; return what runs it."""
    build = program.build
    makers: dict[str, Callable[[], Job]] = {
        "native": lambda: Job(command_of(program, builder.native(build), size)),
        "clang": lambda: Job(command_of(program, builder.clang(build), size)),
        "wasmtime": lambda: wasmtime_job(builder.wasmtime(build), program.arguments(size)),
        "plain": lambda: Job(command_of(program, translated(builder, program, False), size)),
        "points": lambda: Job(command_of(program, translated(builder, program, True), size)),
    }
    return {name: makers[name]() for name in columns}


def translated(builder: Builder, program: Program, migration: bool) -> Path:
    """Return the executable that mvvm-aot makes of a program."""
    return builder.translate(program.build, migration=migration).path


def measure_run_time(
    program: Program, builder: Builder, size: str, columns: Sequence[str], runs: int
) -> dict[str, Any]:
    """Measure one program; raises RuntimeError when two columns print different things."""
    samples = interleave(jobs_of(program, builder, size, columns), runs, YARDSTICK_RUNS)
    seconds = {name: sample.median_cpu for name, sample in samples.items()}
    return {
        "program": program.name,
        "group": program.group,
        "seconds": {name: round(value, 5) for name, value in seconds.items()},
        "all_seconds": {
            name: [round(value, 5) for value in sample.cpu] for name, sample in samples.items()
        },
        "ratios": ratios_of(seconds),
    }


def ratios_of(seconds: Figures) -> dict[str, float]:
    """Return those ratios of RATIOS whose two columns were measured."""
    return {
        name: round(seconds[over] / max(seconds[under], 1e-6), 4)
        for name, (over, under, _) in RATIOS.items()
        if over in seconds and under in seconds
    }


def render_columns(items: Sequence[Figures], values: str = "seconds", unit: str = "s") -> list[str]:
    """Return one table: the items' `values` and ratios, with means of each group and of all."""
    columns = [name for name in COLUMNS if name in items[0][values]]
    ratios = [name for name in RATIOS if name in items[0]["ratios"]]
    header = [
        "program",
        *(f"{COLUMNS[name]}, {unit}" for name in columns),
        *(RATIOS[name][2] for name in ratios),
    ]
    rows: list[list[str]] = []
    for group, members in by_group(items).items():
        rows.append([f"**{group}**", *("" for _ in header[1:])])
        rows += [
            [
                item["program"],
                *(_number(item[values][name]) for name in columns),
                *(f"{item['ratios'][name]:.2f}" for name in ratios),
            ]
            for item in members
        ]
        rows.append(_means("geometric mean", members, columns, ratios))
    rows.append(_means("**geometric mean of all**", items, columns, ratios, "**"))
    rows.append(["worst", *("" for _ in columns), *(_worst_cell(items, name) for name in ratios)])
    return table(header, rows)


def _number(value: float) -> str:
    """Return seconds to the millisecond, or a count with its thousands apart."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _means(
    title: str,
    items: Sequence[Figures],
    columns: Sequence[str],
    ratios: Sequence[str],
    mark: str = "",
) -> list[str]:
    means = [geometric_mean(item["ratios"][name] for item in items) for name in ratios]
    return [title, *("" for _ in columns), *(f"{mark}{mean:.3f}{mark}" for mean in means)]


def _worst_cell(items: Sequence[Figures], name: str) -> str:
    value, program = worst(items, name)
    return f"{value:.2f} ({program})"
