"""opcodes.py: the table is complete, self-consistent, and agrees with wasmtime."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import wasmtime

from mvvm_aot.errors import MalformedModule
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.opcodes import (
    BY_CODE,
    BY_TEXT,
    OPS,
    OPS_2_0,
    PLAIN_OPS,
    STRUCTURED_OPS,
    TAIL_CALL_OPS,
    VECTOR_OPS,
    Imm,
    Op,
    immediates,
)
from mvvm_aot.wasmparser.types import FuncType, ValType
from mvvm_aot.wasmparser.validate import validate_module

from . import builder as b

# For each kind: bytes, the value they stand for, and the same as text.
SAMPLES: dict[Imm, tuple[bytes, Any, str]] = {
    Imm.BLOCKTYPE: (b.EMPTY, FuncType((), ()), ""),
    Imm.LABEL: (b"\x05", 5, "5"),
    Imm.LABELS: (b"\x02\x05\x06\x07", ((5, 6), 7), "5 6 7"),
    Imm.FUNC: (b"\x00", 0, "0"),
    Imm.TYPE: (b"\x81\x01", 129, "129"),
    Imm.TABLE: (b"\x03", 3, "3"),
    Imm.LOCAL: (b"\xff\x7f", 16383, "16383"),
    Imm.GLOBAL: (b"\x09", 9, "9"),
    Imm.MEMARG: (b"\x00\xa0\x8d\x06", (0, 100000), "offset=100000 align=1"),
    Imm.MEMORY: (b"\x00", 0, ""),
    Imm.I32: (b"\x80\x80\x80\x80\x78", -(2**31), "-2147483648"),
    Imm.I64: (b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f", -(2**63), "-9223372036854775808"),
    Imm.F32: (b"\x01\x00\xa0\x7f", 0x7FA00001, "nan:0x200001"),
    Imm.F64: (b"\x01\0\0\0\0\0\xf4\x7f", 0x7FF4000000000001, "nan:0x4000000000001"),
    Imm.V128: (bytes(range(16)), 0x0F0E0D0C0B0A09080706050403020100, ""),
    Imm.LANE: (b"\x01", 1, "1"),
    Imm.LANES16: (bytes(range(16)), tuple(range(16)), " ".join(map(str, range(16)))),
    Imm.DATA: (b"\x00", 0, "0"),
    Imm.ELEM: (b"\x02", 2, "2"),
    Imm.VALTYPES: (b"\x01\x7e", (ValType.I64,), "(result i64)"),
    Imm.REFTYPE: (b"\x70", ValType.FUNCREF, "func"),
}

# What text and binary order differently, or where the text needs more than the immediates.
TEXT_DIFFERS = {"call_indirect", "return_call_indirect", "table.init", "v128.const", "else", "end"}


def opcode_bytes(op: Op) -> bytes:
    """Encode an opcode by the scheme that the table documents."""
    if op.code < 0x100:
        return bytes([op.code])
    return bytes([op.code >> 16]) + b.u32(op.code & 0xFFFF)


def sample(op: Op) -> tuple[bytes, Any]:
    """Return an instruction's bytes with the sample immediates, and their value."""
    samples = [SAMPLES[kind] for kind in op.imm]
    encoded = opcode_bytes(op) + b"".join(item[0] for item in samples)
    values = [item[1] for item in samples]
    return encoded, (None if not values else values[0] if len(values) == 1 else tuple(values))


def test_counts() -> None:
    assert len(VECTOR_OPS) == 236
    assert len(OPS_2_0) == 437
    assert len(TAIL_CALL_OPS) == 2
    assert len(OPS) == len(BY_CODE) == len(set(OPS)) == 439


def test_text_is_unique_but_for_select() -> None:
    assert len(BY_TEXT) == len(OPS) - 1
    assert BY_TEXT["select"].code == 0x1B
    assert all(BY_TEXT[op.text] is op for op in OPS if op.code != 0x1C)


def test_structured_rows_have_no_operand_types() -> None:
    assert all(op.params == op.results == () for op in STRUCTURED_OPS + TAIL_CALL_OPS)


