"""Constant expressions: their validation and, where all operands are known, their value.

Specification: section 3.3.10 (constant expressions) of 2.0, and from 3.0 the integer additions,
subtractions and multiplications (the proposal "extended constant expressions"). What 3.0 loosens
besides is refused: ``global.get`` names an imported global only, as 2.0's own scripts demand.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from mvvm_aot.errors import InvalidModule

from .module import ConstExpr, Module
from .opcodes import BY_TEXT, PLAIN_OPS, Op
from .types import GlobalType, ValType, types_text

_GLOBAL_GET, _REF_FUNC, _REF_NULL = (
    BY_TEXT[text] for text in ("global.get", "ref.func", "ref.null")
)

# Constants of number and vector types, and what each pushes.
NUMBERS: Final = {op: op.results[0] for op in PLAIN_OPS if op.text.endswith(".const")}

_FUNCTIONS: Final = {"add": operator.add, "sub": operator.sub, "mul": operator.mul}

# The operators; both operands and the result have the type that is named here.
ARITHMETIC: Final[dict[Op, tuple[ValType, Callable[[int, int], int]]]] = {
    BY_TEXT[f"{valtype.text}.{name}"]: (valtype, function)
    for valtype in (ValType.I32, ValType.I64)
    for name, function in _FUNCTIONS.items()
}
_BITS: Final = {
    ValType.I32: 32,
    ValType.I64: 64,
    ValType.F32: 32,
    ValType.F64: 64,
    ValType.V128: 128,
}


def check_const_expr(module: Module, expr: ConstExpr, expected: ValType) -> None:
    """Check that an expression is constant and has one result. Raises InvalidModule."""
    stack: list[ValType] = []
    for offset, op, imm in expr[:-1]:
        if op in ARITHMETIC:
            _check_operands(stack, offset, op)
        else:
            stack.append(_pushed(module, offset, op, imm))
    if stack != [expected]:
        raise InvalidModule(
            f"type mismatch: expected [{expected.text}], found {_shown(stack)}", offset=expr[0][0]
        )


def _shown(stack: list[ValType]) -> str:
    """Return a stack for messages, cut where it is long."""
    text = types_text(tuple(stack[:16]))
    return text if len(stack) <= 16 else f"{text[:-1]} ...]"


def _check_operands(stack: list[ValType], offset: int, op: Op) -> None:
    """Pop an operator's second operand; the first one's place is the result's."""
    if tuple(stack[-2:]) != op.params:
        raise InvalidModule(
            f"type mismatch: expected {types_text(op.params)}, found "
            f"{types_text(tuple(stack[-2:]))} in {op.text}",
            offset=offset,
        )
    stack.pop()


def _pushed(module: Module, offset: int, op: Op, imm: Any) -> ValType:
    """Return what an instruction without operands pushes."""
    if op in NUMBERS:
        return NUMBERS[op]
    if op is _REF_NULL:
        assert isinstance(imm, ValType)
        return imm
    if op is _REF_FUNC:
        if imm >= module.num_funcs:
            raise InvalidModule(f"unknown function {imm}", offset=offset)
        return ValType.FUNCREF
    if op is _GLOBAL_GET:
        return _global(module, offset, imm).valtype
    raise InvalidModule(f"constant expression required, found {op.text}", offset=offset)


def _global(module: Module, offset: int, global_index: int) -> GlobalType:
    """Look up a global: it must be imported and immutable."""
    if global_index >= len(module.imported_globals):
        raise InvalidModule(
            f"unknown global {global_index}: a constant expression sees imported globals only",
            offset=offset,
        )
    global_type = module.all_globals[global_index]
    if global_type.mutable:
        raise InvalidModule(
            f"constant expression required, global {global_index} is mutable", offset=offset
        )
    return global_type


def known_bits(expr: ConstExpr) -> int | None:
    """Return the bit pattern of a valid expression's value if it is made of numbers only.

    The pattern is unsigned, as wide as its type. None: it names a global or is a reference.
    """
    stack: list[int] = []
    for _, op, imm in expr[:-1]:
        if op in ARITHMETIC:
            valtype, function = ARITHMETIC[op]
            value = function(stack.pop(-2), stack.pop())
        elif op in NUMBERS:
            valtype, value = NUMBERS[op], imm
        else:
            return None
        stack.append(value & ((1 << _BITS[valtype]) - 1))
    return stack[0]


def deepest_stack(expr: ConstExpr) -> int:
    """Return how many operands a valid expression has on the stack at most."""
    depth = deepest = 0
    for _, op, _imm in expr[:-1]:
        depth += -1 if op in ARITHMETIC else 1
        deepest = max(deepest, depth)
    return deepest
