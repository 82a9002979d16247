"""Have the parts of a module translated, all at once: Parts -> PartCodes, in the same order.

LLVM ends the process at what it cannot do. Then the part is halved until the function is alone
that it breaks off at; that one is translated without optimisation, the others as they would have
been. What comes out depends on the module and LLVM only, not on which worker was faster.
"""

from __future__ import annotations

import pickle
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from typing import Any

from .errors import CodegenError, MvvmError
from .modes import CodegenMode
from .parts import Part, PartCode, Settings, Whole, halves
from .progress import Progress
from .workers import Crew, WorkerDied


@dataclass(frozen=True, slots=True)
class _Task:
    """A part, or a half of a half of one: ``path`` says which, and orders them."""

    path: tuple[int, ...]
    part: Part
    settings: Settings


def translate_parts(
    crew: Crew, whole: Whole, parts: list[Part], settings: Settings, say: Progress
) -> list[PartCode]:
    """Translate parts. Raises CodegenError, UnsupportedFeature: of several, the first part's."""
    return _Schedule(crew, whole, say).run(
        [_Task((number,), part, settings) for number, part in enumerate(parts)]
    )


class _Schedule:
    """The work of ``translate_parts``."""

    def __init__(self, crew: Crew, whole: Whole, say: Progress) -> None:
        self.crew = crew
        self.whole = pickle.dumps(whole, pickle.HIGHEST_PROTOCOL)
        self.module = whole.module
        self.say = say
        self.pending: dict[Future[Any], _Task] = {}
        self.made: dict[tuple[int, ...], PartCode] = {}
        self.error: tuple[tuple[int, ...], MvvmError] | None = None

    def run(self, tasks: list[_Task]) -> list[PartCode]:
        # What takes longest goes first, so that nothing long is left for the end.
        for task in sorted(tasks, key=lambda t: (-t.part.largest, -t.part.size, t.path)):
            self.submit(task)
        while self.pending:
            for future in wait(self.pending, return_when=FIRST_COMPLETED).done:
                self.finish(self.pending.pop(future), future)
            self.say.amount(len(self.made), len(self.made) + len(self.pending))
        if self.error is not None:
            raise self.error[1]
        return [self.made[path] for path in sorted(self.made)]

    def submit(self, task: _Task) -> None:
        future = self.crew.submit("translate", self.whole, task.part, task.settings)
        self.pending[future] = task

    def finish(self, task: _Task, future: Future[Any]) -> None:
        """Keep a task's result, or do what its failure calls for."""
        try:
            self.made[task.path] = future.result()
        except WorkerDied as died:
            self.divide(task, str(died))
        except MvvmError as error:
            self.fail(task, error)

    def divide(self, task: _Task, words: str) -> None:
        """Find out at which function LLVM broke off, and spare it the optimisation."""
        pieces = halves(task.part)
        if pieces is not None:
            for number, piece in enumerate(pieces):
                self.submit(_Task((*task.path, number), piece, task.settings))
        elif task.settings.first is CodegenMode.NORMAL:
            settings = replace(task.settings, first=CodegenMode.PLAIN)
            self.submit(replace(task, settings=settings))
        else:
            index = next(iter(task.part.defined), None)
            what = "the import stubs"
            if index is not None:
                what = f'function {index} "{self.module.func_name(index)}"'
            reason = f"LLVM breaks off at {what}, without optimisation too: {words}"
            self.fail(task, CodegenError(reason))

    def fail(self, task: _Task, error: MvvmError) -> None:
        """Remember the first part's error; drop what cannot change it any more."""
        if self.error is None or task.path < self.error[0]:
            self.error = (task.path, error)
        for future, other in list(self.pending.items()):
            if other.path > self.error[0] and future.cancel():
                del self.pending[future]
