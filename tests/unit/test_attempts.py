"""Functions that are tried without points, loops that are lowered several times, rare locals."""

from __future__ import annotations

import pytest
import wasmtime

from mvvm_aot.attempts import TRIES, attempt_plan
from mvvm_aot.liveness import RARE, bits_of
from mvvm_aot.lower import Scope, lower_module
from mvvm_aot.plan import FunctionPlan, plan_points
from mvvm_aot.proof import anchor
from mvvm_aot.unroll import COPIES
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.validate import validate_module
from mvvm_aot.wasmparser.validated import ValidatedModule

STEP = "(br_if $again (local.tee 0 (i32.load (local.get 0))))"
STORE = "(i32.store (i32.const 0) (local.get 0))"


def load(functions: str) -> ValidatedModule:
    text = f"""(module (import "env" "h" (func $h)) (memory 1)
        (global $g (mut i32) (i32.const 0)) {functions})"""
    return validate_module(decode_module(bytes(wasmtime.wat2wasm(text))))


def planned(body: str, head: str = "(param i32)") -> FunctionPlan:
    return plan_points(load(f"(func $leaf) (func {head} {body})")).functions[2]


@pytest.mark.parametrize(
    ("body", "head", "tried"),
    [
        (f"(loop $again {STEP})", "(param i32)", True),
        (f"(loop $again {STEP}) {STORE}", "(param i32)", True),
        (f"(loop $again {STEP}) (local.get 0)", "(param i32) (result i32)", True),
        (f"(loop $again {STEP}) (loop $again {STEP})", "(param i32)", True),
        (f"{STORE} (loop $again {STEP})", "(param i32)", False),  # would be stored twice
        (f"(loop $again {STORE} {STEP})", "(param i32)", False),
        (f"(loop $again {STEP}) {STORE} (loop $again {STEP})", "(param i32)", False),
        (f"(global.set $g (local.get 0)) (loop $again {STEP})", "(param i32)", False),
        (f"(drop (memory.grow (i32.const 1))) (loop $again {STEP})", "(param i32)", False),
        (f"(call $leaf) (loop $again {STEP})", "(param i32)", False),
        (f"(loop $again {STEP}) (call $h)", "(param i32)", False),
        (f"(loop $outer (loop $again {STEP}) (br_if $outer (local.get 0)))", "(param i32)", False),
        (f"(loop $again {STEP}) (i64.const 0)", "(param i32) (result i64)", False),
        (f"(loop $again {STEP}) {'(nop)' * 120}", "(param i32)", False),
        ("(drop (local.get 0))", "(param i32)", False),  # has no point anyway
    ],
)
def test_what_is_tried_can_be_given_up_at_each_poll(body: str, head: str, tried: bool) -> None:
    assert planned(body, head).tried is tried


def test_an_attempt_counts_what_the_function_polls() -> None:
    plan = planned(f"(loop $again {STEP}) (loop $again {STEP})")
    attempt = attempt_plan(plan)
    assert dict(attempt.tries) == dict.fromkeys(plan.points, TRIES)
    assert not attempt.points and not attempt.num_homes


def test_calls_try_and_careful_calls_do_not() -> None:
    vm = load(
        f"(func $f (param i32) (loop $again {STEP})) (func (param i32) (call $f (local.get 0)))"
    )
    plan = plan_points(vm)
    assert plan.tried == {1} and 1 in plan.suspendable
    assert not plan_points(vm, migration=False).tried
    for scope, count in ((Scope(), 2), (Scope(careful=True), 0), (Scope(optimized=False), 0)):
        assert lower_module(vm, plan, scope=scope).count("@m0_f1a(") == count


@pytest.mark.parametrize(
    ("body", "copies"),
    [
        (f"(loop $again {STORE} {STEP})", COPIES),
        (f"(loop $again {STORE * 8} {STEP})", 2),
        (f"(loop $again {STORE * 30} {STEP})", 1),
        (f"(loop $again (call $leaf) {STORE} {STEP})", 1),
    ],
)
def test_small_loops_that_poll_are_lowered_several_times(body: str, copies: int) -> None:
    plan = planned(body)
    (loop,) = plan.flow.loops
    assert plan.copies.get(loop, 1) == copies
    vm = load(f"(func $leaf) (func (param i32) {body})")
    stores = (
        lower_module(vm, plan_points(vm)).count("store i32 %") - body.count("i32.store") * copies
    )
    assert 0 <= stores <= 1  # to the home


def test_a_local_that_few_pieces_of_a_loop_use_stays_at_home() -> None:
    calls = RARE + 1
    body = f"""(loop $again
        (if (local.get 1) (then (local.set 2 (i32.add (local.get 2) (i32.const 1)))))
        {"(call $h)" * calls} {STEP}) (drop (local.get 2))"""
    head = "(param i32 i32 i32)"
    (loop,) = planned(body, head).flow.loops.values()
    assert bits_of(loop.homed & loop.live) == [0, 1, 2]
    fewer = body.replace("(call $h)", "", 1)
    (loop,) = planned(fewer, head).flow.loops.values()
    assert not loop.homed


def test_a_frame_table_is_never_anchored_at_an_attempt() -> None:
    """Several objects may define one; the linker binds its symbol to any of them."""
    functions = {"m0_f3a": (0, 16), "m0_f9": (16, 8), "m0_f12": (24, 8), "other": (32, 8)}
    assert anchor(functions, "m0") == "m0_f9"
    assert anchor({"m0_f3a": (0, 16)}, "m0") == ""
