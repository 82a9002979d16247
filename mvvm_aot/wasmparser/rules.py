"""Typing rules of the structured instructions: RULES[op](state, index, op, imm).

Specification: section 3.3 (validation of instructions). Each rule pops, pushes and records on an
OperandState and raises RuleBrokenError; ``check_plain`` is the one rule that all plain rows share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .opcodes import BY_TEXT, SELECT_TYPED, Imm, Op, immediates
from .operands import UNKNOWN, Frame, OperandState, RuleBrokenError
from .types import FuncType, GlobalType, ResultType, TableType, ValType, types_text

I32 = ValType.I32

Rule = Callable[[OperandState, int, Op, Any], None]

_LOOP, _IF, _ELSE = BY_TEXT["loop"], BY_TEXT["if"], BY_TEXT["else"]


def check_plain(state: OperandState, op: Op, imm: Any) -> None:
    """Apply a plain row: check its immediates, pop ``params``, push ``results``.

    The last immediate first: where a segment and a memory are missing, it is the memory that the
    specification's tests complain about.
    """
    for kind, value in reversed(list(zip(op.imm, immediates(op, imm), strict=True))):
        check = _IMM_CHECKS.get(kind)
        if check is not None:
            check(state, op, value)
    state.pop_types(op.params)
    state.stack.extend(op.results)


def _check_memarg(state: OperandState, op: Op, value: tuple[int, int]) -> None:
    _check_memory(state, op, 0)
    if 1 << value[0] > op.memory_size:
        raise RuleBrokenError(
            f"alignment must not be larger than natural: {1 << value[0]}, natural {op.memory_size}"
        )


def _check_memory(state: OperandState, _op: Op, value: int) -> None:
    if value >= state.context.num_memories:
        raise RuleBrokenError(f"unknown memory {value}")


def _check_lane(_state: OperandState, op: Op, value: int) -> None:
    if value >= op.lanes:
        raise RuleBrokenError(f"invalid lane index {value}, there are {op.lanes} lanes")


def _check_lanes16(state: OperandState, op: Op, value: tuple[int, ...]) -> None:
    for lane in value:
        _check_lane(state, op, lane)


def _check_data(state: OperandState, _op: Op, value: int) -> None:
    if value >= state.context.num_datas:
        raise RuleBrokenError(f"unknown data segment {value}")


def _check_elem(state: OperandState, _op: Op, value: int) -> None:
    _elem_type(state, value)


def _check_table(state: OperandState, _op: Op, value: int) -> None:
    _table_type(state, value)


_IMM_CHECKS: dict[Imm, Callable[[OperandState, Op, Any], None]] = {
    Imm.MEMARG: _check_memarg,
    Imm.MEMORY: _check_memory,
    Imm.LANE: _check_lane,
    Imm.LANES16: _check_lanes16,
    Imm.DATA: _check_data,
    Imm.ELEM: _check_elem,
    Imm.TABLE: _check_table,
}


def _table_type(state: OperandState, table_index: int) -> TableType:
    if table_index >= len(state.context.tables):
        raise RuleBrokenError(f"unknown table {table_index}")
    return state.context.tables[table_index]


def _elem_type(state: OperandState, elem_index: int) -> ValType:
    if elem_index >= len(state.context.elem_types):
        raise RuleBrokenError(f"unknown elem segment {elem_index}")
    return state.context.elem_types[elem_index]


def _global_type(state: OperandState, global_index: int) -> GlobalType:
    if global_index >= len(state.context.globals):
        raise RuleBrokenError(f"unknown global {global_index}")
    return state.context.globals[global_index]


# Control


def _unreachable(state: OperandState, index: int, _op: Op, _imm: None) -> None:
    state.set_dead(index)


def _block(state: OperandState, index: int, op: Op, imm: FuncType | int) -> None:
    if op is _IF:
        state.pop_type(I32)
    if isinstance(imm, int):
        raise RuleBrokenError(f"unknown type {imm}")
    if op is _LOOP:
        state.record_stack(index)
    state.pop_types(imm.params)
    state.push_frame(Frame(op, imm, index, imm.params if op is _LOOP else imm.results))


def _else(state: OperandState, index: int, op: Op, _imm: None) -> None:
    frame = state.pop_frame(index)
    state.else_of[frame.index] = index
    state.push_frame(Frame(op, frame.type, frame.index, frame.type.results))


def _end(state: OperandState, index: int, _op: Op, _imm: None) -> None:
    frame = state.pop_frame(index)
    block_type = frame.type
    if frame.op is _IF and block_type.params != block_type.results:
        raise RuleBrokenError(
            f"type mismatch: an if without else cannot turn {types_text(block_type.params)} "
            f"into {types_text(block_type.results)}"
        )
    if state.frames:
        state.end_of[frame.index] = index
        state.push_types(block_type.results)


def _br(state: OperandState, index: int, _op: Op, imm: int) -> None:
    state.pop_types(state.label_types(imm))
    state.set_dead(index)


def _br_if(state: OperandState, _index: int, _op: Op, imm: int) -> None:
    label_types = state.label_types(imm)
    state.pop_type(I32)
    if label_types:
        state.pop_types(label_types)
        state.push_types(label_types)


def _br_table(state: OperandState, index: int, _op: Op, imm: tuple[tuple[int, ...], int]) -> None:
    labels, default = imm
    state.pop_type(I32)
    default_types = state.label_types(default)
    checked: set[ResultType] = {default_types}
    for label in set(labels):
        label_types = state.label_types(label)
        if label_types not in checked:
            if len(label_types) != len(default_types):
                raise RuleBrokenError(
                    f"type mismatch: label {label} takes {types_text(label_types)}, "
                    f"the default label {types_text(default_types)}"
                )
            state.peek_types(label_types)
            checked.add(label_types)
    state.pop_types(default_types)
    state.set_dead(index)


def _return(state: OperandState, index: int, _op: Op, _imm: None) -> None:
    state.pop_types(state.type.results)
    state.set_dead(index)


# Calls


def _callee_type(state: OperandState, func_index: int) -> FuncType:
    if func_index >= len(state.context.funcs):
        raise RuleBrokenError(f"unknown function {func_index}")
    return state.context.funcs[func_index]


def _indirect_type(state: OperandState, imm: tuple[int, int]) -> FuncType:
    """Check the operands of an indirect call save the arguments; return the callee's type."""
    type_index, table_index = imm
    if _table_type(state, table_index).elem is not ValType.FUNCREF:
        raise RuleBrokenError(f"type mismatch: table {table_index} holds no functions")
    if type_index >= len(state.context.types):
        raise RuleBrokenError(f"unknown type {type_index}")
    state.pop_type(I32)
    return state.context.types[type_index]


