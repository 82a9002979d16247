"""Bounded LEB128 integers: (bytes, position) -> (value, next position).

Specification: section 5.2.2 (integers). An N-bit integer takes at most ceil(N / 7) bytes, and the
unused bits of the last byte must be zero (or copies of the sign). The errors use the words of the
specification's test suite. Reading stops at ``end``, which never exceeds ``len(data)``.
"""

from __future__ import annotations

from mvvm_aot.errors import MalformedModule

UNEXPECTED_END = "unexpected end of section or function"


def read_unsigned(data: bytes, pos: int, end: int, bits: int) -> tuple[int, int]:
    """Decode an unsigned integer of at most ``bits`` bits. Raises MalformedModule."""
    value = 0
    shift = 0
    while shift < bits:
        if pos >= end:
            raise MalformedModule(UNEXPECTED_END, pos)
        byte = data[pos]
        low = byte & 0x7F
        if bits - shift < 7 and low >> (bits - shift):
            raise MalformedModule("integer too large", pos)
        value |= low << shift
        pos += 1
        if byte < 0x80:
            return value, pos
        shift += 7
    raise MalformedModule("integer representation too long", pos)


def read_signed(data: bytes, pos: int, end: int, bits: int) -> tuple[int, int]:
    """Decode a two's complement integer of at most ``bits`` bits. Raises MalformedModule."""
    value = 0
    shift = 0
    while shift < bits:
        if pos >= end:
            raise MalformedModule(UNEXPECTED_END, pos)
        byte = data[pos]
        low = byte & 0x7F
        left = bits - shift
        if left < 7:
            sign_bits = (-1 << (left - 1)) & 0x7F
            if low & sign_bits not in (0, sign_bits):
                raise MalformedModule("integer too large", pos)
        value |= low << shift
        pos += 1
        shift += 7
        if byte < 0x80:
            return (value - (1 << shift) if low & 0x40 else value), pos
    raise MalformedModule("integer representation too long", pos)


def read_u32(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """Decode a u32: an index, a length, an offset. Most take one byte, nearly all others two."""
    if pos < end:
        byte = data[pos]
        if byte < 0x80:
            return byte, pos + 1
        if pos + 1 < end and data[pos + 1] < 0x80:
            return byte & 0x7F | data[pos + 1] << 7, pos + 2
    return read_unsigned(data, pos, end, 32)


def read_u64(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """Decode a u64."""
    return read_unsigned(data, pos, end, 64)


def read_s32(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """Decode an s32: the immediate of ``i32.const``."""
    return read_signed(data, pos, end, 32)


def read_s33(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """Decode an s33: a block type that is a type index."""
    return read_signed(data, pos, end, 33)


def read_s64(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """Decode an s64: the immediate of ``i64.const``."""
    return read_signed(data, pos, end, 64)
