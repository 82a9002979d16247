"""What validation leaves behind for the compiler: ValidatedModule and ValidatedFunction.

Instructions are named by their index in ``instrs``. "Dead" means what the specification's
validation algorithm calls unreachable, no more: the instructions behind ``br``, ``br_table``,
``return``, ``unreachable`` and tail calls up to (not including) the ``else`` or ``end`` of the
innermost block around. Code behind a block that no branch leaves counts as reachable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .module import Instr, Module
from .types import FuncType, ResultType, ValType


@dataclass(frozen=True, slots=True, eq=False)
class ValidatedFunction:
    """A function that the module defines, with what its validation found out."""

    func_index: int
    type: FuncType
    locals: ResultType  # parameters, then declared locals
    instrs: tuple[Instr, ...] = field(repr=False)

    # For each reachable loop, call, call_indirect, return_call and return_call_indirect: the types
    # on the operand stack before it, bottom first, from the function's first operand on (not just
    # the block's). A call's arguments and a loop's block parameters are still there, on top.
    stack_at: Mapping[int, ResultType] = field(repr=False)

    # One byte per instruction, 1 if it is dead. An ``else`` or ``end`` is dead only if its block
    # was never entered, that is, if the block, loop or if itself is dead: then all of it is.
    unreachable: bytes = field(repr=False)

    end_of: Mapping[int, int] = field(repr=False)  # block, loop or if -> its end
    else_of: Mapping[int, int] = field(repr=False)  # if -> its else, where there is one

    # For each ``drop`` and untyped ``select``: the type of the operand (not of the condition).
    # Always there for reachable ones; missing in dead code where the type is unknown.
    select_types: Mapping[int, ValType] = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class ValidatedModule:
    """A valid module; ``functions`` holds the defined functions in index order."""

    module: Module
    functions: tuple[ValidatedFunction, ...] = field(repr=False)

    def function(self, func_index: int) -> ValidatedFunction:
        """Return a defined function by its index in the function index space."""
        own_index = func_index - self.module.num_imported_funcs
        if own_index < 0:
            raise IndexError(f"function {func_index} is imported")
        return self.functions[own_index]
