"""Random modules for differential tests: control flow, calls and operands that outlive points.

Every program ends: loops count down, and each function costs fuel. Floats never show their bits,
since NaNs differ between machines.
"""

from __future__ import annotations

import random

TYPES = ("i32", "i64", "f64")
COMMUTING = {
    "i32": ("i32.add", "i32.sub", "i32.mul", "i32.xor", "i32.shl", "i32.rotr", "i32.shr_u"),
    "i64": ("i64.add", "i64.sub", "i64.mul", "i64.xor", "i64.shl", "i64.rotl", "i64.shr_s"),
    "f64": ("f64.add", "f64.sub", "f64.mul", "f64.min", "f64.max"),
}
COMPARE = ("i32.lt_s", "i32.gt_u", "i32.eq", "i64.le_s", "i64.ne", "f64.lt", "f64.ge")
CONVERT = {
    "i32": ("i32.wrap_i64 i64", "i32.trunc_sat_f64_s f64", "i32.eqz i32", "i32.extend8_s i32"),
    "i64": ("i64.extend_i32_u i32", "i64.trunc_sat_f64_s f64", "i64.extend_i32_s i32"),
    "f64": ("f64.convert_i32_s i32", "f64.convert_i64_s i64", "f64.abs f64", "f64.neg f64"),
}
LOADS = {"i32": ("i32.load", "i32.load8_s"), "i64": ("i64.load", "i64.load32_u")}
STORES = ("i32.store i32", "i64.store i64", "i32.store8 i32", "i64.store16 i64")


