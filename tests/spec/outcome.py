"""What became of each command of a script, and the list of those that are known to fail."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

PASSED: Final = "passed"
FAILED: Final = "failed"
SKIPPED: Final = "skipped"

SHOULD_FAIL: Final = Path(__file__).parent / "should_fail.toml"


REFUSED: Final = "refused"  # by the decoder or the validator
TEXT: Final = "text"  # by the assembler
TORTURE: Final = "torture"


def target_column(target: str, roundtrip: int, *, alternating: bool = False) -> str:
    """Return the column of what runs on a target, plainly, under round trips, or begins there."""
    if alternating:
        return f"from {target}"
    return f"{target} {TORTURE}" if roundtrip else target


@dataclass(frozen=True, slots=True)
class Outcome:
    """One command's outcome; `target` is empty where no machine is involved."""

    script: str
    line: int
    target: str
    status: str
    reason: str = ""  # failed: what went wrong; skipped: the feature
    column: str = REFUSED

    def __str__(self) -> str:
        where = f" [{self.column}]" if self.target else ""
        return f"{self.script}:{self.line}{where}: {self.reason}"


@dataclass(slots=True)
class Report:
    """The outcomes of a run, counted by script and column."""

    columns: Sequence[str]
    cells: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)  # by feature
    moves: Counter[str] = field(default_factory=Counter)  # by column
    stays: dict[str, Counter[str]] = field(default_factory=dict)  # points, by column and reason
    failures: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # differing messages: for information

    def add(self, script: str, outcomes: Sequence[Outcome]) -> None:
        """Count a script's outcomes."""
        row = self.cells.setdefault(script, {column: Counter() for column in self.columns})
        for outcome in outcomes:
            row[outcome.column][outcome.status] += 1
        self.skipped.update(o.reason for o in outcomes if o.status == SKIPPED)
        self.failures += [outcome for outcome in outcomes if outcome.status == FAILED]

    def moves_lines(self) -> list[str]:
        """Return a line per column in which programs moved, and one per reason why one did not."""
        lines: list[str] = []
        for column, moves in self.moves.items():
            what = "round trips" if column.endswith(TORTURE) else "moves to the other ISA"
            if moves:
                lines.append(f"{column}: {moves} {what}")
            for reason, count in self.stays.get(column, Counter()).most_common():
                lines.append(f"{column}: at {count} points none, since {reason}")
        return lines

    def total(self, column: str) -> Counter[str]:
        """Return a column's outcomes by status."""
        return sum((row[column] for row in self.cells.values()), Counter())

    def table(self) -> list[str]:
        """Return the table's lines: a script each, totals at the end."""
        rows = [["script", *self.columns]]
        for script, cells in self.cells.items():
            rows.append([script, *(_cell(cells[column]) for column in self.columns)])
        rows.append(["total", *(_cell(self.total(column)) for column in self.columns)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                word.rjust(width) if place else word.ljust(width)
                for place, (word, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        rule = "-" * len(lines[0])
        return [lines[0], rule, *lines[1:-1], rule, lines[-1]]

    def summary(self) -> str:
        """Return the closing line."""
        counts = sum((self.total(column) for column in self.columns), Counter())
        return ", ".join(f"{counts[kind]} {kind}" for kind in (PASSED, FAILED, SKIPPED))


def _cell(counts: Counter[str]) -> str:
    """Return how many passed, and how many did not if any; a dash for no commands at all."""
    if not counts:
        return "-"
    rest = [f"{counts[kind]} {kind}" for kind in (FAILED, SKIPPED) if counts[kind]]
    return ", ".join([str(counts[PASSED]), *rest])


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """A command that may not pass yet: `target` empty means on every one."""

    script: str
    line: int
    reason: str
    target: str = ""


def read_known_failures(path: Path = SHOULD_FAIL) -> list[KnownFailure]:
    """Return the entries of should_fail.toml."""
    with path.open("rb") as file:
        return [KnownFailure(**entry) for entry in tomllib.load(file).get("failure", [])]


def find_stale(
    known: Sequence[KnownFailure], targets_of: Mapping[tuple[str, int], Sequence[str]]
) -> list[Outcome]:
    """Return a failure for each entry that means no command.

    `targets_of` holds, by script and line of each command, the targets that it runs on (the empty
    string: none is involved).
    """
    text = "listed in should_fail.toml, but the script has no such command"
    return [
        Outcome(entry.script, entry.line, entry.target, FAILED, text)
        for entry in known
        if not any(
            entry.target in ("", target)
            for target in targets_of.get((entry.script, entry.line), ())
        )
    ]


def apply_known_failures(
    outcomes: Sequence[Outcome], known: Sequence[KnownFailure]
) -> list[Outcome]:
    """Turn failures that are listed into skips, and passes that are listed into failures."""
    return [_as_listed(outcome, known) for outcome in outcomes]


def _as_listed(outcome: Outcome, known: Sequence[KnownFailure]) -> Outcome:
    for entry in known:
        here = entry.script == outcome.script and entry.line == outcome.line
        if not here or entry.target not in ("", outcome.target):
            continue
        if outcome.status == FAILED:
            return replace(outcome, status=SKIPPED, reason=f"should fail: {entry.reason}")
        if outcome.status == PASSED:
            text = "passes now: remove it from should_fail.toml"
            return replace(outcome, status=FAILED, reason=text)
    return outcome
