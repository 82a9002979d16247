"""Calls: direct, indirect, and what crosses a function's border outside of registers.

docs/internals.md, section 1: parameters beyond those in registers and results beyond the first
go through mvvm_spill, right before the call or the return, and are loaded first thing behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from mvvm_aot.abi import STRUCTS
from mvvm_aot.liveness import bits_of
from mvvm_aot.plan import Point, split_params
from mvvm_aot.wasmparser.opcodes import BY_TEXT, Op
from mvvm_aot.wasmparser.types import FuncType

from . import ir, points
from .names import result_type, spill_slot

if TYPE_CHECKING:
    from .function import FunctionLowering

_TABLE_SIZE, _TABLE = STRUCTS["mvvm_table"]
_ELEM_SIZE, _ELEM = STRUCTS["mvvm_elem"]


def store_spilled(fn: FunctionLowering, llvm: str, value: str, index: int) -> None:
    """Store a parameter or result that does not travel in a register."""
    pointer = spill_slot(index)
    fn.lines.append(f"  store {llvm} {value}, ptr {pointer}, align 16{ir.SPILL}")


def load_spilled(fn: FunctionLowering, llvm: str, index: int) -> str:
    """Load a parameter or result that did not travel in a register."""
    return fn.emit(f"load {llvm}, ptr {spill_slot(index)}, align 16{ir.SPILL}")


def _call(fn: FunctionLowering, imm: Any) -> None:
    names = fn.names
    func_type = fn.module.func_type(imm)
    point = fn.plan.points.get(fn.index)
    if point is not None and imm in names.tried:
        _try_call(fn, imm, func_type, point)
    else:
        _emit_call(fn, names.symbol(imm), func_type, point)


def _try_call(fn: FunctionLowering, func_index: int, func_type: FuncType, point: Point) -> None:
    """Try a function without points (attempts.py); call it aside if the attempt is given up."""
    stack = fn.stack
    below = len(stack) - len(func_type.params)
    args = stack[below:]
    del stack[below:]
    passed = ", ".join(
        f"{llvm} {value}" for llvm, value in zip(fn.llvm_types(func_type.params), args, strict=True)
    )
    tried = fn.emit(f"call preserve_nonecc i64 {fn.names.attempt(func_index)}({passed})")
    failed = fn.emit(f"icmp slt i64 {tried}, 0")
    found = fn.emit(f"trunc i64 {tried} to i32") if func_type.results else ""
    chosen = [index for index in bits_of(point.live) if fn.vals[index] is not None]
    positions = [k for k in range(below) if stack[k] is not None]
    call = f"{_call_text(fn, fn.names.symbol(func_index), func_type, args)} {ir.CALL}"
    result, before, behind = points.call_aside(fn, failed, point, chosen, positions, call)
    fn.base = None
    if found:
        stack.append(fn.emit(f"phi i32 [ {found}, %{before} ], [ {result}, %{behind} ]"))


def _call_indirect(fn: FunctionLowering, imm: Any) -> None:
    type_index, table_index = imm
    func_type = fn.module.types[type_index]
    index = fn.stack.pop()
    code = _indirect_target(fn, func_type, table_index, index)
    _emit_call(fn, code, func_type, fn.plan.points.get(fn.index))


def return_call(fn: FunctionLowering, func_index: int) -> None:
    """Emit a tail call: the frame goes, so it is no point."""
    _emit_return_call(fn, fn.names.symbol(func_index), fn.module.func_type(func_index))


def return_call_indirect(fn: FunctionLowering, imm: Any) -> None:
    """Emit an indirect tail call."""
    type_index, table_index = imm
    func_type = fn.module.types[type_index]
    code = _indirect_target(fn, func_type, table_index, fn.stack.pop())
    _emit_return_call(fn, code, func_type)


def _emit_return_call(fn: FunctionLowering, callee: str, func_type: FuncType) -> None:
    """Pop the arguments, jump; the results beyond the first are where our caller expects them.

    The call follows the rules by which LLVM makes a jump of it: no argument stands on the stack.
    (``musttail`` would demand equal parameter lists.)
    """
    count = len(func_type.params)
    call = _call_text(fn, callee, func_type, fn.stack[len(fn.stack) - count :])
    call = f"tail {call} {ir.NOUNWIND}"
    if func_type.results:
        fn.lines.append(f"  ret {result_type(func_type)} {fn.emit(call)}")
    else:
        fn.lines += [f"  {call}", "  ret void"]


def _call_text(fn: FunctionLowering, callee: str, func_type: FuncType, args: list[Any]) -> str:
    """Store the arguments that do not travel in registers; return the call with those that do."""
    types = fn.llvm_types(func_type.params)
    registers, spilled = split_params(func_type.params)
    for index in spilled:
        store_spilled(fn, types[index], args[index], index)
    passed = ", ".join(f"{types[index]} {args[index]}" for index in registers)
    return f"call preserve_nonecc {result_type(func_type)} {callee}({passed})"


def _indirect_target(fn: FunctionLowering, func_type: FuncType, table: int, index: str) -> str:
    """Emit the tests of an indirect call; return the address of the code."""
    start = table * _TABLE_SIZE
    tables = f"@{fn.prefix}_tables"
    size_at = f"getelementptr (i8, ptr {tables}, i64 {start + _TABLE['size']})"
    elems_at = f"getelementptr (i8, ptr {tables}, i64 {start + _TABLE['elems']})"
    size = fn.emit(f"load i32, ptr {size_at}, align 4{ir.TABLE}")
    fn.trap_if(fn.emit(f"icmp uge i32 {index}, {size}"), "UNDEFINED_ELEMENT")
    elems = fn.emit(f"load ptr, ptr {elems_at}, align 8{ir.TABLE}")
    wide = fn.emit(f"zext i32 {index} to i64")
    elem = fn.emit(f"getelementptr [{_ELEM_SIZE} x i8], ptr {elems}, i64 {wide}")
    type_at = fn.emit(f"getelementptr i8, ptr {elem}, i64 {_ELEM['type_id']}")
    found = fn.emit(f"load i32, ptr {type_at}, align 8{ir.TABLE}")
    same = fn.emit(f"icmp eq i32 {found}, {fn.names.type_ids[func_type]}")
    good, bad = fn.new_label(), fn.new_label()
    fn.lines.append(f"  br i1 {same}, label %{good}, label %{bad}{ir.LIKELY}")
    fn.start_block(bad)
    table_at = f"getelementptr (i8, ptr {tables}, i64 {start})" if start else tables
    fn.lines += [
        f"  call void @mvvm_trap_indirect(ptr {table_at}, i32 {index}) {ir.TRAP}",
        "  unreachable",
    ]
    fn.start_block(good)
    return fn.emit(f"load ptr, ptr {elem}, align 16{ir.TABLE}")


def _emit_call(fn: FunctionLowering, callee: str, func_type: FuncType, point: Point | None) -> None:
    """Pop the arguments, call, push the results; commit and forget what a point demands."""
    stack = fn.stack
    count = len(func_type.params)
    args = stack[len(stack) - count :]
    del stack[len(stack) - count :]
    if point is not None:
        points.let_escape(fn)
        points.store_locals(fn, point.live & fn.dirty)
        points.send_home(fn, point.operands, len(stack))
    call = _call_text(fn, callee, func_type, args)
    results = fn.llvm_types(func_type.results)
    if point is not None:
        call += f" {ir.CALL} {points.bundle(fn, point.offset)}"
    values = []
    if results:
        values.append(fn.emit(call))
    else:
        fn.lines.append(f"  {call}")
    values += [load_spilled(fn, llvm, k) for k, llvm in enumerate(results[1:], 1)]
    if point is not None:
        points.forget(fn)
        points.fetch_operands(fn, fn.frames[-1].height, len(stack))
    stack += values


CALL_OPS: Final[dict[Op, Callable[[FunctionLowering, Any], None]]] = {
    BY_TEXT["call"]: _call,
    BY_TEXT["call_indirect"]: _call_indirect,
}
