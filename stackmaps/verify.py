"""The proof that frames are closed: machine code, stack maps and layouts -> Proof.

At each point (DESIGN: "frames that are closed at every point") the code behind the return address
may read nothing before it writes it, save

- the stack pointer and the frame pointer, which are set when a frame is entered;
- the register of the call's result;
- the homes: LLVM must expect any callee to have changed them, so reading one that the layout does
  not list (a load it moved up) cannot matter, and those listed are set when a frame is entered;
- the saved frame pointer and the return address of the frame itself.

One backward dataflow per function decides it for all its points (``flow``, ``liveness``). A spill
slot that is read but holds the same constant on every path to the point becomes a *fill* of the
frame table instead of a finding (``constants``). Also checked: each return address follows a call,
stack and frame pointer are at each point where the frame table says, no stack address other than
that of homes is taken (but for one load or store in the same block), nothing overwrites what the
frame keeps of its caller.

Functions are independent of each other: ``prove_function`` can run in a pool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from stackmaps.callees import CallResolver, Shared
from stackmaps.calls import CallShape, Signatures
from stackmaps.constants import ADDRESS, address_of, known_stack_bytes
from stackmaps.errors import StackMapError
from stackmaps.flow import FlowInput, FunctionFlow, Issue, follow
from stackmaps.frames import VALUE_SIZES, Fill, PointLayout
from stackmaps.isa import get_isa
from stackmaps.isa.aarch64_effects import MACHINE as AARCH64
from stackmaps.isa.effects import Flow, Machine
from stackmaps.isa.x86_64_effects import MACHINE as X86_64
from stackmaps.liveness import first_read, live_behind, live_in
from stackmaps.objects import ObjectCode
from stackmaps.section import StackMapFunction
from stackmaps.table import FunctionRow, Layouts, function_row, layout_of, point_site

MACHINES: Final[Mapping[str, Machine]] = {"x86_64": X86_64, "aarch64": AARCH64}


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a function is not proved.

    ``offset``: in the module, of the point; None where the whole function is meant. ``where``: a
    place in the text section; ``what``: what is wrong there.
    """

    function: str
    func_id: int
    offset: int | None
    what: str
    where: int

    def __str__(self) -> str:
        point = "" if self.offset is None else f", point at offset {self.offset:#x}"
        return f"{self.function}{point}: {self.what} (text+{self.where:#x})"


@dataclass(frozen=True, slots=True)
class FunctionProof:
    """The result for one function; ``fills`` by return address."""

    function: str
    func_id: int
    points: int
    instructions: int
    findings: tuple[Finding, ...]
    fills: Mapping[int, tuple[Fill, ...]]

    @property
    def closed(self) -> bool:
        """Tell whether every point of the function is closed."""
        return not self.findings


@dataclass(frozen=True)
class Proof:
    """The result for an object: one FunctionProof per function with points."""

    functions: tuple[FunctionProof, ...]

    @property
    def closed(self) -> bool:
        """Tell whether every function is closed."""
        return all(function.closed for function in self.functions)

    @property
    def findings(self) -> list[Finding]:
        """Return all findings, function after function."""
        return [finding for function in self.functions for finding in function.findings]

    @property
    def fills(self) -> dict[int, tuple[Fill, ...]]:
        """Return the constants to put into the frame table, by return address."""
        return {at: fills for function in self.functions for at, fills in function.fills.items()}

    def describe(self) -> str:
        """Return the proof for people: a summary, then a line per finding."""
        points = sum(function.points for function in self.functions)
        open_functions = sum(not function.closed for function in self.functions)
        lines = [
            f"{len(self.functions)} functions, {points} points, "
            f"{sum(f.instructions for f in self.functions)} instructions: "
            + (f"{open_functions} functions are not closed" if open_functions else "all closed")
        ]
        if self.fills:
            lines.append(f"{sum(map(len, self.fills.values()))} constants to fill in")
        return "\n".join(lines + [f"  {finding}" for finding in self.findings])


