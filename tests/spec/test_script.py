"""The reader of test scripts, literals and the comparison of results."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .script import (
    Action,
    AssertModule,
    AssertReturn,
    AssertTrap,
    ModuleCommand,
    ModuleSource,
    Perform,
    Register,
    parse_script,
)
from .sexpr import ScriptError, decode_string, read_nodes
from .values import NULL_REF, Expected, Value, parse_expected, parse_float, parse_int, parse_value


def expected(text: str) -> Expected:
    """Parse one constant."""
    return parse_expected(read_nodes(text)[0])


def f64_bits(number: float) -> int:
    """Return the bits of a binary64 number."""
    return int(struct.unpack("<Q", struct.pack("<d", number))[0])


def test_nodes_know_their_source_and_line() -> None:
    text = '(a)\n;; c (\n(b (; nested (; x ;) ) ;)\n (c "\\"("))'
    first, second = read_nodes(text)
    assert (first.line, second.line) == (1, 3)
    assert text[second.start : second.end].startswith("(b (;")
    assert second == ["b", ["c", b'"(']]
    assert isinstance(second[1], list) and second[1].line == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(a", "line 1: '(' is not closed"),
        ("\n)", "line 2: unexpected ')'"),
        ("(a) b", "line 1: 'b' outside of parentheses"),
        ('(a "b', "line 1: string is not closed"),
        ("\n(a (; b)", "line 2: block comment is not closed"),
    ],
)
def test_unbalanced_scripts_are_refused(text: str, message: str) -> None:
    with pytest.raises(ScriptError, match="^" + message.replace("(", r"\(").replace(")", r"\)")):
        read_nodes(text)


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (r'"a\n\t\\\"\'"', b"a\n\t\\\"'"),
        (r'"\00\fFz"', b"\x00\xffz"),
        (r'"\u{20ac}\u{1_F600}"', "\u20ac\U0001f600".encode()),
        ('"\xe2\x82\xac"', b"\xe2\x82\xac"),
    ],
)
def test_string_escapes(literal: str, value: bytes) -> None:
    assert decode_string(literal) == value


def test_commands() -> None:
    text = """(module $a (func))