def _call(state: OperandState, index: int, _op: Op, imm: int) -> None:
    state.record_stack(index)
    func_type = _callee_type(state, imm)
    state.pop_types(func_type.params)
    state.push_types(func_type.results)


def _call_indirect(state: OperandState, index: int, _op: Op, imm: tuple[int, int]) -> None:
    state.record_stack(index)
    func_type = _indirect_type(state, imm)
    state.pop_types(func_type.params)
    state.push_types(func_type.results)


def _finish_tail_call(state: OperandState, index: int, func_type: FuncType) -> None:
    state.pop_types(func_type.params)
    if func_type.results != state.type.results:
        raise RuleBrokenError(
            f"type mismatch: the callee returns {types_text(func_type.results)}, "
            f"this function {types_text(state.type.results)}"
        )
    state.set_dead(index)


def _return_call(state: OperandState, index: int, _op: Op, imm: int) -> None:
    state.record_stack(index)
    _finish_tail_call(state, index, _callee_type(state, imm))


def _return_call_indirect(state: OperandState, index: int, _op: Op, imm: tuple[int, int]) -> None:
    state.record_stack(index)
    _finish_tail_call(state, index, _indirect_type(state, imm))


# Drop, select, variables


def _drop(state: OperandState, index: int, _op: Op, _imm: None) -> None:
    operand = state.pop()
    if isinstance(operand, ValType):
        state.select_types[index] = operand


def _select(state: OperandState, index: int, _op: Op, _imm: None) -> None:
    state.pop_type(I32)
    second, first = state.pop(), state.pop()
    operand = second if first is UNKNOWN else first
    if isinstance(operand, ValType):
        if operand.is_reference or (isinstance(second, ValType) and second.is_reference):
            raise RuleBrokenError(
                "type mismatch: select without a type takes numbers and vectors only"
            )
        if second is not UNKNOWN and second is not operand:
            raise RuleBrokenError("type mismatch: the operands of select differ in type")
        state.select_types[index] = operand
    state.stack.append(operand)


def _select_typed(state: OperandState, _index: int, _op: Op, imm: tuple[ValType, ...]) -> None:
    if len(imm) != 1:
        raise RuleBrokenError(f"invalid result arity: select with {len(imm)} types instead of one")
    state.pop_types((imm[0], imm[0], I32))
    state.stack.append(imm[0])


