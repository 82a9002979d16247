"""Run time and code size: with migration points, without, and compiled straight to native code."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import mvvm_aot
from bench.timing import interleave
from mvvm_aot.api import host_target
from tests.programs.build import compile_c

SOURCES: Final = Path(__file__).resolve().parent / "kernels"
NAMES: Final = (
    "matmul", "lu", "stencil", "nbody", "fannkuch", "mandelbrot", "trees", "tak", "words", "bfs",
)  # fmt: skip
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
WASM_FLAGS: Final = ("-O3", "-fno-sanitize=undefined", "-Wl,--strip-debug")


def native_flags() -> tuple[str, ...]:
    """Return the flags of the native build: the same instruction set as a translation's."""
    target = host_target()
    cpu = target.cpu.replace("-", "_")
    return ("-O3", "-fno-sanitize=undefined", f"-mcpu={cpu}")


def measure_kernel(name: str, folder: Path, runs: int) -> dict[str, Any]:
    """Build one kernel three ways and measure it."""
    target = host_target()
    source = SOURCES / f"{name}.c"
    wasm = compile_c([source], folder / f"{name}.wasm", WASM_FLAGS, "wasm32-wasi")
    native = compile_c([source], folder / f"{name}.native", native_flags(), target.zig_target)
    points = mvvm_aot.compile(wasm, target=target.name)
    plain = mvvm_aot.compile(wasm, target=target.name, migration=False)
    samples = interleave({"points": [points.path], "plain": [plain.path], "native": [native]}, runs)
    seconds = {key: round(sample.median_cpu, 4) for key, sample in samples.items()}
    return {
        "kernel": name,
        "seconds": seconds,
        "least": {key: round(min(sample.cpu), 4) for key, sample in samples.items()},
        "points_over_plain": round(seconds["points"] / seconds["plain"], 4),
        "points_over_native": round(seconds["points"] / seconds["native"], 4),
        "code_bytes": points.report["code_bytes"],
        "code_bytes_plain": plain.report["code_bytes"],
        "frame_table_bytes": points.report["frame_table_bytes"],
        "proof": {key: points.report[key] for key in PROOF_KEYS},
    }
