"""Validate function bodies: (Context, Function) -> ValidatedFunction.

Specification: section 3.4.1 (functions) and appendix, section 7.3 (validation algorithm).
The loop in ``_check_body`` treats what most instructions are in line, by the shape of their row,
as long as the operands are right; whatever else happens it leaves to rules.py. So speed lives
here, and the rules are written once, there.
"""

from __future__ import annotations

from typing import Any

from mvvm_aot.errors import InvalidModule, UnsupportedFeature

from .module import Function, LocalRuns, expand_locals, instr_text
from .opcodes import BY_TEXT, OPS, PLAIN_OPS, Imm, Op
from .operands import Context, Frame, OperandState, RuleBrokenError
from .rules import RULES, check_plain
from .types import FuncType, ResultType, ValType
from .validated import ValidatedFunction

# A few bytes can declare thousands of locals; a file of such functions must not exhaust memory.
# Functions with the same parameters and locals count once.
MAX_LOCALS_OF_MODULE = 10_000_000

# Shapes, the most frequent first.
(
    _LOCAL_GET,
    _PUSH,  # [] -> [result], constants
    _RULE,
    _BINARY,  # [first second] -> [result]
    _LOAD,  # [i32] -> [result]
    _LOCAL_SET,
    _UNARY,  # [first] -> [result]
    _LOCAL_TEE,
    _STORE,  # [i32 second] -> []
    _PLAIN,  # any other plain row
) = range(10)

_CONSTANTS = {(Imm.I32,), (Imm.I64,), (Imm.F32,), (Imm.F64,), (Imm.V128,)}

_VARIABLE_SHAPES = {
    BY_TEXT["local.get"]: _LOCAL_GET,
    BY_TEXT["local.set"]: _LOCAL_SET,
    BY_TEXT["local.tee"]: _LOCAL_TEE,
}

# (shape, first operand or the rule, second operand or the greatest alignment exponent, result)
_Shape = tuple[int, Any, Any, Any]


def _shape(op: Op) -> _Shape:
    """Classify a row for the loop below."""
    if op in _VARIABLE_SHAPES:
        return (_VARIABLE_SHAPES[op], None, None, None)
    if op in RULES:
        return (_RULE, RULES[op], None, None)
    params, results = op.params, op.results
    if op.imm == (Imm.MEMARG,):
        max_align = op.memory_size.bit_length() - 1
        if results:
            return (_LOAD, params[0], max_align, results[0])
        return (_STORE, params[1], max_align, None)
    if op.imm in _CONSTANTS:
        return (_PUSH, None, None, results[0])
    if not op.imm and len(results) == 1:
        if len(params) == 2:
            return (_BINARY, params[0], params[1], results[0])
        if len(params) == 1:
            return (_UNARY, params[0], None, results[0])
    return (_PLAIN, None, None, None)


_SHAPES: dict[Op, _Shape] = {op: _shape(op) for op in OPS}

assert RULES.keys().isdisjoint(PLAIN_OPS)
assert RULES.keys() | set(PLAIN_OPS) == set(OPS)


class CodeValidator:
    """Validates the functions of one module, one after the other."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.locals_cache: dict[tuple[ResultType, LocalRuns], ResultType] = {}
        self.locals_left = MAX_LOCALS_OF_MODULE

    def validate(self, function: Function) -> ValidatedFunction:
        """Validate a function whose type index is valid. Raises InvalidModule."""
        func_type = self.context.types[function.type_index]
        body = Frame(BY_TEXT["block"], FuncType((), func_type.results), -1, func_type.results)
        state: OperandState | None = None
        try:
            local_types = self._locals(func_type, function.local_runs)
            state = OperandState(self.context, func_type, local_types, function.instrs, [body])
            _check_body(state)
        except RuleBrokenError as error:
            assert state is not None, "only bodies break rules"
            instr = function.instrs[state.position]
            name = self.context.module.func_name(function.func_index)
            raise InvalidModule(
                f"{error} in {instr_text(instr)}", function.func_index, instr[0], name
            ) from None
        except UnsupportedFeature as error:
            name = self.context.module.func_name(function.func_index)
            raise UnsupportedFeature(
                error.feature,
                func_index=function.func_index,
                offset=function.offset if state is None else function.instrs[state.position][0],
                func_name=name,
            ) from None
        return ValidatedFunction(
            func_index=function.func_index,
            type=func_type,
            locals=local_types,
            instrs=function.instrs,
            stack_at=state.stack_at,
            unreachable=bytes(state.unreachable),
            end_of=state.end_of,
            else_of=state.else_of,
            select_types=state.select_types,
        )

    def _locals(self, func_type: FuncType, local_runs: LocalRuns) -> ResultType:
        """Return the types of parameters and locals; equal ones share a tuple."""
        key = (func_type.params, local_runs)
        found = self.locals_cache.get(key)
        if found is None:
            found = self.locals_cache[key] = func_type.params + expand_locals(local_runs)
            self.locals_left -= len(found)
            if self.locals_left < 0:
                raise UnsupportedFeature(f"a module with more than {MAX_LOCALS_OF_MODULE} locals")
        return found


def _check_body(state: OperandState) -> None:
    """Check all instructions in order; on an error ``state.position`` says where."""
    shapes = _SHAPES
    i32 = ValType.I32
    local_types = state.locals
    num_locals = len(local_types)
    has_memory = state.context.num_memories > 0
    stack = state.stack
    index = 0
    try:
        for index, (_, op, imm) in enumerate(state.instrs):
            shape, first, second, result = shapes[op]
            if shape == _LOCAL_GET and imm < num_locals:
                stack.append(local_types[imm])
            elif shape == _PUSH:
                stack.append(result)
            elif shape == _RULE:
                first(state, index, op, imm)
                stack = state.stack
            # Only if the second operand is a type, not the barrier, is there a stack[-2].
            elif shape == _BINARY and stack[-1] is second and stack[-2] is first:
                stack.pop()
                stack[-1] = result
            elif shape == _LOAD and stack[-1] is i32 and imm[0] <= second and has_memory:
                stack[-1] = result
            elif shape == _LOCAL_SET and imm < num_locals and stack[-1] is local_types[imm]:
                stack.pop()
            elif shape == _UNARY and stack[-1] is first:
                stack[-1] = result
            elif shape == _LOCAL_TEE and imm < num_locals and stack[-1] is local_types[imm]:
                pass
            elif (
                shape == _STORE
                and stack[-1] is first
                and stack[-2] is i32
                and imm[0] <= second
                and has_memory
            ):
                del stack[-2:]
            elif op in RULES:
                RULES[op](state, index, op, imm)
            else:
                check_plain(state, op, imm)
    except (RuleBrokenError, UnsupportedFeature):
        state.position = index
        raise
