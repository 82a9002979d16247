"""Executed instructions, counted by callgrind: exact where time is too noisy."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench.build import Builder
from bench.programs import Program
from bench.run_time import jobs_of, ratios_of

COLUMNS: Final = ("native", "plain", "points")
_COLLECTED: Final = re.compile(r"Collected\s*:\s*(\d+)")


def can_count() -> bool:
    """Say whether valgrind is installed."""
    return shutil.which("valgrind") is not None


def count_instructions(command: Sequence[str | Path]) -> tuple[int, bytes]:
    """Return the instructions that a command executes, and what it prints.

    Raises RuntimeError with valgrind's messages when it does not end well.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                "valgrind",
                "--tool=callgrind",
                f"--callgrind-out-file={folder}/out",
                *map(str, command),
            ],
            capture_output=True,
            check=False,
        )
    found = _COLLECTED.search(done.stderr.decode(errors="replace"))
    if done.returncode != 0 or found is None:
        raise RuntimeError(f"{command}: status {done.returncode} under valgrind:\n{done.stderr!r}")
    return int(found[1]), done.stdout


def measure_instructions(
    program: Program, builder: Builder, size: str, columns: Sequence[str]
) -> dict[str, Any]:
    """Count one program's instructions in each column (of COLUMNS); raises RuntimeError."""
    jobs = jobs_of(program, builder, size, columns)
    counted = {name: count_instructions(job.command) for name, job in jobs.items()}
    outputs = {output for _, output in counted.values()}
    if len(outputs) != 1:
        raise RuntimeError(f"{program.name} prints different things: {outputs}")
    counts = {name: count for name, (count, _) in counted.items()}
    return {
        "program": program.name,
        "group": program.group,
        "counts": counts,
        "ratios": ratios_of(counts),
    }
