"""Points, liveness, homes and call cycles, on small modules written by hand."""

from __future__ import annotations

import pytest
import wasmtime

from mvvm_aot import abi
from mvvm_aot.plan import (
    ENTRY,
    PointKind,
    PointPlan,
    bits_of,
    plan_points,
    point_rows,
    split_params,
)
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.types import ValType
from mvvm_aot.wasmparser.validate import validate_module
from mvvm_aot.wasmparser.validated import ValidatedModule


def load(text: str) -> ValidatedModule:
    return validate_module(decode_module(bytes(wasmtime.wat2wasm(text))))


def planned(text: str) -> tuple[ValidatedModule, PointPlan]:
    vm = load(text)
    return vm, plan_points(vm)


def test_only_what_is_read_later_is_live_behind_a_call() -> None:
    vm, plan = planned(
        """(module (import "env" "h" (func $h))
        (func (param i32 i32 i32) (result i32)
          (local.set 1 (local.get 2))
          (call $h)
          (local.set 0 (i32.const 4))
          (i32.add (local.get 0) (local.get 1))))"""
    )
    (point,) = plan.functions[1].points.values()
    assert bits_of(point.live) == [1]
    assert point.callee == 0 and point.kind is PointKind.CALL
    assert vm.module.raw[point.offset] == 0x10  # the offset of the call instruction


def test_liveness_goes_around_nested_loops() -> None:
    """Local 2 is read only at the outer loop's start: it is live behind the inner call."""
    _, plan = planned(
        """(module (import "env" "h" (func $h (param i32)))
        (func (param i32 i32 i32)
          (loop $outer
            (call $h (local.get 2))
            (loop $inner
              (call $h (i32.const 1))
              (br_if $inner (local.get 0)))
            (br_if $outer (local.get 1)))))"""
    )
    for point in plan.functions[1].points.values():
        assert bits_of(point.live) == [0, 1, 2]


def test_code_that_cannot_be_reached_has_no_points() -> None:
    _, plan = planned(
        """(module (import "env" "h" (func $h))
        (func (block (br 0) (call $h)) (return) (loop (call $h) (br 0))))"""
    )
    assert not plan.functions[1].points


def test_a_block_that_nothing_leaves_hides_what_follows() -> None:
    _, plan = planned(
        """(module (import "env" "h" (func $h))
        (func (block (return)) (call $h)))"""
    )
    assert not plan.functions[1].points


def test_a_loop_without_a_branch_back_does_not_poll() -> None:
    _, plan = planned("(module (func (param i32) (loop (br_if 1 (local.get 0)))))")
    assert not plan.functions[0].points


def test_operands_below_the_arguments_are_recorded() -> None:
    vm, plan = planned(
        """(module (import "env" "h" (func $h (param f64) (result i32)))
        (func (result i32)
          (i64.const 1) (i32.const 2) (call $h (f64.const 3)) (i32.add)
          (i64.extend_i32_u) (i64.add) (i32.wrap_i64)))"""
    )
    (point,) = plan.functions[1].points.values()
    assert point.operands == (ValType.I64, ValType.I32)
    (row,) = (row for row in point_rows(vm, plan) if row.func_id == 1)
    assert row.operands == ((0x7E, 0), (0x7F, 1))


def test_a_loop_records_its_parameters() -> None:
    _, plan = planned(
        """(module (func (param i32) (result i64)
          (i64.const 1) (i32.const 2)
          (loop (param i32) (drop) (i32.const 3) (br_if 0 (local.get 0)) (drop))))"""
    )
    (point,) = plan.functions[0].points.values()
    assert point.kind is PointKind.POLL and point.callee == abi.CALLEE_POLL
    assert point.operands == (ValType.I64, ValType.I32)


@pytest.mark.parametrize(
    ("text", "polled"),
    [
        ("(func $a (call $a))", 1),
        ("(func $a (call $b)) (func $b (call $a))", 1),
        ("(func $a (call $b) (call $c)) (func $b (call $a)) (func $c (call $a))", 1),
        ("(func $a (call $b)) (func $b)", 0),
        # The loop may never be entered, so it does not cut the cycle.
        ("(func $a (param i32) (loop (br_if 0 (local.get 0))) (call $a (local.get 0)))", 1),
        ("(table funcref (elem $a)) (func $a (call_indirect (i32.const 0)))", 1),
        ("(table funcref (elem $b)) (func $a (call_indirect (i32.const 0))) (func $b)", 0),
    ],
)
def test_every_cycle_of_calls_polls(text: str, polled: int) -> None:
    _, plan = planned(f"(module {text})")
    assert sum(ENTRY in function.points for function in plan.functions.values()) == polled


def test_what_reaches_no_point_has_none() -> None:
    _, plan = planned(
        """(module (import "env" "h" (func $h))
        (func $leaf) (func $calls_leaf (call $leaf))
        (func $calls_host (call $h)) (func $above (call $calls_host) (call $leaf)))"""
    )
    assert plan.suspendable == {0, 3, 4}
    assert len(plan.functions[4].points) == 1  # the call of $leaf is none


def test_without_migration_there_is_nothing() -> None:
    vm = load('(module (import "env" "h" (func $h)) (func (loop (call $h) (br 0))))')
    plan = plan_points(vm, migration=False)
    assert plan.num_points == 0 and not plan.suspendable and not point_rows(vm, plan)


def test_import_stubs_and_thunks_have_rows() -> None:
    vm, plan = planned('(module (import "env" "h" (func (param i32 f64))) (func))')
    rows = {row.func_id: row for row in point_rows(vm, plan)}
    assert rows[0].locals == ((0, 0x7F, 0), (1, 0x7C, 2))
    assert rows[0].callee == abi.CALLEE_HOST
    assert rows[abi.THUNK_FUNC_ID | 1].callee == abi.CALLEE_THUNK


def test_values_beyond_the_registers_are_spilled() -> None:
    params = (ValType.I32,) * 9 + (ValType.F64,) * 7
    registers, spilled = split_params(params)
    assert spilled == [8, 15] and len(registers) == 14


def test_an_absurdly_deep_nest_of_loops_is_planned() -> None:
    depth = 300
    body = "(loop " * depth + "(local.set 0 (local.get 1)) " + "(br_if 0 (local.get 0)) )" * depth
    _, plan = planned(f"(module (func (param i32 i32) {body}))")
    points = plan.functions[0].points.values()
    assert len(points) == depth
    assert all(1 in bits_of(point.live) for point in points)
