"""How long a checkpoint and a resume take, by the amount of memory in use, and what bounds them.

The yardsticks are measured in turns with what they are held against: the machine's own copy within
the memory, and `dd`, which writes the same bytes to the same place in pieces of the size at which
it is fastest here (256 KiB). Where snapshots are forced to the disk, so is what `dd` writes.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import mvvm_aot
from bench.journal import Journal, say
from bench.tables import Figures, table
from bench.timing import run_once
from mvvm_aot.abi import EXIT_CHECKPOINTED
from mvvm_aot.api import host_target
from tests.programs.build import compile_c

SOURCE: Final = Path(__file__).resolve().parent / "memory.c"
SIZES: Final = (1, 8, 64, 512, 2048)  # MiB
LARGE: Final = 512  # MiB: such sizes take long and vary little
LARGE_RUNS: Final = 3
LARGEST_ON_DISK: Final = 512  # MiB: a virtual disk's speed says little about us
SHARED: Final = Path("/dev/shm")
SETTLE_SECONDS: Final = 0.3  # after `sync`, so that no write pays for the one before
COPIED: Final = re.compile(rb"copied, ([0-9.e+-]+) s")


@dataclass(frozen=True, slots=True)
class Place:
    """Where snapshots are written, and whether they are forced to the disk."""

    name: str
    folder: Path
    synced: bool

    def variables(self, snapshot: Path) -> dict[str, str]:
        """Return the variables of a program that writes its snapshot here."""
        return {"MVVM_SNAPSHOT": str(snapshot), "MVVM_SYNC": str(int(self.synced))}

    def warm(self, mib: int) -> None:
        """Have the machine's memory at hand for a program of this size and its snapshot.

        A virtual machine may have given free memory back to its host: who uses that next waits for
        it (up to 2 ms for 2 MiB), more often a checkpoint than dd, which needs less.
        """
        if self.synced:
            return
        scratch = self.folder / "warm"
        command = ["dd", "if=/dev/zero", f"of={scratch}", "bs=1M", f"count={2 * mib}"]
        subprocess.run(command, stderr=subprocess.DEVNULL, check=True)
        scratch.unlink()

    def clear(self, path: Path) -> None:
        """Remove a file, and wait until the disk has nothing to do any more."""
        path.unlink(missing_ok=True)
        if self.synced:
            os.sync()
            time.sleep(SETTLE_SECONDS)


def checkpoint_seconds(exe: Path, mib: int, place: Place) -> tuple[float, float]:
    """Return what a checkpoint took by the program's clock, and a copy of as many bytes."""
    snapshot = place.folder / "taken"
    ended = run_once([exe, str(mib), "go on"], place.variables(snapshot))
    if ended.status != 0:
        raise RuntimeError(f"a checkpoint at {mib} MiB: {ended}")
    place.clear(snapshot)
    taken, copied = (int(line) / 1e9 for line in ended.stdout.split())
    return taken, copied


def dd_seconds(source: Path, place: Place) -> float:
    """Return what `dd` needs for a copy of `source`, by its own account."""
    copy = place.folder / "copy"
    command = ["dd", f"if={source}", f"of={copy}", "bs=256K"]
    command += ["conv=fsync"] if place.synced else []
    done = subprocess.run(
        command, env={**os.environ, "LC_ALL": "C"}, stderr=subprocess.PIPE, check=True
    )
    place.clear(copy)
    found = COPIED.search(done.stderr)
    if found is None:
        raise RuntimeError(f"dd says no time: {done.stderr!r}")
    return float(found[1])


def resume_seconds(exe: Path, snapshot: Path) -> tuple[float, float, float]:
    """Return the seconds from before the process was started to three moments in the program.

    Its first instruction after the checkpoint; the end of its first output; every page read.
    """
    began = time.time_ns()
    ended = run_once([exe], {"MVVM_RESTORE": str(snapshot)})
    lines = [int(line) for line in ended.stdout.split()]
    if ended.status != 0 or len(lines) != 4 or lines[3] != 1:
        raise RuntimeError(f"a resume from {snapshot}: {ended}")
    first, put_out, all_read = ((moment - began) / 1e9 for moment in lines[:3])
    return first, put_out, all_read


def milliseconds(seconds: Sequence[float]) -> float:
    """Return the median in milliseconds."""
    return round(statistics.median(seconds) * 1000, 3)


