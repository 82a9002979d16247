"""How fast modules are translated, stage by stage, and how many functions the proof passed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mvvm_aot
from bench.sizes import PROOF_KEYS
from mvvm_aot.api import host_target


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
    }
