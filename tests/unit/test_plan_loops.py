"""Which loops are recognised for strip-mining, and which look alike but are not."""

from __future__ import annotations

import pytest
import wasmtime

from mvvm_aot.loops import MAX_STEP, Strip
from mvvm_aot.plan import PointKind, PointPlan, plan_points
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.validate import validate_module


def plan(body: str) -> PointPlan:
    """Plan a function with locals $x $end $y (i32) and $w (i64)."""
    text = f"""(module (import "env" "h" (func $h)) (memory 1)
      (func (param $x i32) (param $end i32) (param $y i32) (param $w i64) {body}))"""
    vm = validate_module(decode_module(bytes(wasmtime.wat2wasm(text))))
    return plan_points(vm)


def strips(body: str) -> list[Strip]:
    """Return the strips of such a function."""
    return [s for function in plan(body).functions.values() for s in function.strips.values()]


STEP = "(local.tee $x (i32.add (local.get $x) (i32.const 4)))"


@pytest.mark.parametrize(
    ("body", "step", "end_local", "end_value"),
    [
        (f"(loop (br_if 0 (i32.ne {STEP} (local.get $end))))", 4, 1, 0),
        (f"(loop (br_if 0 (i32.ne (local.get $end) {STEP})))", 4, 1, 0),
        (f"(loop (br_if 0 (i32.ne {STEP} (i32.const 400))))", 4, None, 400),
        ("(loop (br_if 0 (local.tee $x (i32.sub (local.get $x) (i32.const 1)))))", -1, None, 0),
        ("(loop (br_if 0 (local.tee $x (i32.add (local.get $x) (i32.const -2)))))", -2, None, 0),
        (
            """(loop (local.set $x (i32.add (local.get $x) (i32.const 1)))
               (i32.store (local.get $x) (local.get $y))
               (br_if 0 (i32.ne (local.get $x) (local.get $end))))""",
            1,
            1,
            0,
        ),
        (
            f"""(block (loop (br_if 1 (i32.load (local.get $x)))
               (br_if 0 (i32.ne {STEP} (local.get $end)))))""",
            4,
            1,
            0,
        ),
    ],
)
def test_counting_loops(body: str, step: int, end_local: int | None, end_value: int) -> None:
    (strip,) = strips(body)
    assert (strip.local, strip.bits, strip.step) == (0, 32, step)
    assert (strip.end_local, strip.end_value) == (end_local, end_value)


@pytest.mark.parametrize(
    ("condition", "test"),
    [
        (f"i32.lt_u {STEP} (local.get $end)", "ult"),
        (f"i32.le_s {STEP} (local.get $end)", "sle"),
        (f"i32.gt_s (local.get $end) {STEP}", "slt"),
        (f"i32.ge_u (local.get $end) {STEP}", "ule"),
        ("i32.gt_u (local.tee $x (i32.sub (local.get $x) (i32.const 3))) (i32.const 7)", "ugt"),
        ("i32.lt_s (i32.const 7) (local.tee $x (i32.add (local.get $x) (i32.const -3)))", "sgt"),
    ],
)
def test_loops_that_compare(condition: str, test: str) -> None:
    (strip,) = strips(f"(loop (br_if 0 ({condition})))")
    assert (strip.local, strip.test) == (0, test)


SET = "(local.set $x (i32.const 0))"


