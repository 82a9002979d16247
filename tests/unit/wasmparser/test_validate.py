"""validate.py, code.py, rules.py: what is rejected with which words, and what is recorded.

The modules are text here, assembled by wasmtime without validating them.
"""

from __future__ import annotations

import pytest
import wasmtime

from mvvm_aot.errors import InvalidModule
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.opcodes import OPS, PLAIN_OPS
from mvvm_aot.wasmparser.rules import RULES
from mvvm_aot.wasmparser.types import FuncType, ValType
from mvvm_aot.wasmparser.validate import ValidatedFunction, ValidatedModule, validate_module

from . import builder as b

I32, I64, F32, F64 = ValType.I32, ValType.I64, ValType.F32, ValType.F64
V128, FUNCREF, EXTERNREF = ValType.V128, ValType.FUNCREF, ValType.EXTERNREF


def validate_text(text: str) -> ValidatedModule:
    return validate_module(decode_module(bytes(wasmtime.wat2wasm(f"(module {text})"))))


def validate_func(instrs: str, sections: str = "") -> ValidatedFunction:
    """Validate a module of one function: its signature and locals, then its instructions."""
    return validate_text(f"{sections} (func {instrs})").functions[0]


def indices(function: ValidatedFunction, text: str) -> list[int]:
    """Return where an instruction occurs."""
    return [index for index, (_, op, _) in enumerate(function.instrs) if op.text == text]


def test_every_row_has_exactly_one_rule() -> None:
    assert RULES.keys().isdisjoint(PLAIN_OPS)
    assert RULES.keys() | set(PLAIN_OPS) == set(OPS)


# Instructions -> the start of the message.
INVALID_INSTRS = {
    "i32.add": "type mismatch: expected i32, the stack is empty in i32.add",
    "i32.const 1 f32.const 1 i32.add drop": "type mismatch: expected i32, found f32 in i32.add",
    "f32.const 1 i32.const 1 i32.add drop": "type mismatch: expected i32, found f32 in i32.add",
    "i64.const 1 i32.eqz drop": "type mismatch: expected i32, found i64 in i32.eqz",
    "i32.const 1": "type mismatch: values remain on the stack at the end of the block: [i32]",
    "drop": "type mismatch: an operand is missing",
    "block drop end": "type mismatch: an operand is missing",
    "i32.const 1 block drop end": "type mismatch: an operand is missing",
    "block (result i32) end drop": "type mismatch: expected i32, the stack is empty in end",
    "block (result i32) f32.const 1 end drop": "type mismatch: expected i32, found f32 in end",
    "i32.const 1 if (result i32) i32.const 1 end drop": "type mismatch: an if without else",
    "i32.const 1 if (result i32) i32.const 1 else end drop": "type mismatch: expected i32, the",
    "i32.const 1 if (result i32) else i32.const 1 end drop": "type mismatch: expected i32, the",
    "loop (param i32) drop end": "type mismatch: expected i32, the stack is empty in loop",
    "br 1": "unknown label 1 in br 1",
    "i32.const 0 br_table 0 9 0": "unknown label 9 in br_table (0 9) 0",
    "block (result i32) i32.const 0 i32.const 0 br_table 0 1 end drop": "type mismatch: label 0",
    "block (result i32) br 0 end drop": "type mismatch: expected i32, the stack is empty in br",
    "block (result i32) i32.const 1 br_if 0 end drop": "type mismatch: expected i32",
    "call 7": "unknown function 7 in call 7",
    "i32.const 0 call_indirect (type 0)": "unknown table 0",
    "local.get 0 drop": "unknown local 0 in local.get 0",
    "i32.const 0 local.set 0": "unknown local 0 in local.set 0",
    "i32.const 0 local.tee 0 drop": "unknown local 0 in local.tee 0",
    "(local i32) f32.const 0 local.set 0": "type mismatch: expected i32, found f32",
    "(local i32) f32.const 0 local.tee 0 drop": "type mismatch: expected i32, found f32",
    "global.get 0 drop": "unknown global 0",
    "i32.const 0 i32.load drop": "unknown memory 0 in i32.load",
    "memory.size drop": "unknown memory 0",
    "i32.const 0 table.get 0 drop": "unknown table 0",
    "data.drop 3": "unknown data segment 3",
    "elem.drop 3": "unknown elem segment 3",
    "i32.const 0 i32.const 0 i32.const 0 memory.init 0": "unknown memory 0 in memory.init 0 0",
    "i32.const 0 f32.const 0 i32.const 0 select drop": "type mismatch: the operands of select",
    "ref.null func ref.null func i32.const 0 select drop": "type mismatch: select without a type",
    "i32.const 0 i32.const 0 i32.const 0 select (result i32 i32) drop": "invalid result arity",
    "i32.const 0 ref.is_null drop": "type mismatch: expected a reference, found i32",
    "ref.func 0 drop": "undeclared function reference: function 0",
    "ref.func 7 drop": "unknown function 7",
    "v128.const i64x2 0 0 i8x16.extract_lane_s 16 drop": "invalid lane index 16",
    "v128.const i64x2 0 0 f64x2.extract_lane 2 drop": "invalid lane index 2",
    "(result i32) i32.const 0 return i32.const 0 f32.const 0 i32.add": "type mismatch: expected",
    "(result i32) return_call 1": "unknown function 1",
    "(result i32) f32.const 0 return": "type mismatch: expected i32, found f32 in return",
    "unreachable i32.const 0": "type mismatch: values remain on the stack",
    "unreachable f32.const 0 i32.eqz drop": "type mismatch: expected i32, found f32",
    "unreachable block drop end": "type mismatch: an operand is missing",
    "unreachable i32.const 0 select (result i32)": "type mismatch: values remain",
    "unreachable local.get 0 drop": "unknown local 0",
}


