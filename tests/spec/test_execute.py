"""Crashes and hangs of a script's process, with a stand-in that echoes its lines."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from mvvm_aot.errors import SystemFailure
from mvvm_aot.targets import AARCH64, X86_64, Target, target_for_machine

from . import execute

STAND_IN = """#!{python}
import os, sys, time
for number, line in enumerate(sys.stdin):
    word = line.strip()
    if word == "crash":
        print("half", end="", flush=True)
        print("why", file=sys.stderr)
        os.abort()
    if word == "hang":
        time.sleep(60)
    print(number, word, os.environ.get("SPEC_TEST", ""), flush=True)
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """Return an executable that answers each line with its number in this process."""
    path = tmp_path / "program"
    path.write_text(STAND_IN.format(python=sys.executable))
    path.chmod(0o755)
    return path


def this_machine() -> Target:
    """Return the target that runs here without an emulator."""
    target = target_for_machine(platform.machine())
    if target is None:
        pytest.fail("no target for this machine")
    return target


def test_answers_follow_lines(stand_in: Path) -> None:
    answers = execute.run_lines(stand_in, this_machine(), ["a", "b"], {"SPEC_TEST": "x"})
    assert answers == ["0 a x", "1 b x"]


def test_a_crash_costs_one_answer(stand_in: Path) -> None:
    lines = ["a", "crash", "b", "crash", "c"]
    answers = execute.run_lines(stand_in, this_machine(), lines, {})
    crash = "crash, signal 6: why"
    assert [answer.strip() for answer in answers] == ["0 a", crash, "1 b", crash, "2 c"]


def test_there_is_an_end_to_crashes(stand_in: Path) -> None:
    count = execute.MAX_CRASHES + 3
    answers = execute.run_lines(stand_in, this_machine(), ["crash"] * count, {})
    assert len(answers) == count
    assert answers[-1] == "not run after a crash"


def test_a_hang_ends_the_run(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "NATIVE_TIMEOUT", 1.0)
    answers = execute.run_lines(stand_in, this_machine(), ["a", "hang", "b"], {})
    assert answers[0].startswith("0 a")
    assert answers[1].startswith("hangs")
    assert answers[2] == "not run after a crash"


def test_a_missing_emulator_is_named(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    foreign = AARCH64 if this_machine() is X86_64 else X86_64
    with pytest.raises(SystemFailure, match=foreign.qemu):
        execute.run_lines(stand_in, foreign, ["a"], {})
