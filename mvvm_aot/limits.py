"""How much of something one function or module may have: checks between decoding and LLVM.

The decoder bounds locals, parameters and results (wasmparser/binary.py), the validator the operand
stacks that it records (wasmparser/validate.py). What is bounded here takes LLVM, or us, time or
memory that grows faster than the module. No toolchain comes near: the most that a function of
SQLite has, at -O0 or -O2, is 38,522 instructions, 2,116 branches, 6 loops inside one another, 61
home slots, and 14 million as branches times locals; all its points together store 126,731 values.

Specification: appendix, section 7.1 (implementation limitations).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from .errors import UnsupportedFeature
from .liveness import BLOCK, BR, BR_IF, BR_TABLE, END, IF, LOOP, FunctionFlow, Scan
from .wasmparser.module import Module
from .wasmparser.validated import ValidatedFunction

if TYPE_CHECKING:
    from .plan import Point

# In one function. LLVM's time grows with the square of each.
MAX_INSTRUCTIONS: Final = 500_000
MAX_BRANCHES: Final = 50_000  # a br_table counts once for each label that it names
MAX_NESTED_LOOPS: Final = 500  # loops that something branches back to
MAX_HOMES: Final = 4_000  # slots of locals and operands that are live at some point

# In one function: lowering keeps the values of all locals for each branch that waits for its label.
MAX_BRANCHES_TIMES_LOCALS: Final = 200_000_000

# In a module: values to be stored at a point or merged at a label, summed over points and branches.
MAX_VALUES_AT_LEAST: Final = 2_000_000
MAX_VALUES_PER_BYTE: Final = 16


class Limits:
    """Holds a module's functions against the limits. Its methods raise UnsupportedFeature."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.max_values = MAX_VALUES_AT_LEAST + MAX_VALUES_PER_BYTE * len(module.raw)
        self.values = 0

    def check_code(self, vf: ValidatedFunction, scan: Scan) -> None:
        """Check what is known before the analysis of live locals."""
        branches, loop_depth = _measure(scan)
        self._check(vf, "instructions", len(vf.instrs), MAX_INSTRUCTIONS)
        self._check(vf, "branches", branches, MAX_BRANCHES)
        self._check(vf, "loops inside one another", loop_depth, MAX_NESTED_LOOPS)
        product = branches * len(vf.locals)
        if product > MAX_BRANCHES_TIMES_LOCALS:
            raise self._error(
                vf,
                f"a function with {branches} branches and {len(vf.locals)} locals, whose product "
                f"is more than {MAX_BRANCHES_TIMES_LOCALS}",
            )

    def check_plan(
        self, vf: ValidatedFunction, scan: Scan, flow: FunctionFlow, points: Iterable[Point]
    ) -> None:
        """Add up the values that the function stores at points and merges at labels."""
        self.values += _merged_values(scan, flow)
        self.values += sum(point.live.bit_count() + len(point.operands) for point in points)
        if self.values > self.max_values:
            raise self._error(
                vf,
                "locals and operands that are live at migration points and labels, summed over "
                f"all of them and all branches: {self.values}, more than {self.max_values}",
            )

    def check_homes(self, vf: ValidatedFunction, count: int) -> None:
        """Check a function's number of home slots."""
        self._check(vf, "slots for values that are live at migration points", count, MAX_HOMES)

    def _check(self, vf: ValidatedFunction, what: str, count: int, limit: int) -> None:
        if count > limit:
            raise self._error(vf, f"a function with {count} {what}, more than {limit}")

    def _error(self, vf: ValidatedFunction, feature: str) -> UnsupportedFeature:
        module, func_index = self.module, vf.func_index
        function = module.functions[func_index - module.num_imported_funcs]
        name = module.func_name(func_index)
        return UnsupportedFeature(
            feature, func_index=func_index, offset=function.offset, func_name=name
        )


def _measure(scan: Scan) -> tuple[int, int]:
    """Return how many branches a function has, and how deep its loops nest."""
    branches = depth = deepest = 0
    for event in scan.events:
        kind = event[0]
        if kind in (BR, BR_IF, IF):
            branches += 1
        elif kind == BR_TABLE:
            branches += len(event[1])
        elif kind == LOOP and event[1] in scan.loops:
            depth += 1
            deepest = max(deepest, depth)
        elif kind == END and event[1] in scan.loops:
            depth -= 1
    return branches, deepest


def _merged_values(scan: Scan, flow: FunctionFlow) -> int:
    """Return how many locals are live where each branch goes, summed over the branches."""
    total = 0
    labels = [0]  # live locals at each open label; whoever returns merges none
    for event in scan.events:
        kind = event[0]
        if kind in (BLOCK, IF):
            labels.append(flow.after_end.get(event[1], 0).bit_count())
            total += labels[-1] if kind == IF else 0
        elif kind == LOOP:
            loop = flow.loops.get(event[1])
            labels.append(0 if loop is None else loop.live.bit_count())
        elif kind == END:
            labels.pop()
        elif kind in (BR, BR_IF):
            total += labels[-1 - event[1]]
        elif kind == BR_TABLE:
            total += sum(labels[-1 - label] for label in event[1])
    return total