@pytest.mark.parametrize("op", PLAIN_OPS, ids=lambda op: op.text)
def test_memory_size_and_lanes_go_with_the_immediates(op: Op) -> None:
    assert (op.memory_size > 0) == (Imm.MEMARG in op.imm)
    assert (op.lanes > 0) == (Imm.LANE in op.imm or Imm.LANES16 in op.imm)


def test_rows_stay_singletons() -> None:
    for op in OPS:
        assert pickle.loads(pickle.dumps(op)) is op
        assert copy.deepcopy(op) is op


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.text)
def test_every_row_decodes(op: Op) -> None:
    encoded, value = sample(op)
    if op.text == "else":
        encoded = b.IF + b.EMPTY + encoded + b.END
    elif op.text in ("block", "loop", "if"):
        encoded += b.END
    module = b.decode_func(
        b"" if op.text == "end" else encoded,
        more_types=(b.func_type(),) * 200,
        sections={b.DATA_COUNT: b.u32(1), b.DATA: b.vec(b"\x01\x00")},
    )
    found = [instr for instr in module.functions[0].instrs if instr[1] is op]
    offset, _, imm = found[0]
    assert imm == value
    assert module.raw[offset : offset + len(opcode_bytes(op))] == opcode_bytes(op)
    assert immediates(op, imm) == tuple(SAMPLES[kind][1] for kind in op.imm)


@pytest.mark.parametrize(
    "op", [op for op in OPS if op.text not in TEXT_DIFFERS], ids=lambda op: op.text
)
def test_every_row_is_what_the_assembler_makes_of_its_text(op: Op) -> None:
    text = " ".join([op.text, *(SAMPLES[kind][2] for kind in op.imm)])
    if op.text in ("block", "loop", "if"):
        text += " end"
    assembled = bytes(wasmtime.wat2wasm(f'(module (func {text}) (data ""))'))
    assert sample(op)[0] in assembled


@pytest.mark.parametrize("op", PLAIN_OPS, ids=lambda op: op.text)
def test_every_plain_row_has_the_type_that_wasmtime_gives_it(op: Op) -> None:
    data = plain_module(op)
    wasmtime.Module.validate(wasmtime.Engine(), data)
    assert validate_module(decode_module(data)).functions[0].type.params == op.params


def plain_module(op: Op) -> bytes:
    """Encode a function of the row's own type that does nothing but execute it."""
    gets = b"".join(b.LOCAL_GET + b.u32(index) for index in range(len(op.params)))
    params = bytes(valtype.value for valtype in op.params)
    results = bytes(valtype.value for valtype in op.results)
    kinds = {Imm.TABLE: b"\x00", Imm.ELEM: b"\x00"}
    imm = b"".join(kinds.get(kind, SAMPLES[kind][0]) for kind in op.imm)
    return b.func_module(
        gets + opcode_bytes(op) + imm,
        params,
        results,
        sections={
            b.TABLE: b.vec(b.FUNCREF + b"\x00\x00"),
            b.MEMORY: b.vec(b"\x00\x00"),
            b.ELEM: b.vec(b"\x01\x00\x00"),  # passive, no functions
            b.DATA_COUNT: b.u32(1),
            b.DATA: b.vec(b"\x01\x00"),  # passive, empty
        },
    )


@pytest.mark.parametrize("code", sorted(set(range(0x100)) - {0xFC, 0xFD} - set(BY_CODE)))
def test_every_other_byte_is_illegal(code: int) -> None:
    with pytest.raises(MalformedModule, match="illegal opcode"):
        b.decode_func(bytes([code]))


@pytest.mark.parametrize("prefix", [0xFC, 0xFD])
def test_every_other_number_behind_a_prefix_is_illegal(prefix: int) -> None:
    numbers = [*range(0x200), 0xFFFF, 0x10000, 0x100007, 2**32 - 1]
    for number in numbers:
        if number < 0x10000 and prefix << 16 | number in BY_CODE:
            continue
        with pytest.raises(MalformedModule, match="illegal opcode") as caught:
            b.decode_func(bytes([prefix]) + b.u32(number))
        # header 8, types 6, functions 4, code: id, size, count, body size, locals
        assert caught.value.offset == 8 + 6 + 4 + 5
