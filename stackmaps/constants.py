"""Which stack bytes hold the same constant on every path to a point: a forward dataflow.

LLVM parks constants (the start value of a phi, a hoisted ``1.5``) in spill slots over calls. Such
a slot needs no home: its bytes are known here, and whoever writes the frame fills them in. Only
functions that the liveness found wanting are looked at, so this may take its time.

Known are immediates, zero idioms, loads from read-only data, what simple arithmetic makes of them,
and copies of what is known, through registers and slots. Everything else makes a register or a
stack byte unknown. Sound because the address of no spill slot is taken (the flow reports it
otherwise), so no callee can change one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce

from stackmaps.flow import Block, FunctionFlow, Step
from stackmaps.isa import aarch64_constants, x86_64_constants
from stackmaps.isa.effects import (
    OPERATIONS,
    Compute,
    Load,
    Machine,
    Move,
    Pool,
    SetRegister,
    Store,
)
from stackmaps.objects import ObjectCode

_CONSTANTS = {
    "x86_64": x86_64_constants.constant_actions,
    "aarch64": aarch64_constants.constant_actions,
}


@dataclass
class _Known:
    """Registers by first unit, little-endian from bit 0; stack bytes by distance."""

    registers: dict[int, bytes] = field(default_factory=dict)
    stack: dict[int, int] = field(default_factory=dict)

    def copy(self) -> _Known:
        return _Known(dict(self.registers), dict(self.stack))

    def meet(self, other: _Known) -> bool:
        """Keep what both know; tell whether anything was lost."""
        changed = False
        for mine, theirs in ((self.registers, other.registers), (self.stack, other.stack)):
            lost = [key for key, value in mine.items() if theirs.get(key) != value]
            for key in lost:
                del mine[key]
            changed |= bool(lost)
        return changed


def known_stack_bytes(
    code: ObjectCode, flow: FunctionFlow, machine: Machine, wanted: int
) -> dict[int, dict[int, int]]:
    """Return, by point, the known bytes among the ``wanted`` ones (bit d - 1: CFA - d)."""
    actions = _Interpreter(code, machine, wanted)
    states = {flow.begin: _Known()}
    pending = [flow.begin]
    while pending:
        start = pending.pop()
        state = states[start].copy()
        block = flow.blocks[start]
        actions.run(block, state)
        for successor in block.successors:
            if successor not in flow.blocks:
                continue
            if successor not in states:
                states[successor] = state.copy()
                pending.append(successor)
            elif states[successor].meet(state):
                pending.append(successor)
    return {at: states[at].stack for at in flow.states if at in states}


@dataclass
class _Interpreter:
    """Applies blocks to what is known."""

    code: ObjectCode
    machine: Machine
    wanted: int

    def run(self, block: Block, state: _Known) -> None:
        for step in block.steps:
            self.step(step, state)

    def step(self, step: Step, state: _Known) -> None:
        code = self.code.text[step.offset : step.offset + step.effects.size]
        actions = _CONSTANTS[self.machine.name](code)
        if not (actions or step.defs or step.effects.copies):
            return
        results: list[tuple[int, bytes | None]] = []
        stored: bytes | None = b""
        for action in actions:
            if isinstance(action, SetRegister):
                results.append((action.register, action.data))
            elif isinstance(action, Move):
                results.append((action.register, self.moved(action, state)))
            elif isinstance(action, Compute):
                results.append((action.register, self.computed(action, state)))
            elif isinstance(action, Pool):
                results.append((action.register, self.pool(step.offset, action)))
            elif isinstance(action, Load):
                results.append((action.register, self.loaded(step, action, state)))
            elif isinstance(action, Store) and stored is not None:
                data = action.data
                if action.register is not None:
                    data = state.registers.get(action.register, b"")[: action.size]
                stored = stored + data if len(data) == action.size else None
        self.forget(step, state)
        for register, known in results:
            if known is not None:
                state.registers[register] = known
        self.store(step, stored, state)

    def forget(self, step: Step, state: _Known) -> None:
        """Drop every register of which any unit is written."""
        for register in list(state.registers):
            if step.defs & self.machine.span(register):
                del state.registers[register]
        for copy in step.effects.copies:
            state.registers.pop(copy.to, None)

    def store(self, step: Step, stored: bytes | None, state: _Known) -> None:
        """Write to the stack: known bytes where there are as many as are written."""
        written = step.defs >> self.machine.units
        if not written:
            return
        top, size = written.bit_length(), written.bit_count()
        known = stored is not None and len(stored) == size
        for n in range(size):
            distance = top - n
            if known and stored is not None and self.wanted >> distance - 1 & 1:
                state.stack[distance] = stored[n]
            else:
                state.stack.pop(distance, None)

    def moved(self, action: Move, state: _Known) -> bytes | None:
        """Return a register's new value as made of another one's (or its own, for inserts)."""
        data = state.registers.get(action.source)
        if data is None or len(data) < action.size:
            return None
        if action.insert is not None:
            at, part = action.insert
            return data[:at] + part + data[at + len(part) :]
        return (data[: action.size] * action.repeat).ljust(action.width, b"\0")

    def computed(self, action: Compute, state: _Known) -> bytes | None:
        """Return an operation's result where all its sources are known."""
        mask = (1 << action.bits) - 1
        values = []
        for source in action.sources:
            if isinstance(source, int):
                values.append(source & mask)
                continue
            data = state.registers.get(source[0])
            if data is None:
                return None
            values.append(int.from_bytes(data[: action.bits // 8], "little") << source[1] & mask)
        result = reduce(OPERATIONS[action.operation], values) & mask
        return result.to_bytes(8, "little")

    def loaded(self, step: Step, action: Load, state: _Known) -> bytes | None:
        """Return bytes loaded from the stack where all are known."""
        read = step.use >> self.machine.units
        top = read.bit_length() - action.skip
        data = [state.stack.get(top - n) for n in range(action.size)]
        if not read or any(byte is None for byte in data):
            return None
        return bytes(b for b in data if b is not None).ljust(action.width, b"\0")

    def pool(self, offset: int, action: Pool) -> bytes | None:
        """Return bytes of the constant pool: the relocation at the instruction names the place."""
        relocation = self.code.relocations.get(offset + action.place)
        if relocation is None:
            return None
        section = self.code.constants.get(relocation.symbol.section)
        at = relocation.symbol.value + relocation.addend + action.bias
        if section is None or not 0 <= at <= len(section) - action.size:
            return None
        return (section[at : at + action.size] * action.repeat).ljust(action.width, b"\0")
