"""How long a checkpoint and a resume take, by the amount of memory in use."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import mvvm_aot
from bench.timing import run_once
from mvvm_aot.abi import EXIT_CHECKPOINTED
from mvvm_aot.api import host_target
from tests.programs.build import compile_c

SOURCE: Final = Path(__file__).resolve().parent / "memory.c"
SIZES: Final = (1, 64, 512)  # MiB
SHARED: Final = Path("/dev/shm")


def plain_write(path: Path, size: int) -> float:
    """Return the seconds that writing `size` bytes to a new file takes: a bound from below."""
    block = bytes(range(1, 256)) * 4112
    path.unlink(missing_ok=True)
    began = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        left = size
        while left > 0:
            left -= file.write(block[:left])
    return time.perf_counter() - began


def measure_size(exe: Path, mib: int, folder: Path, runs: int) -> dict[str, Any]:
    """Measure checkpoints and resumes of a program that uses `mib` MiB."""
    snapshot, copy = folder / "snap", folder / "copy"
    taken, resumed, written = [], [], []
    for _ in range(runs):
        snapshot.unlink(missing_ok=True)
        ended = run_once([exe, str(mib), "go on"], {"MVVM_SNAPSHOT": str(snapshot)})
        taken.append(int(ended.stdout) / 1e9)
    ended = run_once([exe, str(mib)], {"MVVM_SNAPSHOT": str(snapshot)})
    if ended.status != EXIT_CHECKPOINTED:
        raise RuntimeError(f"no checkpoint at {mib} MiB: status {ended.status}")
    for _ in range(runs):
        ended = run_once([exe], {"MVVM_RESTORE": str(snapshot)})
        if (ended.status, ended.stdout) != (0, b"1\n"):
            raise RuntimeError(f"resume at {mib} MiB: {ended}")
        resumed.append(ended.clock)
        written.append(plain_write(copy, snapshot.stat().st_size))
    return {
        "mib": mib,
        "snapshot_bytes": snapshot.stat().st_size,
        "checkpoint_ms": round(statistics.median(taken) * 1000, 3),
        "resume_process_ms": round(statistics.median(resumed) * 1000, 3),
        "plain_write_ms": round(statistics.median(written) * 1000, 3),
    }


def measure_moves(folder: Path, runs: int) -> dict[str, Any]:
    """Measure all sizes; the snapshots stand in memory where the machine offers that."""
    wasm = compile_c([SOURCE], folder / "memory.wasm", ("-O2", "-Wl,--strip-debug"), "wasm32-wasi")
    exe = mvvm_aot.compile(wasm, target=host_target().name).path
    place = SHARED if SHARED.is_dir() else folder
    with tempfile.TemporaryDirectory(dir=place) as scratch:
        sizes = [measure_size(exe, mib, Path(scratch), runs) for mib in SIZES]
        empty = statistics.median(
            run_once([exe, "0", "go on"], {"MVVM_SNAPSHOT": f"{scratch}/s"}).clock
            for _ in range(runs)
        )
    return {
        "file_system": "memory (tmpfs)" if place == SHARED else "disk",
        "process_ms": round(empty * 1000, 3),
        "sizes": sizes,
    }
