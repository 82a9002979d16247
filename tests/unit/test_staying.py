"""Which loads of a strip-mined loop LLVM cannot drop (tests/spec/scripts runs such loops)."""

from __future__ import annotations

import pytest
import wasmtime

from mvvm_aot.plan import plan_points
from mvvm_aot.staying import staying_loads
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.validate import validate_module

PARAMS = {"p": "i32", "q": "i32", "r": "i32", "x": "i32", "y": "i32", "w": "i64", "f": "f32"}
PARAMS |= {"d": "f64", "end": "i32"}
LOAD, LOAD4 = "(i32.load (local.get $p))", "(i32.load offset=4 (local.get $p))"
FLOAT, FLOAT8 = "(f64.load (local.get $p))", "(f64.load offset=8 (local.get $p))"
BYTE = "(i32.load8_u (local.get $p))"


def stay(body: str, step: int = 4, literals: tuple[int, ...] = ()) -> str:
    """Return a letter for each load of a loop that counts $p: `s` for those that stay.

    $x, $y, $w, $f and $d are needed behind the loop.
    """
    params = " ".join(f"(param ${name} {valtype})" for name, valtype in PARAMS.items())
    text = f"""(module (memory 1) (func {params} (result i32 i32 i64 f32 f64)
      (loop {body}
        (br_if 0 (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const {step})))
                         (local.get $end))))
      (local.get $x) (local.get $y) (local.get $w) (local.get $f) (local.get $d)))"""
    vm = validate_module(decode_module(bytes(wasmtime.wat2wasm(text))))
    (function,) = vm.functions
    plan = plan_points(vm).functions[function.func_index]
    ((loop, strip),) = plan.strips.items()
    flow = plan.flow.loops[loop]
    found = staying_loads(function, loop, strip, flow.live & flow.sets, literals)
    return "".join(
        "s" if index in found else "-"
        for index, (_, op, _) in enumerate(function.instrs)
        if ".load" in op.text
    )


def add_to(local: str, value: str, op: str = "i32.add") -> str:
    return f"(local.set {local} ({op} (local.get {local}) {value}))"


def store(value: str, address: str = "$p", op: str = "i32.store offset=1000") -> str:
    return f"({op} (local.get {address}) {value})"


@pytest.mark.parametrize(
    ("body", "letters"),
    [
        (add_to("$x", LOAD), "s"),
        (add_to("$x", LOAD, "i32.xor"), "s"),
        (add_to("$x", f"(i32.sub {LOAD} {LOAD4})"), "--"),  # the same place an iteration later
        (add_to("$x", f"(i32.mul {LOAD} (i32.const 5))"), "s"),
        (add_to("$x", f"(i32.mul {LOAD} (i32.load offset=2 (local.get $p)))"), "ss"),
        (add_to("$x", f"(i32.mul {LOAD} (i32.and (local.get $q) (i32.const 0)))"), "-"),
        (add_to("$x", f"(i32.mul {LOAD} {LOAD})"), "--"),
        (add_to("$x", f"(i32.mul {LOAD} (i32.const 0))"), "-"),
        (add_to("$x", f"(i32.shl {BYTE} (i32.const 24))"), "s"),
        (add_to("$x", f"(i32.shl {BYTE} (i32.const 31))"), "s"),
        (add_to("$x", f"(i32.shl {LOAD} (i32.const 25))"), "-"),  # the last byte is of no use
        (add_to("$x", f"(i32.and {LOAD} (i32.const 255))"), "-"),
        (add_to("$x", f"(i32.eqz {BYTE})"), "s"),
        (add_to("$x", f"(i32.gt_s {LOAD} (i32.const 9))"), "s"),
        (add_to("$x", f"(i32.gt_u {BYTE} (i32.const 300))"), "-"),
        (add_to("$x", f"(i32.lt_u {LOAD} (i32.const 0))"), "-"),
        (add_to("$x", LOAD) + "(local.set $x (i32.shl (local.get $x) (i32.const 1)))", "-"),
        (add_to("$x", LOAD) + add_to("$x", "(local.get $y)") + f"(local.set $y {LOAD})", "--"),
        (f"(local.set $x {LOAD})", "-"),
        (add_to("$w", f"(i64.extend_i32_s {LOAD})", "i64.add"), "s"),
        (add_to("$x", f"(i32.wrap_i64 (i64.load32_u {'(local.get $p)'}))"), "s"),
        (add_to("$x", "(i32.wrap_i64 (i64.load (local.get $p)))"), "-"),
        (add_to("$x", f"(i32.load (i32.shl {LOAD} (i32.const 2)))"), "--"),
        (add_to("$d", f"(f64.load (i32.shl {LOAD} (i32.const 2)))", "f64.add"), "ss"),
        (f"(local.tee $y {LOAD}) (local.get $x) (i32.lt_s (local.get $y) (local.get $x))"
         " (select) (local.set $x)", "s"),
        (f"(local.tee $y {LOAD}) (local.get $x) (local.get $q) (select) (local.set $x)", "-"),
    ],
)  # fmt: skip
def test_integers(body: str, letters: str) -> None:
    assert stay(body) == letters


