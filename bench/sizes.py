"""Code size with points and without, and what the proof made of each module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from bench.build import Builder
from bench.programs import Build
from bench.tables import Figures, geometric_mean, table

PROOF_KEYS: Final = (
    "functions",
    "instructions",
    "points",
    "sites",
    "proved_first",
    "proved_second",
    "proved_third",
    "fills",
)


def measure_size(build: Build, builder: Builder) -> dict[str, Any]:
    """Translate a build once with points and once without."""
    points = builder.translate(build, migration=True)
    plain = builder.translate(build, migration=False)
    return {
        "module": build.name,
        "wasm_bytes": points.report["wasm_bytes"],
        "code_bytes": points.report["code_bytes"],
        "code_bytes_plain": plain.report["code_bytes"],
        "frame_table_bytes": points.report["frame_table_bytes"],
        "file_bytes": points.path.stat().st_size,
        "file_bytes_plain": plain.path.stat().st_size,
        "proof": {key: points.report[key] for key in PROOF_KEYS},
    }


def render_sizes(modules: Sequence[Figures]) -> list[str]:
    """Return the sections on code size and the proof."""
    ratios = [item["code_bytes"] / item["code_bytes_plain"] for item in modules]
    rows: list[list[str]] = [
        [
            item["module"],
            f"{item['code_bytes_plain']:,}",
            f"{item['code_bytes']:,}",
            f"{ratio:.2f}",
            f"{item['frame_table_bytes']:,}",
            f"{item['file_bytes_plain']:,}",
            f"{item['file_bytes']:,}",
        ]
        for item, ratio in zip(modules, ratios, strict=True)
    ]
    rows.append(["**geometric mean**", "", "", f"**{geometric_mean(ratios):.3f}**", "", "", ""])
    rows.append(["worst", "", "", f"{max(ratios):.2f}", "", "", ""])
    header = [
        "module",
        "code without points",
        "code with points",
        "ratio",
        "frame table",
        "file without",
        "file with",
    ]
    return [
        "Bytes. The code is the machine code of the module's functions: C library included, the",
        "runtime not. The files are the static executables.",
        "",
        *table(header, rows),
    ]


def render_proof(modules: Sequence[Figures]) -> list[str]:
    """Return the section on the proof."""
    keys = PROOF_KEYS[:1] + PROOF_KEYS[2:]
    rows = [[item["module"], *(f"{item['proof'][key]:,}" for key in keys)] for item in modules]
    return [
        "Functions with points, by the attempt at which they were proved; fills are constants that",
        "the code keeps in spill slots and the frame table lists.",
        "",
        *table(
            ["module", "functions", "points", "sites", "first", "second", "third", "fills"], rows
        ),
    ]
