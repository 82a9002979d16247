"""Operations on two floats side by side, which LLVM's passes make vector operations of."""

from __future__ import annotations

import struct
from functools import cache

import pytest

from mvvm_aot.backend import optimize_ir
from mvvm_aot.lower import lower_module
from mvvm_aot.plan import plan_points
from mvvm_aot.repair import PAIR, widen_pairs
from mvvm_aot.targets import TARGETS, target_by_name

from .harness import RUNNABLE, Program

SIGNALING, QUIET = 0x7FA0_0001, 0x7FE0_0001

# Writes two floats, of which the machine code does both at once; returns their bits.
OPERATIONS = {
    "min": "(f32.min {} (f32.reinterpret_i32 (local.get 2)))",
    "max": "(f32.max {} (f32.reinterpret_i32 (local.get 2)))",
    "mul": "(f32.mul (f32.const 1) {})",
    "sub": "(f32.sub {} (f32.const 0))",
}


def module_text() -> str:
    functions = []
    for operation in OPERATIONS.values():
        values = [operation.format(f"(f32.load offset={at} (i32.const 16))") for at in (0, 4)]
        functions.append(
            f"""(func (param i32 i32 i32) (result i64)
            (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1))
            (f32.store (i32.const 0) {values[0]}) (f32.store (i32.const 4) {values[1]})
            (i64.load (i32.const 0)))"""
        )
    return '(module (memory (export "memory") 1)' + "\n".join(functions) + ")"


@cache
def program() -> Program:
    return Program(module_text())


def bits(value: float) -> int:
    return int(struct.unpack("<I", struct.pack("<f", value))[0])


def test_llvm_makes_such_pairs() -> None:
    """Else the other tests would show nothing."""
    ir = lower_module(program().vm, plan_points(program().vm))
    text = optimize_ir(ir, target_by_name("x86_64"))
    assert f"@{PAIR}(<2 x float>)" in text  # declared,
    assert "call <2 x float> @" + PAIR not in text  # and not called: that would end the process
    assert text.count("%mvvm.quiet.") >= len(OPERATIONS)


@pytest.mark.parametrize("opt_level", [0, 2])
@pytest.mark.parametrize("name", [*TARGETS])
def test_pairs_of_floats(name: str, opt_level: int) -> None:
    target = target_by_name(name)
    if target not in RUNNABLE:
        pytest.fail(f"needs {target.qemu}")
    calls = [
        (index, (left, right, bits(5.0)))
        for index in range(len(OPERATIONS))
        for left, right in ((SIGNALING, bits(-1.5)), (bits(7.0), SIGNALING))
    ]
    expect = {"min": (-1.5, 5.0), "max": (5.0, 7.0)}
    for (index, (left, right, _)), answer in zip(
        calls, program().call(calls, target, opt_level), strict=True
    ):
        operation = [*OPERATIONS][index]
        first, second = expect.get(operation, (-1.5, 7.0))
        low, high = (QUIET, bits(first)) if left == SIGNALING else (bits(second), QUIET)
        assert answer == (high << 32 | low,), (operation, hex(left), hex(right))


def test_attributes_and_metadata_of_the_call_are_dropped() -> None:
    found = widen_pairs(
        f"  %5 = tail call nnan noundef <2 x float> @{PAIR}(<2 x float> noundef nofpclass(inf) %a)"
        " #7, !dbg !3\n"
    )
    assert found == (
        "  %mvvm.wide.1 = shufflevector <2 x float> %a, <2 x float> poison,"
        " <4 x i32> <i32 0, i32 1, i32 poison, i32 poison>\n"
        "  %mvvm.quiet.1 = call <4 x float> @llvm.canonicalize.v4f32(<4 x float> %mvvm.wide.1)\n"
        "  %5 = shufflevector <4 x float> %mvvm.quiet.1, <4 x float> poison, <2 x i32>"
        " <i32 0, i32 1>\n"
        "\ndeclare <4 x float> @llvm.canonicalize.v4f32(<4 x float>)\n"
    )
    assert widen_pairs(f"declare <2 x float> @{PAIR}(<2 x float>)\n").startswith("declare")
