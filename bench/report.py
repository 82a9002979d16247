"""Figures -> the Markdown of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from bench.latency import render_latency
from bench.moves import render_moves
from bench.resumed import render_resumed
from bench.run_time import render_columns
from bench.sizes import render_proof, render_sizes
from bench.tables import Figures, table

Render = Callable[[Any], list[str]]

INTRO: Final = """# Benchmarks

Written by `make bench` (`python -m bench`); the raw figures are in `bench/results/`. Seconds are
processor time (user and system), medians of runs that take turns. Nothing here is asserted by
a test.
"""


def run_time(items: Sequence[Figures]) -> list[str]:
    """Return the section on run time."""
    return [
        "With migration points and without (`--no-migration`): the same compiler, the same module.",
        "Native: `zig cc -O3 -ffp-contract=off` of the same C for the same CPU, with the C library",
        "of this system (contraction changes results, WebAssembly forbids it, and the default CPU",
        "cannot do it).",
        "wasmtime: its Python package as it comes (Cranelift, optimising for speed); compiling,",
        "loading and instantiating are not counted. Each program prints the same in all columns,",
        "or there are no figures. Native code and wasmtime have three runs at most.",
        "",
        *render_columns(items),
        *_above(items, 1.05),
    ]


def _above(items: Sequence[Figures], limit: float) -> list[str]:
    """Name the programs whose points cost more than `limit`, the worst first."""
    ratios = {item["program"]: item["ratios"].get("points_over_plain", 0) for item in items}
    found = sorted(((ratio, name) for name, ratio in ratios.items() if ratio > limit), reverse=True)
    names = ", ".join(f"{name} {ratio:.2f}" for ratio, name in found)
    return ["", f"Points cost more than {limit} in: {names or 'none'}."]


def instructions(items: Sequence[Figures]) -> list[str]:
    """Return the section on executed instructions."""
    return [
        "Instructions executed in user mode, counted by callgrind, at a small size: start and end",
        "of the process included.",
        "",
        *render_columns(items, "counts", "instructions"),
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
        *[line for item in figures for line in levels(item)],
    ]


def levels(item: Figures) -> list[str]:
    """Return a module's translation at each level, for each target."""
    rows = []
    for made in item.get("levels", ()):
        tries = (made["proof"][f"proved_{number}"] for number in ("first", "second", "third"))
        rows.append(
            [
                f"{made['target']} -O{made['level']}",
                f"{made['seconds']:.2f}",
                *(f"{taken:.2f}" for taken in made["cpu_seconds"].values()),
                f"{made['instructions_per_second']:,}",
                f"{made['memory_bytes'] / 2**20:.0f}",
                f"{made['output_bytes']:,}",
                " + ".join(map(str, tries)),
            ]
        )
    if not rows:
        return []
    stages = [f"{stage}, CPU s" for stage in item["levels"][0]["cpu_seconds"]]
    header = ["target", "s", *stages, "instr/s", "memory, MiB", "executable", "proved at try 1+2+3"]
    title = f"{item['module']} (parts: {item['levels'][0]['parts']}):"
    return ["", title, "", *table(header, rows)]


SECTIONS: Final[Mapping[str, tuple[str, Render]]] = {
    "run_time": ("Run time", run_time),
    "instructions": ("Instructions", instructions),
    "sizes": ("Code size", render_sizes),
    "latency": ("From request to point", render_latency),
    "resumed": ("Speed after a resume", render_resumed),
    "proof": ("The proof that frames are closed", render_proof),
}


def render(figures: Figures, chart: str | None = None) -> str:
    """Return the whole document; `chart` is the picture's file, relative to the document."""
    machine = [f"- {name}: {value}" for name, value in figures["machine"].items()]
    parts: list[list[str]] = [
        [INTRO.rstrip()],
        [
            f"Runs of each: {figures['runs']}. Date: {figures['date']}. {_options(figures)}",
            "",
            *machine,
        ],
    ]
    if chart is not None:
        parts.append([f"![Run time by program, divided by native code's]({chart})"])
    for name, (title, render_section) in SECTIONS.items():
        if figures.get(name):
            parts.append([f"## {title}", "", *render_section(figures[name])])
    if "moves" in figures:
        parts.append(["## Checkpoint and resume", "", *render_moves(figures["moves"])])
    if "translation" in figures:
        parts.append(translation(figures["translation"]))
    if figures["notes"]:
        parts.append(["## Notes", "", *(f"- {note}" for note in figures["notes"])])
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _options(figures: Figures) -> str:
    """Say how programs were built and run."""
    options = figures["options"]
    return (
        f"Sizes: {options['size']}. CPU: {options['cpu']}. mvvm-aot -O{options['opt_level']}. "
        f"Modules: `zig cc --target=wasm32-wasi {options['wasm_flags']}`."
    )
