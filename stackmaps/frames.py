"""The value types of this package: what the compiler tells, and what is read from a stack.

All are frozen. Value type codes are those of the WebAssembly binary format; a value's ``bits``
are its little-endian bytes read as an unsigned integer, a null reference is ``NULL_REFERENCE``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

I32: Final = 0x7F
I64: Final = 0x7E
F32: Final = 0x7D
F64: Final = 0x7C
V128: Final = 0x7B
FUNCREF: Final = 0x70
EXTERNREF: Final = 0x6F

# Bytes that a value takes in its home; a reference is a native address there.
VALUE_SIZES: Final = MappingProxyType(
    {I32: 4, I64: 8, F32: 4, F64: 8, V128: 16, FUNCREF: 8, EXTERNREF: 8}
)
VALUE_NAMES: Final = MappingProxyType(
    {
        I32: "i32",
        I64: "i64",
        F32: "f32",
        F64: "f64",
        V128: "v128",
        FUNCREF: "funcref",
        EXTERNREF: "externref",
    }
)
REFERENCES: Final = frozenset((FUNCREF, EXTERNREF))
NULL_REFERENCE: Final = 0xFFFF_FFFF

# Numbers that stand for something else than a function index (docs/internals.md, section 3).
THUNK_FUNC_ID: Final = 0x8000_0000
CALLEE_INDIRECT: Final = 0xC000_0000
CALLEE_POLL: Final = 0xFFFF_FFFF
CALLEE_HOST: Final = 0xFFFF_FFFE
CALLEE_THUNK: Final = 0xFFFF_FFFD


@dataclass(frozen=True, slots=True)
class PointLayout:
    """What the compiler says of one point: where each live value is at home.

    ``locals`` holds (local index, value type code, slot) by ascending index, ``operands`` (value
    type code, slot) from the stack's bottom. ``callee`` is the frame table's callee number.
    ``never_suspended`` says that no frame is ever suspended here (the callee returns to nobody
    or reaches no point), so that the point needs no proof and no row.
    """

    func_id: int
    offset: int
    locals: tuple[tuple[int, int, int], ...]
    operands: tuple[tuple[int, int], ...]
    callee: int
    never_suspended: bool = False


@dataclass(frozen=True, slots=True)
class Fill:
    """A constant that the machine code keeps in a spill slot over a point.

    The slot is at CFA - ``cfa_minus``; ``data`` is as long as the slot (a power of two up to 64).
    With ``address_minus`` the slot holds the eight bytes of the address CFA - ``address_minus``
    instead (a home's, kept for later), and ``data`` is empty.
    """

    cfa_minus: int
    data: bytes
    address_minus: int | None = None

    @property
    def size(self) -> int:
        """Return the slot's size in bytes."""
        return len(self.data) if self.address_minus is None else 8

    def bytes_at(self, cfa: int) -> bytes:
        """Return the slot's bytes in the frame whose CFA is ``cfa``."""
        if self.address_minus is None:
            return self.data
        return (cfa - self.address_minus).to_bytes(8, "little")


@dataclass(frozen=True, slots=True)
class Location:
    """Where a value of a lifted frame was: an address in the stack, and the same from the CFA."""

    address: int
    cfa_minus: int
    size: int


@dataclass(frozen=True, slots=True)
class NativeFrame:
    """One machine frame: its registers at the point, and where its caller's are kept."""

    func_id: int
    offset: int
    pc: int
    sp: int
    fp: int
    cfa: int
    locals: MappingProxyType[int, Location] = field(default_factory=lambda: MappingProxyType({}))
    operands: tuple[Location, ...] = ()


@dataclass(frozen=True, slots=True)
class Value:
    """A WebAssembly value: type code and bits."""

    valtype: int
    bits: int

    def __str__(self) -> str:
        name = VALUE_NAMES.get(self.valtype, f"type {self.valtype:#x}")
        return f"{name} {self.bits:#x}"


@dataclass(frozen=True, slots=True)
class WasmFrame:
    """One WebAssembly frame as a snapshot has it: no address, no register, no ISA."""

    func_index: int
    offset: int
    locals: dict[int, Value]
    operands: tuple[Value, ...] = ()
