"""The frame table: stack maps and the compiler's layouts -> bytes, and back.

One table per object file, ISA-neutral, read by ``remap`` and by ``runtime/src/frames.c``; all
integers are little-endian, offsets of code are from the text section's start.

```
header, 48 bytes
  0 u32 magic 0x5446564D "MVFT"     4 u32 version = 1
  8 u32 function_count             12 u32 point_count
 16 u32 functions_off              20 u32 points_off
 24 u32 by_site_off                28 u32 values_off
 32 u32 values_size                36 u32 text_size
 40 u32 total_size                 44 u32 reserved = 0
function row, 32 bytes, sorted by code_begin
  0 u32 func_id (func_index, or THUNK_FUNC_ID | type_index)
  4 u32 code_begin                  8 u32 code_end
 12 u32 frame_size   CFA minus sp at every point
 16 u32 fp_save      caller's frame pointer is stored at CFA - fp_save
 20 u32 ra_save      return address is stored at CFA - ra_save
 24 u32 fp_offset    the frame pointer register holds CFA - fp_offset
 28 u32 homes        home slot s is at CFA - homes + 8 s
point row, 20 bytes, sorted by return_address
  0 u32 return_address   4 u32 function row number   8 u32 offset in the module
 12 u32 values (offset into the value stream)       16 u32 callee
by_site: u32[point_count], point row numbers sorted by (func_id, offset, return_address)
value list (LEB128 unsigned unless said otherwise; lists that are equal are stored once)
  n_locals   n * { local_index, u8 valtype, slot }         ascending local_index
  n_operands n * { u8 valtype, slot }                      bottom of the stack first
  n_fills    n * { cfa_minus, u8 size (1,2,4,...,64), size bytes }
             or  { cfa_minus, u8 0, address_minus }        8 bytes: the address CFA - address_minus
```

The parts stand in the order drawn, without gaps. Invariant of a decoded table: every number in it
was checked, so that its readers need not.
"""

from __future__ import annotations

import itertools
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from stackmaps.errors import StackMapError
from stackmaps.frames import (
    CALLEE_THUNK,
    THUNK_FUNC_ID,
    VALUE_SIZES,
    Fill,
    PointLayout,
)
from stackmaps.isa import get_isa
from stackmaps.isa.base import Isa
from stackmaps.objects import ObjectCode
from stackmaps.section import Record, StackMapFunction

MAGIC: Final = 0x5446564D
VERSION: Final = 1
FILL_SIZES: Final = (1, 2, 4, 8, 16, 32, 64)

_HEADER: Final = struct.Struct("<12I")
_FUNCTION: Final = struct.Struct("<8I")
_POINT: Final = struct.Struct("<5I")


@dataclass(frozen=True, slots=True)
class FunctionRow:
    """A function's frame; see the drawing."""

    func_id: int
    code_begin: int
    code_end: int
    frame_size: int
    fp_save: int
    ra_save: int
    fp_offset: int
    homes: int

    @property
    def is_thunk(self) -> bool:
        """Tell whether C enters here: such a frame is in no snapshot."""
        return bool(self.func_id & THUNK_FUNC_ID)


@dataclass(frozen=True, slots=True)
class Point:
    """One return address: its function, its layout and the constants to fill in."""

    return_address: int
    function: FunctionRow
    layout: PointLayout
    fills: tuple[Fill, ...]

    @property
    def site(self) -> tuple[int, int]:
        """Return (func_id, offset)."""
        return self.layout.func_id, self.layout.offset


Layouts = Mapping[tuple[int, int], PointLayout]


