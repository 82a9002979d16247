"""Which stack bytes hold the same constant on every path to a point: a forward dataflow.

LLVM parks constants (the start value of a phi, a hoisted ``1.5``) in spill slots over calls. Such
a slot needs no home: its bytes are known here, and whoever writes the frame fills them in. Only
functions that the liveness found wanting are looked at, so this may take its time.

Known are immediates, zero idioms, loads from read-only data, addresses of homes, what simple
arithmetic makes of them, and copies of what is known, through registers and slots. Everything else
makes a register or a stack byte unknown. Sound because the address of no spill slot is taken (the
flow reports it otherwise), so no callee can change one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from typing import Final

from stackmaps.flow import Block, FunctionFlow, Step
from stackmaps.isa import aarch64_constants, x86_64_constants
from stackmaps.isa.effects import (
    OPERATIONS,
    Compute,
    Flip,
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


# Known bytes, lowest first. A byte of a home's address is not a number yet: byte n of CFA - d is
# ADDRESS + 8 d + n.
Bytes = tuple[int, ...]
ADDRESS: Final = 256


def address_bytes(distance: int) -> Bytes:
    """Return the eight bytes that stand for the address CFA - ``distance``."""
    return tuple(ADDRESS + 8 * distance + n for n in range(8))


def address_of(data: Bytes) -> int | None:
    """Return d where ``data`` starts with the address CFA - d."""
    distance = (data[0] - ADDRESS) // 8 if data else -1
    return distance if distance >= 0 and data[:8] == address_bytes(distance) else None


def _padded(data: Bytes, width: int) -> Bytes:
    return data + (0,) * (width - len(data))


@dataclass
class _Known:
    """Registers by first unit, little-endian from bit 0; stack bytes by distance."""

    registers: dict[int, Bytes] = field(default_factory=dict)
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
    code: ObjectCode, flow: FunctionFlow, machine: Machine, wanted: int, bases: tuple[int, int]
) -> dict[int, dict[int, int]]:
    """Return, by point, the known bytes among the ``wanted`` ones (bit d - 1: CFA - d).

    ``bases``: how far below the CFA the stack and the frame pointer are in the function's body.
    """
    actions = _Interpreter(code, machine, wanted, bases)
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
    bases: tuple[int, int]

    def run(self, block: Block, state: _Known) -> None:
        for step in block.steps:
            self.step(step, state)

    def step(self, step: Step, state: _Known) -> None:
        code = self.code.text[step.offset : step.offset + step.effects.size]
        actions = _CONSTANTS[self.machine.name](code)
        if actions and self.is_relocated(step):  # the number in the code is not what it will be
            actions = tuple(action for action in actions if isinstance(action, Pool))
        if not (actions or step.defs or step.effects.copies):
            return
        results: list[tuple[int, Bytes | None]] = []
        stored: Bytes | None = ()
        for action in actions:
            if isinstance(action, SetRegister):
                results.append((action.register, tuple(action.data)))
            elif isinstance(action, Move):
                results.append((action.register, self.moved(action, state)))
            elif isinstance(action, Flip):
                results.append((action.register, self.flipped(action, state)))
            elif isinstance(action, Compute):
                results.append((action.register, self.computed(action, state)))
            elif isinstance(action, Pool):
                results.append((action.register, self.pool(step.offset, action)))
            elif isinstance(action, Load):
                results.append((action.register, self.loaded(step, action, state)))
            elif isinstance(action, Store) and stored is not None:
                data: Bytes = tuple(action.data)
                if action.register is not None:
                    data = state.registers.get(action.register, ())[: action.size]
                stored = stored + data if len(data) == action.size else None
        address = step.effects.address
        if address is not None and address.plain and address.units:
            register = (address.units & -address.units).bit_length() - 1
            results = [(register, address_bytes(self.bases[address.base] - address.disp))]
        self.forget(step, state)
        for register, known in results:
            if known is not None:
                state.registers[register] = known
        self.store(step, stored, state)

    def is_relocated(self, step: Step) -> bool:
        """Whether the linker is going to change the instruction."""
        places = range(step.offset, step.offset + step.effects.size)
        return any(place in self.code.relocations for place in places)

    def forget(self, step: Step, state: _Known) -> None:
        """Drop every register of which any unit is written."""
        for register in list(state.registers):
            if step.defs & self.machine.span(register):
                del state.registers[register]
        for copy in step.effects.copies:
            state.registers.pop(copy.to, None)

    def store(self, step: Step, stored: Bytes | None, state: _Known) -> None:
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

    def moved(self, action: Move, state: _Known) -> Bytes | None:
        """Return a register's new value as made of another one's (or its own, for inserts)."""
        data = state.registers.get(action.source)
        if data is None or len(data) < action.size:
            return None
        if action.insert is not None:
            at, part = action.insert
            return data[:at] + tuple(part) + data[at + len(part) :]
        return _padded(data[: action.size] * action.repeat, action.width)

    def flipped(self, action: Flip, state: _Known) -> Bytes | None:
        """Return a register's new value as another one's with some bits inverted."""
        data = state.registers.get(action.source)
        if data is None or len(data) < len(action.mask) or max(data) >= ADDRESS:
            return None
        bits = tuple(a ^ b for a, b in zip(data, action.mask, strict=False))
        return _padded(bits, action.width)

    def computed(self, action: Compute, state: _Known) -> Bytes | None:
        """Return an operation's result where all its sources are known."""
        mask = (1 << action.bits) - 1
        values, addresses = [], []
        for source in action.sources:
            if isinstance(source, int):
                values.append(source & mask)
                continue
            data = state.registers.get(source[0], ())[: action.bits // 8]
            address = address_of(data)
            if address is not None and not source[1] and action.bits == 64:
                addresses.append(address)
            elif data and max(data) < ADDRESS:
                values.append(int.from_bytes(bytes(data), "little") << source[1] & mask)
            else:
                return None
        if addresses:
            return _moved_address(action.operation, addresses, values)
        result = reduce(OPERATIONS[action.operation], values) & mask
        return tuple(result.to_bytes(8, "little"))

    def loaded(self, step: Step, action: Load, state: _Known) -> Bytes | None:
        """Return bytes loaded from the stack where all are known."""
        read = step.use >> self.machine.units
        top = read.bit_length() - action.skip
        data = [state.stack.get(top - n) for n in range(action.size)]
        if not read or any(byte is None for byte in data):
            return None
        return _padded(tuple(b for b in data if b is not None), action.width)

    def pool(self, offset: int, action: Pool) -> Bytes | None:
        """Return bytes of the constant pool: the relocation at the instruction names the place."""
        relocation = self.code.relocations.get(offset + action.place)
        if relocation is None:
            return None
        section = self.code.constants.get(relocation.symbol.section)
        at = relocation.symbol.value + relocation.addend + action.bias
        if section is None or not 0 <= at <= len(section) - action.size:
            return None
        return _padded(tuple(section[at : at + action.size]) * action.repeat, action.width)


def _moved_address(operation: str, addresses: list[int], values: list[int]) -> Bytes | None:
    """Return an address moved by small numbers; None for anything else done with addresses.

    A CFA is a multiple of 16, so an ``or`` that meets only zero bits below that is an addition.
    """
    if len(addresses) != 1:
        return None
    adds = operation == "add"
    if operation == "or" and len(values) == 1:
        adds = values[0] < 16 and not -addresses[0] & values[0]
    up = sum(value - (value >> 63 << 64) for value in values)
    return address_bytes(addresses[0] - up) if adds and addresses[0] >= up else None
