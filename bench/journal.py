"""Figures as they come, in one file: a measurement that was cut off loses nothing and can go on."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def say(text: str) -> None:
    """Tell what is being measured, on standard error."""
    print(text, file=sys.stderr, flush=True)


def processor_seconds() -> float:
    """Return what this process and all that it has waited for have used."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class Journal:
    """What has been measured: section -> item -> figures, as in the file `path`.

    `plan` is all that figures depend on. Raises ValueError when `go_on` is set and the file holds
    another plan's figures, or none.
    """

    def __init__(self, path: Path, plan: Mapping[str, Any], *, go_on: bool = False) -> None:
        self.path = path
        self.failures: list[str] = []
        self._plan = dict(plan)
        self._figures: dict[str, dict[str, Any]] = {}
        self._began = time.monotonic()
        if go_on:
            self._figures = self._read()

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            kept = json.loads(self.path.read_text())
        except (OSError, ValueError) as error:
            raise ValueError(f"nothing to go on with in {self.path}: {error}") from error
        differing = [key for key, value in self._plan.items() if kept["plan"].get(key) != value]
        if differing:
            raise ValueError(f"{self.path} was measured otherwise: {', '.join(differing)} differ")
        figures: dict[str, dict[str, Any]] = kept["figures"]
        return figures

    def _write(self) -> None:
        scratch = self.path.with_name(self.path.name + ".new")
        scratch.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(json.dumps({"plan": self._plan, "figures": self._figures}) + "\n")
        scratch.rename(self.path)

    def elapsed(self) -> str:
        """Return minutes and seconds since the start."""
        seconds = int(time.monotonic() - self._began)
        return f"{seconds // 60:3}:{seconds % 60:02}"

    def keep(self, section: str, name: str, measure: Callable[[], Any]) -> Any:
        """Return an item's figures: those in the file, else what `measure` returns.

        None when it fails: that is told and kept in `failures`, and the rest goes on.
        """
        found = self._figures.setdefault(section, {})
        if name in found:
            say(f"{self.elapsed()}    {name}: measured before")
            return found[name]
        try:
            figures = measure()
        except Exception as error:  # whatever it is: the others are still to be measured
            reason = f"{type(error).__name__}: {error}"
            self.failures.append(f"{section.replace('_', ' ')}, {name}: FAILED: {reason[:600]}")
            say(f"{self.elapsed()}    {name}: FAILED: {reason}")
            return None
        found[name] = figures
        self._write()
        return figures

    def section(self, title: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Announce a section, measure it, and say how long it took."""
        say(f"{self.elapsed()}  {title}")
        began, used = time.monotonic(), processor_seconds()
        figures = measure()
        clock, used = time.monotonic() - began, processor_seconds() - used
        say(f"{self.elapsed()}  {title}: {clock:.0f} s, {used:.0f} s of processor time")
        return figures