@dataclass(frozen=True)
class FrameTable:
    """All functions and points of one object, sorted by address."""

    functions: tuple[FunctionRow, ...]
    points: tuple[Point, ...]
    text_size: int

    def at_return_address(self, offset: int) -> Point:
        """Return the point whose return address is exactly ``offset``. Raises StackMapError."""
        at = bisect_left(self.points, offset, key=lambda point: point.return_address)
        if at < len(self.points) and self.points[at].return_address == offset:
            return self.points[at]
        raise StackMapError(f"no point has return address text+{offset:#x}")

    def at_site(self, func_id: int, offset: int) -> tuple[Point, ...]:
        """Return the site's points by ascending return address. Raises StackMapError for none."""
        try:
            return self._sites[func_id, offset]
        except KeyError:
            raise StackMapError(
                f"function {func_id:#x} has no point at offset {offset:#x}"
            ) from None

    def function_at(self, offset: int) -> FunctionRow | None:
        """Return the function whose code contains ``offset``."""
        at = bisect_right(self.functions, offset, key=lambda row: row.code_begin) - 1
        return self.functions[at] if at >= 0 and offset < self.functions[at].code_end else None

    @cached_property
    def _sites(self) -> dict[tuple[int, int], tuple[Point, ...]]:
        sites: dict[tuple[int, int], tuple[Point, ...]] = {}
        for point in self.points:
            sites[point.site] = (*sites.get(point.site, ()), point)
        return sites

    def encode(self) -> bytes:
        """Return the table's bytes as drawn above."""
        numbers = {row.code_begin: number for number, row in enumerate(self.functions)}
        stream = bytearray()
        lists: dict[bytes, int] = {}
        points = bytearray()
        for point in self.points:
            values = _encode_values(point)
            at = lists.setdefault(values, len(stream))
            if at == len(stream):
                stream += values
            points += _POINT.pack(
                point.return_address,
                numbers[point.function.code_begin],
                point.layout.offset,
                at,
                point.layout.callee,
            )
        functions = b"".join(
            _FUNCTION.pack(
                f.func_id,
                f.code_begin,
                f.code_end,
                f.frame_size,
                f.fp_save,
                f.ra_save,
                f.fp_offset,
                f.homes,
            )
            for f in self.functions
        )
        order = sorted(
            range(len(self.points)),
            key=lambda n: (*self.points[n].site, self.points[n].return_address),
        )
        by_site = struct.pack(f"<{len(order)}I", *order)
        offsets = [_HEADER.size]
        for part in (functions, points, by_site, stream):
            offsets.append(offsets[-1] + len(part))
        header = _HEADER.pack(
            MAGIC,
            VERSION,
            len(self.functions),
            len(self.points),
            *offsets[:4],
            len(stream),
            self.text_size,
            offsets[4],
            0,
        )
        return b"".join((header, functions, points, by_site, stream))

    @staticmethod
    def decode(data: bytes) -> FrameTable:
        """Decode and check a table. Raises StackMapError for anything not as drawn."""
        return _decode(data)


def build_frame_table(
    code: ObjectCode,
    layouts: Layouts,
    isa: Isa | None = None,
    fills: Mapping[int, tuple[Fill, ...]] | None = None,
    functions: Mapping[str, int] | None = None,
) -> bytes:
    """Write the frame table of an object.

    ``layouts`` has every point by (func_id, offset); thunks need none. ``fills`` has the proof's
    constants by return address. ``functions`` (symbol -> func_id) adds rows without points, with
    frame size 0, for functions that stand in no stack map, so that a backtrace can name them.
    Raises StackMapError where object and layouts disagree.
    """
    table = frame_table(code, layouts, isa, fills, functions)
    return table.encode()


def frame_table(
    code: ObjectCode,
    layouts: Layouts,
    isa: Isa | None = None,
    fills: Mapping[int, tuple[Fill, ...]] | None = None,
    functions: Mapping[str, int] | None = None,
) -> FrameTable:
    """Return what ``build_frame_table`` writes, as a value."""
    isa = isa or get_isa(code.isa)
    if isa.name != code.isa:
        raise StackMapError(f"object is for {code.isa}, not for {isa.name}")
    rows: dict[int, FunctionRow] = {}
    points: dict[int, Point] = {}
    for stack_map in code.stack_maps:
        for function in stack_map.functions:
            for point in _function_points(code, function, layouts, isa, fills or {}):
                if point.return_address in points:
                    raise StackMapError(f"two points return to text+{point.return_address:#x}")
                rows[point.function.code_begin] = point.function
                points[point.return_address] = point
    for symbol, func_id in (functions or {}).items():
        if symbol in code.functions and code.functions[symbol][0] not in rows:
            begin, size = code.functions[symbol]
            rows[begin] = FunctionRow(func_id, begin, begin + size, 0, 0, 0, 0, 0)
    ordered = tuple(rows[begin] for begin in sorted(rows))
    table = FrameTable(ordered, tuple(points[at] for at in sorted(points)), len(code.text))
    _check_functions(table.functions, table.text_size)
    return table


def point_site(record: Record) -> tuple[int, int]:
    """Return a record's (func_id, offset). Raises StackMapError where it is not one of ours.

    LLVM puts three constants of its own first: calling convention, flags, number of operands.
    """
    constants = [x.offset & 0xFFFF_FFFF for x in record.locations[:5] if x.is_constant]
    if len(record.locations) != 6 or len(constants) != 5 or constants[2] != 3:
        raise StackMapError(
            f"stack map record {record.id} at +{record.instruction_offset:#x} is not a point: "
            f"{len(record.locations)} locations"
        )
    return constants[3], constants[4]


