"""Running things several times, in turns, and what is kept of it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

LONGEST_RUN: Final = 300.0  # seconds; the programs take a few


@dataclass(slots=True)
class Samples:
    """Seconds that runs of one program took: processor time (user and system) and by the clock."""

    cpu: list[float] = field(default_factory=list)
    clock: list[float] = field(default_factory=list)

    @property
    def median_cpu(self) -> float:
        """The median of the processor times."""
        return statistics.median(self.cpu)

    @property
    def median_clock(self) -> float:
        """The median of the times by the clock."""
        return statistics.median(self.clock)


@dataclass(frozen=True, slots=True)
class Ended:
    """One run: its status, its output, and what it took."""

    status: int
    stdout: bytes
    cpu: float
    clock: float


@dataclass(frozen=True, slots=True)
class Job:
    """A command, and the file into which it writes its processor seconds if it does that itself."""

    command: Sequence[str | Path]
    report: Path | None = None


def wasmtime_job(module: Path, arguments: Sequence[str]) -> Job:
    """Return what runs a precompiled module under wasmtime and measures the guest alone."""
    report = module.with_suffix(".seconds")
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "bench.wasmtime_runner",
        report,
        module,
        *arguments,
    ]
    return Job(command, report)


def run_once(command: Sequence[str | Path], variables: Mapping[str, str] | None = None) -> Ended:
    """Run a command to its end and measure it; one that hangs is killed (status -9)."""
    read_end, write_end = os.pipe()
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command],
        env={**os.environ, **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=write_end,
    )
    os.close(write_end)
    watchdog = threading.Timer(LONGEST_RUN, process.kill)
    watchdog.start()
    with os.fdopen(read_end, "rb") as pipe:
        output = pipe.read()
    _, wait_status, usage = os.wait4(process.pid, 0)
    clock = time.perf_counter() - began
    watchdog.cancel()
    process.returncode = os.waitstatus_to_exitcode(wait_status)  # wait4 has reaped it
    return Ended(process.returncode, output, usage.ru_utime + usage.ru_stime, clock)


def interleave(
    jobs: Mapping[str, Job], runs: int, fewer: Mapping[str, int] | None = None
) -> dict[str, Samples]:
    """Run each job `runs` times, taking turns; raises when outputs differ or one fails.

    `fewer`: how often those jobs run at most.
    """
    found = {name: Samples() for name in jobs}
    most = {name: min(runs, (fewer or {}).get(name, runs)) for name in jobs}
    wanted: bytes | None = None
    for turn in range(runs):
        for name, job in jobs.items():
            if turn >= most[name]:
                continue
            ended = run_once(job.command)
            if ended.status != 0:
                raise RuntimeError(f"{name}: {job.command} ended with status {ended.status}")
            if wanted is None:
                wanted = ended.stdout
            if ended.stdout != wanted:
                raise RuntimeError(f"{name}: {ended.stdout!r} instead of {wanted!r}")
            seconds = ended.cpu if job.report is None else float(job.report.read_text())
            found[name].cpu.append(seconds)
            found[name].clock.append(ended.clock)
    return found
