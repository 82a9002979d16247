"""Whole modules: what is refused, deep nesting, totality of the tables, records on each ISA."""

from __future__ import annotations

import pytest

from mvvm_aot.backend import CodegenMode, emit_assembly, emit_object, optimize_ir
from mvvm_aot.errors import CodegenError
from mvvm_aot.lower import Scope, lower_module, vector
from mvvm_aot.lower.function import SHAPES
from mvvm_aot.plan import plan_points
from mvvm_aot.proof import prove_object, subject_of
from mvvm_aot.targets import TARGETS, Target
from mvvm_aot.wasmparser.opcodes import SCALAR_OPS, STRUCTURED_OPS, TAIL_CALL_OPS, VECTOR_OPS
from stackmaps.objects import read_object

from .harness import load

OTHER = {"f32.const", "f64.const", "drop", "nop", "select"}  # lowered outside of the tables

CALLS = """(module (import "env" "h" (func $h (param i32) (result i32)))
  (func $f (param i32) (result i32)
    (loop (br_if 0 (call $h (local.get 0))))
    (i32.add (call $h (i32.const 1)) (call $h (local.get 0)))))"""


def lower(text: str) -> str:
    vm = load(text)
    return lower_module(vm, plan_points(vm))


def test_every_scalar_instruction_is_lowered() -> None:
    missing = {op.text for op in (*SCALAR_OPS, *STRUCTURED_OPS, *TAIL_CALL_OPS) if op not in SHAPES}
    assert missing == OTHER


def test_every_vector_instruction_is_lowered() -> None:
    assert set(VECTOR_OPS) == set(vector.VECTOR_OPS)


def test_a_function_with_a_tail_call_is_not_inlined() -> None:
    text = lower('(module (func) (func (export "f") (return_call 0)))')
    assert "tail call preserve_nonecc void @m0_f0()" in text
    assert "@m0_f1() #1 {" in text


def test_what_cannot_be_reached_is_not_lowered() -> None:
    assert "tail" not in lower("(module (func (return) (return_call 0)))")


def test_deep_nesting_needs_no_recursion() -> None:
    depth = 20_000
    body = "(block " * depth + f"(br_if {depth - 1} (local.get 0))" + ")" * depth
    assert lower(f"(module (func (param i32) {body}))").count("\n") < 500


def test_a_second_object_declares_what_the_first_defines() -> None:
    vm = load(CALLS)
    scope = Scope(defined=[1], shared=False, careful=True)
    ir = lower_module(vm, plan_points(vm), scope=scope)
    assert "define hidden preserve_nonecc i32 @m0_f1(" in ir
    assert "declare hidden preserve_nonecc i32 @m0_f0(" in ir
    assert "@m0_context = external hidden global" in ir
    assert "thunk" not in ir


@pytest.mark.parametrize("mode", list(CodegenMode))
@pytest.mark.parametrize("opt_level", [0, 1, 2, 3])
@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_no_record_is_lost(target: Target, opt_level: int, mode: CodegenMode) -> None:
    ir = lower(CALLS)
    code = read_object(emit_object(ir, target, opt_level=opt_level, mode=mode))
    found = sum(len(f.records) for stack_map in code.stack_maps for f in stack_map.functions)
    assert found >= ir.count('"deopt"(')


@pytest.mark.parametrize("mode", list(CodegenMode))
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("load_op", ["i32.load", "i64.load32_s", "f32.load", "v128.load"])
def test_a_load_that_nobody_uses_is_made_without_optimisation(
    load_op: str, target: Target, mode: CodegenMode
) -> None:
    vm = load(
        f"""(module (memory 1) (func (param i32) (drop ({load_op} offset=3744 (local.get 0)))))"""
    )
    text = lower_module(vm, plan_points(vm), scope=Scope(optimized=False))
    assert 'asm sideeffect "", "X"' not in text
    code = emit_assembly(text, target, opt_level=0, mode=mode)
    assert "3744(" in code or "#3744" in code


