"""Makes a program smaller as long as it still differs: Finding -> Finding."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import wasmtime

from mvvm_aot.errors import ModuleError
from mvvm_aot.wasmparser.opcodes import BY_TEXT
from mvvm_aot.wasmparser.types import ResultType

from .compare import Finding, Subject, compare, prepare
from .expressions import const
from .program import Node, Program

_CONSTANTS = {BY_TEXT[f"{name}.const"] for name in ("i32", "i64", "f32", "f64", "v128")}


@dataclass(slots=True)
class _Edit:
    """Replaces ``items[start:start + count]``."""

    items: list[Node]
    start: int
    count: int
    new: list[Node]

    def swap(self) -> None:
        """Make the change, or take it back."""
        old = self.items[self.start : self.start + self.count]
        self.items[self.start : self.start + self.count] = self.new
        self.count, self.new = len(self.new), old


def _constants(types: ResultType, number: int) -> list[Node]:
    return [
        Node(BY_TEXT["ref.null"], (valtype,), [], (valtype,))
        if valtype.is_reference
        else const(valtype, number)
        for valtype in types
    ]


def _types(nodes: list[Node]) -> ResultType:
    return tuple(valtype for node in nodes for valtype in node.types)


def _lists(nodes: list[Node]) -> Iterator[list[Node]]:
    """Yield the list and all lists of nodes below, outer ones first."""
    yield nodes
    for node in list(nodes):
        if node.cleans:
            yield from _lists(node.args[0].args)
            continue
        for below in (node.args, *node.bodies):
            yield from _lists(below)


def _simpler(node: Node) -> Iterator[list[Node]]:
    """Yield what may stand in a node's place, with the same types."""
    if node.op in _CONSTANTS and node.imm != (0,):
        yield _constants(node.types, 0)
    if node.op is None or node.op in _CONSTANTS or node.op is BY_TEXT["ref.null"]:
        return
    yield _constants(node.types, 0)
    if node.types:
        yield _constants(node.types, 1)
    if node.cleans:
        return
    for nodes in ([arg] for arg in node.args):
        if _types(nodes) == node.types:
            yield nodes
    yield from node.bodies


class Shrinker:
    """Tries smaller programs, for some time."""

    def __init__(self, finding: Finding, folder: Path, seconds: float) -> None:
        self.best = finding
        self.tried = 0
        self._program = finding.subject.program
        self._folder = folder
        self._until = time.monotonic() + seconds

    def shrink(self) -> Finding:
        """Return the smallest finding met."""
        size = -1
        while size != len(self.best.subject.wasm) and not self._late():
            size = len(self.best.subject.wasm)
            self._drop_parts()
            for function in self._program.functions:
                self._shrink_nodes(function.body)
        return self.best

    def _late(self) -> bool:
        return time.monotonic() > self._until

    def _still_differs(self) -> bool:
        if self._late():
            return False
        try:
            subject = prepare(self._program, self.best.subject.seed)
        except (ModuleError, wasmtime.WasmtimeError):
            return False
        if subject is None:
            return False
        self.tried += 1
        finding = self._differing(subject)
        if finding is None:
            return False
        self.best = finding
        return True

    def _differing(self, subject: Subject) -> Finding | None:
        variant = self.best.variant
        trips = (variant.roundtrip,) if variant.roundtrip else ()
        for finding in compare([subject], variant, trips, self._folder):
            same_way = finding.variant.roundtrip == variant.roundtrip
            if same_way and finding.kind == self.best.kind:
                return finding
        return None

    def _attempt(self, change: Callable[[], object], undo: Callable[[], object]) -> bool:
        change()
        if self._still_differs():
            return True
        undo()
        return False

    def _drop_parts(self) -> None:
        """Leave out exports, the start function, segments, and whole bodies."""
        program = self._program
        start = program.start
        if start is not None:
            self._attempt(lambda: _set_start(program, None), lambda: _set_start(program, start))
        for items in (program.exports, program.data, program.elems):
            self._drop_items(items)
        for function in program.functions:
            edit = _Edit(function.body, 0, len(function.body), _constants(function.type.results, 0))
            if edit.count != len(edit.new):
                self._attempt(edit.swap, edit.swap)
            self._drop_items(function.locals)

    def _drop_items(self, items: list[Any]) -> None:
        """Leave out all items, or those that can be, last first."""
        everything = list(items)
        if everything and self._attempt(items.clear, lambda: items.extend(everything)):
            return
        for index in reversed(range(len(items))):
            item = items[index]
            self._attempt(partial(items.pop, index), partial(items.insert, index, item))

    def _shrink_nodes(self, body: list[Node]) -> None:
        """Delete runs of statements, then replace nodes by simpler ones, from the outside in."""
        for items in _lists(body):
            for count in (8, 4, 2, 1):
                start = len(items) - count
                while start >= 0:
                    run = items[start : start + count]
                    if run and not _types(run) and all(node.op for node in run):
                        edit = _Edit(items, start, count, [])
                        self._attempt(edit.swap, edit.swap)
                    start -= count
        for items in _lists(body):
            index = 0
            while index < len(items):
                changed = any(
                    self._attempt(edit.swap, edit.swap)
                    for edit in [_Edit(items, index, 1, new) for new in _simpler(items[index])]
                )
                index += not changed


def _set_start(program: Program, start: int | None) -> None:
    program.start = start