def measure_size(exe: Path, mib: int, place: Place, runs: int) -> dict[str, Any]:
    """Measure checkpoints and resumes of a program that uses `mib` MiB."""
    snapshot = place.folder / "snap"
    ended = run_once([exe, str(mib)], place.variables(snapshot))
    if ended.status != EXIT_CHECKPOINTED:
        raise RuntimeError(f"no checkpoint at {mib} MiB: status {ended.status}")
    taken: list[float] = []
    copied: list[float] = []
    written: list[float] = []

    def checkpoint() -> None:
        for values, value in zip((taken, copied), checkpoint_seconds(exe, mib, place), strict=True):
            values.append(value)

    turns: list[Callable[[], None]] = [
        checkpoint,
        lambda: written.append(dd_seconds(source, place)),
    ]
    with tempfile.TemporaryDirectory(dir=SHARED if SHARED.is_dir() else None) as memory:
        source = Path(memory) / "source"  # `dd` reads from memory, as the checkpoint does
        source.write_bytes(snapshot.read_bytes())
        for _ in range(runs):
            for turn in turns:
                place.warm(mib)
                turn()
            turns.reverse()  # whoever comes first may find the disk better rested
    resumed = [resume_seconds(exe, snapshot) for _ in range(runs)]
    first, put_out, all_read = zip(*resumed, strict=True)
    figures = {
        "mib": mib,
        "snapshot_bytes": snapshot.stat().st_size,
        "checkpoint_ms": milliseconds(taken),
        "dd_ms": milliseconds(written),
        "copy_ms": milliseconds(copied),
        "first_instruction_ms": milliseconds(first),
        "first_output_ms": milliseconds(put_out),
        "all_read_ms": milliseconds(all_read),
    }
    place.clear(snapshot)
    return figures


def places(folder: Path, scratch: Path) -> list[Place]:
    """Return memory, where the machine offers that, and the folder's own file system."""
    found = [Place("on the disk, forced there (fsync)", folder, True)]
    if SHARED.is_dir():
        found.insert(0, Place("in memory (tmpfs)", scratch, False))
    return found


def measure_moves(folder: Path, runs: int, journal: Journal) -> dict[str, Any]:
    """Measure all sizes in all places; sizes that fail are left out."""
    wasm = compile_c([SOURCE], folder / "memory.wasm", ("-O2", "-Wl,--strip-debug"), "wasm32-wasi")
    exe = mvvm_aot.compile(wasm, target=host_target().name).path
    with tempfile.TemporaryDirectory(dir=SHARED if SHARED.is_dir() else folder) as scratch:
        measured = [
            {"place": place.name, "sizes": _measure_place(exe, place, runs, journal)}
            for place in places(folder, Path(scratch))
        ]
    return {"places": measured}


def _measure_place(exe: Path, place: Place, runs: int, journal: Journal) -> list[dict[str, Any]]:
    found = []
    for mib in SIZES:
        if place.synced and mib > LARGEST_ON_DISK:
            continue
        title = f"{mib} MiB {place.name}"
        turns = min(runs, LARGE_RUNS) if mib >= LARGE else runs
        size = journal.keep("moves", title, partial(measure_size, exe, mib, place, turns))
        if size is not None:
            found.append(size)
            taken, bound = size["checkpoint_ms"], size["dd_ms"]
            first = size["first_instruction_ms"]
            say(
                f"{journal.elapsed()}    {title}: checkpoint {taken:.1f} ms (dd {bound:.1f}), "
                f"first instruction after {first:.1f}"
            )
    return found


def _row(size: Figures) -> list[str]:
    """Return a size's row of the table."""
    names = ("checkpoint_ms", "dd_ms", "copy_ms")
    resume = ("first_instruction_ms", "first_output_ms", "all_read_ms")
    ratio = size["checkpoint_ms"] / size["dd_ms"]
    return [
        str(size["mib"]),
        *(f"{size[name]:.2f}" for name in names),
        f"{ratio:.2f}",
        *(f"{size[name]:.2f}" for name in resume),
    ]


def render_moves(figures: Figures) -> list[str]:
    """Return the section on checkpoints and resumes."""
    header = ["used, MiB", "checkpoint", "dd", "copy", "checkpoint ÷ dd"]
    header += ["to first instruction", "to first output", "all read"]
    lines = [
        "Milliseconds. A checkpoint is timed by the program's own clock. dd: `dd bs=256K` of the",
        "same bytes from memory to the same place. Copy: as many bytes copied within the memory.",
        "On a disk, a checkpoint forces out the file, renames it and forces out its name: another",
        "wait for the disk, which small sizes show and which dd does not have.",
        "A resume, of a file that the system has in its cache, is measured from before the process",
        "is started: to the program's first instruction, to the end of its first output (which",
        "waits until the snapshot has been found undamaged), and until it has read every page.",
    ]
    for place in figures["places"]:
        lines += ["", f"Snapshots {place['place']}:", ""]
        lines += table(header, map(_row, place["sizes"]))
    return lines
