"""THE table of instructions: one frozen row each, from which every consumer derives.

Specification: section 5.4 (binary format of instructions) for codes and immediates, section 3.3
(typing) for operand types, appendix "Index of Instructions" for both. The rows hold nothing that
belongs to a single consumer: no LLVM, no functions.

Codes. A one-byte opcode is itself. An opcode behind a prefix byte (0xFC or 0xFD, followed by a
LEB128 number) is ``prefix << 16 | number``: ``memory.copy`` is 0xFC000A, ``v128.load`` 0xFD0000.

``PLAIN_OPS`` are typed by their row alone: pop ``params``, push ``results``. ``STRUCTURED_OPS``
have a typing rule of their own (control, calls, ``drop``, ``select``, locals, globals, tables,
references); their ``params`` and ``results`` are empty. ``TAIL_CALL_OPS`` are structured, too, but
beyond WebAssembly 2.0 (they come from 3.0); the decoder and validator accept them nonetheless.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from .types import ResultType, ValType

I32, I64, F32, F64 = ValType.I32, ValType.I64, ValType.F32, ValType.F64
V128 = ValType.V128

PREFIX_FC = 0xFC
PREFIX_FD = 0xFD


class Imm(enum.Enum):
    """The kinds of immediates, and what the decoder makes of each.

    An instruction's immediate value is None if its row lists no kind, the value itself if it lists
    one, and a tuple of values in the binary format's order if it lists several.
    """

    BLOCKTYPE = "blocktype"  # FuncType, resolved (an int if the type index is unknown: invalid)
    LABEL = "label"  # int: 0 is the innermost block
    LABELS = "labels"  # (tuple of int, default int): br_table
    FUNC = "func"  # int: func_index
    TYPE = "type"  # int: type_index
    TABLE = "table"  # int: table_index
    LOCAL = "local"  # int: local index, parameters first
    GLOBAL = "global"  # int: global_index
    MEMARG = "memarg"  # (align, offset): align is the exponent of 2; offset is unsigned
    MEMORY = "memory"  # 0: the memory index, a zero byte in 2.0
    I32 = "i32"  # int, signed
    I64 = "i64"  # int, signed
    F32 = "f32"  # int: the 32-bit pattern, so that NaN payloads survive
    F64 = "f64"  # int: the 64-bit pattern
    V128 = "v128"  # int: the 128-bit pattern, lane 0 in the lowest bits
    LANE = "lane"  # int: lane index, less than the row's ``lanes`` in a valid module
    LANES16 = "lanes16"  # tuple of 16 int: i8x16.shuffle
    DATA = "data"  # int: data index
    ELEM = "elem"  # int: elem index
    VALTYPES = "valtypes"  # tuple of ValType: select with types
    REFTYPE = "reftype"  # ValType: ref.null


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """One instruction. Rows are singletons: compare them with ``is``, use them as dict keys."""

    code: int
    text: str
    imm: tuple[Imm, ...]
    params: ResultType
    results: ResultType
    memory_size: int  # bytes accessed by a load or store (the natural alignment), else 0
    lanes: int  # how many lanes a LANE or LANES16 immediate may choose from, else 0

    def __repr__(self) -> str:
        return f"<Op {self.text}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy as a reference to the row, so that it stays a singleton."""
        return (op_by_code, (self.code,))


def _structured(code: int, text: str, *imm: Imm) -> Op:
    """Make a row for an instruction with a typing rule of its own."""
    return Op(code, text, imm, (), (), 0, 0)


def _plain(code: int, text: str, params: ResultType, results: ResultType, *imm: Imm) -> Op:
    """Make a row for an instruction that neither accesses memory by address nor names a lane."""
    return Op(code, text, imm, params, results, 0, 0)


def _load(code: int, text: str, result: ValType, size: int) -> Op:
    """Make a row for a load of ``size`` bytes."""
    return Op(code, text, (Imm.MEMARG,), (I32,), (result,), size, 0)


def _store(code: int, text: str, value: ValType, size: int) -> Op:
    """Make a row for a store of ``size`` bytes."""
    return Op(code, text, (Imm.MEMARG,), (I32, value), (), size, 0)


def _fc(number: int, text: str, params: ResultType, results: ResultType, *imm: Imm) -> Op:
    """Make a plain row behind the prefix 0xFC."""
    return _plain(PREFIX_FC << 16 | number, text, params, results, *imm)


def _simd(number: int, text: str, params: ResultType, results: ResultType) -> Op:
    """Make a row for a vector instruction without immediates."""
    return _plain(PREFIX_FD << 16 | number, text, params, results)


def _simd_load(number: int, text: str, size: int) -> Op:
    """Make a row for a vector load of ``size`` bytes."""
    return _load(PREFIX_FD << 16 | number, text, V128, size)


def _simd_lane(
    number: int, text: str, params: ResultType, results: ResultType, lanes: int, imm: Imm
) -> Op:
    """Make a row for a vector instruction that names one or 16 of ``lanes`` lanes."""
    return Op(PREFIX_FD << 16 | number, text, (imm,), params, results, 0, lanes)


