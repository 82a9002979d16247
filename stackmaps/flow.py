"""The control flow of one machine function, with the stack and frame pointer followed exactly.

Code and the effects of its instructions -> basic blocks in which every stack access has become a
set of bits: bit ``machine.units + d - 1`` is the byte at CFA - d. Places where the code does what
the proof cannot follow become findings, since such a function is not proved.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from stackmaps.isa.effects import (
    FP_BASE,
    SP_BASE,
    Copy,
    Effects,
    Flow,
    IndirectAccess,
    Machine,
    StackAccess,
    StackAddress,
)


@dataclass(frozen=True, slots=True)
class CallEffect:
    """What a call at one place does: units read and destroyed, and whether it returns."""

    use: int
    clobbers: int
    returns: bool


@dataclass(frozen=True, slots=True)
class Issue:
    """Something wrong at a place in the code."""

    offset: int
    what: str


@dataclass(slots=True)
class State:
    """Distances down from the CFA; ``fp`` is None while it is the caller's."""

    sp: int
    fp: int | None
    fp_saved: int | None
    ra_saved: int | None

    def copy(self) -> State:
        """Return a copy to be changed."""
        return State(self.sp, self.fp, self.fp_saved, self.ra_saved)


@dataclass(slots=True)
class Step:
    """One instruction in place: what it reads, overwrites and copies, stack bytes included."""

    offset: int
    effects: Effects
    use: int
    defs: int
    copies: tuple[Copy, ...]


@dataclass(slots=True)
class Block:
    """A run of instructions that is entered at its start only."""

    start: int
    steps: list[Step] = field(default_factory=list)
    successors: list[int] = field(default_factory=list)


@dataclass(slots=True)
class FunctionFlow:
    """A function's blocks by start, those that can be reached; what is wrong with it."""

    begin: int
    end: int
    blocks: dict[int, Block]
    states: dict[int, State]  # at each point's return address
    issues: list[Issue]
    scratch: dict[int, int]  # accesses by the address of a spill slot: its register, dead behind


@dataclass(frozen=True)
class FlowInput:
    """One function to follow. ``call_effect`` and ``tail_call`` answer for places in the code.

    ``decoded`` returns the instructions of [begin, end) in order, ``text`` one for people.
    ``points`` are return addresses, where blocks start and states are kept.
    ``tail_call`` says for a jump out of the function what it reads, None for a plain jump;
    ``homes`` is the range of distances (low, high] that the home slots take.
    """

    begin: int
    end: int
    machine: Machine
    decoded: Callable[[int, int], Mapping[int, Effects]]
    points: Collection[int]
    homes: tuple[int, int]
    result_units: int
    text: Callable[[int], str]
    call_effect: Callable[[int, Effects], CallEffect]
    tail_call: Callable[[int, Effects], int | None]


