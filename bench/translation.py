"""How fast modules are translated: stage by stage, and at each level for each target."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import mvvm_aot
from bench.sizes import PROOF_KEYS
from mvvm_aot import workers
from mvvm_aot.api import host_target
from mvvm_aot.targets import TARGETS

LEVELS: Final = range(4)


def measure_translation(name: str, wasm: Path, folder: Path) -> dict[str, Any]:
    """Translate a module twice, past the cache, and keep the second time's figures.

    (The first may have to build the runtime.)
    """
    for _ in range(2):
        built = mvvm_aot.compile(
            wasm, folder / f"{name}.exe", target=host_target().name, use_cache=False
        )
    report = built.report
    plain = mvvm_aot.compile(
        wasm,
        folder / f"{name}.plain",
        target=host_target().name,
        migration=False,
        use_cache=False,
    )
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
        "code_bytes_plain": plain.report["code_bytes"],
        "frame_table_bytes": report["frame_table_bytes"],
        "proof": {key: report[key] for key in PROOF_KEYS},
        "levels": [
            measure_level(name, wasm, folder, target, level)
            for target in TARGETS
            for level in LEVELS
        ],
    }


def measure_level(name: str, wasm: Path, folder: Path, target: str, level: int) -> dict[str, Any]:
    """Translate a module once, past the cache, at one level for one target.

    Processor seconds are those of the stages that run in worker processes, and memory is what all
    processes had at a time, at most.
    """
    workers.close()  # or their memory would be that of what they did before
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
