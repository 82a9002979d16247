"""Everything that is measured, section by section -> one dictionary of figures."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.build import WASM_FLAGS, Builder
from bench.instructions import COLUMNS as COUNTED
from bench.instructions import can_count, measure_instructions
from bench.latency import measure_latency
from bench.machine import describe_machine
from bench.moves import measure_moves
from bench.programs import Build, Program
from bench.resumed import measure_resumed
from bench.run_time import available_columns, measure_run_time
from bench.sizes import measure_sizes
from bench.translation import measure_translation
from tests.migrate.sources import NoSources

TRANSLATED: Final = ("matmul", "lua", "sqlite")  # builds whose translation is timed


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure and how."""

    programs: tuple[Program, ...]
    sections: tuple[str, ...]
    columns: tuple[str, ...]
    size: str  # full or quick
    runs: int
    builder: Builder


def say(text: str) -> None:
    """Tell what is being measured, on standard error."""
    print(text, file=sys.stderr, flush=True)


def measure(plan: Plan) -> dict[str, Any]:
    """Measure what the plan says; programs whose sources cannot be had become notes."""
    notes: list[str] = []
    say("building")
    programs = _prepare(plan, notes)
    figures: dict[str, Any] = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "runs": plan.runs,
        "options": {
            "size": plan.size,
            "cpu": plan.builder.cpu or "the target's default",
            "opt_level": plan.builder.opt_level,
            "wasm_flags": " ".join((*WASM_FLAGS, *plan.builder.wasm_flags)),
        },
        "machine": describe_machine(),
        "notes": notes,
    }
    for name in plan.sections:
        say(name.replace("_", " "))
        figures |= MEASURED[name](plan, programs, notes)
    return figures


def _prepare(plan: Plan, notes: list[str]) -> list[Program]:
    """Build everything on all cores; leave out, with a note, what has no sources here."""
    builds = dict.fromkeys(program.build for program in reversed(plan.programs))  # large ones first
    missing: set[str] = set()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {build: pool.submit(_build, plan.builder, build, plan.columns) for build in builds}
        for build, job in jobs.items():
            try:
                job.result()
            except NoSources as error:
                missing.add(build.name)
                notes.append(f"{build.name} is left out, no sources can be had here: {error}")
    return [program for program in plan.programs if program.build.name not in missing]


def _build(builder: Builder, build: Build, columns: Sequence[str]) -> None:
    """Build one program for these columns; zig and LLVM work in processes of their own."""
    say(f"  {build.name}")
    if "native" in columns:
        builder.native(build)
    if "wasmtime" in columns:
        builder.wasmtime(build)
    for column in {"points", "plain"} & set(columns):
        builder.translate(build, migration=column == "points")


def _run_time(plan: Plan, programs: Sequence[Program], _notes: list[str]) -> dict[str, Any]:
    columns = [name for name in available_columns() if name in plan.columns]
    items = []
    for program in programs:
        items.append(measure_run_time(program, plan.builder, plan.size, columns, plan.runs))
        ratios = ", ".join(f"{name} {value:.2f}" for name, value in items[-1]["ratios"].items())
        say(f"  {program.name}: {ratios}")
    return {"run_time": items}


def _instructions(plan: Plan, programs: Sequence[Program], notes: list[str]) -> dict[str, Any]:
    if not can_count():
        notes.append("Instructions were not counted: valgrind is not installed here")
        return {}
    columns = [name for name in COUNTED if name in plan.columns]
    if not columns:
        return {}
    items = []
    for program in programs:
        items.append(measure_instructions(program, plan.builder, "tiny", columns))
        say(f"  {program.name}: {items[-1]['ratios']}")
    return {"instructions": items}


def _sizes(plan: Plan, programs: Sequence[Program], _notes: list[str]) -> dict[str, Any]:
    sizes = measure_sizes(programs, plan.builder)
    return {"sizes": sizes, "proof": sizes}


def _latency(plan: Plan, programs: Sequence[Program], _notes: list[str]) -> dict[str, Any]:
    return {"latency": measure_latency(programs, plan.builder, plan.size)}


def _resumed(plan: Plan, programs: Sequence[Program], _notes: list[str]) -> dict[str, Any]:
    items = []
    for program in programs:
        items.append(measure_resumed(program, plan.builder, plan.size, plan.runs))
        say(f"  {program.name}: speed {items[-1]['speed']:.3f}")
    return {"resumed": items}


def _moves(plan: Plan, _programs: Sequence[Program], _notes: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return {"moves": measure_moves(Path(folder), plan.runs)}


def _translation(plan: Plan, programs: Sequence[Program], _notes: list[str]) -> dict[str, Any]:
    builds = {program.build.name: program.build for program in programs}
    with tempfile.TemporaryDirectory() as folder:
        return {
            "translation": [
                measure_translation(name, plan.builder.wasm(builds[name]), Path(folder))
                for name in TRANSLATED
                if name in builds
            ]
        }


Section = Callable[[Plan, Sequence[Program], list[str]], dict[str, Any]]
MEASURED: Final[dict[str, Section]] = {
    "run_time": _run_time,
    "instructions": _instructions,
    "sizes": _sizes,
    "latency": _latency,
    "resumed": _resumed,
    "moves": _moves,
    "translation": _translation,
}
