"""Everything that is measured, section by section -> one dictionary of figures."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.build import WASM_FLAGS, Builder
from bench.instructions import COLUMNS as COUNTED
from bench.instructions import can_count, measure_instructions
from bench.journal import Journal, say
from bench.latency import collect_waits, summarize_all
from bench.machine import describe_machine
from bench.moves import measure_moves
from bench.programs import Build, Program
from bench.resumed import measure_resumed
from bench.run_time import available_columns, measure_run_time
from bench.sizes import measure_size
from bench.translation import measure_translation
from mvvm_aot.cache import tool_fingerprint
from tests.migrate.sources import NoSources

TRANSLATED: Final = ("matmul", "lua", "sqlite")  # builds whose translation is timed
RESUMED_RUNS: Final = 3  # at most: each is two whole runs, and the programs' own runs differ little


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure and how."""

    programs: tuple[Program, ...]
    sections: tuple[str, ...]
    columns: tuple[str, ...]
    size: str  # full or quick
    runs: int
    builder: Builder

    def options(self) -> dict[str, Any]:
        """Return how programs are built and run."""
        return {
            "size": self.size,
            "cpu": self.builder.cpu or "the target's default",
            "opt_level": self.builder.opt_level,
            "wasm_flags": " ".join((*WASM_FLAGS, *self.builder.wasm_flags)),
        }

    def identity(self) -> dict[str, Any]:
        """Return what must not have changed for figures to be used again, JSON's types only."""
        return {
            "options": self.options(),
            "runs": self.runs,
            "columns": list(self.columns),
            "machine": describe_machine(),
            "compiler": tool_fingerprint(),
        }


def measure(plan: Plan, journal: Journal) -> dict[str, Any]:
    """Measure what the plan says; programs whose sources cannot be had become notes."""
    notes: list[str] = []
    programs: list[Program] = []

    def build() -> dict[str, Any]:
        programs.extend(_prepare(plan, journal, notes))
        return {}

    journal.section("building what is not there yet", build)
    figures: dict[str, Any] = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "runs": plan.runs,
        "options": plan.options(),
        "machine": describe_machine(),
    }
    for number, name in enumerate(plan.sections, 1):
        title = f"{name.replace('_', ' ')} (section {number} of {len(plan.sections)})"
        work = _Work(plan, programs, journal, notes)
        figures |= journal.section(title, partial(MEASURED[name], work))
    return figures | {"notes": notes + journal.failures}


def _prepare(plan: Plan, journal: Journal, notes: list[str]) -> list[Program]:
    """Build everything on all cores; leave out, with a note, what cannot be built here."""
    builds = dict.fromkeys(program.build for program in reversed(plan.programs))  # large ones first
    missing: set[str] = set()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {build: pool.submit(_build, plan.builder, build, plan.columns) for build in builds}
        for number, (build, job) in enumerate(jobs.items(), 1):
            try:
                job.result()
                say(f"{journal.elapsed()}    {number} of {len(jobs)}: {build.name}")
            except NoSources as error:
                missing.add(build.name)
                notes.append(f"{build.name} is left out, no sources can be had here: {error}")
                say(f"{journal.elapsed()}    {notes[-1]}")
            except Exception as error:  # the other programs are still to be measured
                missing.add(build.name)
                journal.failures.append(f"{build.name} is left out, building it FAILED: {error}")
                say(f"{journal.elapsed()}    {journal.failures[-1]}")
    return [program for program in plan.programs if program.build.name not in missing]


def _build(builder: Builder, build: Build, columns: Sequence[str]) -> None:
    """Build one program for these columns; zig and LLVM work in processes of their own."""
    if "native" in columns:
        builder.native(build)
    if "clang" in columns and "clang" in available_columns():
        builder.clang(build)
    if "wasmtime" in columns:
        builder.wasmtime(build)
    for column in {"points", "plain"} & set(columns):
        builder.translate(build, migration=column == "points")


@dataclass(frozen=True, slots=True)
class _Work:
    """What a section gets: the plan, its programs that could be built, and where figures go."""

    plan: Plan
    programs: Sequence[Program]
    journal: Journal
    notes: list[str]

    def each(
        self,
        section: str,
        measure: Callable[[Program], Any],
        tell: Callable[[Any], str] = lambda _figures: "done",
    ) -> dict[str, Any]:
        """Measure each program; return the figures of those that went well, by name."""
        found: dict[str, Any] = {}
        for number, program in enumerate(self.programs, 1):
            figures = self.journal.keep(section, program.name, partial(measure, program))
            if figures is not None:
                found[program.name] = figures
                place = f"{number} of {len(self.programs)}: {program.name}"
                say(f"{self.journal.elapsed()}    {place}: {tell(figures)}")
        return found


def _ratios(figures: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in figures["ratios"].items())


def _run_time(work: _Work) -> dict[str, Any]:
    plan = work.plan
    columns = [name for name in available_columns() if name in plan.columns]
    found = work.each(
        "run_time",
        lambda program: measure_run_time(program, plan.builder, plan.size, columns, plan.runs),
        _ratios,
    )
    return {"run_time": list(found.values())}


def _instructions(work: _Work) -> dict[str, Any]:
    columns = [name for name in COUNTED if name in work.plan.columns]
    if not can_count():
        work.notes.append("Instructions were not counted: valgrind is not installed here")
        return {}
    if not columns:
        return {}
    found = work.each(
        "instructions",
        lambda program: measure_instructions(program, work.plan.builder, "tiny", columns),
        _ratios,
    )
    return {"instructions": list(found.values())}


def _sizes(work: _Work) -> dict[str, Any]:
    found = [
        work.journal.keep("sizes", build.name, partial(measure_size, build, work.plan.builder))
        for build in dict.fromkeys(program.build for program in work.programs)
    ]
    sizes = [item for item in found if item is not None]
    return {"sizes": sizes, "proof": sizes}


def _latency(work: _Work) -> dict[str, Any]:
    plan = work.plan
    found = work.each(
        "latency",
        lambda program: collect_waits(program, plan.builder, plan.size),
        lambda waits: f"{len(waits)} requests",
    )
    return {"latency": summarize_all(found)} if found else {}


def _resumed(work: _Work) -> dict[str, Any]:
    plan = work.plan
    runs = min(plan.runs, RESUMED_RUNS)
    found = work.each(
        "resumed",
        lambda program: measure_resumed(program, plan.builder, plan.size, runs),
        lambda figures: f"speed {figures['speed']:.3f}",
    )
    return {"resumed": list(found.values())}


def _moves(work: _Work) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return {"moves": measure_moves(Path(folder), work.plan.runs, work.journal)}


def _translation(work: _Work) -> dict[str, Any]:
    builds = {program.build.name: program.build for program in work.programs}
    builder = work.plan.builder
    with tempfile.TemporaryDirectory() as folder:
        found = [
            measure_translation(name, builder.wasm(builds[name]), Path(folder), work.journal)
            for name in TRANSLATED
            if name in builds
        ]
    return {"translation": [item for item in found if item is not None]}


Section = Callable[[_Work], dict[str, Any]]
MEASURED: Final[dict[str, Section]] = {
    "run_time": _run_time,
    "instructions": _instructions,
    "sizes": _sizes,
    "latency": _latency,
    "resumed": _resumed,
    "moves": _moves,
    "translation": _translation,
}
