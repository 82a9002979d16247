"""What keeps code small where points are many: locals that are written through, joins at home."""

from __future__ import annotations

import re

import pytest
import wasmtime

from mvvm_aot import plan as planning
from mvvm_aot.liveness import bits_of
from mvvm_aot.lower import lower_module
from mvvm_aot.lower.joins import MANY
from mvvm_aot.plan import CROWDED, FunctionPlan, PointPlan, plan_points
from mvvm_aot.through import FEW, HOT
from mvvm_aot.unroll import COPIES
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.validate import validate_module
from mvvm_aot.wasmparser.validated import ValidatedModule

FOLLOW = "(loop $again (br_if $again (local.tee 0 (i32.load (local.get 0)))))"
SET = "(local.set 1 (i32.load (local.get 0)))"
USE = "(i32.store (i32.const 0) (local.get 1))"
HEAD = "(param i32 i32)"


def load(body: str, head: str = HEAD) -> ValidatedModule:
    effect = "(i32.store (i32.const 4) (i32.const 1))"  # a function without is tried first
    text = f'(module (import "env" "h" (func $h)) (memory 1) (func {head} {effect} {body}))'
    return validate_module(decode_module(bytes(wasmtime.wat2wasm(text))))


# Points that keep no local waiting.
CALLS = "(call $h)" * FEW


def planned(body: str) -> FunctionPlan:
    return plan_points(load(body)).functions[1]


@pytest.mark.parametrize(
    ("body", "through"),
    [
        (SET + FOLLOW * 2 + USE, [1]),
        (SET + FOLLOW + USE, []),  # one store here, one there
        (FOLLOW * 2 + USE, [1]),  # as a parameter it is set at the entry
        (FOLLOW * 2 + SET + FOLLOW + USE, []),  # dead at the first two polls
        ((SET + FOLLOW) * 3 + USE, []),
        (SET + FOLLOW * 2 + FOLLOW.replace("(loop $again", "(loop $again " + USE) + USE, [1]),
        (f"(loop $again {SET} (br_if $again (local.get 1)))" + FOLLOW * HOT + USE, []),
        (f"(loop $again {SET} (br_if $again (local.get 1)))" + FOLLOW * (HOT + 1) + USE, [1]),
        (f"(loop $again {SET} (call $h) {FOLLOW * 2} {USE} (br_if 0 (local.get 1)))", [1]),
    ],
)
def test_what_fewer_places_set_than_polls_wait_with_is_written_through(
    body: str, through: list[int]
) -> None:
    assert bits_of(planned(body + CALLS).through) == through
    assert not plan_points(load(body + CALLS), migration=False).functions[1].through


def test_a_function_of_few_points_writes_nothing_through() -> None:
    body = SET + FOLLOW * 5 + USE
    calls = FEW - 5
    assert planned(body + "(call $h)" * (calls + 1)).through == 1 << 1
    assert planned(body + "(call $h)" * calls).through == 0


def test_a_local_that_is_written_through_is_stored_where_it_is_set_and_nowhere_else() -> None:
    body = SET + FOLLOW * 5 + USE + SET + USE + CALLS
    vm = load(body)
    plan = plan_points(vm)
    assert plan.functions[1].local_slots[1] == 1
    text = lower_module(vm, plan)
    pointers = set(re.findall(r"(%\w+) = getelementptr i8, ptr %homes, i64 8\n", text))
    stores = [
        store for store in re.findall(r"store i32 %\w+, ptr (%\w+)", text) if store in pointers
    ]
    assert len(stores) == body.count(SET)


def lowered_join(count: int) -> str:
    """Lower a join to which one edge has ``count`` locals set, the other one at home."""
    sets = " ".join(f"(local.set {k} (i32.load (local.get 0)))" for k in range(1, count + 1))
    uses = " ".join(f"(i32.store (i32.const 0) (local.get {k}))" for k in range(1, count + 1))
    body = f"{sets} (if (local.get 0) (then {sets}) (else (call $h))) {uses}"
    vm = load(body, f"(param i32) (local {'i32 ' * count})")
    return lower_module(vm, plan_points(vm))


def test_joins_of_crowded_functions_are_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    phis = {count: lowered_join(count).count(" phi i32 ") for count in (MANY, MANY + 1)}
    assert phis == {MANY: MANY, MANY + 1: MANY + 1}
    stores = lowered_join(MANY + 1).count(" store i32 ")
    monkeypatch.setattr(planning, "CROWDED", 0)
    assert lowered_join(MANY).count(" phi i32 ") == MANY
    crowded = lowered_join(MANY + 1)
    assert crowded.count(" phi i32 ") == 0
    assert crowded.count(" store i32 ") == stores + MANY + 1


def test_a_crowded_function_lowers_no_loop_several_times() -> None:
    few, many = (plan_points(load(FOLLOW * count)) for count in (CROWDED, CROWDED + 1))
    assert copies(few) == {COPIES} and copies(many) == set()
    assert not few.functions[1].crowded and many.functions[1].crowded


def copies(plan: PointPlan) -> set[int]:
    return set(plan.functions[1].copies.values())
