"""What one machine instruction does, as far as the proof needs to know: the shape for every ISA.

Registers are sets of *units*, bits of an integer: a register is split where machine code reads
or writes parts of it (``al``, the low lane of ``xmm0``). A write to a part defines its units and
leaves the rest alone. The stack and the frame pointer have no units: they are followed exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Final

SP_BASE: Final = 0
FP_BASE: Final = 1
CANNOT_DECODE: Final = "cannot be decoded"  # ``unknown`` of what is no instruction


class Flow(IntEnum):
    """Where execution goes on."""

    NEXT = 0
    JUMP = 1
    BRANCH = 2
    CALL = 3
    RETURN = 4
    INDIRECT_JUMP = 5
    STOP = 6  # traps


@dataclass(frozen=True, slots=True)
class StackAccess:
    """A load or a store at a constant distance from the stack or frame pointer.

    ``writes`` means that all ``size`` bytes are overwritten; a partial or conditional store has
    ``reads`` and not ``writes``. ``indexed``: another register is added to the address.
    """

    base: int
    disp: int
    size: int
    reads: bool
    writes: bool
    indexed: bool = False


@dataclass(frozen=True, slots=True)
class Copy:
    """Units of a destination that depend on nothing but the same units of a source.

    A destination unit in ``mask << to`` is alive behind the instruction: then the unit in
    ``mask << frm`` is alive before it. (In a ``flow.Step`` either may be bytes of the stack.)
    """

    to: int
    mask: int
    frm: int


@dataclass(frozen=True, slots=True)
class PointerMove:
    """A change of a pointer register: to = frm + add, to and frm being SP_BASE or FP_BASE."""

    to: int
    frm: int
    add: int


@dataclass(frozen=True, slots=True)
class StackAddress:
    """A register becomes the address base + disp; ``register`` is its name, for messages."""

    base: int
    disp: int
    units: int
    plain: bool  # nothing else is added to it, and it only goes into a register


@dataclass(frozen=True, slots=True)
class IndirectAccess:
    """A load or store of ``size`` bytes at the address that a register holds, nothing added.

    ``vectors``: the first units of the vector registers whose ``width`` bytes each go to memory or
    come from there, one after the other.
    """

    units: int  # of the register with the address
    size: int
    store: bool
    vectors: tuple[int, ...]

    @property
    def width(self) -> int:
        """Return how many bytes of each vector register are moved."""
        return self.size // len(self.vectors)


@dataclass(frozen=True, slots=True)
class Effects:
    """One instruction. ``target`` is a jump's or call's distance from the instruction's start.

    ``before`` and ``after`` are added to the stack pointer before and after the access (pushes,
    write-back); ``saves`` lists (register: FP_BASE or None for the return address, disp from the
    stack or frame pointer) for stores of the caller's frame pointer and return address.
    """

    size: int
    use: int = 0
    defs: int = 0
    copies: tuple[Copy, ...] = ()
    flow: Flow = Flow.NEXT
    target: int | None = None
    stack: tuple[StackAccess, ...] = ()
    before: int = 0
    after: int = 0
    move: PointerMove | None = None
    saves: tuple[tuple[str, int, int], ...] = ()
    fp_lost: bool = False
    address: StackAddress | None = None
    indirect: IndirectAccess | None = None
    unknown: str = ""  # why the instruction cannot be followed
    special: bool = field(init=False, compare=False)  # there is more to it than registers and flow

    def __post_init__(self) -> None:
        """Work out ``special``, which is asked for each instruction of a function."""
        special = bool(
            self.stack
            or self.move
            or self.before
            or self.after
            or self.fp_lost
            or self.address
            or self.indirect
            or self.unknown
        )
        object.__setattr__(self, "special", special)


@dataclass(frozen=True, slots=True)
class CallingConvention:
    """Argument registers in order, and what a call destroys.

    ``ints`` are the registers' units; ``floats`` the first unit of each vector register, of
    which an argument of 4, 8, 16 bytes takes the first 1, 2, 3 units.
    """

    ints: tuple[int, ...]
    floats: tuple[int, ...]
    clobbers: int


@dataclass(frozen=True)
class Machine:
    """The proof's view of an ISA.

    ``decode(code, pos)`` returns the effects of the instruction at ``pos``, ``text(code, pos)``
    itself, for people.
    """

    name: str
    decode: Callable[[bytes, int], Effects]
    text: Callable[[bytes, int], str]
    unit_names: Sequence[str]  # a name for each unit
    entry_sp: int  # CFA minus sp at a function's first instruction
    ra_on_entry: int  # CFA minus where the return address is stored at entry; 0: in a register
    int_result: int
    float_result: int
    conventions: Mapping[str, CallingConvention]
    link: int = 0  # the unit in which a function gets its return address; 0: on the stack

    @property
    def units(self) -> int:
        """Return the number of units."""
        return len(self.unit_names)

    def meaningful(self, alive: int) -> int:
        """Drop registers of which only upper parts are alive.

        LLVM keeps a value from a register's lowest part up. Where the lowest part is written and
        an upper one is then read, it works on a scalar above which anything may stand (``movmskpd``
        of a scalar, ``or`` of a byte that ``setl`` made).
        """
        kept = alive >> self.units << self.units
        for lowest, span in self._spans:
            if alive & lowest:
                kept |= alive & span
        return kept

    @cached_property
    def _spans(self) -> tuple[tuple[int, int], ...]:
        """Return (lowest unit, all units) of each register."""
        firsts = [
            n for n, name in enumerate(self.unit_names) if name != (None, *self.unit_names)[n]
        ]
        return tuple((1 << first, self.span(first)) for first in firsts)

    def span(self, register: int) -> int:
        """Return all units of the register whose first unit is ``register``."""
        name = self.unit_names[register]
        units = 0
        while register < len(self.unit_names) and self.unit_names[register] == name:
            units |= 1 << register
            register += 1
        return units

    def names(self, units: int) -> list[str]:
        """Return the registers that a set of units belongs to, each once."""
        found: dict[str, None] = {}
        for number in range(self.units):
            if units >> number & 1:
                found[self.unit_names[number]] = None
        return list(found)


# -- What an instruction does to known constants ------------------------------------------------


@dataclass(frozen=True, slots=True)
class SetRegister:
    """A register (its first unit) becomes ``data``."""

    register: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Move:
    """A register becomes ``size`` bytes of ``source``, repeated and padded to ``width``.

    With ``insert`` = (position, bytes) it becomes the source with those bytes replaced.
    """

    register: int
    source: int
    size: int
    width: int
    repeat: int = 1
    insert: tuple[int, bytes] | None = None


@dataclass(frozen=True, slots=True)
class Flip:
    """A register becomes another one's first bytes with the bits of ``mask`` inverted."""

    register: int
    source: int
    mask: bytes
    width: int


@dataclass(frozen=True, slots=True)
class Pool:
    """A register is loaded from where the relocation ``place`` bytes into the code points."""

    register: int
    size: int
    width: int
    place: int
    bias: int
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class Load:
    """A register is loaded from the stack, ``skip`` bytes above the access's start."""

    register: int
    size: int
    width: int
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Store:
    """The next ``size`` bytes of a store: a register's, or ``data`` where that is None."""

    size: int
    register: int | None = None
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Compute:
    """A general register becomes an operation's value on registers (first units) and numbers.

    A source is (register, left shift) or a number; ``bits``: 32 or 64, zero-extended.
    """

    register: int
    operation: str  # a key of OPERATIONS
    sources: tuple[tuple[int, int] | int, ...]
    bits: int


OPERATIONS: Final[Mapping[str, Callable[[int, int], int]]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << (b & 63),
    "shr": lambda a, b: a >> (b & 63),
    "bic": lambda a, b: a & ~b,
    "orn": lambda a, b: a | ~b,
}

Action = SetRegister | Move | Flip | Pool | Load | Store | Compute