def test_llvm_errors_are_converted() -> None:
    with pytest.raises(CodegenError, match="LLVM: "):
        optimize_ir("define i32 @f() { ret i64 0 }", TARGETS["x86_64"])


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize(
    "body", ["(return_call $g)", "(return_call_indirect (type $t) (local.get 0))"]
)
def test_the_proof_refuses_a_tail_call_that_is_no_jump(body: str, target: Target) -> None:
    vm = load(
        f"""(module (type $t (func)) (import "env" "h" (func $h)) (table 1 funcref)
          (func $g (call $h)) (func (param i32) {body}))"""
    )
    plan = plan_points(vm)
    text = lower_module(vm, plan)
    subject = subject_of(vm, plan, target, "m0")
    assert not prove_object(emit_object(text, target), subject).failed
    stays = text.replace("tail call", "notail call")
    assert stays != text
    with pytest.raises(CodegenError, match=r"should be a tail call|no stack map record"):
        prove_object(emit_object(stays, target), subject)


@pytest.mark.parametrize("opt_level", [1, 2, 3])
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("result", ["f32", "i32"])
def test_a_tail_call_of_a_function_with_a_known_result_is_a_jump(
    result: str, opt_level: int, target: Target
) -> None:
    """The results are constants, which LLVM must not return in the callee's place."""
    vm = load(
        f"""(module (import "env" "h" (func $h)) (func $g (result {result}) (call $h)
          ({result}.const 7)) (func (result {result}) (return_call $g)))"""
    )
    plan = plan_points(vm)
    code = emit_object(lower_module(vm, plan), target, opt_level=opt_level)
    assert not prove_object(code, subject_of(vm, plan, target, "m0")).failed


@pytest.mark.parametrize("opt_level", [0, 1, 2, 3])
def test_the_proof_looks_behind_a_call_of_what_only_makes_an_indirect_tail_call(
    opt_level: int,
) -> None:
    """On x86-64 such a jump reads its target from memory."""
    target = TARGETS["x86_64"]
    vm = load(
        """(module (type $t (func (param i32) (result i32))) (table 1 funcref)
          (func $f (param i32) (result i32)
            (return_call_indirect (type $t) (local.get 0) (local.get 0)))
          (func $g (param i32) (result i32)
            (i32.xor (call $f (local.get 0)) (i32.const 0x12345678))))"""
    )
    plan = plan_points(vm)
    subject = subject_of(vm, plan, target, "m0")
    code = emit_object(lower_module(vm, plan), target, opt_level=opt_level)
    assert not prove_object(code, subject).failed
    exclusive_or = bytes.fromhex("35 78563412")  # xor eax, 0x12345678
    assert code.count(exclusive_or) == 1
    broken = code.replace(exclusive_or, bytes.fromhex("31d8 909090"))  # xor eax, ebx; nops
    assert "register rbx is read behind" in prove_object(broken, subject).failed[1]


UNUSED_LANES = """
(module
  (global $g (mut v128) (v128.const i64x2 0 0))
  (table 1 funcref)
  (elem declare func $f)
  (func $f (param f64) (local v128)
    (global.set $g (i64x2.extmul_high_i32x4_s
      (i8x16.narrow_i16x8_u (v128.const i64x2 0 0) (local.get 1)) (local.get 1)))
    (call_indirect (param f64) (f64.const 0) (i32.const 0))))
"""


def test_lanes_that_nobody_needs_pass_in_careful_code() -> None:
    """LLVM packs any register into lanes that nobody reads: no proof, unless it cannot know."""
    target = TARGETS["x86_64"]
    vm = load(UNUSED_LANES)
    plan = plan_points(vm)
    subject = subject_of(vm, plan, target, "m0")
    text = lower_module(vm, plan)
    assert prove_object(emit_object(text, target), subject).failed
    careful = lower_module(vm, plan, scope=Scope(frozenset({0}), shared=False, careful=True))
    for mode in (CodegenMode.CAREFUL, CodegenMode.PLAIN):
        assert not prove_object(emit_object(careful, target, mode=mode), subject).failed
