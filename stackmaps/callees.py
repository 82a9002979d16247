"""What each call in a function reads and destroys, from signatures and, on demand, from code.

A signature says which registers may carry arguments. LLVM passes garbage for a parameter that it
knows the callee never looks at, so where a register is suspected because a call reads it, the
callee's own code is asked: what is alive at its entry is what the call reads (``entry_reads``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import or_

from stackmaps.calls import CallShape, Signatures
from stackmaps.flow import CallEffect, FlowInput, Issue, follow
from stackmaps.frames import PointLayout
from stackmaps.isa.effects import Effects, Flow, Machine
from stackmaps.liveness import live_in
from stackmaps.objects import ObjectCode
from stackmaps.table import Layouts, layout_of, point_site

_DEPTH = 4  # callees of callees of ... that are looked at


@dataclass(frozen=True, slots=True)
class Shared:
    """What the proofs of one object's functions learn and pass on to each other.

    ``refined``: what calls of a symbol really read; ``endless``: which symbols never return;
    ``instructions``: decoded functions by start.
    """

    refined: dict[str, int] = field(default_factory=dict)
    endless: dict[str, bool] = field(default_factory=dict)
    instructions: dict[tuple[int, int], dict[int, Effects]] = field(default_factory=dict)

    def decoded(self, machine: Machine, code: bytes, begin: int, end: int) -> dict[int, Effects]:
        """Return the instructions of [begin, end) by offset, in order."""
        known = self.instructions.get((begin, end))
        if known is None:
            known = self.instructions[begin, end] = {}
            decode, at = machine.decode, begin
            while at < end:
                effects = known[at] = decode(code, at)
                at += effects.size
        return known


@dataclass
class CallResolver:
    """Answers the flow's questions about the calls of one function.

    ``points`` has the layouts by return address.
    """

    code: ObjectCode
    machine: Machine
    signatures: Signatures
    begin: int
    end: int
    points: Mapping[int, PointLayout]
    report: Callable[[int | None, Issue], None]
    shared: Shared
    shapes: dict[int, CallShape] = field(default_factory=dict)  # by return address
    called: dict[str, CallShape] = field(default_factory=dict)  # direct callees
    never: set[int] = field(default_factory=set)  # return addresses of calls that never return

    def decoded(self, begin: int, end: int) -> Mapping[int, Effects]:
        """Return the instructions of a range of the object's code."""
        return self.shared.decoded(self.machine, self.code.text, begin, end)

    def text(self, at: int) -> str:
        """Return an instruction for people."""
        return self.machine.text(self.code.text, at)

    def target_symbol(self, at: int, effects: Effects) -> str | None:
        """Return the symbol that a direct call or jump names."""
        for place in range(at, at + effects.size):
            relocation = self.code.relocations.get(place)
            if relocation is not None:
                symbol = relocation.symbol
                if symbol.name != symbol.section:
                    return symbol.name
                addend = relocation.addend + (4 if self.code.isa == "x86_64" else 0)
                return self.code.name_at(symbol.value + addend)
        return None if effects.target is None else self.code.name_at(at + effects.target)

    def call_effect(self, at: int, effects: Effects) -> CallEffect:
        """Say what the call at ``at`` does. Reports a callee that nobody knows."""
        after = at + effects.size
        layout = self.points.get(after)
        symbol = self.target_symbol(at, effects)
        shape = self.signatures.of_symbol(symbol)
        if shape is None and layout is not None:
            shape = self.signatures.of_point(layout)
        offset = layout.offset if layout is not None else None
        if shape is None:
            self.report(offset, Issue(at, f"calls {symbol or self.text(at)}, which is not known"))
            return CallEffect(self.every_argument(), 0, after != self.end)
        if layout is not None:
            self.shapes[after] = shape
            if shape.convention != "preserve_none":
                self.report(offset, Issue(at, "a call with callee-saved registers is a point"))
        reads = shape.reads(self.machine)
        if symbol is not None:
            self.called[symbol] = shape
            reads &= self.shared.refined.get(symbol, -1)
        returns = shape.returns and after != self.end and not self.never_returns(symbol)
        if not returns:
            self.never.add(after)
        return CallEffect(reads | effects.use, shape.clobbers(self.machine), returns)

    def never_returns(self, symbol: str | None) -> bool:
        """Tell whether the object's function called ``symbol`` has no return instruction.

        LLVM knows such functions, and puts code behind a call of one that nobody reaches that way
        (or nothing at all: a call that ends a function never returns).
        """
        if symbol is None or symbol not in self.code.functions:
            return False
        known = self.shared.endless.get(symbol)
        if known is None:
            known = self.shared.endless[symbol] = self.has_no_return(*self.code.functions[symbol])
        return known

    def has_no_return(self, begin: int, size: int) -> bool:
        """Tell whether nothing in a function can return: no return, no jump to elsewhere."""
        end = begin + size
        for at, effects in self.shared.decoded(self.machine, self.code.text, begin, end).items():
            if effects.flow in (Flow.RETURN, Flow.INDIRECT_JUMP) or effects.unknown:
                return False
            if effects.flow in (Flow.JUMP, Flow.BRANCH):
                inside = effects.target is not None and begin <= at + effects.target < end
                if not inside or self.is_relocated(at, effects):
                    return False
        return True

    def is_relocated(self, at: int, effects: Effects) -> bool:
        """Whether the linker is going to change where a direct jump goes.

        The distance is a jump's last four bytes, or the second one of two.
        """
        place = at + effects.size - 4 if effects.size >= 4 else at + 1
        return place in self.code.relocations

    def every_argument(self) -> int:
        """Return all registers that may carry arguments, for a callee that is not known."""
        units = 0
        for convention in self.machine.conventions.values():
            units |= reduce(or_, convention.ints)
            units |= reduce(or_, (0b111 << first for first in convention.floats))
        return units

    def tail_call(self, at: int, effects: Effects) -> int | None:
        """Say what a jump out of the function reads; None for a jump inside it.

        Functions have no jump tables: an indirect jump is a tail call.
        """
        if effects.flow is Flow.INDIRECT_JUMP:
            return self.indirect_tail_call(at, effects)
        inside = effects.target is not None and self.begin <= at + effects.target < self.end
        if inside and not self.is_relocated(at, effects):
            return None
        symbol = self.target_symbol(at, effects)
        shape = self.signatures.of_symbol(symbol)
        if shape is None:
            self.report(None, Issue(at, f"jumps out of the function ({self.text(at)})"))
            return 0
        return shape.reads(self.machine)

    def indirect_tail_call(self, at: int, effects: Effects) -> int:
        """Return what any of the function's indirect tail calls may read."""
        name = self.code.name_at(self.begin)
        numbers = self.signatures.tail_callees.get(name or "", ())
        if not numbers:
            self.report(None, Issue(at, f"indirect jump ({self.text(at)})"))
        shapes = [self.signatures.callees[number] for number in numbers]
        return reduce(or_, (shape.reads(self.machine) for shape in shapes), 0)

    def refine(self, suspected: int, layouts: Layouts, depth: int = _DEPTH) -> bool:
        """Look into the callees that read ``suspected`` registers; tell whether that changed any.

        Valid after the function has been followed.
        """
        changed = False
        for symbol, shape in self.called.items():
            reads = shape.reads(self.machine)
            if symbol in self.shared.refined or not reads & suspected:
                continue
            if symbol not in self.code.functions:
                continue
            self.shared.refined[symbol] = reads  # also while it is looked at: it may be recursive
            found = reads & self.entry_reads(symbol, shape, layouts, depth)
            changed |= found != reads
            self.shared.refined[symbol] = found
        return changed

    def entry_reads(self, symbol: str, shape: CallShape, layouts: Layouts, depth: int) -> int:
        """Return what the function called ``symbol`` reads of its registers at entry."""
        begin, size = self.code.functions[symbol]
        points = {}
        for stack_map in self.code.stack_maps:
            for function in stack_map.functions:
                if function.address == begin:
                    for record in function.records:
                        at = begin + record.instruction_offset
                        points[at] = layout_of(layouts, point_site(record))
        issues: list[Issue] = []
        inner = CallResolver(
            self.code,
            self.machine,
            self.signatures,
            begin,
            begin + size,
            points,
            lambda _, issue: issues.append(issue),
            self.shared,
        )
        source = FlowInput(
            begin=begin,
            end=begin + size,
            machine=self.machine,
            decoded=self.decoded,
            text=self.text,
            points=points,
            homes=(0, 1 << 32),
            result_units=shape.returns_units(self.machine),
            call_effect=inner.call_effect,
            tail_call=inner.tail_call,
        )
        flow = follow(source)
        alive = live_in(flow)[begin]
        suspects = alive & shape.reads(self.machine)
        if suspects and depth and inner.refine(suspects, layouts, depth - 1):
            flow = follow(source)
            alive = live_in(flow)[begin]
        return -1 if issues or flow.issues else alive