def layout_of(layouts: Layouts, site: tuple[int, int]) -> PointLayout:
    """Return the layout of a record's site. Raises StackMapError where there is none."""
    func_id, offset = site
    if func_id & THUNK_FUNC_ID:
        return layouts.get(site, PointLayout(func_id, offset, (), (), CALLEE_THUNK))
    try:
        return layouts[site]
    except KeyError:
        raise StackMapError(
            f"machine code has a point at function {func_id}, offset {offset:#x}, "
            "which the compiler did not plan"
        ) from None


def function_row(code: ObjectCode, function: StackMapFunction, isa: Isa) -> FunctionRow:
    """Return the row of a function that has records. Raises StackMapError, naming it."""
    name = code.name_at(function.address)
    if name is None:
        raise StackMapError(f"no function symbol at text+{function.address:#x}")
    cfi = code.cfi.get(function.address)
    if cfi is None:
        raise StackMapError(f"{name} has no unwind information; it needs the attribute uwtable")
    sites = {point_site(record)[0] for record in function.records}
    homes = set()
    rules = set()
    for record in function.records:
        # The row in force at the call: its return address may belong to the next function.
        row = cfi.row_at(function.address + record.instruction_offset - 1)
        rule = isa.frame_rule(function, row)
        rules.add(rule)
        homes.add(isa.cfa_minus(record.locations[5], rule))
    if len(sites) != 1 or len(homes) != 1 or len(rules) != 1:
        raise StackMapError(f"{name}: its points disagree on function, homes or frame")
    size = code.functions[name][1]
    rule = rules.pop()
    return FunctionRow(
        sites.pop(),
        function.address,
        function.address + size,
        rule.frame_size,
        rule.fp_save,
        rule.ra_save,
        rule.fp_offset,
        homes.pop(),
    )


def _function_points(
    code: ObjectCode,
    function: StackMapFunction,
    layouts: Layouts,
    isa: Isa,
    fills: Mapping[int, tuple[Fill, ...]],
) -> Iterator[Point]:
    if not function.records:
        return
    row = function_row(code, function, isa)
    for record in function.records:
        layout = layout_of(layouts, point_site(record))
        if layout.never_suspended:
            continue
        address = function.address + record.instruction_offset
        point = Point(address, row, layout, fills.get(address, ()))
        _check_point(point)
        yield point


def _encode_values(point: Point) -> bytes:
    out = bytearray()
    _put_leb(out, len(point.layout.locals))
    for index, valtype, slot in point.layout.locals:
        _put_leb(out, index)
        out.append(valtype)
        _put_leb(out, slot)
    _put_leb(out, len(point.layout.operands))
    for valtype, slot in point.layout.operands:
        out.append(valtype)
        _put_leb(out, slot)
    _put_leb(out, len(point.fills))
    for fill in point.fills:
        _put_leb(out, fill.cfa_minus)
        out.append(len(fill.data))
        if fill.address_minus is None:
            out += fill.data
        else:
            _put_leb(out, fill.address_minus)
    return bytes(out)


def _put_leb(out: bytearray, value: int) -> None:
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