def prove(code: ObjectCode, layouts: Layouts, signatures: Signatures) -> Proof:
    """Prove every function of an object. Raises StackMapError where object and layouts disagree."""
    check_records(code, signatures)
    functions = [
        function
        for stack_map in code.stack_maps
        for function in stack_map.functions
        if function.records
    ]
    shared = Shared()
    return Proof(tuple(prove_function(code, f, layouts, signatures, shared) for f in functions))


def check_records(code: ObjectCode, signatures: Signatures) -> None:
    """Check that no call of a function that can be suspended lacks its record.

    LLVM's instruction selectors do not all know the "deopt" bundle (GlobalISel, which AArch64 uses
    without optimisation, drops it in silence), and a tail call might stay an ordinary call.
    Raises StackMapError.
    """
    check_tail_calls(code, signatures)
    points = set()
    suspendable = set(signatures.suspendable)
    for stack_map in code.stack_maps:
        for function in stack_map.functions:
            points |= {function.address + r.instruction_offset for r in function.records}
            if function.records:
                suspendable.add(code.name_at(function.address) or "")
    for relocation in code.relocations.values():
        symbol, at = relocation.symbol, relocation.offset
        if symbol.name not in suspendable or at + 4 in points:
            continue
        before = code.text[at - 1 : at] if code.isa == "x86_64" else code.text[at + 3 : at + 4]
        if before == b"\xe8" or (code.isa == "aarch64" and before and before[0] >> 2 == 0b100101):
            raise StackMapError(
                f"call of {symbol.name} at text+{at:#x} has no stack map record: LLVM dropped it"
            )


def check_tail_calls(code: ObjectCode, signatures: Signatures) -> None:
    """Check that indirect tail calls are jumps, in functions without records.

    (In others the proof reports an indirect call without a record.) Raises StackMapError.
    """
    with_records = {
        code.name_at(function.address)
        for stack_map in code.stack_maps
        for function in stack_map.functions
        if function.records
    }
    machine = MACHINES[code.isa]
    for name in signatures.tail_callees:
        if name in with_records or name not in code.functions:
            continue
        begin, size = code.functions[name]
        at = begin
        while at < begin + size:
            effects = machine.decode(code.text, at)
            known = any(place in code.relocations for place in range(at, at + effects.size))
            if effects.flow is Flow.CALL and effects.target is None and not known:
                text = machine.text(code.text, at)
                raise StackMapError(f"{name}: {text} at text+{at:#x} should be a tail call")
            at += effects.size


def prove_function(
    code: ObjectCode,
    function: StackMapFunction,
    layouts: Layouts,
    signatures: Signatures,
    shared: Shared | None = None,
) -> FunctionProof:
    """Prove one function. Raises StackMapError where object and layouts disagree."""
    return _Prover(code, function, layouts, signatures, shared or Shared()).run()


