"""Speed after a resume: what the rest of a program takes when it has moved and when it has not.

Times are the guest thread's processor seconds between the first and the last instruction of the
guest's code, as the runtime notes them (MVVM_TEST_TIMES, docs/internals.md, section 5): reading and
writing the snapshot is not in them, page faults that a restored memory causes are.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from bench.build import Builder, command_of
from bench.programs import Program
from bench.tables import Figures, geometric_mean, table
from bench.timing import LONGEST_RUN
from mvvm_aot.abi import EXIT_CHECKPOINTED

MOVE_AT: Final = 0.1  # of the run's time by the clock
LEAST: Final = 0.98
TURNS: Final = 9  # at the full size: single turns scatter by a tenth
SHARED: Final = Path("/dev/shm")


def parse_times(text: str) -> tuple[float, float]:
    """Return the seconds of a report: by the clock, of processor time."""
    rows = {name: (int(clock), int(cpu)) for name, clock, cpu in map(str.split, text.splitlines())}
    (clock0, cpu0), (clock1, cpu1) = rows["entered"], rows["left"]
    return (clock1 - clock0) / 1e9, (cpu1 - cpu0) / 1e9


class Mover:
    """One program in a scratch folder: runs that stay, and runs that stop and go on."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.command = command
        self._report, self._snapshot = folder / "times", folder / "snapshot"

    def run(self, wanted: int, stop_after: float | None = None, **variables: str) -> bytes:
        """Run until it ends with the wanted status; return what it printed."""
        process = subprocess.Popen(
            self.command,
            env={**os.environ, "MVVM_TEST_TIMES": str(self._report), "MVVM_SYNC": "0", **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        if stop_after is not None:
            time.sleep(stop_after)
            process.send_signal(signal.SIGUSR1)
        try:
            output, _ = process.communicate(timeout=LONGEST_RUN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        if process.returncode != wanted:
            raise RuntimeError(f"{self.command}: status {process.returncode} instead of {wanted}")
        return output

    def stay(self) -> tuple[float, float, bytes]:
        """Return a whole run's seconds (clock, processor) and output."""
        output = self.run(0)
        return *parse_times(self._report.read_text()), output

    def move(self, stop_after: float) -> tuple[float, float, bytes]:
        """Return the processor seconds before and after a move, and the output of both parts."""
        output = self.run(EXIT_CHECKPOINTED, stop_after, MVVM_SNAPSHOT=str(self._snapshot))
        _, before = parse_times(self._report.read_text())
        output += self.run(0, MVVM_RESTORE=str(self._snapshot))
        _, after = parse_times(self._report.read_text())
        return before, after, output


def measure_resumed(program: Program, builder: Builder, size: str, runs: int) -> dict[str, Any]:
    """Measure one program; raises RuntimeError when a moved run prints something else."""
    exe = builder.translate(program.build, migration=True).path
    whole, first, rest = [], [], []
    with tempfile.TemporaryDirectory(dir=SHARED if SHARED.is_dir() else None) as folder:
        mover = Mover(command_of(program, exe, size), Path(folder))
        clock, seconds, wanted = mover.stay()
        for turn in range(max(runs, TURNS) if size == "full" else runs):
            if turn > 0:
                _, seconds, _ = mover.stay()
            before, after, output = mover.move(clock * MOVE_AT)
            if output != wanted:
                raise RuntimeError(f"{program.name} moved: {output!r} instead of {wanted!r}")
            whole.append(seconds)
            first.append(before)
            rest.append(after)
    speeds = [(a - b) / c for a, b, c in zip(whole, first, rest, strict=True)]
    return {
        "program": program.name,
        "seconds": {
            "whole": round(statistics.median(whole), 5),
            "before": round(statistics.median(first), 5),
            "after": round(statistics.median(rest), 5),
        },
        "all_speeds": [round(speed, 4) for speed in speeds],
        "speed": round(statistics.median(speeds), 4),
    }


def render_resumed(items: list[Figures]) -> list[str]:
    """Return the section on the speed after a resume."""
    rows = [
        [
            item["program"],
            *(f"{item['seconds'][key]:.3f}" for key in ("whole", "before", "after")),
            f"{item['speed']:.3f}",
        ]
        for item in items
    ]
    speeds = {item["program"]: item["speed"] for item in items}
    slowest = min(speeds, key=speeds.__getitem__)
    rows.append(["**geometric mean**", "", "", "", f"**{geometric_mean(speeds.values()):.3f}**"])
    rows.append(["worst", "", "", "", f"{speeds[slowest]:.3f} ({slowest})"])
    return [
        f"Each program is stopped after {MOVE_AT:.0%} of its run and goes on in a new process.",
        "Speed: what the rest takes in a run that never moved, divided by what it took. Whole and",
        f"moved runs take turns; the median of the turns is shown (the aim is {LEAST}). Processor",
        "seconds of the guest's code alone.",
        "",
        *table(["program", "whole run, s", "before, s", "after, s", "speed after"], rows),
    ]
