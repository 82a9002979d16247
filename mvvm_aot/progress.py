"""Progress of long steps: stages tell a ``Progress`` what they do, a terminal shows it.

Nothing is written where standard error is not a terminal. rich is imported on first use only, and
only if a step lasts long enough to be worth a line.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

_DELAY = 0.4  # seconds before a step is shown


class Progress(Protocol):
    """What the pipeline calls."""

    def step(self, text: str) -> None:
        """Say what is done from now on, in a few words."""

    def amount(self, done: int, total: int) -> None:
        """Say how much of the step is done."""


class Silence:
    """Progress that nobody sees; keeps the times of the steps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._current: str | None = None
        self._since = time.perf_counter()

    def step(self, text: str) -> None:
        """Begin a step."""
        now = time.perf_counter()
        if self._current is not None:
            elapsed = now - self._since
            self.seconds[self._current] = self.seconds.get(self._current, 0.0) + elapsed
        self._current, self._since = text, now

    def amount(self, done: int, total: int) -> None:
        """Say how much of the step is done: nobody wants to know."""


class Terminal(Silence):
    """Progress on standard error: one line that changes and disappears."""

    def __init__(self) -> None:
        super().__init__()
        self._status: Any = None
        self._amount = ""
        self._lock = threading.Lock()
        self._timer = threading.Timer(_DELAY, self._show)
        self._timer.daemon = True
        self._closed = False
        self._timer.start()

    def step(self, text: str) -> None:
        """Begin a step and show it if something is shown already."""
        super().step(text)
        with self._lock:
            self._amount = ""
            self._update()

    def amount(self, done: int, total: int) -> None:
        """Show how much of the step is done, unless it is a single piece."""
        with self._lock:
            if total > 1:
                self._amount = f": {done} of {total} parts"
            self._update()

    def _update(self) -> None:
        if self._status is not None:
            self._status.update(f"{self._current or 'working'}{self._amount}")

    def _show(self) -> None:
        """Start showing: the first step has taken a while."""
        from rich.console import Console

        with self._lock:
            if self._closed:
                return
            self._status = Console(stderr=True).status("working")
            self._update()
            self._status.start()

    def close(self) -> None:
        """Remove the line."""
        self._timer.cancel()
        with self._lock:
            self._closed = True
            if self._status is not None:
                self._status.stop()
                self._status = None


@contextmanager
def shown() -> Iterator[Progress]:
    """Yield a Progress that is shown if standard error is a terminal."""
    if not sys.stderr.isatty():
        yield Silence()
        return
    terminal = Terminal()
    try:
        yield terminal
    finally:
        terminal.close()
