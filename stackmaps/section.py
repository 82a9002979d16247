"""Decode ``.llvm_stackmaps`` (version 3): bytes -> frozen records.

LLVM's "Stack maps and patch points in LLVM" describes the format; all integers are little-endian.

```
table, 8-aligned; a section may hold several, one behind the other
   0 u8  version = 3       1 u8  reserved = 0     2 u16 reserved = 0
   4 u32 functions         8 u32 constants       12 u32 records
  16 function * functions, constant * constants, record * records (function after function)
function, 24 bytes
   0 u64 address           8 u64 stack size (all ones: dynamic)     16 u64 record count
constant, 8 bytes: u64
record
   0 u64 id                8 u32 instruction offset (from the function's start)
  12 u16 reserved = 0     14 u16 locations
  16 location * locations, zeros up to a multiple of 8
     u16 reserved = 0        u16 live-outs
     live-out * live-outs, zeros up to a multiple of 8
location, 12 bytes
   0 u8  kind              1 u8  reserved = 0     2 u16 size
   4 u16 DWARF register    6 u16 reserved = 0     8 i32 offset, or constant, or constant's number
live-out, 4 bytes
   0 u16 DWARF register    2 u8  reserved = 0     3 u8  size
```

Invariant: what is returned lies within the bytes given, and constants are resolved.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from stackmaps.errors import StackMapError

VERSION: Final = 3
DYNAMIC_STACK_SIZE: Final = 0xFFFF_FFFF_FFFF_FFFF

_HEADER: Final = struct.Struct("<BBHIII")
_FUNCTION: Final = struct.Struct("<QQQ")
_RECORD: Final = struct.Struct("<QIHH")
_LOCATION: Final = struct.Struct("<BBHHHi")
_LIVE_OUTS: Final = struct.Struct("<HH")
_LIVE_OUT: Final = struct.Struct("<HBB")


class LocationKind(IntEnum):
    """Where a recorded value is."""

    REGISTER = 1
    DIRECT = 2  # the value is register + offset: the address of a stack object
    INDIRECT = 3  # the value is stored at register + offset
    CONSTANT = 4
    CONST_INDEX = 5


@dataclass(frozen=True, slots=True)
class RecordLocation:
    """One operand of a record; ``offset`` is the value itself for both kinds of constants."""

    kind: LocationKind
    size: int
    register: int
    offset: int

    @property
    def is_constant(self) -> bool:
        """Tell whether ``offset`` is a constant."""
        return self.kind in (LocationKind.CONSTANT, LocationKind.CONST_INDEX)


@dataclass(frozen=True, slots=True)
class LiveOut:
    """A register that is alive behind a patch point."""

    register: int
    size: int


@dataclass(frozen=True, slots=True)
class Record:
    """One place in the code, ``instruction_offset`` bytes behind its function's start."""

    id: int
    instruction_offset: int
    locations: tuple[RecordLocation, ...]
    live_outs: tuple[LiveOut, ...]


@dataclass(frozen=True, slots=True)
class StackMapFunction:
    """A function and its records. ``stack_size`` counts from below the return address (x86-64)."""

    address: int
    stack_size: int
    records: tuple[Record, ...]

    @property
    def is_dynamic(self) -> bool:
        """Tell whether the frame has no constant size."""
        return self.stack_size == DYNAMIC_STACK_SIZE


@dataclass(frozen=True, slots=True)
class StackMap:
    """One table."""

    functions: tuple[StackMapFunction, ...]
    constants: tuple[int, ...]