class _Values:
    """The value stream of a table that is being decoded."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0

    def byte(self) -> int:
        if self.pos >= len(self.data):
            raise StackMapError(f"frame table: value stream ends at {self.pos:#x}")
        self.pos += 1
        return self.data[self.pos - 1]

    def leb(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 28:
                raise StackMapError(f"frame table: number at value {self.pos:#x} is too long")
        if value > 0xFFFF_FFFF or (byte == 0 and shift):
            raise StackMapError(f"frame table: number before value {self.pos:#x} is not canonical")
        return value

    def count(self) -> int:
        value = self.leb()
        if value > len(self.data):
            raise StackMapError(f"frame table: count before value {self.pos:#x} is too large")
        return value

    def take(self, size: int) -> bytes:
        if self.pos + size > len(self.data):
            raise StackMapError(f"frame table: value stream ends at {self.pos:#x}")
        self.pos += size
        return self.data[self.pos - size : self.pos]

    def fill(self) -> Fill:
        cfa_minus, size = self.leb(), self.byte()
        return Fill(cfa_minus, self.take(size)) if size else Fill(cfa_minus, b"", self.leb())

    def read(
        self, at: int
    ) -> tuple[tuple[tuple[int, int, int], ...], tuple[tuple[int, int], ...], tuple[Fill, ...]]:
        """Decode the value list at ``at``."""
        self.pos = at
        local_values = tuple((self.leb(), self.byte(), self.leb()) for _ in range(self.count()))
        operands = tuple((self.byte(), self.leb()) for _ in range(self.count()))
        fills = tuple(self.fill() for _ in range(self.count()))
        return local_values, operands, fills


def _check_point(point: Point) -> None:
    """Refuse values outside the homes, unknown types, fills outside the frame."""
    row = point.function
    where = f"frame table: point text+{point.return_address:#x}"
    if not row.code_begin < point.return_address <= row.code_end:
        raise StackMapError(f"{where} is not behind code of function {row.func_id:#x}")
    indices = [index for index, _, _ in point.layout.locals]
    if any(a >= b for a, b in itertools.pairwise(indices)):
        raise StackMapError(f"{where}: locals are not in ascending order")
    taken: set[int] = set()
    values = [(t, s) for _, t, s in point.layout.locals] + list(point.layout.operands)
    for valtype, slot in values:
        size = VALUE_SIZES.get(valtype)
        if size is None:
            raise StackMapError(f"{where}: unknown value type {valtype:#x}")
        slots = {slot, slot + 1} if size == 16 else {slot}
        if slots & taken or (size == 16 and slot % 2) or 8 * slot + size > row.homes:
            raise StackMapError(f"{where}: slot {slot} is taken, not even, or outside the frame")
        taken |= slots
    for fill in point.fills:
        inside = fill.size <= fill.cfa_minus <= row.frame_size
        if not inside or fill.size not in FILL_SIZES or (fill.address_minus or 0) > row.frame_size:
            raise StackMapError(f"{where}: fill at CFA-{fill.cfa_minus} does not fit the frame")


def _check_functions(functions: tuple[FunctionRow, ...], text_size: int) -> None:
    """Refuse overlapping functions and frames that cannot be."""
    end = 0
    for row in functions:
        where = f"frame table: function {row.func_id:#x} at text+{row.code_begin:#x}"
        if row.code_begin < end or row.code_end < row.code_begin or row.code_end > text_size:
            raise StackMapError(f"{where} overlaps another one or leaves the text")
        end = row.code_end
        inside = (row.fp_save, row.ra_save, row.fp_offset, row.homes)
        if row.frame_size == 0 and not any(inside):
            continue
        if row.frame_size % 16 or not all(0 < x <= row.frame_size for x in inside):
            raise StackMapError(f"{where} has an impossible frame: {row}")
        if min(row.fp_save, row.ra_save) < 8 or abs(row.fp_save - row.ra_save) < 8:
            raise StackMapError(f"{where}: saved registers overlap")


def _decode(data: bytes) -> FrameTable:
    if len(data) < _HEADER.size:
        raise StackMapError(f"frame table has {len(data)} bytes, its header alone {_HEADER.size}")
    header = _HEADER.unpack_from(data)
    magic, version, n_functions, n_points = header[:4]
    if magic != MAGIC or version != VERSION:
        raise StackMapError(f"not a frame table of version {VERSION}: {magic:#x}, {version}")
    offsets = [_HEADER.size]
    for size in (_FUNCTION.size * n_functions, _POINT.size * n_points, 4 * n_points, header[8]):
        offsets.append(offsets[-1] + size)
    if list(header[4:8]) != offsets[:4] or header[10] != offsets[4] or header[11]:
        raise StackMapError("frame table: its parts are not where its counts say")
    if len(data) != offsets[4]:
        raise StackMapError(f"frame table has {len(data)} bytes, announces {offsets[4]}")
    functions = tuple(
        FunctionRow(*fields) for fields in _FUNCTION.iter_unpack(data[offsets[0] : offsets[1]])
    )
    _check_functions(functions, header[9])
    values = _Values(data[offsets[3] : offsets[4]])
    points = []
    last = -1
    for address, number, offset, at, callee in _POINT.iter_unpack(data[offsets[1] : offsets[2]]):
        if number >= n_functions or address <= last:
            raise StackMapError(f"frame table: point text+{address:#x} is out of order")
        last = address
        local_values, operands, fills = values.read(at)
        row = functions[number]
        layout = PointLayout(row.func_id, offset, local_values, operands, callee)
        points.append(Point(address, row, layout, fills))
        _check_point(points[-1])
    table = FrameTable(functions, tuple(points), header[9])
    order = struct.unpack_from(f"<{n_points}I", data, offsets[2])
    keys = [(*points[n].site, points[n].return_address) for n in order if n < n_points]
    if len(keys) != n_points or any(a >= b for a, b in itertools.pairwise(keys)):
        raise StackMapError("frame table: the index by site is not sorted or not complete")
    return table
