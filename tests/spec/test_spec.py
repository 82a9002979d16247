"""Every script of the specification on each ISA: plainly, with a round trip at every point, and
moving to the other ISA and back.

`python -m tests.spec` shows the counts.
"""

from __future__ import annotations

import functools
import os
import zlib
from pathlib import Path

import pytest

from mvvm_aot.targets import TARGETS

from .__main__ import OWN_SCRIPTS, SCRIPTS, all_scripts, targets_of_commands
from .build import Options
from .outcome import FAILED, PASSED, apply_known_failures, find_stale, read_known_failures
from .runner import Job, run_job

EVERYWHERE = [None, *TARGETS]


@functools.cache
def scripts() -> dict[str, Path]:
    """Return the scripts by name."""
    return {path.name: path for path in all_scripts()}


def check(name: str, target: str | None, options: Options) -> int:
    """Run a script's part for a target, demand no failures, return how many round trips it made."""
    found = run_job(Job(scripts()[name], target, options))
    outcomes = apply_known_failures(found.outcomes, read_known_failures())
    failed = [outcome for outcome in outcomes if outcome.status == FAILED]
    assert not failed, "\n".join(map(str, failed))
    return found.moves


@pytest.mark.skipif("CI" not in os.environ, reason="a clone alone has no scripts; CI has")
def test_the_scripts_are_there() -> None:
    assert scripts(), f"no specification scripts in {SCRIPTS}"


@pytest.mark.skipif(not all_scripts(), reason=f"no specification scripts in {SCRIPTS}")
def test_every_known_failure_is_a_command_of_a_script() -> None:
    stale = find_stale(read_known_failures(), targets_of_commands([*all_scripts(), *OWN_SCRIPTS]))
    assert not stale, "\n".join(map(str, stale))


@pytest.mark.skipif(not all_scripts(), reason=f"no specification scripts in {SCRIPTS}")
@pytest.mark.parametrize("target", EVERYWHERE, ids=["refused", *TARGETS])
@pytest.mark.parametrize("name", sorted(scripts()))
def test_script(name: str, target: str | None) -> None:
    assert check(name, target, Options()) == 0


@pytest.mark.skipif(not all_scripts(), reason=f"no specification scripts in {SCRIPTS}")
@pytest.mark.parametrize("target", [*TARGETS])
@pytest.mark.parametrize("name", sorted(scripts()))
def test_frames_can_be_rewritten_at_every_point(name: str, target: str) -> None:
    check(name, target, Options(roundtrip=1))


@pytest.mark.skipif(not all_scripts(), reason=f"no specification scripts in {SCRIPTS}")
@pytest.mark.parametrize("name", sorted(scripts()))
def test_scripts_move_between_the_isas(name: str) -> None:
    """Every script that needs one instance at a time; half of them begin on either ISA."""
    check(name, [*TARGETS][zlib.crc32(name.encode()) % 2], Options(alternating=True))


@pytest.mark.parametrize("target", [*TARGETS])
def test_torture_moves(tmp_path: Path, target: str) -> None:
    """Every call is a point; a plain run of the same script makes no round trip."""
    path = tmp_path / "loop.wast"
    path.write_text(
        """(module (import "spectest" "print" (func $print))
 (func (export "count") (param $n i32) (result i32) (local $k i32)
  (loop $again
    (local.set $k (i32.add (local.get $k) (i32.const 3)))
    (call $print)
    (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
  (local.get $k)))
(assert_return (invoke "count" (i32.const 50)) (i32.const 150))"""
    )
    tortured = run_job(Job(path, target, Options(roundtrip=1)))
    assert [str(o) for o in tortured.outcomes if o.status != PASSED] == []
    assert {outcome.column for outcome in tortured.outcomes} == {f"{target} torture"}
    assert tortured.moves >= 50
    assert run_job(Job(path, target, Options())).moves == 0