def spill_copies(access: IndirectAccess, bits: int) -> tuple[Copy, ...]:
    """Return which unit of a vector register goes to which byte of the stack, or comes from it.

    LLVM spills several registers at once though nobody needs some of them any more. ``bits``: the
    bytes of the stack, the lowest address highest.
    """
    copies = []
    for number, vector in enumerate(access.vectors):
        for k in range(access.width):
            unit = vector + (0, 1, 2, 2)[k // 4]
            byte = bits.bit_length() - 1 - number * access.width - k
            copies.append(Copy(byte, 1, unit) if access.store else Copy(unit, 1, byte))
    return tuple(copies)


def follow(source: FlowInput) -> FunctionFlow:
    """Decode a function and follow it from its entry."""
    return _Follower(source).run()


class _Follower:
    """The work of ``follow``."""

    def __init__(self, source: FlowInput) -> None:
        self.source = source
        self.units = source.machine.units
        self.text = source.text
        self.issues: list[Issue] = []
        self.instructions: Mapping[int, Effects] = {}
        self.leaders: set[int] = set(source.points)
        self.blocks: dict[int, Block] = {}
        self.entry_states: dict[int, State] = {}
        self.through: dict[int, tuple[int, StackAddress]] = {}  # accesses by an address made at
        self.scratch: dict[int, int] = {}
        self._serving: set[int] | None = None

    def run(self) -> FunctionFlow:
        source = self.source
        self.decode()
        machine = source.machine
        entry = State(machine.entry_sp, None, None, machine.ra_on_entry or None)
        pending = [source.begin]
        self.entry_states[source.begin] = entry
        while pending:
            start = pending.pop()
            if start not in self.blocks:
                pending += self.walk_block(start)
        states = {at: self.entry_states[at] for at in source.points if at in self.entry_states}
        return FunctionFlow(
            source.begin, source.end, self.blocks, states, self.issues, self.scratch
        )

    def decode(self) -> None:
        """Find where blocks start."""
        source = self.source
        self.instructions = source.decoded(source.begin, source.end)
        at = source.begin
        made: dict[int, tuple[int, StackAddress]] = {}  # by register, not used since
        for at, effects in self.instructions.items():
            if effects.flow is Flow.NEXT and not (made or effects.special):
                continue
            if effects.indirect is not None and effects.indirect.units in made:
                self.through[at] = made[effects.indirect.units]
            touched = effects.use | effects.defs
            if effects.flow is not Flow.NEXT or effects.move or effects.before or effects.after:
                made.clear()
            elif made:
                made = {units: by for units, by in made.items() if not units & touched}
            if effects.address is not None and effects.address.plain:
                made[effects.address.units] = (at, effects.address)
            if effects.flow is not Flow.NEXT and effects.flow is not Flow.CALL:
                self.leaders.add(at + effects.size)
                if effects.target is not None:
                    self.leaders.add(at + effects.target)
        if self.instructions and at + self.instructions[at].size != source.end:
            self.issues.append(Issue(at, "its last instruction reaches past its end"))

    def enter(self, start: int, state: State, frm: int) -> list[int]:
        """Note that ``start`` is reached with ``state``; return it if it is new."""
        if start not in self.instructions:
            what = "runs past its end" if start >= self.source.end else "jumps into an instruction"
            self.issues.append(Issue(frm, what))
            return []
        known = self.entry_states.get(start)
        if known is None:
            self.entry_states[start] = state.copy()
            return [start]
        if (known.sp, known.fp) != (state.sp, state.fp):
            self.issues.append(Issue(frm, f"stack pointers differ on the ways to +{start:#x}"))
        return []

    def walk_block(self, start: int) -> list[int]:
        """Turn the instructions from ``start`` into a block; return new successors."""
        block = self.blocks[start] = Block(start)
        state = self.entry_states[start].copy()
        at = start
        steps, instructions, leaders = block.steps, self.instructions, self.leaders
        while True:
            effects = instructions[at]
            use, defs, copies = effects.use, effects.defs, effects.copies
            if effects.special:
                use, defs, copies = self.apply_stack(at, effects, state)
            after = at + effects.size
            if effects.flow is not Flow.NEXT:
                return self.finish(block, Step(at, effects, use, defs, copies), state)
            steps.append(Step(at, effects, use, defs, copies))
            if after in leaders or after not in instructions:
                block.successors.append(after)
                return self.enter(after, state, at)
            at = after

    def finish(self, block: Block, step: Step, state: State) -> list[int]:
        """End a block at a call, jump, return or trap; calls without a point do not end it."""
        source, at, effects = self.source, step.offset, step.effects
        after = at + effects.size
        block.steps.append(step)
        successors: list[int] = []
        if effects.flow is Flow.CALL:
            call = source.call_effect(at, effects)
            step.use |= call.use
            step.defs |= call.clobbers
            if call.returns:
                successors.append(after)
        elif effects.flow is Flow.RETURN:
            step.use |= source.result_units
            if state.sp != source.machine.entry_sp or state.fp is not None:
                self.issues.append(Issue(at, "returns without having undone its frame"))
        elif effects.flow in (Flow.JUMP, Flow.BRANCH, Flow.INDIRECT_JUMP):
            successors += self.jump(step, state)
            if effects.flow is Flow.BRANCH:
                successors.append(after)
        block.successors += successors
        found = []
        for successor in successors:
            found += self.enter(successor, state, at)
        return found

    def jump(self, step: Step, state: State) -> list[int]:
        """Return where a jump goes inside the function; a tail call goes nowhere."""
        at, effects = step.offset, step.effects
        arguments = self.source.tail_call(at, effects)
        if arguments is None:
            assert effects.target is not None
            return [at + effects.target]
        step.use |= arguments | self.source.machine.link
        if state.sp != self.source.machine.entry_sp or state.fp is not None:
            self.issues.append(Issue(at, f"{self.text(at)}: jumps away in front of its frame"))
        return []

    def apply_stack(
        self, at: int, effects: Effects, state: State
    ) -> tuple[int, int, tuple[Copy, ...]]:
        """Follow what an instruction does to the pointers and the stack."""
        use, defs, copies = effects.use, effects.defs, effects.copies
        if effects.unknown:
            self.issues.append(Issue(at, f"{self.text(at)}: {effects.unknown}"))
        state.sp -= effects.before
        for access in (*effects.stack, *self.by_address(at, effects)):
            bits = self.stack_bits(at, effects, access, state)
            if access.writes:
                defs |= bits
                self.check_saved(at, effects, bits, state)
            if access in effects.stack:
                use |= bits if access.reads else 0
            elif effects.indirect is not None and bits:
                copies = spill_copies(effects.indirect, bits)
                use &= ~sum(0b111 << vector for vector in effects.indirect.vectors)
        for register, base, disp in effects.saves:
            self.note_save(register, base, disp, state)
        state.sp -= effects.after
        if effects.move is not None:
            frm = state.sp if effects.move.frm == SP_BASE else state.fp
            if frm is None:
                self.issues.append(Issue(at, f"{self.text(at)}: the frame pointer is the caller's"))
            elif effects.move.to == SP_BASE:
                state.sp = frm - effects.move.add
            else:
                state.fp = frm - effects.move.add
        if effects.fp_lost:
            state.fp = None
        if effects.address is not None and at not in self.serving():
            self.check_address(at, effects, state)
        return use, defs, copies

    def serving(self) -> set[int]:
        """Return where addresses are made that serve one access in the same block."""
        if self._serving is None:
            self._serving = {
                made
                for at, (made, _) in self.through.items()
                if not any(made < leader <= at for leader in self.leaders)
            }
        return self._serving

    def by_address(self, at: int, effects: Effects) -> list[StackAccess]:
        """Return the access by an address that serves nothing else."""
        access = effects.indirect
        if access is None or at not in self.through:
            return []
        made, address = self.through[at]
        if made not in self.serving():
            return []
        self.scratch[at] = access.units
        store = access.store
        return [StackAccess(address.base, address.disp, access.size, not store, store)]

    def stack_bits(self, at: int, effects: Effects, access: StackAccess, state: State) -> int:
        """Return the bits of the stack bytes that an access covers."""
        base = state.sp if access.base == SP_BASE else state.fp
        if base is None:
            self.issues.append(Issue(at, f"{self.text(at)}: the frame pointer is the caller's"))
            return 0
        top = base - access.disp
        if access.indexed:
            self.issues.append(Issue(at, f"indexed stack access ({self.text(at)})"))
            return 0
        if top - access.size < 0:
            self.issues.append(Issue(at, f"reaches into the caller's frame ({self.text(at)})"))
            return 0
        return ((1 << access.size) - 1) << self.units + top - access.size

    def note_save(self, register: str, base: int, disp: int, state: State) -> None:
        distance = (state.sp if base == SP_BASE else state.fp or 0) - disp
        if register == "fp" and state.fp is None:
            state.fp_saved = distance
        elif register == "ra" and state.ra_saved is None:
            state.ra_saved = distance

    def check_saved(self, at: int, effects: Effects, bits: int, state: State) -> None:
        """Refuse a store over the saved frame pointer or return address."""
        for saved in (state.fp_saved, state.ra_saved):
            if saved is not None and bits >> self.units >> saved - 8 & 0xFF:
                what = f"overwrites what it keeps of its caller ({self.text(at)})"
                self.issues.append(Issue(at, what))

    def check_address(self, at: int, effects: Effects, state: State) -> None:
        """Refuse addresses of the stack other than those of homes."""
        address = effects.address
        assert address is not None
        base = state.fp if address.base == FP_BASE else state.sp
        if base is None:
            self.issues.append(Issue(at, f"{self.text(at)}: the frame pointer is the caller's"))
            return
        low, high = self.source.homes
        if not (address.plain and low < base - address.disp <= high):
            self.issues.append(Issue(at, f"address of a spill slot taken ({self.text(at)})"))
