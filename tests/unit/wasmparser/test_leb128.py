"""leb128.py: bounded integers and their three errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvvm_aot.errors import MalformedModule
from mvvm_aot.wasmparser import leb128

from .builder import s64, u32


@given(st.integers(0, 2**32 - 1))
def test_u32_round_trip(value: int) -> None:
    data = u32(value)
    assert leb128.read_u32(data, 0, len(data)) == (value, len(data))


@given(st.integers(0, 2**64 - 1))
def test_u64_round_trip(value: int) -> None:
    data = u32(value)
    assert leb128.read_u64(data, 0, len(data)) == (value, len(data))


@given(st.sampled_from([7, 32, 33, 64]), st.data())
def test_signed_round_trip(bits: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1))
    encoded = s64(value)
    assert leb128.read_signed(encoded, 0, len(encoded), bits) == (value, len(encoded))


@pytest.mark.parametrize("bits", [7, 32, 33, 64])
@pytest.mark.parametrize("beyond", [0, 1, 1000])
def test_signed_out_of_range(bits: int, beyond: int) -> None:
    for value in ((1 << (bits - 1)) + beyond, -(1 << (bits - 1)) - 1 - beyond):
        encoded = s64(value)
        with pytest.raises(MalformedModule, match=r"integer (too large|representation too long)"):
            leb128.read_signed(encoded, 0, len(encoded), bits)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("80 00", 0),  # not the shortest form, but within five bytes
        ("ff 80 80 80 00", 127),
        ("ff ff ff ff 0f", 2**32 - 1),
    ],
)
def test_u32_accepts_padding(data: str, value: int) -> None:
    encoded = bytes.fromhex(data)
    assert leb128.read_u32(encoded, 0, len(encoded)) == (value, len(encoded))


@pytest.mark.parametrize(
    ("data", "reason", "offset"),
    [
        ("", "unexpected end", 0),
        ("80", "unexpected end", 1),
        ("80 80 80 80", "unexpected end", 4),
        ("80 80 80 80 80 00", "integer representation too long", 5),
        ("80 80 80 80 10", "integer too large", 4),  # bit 32
        ("ff ff ff ff 7f", "integer too large", 4),  # a signed -1
    ],
)
def test_u32_errors(data: str, reason: str, offset: int) -> None:
    encoded = bytes.fromhex(data)
    with pytest.raises(MalformedModule) as caught:
        leb128.read_u32(encoded, 0, len(encoded))
    assert caught.value.reason.startswith(reason)
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    ("data", "reason", "offset"),
    [
        ("ff", "unexpected end", 1),
        ("80 80 80 80 80 00", "integer representation too long", 5),
        ("80 80 80 80 08", "integer too large", 4),  # +2**31
        ("ff ff ff ff 77", "integer too large", 4),  # -2**31 - 1
    ],
)
def test_s32_errors(data: str, reason: str, offset: int) -> None:
    encoded = bytes.fromhex(data)
    with pytest.raises(MalformedModule) as caught:
        leb128.read_s32(encoded, 0, len(encoded))
    assert caught.value.reason.startswith(reason)
    assert caught.value.offset == offset


@pytest.mark.parametrize("size", range(1, 5))
def test_end_is_respected_though_more_bytes_follow(size: int) -> None:
    with pytest.raises(MalformedModule, match="unexpected end"):
        leb128.read_u32(b"\x80\x80\x80\x80\x00", 0, size)
