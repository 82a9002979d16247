"""Scripts that move between the ISAs: which ones can, and that what moved goes on as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from mvvm_aot.targets import TARGETS

from .alternate import can_alternate, may_pass_a_point, parse_stays
from .build import Options
from .modules import load_modules
from .outcome import FAILED, PASSED
from .runner import Job, JobResult, run_job
from .script import parse_script

ALTERNATING = Options(alternating=True)

# A start function that loops (as often as memory says, so that it is polled); results of all kinds;
# recursion; a table, memory and a global that change on the way; at the end a trap and endless
# recursion.
STATE = """(module
  (import "spectest" "print" (func $print))
  (memory 1 3) (data (i32.const 100) "\\14")
  (global $g (mut i64) (i64.const 5)) (table $t 3 funcref)
  (elem declare func $one) (func $one (result i32) (i32.const 1))
  (func $start (local $k i32)
    (loop $again
      (i32.store8 (local.get $k) (i32.const 7))
      (br_if $again (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1)))
        (i32.load8_u (i32.const 100))))))
  (start $start)
  (func (export "all") (param $n i32) (param $v v128) (result i32 i64 f32 f64 v128 funcref)
    (loop $again
      (call $print)
      (global.set $g (i64.add (global.get $g) (i64.const 3)))
      (local.set $v (i32x4.add (local.get $v) (v128.const i32x4 1 2 3 4)))
      (table.set $t (i32.rem_u (local.get $n) (i32.const 3)) (ref.func $one))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.load8_u (i32.const 19)) (global.get $g) (f32.const 1.5) (f64.const 2.5) (local.get $v)
    (ref.null func))
  (func $fib (export "fib") (param $n i32) (result i32)
    (if (result i32) (i32.lt_u (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else (i32.add (call $fib (i32.sub (local.get $n) (i32.const 1)))
        (call $fib (i32.sub (local.get $n) (i32.const 2)))))))
  (func (export "grow") (param $n i32) (result i32)
    (loop $again
      (drop (memory.grow (i32.const 1)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (memory.size))
  (func (export "indirect") (param i32) (result i32) (call $print)
    (call_indirect $t (result i32) (local.get 0)))
  (func $deep (export "deep") (result i32) (i32.add (call $deep) (i32.const 1))))
(assert_return (invoke "all" (i32.const 9) (v128.const i32x4 1 1 1 1)) (i32.const 7) (i64.const 32)
  (f32.const 1.5) (f64.const 2.5) (v128.const i32x4 10 19 28 37) (ref.null func))
(assert_return (invoke "fib" (i32.const 15)) (i32.const 610))
(assert_return (invoke "grow" (i32.const 9)) (i32.const 3))
(assert_return (invoke "indirect" (i32.const 2)) (i32.const 1))
(assert_trap (invoke "indirect" (i32.const 3)) "undefined element")
(assert_exhaustion (invoke "deep") "call stack exhausted")
(assert_return (invoke "fib" (i32.const 12)) (i32.const 144))"""

HOST_VALUE = """(module
  (func (export "keep") (param $r externref) (param $n i32) (result externref)
    (loop $again
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $r)))
(assert_return (invoke "keep" (ref.extern 3) (i32.const 10000)) (ref.extern 3))
(assert_return (invoke "keep" (ref.null extern) (i32.const 10000)) (ref.null extern))"""


def run(tmp_path: Path, text: str, target: str, options: Options) -> JobResult:
    """Run a script; nothing of it may fail."""
    path = tmp_path / "script.wast"
    path.write_text(text)
    result = run_job(Job(path, target, options))
    assert [str(outcome) for outcome in result.outcomes if outcome.status != PASSED] == []
    return result


@pytest.mark.parametrize("target", [*TARGETS])
def test_all_state_moves(tmp_path: Path, target: str) -> None:
    result = run(tmp_path, STATE, target, ALTERNATING)
    assert {outcome.column for outcome in result.outcomes} == {f"from {target}"}
    assert len(result.outcomes) == 8
    assert result.moves >= 10
    # In `print`, which is another module's; nothing else keeps a frame where it is.
    assert set(result.stays) <= {"a function that another module imports is being called"}


@pytest.mark.parametrize("target", [*TARGETS])
def test_host_values_stay_and_are_counted(tmp_path: Path, target: str) -> None:
    reason = "a host's value (an externref that is not null) cannot move"
    alternating = run(tmp_path, HOST_VALUE, target, ALTERNATING)
    assert set(alternating.stays) == {reason}
    assert alternating.moves > 0
    tortured = run(tmp_path, HOST_VALUE, target, Options(roundtrip=1))
    assert tortured.stays == {reason: tortured.moves}


def test_a_wrong_answer_behind_a_move_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "script.wast"
    path.write_text(STATE.replace("(i32.const 610)", "(i32.const 611)"))
    outcomes = run_job(Job(path, "x86_64", ALTERNATING)).outcomes
    failed = [outcome.reason for outcome in outcomes if outcome.status == FAILED]
    assert failed == ["i32 0x00000263 expected, got i32:00000262"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('(module (func (export "f"))) (invoke "f") (module) (module)', True),
        ('(module $a (func (export "f"))) (invoke $a "f")', True),
        ('(module (import "spectest" "print" (func)))', True),
        ('(module (import "spectest" "memory" (memory 1)))', False),
        ('(module (import "other" "f" (func)))', False),
        ('(module $a (func (export "f"))) (module) (invoke $a "f")', False),
        ('(module $a) (register "a" $a)', False),
        ('(assert_unlinkable (module (import "a" "b" (func))) "unknown import")', True),
    ],
)
def test_scripts_that_need_one_instance_at_a_time(text: str, expected: bool) -> None:
    commands = parse_script(text)
    assert can_alternate(commands, load_modules(commands)) is expected


def test_reasons_are_read() -> None:
    assert parse_stays("ok 5;3 one reason;12 another, longer") == {
        "one reason": 3,
        "another, longer": 12,
    }
    assert parse_stays("moved") == {}


def test_what_has_neither_loops_nor_calls_is_not_looked_at() -> None:
    assert not may_pass_a_point(b'(module (func (export "recall") (result i32) (i32.const 1)))')
    assert may_pass_a_point(b"(module (func (loop)))")
    assert may_pass_a_point(b"(module (func $f (call_indirect (i32.const 0))))")
    assert may_pass_a_point(b'(module binary "\\00asm")')
