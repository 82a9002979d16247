"""``python -m tests.fuzz.modules``: generate programs for some time, report those that differ."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mvvm_aot.targets import TARGETS

from .compare import Finding, choose_variants, compare, prepare, subjects
from .execute import Variant
from .generate import generate
from .moves import move
from .shrink import Shrinker

BATCH: Final = 12  # of which one is moved between ISAs
MOMENTS: Final = 6  # at which it is moved


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.modules", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long (60)")
    parser.add_argument("--seed", type=int, default=0, help="of the first program (0)")
    parser.add_argument("--out", type=Path, default=Path("build/fuzz"), help="folder for findings")
    parser.add_argument(
        "--shrink", type=float, default=60, metavar="SECONDS", help="per finding; 0: not at all"
    )
    parser.add_argument("--most", type=int, default=10, help="stop after so many findings (10)")
    one = parser.add_argument_group("one program")
    one.add_argument("--one", action="store_true", help="run the program of --seed only")
    one.add_argument("--target", choices=[*TARGETS], default="x86_64")
    one.add_argument("-O", "--opt-level", type=int, choices=range(4), default=2)
    one.add_argument("--roundtrip", type=int, default=0, metavar="N")
    return parser.parse_args(arguments)


def save(finding: Finding, out: Path, seconds: float) -> None:
    """Print a finding, and write its module and the shrunk one."""
    out.mkdir(parents=True, exist_ok=True)
    print(finding, flush=True)
    stem = f"{finding.subject.seed}-{finding.variant.target}-O{finding.variant.opt_level}"
    (out / f"{stem}.wasm").write_bytes(finding.subject.wasm)
    if seconds:
        again = prepare(generate(finding.subject.seed), finding.subject.seed)
        assert again is not None  # the shrinker changes its program, so it has one of its own
        with tempfile.TemporaryDirectory(prefix="mvvm-fuzz-") as scratch:
            mine = Finding(again, finding.variant, finding.got)
            shrinker = Shrinker(mine, Path(scratch), seconds)
            best = shrinker.shrink()
        (out / f"{stem}.small.wasm").write_bytes(best.subject.wasm)
        size, small = len(finding.subject.wasm), len(best.subject.wasm)
        print(f"  {size} bytes -> {small} in {shrinker.tried} tries: {out / stem}.small.wasm")
        print(f"  wanted {best.subject.wanted}\n  got    {best.got}", flush=True)
    (out / f"{stem}.txt").write_text(f"{finding}\n")


def search(given: argparse.Namespace) -> int:
    """Run batches until the time is up; return how many programs differed."""
    begun = told = time.monotonic()
    seed, programs, findings = given.seed, 0, 0
    ways: Counter[str] = Counter()
    seen: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="mvvm-fuzz-") as scratch:
        while time.monotonic() - begun < given.seconds and findings < given.most:
            batch = subjects(range(seed, seed + BATCH))
            for variant, trips in choose_variants(random.Random(seed)):
                ways[f"{variant.target} -O{variant.opt_level}"] += len(batch)
                for finding in compare(batch, variant, trips, Path(scratch)):
                    key = f"{finding.subject.seed} {variant.target} {finding.kind}"
                    if key in seen:
                        continue
                    seen.add(key)
                    findings += 1
                    save(finding, given.out, given.shrink)
            moved = random.Random(seed).choice(batch).seed  # one that does not take too long
            ways["moved"] += 1
            for text in move(moved, MOMENTS, Path(scratch)):
                findings += 1
                print(f"seed {moved} as an application: {text}", flush=True)
            seed += BATCH
            programs += len(batch)
            if time.monotonic() - told > 30:
                told = time.monotonic()
                print(f"{told - begun:.0f} s: {programs} programs, {findings} findings", flush=True)
    spent = time.monotonic() - begun
    print(f"seeds {given.seed} to {seed - 1}: {programs} programs in {spent:.0f} s")
    print(", ".join(f"{way}: {count}" for way, count in sorted(ways.items())))
    print(f"{findings} findings")
    return findings


def run_one(given: argparse.Namespace) -> int:
    """Run one program in one way; return whether it differs."""
    subject = prepare(generate(given.seed), given.seed)
    if subject is None:
        print(f"seed {given.seed} takes too long")
        return 0
    variant = Variant(given.target, given.opt_level)
    trips = (given.roundtrip,) if given.roundtrip else ()
    with tempfile.TemporaryDirectory(prefix="mvvm-fuzz-") as scratch:
        found = list(compare([subject], variant, trips, Path(scratch)))
    for finding in found:
        save(finding, given.out, given.shrink)
    print(f"{len(found)} differences from {subject.wanted}")
    return len(found)


def main() -> int:
    """Do what the command line says; return the exit status."""
    given = parse_arguments()
    found = run_one(given) if given.one else search(given)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
