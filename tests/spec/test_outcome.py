"""Commands to lines, answers to outcomes, and the list of known failures."""

from __future__ import annotations

from pathlib import Path

from .conduct import Fate, judge, plan_steps
from .modules import judge_refusal, load_module, load_modules, number_types
from .outcome import (
    FAILED,
    PASSED,
    REFUSED,
    SKIPPED,
    TEXT,
    KnownFailure,
    Outcome,
    Report,
    apply_known_failures,
    find_stale,
    read_known_failures,
)
from .script import AssertModule, ModuleSource, parse_script

SCRIPT = """(module $a (global (export "\\00g") i32 (i32.const 7)) (func (export "f") (param i64)))
(register "a" $a)
(module $b (import "a" "f" (func (param i64))))
(invoke $a "f" (i64.const -2))
(assert_return (get $a "\\00g") (i32.const 7))
(assert_trap (invoke "f" (i64.const 1)) "unreachable")
(assert_return (invoke $c "f"))"""


def test_lines_name_exports_by_index() -> None:
    commands = parse_script(SCRIPT)
    fates = {n: Fate(item.module, n + 1) for n, item in load_modules(commands).items()}
    steps = plan_steps(commands, fates)
    assert [step.line for step in steps] == [
        "instantiate 1",
        "register 1 61",
        "instantiate 3",
        "invoke 1 1 i64:fffffffffffffffe",
        "get 1 0",
        "",
        "",
    ]
    assert [step.reason for step in steps[-2:]] == [
        "there is no export b'f'",
        "there is no such module",
    ]
    answers = ["ok", "ok", "ok", "crash", "ok i32:00000008"]
    outcomes = judge("x.wast", "aarch64", steps, answers)
    assert [(o.line, o.status) for o in outcomes] == [
        (1, PASSED),
        (2, PASSED),
        (3, PASSED),
        (4, FAILED),
        (5, FAILED),
        (6, FAILED),
        (7, FAILED),
    ]
    assert outcomes[4].reason == "i32 0x00000007 expected, got i32:00000008"
    assert str(outcomes[3]) == "x.wast:4 [aarch64]: crash"


def test_what_needs_an_unsupported_module_is_skipped() -> None:
    commands = parse_script(SCRIPT)
    modules = load_modules(commands)
    fates = {0: Fate(modules[0].module, feature="SIMD"), 2: Fate(modules[2].module, 1)}
    steps = plan_steps(commands, fates)
    assert [step.status for step in steps] == [SKIPPED] * 6 + [FAILED]
    assert {step.reason for step in steps[:6]} == {"SIMD"}


def test_traps_and_refusals_are_compared_by_message() -> None:
    commands = parse_script(
        """(module (func (export "f")))
(assert_trap (invoke "f") "uninitialized element 2")
(assert_trap (module) "unreachable")
(assert_unlinkable (module) "unknown import")"""
    )
    fates = {n: Fate(item.module, n + 1) for n, item in load_modules(commands).items()}
    steps = plan_steps(commands, fates)
    good = ["ok", "trap uninitialized element", "trap unreachable", "unlinkable no such thing"]
    assert [o.status for o in judge("x", "t", steps, good)] == [PASSED] * 4
    bad = ["trap unreachable", "trap unreachable", "unlinkable x", "trap unknown import"]
    assert [o.status for o in judge("x", "t", steps, bad)] == [FAILED] * 4
    assert [o.status for o in judge("x", "t", steps, ["ok"] * 4)] == [PASSED] + [FAILED] * 3


def refuse(expect: str, kind: str, data: bytes, message: str) -> tuple[str, str]:
    """Return status and note of an assertion about a bad module."""
    command = AssertModule(1, expect, ModuleSource(kind, data), message)
    verdict = judge_refusal("x.wast", command)
    return verdict.outcome.status, verdict.note


def test_bad_modules() -> None:
    invalid = b"(module (func (result i32)))"
    assert refuse("invalid", "text", invalid, "type mismatch") == (PASSED, "")
    assert refuse("malformed", "text", invalid, "type mismatch")[0] == FAILED
    assert refuse("invalid", "text", b"(module)", "type mismatch")[0] == FAILED
    assert refuse("invalid", "text", b"(module (func", "type mismatch")[0] == FAILED
    assert refuse("malformed", "quote", b"(func", "unexpected token")[0] == PASSED
    assert refuse("malformed", "quote", b"(func)", "unexpected token")[0] == FAILED
    assert refuse("malformed", "quote", b"(memory 0x1_0000_0000)", "out of range")[0] == PASSED
    assert refuse("malformed", "binary", b"\0asm", "unexpected end")[0] == PASSED
    status, note = refuse("malformed", "binary", b"\0asm", "something else")
    assert status == PASSED and "something else" in note