def _simd_memory_lane(number: int, text: str, results: ResultType, size: int) -> Op:
    """Make a row for loading or storing a single lane of ``size`` bytes."""
    imm = (Imm.MEMARG, Imm.LANE)
    return Op(PREFIX_FD << 16 | number, text, imm, (I32, V128), results, size, 16 // size)


# fmt: off
STRUCTURED_OPS: tuple[Op, ...] = (
    _structured(0x00, "unreachable"),
    _structured(0x02, "block", Imm.BLOCKTYPE),
    _structured(0x03, "loop", Imm.BLOCKTYPE),
    _structured(0x04, "if", Imm.BLOCKTYPE),
    _structured(0x05, "else"),
    _structured(0x0B, "end"),
    _structured(0x0C, "br", Imm.LABEL),
    _structured(0x0D, "br_if", Imm.LABEL),
    _structured(0x0E, "br_table", Imm.LABELS),
    _structured(0x0F, "return"),
    _structured(0x10, "call", Imm.FUNC),
    _structured(0x11, "call_indirect", Imm.TYPE, Imm.TABLE),
    _structured(0x1A, "drop"),
    _structured(0x1B, "select"),
    _structured(0x1C, "select", Imm.VALTYPES),
    _structured(0x20, "local.get", Imm.LOCAL),
    _structured(0x21, "local.set", Imm.LOCAL),
    _structured(0x22, "local.tee", Imm.LOCAL),
    _structured(0x23, "global.get", Imm.GLOBAL),
    _structured(0x24, "global.set", Imm.GLOBAL),
    _structured(0x25, "table.get", Imm.TABLE),
    _structured(0x26, "table.set", Imm.TABLE),
    _structured(0xD0, "ref.null", Imm.REFTYPE),
    _structured(0xD1, "ref.is_null"),
    _structured(0xD2, "ref.func", Imm.FUNC),
    _structured(0xFC000C, "table.init", Imm.ELEM, Imm.TABLE),
    _structured(0xFC000E, "table.copy", Imm.TABLE, Imm.TABLE),
    _structured(0xFC000F, "table.grow", Imm.TABLE),
    _structured(0xFC0011, "table.fill", Imm.TABLE),
)

TAIL_CALL_OPS: tuple[Op, ...] = (
    _structured(0x12, "return_call", Imm.FUNC),
    _structured(0x13, "return_call_indirect", Imm.TYPE, Imm.TABLE),
)

SCALAR_OPS: tuple[Op, ...] = (
    # Control, memory
    _plain(0x01, "nop", (), ()),
    _load(0x28, "i32.load", I32, 4),
    _load(0x29, "i64.load", I64, 8),
    _load(0x2A, "f32.load", F32, 4),
    _load(0x2B, "f64.load", F64, 8),
    _load(0x2C, "i32.load8_s", I32, 1),
    _load(0x2D, "i32.load8_u", I32, 1),
    _load(0x2E, "i32.load16_s", I32, 2),
    _load(0x2F, "i32.load16_u", I32, 2),
    _load(0x30, "i64.load8_s", I64, 1),
    _load(0x31, "i64.load8_u", I64, 1),
    _load(0x32, "i64.load16_s", I64, 2),
    _load(0x33, "i64.load16_u", I64, 2),
    _load(0x34, "i64.load32_s", I64, 4),
    _load(0x35, "i64.load32_u", I64, 4),
    _store(0x36, "i32.store", I32, 4),
    _store(0x37, "i64.store", I64, 8),
    _store(0x38, "f32.store", F32, 4),
    _store(0x39, "f64.store", F64, 8),
    _store(0x3A, "i32.store8", I32, 1),
    _store(0x3B, "i32.store16", I32, 2),
    _store(0x3C, "i64.store8", I64, 1),
    _store(0x3D, "i64.store16", I64, 2),
    _store(0x3E, "i64.store32", I64, 4),
    _plain(0x3F, "memory.size", (), (I32,), Imm.MEMORY),
    _plain(0x40, "memory.grow", (I32,), (I32,), Imm.MEMORY),
    # Constants
    _plain(0x41, "i32.const", (), (I32,), Imm.I32),
    _plain(0x42, "i64.const", (), (I64,), Imm.I64),
    _plain(0x43, "f32.const", (), (F32,), Imm.F32),
    _plain(0x44, "f64.const", (), (F64,), Imm.F64),
    # Comparisons
    _plain(0x45, "i32.eqz", (I32,), (I32,)),
    _plain(0x46, "i32.eq", (I32, I32), (I32,)),
    _plain(0x47, "i32.ne", (I32, I32), (I32,)),
    _plain(0x48, "i32.lt_s", (I32, I32), (I32,)),
    _plain(0x49, "i32.lt_u", (I32, I32), (I32,)),
    _plain(0x4A, "i32.gt_s", (I32, I32), (I32,)),
    _plain(0x4B, "i32.gt_u", (I32, I32), (I32,)),
    _plain(0x4C, "i32.le_s", (I32, I32), (I32,)),
    _plain(0x4D, "i32.le_u", (I32, I32), (I32,)),
    _plain(0x4E, "i32.ge_s", (I32, I32), (I32,)),
    _plain(0x4F, "i32.ge_u", (I32, I32), (I32,)),
    _plain(0x50, "i64.eqz", (I64,), (I32,)),
    _plain(0x51, "i64.eq", (I64, I64), (I32,)),
    _plain(0x52, "i64.ne", (I64, I64), (I32,)),
    _plain(0x53, "i64.lt_s", (I64, I64), (I32,)),
    _plain(0x54, "i64.lt_u", (I64, I64), (I32,)),
    _plain(0x55, "i64.gt_s", (I64, I64), (I32,)),
    _plain(0x56, "i64.gt_u", (I64, I64), (I32,)),
    _plain(0x57, "i64.le_s", (I64, I64), (I32,)),
    _plain(0x58, "i64.le_u", (I64, I64), (I32,)),
    _plain(0x59, "i64.ge_s", (I64, I64), (I32,)),
    _plain(0x5A, "i64.ge_u", (I64, I64), (I32,)),
    _plain(0x5B, "f32.eq", (F32, F32), (I32,)),
    _plain(0x5C, "f32.ne", (F32, F32), (I32,)),
    _plain(0x5D, "f32.lt", (F32, F32), (I32,)),
    _plain(0x5E, "f32.gt", (F32, F32), (I32,)),
    _plain(0x5F, "f32.le", (F32, F32), (I32,)),
    _plain(0x60, "f32.ge", (F32, F32), (I32,)),
    _plain(0x61, "f64.eq", (F64, F64), (I32,)),
    _plain(0x62, "f64.ne", (F64, F64), (I32,)),
    _plain(0x63, "f64.lt", (F64, F64), (I32,)),
    _plain(0x64, "f64.gt", (F64, F64), (I32,)),
    _plain(0x65, "f64.le", (F64, F64), (I32,)),
    _plain(0x66, "f64.ge", (F64, F64), (I32,)),
    # Arithmetic
    _plain(0x67, "i32.clz", (I32,), (I32,)),
    _plain(0x68, "i32.ctz", (I32,), (I32,)),
    _plain(0x69, "i32.popcnt", (I32,), (I32,)),
    _plain(0x6A, "i32.add", (I32, I32), (I32,)),
    _plain(0x6B, "i32.sub", (I32, I32), (I32,)),
    _plain(0x6C, "i32.mul", (I32, I32), (I32,)),
    _plain(0x6D, "i32.div_s", (I32, I32), (I32,)),
    _plain(0x6E, "i32.div_u", (I32, I32), (I32,)),
    _plain(0x6F, "i32.rem_s", (I32, I32), (I32,)),
    _plain(0x70, "i32.rem_u", (I32, I32), (I32,)),
    _plain(0x71, "i32.and", (I32, I32), (I32,)),
    _plain(0x72, "i32.or", (I32, I32), (I32,)),
    _plain(0x73, "i32.xor", (I32, I32), (I32,)),
    _plain(0x74, "i32.shl", (I32, I32), (I32,)),
    _plain(0x75, "i32.shr_s", (I32, I32), (I32,)),
    _plain(0x76, "i32.shr_u", (I32, I32), (I32,)),
    _plain(0x77, "i32.rotl", (I32, I32), (I32,)),
    _plain(0x78, "i32.rotr", (I32, I32), (I32,)),
    _plain(0x79, "i64.clz", (I64,), (I64,)),
    _plain(0x7A, "i64.ctz", (I64,), (I64,)),
    _plain(0x7B, "i64.popcnt", (I64,), (I64,)),
    _plain(0x7C, "i64.add", (I64, I64), (I64,)),
    _plain(0x7D, "i64.sub", (I64, I64), (I64,)),
    _plain(0x7E, "i64.mul", (I64, I64), (I64,)),
    _plain(0x7F, "i64.div_s", (I64, I64), (I64,)),
    _plain(0x80, "i64.div_u", (I64, I64), (I64,)),
    _plain(0x81, "i64.rem_s", (I64, I64), (I64,)),
    _plain(0x82, "i64.rem_u", (I64, I64), (I64,)),
    _plain(0x83, "i64.and", (I64, I64), (I64,)),
    _plain(0x84, "i64.or", (I64, I64), (I64,)),
    _plain(0x85, "i64.xor", (I64, I64), (I64,)),
    _plain(0x86, "i64.shl", (I64, I64), (I64,)),
    _plain(0x87, "i64.shr_s", (I64, I64), (I64,)),
    _plain(0x88, "i64.shr_u", (I64, I64), (I64,)),
    _plain(0x89, "i64.rotl", (I64, I64), (I64,)),
    _plain(0x8A, "i64.rotr", (I64, I64), (I64,)),
    _plain(0x8B, "f32.abs", (F32,), (F32,)),
    _plain(0x8C, "f32.neg", (F32,), (F32,)),
    _plain(0x8D, "f32.ceil", (F32,), (F32,)),
    _plain(0x8E, "f32.floor", (F32,), (F32,)),
    _plain(0x8F, "f32.trunc", (F32,), (F32,)),
    _plain(0x90, "f32.nearest", (F32,), (F32,)),
    _plain(0x91, "f32.sqrt", (F32,), (F32,)),
    _plain(0x92, "f32.add", (F32, F32), (F32,)),
    _plain(0x93, "f32.sub", (F32, F32), (F32,)),
    _plain(0x94, "f32.mul", (F32, F32), (F32,)),
    _plain(0x95, "f32.div", (F32, F32), (F32,)),
    _plain(0x96, "f32.min", (F32, F32), (F32,)),
    _plain(0x97, "f32.max", (F32, F32), (F32,)),
    _plain(0x98, "f32.copysign", (F32, F32), (F32,)),
    _plain(0x99, "f64.abs", (F64,), (F64,)),
    _plain(0x9A, "f64.neg", (F64,), (F64,)),
    _plain(0x9B, "f64.ceil", (F64,), (F64,)),
    _plain(0x9C, "f64.floor", (F64,), (F64,)),
    _plain(0x9D, "f64.trunc", (F64,), (F64,)),
    _plain(0x9E, "f64.nearest", (F64,), (F64,)),
    _plain(0x9F, "f64.sqrt", (F64,), (F64,)),
    _plain(0xA0, "f64.add", (F64, F64), (F64,)),
    _plain(0xA1, "f64.sub", (F64, F64), (F64,)),
    _plain(0xA2, "f64.mul", (F64, F64), (F64,)),
    _plain(0xA3, "f64.div", (F64, F64), (F64,)),
    _plain(0xA4, "f64.min", (F64, F64), (F64,)),
    _plain(0xA5, "f64.max", (F64, F64), (F64,)),
    _plain(0xA6, "f64.copysign", (F64, F64), (F64,)),
    # Conversions
    _plain(0xA7, "i32.wrap_i64", (I64,), (I32,)),
    _plain(0xA8, "i32.trunc_f32_s", (F32,), (I32,)),
    _plain(0xA9, "i32.trunc_f32_u", (F32,), (I32,)),
    _plain(0xAA, "i32.trunc_f64_s", (F64,), (I32,)),
    _plain(0xAB, "i32.trunc_f64_u", (F64,), (I32,)),
    _plain(0xAC, "i64.extend_i32_s", (I32,), (I64,)),
    _plain(0xAD, "i64.extend_i32_u", (I32,), (I64,)),
    _plain(0xAE, "i64.trunc_f32_s", (F32,), (I64,)),
    _plain(0xAF, "i64.trunc_f32_u", (F32,), (I64,)),
    _plain(0xB0, "i64.trunc_f64_s", (F64,), (I64,)),
    _plain(0xB1, "i64.trunc_f64_u", (F64,), (I64,)),
    _plain(0xB2, "f32.convert_i32_s", (I32,), (F32,)),
    _plain(0xB3, "f32.convert_i32_u", (I32,), (F32,)),
    _plain(0xB4, "f32.convert_i64_s", (I64,), (F32,)),
    _plain(0xB5, "f32.convert_i64_u", (I64,), (F32,)),
    _plain(0xB6, "f32.demote_f64", (F64,), (F32,)),
    _plain(0xB7, "f64.convert_i32_s", (I32,), (F64,)),
    _plain(0xB8, "f64.convert_i32_u", (I32,), (F64,)),
    _plain(0xB9, "f64.convert_i64_s", (I64,), (F64,)),
    _plain(0xBA, "f64.convert_i64_u", (I64,), (F64,)),
    _plain(0xBB, "f64.promote_f32", (F32,), (F64,)),
    _plain(0xBC, "i32.reinterpret_f32", (F32,), (I32,)),
    _plain(0xBD, "i64.reinterpret_f64", (F64,), (I64,)),
    _plain(0xBE, "f32.reinterpret_i32", (I32,), (F32,)),
    _plain(0xBF, "f64.reinterpret_i64", (I64,), (F64,)),
    _plain(0xC0, "i32.extend8_s", (I32,), (I32,)),
    _plain(0xC1, "i32.extend16_s", (I32,), (I32,)),
    _plain(0xC2, "i64.extend8_s", (I64,), (I64,)),
    _plain(0xC3, "i64.extend16_s", (I64,), (I64,)),
    _plain(0xC4, "i64.extend32_s", (I64,), (I64,)),
    # Saturating conversions
    _fc(0x00, "i32.trunc_sat_f32_s", (F32,), (I32,)),
    _fc(0x01, "i32.trunc_sat_f32_u", (F32,), (I32,)),
    _fc(0x02, "i32.trunc_sat_f64_s", (F64,), (I32,)),
    _fc(0x03, "i32.trunc_sat_f64_u", (F64,), (I32,)),
    _fc(0x04, "i64.trunc_sat_f32_s", (F32,), (I64,)),
    _fc(0x05, "i64.trunc_sat_f32_u", (F32,), (I64,)),
    _fc(0x06, "i64.trunc_sat_f64_s", (F64,), (I64,)),
    _fc(0x07, "i64.trunc_sat_f64_u", (F64,), (I64,)),
    # Bulk memory, tables
    _fc(0x08, "memory.init", (I32, I32, I32), (), Imm.DATA, Imm.MEMORY),
    _fc(0x09, "data.drop", (), (), Imm.DATA),
    _fc(0x0A, "memory.copy", (I32, I32, I32), (), Imm.MEMORY, Imm.MEMORY),
    _fc(0x0B, "memory.fill", (I32, I32, I32), (), Imm.MEMORY),
    _fc(0x0D, "elem.drop", (), (), Imm.ELEM),
    _fc(0x10, "table.size", (), (I32,), Imm.TABLE),
)

VECTOR_OPS: tuple[Op, ...] = (
    # Memory access, constants
    _simd_load(0x00, "v128.load", 16),
    _simd_load(0x01, "v128.load8x8_s", 8),
    _simd_load(0x02, "v128.load8x8_u", 8),
    _simd_load(0x03, "v128.load16x4_s", 8),
    _simd_load(0x04, "v128.load16x4_u", 8),
    _simd_load(0x05, "v128.load32x2_s", 8),
    _simd_load(0x06, "v128.load32x2_u", 8),
    _simd_load(0x07, "v128.load8_splat", 1),
    _simd_load(0x08, "v128.load16_splat", 2),
    _simd_load(0x09, "v128.load32_splat", 4),
    _simd_load(0x0A, "v128.load64_splat", 8),
    _store(0xFD000B, "v128.store", V128, 16),
    _plain(0xFD000C, "v128.const", (), (V128,), Imm.V128),
    # Lanes
    _simd_lane(0x0D, "i8x16.shuffle", (V128, V128), (V128,), 32, Imm.LANES16),
    _simd(0x0E, "i8x16.swizzle", (V128, V128), (V128,)),
    _simd(0x0F, "i8x16.splat", (I32,), (V128,)),
    _simd(0x10, "i16x8.splat", (I32,), (V128,)),
    _simd(0x11, "i32x4.splat", (I32,), (V128,)),
    _simd(0x12, "i64x2.splat", (I64,), (V128,)),
    _simd(0x13, "f32x4.splat", (F32,), (V128,)),
    _simd(0x14, "f64x2.splat", (F64,), (V128,)),
    _simd_lane(0x15, "i8x16.extract_lane_s", (V128,), (I32,), 16, Imm.LANE),
    _simd_lane(0x16, "i8x16.extract_lane_u", (V128,), (I32,), 16, Imm.LANE),
    _simd_lane(0x17, "i8x16.replace_lane", (V128, I32), (V128,), 16, Imm.LANE),
    _simd_lane(0x18, "i16x8.extract_lane_s", (V128,), (I32,), 8, Imm.LANE),
    _simd_lane(0x19, "i16x8.extract_lane_u", (V128,), (I32,), 8, Imm.LANE),
    _simd_lane(0x1A, "i16x8.replace_lane", (V128, I32), (V128,), 8, Imm.LANE),
    _simd_lane(0x1B, "i32x4.extract_lane", (V128,), (I32,), 4, Imm.LANE),
    _simd_lane(0x1C, "i32x4.replace_lane", (V128, I32), (V128,), 4, Imm.LANE),
    _simd_lane(0x1D, "i64x2.extract_lane", (V128,), (I64,), 2, Imm.LANE),
    _simd_lane(0x1E, "i64x2.replace_lane", (V128, I64), (V128,), 2, Imm.LANE),
    _simd_lane(0x1F, "f32x4.extract_lane", (V128,), (F32,), 4, Imm.LANE),
    _simd_lane(0x20, "f32x4.replace_lane", (V128, F32), (V128,), 4, Imm.LANE),
    _simd_lane(0x21, "f64x2.extract_lane", (V128,), (F64,), 2, Imm.LANE),
    _simd_lane(0x22, "f64x2.replace_lane", (V128, F64), (V128,), 2, Imm.LANE),
    # Comparisons
    _simd(0x23, "i8x16.eq", (V128, V128), (V128,)),
    _simd(0x24, "i8x16.ne", (V128, V128), (V128,)),
    _simd(0x25, "i8x16.lt_s", (V128, V128), (V128,)),
    _simd(0x26, "i8x16.lt_u", (V128, V128), (V128,)),
    _simd(0x27, "i8x16.gt_s", (V128, V128), (V128,)),
    _simd(0x28, "i8x16.gt_u", (V128, V128), (V128,)),
    _simd(0x29, "i8x16.le_s", (V128, V128), (V128,)),
    _simd(0x2A, "i8x16.le_u", (V128, V128), (V128,)),
    _simd(0x2B, "i8x16.ge_s", (V128, V128), (V128,)),
    _simd(0x2C, "i8x16.ge_u", (V128, V128), (V128,)),
    _simd(0x2D, "i16x8.eq", (V128, V128), (V128,)),
    _simd(0x2E, "i16x8.ne", (V128, V128), (V128,)),
    _simd(0x2F, "i16x8.lt_s", (V128, V128), (V128,)),
    _simd(0x30, "i16x8.lt_u", (V128, V128), (V128,)),
    _simd(0x31, "i16x8.gt_s", (V128, V128), (V128,)),
    _simd(0x32, "i16x8.gt_u", (V128, V128), (V128,)),
    _simd(0x33, "i16x8.le_s", (V128, V128), (V128,)),
    _simd(0x34, "i16x8.le_u", (V128, V128), (V128,)),
    _simd(0x35, "i16x8.ge_s", (V128, V128), (V128,)),
    _simd(0x36, "i16x8.ge_u", (V128, V128), (V128,)),
    _simd(0x37, "i32x4.eq", (V128, V128), (V128,)),
    _simd(0x38, "i32x4.ne", (V128, V128), (V128,)),
    _simd(0x39, "i32x4.lt_s", (V128, V128), (V128,)),
    _simd(0x3A, "i32x4.lt_u", (V128, V128), (V128,)),
    _simd(0x3B, "i32x4.gt_s", (V128, V128), (V128,)),
    _simd(0x3C, "i32x4.gt_u", (V128, V128), (V128,)),
    _simd(0x3D, "i32x4.le_s", (V128, V128), (V128,)),
    _simd(0x3E, "i32x4.le_u", (V128, V128), (V128,)),
    _simd(0x3F, "i32x4.ge_s", (V128, V128), (V128,)),
    _simd(0x40, "i32x4.ge_u", (V128, V128), (V128,)),
    _simd(0x41, "f32x4.eq", (V128, V128), (V128,)),
    _simd(0x42, "f32x4.ne", (V128, V128), (V128,)),
    _simd(0x43, "f32x4.lt", (V128, V128), (V128,)),
    _simd(0x44, "f32x4.gt", (V128, V128), (V128,)),
    _simd(0x45, "f32x4.le", (V128, V128), (V128,)),
    _simd(0x46, "f32x4.ge", (V128, V128), (V128,)),
    _simd(0x47, "f64x2.eq", (V128, V128), (V128,)),
    _simd(0x48, "f64x2.ne", (V128, V128), (V128,)),
    _simd(0x49, "f64x2.lt", (V128, V128), (V128,)),
    _simd(0x4A, "f64x2.gt", (V128, V128), (V128,)),
    _simd(0x4B, "f64x2.le", (V128, V128), (V128,)),
    _simd(0x4C, "f64x2.ge", (V128, V128), (V128,)),
    # Bitwise
    _simd(0x4D, "v128.not", (V128,), (V128,)),
    _simd(0x4E, "v128.and", (V128, V128), (V128,)),
    _simd(0x4F, "v128.andnot", (V128, V128), (V128,)),
    _simd(0x50, "v128.or", (V128, V128), (V128,)),
    _simd(0x51, "v128.xor", (V128, V128), (V128,)),
    _simd(0x52, "v128.bitselect", (V128, V128, V128), (V128,)),
    _simd(0x53, "v128.any_true", (V128,), (I32,)),
    # Access to single lanes in memory
    _simd_memory_lane(0x54, "v128.load8_lane", (V128,), 1),
    _simd_memory_lane(0x55, "v128.load16_lane", (V128,), 2),
    _simd_memory_lane(0x56, "v128.load32_lane", (V128,), 4),
    _simd_memory_lane(0x57, "v128.load64_lane", (V128,), 8),
    _simd_memory_lane(0x58, "v128.store8_lane", (), 1),
    _simd_memory_lane(0x59, "v128.store16_lane", (), 2),
    _simd_memory_lane(0x5A, "v128.store32_lane", (), 4),
    _simd_memory_lane(0x5B, "v128.store64_lane", (), 8),
    _simd_load(0x5C, "v128.load32_zero", 4),
    _simd_load(0x5D, "v128.load64_zero", 8),
    # Arithmetic and conversions, in the order of their codes
    _simd(0x5E, "f32x4.demote_f64x2_zero", (V128,), (V128,)),
    _simd(0x5F, "f64x2.promote_low_f32x4", (V128,), (V128,)),
    _simd(0x60, "i8x16.abs", (V128,), (V128,)),
    _simd(0x61, "i8x16.neg", (V128,), (V128,)),
    _simd(0x62, "i8x16.popcnt", (V128,), (V128,)),
    _simd(0x63, "i8x16.all_true", (V128,), (I32,)),
    _simd(0x64, "i8x16.bitmask", (V128,), (I32,)),
    _simd(0x65, "i8x16.narrow_i16x8_s", (V128, V128), (V128,)),
    _simd(0x66, "i8x16.narrow_i16x8_u", (V128, V128), (V128,)),
    _simd(0x67, "f32x4.ceil", (V128,), (V128,)),
    _simd(0x68, "f32x4.floor", (V128,), (V128,)),
    _simd(0x69, "f32x4.trunc", (V128,), (V128,)),
    _simd(0x6A, "f32x4.nearest", (V128,), (V128,)),
    _simd(0x6B, "i8x16.shl", (V128, I32), (V128,)),
    _simd(0x6C, "i8x16.shr_s", (V128, I32), (V128,)),
    _simd(0x6D, "i8x16.shr_u", (V128, I32), (V128,)),
    _simd(0x6E, "i8x16.add", (V128, V128), (V128,)),
    _simd(0x6F, "i8x16.add_sat_s", (V128, V128), (V128,)),
    _simd(0x70, "i8x16.add_sat_u", (V128, V128), (V128,)),
    _simd(0x71, "i8x16.sub", (V128, V128), (V128,)),
    _simd(0x72, "i8x16.sub_sat_s", (V128, V128), (V128,)),
    _simd(0x73, "i8x16.sub_sat_u", (V128, V128), (V128,)),
    _simd(0x74, "f64x2.ceil", (V128,), (V128,)),
    _simd(0x75, "f64x2.floor", (V128,), (V128,)),
    _simd(0x76, "i8x16.min_s", (V128, V128), (V128,)),
    _simd(0x77, "i8x16.min_u", (V128, V128), (V128,)),
    _simd(0x78, "i8x16.max_s", (V128, V128), (V128,)),
    _simd(0x79, "i8x16.max_u", (V128, V128), (V128,)),
    _simd(0x7A, "f64x2.trunc", (V128,), (V128,)),
    _simd(0x7B, "i8x16.avgr_u", (V128, V128), (V128,)),
    _simd(0x7C, "i16x8.extadd_pairwise_i8x16_s", (V128,), (V128,)),
    _simd(0x7D, "i16x8.extadd_pairwise_i8x16_u", (V128,), (V128,)),
    _simd(0x7E, "i32x4.extadd_pairwise_i16x8_s", (V128,), (V128,)),
    _simd(0x7F, "i32x4.extadd_pairwise_i16x8_u", (V128,), (V128,)),
    _simd(0x80, "i16x8.abs", (V128,), (V128,)),
    _simd(0x81, "i16x8.neg", (V128,), (V128,)),
    _simd(0x82, "i16x8.q15mulr_sat_s", (V128, V128), (V128,)),
    _simd(0x83, "i16x8.all_true", (V128,), (I32,)),
    _simd(0x84, "i16x8.bitmask", (V128,), (I32,)),
    _simd(0x85, "i16x8.narrow_i32x4_s", (V128, V128), (V128,)),
    _simd(0x86, "i16x8.narrow_i32x4_u", (V128, V128), (V128,)),
    _simd(0x87, "i16x8.extend_low_i8x16_s", (V128,), (V128,)),
    _simd(0x88, "i16x8.extend_high_i8x16_s", (V128,), (V128,)),
    _simd(0x89, "i16x8.extend_low_i8x16_u", (V128,), (V128,)),
    _simd(0x8A, "i16x8.extend_high_i8x16_u", (V128,), (V128,)),
    _simd(0x8B, "i16x8.shl", (V128, I32), (V128,)),
    _simd(0x8C, "i16x8.shr_s", (V128, I32), (V128,)),
    _simd(0x8D, "i16x8.shr_u", (V128, I32), (V128,)),
    _simd(0x8E, "i16x8.add", (V128, V128), (V128,)),
    _simd(0x8F, "i16x8.add_sat_s", (V128, V128), (V128,)),
    _simd(0x90, "i16x8.add_sat_u", (V128, V128), (V128,)),
    _simd(0x91, "i16x8.sub", (V128, V128), (V128,)),
    _simd(0x92, "i16x8.sub_sat_s", (V128, V128), (V128,)),
    _simd(0x93, "i16x8.sub_sat_u", (V128, V128), (V128,)),
    _simd(0x94, "f64x2.nearest", (V128,), (V128,)),
    _simd(0x95, "i16x8.mul", (V128, V128), (V128,)),
    _simd(0x96, "i16x8.min_s", (V128, V128), (V128,)),
    _simd(0x97, "i16x8.min_u", (V128, V128), (V128,)),
    _simd(0x98, "i16x8.max_s", (V128, V128), (V128,)),
    _simd(0x99, "i16x8.max_u", (V128, V128), (V128,)),
    _simd(0x9B, "i16x8.avgr_u", (V128, V128), (V128,)),
    _simd(0x9C, "i16x8.extmul_low_i8x16_s", (V128, V128), (V128,)),
    _simd(0x9D, "i16x8.extmul_high_i8x16_s", (V128, V128), (V128,)),
    _simd(0x9E, "i16x8.extmul_low_i8x16_u", (V128, V128), (V128,)),
    _simd(0x9F, "i16x8.extmul_high_i8x16_u", (V128, V128), (V128,)),
    _simd(0xA0, "i32x4.abs", (V128,), (V128,)),
    _simd(0xA1, "i32x4.neg", (V128,), (V128,)),
    _simd(0xA3, "i32x4.all_true", (V128,), (I32,)),
    _simd(0xA4, "i32x4.bitmask", (V128,), (I32,)),
    _simd(0xA7, "i32x4.extend_low_i16x8_s", (V128,), (V128,)),
    _simd(0xA8, "i32x4.extend_high_i16x8_s", (V128,), (V128,)),
    _simd(0xA9, "i32x4.extend_low_i16x8_u", (V128,), (V128,)),
    _simd(0xAA, "i32x4.extend_high_i16x8_u", (V128,), (V128,)),
    _simd(0xAB, "i32x4.shl", (V128, I32), (V128,)),
    _simd(0xAC, "i32x4.shr_s", (V128, I32), (V128,)),
    _simd(0xAD, "i32x4.shr_u", (V128, I32), (V128,)),
    _simd(0xAE, "i32x4.add", (V128, V128), (V128,)),
    _simd(0xB1, "i32x4.sub", (V128, V128), (V128,)),
    _simd(0xB5, "i32x4.mul", (V128, V128), (V128,)),
    _simd(0xB6, "i32x4.min_s", (V128, V128), (V128,)),
    _simd(0xB7, "i32x4.min_u", (V128, V128), (V128,)),
    _simd(0xB8, "i32x4.max_s", (V128, V128), (V128,)),
    _simd(0xB9, "i32x4.max_u", (V128, V128), (V128,)),
    _simd(0xBA, "i32x4.dot_i16x8_s", (V128, V128), (V128,)),
    _simd(0xBC, "i32x4.extmul_low_i16x8_s", (V128, V128), (V128,)),
    _simd(0xBD, "i32x4.extmul_high_i16x8_s", (V128, V128), (V128,)),
    _simd(0xBE, "i32x4.extmul_low_i16x8_u", (V128, V128), (V128,)),
    _simd(0xBF, "i32x4.extmul_high_i16x8_u", (V128, V128), (V128,)),
    _simd(0xC0, "i64x2.abs", (V128,), (V128,)),
    _simd(0xC1, "i64x2.neg", (V128,), (V128,)),
    _simd(0xC3, "i64x2.all_true", (V128,), (I32,)),
    _simd(0xC4, "i64x2.bitmask", (V128,), (I32,)),
    _simd(0xC7, "i64x2.extend_low_i32x4_s", (V128,), (V128,)),
    _simd(0xC8, "i64x2.extend_high_i32x4_s", (V128,), (V128,)),
    _simd(0xC9, "i64x2.extend_low_i32x4_u", (V128,), (V128,)),
    _simd(0xCA, "i64x2.extend_high_i32x4_u", (V128,), (V128,)),
    _simd(0xCB, "i64x2.shl", (V128, I32), (V128,)),
    _simd(0xCC, "i64x2.shr_s", (V128, I32), (V128,)),
    _simd(0xCD, "i64x2.shr_u", (V128, I32), (V128,)),
    _simd(0xCE, "i64x2.add", (V128, V128), (V128,)),
    _simd(0xD1, "i64x2.sub", (V128, V128), (V128,)),
    _simd(0xD5, "i64x2.mul", (V128, V128), (V128,)),
    _simd(0xD6, "i64x2.eq", (V128, V128), (V128,)),
    _simd(0xD7, "i64x2.ne", (V128, V128), (V128,)),
    _simd(0xD8, "i64x2.lt_s", (V128, V128), (V128,)),
    _simd(0xD9, "i64x2.gt_s", (V128, V128), (V128,)),
    _simd(0xDA, "i64x2.le_s", (V128, V128), (V128,)),
    _simd(0xDB, "i64x2.ge_s", (V128, V128), (V128,)),
    _simd(0xDC, "i64x2.extmul_low_i32x4_s", (V128, V128), (V128,)),
    _simd(0xDD, "i64x2.extmul_high_i32x4_s", (V128, V128), (V128,)),
    _simd(0xDE, "i64x2.extmul_low_i32x4_u", (V128, V128), (V128,)),
    _simd(0xDF, "i64x2.extmul_high_i32x4_u", (V128, V128), (V128,)),
    _simd(0xE0, "f32x4.abs", (V128,), (V128,)),
    _simd(0xE1, "f32x4.neg", (V128,), (V128,)),
    _simd(0xE3, "f32x4.sqrt", (V128,), (V128,)),
    _simd(0xE4, "f32x4.add", (V128, V128), (V128,)),
    _simd(0xE5, "f32x4.sub", (V128, V128), (V128,)),
    _simd(0xE6, "f32x4.mul", (V128, V128), (V128,)),
    _simd(0xE7, "f32x4.div", (V128, V128), (V128,)),
    _simd(0xE8, "f32x4.min", (V128, V128), (V128,)),
    _simd(0xE9, "f32x4.max", (V128, V128), (V128,)),
    _simd(0xEA, "f32x4.pmin", (V128, V128), (V128,)),
    _simd(0xEB, "f32x4.pmax", (V128, V128), (V128,)),
    _simd(0xEC, "f64x2.abs", (V128,), (V128,)),
    _simd(0xED, "f64x2.neg", (V128,), (V128,)),
    _simd(0xEF, "f64x2.sqrt", (V128,), (V128,)),
    _simd(0xF0, "f64x2.add", (V128, V128), (V128,)),
    _simd(0xF1, "f64x2.sub", (V128, V128), (V128,)),
    _simd(0xF2, "f64x2.mul", (V128, V128), (V128,)),
    _simd(0xF3, "f64x2.div", (V128, V128), (V128,)),
    _simd(0xF4, "f64x2.min", (V128, V128), (V128,)),
    _simd(0xF5, "f64x2.max", (V128, V128), (V128,)),
    _simd(0xF6, "f64x2.pmin", (V128, V128), (V128,)),
    _simd(0xF7, "f64x2.pmax", (V128, V128), (V128,)),
    _simd(0xF8, "i32x4.trunc_sat_f32x4_s", (V128,), (V128,)),
    _simd(0xF9, "i32x4.trunc_sat_f32x4_u", (V128,), (V128,)),
    _simd(0xFA, "f32x4.convert_i32x4_s", (V128,), (V128,)),
    _simd(0xFB, "f32x4.convert_i32x4_u", (V128,), (V128,)),
    _simd(0xFC, "i32x4.trunc_sat_f64x2_s_zero", (V128,), (V128,)),
    _simd(0xFD, "i32x4.trunc_sat_f64x2_u_zero", (V128,), (V128,)),
    _simd(0xFE, "f64x2.convert_low_i32x4_s", (V128,), (V128,)),
    _simd(0xFF, "f64x2.convert_low_i32x4_u", (V128,), (V128,)),
)
# fmt: on

PLAIN_OPS: tuple[Op, ...] = SCALAR_OPS + VECTOR_OPS
OPS_2_0: tuple[Op, ...] = STRUCTURED_OPS + PLAIN_OPS
OPS: tuple[Op, ...] = OPS_2_0 + TAIL_CALL_OPS

BY_CODE: dict[int, Op] = {op.code: op for op in OPS}

# Reversed: of the two rows named "select" the first one, without types, is the one meant.
BY_TEXT: dict[str, Op] = {op.text: op for op in reversed(OPS)}
SELECT_TYPED = BY_CODE[0x1C]


def op_by_code(code: int) -> Op:
    """Return the row with this code."""
    return BY_CODE[code]


def immediates(op: Op, imm: Any) -> tuple[Any, ...]:
    """Return an instruction's immediate values as a tuple parallel to ``op.imm``."""
    if not op.imm:
        return ()
    return (imm,) if len(op.imm) == 1 else tuple(imm)
