"""The reader of .llvm_stackmaps: a section written byte by byte, then broken in every way."""

from __future__ import annotations

import struct

import pytest

from stackmaps.errors import StackMapError
from stackmaps.section import LiveOut, LocationKind, decode_stack_maps

SECTION = b"".join(
    (
        b"\x03\x00\x00\x00",  # version 3, reserved
        struct.pack("<III", 1, 1, 1),  # one function, one constant, one record
        struct.pack("<QQQ", 0x40, 72, 1),  # address, stack size, record count
        struct.pack("<Q", 0x8000_0000),  # constant 0
        struct.pack("<QIHH", 7, 43, 0, 3),  # id, instruction offset, reserved, locations
        struct.pack("<BBHHHi", 4, 0, 8, 0, 0, -5),  # Constant -5
        struct.pack("<BBHHHi", 5, 0, 8, 0, 0, 0),  # ConstIndex 0
        struct.pack("<BBHHHi", 2, 0, 8, 6, 0, -48),  # Direct rbp - 48
        b"\x00\x00\x00\x00",  # padding: 16 + 36 bytes up to a multiple of 8
        struct.pack("<HH", 0, 1),  # reserved, one live-out
        struct.pack("<HBB", 17, 0, 16),  # xmm0, 16 bytes
    )
)


def test_every_field_is_read() -> None:
    (table,) = decode_stack_maps(SECTION)
    (function,) = table.functions
    (record,) = function.records
    assert (function.address, function.stack_size, function.is_dynamic) == (0x40, 72, False)
    assert (record.id, record.instruction_offset) == (7, 43)
    kinds = [location.kind for location in record.locations]
    assert kinds == [LocationKind.CONSTANT, LocationKind.CONST_INDEX, LocationKind.DIRECT]
    assert [location.offset for location in record.locations] == [-5, 0x8000_0000, -48]
    assert record.locations[2].register == 6
    assert record.live_outs == (LiveOut(17, 16),)
    assert table.constants == (0x8000_0000,)


def test_tables_may_follow_each_other() -> None:
    assert len(decode_stack_maps(SECTION + SECTION + SECTION)) == 3
    assert decode_stack_maps(b"") == ()


def test_truncated_at_every_byte() -> None:
    for size in range(1, len(SECTION)):
        with pytest.raises(StackMapError, match="stack map"):
            decode_stack_maps(SECTION[:size])


@pytest.mark.parametrize(
    ("at", "byte", "message"),
    [
        (0, 2, "version 2"),
        (1, 1, "reserved"),
        (4, 9, "left|announces"),
        (12, 2, "announces 2 records"),
        (60, 1, "reserved field of a record"),
        (64, 9, "unknown kind"),
        (84, 1, "names constant 1 of 1"),
        (100, 1, "padding"),
    ],
)
def test_wrong_bytes_are_refused(at: int, byte: int, message: str) -> None:
    data = bytearray(SECTION)
    data[at] = byte
    with pytest.raises(StackMapError, match=message):
        decode_stack_maps(bytes(data))


def test_huge_counts_allocate_nothing() -> None:
    header = struct.pack("<BBHIII", 3, 0, 0, 0xFFFF_FFFF, 0, 0)
    with pytest.raises(StackMapError, match="4294967295 functions"):
        decode_stack_maps(header)
