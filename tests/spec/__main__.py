"""`python -m tests.spec [FILE.wast ...]`: run scripts on each ISA, plainly and under round trips.

Prints one table. Columns: modules refused by the decoder or validator; text refused by the
assembler (wasmtime's: there is none here); and per ISA the commands that passed when all runs
undisturbed, when at every Nth point ("torture") all frames are lifted, wiped out and written anew
on another stack, and when the script begins there ("from") and moves to the other ISA and back by
snapshots. The last takes each script that needs one instance at a time and passes a point.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

from mvvm_aot.targets import TARGETS

from .build import Options
from .modules import is_refusal
from .outcome import (
    FAILED,
    REFUSED,
    TEXT,
    Outcome,
    Report,
    apply_known_failures,
    find_stale,
    read_known_failures,
    target_column,
)
from .runner import Job, JobResult, run_job
from .script import read_script

CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent
SCRIPTS: Final = Path(os.environ.get("MVVM_SPEC_SCRIPTS", CHECKOUT.parent / "shared" / "spec-2.0"))
PROGRESS_STEP: Final = 50  # jobs per line where standard error is no terminal
OWN_SCRIPTS: Final = sorted((Path(__file__).parent / "scripts").glob("*.wast"))


def all_scripts() -> list[Path]:
    """Return every script of the default folder, the SIMD ones last."""
    return [*sorted(SCRIPTS.glob("*.wast")), *sorted(SCRIPTS.glob("simd/*.wast"))]


def find_script(name: str) -> Path:
    """Return the script at a path, or of that name in the default folder."""
    for path in (Path(name), SCRIPTS / name, SCRIPTS / "simd" / name):
        if path.is_file():
            return path
    raise FileNotFoundError(f"no script '{name}', neither here nor in '{SCRIPTS}'")


def run_jobs(jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, JobResult]]:
    """Yield each job with its result, in order, while the next ones run."""
    if workers <= 1 or len(jobs) == 1:
        yield from ((job, run_job(job)) for job in jobs)
        return
    # (A pool of multiprocessing would wait for ever for a worker that died.)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from zip(jobs, pool.map(run_job, jobs), strict=True)


def targets_of_commands(paths: Iterable[Path]) -> dict[tuple[str, int], list[str]]:
    """Return what `find_stale` asks for: by script and line, the targets of the commands there."""
    found: dict[tuple[str, int], list[str]] = {}
    for path in paths:
        for command in read_script(path):
            targets = [""] if is_refusal(command) else [*TARGETS]
            found.setdefault((path.name, command.line), []).extend(targets)
    return found


def plan_jobs(paths: Sequence[Path], targets: Sequence[str], options: Options) -> list[Job]:
    """Return the jobs, plain ones first: the others find their executables in the cache."""
    jobs = [Job(path, None, options) for path in paths]
    for mode in modes_of(options):
        jobs += [Job(path, target, mode) for path in paths for target in targets]
    return jobs


def modes_of(options: Options) -> list[Options]:
    """Return the ways in which scripts are run."""
    modes = [replace(options, roundtrip=0, alternating=False)]
    if options.roundtrip:
        modes.append(replace(options, alternating=False))
    if options.alternating:
        modes.append(replace(options, roundtrip=0))
    return modes


def show_progress(done: int, total: int, name: str) -> None:
    """Tell standard error how far it is: one line on a terminal, else a line now and then."""
    text = f"{done:5} of {total}: {name}"
    if sys.stderr.isatty():
        print(
            f"\r\x1b[K{text}", end="" if done < total else "\r\x1b[K", file=sys.stderr, flush=True
        )
    elif done % PROGRESS_STEP == 0:
        print(text, file=sys.stderr, flush=True)


def ignore_progress(done: int, total: int, name: str) -> None:
    """Show nothing."""


def run_scripts(
    paths: Sequence[Path],
    targets: Sequence[str],
    options: Options,
    workers: int,
    progress: Callable[[int, int, str], None],
) -> Report:
    """Run scripts plainly and in whatever other ways `options` say; apply known failures."""
    columns = [
        target_column(target, mode.roundtrip, alternating=mode.alternating)
        for target in targets
        for mode in modes_of(options)
    ]
    report = Report([REFUSED, TEXT, *columns])
    known = read_known_failures()
    listed = {entry.script for entry in known}
    everything = {path.name: path for path in [*all_scripts(), *OWN_SCRIPTS, *paths]}
    named = [path for name, path in everything.items() if name in listed]
    for outcome in find_stale(known, targets_of_commands(named)):
        report.add(outcome.script, [outcome])
    jobs = plan_jobs(paths, targets, options)
    for done, (job, result) in enumerate(run_jobs(jobs, workers), start=1):
        progress(done, len(jobs), f"{job.name}, {job.column}")
        report.add(job.name, apply_known_failures(result.outcomes, known))
        report.notes += result.notes
        report.moves[job.column] += result.moves
        report.stays.setdefault(job.column, Counter()).update(result.stays)
    for column in columns:
        # (A script alone may have no points.)
        if len(paths) > 1 and column not in TARGETS and not report.moves[column]:
            text = f"nothing moved: {column}"
            report.add("(all)", [Outcome("(all)", 0, "", FAILED, text)])
    return report


def print_report(report: Report, verbose: bool) -> None:
    """Print failures, the table, skipped features and the closing lines."""
    for line in report.table():
        print(line)
    for feature, count in sorted(report.skipped.items()):
        print(f"skipped {count:6}  {feature}")
    if verbose:
        for note in report.notes:
            print(f"note {note}")
    for outcome in report.failures:
        print(f"FAIL {outcome}")
    for line in report.moves_lines():
        print(line)
    print(report.summary())


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(prog="python -m tests.spec", description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE.wast", help="default: all scripts")
    parser.add_argument("--target", choices=(*TARGETS, "both"), default="both")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("-O", "--opt-level", type=int, choices=range(4), default=1)
    parser.add_argument(
        "--roundtrip", type=int, default=1, metavar="N", help="torture at each Nth point; 0: never"
    )
    parser.add_argument(
        "--no-alternating", action="store_true", help="do not move between the ISAs"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="do not show progress")
    parser.add_argument("-v", "--verbose", action="store_true", help="show differing messages")
    return parser.parse_args(arguments)


def main() -> int:
    """Run what the command line says; return the exit status."""
    given = parse_arguments()
    try:
        paths = [find_script(name) for name in given.files] if given.files else all_scripts()
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    if not paths:
        print(f"no scripts in '{SCRIPTS}': make spec SPEC=folder", file=sys.stderr)
        return 2
    targets = list(TARGETS) if given.target == "both" else [given.target]
    alternating = len(targets) > 1 and not given.no_alternating
    options = Options(given.opt_level, given.roundtrip, alternating)
    progress = ignore_progress if given.quiet else show_progress
    report = run_scripts(paths, targets, options, given.jobs, progress)
    print_report(report, given.verbose)
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