@pytest.mark.parametrize(("instrs", "reason"), INVALID_INSTRS.items())
def test_invalid_instrs(instrs: str, reason: str) -> None:
    with pytest.raises(InvalidModule) as caught:
        validate_func(instrs)
    assert caught.value.reason.startswith(reason)
    assert caught.value.func_index == 0


# Module fields -> the start of the message.
INVALID_MODULES = {
    "(func (type 3))": "unknown type 3",
    '(import "a" "b" (func (type 3)))': 'unknown type 3 of import "a" "b"',
    "(func block (type 9) end)": "unknown type 9 in block",
    "(table 2 1 funcref)": "size minimum must not be greater than maximum: 2 and 1",
    '(import "a" "b" (table 2 1 funcref))': "size minimum must not be greater than maximum",
    "(memory 2 1)": "size minimum must not be greater than maximum: 2 and 1",
    "(memory 65537)": "memory size must be at most 65536 pages (4GiB)",
    "(memory 1 65537)": "memory size must be at most 65536 pages (4GiB)",
    '(import "a" "b" (memory 65537))': "memory size must be at most 65536 pages (4GiB)",
    "(memory 1) (memory 1)": "multiple memories",
    '(import "a" "b" (memory 1)) (memory 1)': "multiple memories",
    "(global i32 (f32.const 0))": "type mismatch: expected [i32], found [f32]",
    "(global i32)": "type mismatch: expected [i32], found []",
    "(global i32 (i32.const 0) (i32.const 0))": "type mismatch: expected [i32], found [i32 i32]",
    "(global i32 (i32.ctz (i32.const 0)))": "constant expression required, found i32.ctz",
    "(global i32 (global.get 0))": "unknown global 0",
    "(global i32 (i32.add (i32.const 1)))": "type mismatch: expected [i32 i32], found [i32] in",
    "(global i32 (i32.mul (i32.const 1) (i64.const 1)))": "type mismatch: expected [i32 i32], fo",
    "(global i64 (i32.sub (i32.const 1) (i32.const 1)))": "type mismatch: expected [i64], found",
    "(global i64 (i64.add (i64.const 1) (i64.const 1)) (i64.const 1))": "type mismatch: expected",
    "(global i32 (i32.and (i32.const 1) (i32.const 1)))": "constant expression required, found i3",
    "(global i64 (i64.div_s (i64.const 1) (i64.const 1)))": "constant expression required, found",
    "(global f64 (f64.add (f64.const 1) (f64.const 1)))": "constant expression required, found f6",
    "(global i32 (i32.const 1)) (global i32 (i32.add (i32.const 1) (global.get 0)))": "unknown gl",
    '(import "a" "b" (global (mut i32))) (global i32 (i32.add (global.get 0) (global.get 0)))': (
        "constant expression required, global 0 is mutable"
    ),
    '(memory 1) (data (i64.add (i64.const 1) (i64.const 1)) "")': "type mismatch: expected [i32]",
    "(table 1 funcref) (elem (offset (i32.mul (i32.const 1))))": "type mismatch: expected [i32 i3",
    '(import "a" "b" (global (mut i32))) (global i32 (global.get 0))': "constant expression req",
    "(global funcref (ref.func 0))": "unknown function 0",
    "(elem (i32.const 0) func)": "unknown table 0",
    "(table 0 externref) (elem (i32.const 0) func)": "type mismatch: elements of type funcref",
    "(table 0 funcref) (elem (i64.const 0) func)": "type mismatch: expected [i32], found [i64]",
    "(elem funcref (ref.func 1))": "unknown function 1",
    "(elem funcref (ref.null extern))": "type mismatch: expected [funcref], found [externref]",
    '(data (i32.const 0) "")': "unknown memory 0",
    '(memory 1) (data (nop) "")': "constant expression required, found nop",
    "(start 0)": "unknown function 0",
    "(func (param i32)) (start 0)": "start function must have type [] -> [], not [i32] -> []",
    '(export "a" (func 0))': 'unknown function 0 in export "a"',
    '(export "a" (table 0))': "unknown table 0",
    '(export "a" (memory 0))': "unknown memory 0",
    '(export "a" (global 0))': "unknown global 0",
    '(func (export "a")) (memory (export "a") 0)': 'duplicate export name "a"',
    "(global i32 (i32.const 0)) (func i32.const 0 global.set 0)": "global is immutable: global 0",
    "(memory 0) (func i32.const 0 i32.load align=8 drop)": "alignment must not be larger than nat",
    "(memory 0) (func i32.const 0 i32.const 0 i32.store8 align=2)": "alignment must not be larger",
    "(table 0 externref) (func i32.const 0 call_indirect)": "type mismatch: table 0 holds no func",
    "(table 0 funcref) (func i32.const 0 call_indirect (type 9))": "unknown type 9",
    "(table 0 externref) (func i32.const 0 ref.null func table.set 0)": "type mismatch: expected",
    "(table 0 externref) (table 0 funcref) (func (table.copy 0 1 (i32.const 0)"
    "(i32.const 0) (i32.const 0)))": "type mismatch: funcref into a table of externref",
    "(table 0 externref) (elem func) (func (table.init 0 0 (i32.const 0) (i32.const 0)"
    "(i32.const 0)))": "type mismatch: funcref into a table of externref",
    "(func (result i32) i32.const 0) (func return_call 0)": "type mismatch: the callee returns",
}