(module binary "\\00asm" "\\01\\00")
(module quote "(func" ")")
(register "x" $a)
(invoke $a "f" (i32.const -1))
(assert_return (get "g") (i64.const 2))
(assert_exhaustion (invoke "f") "call stack exhausted")
(assert_trap (module (start 0)) "unreachable")
(assert_malformed (module quote "(") "unexpected")"""
    assert parse_script(text) == [
        ModuleCommand(1, "$a", ModuleSource("text", b"(module $a (func))")),
        ModuleCommand(2, None, ModuleSource("binary", b"\0asm\1\0")),
        ModuleCommand(3, None, ModuleSource("quote", b"(func\n)")),
        Register(4, b"x", "$a"),
        Perform(5, Action("invoke", "$a", b"f", (Value("i32", 0xFFFFFFFF),))),
        AssertReturn(6, Action("get", None, b"g", ()), (Expected("i64", 64, (2,)),)),
        AssertTrap(7, Action("invoke", None, b"f", ()), "call stack exhausted"),
        AssertModule(8, "trap", ModuleSource("text", b"(module (start 0))"), "unreachable"),
        AssertModule(9, "malformed", ModuleSource("quote", b"("), "unexpected"),
    ]


def test_a_file_may_be_a_modules_fields() -> None:
    text = '(func) (memory 0) (func (export "f"))'
    assert parse_script(text) == [ModuleCommand(1, None, ModuleSource("text", text.encode()))]


@pytest.mark.parametrize(
    "text",
    ['(assert_wrong (invoke "f"))', "(nonsense)", "(assert_return)", "(register)", "(invoke)"],
)
def test_unknown_or_incomplete_commands_are_refused(text: str) -> None:
    with pytest.raises(ScriptError, match=r"^line 1: "):
        parse_script(text)


@pytest.mark.parametrize(
    ("text", "bits", "value"),
    [
        ("0x0123_4567", 32, 0x01234567),
        ("-1", 32, 0xFFFFFFFF),
        ("-0x8000_0000", 32, 0x80000000),
        ("010", 32, 10),
        ("4294967295", 32, 0xFFFFFFFF),
        ("+5", 8, 5),
    ],
)
def test_integers(text: str, bits: int, value: int) -> None:
    assert parse_int(text, bits) == value


def test_integers_out_of_range_are_refused() -> None:
    for text in ("256", "-129"):
        with pytest.raises(ScriptError):
            parse_int(text, 8)


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("0", 0),
        ("-0", 0x80000000),
        ("1.", 0x3F800000),
        ("1_0.5e+00", 0x41280000),
        ("10.5E-1", 0x3F866666),
        ("1.e1", 0x41200000),
        ("0x1p-149", 1),
        ("0x1p-150", 0),
        ("0x1.8p-150", 1),
        ("0x1.fffffep127", 0x7F7FFFFF),
        ("0x1.ffffffp127", 0x7F800000),
        ("0x1.00000100000000001p0", 0x3F800001),
        ("0x1.000001p0", 0x3F800000),
        ("1.00000005960464477539062500000000001", 0x3F800001),
        ("inf", 0x7F800000),
        ("-nan", 0xFFC00000),
        ("nan:0x1", 0x7F800001),
        ("-nan:0x20_0000", 0xFFA00000),
    ],
)
def test_f32_literals(text: str, bits: int) -> None:
    assert parse_float(text, "f32") == bits


@given(st.floats(allow_nan=False))
def test_f64_literals_agree_with_python(number: float) -> None:
    bits = f64_bits(number)
    if math.isinf(number):
        assert parse_float("inf" if number > 0 else "-inf", "f64") == bits
    else:
        assert parse_float(repr(number), "f64") == bits
        assert parse_float(number.hex(), "f64") == bits


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_f32_literals_that_binary32_holds(number: float) -> None:
    bits = struct.unpack("<I", struct.pack("<f", number))[0]
    assert parse_float(number.hex(), "f32") == bits
    assert parse_float(repr(number), "f32") == bits


def test_nan_patterns() -> None:
    canonical = expected("(f32.const nan:canonical)")
    arithmetic = expected("(f32.const nan:arithmetic)")
    for bits, is_canonical, is_arithmetic in [
        (0x7FC00000, True, True),
        (0xFFC00000, True, True),
        (0x7FC00001, False, True),
        (0x7F800001, False, False),
        (0x7F800000, False, False),
        (0x3F800000, False, False),
    ]:
        assert canonical.accepts("f32", bits) is is_canonical
        assert arithmetic.accepts("f32", bits) is is_arithmetic
    assert not canonical.accepts("i32", 0x7FC00000)
    wide = expected("(f64.const nan:canonical)")
    assert wide.accepts("f64", 0xFFF8000000000000)
    assert not wide.accepts("f64", 0xFFF8000000000001)


def test_vectors_compare_by_lanes() -> None:
    lanes = expected("(v128.const f32x4 1 nan:canonical -0 nan:arithmetic)")
    bits = 0x3F800000 | 0xFFC00000 << 32 | 0x80000000 << 64 | 0x7FD00000 << 96
    assert lanes.accepts("v128", bits)
    assert not lanes.accepts("v128", bits ^ 1 << 95)
    assert not lanes.accepts("v128", bits | 1 << 32)
    shorts = read_nodes("(v128.const i16x8 1 2 3 4 5 6 7 -1)")[0]
    assert parse_value(shorts) == Value("v128", 0xFFFF0007000600050004000300020001)
    with pytest.raises(ScriptError):
        expected("(v128.const i32x4 1 2 3)")


def test_references() -> None:
    assert parse_value(read_nodes("(ref.extern 7)")[0]) == Value("externref", 7)
    assert parse_value(read_nodes("(ref.null func)")[0]) == Value("funcref", NULL_REF)
    any_func = expected("(ref.func)")
    assert any_func.accepts("funcref", 0x1234)
    assert not any_func.accepts("funcref", NULL_REF)
    assert not any_func.accepts("externref", 1)
    with pytest.raises(ScriptError):
        parse_value(read_nodes("(ref.func)")[0])
    with pytest.raises(ScriptError):
        parse_value(read_nodes("(f32.const nan:canonical)")[0])