@pytest.mark.parametrize(
    ("body", "bounded"),
    [
        (f"{SET} (loop (br_if 0 (i32.ne {STEP} (i32.const 400))))", True),
        (f"{SET} (loop (br_if 0 (i32.lt_u {STEP} (i32.const 401))))", True),
        (f"{SET} (block (loop (br_if 0 (i32.le_s {STEP} (i32.const 401)))))", True),
        # too many iterations; never ends; may wrap around; start or end unknown
        (f"{SET} (loop (br_if 0 (i32.ne {STEP} (i32.const 4000000))))", False),
        (f"{SET} (loop (br_if 0 (i32.ne {STEP} (i32.const 401))))", False),
        (f"{SET} (loop (br_if 0 (i32.lt_u {STEP} (i32.const -1))))", False),
        (f"(loop (br_if 0 (i32.ne {STEP} (i32.const 400))))", False),
        (f"{SET} (loop (br_if 0 (i32.ne {STEP} (local.get $end))))", False),
        (f"(block {SET}) (loop (br_if 0 (i32.ne {STEP} (i32.const 400))))", False),
        # something inside takes long
        (f"{SET} (loop (call 0) (br_if 0 (i32.ne {STEP} (i32.const 400))))", False),
        (
            f"""{SET} (loop (memory.fill (i32.const 0) (i32.const 0) (local.get $y))
              (br_if 0 (i32.ne {STEP} (i32.const 400))))""",
            False,
        ),
    ],
)
def test_bounded_loops(body: str, bounded: bool) -> None:
    (function,) = plan(body).functions.values()
    assert len(function.bounded) == bounded
    polls = [point for point in function.points.values() if point.kind is PointKind.POLL]
    assert len(polls) == (not bounded)


def test_a_bounded_loop_in_another() -> None:
    """The outer one is bounded by the iterations of both."""
    inner = "(local.set $y (i32.const 0)) (loop (br_if 0 (i32.ne (local.tee $y (i32.add "
    inner += "(local.get $y) (i32.const 1))) (i32.const 100))))"
    for end, count in ((40, 2), (4000, 1)):
        body = f"{SET} (loop {inner} (br_if 0 (i32.ne {STEP} (i32.const {end}))))"
        (function,) = plan(body).functions.values()
        assert len(function.bounded) == count


def test_a_64_bit_counter() -> None:
    (strip,) = strips(
        """(loop (br_if 0 (i64.ne (local.tee $w (i64.add (local.get $w) (i64.const 3)))
           (i64.const 30))))"""
    )
    assert (strip.local, strip.bits, strip.step, strip.end_value) == (3, 64, 3, 30)


@pytest.mark.parametrize(
    "body",
    [
        # a call that is a point
        f"(loop (call $h) (br_if 0 (i32.ne {STEP} (local.get $end))))",
        # the end changes
        f"(loop (local.set $end (i32.const 9)) (br_if 0 (i32.ne {STEP} (local.get $end))))",
        # two writes of the counter
        f"(loop (local.set $x (i32.const 9)) (br_if 0 (i32.ne {STEP} (local.get $end))))",
        # another branch back
        f"(loop (br_if 0 (local.get $y)) (br_if 0 (i32.ne {STEP} (local.get $end))))",
        f"(loop (block (br_if 1 (local.get $y))) (br_if 0 (i32.ne {STEP} (local.get $end))))",
        # the write can be jumped over
        """(loop (block (br_if 0 (local.get $y))
             (local.set $x (i32.add (local.get $x) (i32.const 1))))
           (br_if 0 (i32.ne (local.get $x) (local.get $end))))""",
        # not a constant step, no step, too long a step
        """(loop (br_if 0 (i32.ne (local.tee $x (i32.add (local.get $x) (local.get $y)))
           (local.get $end))))""",
        """(loop (br_if 0 (i32.ne (local.tee $x (i32.add (local.get $x) (i32.const 0)))
           (local.get $end))))""",
        f"""(loop (br_if 0 (i32.ne (local.tee $x (i32.add (local.get $x)
           (i32.const {MAX_STEP + 1}))) (local.get $end))))""",
        # counts away from its end
        f"(loop (br_if 0 (i32.gt_u {STEP} (local.get $end))))",
        f"(loop (br_if 0 (i32.le_s (local.get $end) {STEP})))",
        # another test
        f"(loop (br_if 0 (i32.eq {STEP} (local.get $end))))",
    ],
)
def test_loops_that_are_left_alone(body: str) -> None:
    assert strips(body) == []


def test_only_the_innermost_loop() -> None:
    found = strips(
        f"""(loop (local.set $x (i32.const 0))
              (loop (br_if 0 (i32.ne {STEP} (i32.const 40))))
              (br_if 0 (local.tee $y (i32.sub (local.get $y) (i32.const 1)))))"""
    )
    assert [strip.local for strip in found] == [0]