@pytest.mark.parametrize(("fields", "reason"), INVALID_MODULES.items())
def test_invalid_module(fields: str, reason: str) -> None:
    with pytest.raises(InvalidModule) as caught:
        validate_text(fields)
    assert caught.value.reason.startswith(reason)
    assert caught.value.exit_code == 65
    assert caught.value.offset is not None


# Sections in order, of which the last is wrong, how far behind its id, and the message.
MISPLACED = {
    "second table": ({b.TABLE: b.vec(b"p\0\0", b"p\1\2\1")}, 6, "size minimum must not be"),
    "memory": ({b.MEMORY: b.vec(b"\1\2\1")}, 3, "size minimum must not be greater"),
    "second memory": ({b.MEMORY: b.vec(b"\1\1\2", b"\0\0")}, 6, "multiple memories"),
    "two imported memories": (
        {b.IMPORT: b.vec(*[b.name("a") + b.name("b") + b"\2\0\0"] * 2)},
        10,
        "multiple memories",
    ),
    "unknown start function": ({b.START: b"\7"}, 2, "unknown function 7 as start function"),
    "start function": (
        {b.TYPE: b.vec(b.func_type(b.I32)), b.IMPORT: b.vec(b"\1a\1b\0\0"), b.START: b"\0"},
        2,
        "start function must have type [] -> [], not [i32] -> []",
    ),
}