def test_text_with_marks_of_direction_is_assembled() -> None:
    text = '(module (func (export "\u202e")))'.encode()
    loaded = load_module(ModuleSource("text", text)).module
    assert loaded is not None and loaded.module.exports[0].name == "\u202e"


def test_equal_types_have_equal_numbers() -> None:
    texts = (
        b"(module (type (func)) (type (func (param i32))))",
        b"(module (type (func (param i32))))",
    )
    modules = [load_module(ModuleSource("text", text)).module for text in texts]
    numbers = number_types([module for module in modules if module is not None])
    assert sorted(numbers.values()) == [0, 1]
    assert modules[1] is not None
    assert numbers[modules[1].module.types[0]] == 1


def test_text_is_counted_apart_from_modules() -> None:
    sources = (ModuleSource("quote", b"(func"), ModuleSource("binary", b"\0asm"))
    columns = [
        judge_refusal("x.wast", AssertModule(1, "malformed", source, "unexpected")).outcome.column
        for source in sources
    ]
    assert columns == [TEXT, REFUSED]


def test_known_failures_break_the_run_when_they_pass() -> None:
    outcomes = [
        Outcome("a.wast", 1, "x86_64", FAILED, "wrong", "x86_64"),
        Outcome("a.wast", 2, "x86_64", PASSED, column="x86_64 torture"),
        Outcome("a.wast", 3, "x86_64", FAILED, "wrong too", "x86_64"),
    ]
    known = [
        KnownFailure("a.wast", 1, "because"),
        KnownFailure("a.wast", 2, "no more"),
        KnownFailure("a.wast", 3, "elsewhere", "aarch64"),
        KnownFailure("b.wast", 3, "another script"),
    ]
    found = apply_known_failures(outcomes, known)
    assert [(o.line, o.status) for o in found] == [(1, SKIPPED), (2, FAILED), (3, FAILED)]
    assert found[0].reason == "should fail: because"
    report = Report(["x86_64", "x86_64 torture"])
    report.add("a.wast", found)
    assert report.summary() == "0 passed, 2 failed, 1 skipped"
    assert len(report.failures) == 2


def test_an_entry_that_means_no_command_fails() -> None:
    targets_of = {("a.wast", 1): ["x86_64", "aarch64"], ("a.wast", 7): [""]}
    known = [
        KnownFailure("a.wast", 1, "stays"),
        KnownFailure("a.wast", 1, "stays", "aarch64"),
        KnownFailure("a.wast", 7, "stays"),
        KnownFailure("a.wast", 7, "runs nowhere", "aarch64"),
        KnownFailure("a.wast", 1, "no such target", "riscv64"),
        KnownFailure("a.wast", 9, "moved"),
        KnownFailure("b.wast", 1, "no such script"),
    ]
    stale = find_stale(known, targets_of)
    assert [(o.script, o.line, o.target) for o in stale] == [
        ("a.wast", 7, "aarch64"),
        ("a.wast", 1, "riscv64"),
        ("a.wast", 9, ""),
        ("b.wast", 1, ""),
    ]
    assert {outcome.status for outcome in stale} == {FAILED}


def test_the_table_has_a_row_per_script_and_totals() -> None:
    report = Report([REFUSED, "x86_64"])
    report.add("a.wast", [Outcome("a.wast", 1, "", PASSED)] * 3)
    report.add("a.wast", [Outcome("a.wast", 2, "x86_64", FAILED, "no", "x86_64")])
    report.add("long.wast", [Outcome("long.wast", 2, "x86_64", PASSED, "", "x86_64")] * 2)
    report.add("long.wast", [Outcome("long.wast", 9, "x86_64", SKIPPED, "x", "x86_64")])
    assert [" ".join(line.split()) for line in report.table() if line[0] != "-"] == [
        "script refused x86_64",
        "a.wast 3 0, 1 failed",
        "long.wast - 2, 1 skipped",
        "total 3 2, 1 failed, 1 skipped",
    ]
    assert len({len(line) for line in report.table()}) == 1


def test_the_list_of_known_failures_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "list.toml"
    path.write_text('[[failure]]\nscript = "a.wast"\nline = 4\nreason = "because"\n')
    assert read_known_failures(path) == [KnownFailure("a.wast", 4, "because")]
    assert all(entry.reason for entry in read_known_failures())