@pytest.mark.parametrize(
    ("body", "letters"),
    [
        (add_to("$d", FLOAT, "f64.add"), "s"),
        (add_to("$d", f"(f64.mul {FLOAT} {FLOAT8})", "f64.add"), "ss"),
        (add_to("$d", f"(f64.sub {FLOAT} {FLOAT})", "f64.add"), "ss"),
        (add_to("$d", f"(f64.mul {FLOAT} (f64.const 0.25))", "f64.add"), "s"),
        (add_to("$d", f"(f64.mul {FLOAT} (f64.const 0))", "f64.add"), "-"),
        (add_to("$d", f"(f64.add {FLOAT} (f64.const nan))", "f64.add"), "-"),
        (add_to("$d", f"(f64.min {FLOAT} (f64.const 3))", "f64.add"), "-"),
        (add_to("$d", f"(f64.copysign {FLOAT} (local.get $d))", "f64.add"), "-"),
        (add_to("$d", f"(f64.convert_i32_u {BYTE})", "f64.add"), "s"),
        (add_to("$d", f"(f64.sub (f64.convert_i32_u {BYTE}) (f64.convert_i32_u {BYTE}))",
                "f64.add"), "--"),
        (f"(local.set $d {FLOAT})", "-"),
    ],
)  # fmt: skip
def test_floats(body: str, letters: str) -> None:
    assert stay(body, 8) == letters


@pytest.mark.parametrize(
    ("body", "letters"),
    [
        (store(LOAD), "s"),
        (store(LOAD, op="i32.store offset=4096"), "s"),
        (store(LOAD, op="i32.store8"), "-"),
        (store(BYTE, op="i32.store8"), "-"),  # put back
        (store(LOAD, op="i32.store"), "-"),
        (store(f"(i32.add {LOAD} (i32.const 1))", op="i32.store"), "s"),
        (store(f"(i32.add {LOAD} (i32.const 0))", op="i32.store"), "-"),
        (store(f"(i32.add {LOAD} (local.get $y))", op="i32.store"), "s"),
        (store(f"(i32.sub (i32.add {LOAD} (local.get $y)) (local.get $y))", op="i32.store"), "-"),
        (store(f"(i32.add {LOAD} {LOAD4})", op="i32.store"), "--"),
        (store(f"(i32.add {LOAD} (i32.load offset=2 (local.get $p)))", op="i32.store"), "ss"),
        (store("(f32.neg (f32.load (local.get $p)))", op="f32.store"), "-"),
        (store("(f32.mul (f32.load (local.get $p)) (local.get $f))", op="f32.store"), "s"),
        (store("(f32.mul (f32.load (local.get $p)) (f32.const 1))", op="f32.store"), "-"),
        (store(LOAD, "$q"), "-"),  # at the same place in each iteration
        (store(LOAD) + store("(i32.const 3)"), "-"),
        (store(LOAD) + store("(i32.const 3)", op="i32.store offset=1004"), "s"),
        (store(LOAD, op="i32.store offset=1004") + store("(i32.const 3)"), "-"),  # the next time
        (store(LOAD) + store("(i32.const 3)", "$q"), "s"),
        (store(LOAD) + f"(i32.store (i32.load (local.get $q)) {LOAD4})", "---"),
        (store(LOAD) + "(drop (i32.div_s (local.get $q) (local.get $r)))", "-"),
        (store(LOAD) + "(block (br_if 0 (local.get $q)))", "-"),
        (store(LOAD) + "(drop (v128.load (local.get $q)))", "--"),
    ],
)
def test_stores(body: str, letters: str) -> None:
    assert stay(body) == letters


def test_what_llvm_knows_of_the_start() -> None:
    f = "(f64.promote_f32 (local.get $f))"
    body = add_to("$d", f"(f64.mul {FLOAT} {f})", "f64.add")
    assert stay(body, 8) == "s"
    assert stay(body, 8, literals=(6,)) == "-"


def test_a_step_smaller_than_what_is_stored() -> None:
    assert stay(store(LOAD), step=2) == "-"
    assert stay(store(LOAD), step=-4) == "s"
    assert stay(store(LOAD), step=-2) == "-"
