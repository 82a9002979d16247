"""What became of each command of a script, and the list of those that are known to fail."""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PASSED: Final = "passed"
FAILED: Final = "failed"
SKIPPED: Final = "skipped"

SHOULD_FAIL: Final = Path(__file__).parent / "should_fail.toml"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One command's outcome; `target` is empty where no machine is involved."""

    script: str
    line: int
    target: str
    status: str
    reason: str = ""  # failed: what went wrong; skipped: the feature

    def __str__(self) -> str:
        target = f" [{self.target}]" if self.target else ""
        return f"{self.script}:{self.line}{target}: {self.reason}"


@dataclass(slots=True)
class Report:
    """The outcomes of a run, counted."""

    counts: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)  # by feature
    failures: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # differing messages: for information

    def add(self, outcomes: list[Outcome]) -> None:
        """Count outcomes."""
        self.counts.update(outcome.status for outcome in outcomes)
        self.skipped.update(o.reason for o in outcomes if o.status == SKIPPED)
        self.failures += [outcome for outcome in outcomes if outcome.status == FAILED]

    def summary(self) -> str:
        """Return the closing line."""
        return ", ".join(f"{self.counts[kind]} {kind}" for kind in (PASSED, FAILED, SKIPPED))


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


def apply_known_failures(
    outcomes: list[Outcome], known: list[KnownFailure], script: str
) -> list[Outcome]:
    """Turn failures that are listed into skips, and passes that are listed into failures."""
    entries = [entry for entry in known if entry.script == script]
    result: list[Outcome] = []
    met: set[KnownFailure] = set()
    for outcome in outcomes:
        entry = _entry_for(outcome, entries)
        if entry is not None:
            met.add(entry)
            outcome = _as_listed(outcome, entry)
        result.append(outcome)
    targets = {outcome.target for outcome in outcomes}
    for entry in entries:
        if entry not in met and (not entry.target or entry.target in targets):
            text = "listed in should_fail.toml, but the script has no such command"
            result.append(Outcome(script, entry.line, entry.target, FAILED, text))
    return result


def _entry_for(outcome: Outcome, entries: list[KnownFailure]) -> KnownFailure | None:
    for entry in entries:
        if entry.line == outcome.line and entry.target in ("", outcome.target):
            return entry
    return None


def _as_listed(outcome: Outcome, entry: KnownFailure) -> Outcome:
    status, reason = outcome.status, outcome.reason
    if status == FAILED:
        status, reason = SKIPPED, f"should fail: {entry.reason}"
    elif status == PASSED:
        status, reason = FAILED, "passes now: remove it from should_fail.toml"
    return Outcome(outcome.script, outcome.line, outcome.target, status, reason)
