"""The validation algorithm's state: operand stack and control stack of one function.

Specification: appendix, section 7.3 (validation algorithm). Two changes of representation, both
for speed: each control frame has an operand stack of its own, and at its bottom lies BARRIER, so
that one comparison of the top finds both a wrong type and an empty stack.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

from mvvm_aot.errors import UnsupportedFeature

from .module import Instr, Module
from .opcodes import Op
from .types import FuncType, GlobalType, ResultType, TableType, ValType


class Mark(enum.Enum):
    """What an operand stack holds besides types."""

    BARRIER = "barrier"  # the bottom of a frame's stack
    UNKNOWN = "unknown"  # an operand of any type, in dead code


BARRIER, UNKNOWN = Mark.BARRIER, Mark.UNKNOWN

Slot = ValType | Mark


class RuleBrokenError(Exception):
    """A validation rule is broken; the caller knows where and makes an InvalidModule of it."""


@dataclass(slots=True)
class Context:
    """The module as function bodies see it (the specification's C), and a memory budget."""

    module: Module
    types: Sequence[FuncType]
    funcs: Sequence[FuncType]
    tables: Sequence[TableType]
    num_memories: int
    globals: Sequence[GlobalType]
    elem_types: Sequence[ValType]
    num_datas: int
    refs: frozenset[int]  # the functions that ref.func may name
    stack_budget: int  # how many more types may be recorded, or pushed several at a time


class Frame:
    """A control frame: the function's body, or a block, loop, if or else inside of it."""

    __slots__ = ("dead_from", "entered", "index", "label_types", "op", "prefix", "stack", "type")

    def __init__(self, op: Op, block_type: FuncType, index: int, label_types: ResultType) -> None:
        self.op = op
        self.type = block_type
        self.index = index  # of the instruction that opened it; an else keeps its if's
        self.label_types = label_types  # what a branch to it takes
        self.stack: list[Slot] = [BARRIER, *block_type.params]
        self.entered = True  # False: it lies in dead code
        self.dead_from: int | None = None  # from this instruction on it is dead
        self.prefix: ResultType | None = None  # the operands of all frames around, when asked for


@dataclass(slots=True)
class OperandState:
    """Operand and control stack, and what the rules record. Raises RuleBrokenError throughout."""

    context: Context
    type: FuncType
    locals: ResultType
    instrs: tuple[Instr, ...]
    frames: list[Frame]
    frame: Frame = field(init=False)  # the innermost one
    stack: list[Slot] = field(init=False)  # the innermost one's
    unreachable: bytearray = field(init=False)
    position: int = 0  # index of the instruction that broke a rule
    stack_at: dict[int, ResultType] = field(default_factory=dict)
    end_of: dict[int, int] = field(default_factory=dict)
    else_of: dict[int, int] = field(default_factory=dict)
    select_types: dict[int, ValType] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.frame = self.frames[-1]
        self.stack = self.frame.stack
        self.unreachable = bytearray(len(self.instrs))

    def pop(self) -> Slot:
        """Pop an operand of any type; UNKNOWN if the stack is empty in dead code."""
        top = self.stack[-1]
        if top is not BARRIER:
            return self.stack.pop()
        if self.frame.dead_from is None:
            raise RuleBrokenError("type mismatch: an operand is missing, the stack is empty")
        return UNKNOWN

    def pop_type(self, expected: ValType) -> Slot:
        """Pop an operand that must have a type; return what was there, perhaps UNKNOWN."""
        top = self.stack[-1]
        if top is expected:
            return self.stack.pop()
        if top is UNKNOWN:
            return self.stack.pop()
        if isinstance(top, ValType):
            raise RuleBrokenError(f"type mismatch: expected {expected.text}, found {top.text}")
        if self.frame.dead_from is None:
            raise RuleBrokenError(f"type mismatch: expected {expected.text}, the stack is empty")
        return UNKNOWN

    def pop_types(self, expected: ResultType) -> None:
        """Pop operands that must have these types, the last one from the top."""
        count = len(expected)
        if count == 0:
            return
        if tuple(self.stack[-count:]) == expected:
            del self.stack[-count:]
            return
        for valtype in reversed(expected):
            if self.stack[-1] is BARRIER and self.frame.dead_from is not None:
                return  # all that is left to pop is unknown
            self.pop_type(valtype)

    def peek_types(self, expected: ResultType) -> None:
        """Check that popping these types would succeed, but leave the stack as it is."""
        base = max(1, len(self.stack) - len(expected))
        saved = self.stack[base:]
        self.pop_types(expected)
        self.stack[base:] = saved

    def push_types(self, types: ResultType) -> None:
        """Push operands, the last one on top."""
        self.stack.extend(types)
        if len(types) > 1:
            self._spend(len(types))

    def set_dead(self, index: int) -> None:
        """Note that what follows instruction ``index`` in this frame is never reached."""
        del self.stack[1:]
        if self.frame.dead_from is None:
            self.frame.dead_from = index + 1

    def push_frame(self, frame: Frame) -> None:
        """Enter a frame whose parameters have been popped."""
        frame.entered = self.frame.entered and self.frame.dead_from is None
        self.frames.append(frame)
        self.frame = frame
        self.stack = frame.stack

    def pop_frame(self, index: int) -> Frame:
        """Check the results of the innermost frame and leave it; the caller pushes them."""
        frame = self.frame
        self.pop_types(frame.type.results)
        if len(self.stack) != 1:
            left = " ".join(slot.text for slot in self.stack if isinstance(slot, ValType))
            raise RuleBrokenError(
                f"type mismatch: values remain on the stack at the end of the block: [{left}]"
            )
        if frame.entered and frame.dead_from is not None:
            self.unreachable[frame.dead_from : index] = b"\1" * (index - frame.dead_from)
        self.frames.pop()
        if self.frames:
            self.frame = self.frames[-1]
            self.stack = self.frame.stack
        return frame

    def label_types(self, label: int) -> ResultType:
        """Return what a branch to ``label`` takes."""
        if label >= len(self.frames):
            raise RuleBrokenError(f"unknown label {label}")
        return self.frames[-1 - label].label_types

    def record_stack(self, index: int) -> None:
        """Record the whole operand stack before instruction ``index`` if that is reachable."""
        frame = self.frame
        if frame.entered and frame.dead_from is None:
            types = self._prefix() + self._operands(frame)
            self._spend(len(types))
            self.stack_at[index] = types

    def _operands(self, frame: Frame) -> ResultType:
        """Return a reachable frame's own operands, all of them known."""
        return tuple(slot for slot in frame.stack if isinstance(slot, ValType))

    def _prefix(self) -> ResultType:
        """Return the operands of all frames around the innermost one; kept in each frame."""
        frames = self.frames
        depth = len(frames) - 1
        while depth > 0 and frames[depth].prefix is None:
            depth -= 1
        prefix = frames[depth].prefix or ()
        for inner in range(depth + 1, len(frames)):
            outer = frames[inner - 1]
            if len(outer.stack) > 1:
                prefix += self._operands(outer)
                self._spend(len(prefix))
            frames[inner].prefix = prefix
        return prefix

    def _spend(self, count: int) -> None:
        """Charge what many small instructions could make large: a crafted module must not hang."""
        self.context.stack_budget -= count
        if self.context.stack_budget < 0:
            raise UnsupportedFeature("operand stacks this deep at this many instructions")
