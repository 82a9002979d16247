"""Every script of the specification on each ISA; `python -m tests.spec` shows the counts."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest

from mvvm_aot.targets import TARGETS

from .__main__ import SCRIPTS, all_scripts
from .build import Options
from .outcome import FAILED, PASSED, Outcome, apply_known_failures, read_known_failures
from .runner import Job, run_job

EVERYWHERE = [None, *TARGETS]

# Scripts with all kinds of points: calls, loops, host calls, indirect calls, many values.
ROUNDTRIP = [
    *("br", "br_if", "call", "fac", "func", "func_ptrs", "imports", "linking", "loop"),
    *("memory_grow", "stack", "start", "switch", "unreachable"),
]


@functools.cache
def scripts() -> dict[str, Path]:
    """Return the scripts by name."""
    return {path.name: path for path in all_scripts()}


def failures(name: str, target: str | None, options: Options) -> tuple[list[Outcome], int]:
    """Run a script's part for a target; return its failures and how many commands passed."""
    found = run_job(Job(scripts()[name], target, options)).outcomes
    known = [
        entry
        for entry in read_known_failures()
        if any(outcome.line == entry.line for outcome in found)
    ]
    found = apply_known_failures(found, known, name)
    passed = sum(outcome.status == PASSED for outcome in found)
    return [outcome for outcome in found if outcome.status == FAILED], passed


@pytest.mark.skipif("CI" not in os.environ, reason="a clone alone has no scripts; CI has")
def test_the_scripts_are_there() -> None:
    assert scripts(), f"no specification scripts in {SCRIPTS}"


@pytest.mark.skipif(not all_scripts(), reason=f"no specification scripts in {SCRIPTS}")
@pytest.mark.parametrize("target", EVERYWHERE, ids=["refused", *TARGETS])
@pytest.mark.parametrize("name", sorted(scripts()))
def test_script(name: str, target: str | None) -> None:
    failed, _ = failures(name, target, Options())
    assert not failed, "\n".join(map(str, failed))


@pytest.mark.skipif(not all_scripts(), reason=f"no specification scripts in {SCRIPTS}")
@pytest.mark.parametrize("target", [*TARGETS])
@pytest.mark.parametrize(
    "name", [f"{name}.wast" for name in ROUNDTRIP if f"{name}.wast" in scripts()]
)
def test_frames_can_be_rewritten_at_every_point(name: str, target: str) -> None:
    failed, passed = failures(name, target, Options(roundtrip=1))
    assert not failed, "\n".join(map(str, failed))
    assert passed > 0
