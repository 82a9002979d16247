"""The frame table: its bytes one by one, its way through encode and decode, and bad tables."""

from __future__ import annotations

import struct

import pytest

from stackmaps.errors import StackMapError
from stackmaps.frames import CALLEE_POLL, F32, I32, V128, Fill, PointLayout
from stackmaps.table import FrameTable, FunctionRow, Point, build_frame_table, frame_table

from .builders import ISAS, THUNK, Site, chain_function, object_of

ROW = FunctionRow(5, 0x10, 0x60, 80, 16, 8, 16, 64)
LAYOUT = PointLayout(5, 0x123, ((1, I32, 0), (300, V128, 2)), ((F32, 1),), CALLEE_POLL)
TABLE = FrameTable(
    (ROW,),
    (
        Point(0x20, ROW, LAYOUT, ()),
        Point(0x30, ROW, LAYOUT, (Fill(80, b"\x01\x02\x03\x04"),)),
        Point(0x60, ROW, LAYOUT, ()),
    ),
    0x100,
)

BYTES = b"".join(
    (
        struct.pack("<II", 0x5446564D, 1),  # magic "MVFT", version
        struct.pack("<II", 1, 3),  # functions, points
        struct.pack("<IIII", 48, 80, 140, 152),  # where functions, points, index, values are
        struct.pack("<IIII", 30, 0x100, 182, 0),  # bytes of values, text, table; reserved
        struct.pack("<8I", 5, 0x10, 0x60, 80, 16, 8, 16, 64),  # the function row
        struct.pack("<5I", 0x20, 0, 0x123, 0, CALLEE_POLL),  # point at 0x20: value list at 0
        struct.pack("<5I", 0x30, 0, 0x123, 12, CALLEE_POLL),  # point at 0x30: its own list
        struct.pack("<5I", 0x60, 0, 0x123, 0, CALLEE_POLL),  # point at 0x60: shares list 0
        struct.pack("<3I", 0, 1, 2),  # by (func_id, offset, return address)
        b"\x02",  # list 0: two locals
        b"\x01\x7f\x00",  # local 1: i32 in slot 0
        b"\xac\x02\x7b\x02",  # local 300: v128 in slot 2
        b"\x01\x7d\x01",  # one operand: f32 in slot 1
        b"\x00",  # no fills
        b"\x02\x01\x7f\x00\xac\x02\x7b\x02\x01\x7d\x01",  # list 12: the same values
        b"\x01\x50\x04\x01\x02\x03\x04",  # one fill: CFA - 80, 4 bytes
    )
)


def test_bytes_are_as_drawn() -> None:
    assert TABLE.encode() == BYTES


def test_decode_gives_back_what_was_encoded() -> None:
    assert FrameTable.decode(TABLE.encode()) == TABLE
    empty = FrameTable((), (), 0)
    assert FrameTable.decode(empty.encode()) == empty


def test_lookups_are_exact() -> None:
    assert TABLE.at_return_address(0x30) is TABLE.points[1]
    assert TABLE.at_site(5, 0x123) == TABLE.points
    for miss in (0, 0x1F, 0x21, 0x61):
        with pytest.raises(StackMapError, match="no point"):
            TABLE.at_return_address(miss)
    with pytest.raises(StackMapError, match="no point at offset 0x124"):
        TABLE.at_site(5, 0x124)
    assert TABLE.function_at(0x5F) is ROW
    assert TABLE.function_at(0x60) is None and TABLE.function_at(0xF) is None


def test_truncated_at_every_byte_and_longer() -> None:
    data = TABLE.encode()
    for size in range(len(data)):
        with pytest.raises(StackMapError):
            FrameTable.decode(data[:size])
    with pytest.raises(StackMapError, match="announces"):
        FrameTable.decode(data + b"\0")


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, 0),  # magic
        (4, 2),  # version
        (8, 2),  # counts
        (44, 1),  # reserved
        (52, 0x61),  # function ends before it begins
        (56, 0x101),  # function ends behind the text
        (60, 72),  # frame size not a multiple of 16
        (64, 96),  # frame pointer saved outside the frame
        (68, 16),  # return address on top of it
        (76, 96),  # homes outside the frame
        (80, 0x70),  # return address out of order and outside
        (84, 1),  # no such function
        (92, 0xFFFF),  # values outside the stream
        (140, 1),  # index by site not sorted
        (144, 3),  # index names no point
    ],
)
def test_wrong_numbers_are_refused(at: int, value: int) -> None:
    data = bytearray(TABLE.encode())
    struct.pack_into("<I", data, at, value)
    with pytest.raises(StackMapError):
        FrameTable.decode(bytes(data))


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (2, 0x00, "unknown value type"),
        (3, 0x02, "slot 2 is taken"),
        (3, 0x7E, "outside the frame"),
        (7, 0x03, "slot 3"),  # v128 in an odd slot
        (24, 0x60, "fill at CFA-96"),
        (25, 3, "fill at CFA-80"),
    ],
)
def test_wrong_values_are_refused(at: int, value: int, message: str) -> None:
    data = bytearray(BYTES)
    data[152 + at] = value
    with pytest.raises(StackMapError, match=message):
        FrameTable.decode(bytes(data))


def test_number_in_more_bytes_than_needed_is_refused() -> None:
    data = bytearray(BYTES)
    data[156:158] = b"\xac\x00"  # local 44 in two bytes
    with pytest.raises(StackMapError, match="not canonical"):
        FrameTable.decode(bytes(data))


@pytest.mark.parametrize("isa", ISAS)
def test_table_of_a_real_object(isa: str) -> None:
    site = Site(4, 0x99, [I32, V128], [F32])
    code = object_of(THUNK + chain_function(site), isa)
    layouts = {(4, 0x99): site.layout()}
    table = FrameTable.decode(build_frame_table(code, layouts))
    assert {f.func_id for f in table.functions} == {4, 0x8000_0000}
    (point,) = table.at_site(4, 0x99)
    begin, size = code.functions["m0_f4"]
    assert begin < point.return_address < begin + size
    assert point.layout == site.layout()
    assert table.at_site(0x8000_0000, 0)[0].function.is_thunk
    assert table.text_size == len(code.text)


def test_rows_for_functions_without_points() -> None:
    ir = chain_function(Site(4, 1)) + "define hidden void @m0_f9() { ret void }\n"
    code = object_of(ir, "x86_64")
    table = frame_table(code, {(4, 1): Site(4, 1).layout()}, functions={"m0_f9": 9, "m0_f4": 4})
    assert [(f.func_id, f.frame_size > 0) for f in table.functions] == [(4, True), (9, False)]
    assert FrameTable.decode(table.encode()) == table


def test_a_point_that_nobody_planned_is_an_error() -> None:
    code = object_of(chain_function(Site(4, 1)), "x86_64")
    with pytest.raises(StackMapError, match="function 4, offset 0x1, which the compiler"):
        build_frame_table(code, {})