@pytest.mark.parametrize(("sections", "behind", "reason"), MISPLACED.values(), ids=MISPLACED)
def test_an_error_outside_of_functions_says_where(
    sections: dict[int, bytes], behind: int, reason: str
) -> None:
    *good, bad = (b.section(number, contents) for number, contents in sections.items())
    before = b.HEADER + b"".join(good)
    with pytest.raises(InvalidModule) as caught:
        validate_module(decode_module(before + bad))
    assert caught.value.reason.startswith(reason)
    assert caught.value.offset == len(before) + behind


def test_an_error_says_what_and_where() -> None:
    with pytest.raises(InvalidModule) as caught:
        validate_text(
            '(import "env" "log" (func)) (func $fine) (func $sum (result i32)'
            " i32.const 1 i64.const 2 i32.add)"
        )
    error = caught.value
    assert (error.func_index, error.func_name) == (2, "sum")
    assert error.offset is not None
    assert str(error) == (
        "invalid module: type mismatch: expected i32, found i64 in i32.add "
        f'(function 2 "sum", at byte offset {error.offset:#x})'
    )


def test_locals_are_parameters_then_declared_ones() -> None:
    function = validate_func("(param i32 f64) (result i64) (local v128 i64 i64) local.get 4")
    assert function.type == FuncType((I32, F64), (I64,))
    assert function.locals == (I32, F64, V128, I64, I64)


def test_functions_with_equal_locals_share_them() -> None:
    module = validate_text("(func (param i32) (local i64)) (func (param i32) (local i64))")
    assert module.functions[0].locals is module.functions[1].locals


def test_function_is_found_by_its_index() -> None:
    module = validate_text('(import "a" "b" (func)) (func) (func)')
    assert module.function(2) is module.functions[1]
    with pytest.raises(IndexError):
        module.function(0)


def test_stack_at_calls_holds_all_operands() -> None:
    function = validate_text(
        """
        (table 0 funcref)
        (func $f (param f32 f64) (result i32)
          i64.const 0
          block (result i32)
            ref.null extern
            f32.const 0
            f64.const 0
            call $f               ;; arguments on top of the reference, and of the i64 outside
            loop (param i32)
              i32.const 0
              call_indirect (result f32)
              drop
              drop
            end
            drop
            i32.const 0
            br 0
            i32.const 0
            call_indirect         ;; dead
          end
          return)
        """
    ).functions[0]
    (call,) = indices(function, "call")
    (loop,) = indices(function, "loop")
    indirect, dead = indices(function, "call_indirect")
    assert function.stack_at == {
        call: (I64, EXTERNREF, F32, F64),
        loop: (I64, EXTERNREF, I32),  # the block parameter included
        indirect: (I64, EXTERNREF, I32, I32),
    }
    assert function.unreachable[dead]


def test_stack_at_a_tail_call() -> None:
    function = validate_func("(param i32) i64.const 1 local.get 0 return_call 0")
    assert function.stack_at == {2: (I64, I32)}


def test_stack_at_sees_through_empty_blocks() -> None:
    function = validate_func(
        "i32.const 0 block block loop f32.const 0 loop call 0 end drop end end end drop"
    )
    outer, inner = indices(function, "loop")
    (call,) = indices(function, "call")
    assert function.stack_at == {outer: (I32,), inner: (I32, F32), call: (I32, F32)}


def test_ends_and_elses_are_matched() -> None:
    #  0     1    2   3  4   5     6    7   8   9
    # block loop end br i32 if   block end else end, 10: end, 11: end
    function = validate_func("block loop end br 0 i32.const 0 if block end else end end")
    assert function.end_of == {0: 10, 1: 2, 5: 9, 6: 7}
    assert function.else_of == {5: 8}