def _local_type(state: OperandState, local_index: int) -> ValType:
    if local_index >= len(state.locals):
        raise RuleBrokenError(f"unknown local {local_index}")
    return state.locals[local_index]


def _local_get(state: OperandState, _index: int, _op: Op, imm: int) -> None:
    state.stack.append(_local_type(state, imm))


def _local_set(state: OperandState, _index: int, _op: Op, imm: int) -> None:
    state.pop_type(_local_type(state, imm))


def _local_tee(state: OperandState, _index: int, _op: Op, imm: int) -> None:
    valtype = _local_type(state, imm)
    state.pop_type(valtype)
    state.stack.append(valtype)


def _global_get(state: OperandState, _index: int, _op: Op, imm: int) -> None:
    state.stack.append(_global_type(state, imm).valtype)


def _global_set(state: OperandState, _index: int, _op: Op, imm: int) -> None:
    global_type = _global_type(state, imm)
    if not global_type.mutable:
        raise RuleBrokenError(f"global is immutable: global {imm}")
    state.pop_type(global_type.valtype)


# References, tables


def _ref_null(state: OperandState, _index: int, _op: Op, imm: ValType) -> None:
    state.stack.append(imm)


def _ref_is_null(state: OperandState, _index: int, _op: Op, _imm: None) -> None:
    operand = state.pop()
    if isinstance(operand, ValType) and not operand.is_reference:
        raise RuleBrokenError(f"type mismatch: expected a reference, found {operand.text}")
    state.stack.append(I32)


def _ref_func(state: OperandState, _index: int, _op: Op, imm: int) -> None:
    _callee_type(state, imm)
    if imm not in state.context.refs:
        raise RuleBrokenError(f"undeclared function reference: function {imm}")
    state.stack.append(ValType.FUNCREF)


def _table_get(state: OperandState, _index: int, _op: Op, imm: int) -> None:
    elem = _table_type(state, imm).elem
    state.pop_type(I32)
    state.stack.append(elem)


def _table_set(state: OperandState, _index: int, _op: Op, imm: int) -> None:
    state.pop_types((I32, _table_type(state, imm).elem))


def _table_grow(state: OperandState, _index: int, _op: Op, imm: int) -> None:
    state.pop_types((_table_type(state, imm).elem, I32))
    state.stack.append(I32)


def _table_fill(state: OperandState, _index: int, _op: Op, imm: int) -> None:
    state.pop_types((I32, _table_type(state, imm).elem, I32))


def _table_copy(state: OperandState, _index: int, _op: Op, imm: tuple[int, int]) -> None:
    _check_same_elem(_table_type(state, imm[0]).elem, _table_type(state, imm[1]).elem)
    state.pop_types((I32, I32, I32))


def _table_init(state: OperandState, _index: int, _op: Op, imm: tuple[int, int]) -> None:
    elem_index, table_index = imm
    _check_same_elem(_table_type(state, table_index).elem, _elem_type(state, elem_index))
    state.pop_types((I32, I32, I32))


def _check_same_elem(to: ValType, source: ValType) -> None:
    if to is not source:
        raise RuleBrokenError(f"type mismatch: {source.text} into a table of {to.text}")


_RULES_BY_TEXT: dict[str, Rule] = {
    "unreachable": _unreachable,
    "block": _block,
    "loop": _block,
    "if": _block,
    "else": _else,
    "end": _end,
    "br": _br,
    "br_if": _br_if,
    "br_table": _br_table,
    "return": _return,
    "call": _call,
    "call_indirect": _call_indirect,
    "return_call": _return_call,
    "return_call_indirect": _return_call_indirect,
    "drop": _drop,
    "select": _select,
    "local.get": _local_get,
    "local.set": _local_set,
    "local.tee": _local_tee,
    "global.get": _global_get,
    "global.set": _global_set,
    "table.get": _table_get,
    "table.set": _table_set,
    "table.init": _table_init,
    "table.copy": _table_copy,
    "table.grow": _table_grow,
    "table.fill": _table_fill,
    "ref.null": _ref_null,
    "ref.is_null": _ref_is_null,
    "ref.func": _ref_func,
}

RULES: dict[Op, Rule] = {
    SELECT_TYPED: _select_typed,
    **{BY_TEXT[text]: rule for text, rule in _RULES_BY_TEXT.items()},
}
