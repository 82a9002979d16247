"""How fast modules are translated: stage by stage, and at each level for each target."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any, Final

import mvvm_aot
from bench.journal import Journal, say
from bench.sizes import PROOF_KEYS
from mvvm_aot import workers
from mvvm_aot.api import host_target
from mvvm_aot.targets import TARGETS

LEVELS: Final = range(4)
USUAL_LEVEL: Final = 2
LARGE: Final = 500_000  # bytes of a module that takes a minute for each level and target


def measure_translation(
    name: str, wasm: Path, folder: Path, journal: Journal
) -> dict[str, Any] | None:
    """Translate a module stage by stage, then at each level for each target; None: it failed."""
    figures: dict[str, Any] | None = journal.keep(
        "translation", name, partial(measure_stages, name, wasm, folder)
    )
    if figures is None:
        return None
    levels = []
    for target, level in what_to_translate(figures["wasm_bytes"]):
        title = f"{name} {target} -O{level}"
        made = journal.keep(
            "translation",
            title,
            partial(measure_level, name, wasm, folder, target, level),
        )
        if made is not None:
            levels.append(made)
            say(f"{journal.elapsed()}    {title}: {made['seconds']:.1f} s")
    return figures | {"levels": levels}


def what_to_translate(wasm_bytes: int) -> list[tuple[str, int]]:
    """Return targets and levels; of a large module for another target the usual level only."""
    here = host_target().name
    return [
        (target, level)
        for target in TARGETS
        for level in LEVELS
        if target == here or level == USUAL_LEVEL or wasm_bytes < LARGE
    ]


def measure_stages(name: str, wasm: Path, folder: Path) -> dict[str, Any]:
    """Translate a module past the cache; a small one twice, since the first starts workers."""
    for _ in range(1 if wasm.stat().st_size >= LARGE else 2):
        built = mvvm_aot.compile(
            wasm, folder / f"{name}.exe", target=host_target().name, use_cache=False
        )
    report = built.report
    seconds = report["seconds"]
    instructions = report["instructions"]
    return {
        "module": name,
        "wasm_bytes": report["wasm_bytes"],
        "seconds": seconds,
        "per_second": {
            stage: round(instructions / max(taken, 1e-6)) for stage, taken in seconds.items()
        },
        "code_bytes": report["code_bytes"],
        "frame_table_bytes": report["frame_table_bytes"],
        "proof": {key: report[key] for key in PROOF_KEYS},
    }


def measure_level(name: str, wasm: Path, folder: Path, target: str, level: int) -> dict[str, Any]:
    """Translate a module once, past the cache, at one level for one target.

    Processor seconds are those of the stages that run in worker processes, and memory is what all
    processes had at a time, at most.
    """
    workers.close()  # or their memory would be that of what they did before
    Path("/proc/self/clear_refs").write_text("5")  # and ours: the peak begins anew
    began = time.perf_counter()
    built = mvvm_aot.compile(
        wasm, folder / f"{name}.exe", target=target, opt_level=level, use_cache=False
    )
    seconds = time.perf_counter() - began
    report = built.report
    return {
        "target": target,
        "level": level,
        "seconds": round(seconds, 3),
        "cpu_seconds": {stage: round(s, 3) for stage, s in report["cpu_seconds"].items()},
        "instructions_per_second": round(report["instructions"] / seconds),
        "parts": report["parts"],
        "memory_bytes": report["memory_bytes"],
        "code_bytes": report["code_bytes"],
        "output_bytes": report["output_bytes"],
        "proof": {key: report[key] for key in PROOF_KEYS},
    }