def dead_texts(instrs: str) -> list[str]:
    """Return the dead instructions of a function."""
    function = validate_func(instrs)
    assert len(function.unreachable) == len(function.instrs)
    return [
        op.text
        for (_, op, _), dead in zip(function.instrs, function.unreachable, strict=True)
        if dead
    ]


@pytest.mark.parametrize("leave", ["unreachable", "return", "br 0", "i32.const 0 br_table 0"])
def test_dead_code_ends_at_the_end_of_its_block(leave: str) -> None:
    assert dead_texts(f"block {leave} nop nop end nop") == ["nop", "nop"]


def test_dead_code_behind_a_tail_call() -> None:
    assert dead_texts("return_call 0 nop") == ["nop"]


def test_a_dead_block_is_dead_from_its_start_to_its_end() -> None:
    dead = dead_texts("block br 0 loop nop br 0 nop end i32.const 0 if nop else nop end nop end")
    expected = "loop nop br nop end i32.const if nop else nop end nop"
    assert dead == expected.split()


def test_an_else_is_reachable_though_the_then_part_ends_dead() -> None:
    assert dead_texts("i32.const 0 if return nop else nop end nop") == ["nop"]
    assert dead_texts("i32.const 0 if else return nop end nop") == ["nop"]


def test_code_behind_a_block_that_nothing_leaves_counts_as_reachable() -> None:
    assert dead_texts("block return end nop") == []
    assert dead_texts("i32.const 0 if return else return end nop") == []


def test_nothing_is_recorded_for_calls_and_loops_in_dead_code() -> None:
    function = validate_func("return call 0 loop call 0 end block call 0 end")
    assert function.stack_at == {}


def test_operand_types_of_drop_and_select() -> None:
    function = validate_func(
        "(param v128) f64.const 1 drop ref.null extern drop"
        " local.get 0 local.get 0 i32.const 0 select drop"
        " i64.const 0 i64.const 0 i32.const 0 select (result i64) drop"
    )
    (untyped,) = [index for index, item in enumerate(function.instrs) if item[1].code == 0x1B]
    drops = indices(function, "drop")
    assert function.select_types == {
        drops[0]: F64,
        drops[1]: EXTERNREF,
        untyped: V128,
        drops[2]: V128,
        drops[3]: I64,
    }


def test_operand_types_of_drop_and_select_in_dead_code() -> None:
    function = validate_func("unreachable select drop f32.const 0 i32.const 0 select drop drop")
    first, second = indices(function, "select")
    drops = indices(function, "drop")
    assert function.select_types == {second: F32, drops[1]: F32}
    assert first not in function.select_types


@pytest.mark.parametrize(
    "instrs",
    [
        "unreachable i32.add drop",
        "unreachable i32.const 0 i32.add drop",
        "(result i32) unreachable",
        "(result i32) unreachable select",
        "block (result i32) unreachable end drop",
        "block (result i32) i32.const 0 i32.const 0 br_if 0 end drop",
        "unreachable i32.const 0 br_table 0",
        "block (result i32) block (result f32) unreachable br_table 0 1 1 end drop i32.const 0 "
        "end drop",
        "i32.const 0 loop (param i32) (result i32) end drop",
        "i32.const 0 i32.const 0 if (param i32) (result i32) end drop",
        "unreachable ref.is_null drop",
        "unreachable select ref.is_null drop",
        "(result i32 i64) i32.const 0 i64.const 0 i32.const 0 br_table 0 0",
    ],
)
def test_valid_though_it_looks_odd(instrs: str) -> None:
    wasmtime.Module.validate(wasmtime.Engine(), wasmtime.wat2wasm(f"(module (func {instrs}))"))
    validate_func(instrs)


@pytest.mark.parametrize(
    "declaration",
    [
        "(elem declare func 0)",
        "(elem func 0)",
        '(export "f" (func 0))',
        "(global funcref (ref.func 0))",
    ],
)
def test_function_references_are_declared_outside_of_bodies(declaration: str) -> None:
    validate_func("ref.func 0 drop", declaration)


def test_a_start_function_is_not_a_declaration() -> None:
    with pytest.raises(InvalidModule, match="undeclared function reference"):
        validate_func("ref.func 0 drop", "(start 0)")
