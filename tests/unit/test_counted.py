"""Which loops' iterations are counted, and which of their locals have a course."""

from __future__ import annotations

import pytest
import wasmtime

from mvvm_aot.counted import Counted, Course
from mvvm_aot.plan import plan_points
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.validate import validate_module

NEXT = "(local.tee $x (i32.add (local.get $x) (i32.const 4)))"
START = "(local.set $x (i32.const -40))"
Y = "(local.set $y (i32.sub (local.get $y) (i32.const 3)))"
W = "(local.set $w (i64.add (local.get $w) (i64.const 0x100000000)))"


def counted(body: str) -> list[Counted]:
    """Return the counted loops, outermost first, of a function with $x, $y, $end and $w (i64)."""
    text = f"""(module (import "env" "h" (func $h)) (memory 1)
      (func (param $end i32) (result i32) (local $x i32) (local $y i32) (local $w i64)
        {body} (i32.add (local.get $y) (i32.wrap_i64 (local.get $w)))))"""
    vm = validate_module(decode_module(bytes(wasmtime.wat2wasm(text))))
    (plan,) = plan_points(vm).functions.values()
    return [plan.counted[index] for index in sorted(plan.counted)]


def test_courses_of_all_locals_that_go_on() -> None:
    (found,) = counted(
        f"""(local.set $w (i64.const 5)) {START} (local.set $y (i32.const 7))
        (loop {Y} {W} (br_if 0 {NEXT}))"""
    )
    assert found.trips == 10
    assert [(c.local, c.bits, c.start, c.step) for c in found.courses] == [
        (1, 32, -40, 4),
        (2, 32, 7, -3),
        (3, 64, 5, 1 << 32),
    ]
    assert found.courses[0].bounds(found.trips) == (-40, -4)
    assert found.courses[1].bounds(found.trips) == (-20, 7)


@pytest.mark.parametrize(
    ("test", "trips"),
    [
        (f"(i32.ne {NEXT} (i32.const 4))", 11),
        (f"(i32.lt_s {NEXT} (i32.const 3))", 11),
        (f"(i32.le_s {NEXT} (i32.const 3))", 11),
        (f"(i32.le_s {NEXT} (i32.const 4))", 12),
    ],
)
def test_the_number_of_iterations(test: str, trips: int) -> None:
    (found,) = counted(f"{START} (loop (br_if 0 {test}))")
    assert found.trips == trips


def test_loops_in_each_other() -> None:
    """A course starts where its loop does, and ends there: $y is no course of the inner loop."""
    outer, inner = counted(
        f"""(local.set $y (i32.const 100))
        (loop {START} (loop {W} (br_if 0 {NEXT}))
          (local.set $y (i32.add (local.get $y) (i32.const -5))) (br_if 0 (local.get $y)))"""
    )
    assert (outer.trips, [c.local for c in outer.courses]) == (20, [2])
    assert (inner.trips, [c.local for c in inner.courses]) == (10, [1])


@pytest.mark.parametrize(
    ("why", "body"),
    [
        ("the start is not known", f"(loop (br_if 0 {NEXT}))"),
        ("the end is not", f"{START} (loop (br_if 0 (i32.ne {NEXT} (local.get $end))))"),
        ("once", f"{START} (loop (br_if 0 (i32.lt_s {NEXT} (i32.const -100))))"),
        ("a call is a point", f"{START} (loop (call $h) (br_if 0 {NEXT}))"),
        ("a call before it is one", f"{START} (call $h) (loop (br_if 0 {NEXT}))"),
        ("another way back", f"{START} (loop (br_if 0 (local.get $y)) (br_if 0 {NEXT}))"),
        ("two writes", f"{START} (loop (drop {NEXT}) (br_if 0 {NEXT}))"),
        (
            "another start",
            f"""{START} (if (local.get $end) (then (local.set $x (i32.const 0))))
            (loop (br_if 0 {NEXT}))""",
        ),
    ],
)
def test_loops_that_are_not_counted(why: str, body: str) -> None:
    assert counted(body) == [], why


@pytest.mark.parametrize(
    "write",
    [
        f"(block (br_if 0 (local.get $end)) {Y})",  # not in each iteration
        f"(loop {Y} (br_if 0 (i32.and (local.get $y) (i32.const 1))))",
        f"{Y} {Y}",
        "(local.set $y (i32.mul (local.get $y) (i32.const 3)))",
        "(local.set $y (i32.add (local.get $x) (i32.const 3)))",
        "(local.set $y (i32.add (local.get $y) (i32.const 0x60000000)))",  # comes around
    ],
)
def test_locals_without_a_course(write: str) -> None:
    (found,) = counted(f"(local.set $y (i32.const 1)) {START} (loop {write} (br_if 0 {NEXT}))")
    assert found.courses == (Course(1, 32, -40, 4, found.courses[0].update),)