class _Reader:
    """A position in the section that never leaves it."""

    __slots__ = ("data", "pos")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0

    def take(self, layout: struct.Struct, what: str) -> tuple[int, ...]:
        """Unpack one ``layout``. Raises StackMapError at the section's end."""
        end = self.pos + layout.size
        if end > len(self.data):
            raise StackMapError(
                f"stack map section ends inside {what}: {layout.size} bytes at offset "
                f"{self.pos:#x}, section has {len(self.data):#x}"
            )
        fields = layout.unpack_from(self.data, self.pos)
        self.pos = end
        return fields

    def demand(self, count: int, size: int, what: str) -> None:
        """Refuse a count whose items cannot fit, before anything is allocated for them."""
        if count * size > len(self.data) - self.pos:
            raise StackMapError(
                f"stack map section announces {count} {what} at offset {self.pos:#x}, "
                f"but has only {len(self.data) - self.pos} bytes left"
            )

    def align(self) -> None:
        """Skip the zeros up to the next multiple of 8. Raises StackMapError for other bytes."""
        end = (self.pos + 7) & ~7
        if self.data[self.pos : end] != bytes(end - self.pos):
            raise StackMapError(
                f"stack map section: padding at offset {self.pos:#x} is not zero or is cut off"
            )
        self.pos = end


def _zero(values: tuple[int, ...], what: str, pos: int) -> None:
    if any(values):
        raise StackMapError(
            f"stack map section: reserved field of {what} before offset {pos:#x} is not zero"
        )


def decode_stack_maps(data: bytes) -> tuple[StackMap, ...]:
    """Decode all tables of a section whose relocations have been applied.

    Raises StackMapError for another version, for anything out of bounds or not as drawn above.
    """
    reader = _Reader(data)
    tables = []
    while reader.pos < len(data):
        tables.append(_decode_table(reader))
    return tuple(tables)


def _decode_table(reader: _Reader) -> StackMap:
    start = reader.pos
    version, r0, r1, functions, constants, records = reader.take(_HEADER, "a table's header")
    if version != VERSION:
        raise StackMapError(
            f"stack map table at offset {start:#x} has version {version}; only {VERSION} is known"
        )
    _zero((r0, r1), "a table's header", reader.pos)
    reader.demand(functions, _FUNCTION.size, "functions")
    rows = [reader.take(_FUNCTION, "a function") for _ in range(functions)]
    reader.demand(constants, 8, "constants")
    pool = tuple(struct.unpack_from(f"<{constants}Q", reader.data, reader.pos) if constants else ())
    reader.pos += 8 * constants
    announced = sum(row[2] for row in rows)
    if announced != records:
        raise StackMapError(
            f"stack map table at offset {start:#x} announces {records} records, "
            f"its functions {announced}"
        )
    reader.demand(records, 24, "records")
    decoded = []
    for address, size, count in rows:
        own = tuple(_decode_record(reader, pool) for _ in range(count))
        decoded.append(StackMapFunction(address, size, own))
    return StackMap(tuple(decoded), pool)


def _decode_record(reader: _Reader, pool: tuple[int, ...]) -> Record:
    number, offset, reserved, count = reader.take(_RECORD, "a record")
    _zero((reserved,), "a record", reader.pos)
    reader.demand(count, _LOCATION.size, "locations")
    locations = tuple(_decode_location(reader, pool) for _ in range(count))
    reader.align()
    reserved, count = reader.take(_LIVE_OUTS, "a record's live-outs")
    _zero((reserved,), "a record's live-outs", reader.pos)
    reader.demand(count, _LIVE_OUT.size, "live-outs")
    live_outs = []
    for _ in range(count):
        register, reserved, size = reader.take(_LIVE_OUT, "a live-out")
        _zero((reserved,), "a live-out", reader.pos)
        live_outs.append(LiveOut(register, size))
    reader.align()
    return Record(number, offset, locations, tuple(live_outs))


def _decode_location(reader: _Reader, pool: tuple[int, ...]) -> RecordLocation:
    kind, r0, size, register, r1, offset = reader.take(_LOCATION, "a location")
    _zero((r0, r1), "a location", reader.pos)
    try:
        known = LocationKind(kind)
    except ValueError:
        raise StackMapError(
            f"stack map section: unknown kind of location {kind} before offset {reader.pos:#x}"
        ) from None
    if known is LocationKind.CONST_INDEX:
        if not 0 <= offset < len(pool):
            raise StackMapError(
                f"stack map section: location before offset {reader.pos:#x} names constant "
                f"{offset} of {len(pool)}"
            )
        offset = pool[offset]
    return RecordLocation(known, size, register, offset)
