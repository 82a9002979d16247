"""Every scalar numeric instruction against wasmtime, on edge cases, on each ISA and -O level."""

from __future__ import annotations

import itertools
import struct
from functools import cache

import pytest
import wasmtime

from mvvm_aot.targets import TARGETS
from mvvm_aot.wasmparser.opcodes import SCALAR_OPS, Op
from mvvm_aot.wasmparser.types import ValType

from .harness import RUNNABLE, Answer, Call, Program

I32, I64, F32, F64 = ValType.I32, ValType.I64, ValType.F32, ValType.F64

INTS = (0, 1, 2, 3, 7, 31, 32, 33, 63, 64, 65, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF)
CORNERS = {
    I32: (*INTS, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFF, 0xFFFFFFFE, 0x12345678),
    I64: (
        *INTS,
        0x7FFFFFFF,
        0x80000000,
        0xFFFFFFFF,
        0x7FFFFFFFFFFFFFFF,
        0x8000000000000000,
        0xFFFFFFFFFFFFFFFF,
        0x123456789ABCDEF0,
    ),
}


def f64_bits(value: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


def f32_bits(value: float) -> int:
    return int(struct.unpack("<I", struct.pack("<f", value))[0])


FLOATS = (
    0.0, 1.0, 0.5, 1.5, 2.5, 0.49999999999999994, 3.7, 1e10, 1e30, 127.5, 2147483647.0,
    2147483648.0, 2147483649.0, 4294967295.0, 4294967296.0, 9223372036854774784.0,
    9223372036854775808.0, 18446744073709549568.0, 18446744073709551616.0, 8388607.5,
    4503599627370495.5, 0.9999999, float("inf"),
)  # fmt: skip
CORNERS[F64] = (
    *(f64_bits(sign * value) for value in FLOATS for sign in (1, -1)),
    1,
    0x8000000000000001,
    0x0010000000000000,
    0x7FEFFFFFFFFFFFFF,
    0x41DFFFFFFFFFFFFF,
    0xC1E0000000200000,  # -2147483649.0
    0xC1E00000001FFFFF,
    0x7FF8000000000000,
    0xFFF8000000000000,
    0x7FF4000000000000,
    0x7FF0000000000001,
    0xFFFFFFFFFFFFFFFF,
)
CORNERS[F32] = (
    *(f32_bits(sign * value) for value in FLOATS for sign in (1, -1)),
    1,
    0x80000001,
    0x00800000,
    0x7F7FFFFF,
    0x4EFFFFFF,
    0xCF000001,
    0x7FC00000,
    0xFFC00000,
    0x7FA00000,
    0x7F800001,
    0xFFFFFFFF,
)


def computes(op: Op) -> bool:
    return bool(op.params and op.results and not op.imm)


OPS = [op for op in SCALAR_OPS if computes(op)]


def module_text() -> str:
    """One function per instruction, in the order of OPS."""
    funcs = []
    for op in OPS:
        params = " ".join(valtype.text for valtype in op.params)
        operands = " ".join(f"(local.get {k})" for k in range(len(op.params)))
        name = f'(export "{op.text}")'
        funcs.append(
            f"(func {name} (param {params}) (result {op.results[0].text}) ({op.text} {operands}))"
        )
    return "(module\n" + "\n".join(funcs) + ")"


def is_nan(bits: int, valtype: ValType) -> bool:
    if valtype is F32:
        return bits & 0x7FFFFFFF > 0x7F800000
    return valtype is F64 and bits & (1 << 63) - 1 > 0x7FF << 52


def quiet(bits: int, valtype: ValType) -> bool:
    return bool(bits >> (22 if valtype is F32 else 51) & 1)


TRAPS = {
    "integer divide by zero": "trap 2",
    "integer overflow": "trap 3",
    "invalid conversion to integer": "trap 4",
}


@cache
def cases() -> list[Call]:
    calls: list[Call] = []
    for index, op in enumerate(OPS):
        # Pairs: every third value on the right, so that each value meets about twenty others.
        corners = [CORNERS[t][:: 3 if k else 1] for k, t in enumerate(op.params)]
        calls += [(index, args) for args in itertools.product(*corners)]
        if len(corners) == 2:
            calls += [(index, (args[1], args[0])) for args in itertools.product(*corners)][::2]
    return calls


def to_python(bits: int, valtype: ValType) -> int | float:
    if valtype is F32:
        return float(struct.unpack("<f", struct.pack("<I", bits))[0])
    if valtype is F64:
        return float(struct.unpack("<d", struct.pack("<Q", bits))[0])
    width = 32 if valtype is I32 else 64
    return bits - (1 << width) if bits >> (width - 1) else bits


def reinterpreted_text() -> str:
    """As module_text, but floats travel as integers, so that NaN bits survive Python."""
    funcs = []
    for op in OPS:
        params = " ".join("i32" if t in (I32, F32) else "i64" for t in op.params)
        casts = {F32: "(f32.reinterpret_i32 {})", F64: "(f64.reinterpret_i64 {})"}
        operands = " ".join(
            casts.get(t, "{}").format(f"(local.get {k})") for k, t in enumerate(op.params)
        )
        body = f"({op.text} {operands})"
        result = op.results[0]
        if result is F32:
            body, result = f"(i32.reinterpret_f32 {body})", I32
        elif result is F64:
            body, result = f"(i64.reinterpret_f64 {body})", I64
        name = f'(export "{op.text}")'
        funcs.append(f"(func {name} (param {params}) (result {result.text}) {body})")
    return "(module\n" + "\n".join(funcs) + ")"


@cache
def expected() -> list[Answer]:
    store = wasmtime.Store()
    module = wasmtime.Module(store.engine, reinterpreted_text())
    exports = wasmtime.Instance(store, module, []).exports(store)
    funcs = [exports[op.text] for op in OPS]
    answers: list[Answer] = []
    for index, args in cases():
        op = OPS[index]
        ints = [
            to_python(bits, I32 if t in (I32, F32) else I64)
            for bits, t in zip(args, op.params, strict=True)
        ]
        width = 32 if op.results[0] in (I32, F32) else 64
        try:
            answers.append((funcs[index](store, *ints) & (1 << width) - 1,))
        except wasmtime.Trap as trap:
            text = trap.message
            answers.append(next(code for words, code in TRAPS.items() if words in text))
    return answers


@cache
def program() -> Program:
    return Program(module_text())


@pytest.mark.parametrize("opt_level", [0, 1, 2, 3])
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_numeric_instructions(name: str, opt_level: int) -> None:
    target = TARGETS[name]
    if target not in RUNNABLE:
        pytest.fail(f"needs {target.qemu}")
    answers = program().call(cases(), target, opt_level)
    wrong = []
    for (index, args), answer, wanted in zip(cases(), answers, expected(), strict=True):
        op = OPS[index]
        result = op.results[0]
        if answer == wanted:
            continue
        if (
            isinstance(answer, tuple)
            and isinstance(wanted, tuple)
            and is_nan(wanted[0], result)
            and is_nan(answer[0], result)
            and quiet(answer[0], result)
        ):
            continue  # which NaN is up to the machine
        wrong.append(f"{op.text} {[hex(a) for a in args]} -> {answer}, wanted {wanted}")
    assert not wrong, "\n".join(wrong[:20])
