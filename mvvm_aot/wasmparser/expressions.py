"""Decode instruction sequences: bytes -> list of (offset, Op, immediate).

Specification: section 5.4 (instructions, expressions). Invariants of what comes out: blocks are
properly nested, each ``else`` belongs to an ``if``, and the last instruction is the ``end`` of the
expression itself. Indices and types are not checked here. Nesting costs no recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mvvm_aot.errors import MalformedModule

from .leb128 import UNEXPECTED_END, read_s32, read_s33, read_s64, read_u32
from .module import Instr
from .opcodes import BY_CODE, OPS, PREFIX_FC, PREFIX_FD, Imm, Op
from .reader import Reader
from .types import FuncType, ValType

_IF, _ELSE = 0x04, 0x05
_EMPTY_BLOCK = 0x40

_SHORT_BLOCK_TYPES: dict[int, FuncType] = {
    _EMPTY_BLOCK: FuncType((), ()),
    **{valtype.value: FuncType((), (valtype,)) for valtype in ValType},
}

# How the loop below treats each first byte, the most frequent first.
(
    _INDEX,  # one u32
    _NONE,  # no immediate
    _MEMARG,
    _CONST_INT,
    _BLOCK,
    _END,
    _OTHER,
    _ELSE_CASE,
    _PREFIX,
    _ILLEGAL,
) = range(10)

_CASE_BY_IMM: dict[tuple[Imm, ...], int] = {
    (): _NONE,
    (Imm.LABEL,): _INDEX,
    (Imm.FUNC,): _INDEX,
    (Imm.LOCAL,): _INDEX,
    (Imm.GLOBAL,): _INDEX,
    (Imm.TABLE,): _INDEX,
    (Imm.MEMARG,): _MEMARG,
    (Imm.I32,): _CONST_INT,
    (Imm.I64,): _CONST_INT,
    (Imm.BLOCKTYPE,): _BLOCK,
}


def _case(byte: int) -> int:
    """Return how to treat an instruction that starts with this byte."""
    if byte in (PREFIX_FC, PREFIX_FD):
        return _PREFIX
    op = BY_CODE.get(byte)
    if op is None:
        return _ILLEGAL
    special = {"end": _END, "else": _ELSE_CASE}
    return special.get(op.text, _CASE_BY_IMM.get(op.imm, _OTHER))


_CASES: bytes = bytes(_case(byte) for byte in range(256))
_OPS_BY_BYTE: tuple[Any, ...] = tuple(BY_CODE.get(byte) for byte in range(256))


def decode_expr(
    data: bytes, pos: int, end: int, types: Sequence[FuncType]
) -> tuple[list[Instr], int, int | None]:
    """Decode an expression that starts at ``pos`` and must end at or before ``end``.

    Returns its instructions, the position behind it, and the offset of its first instruction that
    names a data segment (None: there is none; binary.py needs to know). Raises MalformedModule.

    This loop handles each instruction of a module, so it reads one-byte integers in line and
    never calls a function for the frequent instructions. An immediate may run past ``end``
    unnoticed; since the loop stops there, that comes out at its end.
    """
    cases = _CASES
    ops = _OPS_BY_BYTE
    instrs: list[Instr] = []
    append = instrs.append
    openers = bytearray()  # the first byte of each open block; an if's becomes _ELSE
    data_use: int | None = None
    try:
        while pos < end:
            offset = pos
            byte = data[pos]
            pos += 1
            case = cases[byte]
            if case == _INDEX:
                index = data[pos]
                if index < 0x80:
                    pos += 1
                else:
                    index, pos = read_u32(data, pos, end)
                append((offset, ops[byte], index))
            elif case == _NONE:
                append((offset, ops[byte], None))
            elif case == _MEMARG:
                if (data[pos] | data[pos + 1]) < 0x20:
                    append((offset, ops[byte], (data[pos], data[pos + 1])))
                    pos += 2
                else:
                    memarg, pos = _read_memarg(data, pos, end)
                    append((offset, ops[byte], memarg))
            elif case == _CONST_INT:
                value = data[pos]
                if value < 0x80:
                    pos += 1
                    append((offset, ops[byte], value if value < 0x40 else value - 0x80))
                else:
                    value, pos = (read_s32 if byte == 0x41 else read_s64)(data, pos, end)
                    append((offset, ops[byte], value))
            elif case == _BLOCK:
                openers.append(byte)
                block_type, pos = _read_block_type(data, pos, end, types)
                append((offset, ops[byte], block_type))
            elif case == _END:
                append((offset, ops[byte], None))
                if not openers:
                    break
                openers.pop()
            elif case == _ELSE_CASE:
                if not openers or openers[-1] != _IF:
                    raise MalformedModule(
                        "END opcode expected, found an else outside an if", offset
                    )
                openers[-1] = _ELSE
                append((offset, ops[byte], None))
            else:
                op, pos = _read_op(data, offset, end)
                imm, pos = _IMMEDIATES_READERS[op](data, pos, end)
                append((offset, op, imm))
                if data_use is None and Imm.DATA in op.imm:
                    data_use = offset
        else:
            at_end_of_file = pos > end or end == len(data)
            raise MalformedModule(UNEXPECTED_END if at_end_of_file else "END opcode expected", end)
    except IndexError:
        raise MalformedModule(UNEXPECTED_END, end) from None
    if pos > end:
        raise MalformedModule(UNEXPECTED_END, end)
    return instrs, pos, data_use


def _read_op(data: bytes, pos: int, end: int) -> tuple[Op, int]:
    """Read an opcode of one byte, or of a prefix and a number."""
    start = pos
    code = data[pos]
    pos += 1
    if _CASES[code] == _PREFIX:
        number, pos = read_u32(data, pos, end)
        op = BY_CODE.get(code << 16 | number)
        if op is None or number > 0xFFFF:  # a larger number would run into the prefix
            raise MalformedModule(f"illegal opcode {code:#04x} {number:#04x}", start)
        return op, pos
    op = BY_CODE.get(code)
    if op is None:
        raise MalformedModule(f"illegal opcode {code:#04x}", start)
    return op, pos


def _read_block_type(
    data: bytes, pos: int, end: int, types: Sequence[FuncType]
) -> tuple[FuncType | int, int]:
    """Read a block type; a type index that is out of range stays a number."""
    block_type = _SHORT_BLOCK_TYPES.get(data[pos])
    if block_type is not None:
        return block_type, pos + 1
    index, after = read_s33(data, pos, end)
    if index < 0:
        raise MalformedModule("malformed block type", pos)
    return (types[index] if index < len(types) else index), after


def _read_memarg(data: bytes, pos: int, end: int) -> tuple[tuple[int, int], int]:
    """Read the alignment exponent and the offset of a memory access."""
    start = pos
    align, pos = read_u32(data, pos, end)
    if align >= 32:
        raise MalformedModule("malformed memop flags", start)
    offset, pos = read_u32(data, pos, end)
    return (align, offset), pos


def _read_zero_byte(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """Read the byte that stands for the memory index."""
    if data[pos] != 0:
        raise MalformedModule("zero byte expected", pos)
    return 0, pos + 1


def _read_lane(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """Read a lane index."""
    return data[pos], pos + 1


def _read_lanes16(data: bytes, pos: int, end: int) -> tuple[tuple[int, ...], int]:
    """Read the sixteen lane indices of a shuffle."""
    return tuple(data[pos : pos + 16]), pos + 16


def _bit_pattern_reader(size: int) -> Callable[[bytes, int, int], tuple[int, int]]:
    """Make a reader for a little-endian constant of ``size`` bytes."""

    def read(data: bytes, pos: int, end: int) -> tuple[int, int]:
        return int.from_bytes(data[pos : pos + size], "little"), pos + size

    return read


def _read_labels(data: bytes, pos: int, end: int) -> tuple[tuple[tuple[int, ...], int], int]:
    """Read the labels of br_table and its default."""
    reader = Reader(data, pos, end)
    count = reader.count()
    chunk = data[reader.pos : reader.pos + count]
    if chunk.isascii():  # each label is one byte
        reader.pos += count
        labels = tuple(chunk)
    else:
        labels = tuple(reader.u32() for _ in range(count))
    default = reader.u32()
    return (labels, default), reader.pos


def _read_valtypes(data: bytes, pos: int, end: int) -> tuple[tuple[ValType, ...], int]:
    """Read the types of a ``select`` that names them."""
    reader = Reader(data, pos, end)
    return reader.result_type(), reader.pos


def _read_reftype(data: bytes, pos: int, end: int) -> tuple[ValType, int]:
    """Read a reference type."""
    reader = Reader(data, pos, end)
    return reader.reftype(), reader.pos


_ImmReader = Callable[[bytes, int, int], tuple[Any, int]]

_IMM_READERS: dict[Imm, _ImmReader] = {
    **dict.fromkeys(
        (Imm.LABEL, Imm.FUNC, Imm.TYPE, Imm.TABLE, Imm.LOCAL, Imm.GLOBAL, Imm.DATA, Imm.ELEM),
        read_u32,
    ),
    Imm.LABELS: _read_labels,
    Imm.MEMARG: _read_memarg,
    Imm.MEMORY: _read_zero_byte,
    Imm.I32: read_s32,
    Imm.I64: read_s64,
    Imm.F32: _bit_pattern_reader(4),
    Imm.F64: _bit_pattern_reader(8),
    Imm.V128: _bit_pattern_reader(16),
    Imm.LANE: _read_lane,
    Imm.LANES16: _read_lanes16,
    Imm.VALTYPES: _read_valtypes,
    Imm.REFTYPE: _read_reftype,
}


def _immediates_reader(kinds: tuple[Imm, ...]) -> _ImmReader:
    """Make a reader for a row's immediates: None, a value, or a tuple of values."""
    if not kinds:
        return lambda _data, pos, _end: (None, pos)
    if len(kinds) == 1:
        return _IMM_READERS[kinds[0]]
    readers = [_IMM_READERS[kind] for kind in kinds]

    def read(data: bytes, pos: int, end: int) -> tuple[Any, int]:
        values = []
        for reader in readers:
            value, pos = reader(data, pos, end)
            values.append(value)
        return tuple(values), pos

    return read


_IMMEDIATES_READERS: dict[Op, _ImmReader] = {
    op: _immediates_reader(op.imm) for op in OPS if op.imm != (Imm.BLOCKTYPE,)
}
