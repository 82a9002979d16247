"""A script's lines, run in turn by the executables of several ISAs: lines in, answers out.

A process answers lines until it passes a chosen point. There it writes a snapshot and ends, in the
midst of a command; the next ISA's executable goes on from the snapshot, gives that command's answer
and takes the lines behind it, until its own move, and so on.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mvvm_aot.targets import Target
from mvvm_aot.wasmparser.module import ExternKind

from .execute import run_once
from .modules import ScriptModule
from .script import AssertReturn, AssertTrap, Command, ModuleCommand, Perform, Register

_MOVED: Final = "moved"


@dataclass(frozen=True, slots=True)
class Journey:
    """A script's answers, how often it moved, and what kept it where it was at how many points."""

    answers: list[str]
    moves: int = 0
    stays: Counter[str] = field(default_factory=Counter)


def parse_stays(text: str) -> Counter[str]:
    """Return the harness's `;COUNT REASON;COUNT REASON...` by reason."""
    found = re.findall(r";(\d+) ([^;]+)", text)
    return Counter({reason: int(count) for count, reason in found})


def may_pass_a_point(text: bytes) -> bool:
    """Return whether a script is worth a look: without loops and calls there are no points."""
    return re.search(rb"\b(loop|call|return_call|binary|quote)", text) is not None


def can_alternate(commands: Sequence[Command], modules: Mapping[int, ScriptModule]) -> bool:
    """Return whether a script needs one instance at a time: a snapshot holds one.

    That is so if every action is upon the latest module, none is registered for others to import,
    and each imports functions of the host module `spectest` alone.
    """
    latest: str | None = None
    for number, command in enumerate(commands):
        if isinstance(command, Register):
            return False
        if isinstance(command, ModuleCommand):
            latest = command.name
            module = modules[number].module
            if module is None or not all(
                item.kind is ExternKind.FUNC and item.module == "spectest"
                for item in module.module.imports
            ):
                return False
        if isinstance(command, Perform | AssertReturn | AssertTrap):
            if command.action.module in (None, latest):
                continue
            return False
    return True


def run_alternating(
    programs: Sequence[tuple[Path, Target]],
    prelude: Sequence[str],
    lines: Sequence[str],
    env: Mapping[str, str],
) -> Journey:
    """Run the lines, each process's `prelude` before them; the first program begins.

    The first move is at the first point; two processes pass as many points, the next two twice as
    many, and so on.
    """
    answers: list[str] = []
    stays: Counter[str] = Counter()
    moves, resumed = 0, ""
    with tempfile.TemporaryDirectory(prefix="mvvm-spec-") as folder:
        while len(answers) < len(lines):
            executable, target = programs[moves % len(programs)]
            snapshot = f"{folder}/{moves}.snap"
            setup = [*prelude, f"move {1 << moves // 2} {snapshot}"]
            remaining = [*lines[len(answers) :], "moves"]
            if resumed:
                remaining[0] = f"resume {remaining[0].split()[1]} {resumed}"
            got, ending = run_once(executable, target, [*setup, *remaining], env)
            if got[: len(setup)] != ["ok"] * len(setup):
                answers.append(f"setup: {[*got[: len(setup)], ending]}")
                break
            got = got[len(setup) :]
            moved = bool(got) and got[-1].partition(";")[0] == _MOVED
            if not moved and len(got) < len(remaining):
                answers += [*got, ending]
                break
            answers += got[:-1]
            stays += parse_stays(got[-1])
            if moved:
                moves, resumed = moves + 1, snapshot
    answers += ["not run after a crash"] * (len(lines) - len(answers))
    return Journey(answers, moves, stays)