class Generator:
    """Generates one module. The same seed gives the same text."""

    def __init__(self, seed: int, funcs: int = 5) -> None:
        self.rng = random.Random(seed)
        self.signatures = [self._signature() for _ in range(funcs)]
        self.locals: list[str] = []
        self.labels: list[str | None] = []  # the type that a branch to it carries
        self.counters = 0
        self.results: tuple[str, ...] = ()
        self.current = 0
        self.left = 0  # of the budget of the function

    def _signature(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        rng = self.rng
        params = tuple(rng.choice(TYPES) for _ in range(rng.choice((0, 1, 2, 3, 12, 20))))
        results = tuple(rng.choice(TYPES[:2]) for _ in range(rng.choice((1, 1, 1, 2, 3))))
        return params, results

    def module(self) -> str:
        funcs = [self._function(index) for index in range(len(self.signatures))]
        table = " ".join(f"$f{index}" for index in range(len(self.signatures)))
        return f"""(module
  (import "env" "sum" (func $sum (param i64 i64) (result i64)))
  (import "env" "two" (func $two (param i64 i64) (result i64 i64)))
  (memory 1) (table {len(self.signatures) + 1} funcref) (elem (i32.const 0) {table})
  (global $fuel (mut i32) (i32.const 400)) (global $g (mut i64) (i64.const 5))
  {"".join(funcs)}
  (func (export "digest") (result i64) (local $i i32) (local $h i64)
    (loop $l
      (local.set $h (i64.add (i64.mul (local.get $h) (i64.const 31)) (i64.load (local.get $i))))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 8))) (i32.const 512))))
    (i64.add (local.get $h) (global.get $g)))
)"""

    def _function(self, index: int) -> str:
        rng = self.rng
        params, results = self.signatures[index]
        self.current, self.results = index, results
        own = [rng.choice(TYPES) for _ in range(rng.choice((1, 3, 6, 15)))]
        self.locals = [*params, *own]
        self.counters = 0
        self.left = 60
        self.labels = []
        exhausted = " ".join(f"({t}.const 1)" for t in results)
        body = [self.statement(4) for _ in range(rng.randint(2, 6))]
        values = [self.expr(t, 3) for t in results]
        counters = "".join(f" (local $c{k} i32)" for k in range(self.counters))
        return f"""
  (func $f{index} (export "f{index}") (param {" ".join(params)}) (result {" ".join(results)})
    (local {" ".join(own)}){counters}
    (if (i32.eqz (global.get $fuel)) (then {exhausted} return))
    (global.set $fuel (i32.sub (global.get $fuel) (i32.const 1)))
    {" ".join(body)}
    {" ".join(values)})"""

    # -- Expressions -------------------------------------------------------------------------

    def const(self, t: str) -> str:
        value = self.rng.choice((0, 1, -1, 2, 7, 100, -5000, 1 << 20))
        return f"({t}.const {value})"

    def get(self, t: str) -> str:
        found = [k for k, own in enumerate(self.locals) if own == t]
        return f"(local.get {self.rng.choice(found)})" if found else self.const(t)

    def address(self, depth: int) -> str:
        return f"(i32.and (i32.const 504) {self.expr('i32', depth)})"

    def expr(self, t: str, depth: int) -> str:
        rng = self.rng
        self.left -= 1
        if depth <= 0 or self.left < 0:
            return self.get(t) if rng.random() < 0.8 else self.const(t)
        kind = rng.randrange(12)
        if kind < 3:
            op = rng.choice(COMMUTING[t])
            return f"({op} {self.expr(t, depth - 1)} {self.expr(t, depth - 1)})"
        if kind == 3 and t == "i32":
            op = rng.choice(COMPARE)
            of = op[:3]
            return f"({op} {self.expr(of, depth - 1)} {self.expr(of, depth - 1)})"
        if kind == 4:
            op, of = rng.choice(CONVERT[t]).split()
            return f"({op} {self.expr(of, depth - 1)})"
        if kind == 5 and t != "f64":
            return f"({rng.choice(LOADS[t])} {self.address(depth - 1)})"
        if kind in (6, 7):
            return self.call(t, depth - 1)
        if kind == 8:
            return self.valued_block(t, depth - 1)
        if kind == 9:
            a, b = self.expr(t, depth - 1), self.expr(t, depth - 1)
            return f"(select {a} {b} {self.expr('i32', depth - 1)})"
        if kind == 10:
            test = self.expr("i32", depth - 1)
            self.labels.append(t)
            then = f"{self.statement(depth - 1)} {self.expr(t, depth - 1)}"
            other = f"{self.statement(depth - 1)} {self.expr(t, depth - 1)}"
            self.labels.pop()
            return f"(if (result {t}) {test} (then {then}) (else {other}))"
        return self.get(t)

    def valued_block(self, t: str, depth: int) -> str:
        """A block with a result, left early by a branch that carries it."""
        self.labels.append(t)
        early, test = self.expr(t, depth), self.expr("i32", depth)
        body = f"{self.statement(depth)} (drop (br_if 0 {early} {test})) {self.expr(t, depth)}"
        self.labels.pop()
        return f"(block (result {t}) {body})"

    def call(self, t: str, depth: int) -> str:
        rng = self.rng
        if t == "i64" and rng.random() < 0.5:
            args = f"{self.expr('i64', depth)} {self.expr('i64', depth)}"
            if rng.random() < 0.5:
                return f"(call $sum {args})"
            return f"(i64.sub (call $two {args}))"
        found = [k for k, (_, results) in enumerate(self.signatures) if results[0] == t]
        found = [k for k in found if len(self.signatures[k][1]) == 1]
        if not found:
            return self.get(t)
        index = rng.choice(found)
        params, results = self.signatures[index]
        args = " ".join(self.expr(p, depth - 1) for p in params)
        if rng.random() < 0.6:
            return f"(call $f{index} {args})"
        declared = f"(param {' '.join(params)}) (result {' '.join(results)})"
        return f"(call_indirect {declared} {args} (i32.const {index}))"

    # -- Statements --------------------------------------------------------------------------

    def statement(self, depth: int) -> str:
        rng = self.rng
        self.left -= 1
        kind = rng.randrange(11)
        if depth <= 0 or self.left < 0 or kind < 3:
            index = rng.randrange(len(self.locals)) if self.locals else 0
            return f"(local.set {index} {self.expr(self.locals[index], depth - 1)})"
        if kind == 3:
            op, t = rng.choice(STORES).split()
            return f"({op} {self.address(depth - 1)} {self.expr(t, depth - 1)})"
        if kind == 4:
            return self.nested("if", depth)
        if kind == 5:
            return self.nested("block", depth)
        if kind in (6, 7):
            return self.loop(depth)
        if kind == 8 and None in self.labels:
            label = self.label()
            return f"(br_if {label} {self.expr('i32', depth - 1)})"
        if kind == 9:
            return f"(global.set $g {self.expr('i64', depth - 1)})"
        return self.switch(depth)

    def label(self) -> int:
        """Choose a label that carries nothing."""
        found = [k for k, t in enumerate(reversed(self.labels)) if t is None]
        return self.rng.choice(found)

    def nested(self, kind: str, depth: int) -> str:
        test = self.expr("i32", depth - 1) if kind == "if" else ""
        self.labels.append(None)
        body = " ".join(self.statement(depth - 1) for _ in range(self.rng.randint(1, 3)))
        if kind == "if":
            leave = f"(br {self.label()})" if self.rng.random() < 0.3 else ""
            body = f"(then {body} {leave})"
            if self.rng.random() < 0.5:
                body += f" (else {self.statement(depth - 1)})"
        self.labels.pop()
        return f"({kind} {test} {body})"

    def loop(self, depth: int) -> str:
        """Count down from a small number; branches out of it leave by the block around it."""
        counter = f"$c{self.counters}"
        self.counters += 1
        self.labels += [None, "counted"]
        body = " ".join(self.statement(depth - 1) for _ in range(self.rng.randint(1, 3)))
        self.labels = self.labels[:-2]
        times = self.rng.choice((1, 2, 3, 5))
        return f"""(local.set {counter} (i32.const {times})) (block (loop {body}
            (br_if 0 (local.tee {counter} (i32.sub (local.get {counter}) (i32.const 1))))))"""

    def switch(self, depth: int) -> str:
        test = self.expr("i32", depth - 1)
        labels = " ".join(str(self.rng.randrange(3)) for _ in range(4))
        self.labels += [None, None]
        first = self.statement(depth - 1)
        self.labels.pop()
        second = self.statement(depth - 1)
        self.labels.pop()
        index = f"(i32.and {test} (i32.const 7))"
        return f"(block (block (block (br_table {labels} {index})) {first}) {second})"