@dataclass
class _Prover:
    """The work of ``prove_function``."""

    code: ObjectCode
    function: StackMapFunction
    layouts: Layouts
    signatures: Signatures
    shared: Shared
    findings: list[Finding] = field(default_factory=list)
    fills: dict[int, tuple[Fill, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.machine = MACHINES[self.code.isa]
        self.row: FunctionRow = function_row(self.code, self.function, get_isa(self.code.isa))
        self.name = self.code.name_at(self.function.address) or ""
        self.points: dict[int, PointLayout] = {
            self.function.address + record.instruction_offset: layout_of(
                self.layouts, point_site(record)
            )
            for record in self.function.records
        }
        slots = self.signatures.home_slots.get(self.row.func_id, 0)
        for layout in self.points.values():
            for valtype, slot in _values(layout):
                slots = max(slots, slot + (2 if VALUE_SIZES[valtype] == 16 else 1))
        self.homes = (self.row.homes - 8 * max(slots, 1), self.row.homes)
        self.home_bits = self.bits(self.homes[1], 8 * max(slots, 1))
        self.calls = CallResolver(
            self.code,
            self.machine,
            self.signatures,
            self.row.code_begin,
            self.row.code_end,
            self.points,
            self.report,
            self.shared,
        )

    def bits(self, distance: int, size: int) -> int:
        """Return the bits of ``size`` stack bytes from CFA - ``distance`` up."""
        return ((1 << size) - 1) << self.machine.units + distance - size

    def run(self) -> FunctionProof:
        flow, suspects = self.suspects()
        registers = 0
        for left in suspects.values():
            registers |= left & ((1 << self.machine.units) - 1)
        if registers and self.calls.refine(registers, self.layouts):
            self.findings.clear()
            flow, suspects = self.suspects()
        for issue in flow.issues:
            self.report(None, issue)
        self.check_frames(flow)
        if suspects:
            self.settle(flow, suspects)
        count = sum(len(block.steps) for block in flow.blocks.values())
        return FunctionProof(
            self.name,
            self.row.func_id,
            len(self.points),
            count,
            tuple(sorted(set(self.findings), key=lambda f: (f.where, f.what))),
            self.fills,
        )

    def suspects(self) -> tuple[FunctionFlow, dict[int, int]]:
        """Follow the function; return what is alive at its points and must not be."""
        row = self.row
        flow = follow(
            FlowInput(
                begin=row.code_begin,
                end=row.code_end,
                machine=self.machine,
                decoded=self.calls.decoded,
                text=self.calls.text,
                points=self.points,
                homes=self.homes,
                result_units=self.own_result(self.signatures.of_symbol(self.name)),
                call_effect=self.calls.call_effect,
                tail_call=self.calls.tail_call,
            )
        )
        live = live_in(flow)
        for at, units in flow.scratch.items():
            if live_behind(flow, live, at) & units:
                flow.issues.append(Issue(at, "the address of a spill slot is used again"))
        found = {}
        for at, layout in self.points.items():
            shape = self.calls.shapes.get(at)
            if shape is not None and not shape.returns:
                continue  # what stands behind the call belongs to other paths
            if at in live and not (layout.never_suspended or at in self.calls.never):
                left = self.machine.meaningful(live[at] & ~self.allowed(at, layout))
                if left:
                    found[at] = left
        return flow, found

    def report(self, offset: int | None, issue: Issue) -> None:
        self.findings.append(Finding(self.name, self.row.func_id, offset, issue.what, issue.offset))

    def own_result(self, own: CallShape | None) -> int:
        """Return what a return reads: the result's register, both where that is unknown."""
        if self.row.is_thunk:
            return 0
        if own is None:
            lowest = self.machine.float_result & -self.machine.float_result
            return self.machine.int_result | lowest
        return own.returns_units(self.machine)

    def allowed(self, at: int, layout: PointLayout) -> int:
        """Return what may be alive at a point."""
        bits = self.bits(self.row.fp_save, 8) | self.bits(self.row.ra_save, 8) | self.home_bits
        shape = self.calls.shapes.get(at) or self.signatures.of_point(layout)
        return bits | (shape.result_units(self.machine) if shape else 0)

    def check_frames(self, flow: FunctionFlow) -> None:
        """Hold the frame table's row against what the code did to its pointers."""
        row = self.row
        calls = {
            step.offset + step.effects.size
            for block in flow.blocks.values()
            for step in block.steps[-1:]
            if step.effects.flow is Flow.CALL
        }
        for at, state in flow.states.items():
            if at in self.calls.never:  # other code, which nobody reaches from the call
                continue
            offset = self.points[at].offset
            if at not in calls:
                self.report(offset, Issue(at, "its return address does not follow a call"))
            found = (state.sp, state.fp_saved, state.ra_saved, state.fp)
            if found != (row.frame_size, row.fp_save, row.ra_save, row.fp_offset):
                what = f"the code's frame {found} differs from the stack map's and unwind rows'"
                self.report(offset, Issue(at, what))

    def settle(self, flow: FunctionFlow, suspects: Mapping[int, int]) -> None:
        """Turn what is alive at points into fills where it is constant, else into findings."""
        units = self.machine.units
        wanted = 0
        for left in suspects.values():
            wanted |= left >> units
        known = self.known_bytes(flow, wanted) if wanted else {}
        for at, left in suspects.items():
            constant = known.get(at, {})
            fill: dict[int, int] = {}
            whole = whole_addresses(constant, left >> units)
            for distance in _distances(left >> units):
                if distance in constant and (constant[distance] < ADDRESS or distance in whole):
                    fill[distance] = constant[distance]
                    left &= ~(1 << units + distance - 1)
            if left:
                self.explain(flow, at, left)
            elif fill:
                self.fills[at] = make_fills(fill)

    def known_bytes(self, flow: FunctionFlow, wanted: int) -> dict[int, dict[int, int]]:
        """Return the constants among the ``wanted`` stack bytes, by point."""
        bases = (self.row.frame_size, self.row.fp_offset)
        return known_stack_bytes(self.code, flow, self.machine, wanted, bases)

    def explain(self, flow: FunctionFlow, at: int, left: int) -> None:
        """Report each register and stack range that is alive at a point and must not be."""
        machine = self.machine
        groups: list[tuple[str, int]] = []
        for name in machine.names(left & ((1 << machine.units) - 1)):
            mask = sum(1 << n for n, unit in enumerate(machine.unit_names) if unit == name)
            groups.append((f"register {name}", left & mask))
        distances = _distances(left >> machine.units)
        while distances:
            top = distances[0]
            size = next((n for n, d in enumerate(distances) if d != top - n), len(distances))
            distances = distances[size:]
            mask = self.bits(top, size)
            groups.append((f"spill slot CFA-{top} ({size} bytes)", left & mask))
        for what, mask in groups:
            read = first_read(flow, at, mask)
            place, text = (at, "a copy") if read is None else (read, self.calls.text(read))
            self.report(
                self.points[at].offset,
                Issue(place, f"{what} is read behind text+{at:#x} by {text}"),
            )


def _values(layout: PointLayout) -> list[tuple[int, int]]:
    return [(valtype, slot) for _, valtype, slot in layout.locals] + list(layout.operands)


def _distances(bits: int) -> list[int]:
    """Return the distances from the CFA of a set of stack bytes, the largest first."""
    found = []
    while bits:
        top = bits.bit_length()
        found.append(top)
        bits &= ~(1 << top - 1)
    return found


def whole_addresses(known: Mapping[int, int], alive: int) -> set[int]:
    """Return the distances of the bytes that belong to an address of which all eight are alive."""
    found: set[int] = set()
    for top in known:
        data = tuple(known.get(top - n, -1) for n in range(8))
        if address_of(data) is not None and top >= 8 and alive >> top - 8 & 0xFF == 0xFF:
            found |= set(range(top - 7, top + 1))
    return found


def make_fills(known: Mapping[int, int]) -> tuple[Fill, ...]:
    """Pack bytes by distance from the CFA into fills of power-of-two sizes up to 64."""
    fills = []
    rest = sorted(known, reverse=True)
    while rest:
        top = rest[0]
        size = 1
        address = address_of(tuple(known.get(top - n, -1) for n in range(8)))
        if address is not None:
            fills.append(Fill(top, b"", address))
            size = 8
        else:
            while size < 64 and all(known.get(top - n, ADDRESS) < ADDRESS for n in range(2 * size)):
                size *= 2
            fills.append(Fill(top, bytes(known[top - n] for n in range(size))))
        rest = rest[size:]
    return tuple(fills)
