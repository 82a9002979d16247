"""Lift a native stack to WebAssembly frames, and materialise WebAssembly frames as a stack.

Written from the frame table's drawing alone, independently of the C code in the runtime, so that
the two can be held against each other; works for any ISA on any machine. Frames of a snapshot are
listed outermost first. A lookup is by exact return address: a miss is an error, never a guess.

A frame, from its CFA down (the CFA is the stack pointer before the call that entered it, which is
the caller's stack pointer at its point, so frames tile):

```
CFA - ra_save    return address            CFA - fp_offset    where its frame pointer points
CFA - fp_save    caller's frame pointer    CFA - homes        home slot 0, slot s 8 s further up
CFA - frame_size its stack pointer at every point
```
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from stackmaps.errors import StackMapError
from stackmaps.frames import (
    NULL_REFERENCE,
    REFERENCES,
    THUNK_FUNC_ID,
    VALUE_NAMES,
    VALUE_SIZES,
    Location,
    NativeFrame,
    Value,
    WasmFrame,
)
from stackmaps.table import FrameTable, Point

Reference = Callable[[int, int], int]  # (value type code, what it is) -> what it becomes
POISON: Final = 0xA5


@dataclass(frozen=True, slots=True)
class StackImage:
    """The bytes of a stack from ``base`` (= ``sp``) up, and the registers to jump with."""

    data: bytes
    base: int
    sp: int
    fp: int
    pc: int


def _no_references(valtype: int, bits: int) -> int:
    """Refuse a reference that is not null: only the runtime knows its addresses."""
    raise StackMapError(f"{VALUE_NAMES[valtype]} {bits:#x} cannot be translated without a map")


def walk(
    image: bytes,
    base: int,
    sp: int,
    fp: int,
    pc: int,
    table: FrameTable,
    text_address: int,
    end: int,
) -> list[NativeFrame]:
    """Walk a stack from its innermost frame out to the return address ``end``.

    ``image`` holds the stack's bytes from address ``base``; ``sp``, ``fp`` and ``pc`` are those of
    the innermost frame at its point. Thunks are included. Raises StackMapError where a return
    address is no point, the stack ends, or a frame pointer does not agree with the table.
    """
    frames = []
    while pc != end:
        point = table.at_return_address(pc - text_address)
        row = point.function
        cfa = sp + row.frame_size
        if fp != cfa - row.fp_offset:
            raise StackMapError(
                f"function {row.func_id:#x} at text+{point.return_address:#x}: frame pointer is "
                f"{fp:#x}, not {cfa - row.fp_offset:#x}"
            )
        if sp < base or cfa > base + len(image):
            raise StackMapError(f"frame at {sp:#x}-{cfa:#x} lies outside the stack image")
        frames.append(_native_frame(point, pc, sp, fp, cfa))
        sp = cfa
        fp = _word(image, base, cfa - row.fp_save)
        pc = _word(image, base, cfa - row.ra_save)
    return frames


def _native_frame(point: Point, pc: int, sp: int, fp: int, cfa: int) -> NativeFrame:
    homes = point.function.homes

    def location(valtype: int, slot: int) -> Location:
        below = homes - 8 * slot
        return Location(cfa - below, below, VALUE_SIZES[valtype])

    return NativeFrame(
        func_id=point.layout.func_id,
        offset=point.layout.offset,
        pc=pc,
        sp=sp,
        fp=fp,
        cfa=cfa,
        locals=MappingProxyType({i: location(t, slot) for i, t, slot in point.layout.locals}),
        operands=tuple(location(t, slot) for t, slot in point.layout.operands),
    )


def _word(image: bytes, base: int, address: int) -> int:
    return int.from_bytes(image[address - base : address - base + 8], "little")


def lift(
    image: bytes,
    base: int,
    sp: int,
    fp: int,
    pc: int,
    table: FrameTable,
    text_address: int,
    end: int,
    reference: Reference = _no_references,
) -> list[WasmFrame]:
    """Read the WebAssembly frames off a native stack, outermost first, thunks left out.

    Parameters as for ``walk``. ``reference`` makes a snapshot's reference of a native one that is
    not null. Raises StackMapError.
    """
    frames = []
    for frame in walk(image, base, sp, fp, pc, table, text_address, end):
        if frame.func_id & THUNK_FUNC_ID:
            continue
        layout = table.at_return_address(frame.pc - text_address).layout

        def read(valtype: int, place: Location) -> Value:
            at = place.address - base
            bits = int.from_bytes(image[at : at + place.size], "little")
            if valtype in REFERENCES:
                bits = reference(valtype, bits) if bits else NULL_REFERENCE
            return Value(valtype, bits)

        frames.append(
            WasmFrame(
                frame.func_id,
                frame.offset,
                {i: read(t, frame.locals[i]) for i, t, _ in layout.locals},
                tuple(
                    read(t, place)
                    for (t, _), place in zip(layout.operands, frame.operands, strict=True)
                ),
            )
        )
    frames.reverse()
    return frames


def _first(points: Sequence[Point]) -> Point:
    return points[0]


def materialize(
    frames: Sequence[WasmFrame],
    table: FrameTable,
    text_address: int,
    stack_top: int,
    thunk_id: int,
    end: int,
    reference: Reference = _no_references,
    poison: int = 0,
    choose: Callable[[Sequence[Point]], Point] = _first,
) -> StackImage:
    """Write WebAssembly frames (outermost first) as a native stack that ends at ``stack_top``.

    The outermost native frame is that of thunk ``thunk_id``, whose return address is ``end`` and
    whose caller's frame pointer is 0. ``reference`` makes a native reference of a snapshot's one
    that is not null; ``poison`` is the value of all bytes that mean nothing; ``choose`` picks among
    the return addresses of one point. Raises StackMapError where a frame has no point or its
    values do not fit it.
    """
    if stack_top % 16:
        raise StackMapError(f"stack top {stack_top:#x} is not aligned to 16")
    points = [choose(table.at_site(thunk_id, 0))]
    points += [choose(table.at_site(frame.func_index, frame.offset)) for frame in frames]
    data = bytearray([poison]) * sum(point.function.frame_size for point in points)
    base = stack_top - len(data)
    cfa, fp, pc = stack_top, 0, end
    for depth, point in enumerate(points):
        row = point.function
        _put(data, cfa - row.ra_save - base, pc, 8)
        _put(data, cfa - row.fp_save - base, fp, 8)
        for fill in point.fills:
            at = cfa - fill.cfa_minus - base
            data[at : at + fill.size] = fill.bytes_at(cfa)
        if depth:
            _write_values(data, cfa - row.homes - base, point, frames[depth - 1], reference)
        fp = cfa - row.fp_offset
        pc = text_address + point.return_address
        cfa -= row.frame_size
    return StackImage(bytes(data), base, cfa, fp, pc)


def _put(data: bytearray, at: int, value: int, size: int) -> None:
    data[at : at + size] = value.to_bytes(size, "little")


def _write_values(
    data: bytearray, homes: int, point: Point, frame: WasmFrame, reference: Reference
) -> None:
    """Copy a frame's values into its homes, which start at ``homes`` in ``data``."""
    layout = point.layout
    where = f"frame of function {frame.func_index} at offset {frame.offset:#x}"
    expected = {index: valtype for index, valtype, _ in layout.locals}
    if {index: value.valtype for index, value in frame.locals.items()} != expected:
        raise StackMapError(f"{where}: its locals are not those that are live there")
    if [value.valtype for value in frame.operands] != [t for t, _ in layout.operands]:
        raise StackMapError(f"{where}: its operands are not those of the point")
    placed = [(frame.locals[index], slot) for index, _, slot in layout.locals]
    placed += [(v, slot) for v, (_, slot) in zip(frame.operands, layout.operands, strict=True)]
    for value, slot in placed:
        size = VALUE_SIZES[value.valtype]
        bits = value.bits
        if value.valtype in REFERENCES:
            bits = 0 if bits == NULL_REFERENCE else reference(value.valtype, bits)
        if not 0 <= bits < 1 << 8 * size:
            raise StackMapError(f"{where}: {value} does not fit its type")
        _put(data, homes + 8 * slot, bits, size)
