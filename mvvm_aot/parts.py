"""Split a module into parts that are translated independently: in parallel, each by itself.

Stage: ValidatedModule + PointPlan -> Whole (what all parts share) + Parts. A part is a run of
consecutive functions; the first one also holds the data, import stubs and thunks. Invariant: the
split depends on the module and on nothing else (no number of cores, no clock), so that the same
module always gives the same bytes. All of it can be pickled, and is small: a Whole has neither the
module's bytes nor its code, a Part has the code of its own functions.

A function without points that is small goes along with every part that calls it, for LLVM to
inline it there; the part that it belongs to defines it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from .describe import CodeSection
from .lower import direct_callees
from .modes import CodegenMode
from .plan import FunctionPlan, PointPlan
from .wasmparser.module import Module, NameSection
from .wasmparser.types import FuncType
from .wasmparser.validated import ValidatedFunction, ValidatedModule

PART_SIZE: Final = 16_000  # Wasm instructions, about
COPY_SIZE: Final = 60  # instructions of a function that is worth a copy, at most
_BASE_COST: Final = 10  # of a function, in instructions: its prologue, frame, table row


@dataclass(frozen=True, slots=True)
class Whole:
    """What each part has to know of its module. ``module`` has no bodies, bytes or segments."""

    module: Module = field(repr=False)
    prefix: str
    migration: bool
    suspendable: frozenset[int] = field(repr=False)
    tail_callees: frozenset[int] = field(repr=False)
    type_ids: Mapping[FuncType, int] | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Part:
    """What is translated at once: ``defined`` functions, and copies of others, in index order."""

    functions: tuple[ValidatedFunction, ...] = field(repr=False)
    plans: Mapping[int, FunctionPlan] = field(repr=False)
    defined: tuple[int, ...]
    shared: bool  # data, import stubs and thunks are here

    @property
    def copied(self) -> frozenset[int]:
        """The functions that are here only to be inlined."""
        return frozenset(self.plans) - frozenset(self.defined)

    @property
    def size(self) -> int:
        """How many instructions there are to translate."""
        return sum(len(function.instrs) for function in self.functions)

    @property
    def largest(self) -> int:
        """The instructions of the largest function: LLVM takes more than its share for it."""
        return max((len(function.instrs) for function in self.functions), default=0)


@dataclass(frozen=True, slots=True)
class Settings:
    """How to generate code. ``first``: the first attempt's mode, NORMAL unless LLVM broke off."""

    target: str
    opt_level: int
    cpu: str | None
    features: str | None
    first: CodegenMode = CodegenMode.NORMAL


@dataclass(frozen=True, slots=True)
class Code:
    """One object, what describes its frames, and which attempt it is."""

    data: bytes = field(repr=False)
    section: CodeSection | None  # None: the object holds data only
    attempt: int


@dataclass(slots=True)
class PartCode:
    """A part's machine code, and what was found out while it was made."""

    codes: list[Code] = field(default_factory=list)
    failed: Mapping[int, str] = field(default_factory=dict)  # at the last attempt
    retranslated: list[int] = field(default_factory=list)  # functions
    closed: list[int] = field(default_factory=lambda: [0] * len(CodegenMode))  # by attempt
    sites: int = 0
    fills: int = 0
    code_bytes: int = 0
    seconds: dict[str, float] = field(default_factory=dict)  # of processor time, by stage

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add to a stage's processor time."""
        began = time.process_time()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.process_time() - began


def whole_of(
    vm: ValidatedModule,
    plan: PointPlan,
    prefix: str,
    type_ids: Mapping[FuncType, int] | None = None,
) -> Whole:
    """Return what the parts of a module share."""
    module = vm.module
    bare = replace(
        module,
        raw=b"",
        functions=tuple(replace(f, local_runs=(), instrs=()) for f in module.functions),
        elems=(),
        datas=(),
        customs=(),
        names=NameSection(module.names.module_name, module.names.function_names),
    )
    tail_callees = frozenset().union(*(item.tail_callees for item in plan.functions.values()))
    return Whole(bare, prefix, plan.migration, plan.suspendable, tail_callees, type_ids)


def split_module(
    vm: ValidatedModule, plan: PointPlan, *, copies: bool, part_size: int | None = None
) -> list[Part]:
    """Return a module's parts in the order of its functions; one at least.

    ``copies``: whether LLVM is going to inline anything. ``part_size``: instructions, about, by
    default ``PART_SIZE``.
    """
    costs = [len(function.instrs) + _BASE_COST for function in vm.functions]
    total = sum(costs)
    count = max(1, round(total / (part_size or PART_SIZE)))
    runs: list[list[ValidatedFunction]] = [[] for _ in range(count)]
    before = 0
    for function, cost in zip(vm.functions, costs, strict=True):
        middle = before + cost // 2
        runs[middle * count // total].append(function)
        before += cost
    kept = [run for run in runs if run] or [[]]
    found = _Copies(vm, plan) if copies and len(kept) > 1 else None
    return [_part(run, plan, found, shared=not number) for number, run in enumerate(kept)]


def _part(
    run: list[ValidatedFunction], plan: PointPlan, copies: _Copies | None, *, shared: bool
) -> Part:
    """Make a part of consecutive functions and of the copies that they want."""
    defined = tuple(function.func_index for function in run)
    functions = run if copies is None else sorted([*run, *copies.of(run)], key=_index)
    plans = {f.func_index: plan.functions[f.func_index] for f in functions}
    return Part(tuple(functions), plans, defined, shared)


def _index(function: ValidatedFunction) -> int:
    return function.func_index


def halves(part: Part) -> tuple[Part, Part] | None:
    """Split a part in two, without copies; None if it has only one function."""
    middle = len(part.defined) // 2
    if not middle:
        return None
    pieces = part.defined[:middle], part.defined[middle:]
    return only(part, pieces[0], shared=part.shared), only(part, pieces[1], shared=False)


def only(part: Part, defined: Iterable[int], *, shared: bool) -> Part:
    """Return a part with just these of its functions, and no copies."""
    chosen = tuple(sorted(defined))
    functions = tuple(f for f in part.functions if f.func_index in chosen)
    return Part(functions, {index: part.plans[index] for index in chosen}, chosen, shared)


class _Copies:
    """Finds small functions without points that other parts call."""

    def __init__(self, vm: ValidatedModule, plan: PointPlan) -> None:
        self.vm = vm
        self.plan = plan
        called = frozenset().union(*(f.tail_callees for f in plan.functions.values()))
        self.fit = {
            function.func_index: function
            for function in vm.functions
            if len(function.instrs) <= COPY_SIZE
            # What LLVM is not to look into, and what it would not inline.
            and function.func_index not in called
            and (
                plan.functions[function.func_index].tried
                or not plan.functions[function.func_index].points
            )
            and not plan.functions[function.func_index].has_tail_calls
        }

    def of(self, run: Iterable[ValidatedFunction]) -> list[ValidatedFunction]:
        """Return the functions that a run calls, and those that they call, as far as they fit."""
        pending = list(run)
        known = {function.func_index for function in pending}
        found = []
        while pending:
            for index in sorted(direct_callees(pending.pop()) - known):
                if index in self.fit:
                    known.add(index)
                    found.append(self.fit[index])
                    pending.append(self.fit[index])
        return found
