"""`python -m tests.spec [FILE.wast ...]`: run scripts, count what passed."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from mvvm_aot.targets import TARGETS

from .build import Options
from .outcome import FAILED, Outcome, Report, apply_known_failures, read_known_failures
from .runner import Job, JobResult, run_job

CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent
SCRIPTS: Final = Path(os.environ.get("MVVM_SPEC_SCRIPTS", CHECKOUT.parent / "shared" / "spec-2.0"))


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


def run_scripts(
    paths: Sequence[Path], targets: Sequence[str], options: Options, workers: int
) -> Report:
    """Run scripts and collect the outcomes, known failures applied."""
    jobs = [Job(path, target, options) for path in paths for target in (None, *targets)]
    known = read_known_failures()
    outcomes: dict[str, list[Outcome]] = {path.name: [] for path in paths}
    report = Report()
    for job, result in run_jobs(jobs, workers):
        outcomes[job.name] += result.outcomes
        report.notes += result.notes
    for name, found in outcomes.items():
        report.add(apply_known_failures(found, known, name))
    return report


def print_report(report: Report, verbose: bool) -> None:
    """Print failures, skipped features and the closing line."""
    for outcome in report.failures:
        print(f"FAIL {outcome}")
    if verbose:
        for note in report.notes:
            print(f"note {note}")
    for feature, count in sorted(report.skipped.items()):
        print(f"skipped {count:6}  {feature}")
    print(report.summary())


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(prog="python -m tests.spec", description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE.wast", help="default: all scripts")
    parser.add_argument("--target", choices=(*TARGETS, "both"), default="both")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("-O", "--opt-level", type=int, choices=range(4), default=1)
    parser.add_argument(
        "--roundtrip", type=int, default=0, metavar="N", help="lift and rewrite at each Nth leave"
    )
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
        print(f"no scripts in '{SCRIPTS}': set MVVM_SPEC_SCRIPTS", file=sys.stderr)
        return 2
    targets = list(TARGETS) if given.target == "both" else [given.target]
    options = Options(given.opt_level, given.roundtrip)
    report = run_scripts(paths, targets, options, given.jobs)
    print_report(report, given.verbose)
    return 1 if report.counts[FAILED] else 0


if __name__ == "__main__":
    sys.exit(main())
