"""Plain instructions that compute: from a row of the opcode table to IR.

Specification: section 4.3 (numerics). Three shapes cover nearly all: BINARY and UNARY hold the
text around the operands, COMPARE that of an ``i1``. SPECIAL holds functions for the rest: what
can trap, masks its shift count, or must quiet a signaling NaN where LLVM would fold the operation
away. Integer results wrap, no fast-math flag is ever set.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mvvm_aot.wasmparser.opcodes import BY_TEXT, Op

from . import ir

if TYPE_CHECKING:
    from .function import FunctionLowering

_TRUE, _FALSE = "true", "false"


def _ops(rows: dict[str, str]) -> dict[Op, str]:
    """Turn the texts of a table into rows of the opcode table."""
    return {BY_TEXT[text]: ir for text, ir in rows.items()}


# "<prefix>a, b"
BINARY: Final[dict[Op, str]] = _ops(
    {
        **{f"i{n}.{name}": f"{name} i{n} " for n in (32, 64) for name in ("add", "sub", "mul")},
        **{f"i{n}.{name}": f"{name} i{n} " for n in (32, 64) for name in ("and", "or", "xor")},
    }
)

INT_COMPARE: Final = {
    "eq": "eq",
    "ne": "ne",
    "lt_s": "slt",
    "lt_u": "ult",
    "gt_s": "sgt",
    "gt_u": "ugt",
    "le_s": "sle",
    "le_u": "ule",
    "ge_s": "sge",
    "ge_u": "uge",
}
FLOAT_COMPARE: Final = {
    "eq": "oeq",
    "ne": "une",
    "lt": "olt",
    "gt": "ogt",
    "le": "ole",
    "ge": "oge",
}
_FLOATS: Final = {"f32": "float", "f64": "double"}

# "<prefix>a, b", an i1
COMPARE: Final[dict[Op, str]] = _ops(
    {
        **{
            f"i{n}.{name}": f"icmp {condition} i{n} "
            for n in (32, 64)
            for name, condition in INT_COMPARE.items()
        },
        **{
            f"{wasm}.{name}": f"fcmp {condition} {llvm} "
            for wasm, llvm in _FLOATS.items()
            for name, condition in FLOAT_COMPARE.items()
        },
    }
)

_FLOAT_UNARY: Final = {
    "abs": "fabs",
    "ceil": "ceil",
    "floor": "floor",
    "trunc": "trunc",
    "nearest": "roundeven",
    "sqrt": "sqrt",
}


def _unary_rows() -> dict[str, tuple[str, str]]:
    """Return text -> what stands before and behind the operand."""
    rows: dict[str, tuple[str, str]] = {}
    for n in (32, 64):
        rows[f"i{n}.clz"] = (f"call i{n} @llvm.ctlz.i{n}(i{n} ", ", i1 false)")
        rows[f"i{n}.ctz"] = (f"call i{n} @llvm.cttz.i{n}(i{n} ", ", i1 false)")
        rows[f"i{n}.popcnt"] = (f"call i{n} @llvm.ctpop.i{n}(i{n} ", ")")
        for wasm, llvm in _FLOATS.items():
            for sign in ("s", "u"):
                rows[f"{wasm}.convert_i{n}_{sign}"] = (f"{sign}itofp i{n} ", f" to {llvm}")
                name = f"@llvm.fpto{sign}i.sat.i{n}.{wasm}"
                rows[f"i{n}.trunc_sat_{wasm}_{sign}"] = (f"call i{n} {name}({llvm} ", ")")
    for wasm, llvm in _FLOATS.items():
        rows[f"{wasm}.neg"] = (f"fneg {llvm} ", "")
        for name, intrinsic in _FLOAT_UNARY.items():
            rows[f"{wasm}.{name}"] = (f"call {llvm} @llvm.{intrinsic}.{wasm}({llvm} ", ")")
    rows |= {
        "i32.wrap_i64": ("trunc i64 ", " to i32"),
        "i64.extend_i32_s": ("sext i32 ", " to i64"),
        "i64.extend_i32_u": ("zext i32 ", " to i64"),
        "i32.reinterpret_f32": ("bitcast float ", " to i32"),
        "i64.reinterpret_f64": ("bitcast double ", " to i64"),
        "f32.reinterpret_i32": ("bitcast i32 ", " to float"),
        "f64.reinterpret_i64": ("bitcast i64 ", " to double"),
    }
    return rows


UNARY: Final[dict[Op, tuple[str, str]]] = {BY_TEXT[text]: ir for text, ir in _unary_rows().items()}


# -- Literals --------------------------------------------------------------------------------


def f64_literal(bits: int) -> str:
    """Return LLVM's text for the double with these bits."""
    return f"0x{bits:016X}"


def f32_literal(bits: int) -> str:
    """Return LLVM's text for the float with these bits: a NaN must keep every one of them."""
    if bits & 0x7F80_0000 == 0x7F80_0000 and bits & 0x7F_FFFF:
        return f"bitcast (i32 {bits} to float)"
    (value,) = struct.unpack("<f", struct.pack("<I", bits))
    (wide,) = struct.unpack("<Q", struct.pack("<d", value))
    return f64_literal(wide)


_ONE, _MINUS_ONE = f64_literal(0x3FF0 << 48), f64_literal(0xBFF0 << 48)
_ZERO, _MINUS_ZERO = f64_literal(0), f64_literal(1 << 63)


# -- Operations with a function of their own -------------------------------------------------

Special = Callable[["FunctionLowering"], None]


def _divide(n: int, name: str) -> Special:
    """Division and remainder: traps are tested for unless a literal divisor excludes them."""
    smallest = -(1 << (n - 1))

    def lower(fn: FunctionLowering) -> None:
        b = fn.stack.pop()
        a = fn.stack.pop()
        literal = None if b[0] == "%" else int(b)
        if literal is None or literal == 0:
            fn.trap_if(fn.emit(f"icmp eq i{n} {b}, 0"), "INTEGER_DIVIDE_BY_ZERO")
        if name == "sdiv" and (literal is None or literal == -1):
            low = fn.emit(f"icmp eq i{n} {a}, {smallest}")
            minus = fn.emit(f"icmp eq i{n} {b}, -1")
            fn.trap_if(fn.emit(f"and i1 {low}, {minus}"), "INTEGER_OVERFLOW")
        if name == "srem" and (literal is None or literal == -1):
            # smallest % -1 is 0, but the machine's instruction overflows: use % 1.
            minus = fn.emit(f"icmp eq i{n} {b}, -1")
            b = fn.emit(f"select i1 {minus}, i{n} 1, i{n} {b}")
        fn.stack.append(fn.emit(f"{name} i{n} {a}, {b}"))

    return lower


def _shift(n: int, name: str) -> Special:
    """Shifts count modulo the width."""

    def lower(fn: FunctionLowering) -> None:
        b = fn.stack.pop()
        a = fn.stack.pop()
        b = fn.emit(f"and i{n} {b}, {n - 1}") if b[0] == "%" else str(int(b) & (n - 1))
        fn.stack.append(fn.emit(f"{name} i{n} {a}, {b}"))

    return lower


def _rotate(n: int, intrinsic: str) -> Special:
    """Rotations are funnel shifts of a value with itself."""

    def lower(fn: FunctionLowering) -> None:
        b = fn.stack.pop()
        a = fn.stack.pop()
        call = f"call i{n} @llvm.{intrinsic}.i{n}(i{n} {a}, i{n} {a}, i{n} {b})"
        fn.stack.append(fn.emit(call))

    return lower


def _eqz(n: int) -> Special:
    def lower(fn: FunctionLowering) -> None:
        a = fn.stack.pop()
        if a == fn.boolean:
            fn.push_bool(f"xor i1 {a}, true")
        else:
            fn.push_bool(f"icmp eq i{n} {a}, 0")

    return lower


def _quiet(fn: FunctionLowering, wasm: str, a: str) -> str:
    """Return ``a`` with a signaling NaN quieted: what ``a * 1.0`` is on every machine."""
    llvm = _FLOATS[wasm]
    return fn.emit(f"call {llvm} @llvm.canonicalize.{wasm}({llvm} {a})")


# The literal right and left operands with which LLVM may fold an operation to its other operand
# or to minus it, always or (``abs(x) + 0``) for what it knows of that.
_ONES: Final = frozenset((_ONE, _MINUS_ONE))
_ZEROS: Final = frozenset((_ZERO, _MINUS_ZERO))
_FOLDS: Final[dict[str, tuple[frozenset[str], frozenset[str]]]] = {
    "fadd": (_ZEROS, _ZEROS),
    "fsub": (_ZEROS, frozenset((_MINUS_ZERO,))),
    "fmul": (_ONES, _ONES),
    "fdiv": (_ONES, frozenset()),
}


def fold_safe(
    name: str, a: str, b: str, lanes: Callable[[str], list[str]], quiet: Callable[[str], str]
) -> tuple[str, str]:
    """Return an operation's operands such that no signaling NaN comes through, folded or not.

    ``lanes``: the literals in an operand's text, none if it is computed; ``quiet`` emits what
    quiets an operand. A fold then gives what was quieted.
    """
    right, left = _FOLDS[name]
    if not right.isdisjoint(lanes(b)):
        return quiet(a), b
    if not left.isdisjoint(lanes(a)):
        return a, quiet(b)
    return a, b


def _float_arith(wasm: str, name: str) -> Special:
    """Arithmetic. LLVM folds ``x * 1.0`` to ``x`` and so on: there, only quiet NaNs."""
    llvm = _FLOATS[wasm]

    def literal(value: str) -> list[str]:
        return [] if value[0] == "%" else [value]

    def lower(fn: FunctionLowering) -> None:
        b = fn.stack.pop()
        a = fn.stack.pop()
        a, b = fold_safe(name, a, b, literal, lambda value: _quiet(fn, wasm, value))
        fn.stack.append(fn.emit(f"{name} {llvm} {a}, {b}"))

    return lower


def _float_call(wasm: str, intrinsic: str, *, quiet: bool = False) -> Special:
    """An intrinsic of two operands; x86 needs help to ``quiet`` what minimum returns."""
    llvm = _FLOATS[wasm]

    def lower(fn: FunctionLowering) -> None:
        b = fn.stack.pop()
        a = fn.stack.pop()
        value = fn.emit(f"call {llvm} @llvm.{intrinsic}.{wasm}({llvm} {a}, {llvm} {b})")
        fn.stack.append(_quiet(fn, wasm, value) if quiet else value)

    return lower


def _demote(fn: FunctionLowering) -> None:
    a = fn.stack.pop()
    source = fn.promoted.get(a)
    if source is not None:  # LLVM would return the source itself, a signaling NaN included
        fn.stack.append(_quiet(fn, "f32", source))
    else:
        fn.stack.append(fn.emit(f"fptrunc double {a} to float"))


def _promote(fn: FunctionLowering) -> None:
    a = fn.stack.pop()
    wide = fn.emit(f"fpext float {a} to double")
    fn.promoted[wide] = a
    fn.stack.append(wide)


def _truncate(n: int, wasm: str, sign: str) -> Special:
    """Float to integer: ``low < a < high`` (or ``low <= a``), else one of two traps."""
    llvm = _FLOATS[wasm]
    high = float(1 << (n - 1 if sign == "s" else n))
    if sign == "u":
        low, condition = -1.0, "ogt"
    elif (n, wasm) == (32, "f64"):
        low, condition = -high - 1.0, "ogt"
    else:  # the next smaller float is below the range
        low, condition = -high, "oge"
    low_text = f64_literal(struct.unpack("<Q", struct.pack("<d", low))[0])
    high_text = f64_literal(struct.unpack("<Q", struct.pack("<d", high))[0])

    def lower(fn: FunctionLowering) -> None:
        a = fn.stack.pop()
        above = fn.emit(f"fcmp {condition} {llvm} {a}, {low_text}")
        below = fn.emit(f"fcmp olt {llvm} {a}, {high_text}")
        fits = fn.emit(f"and i1 {above}, {below}")
        good, bad = fn.new_label(), fn.new_label()
        fn.lines.append(f"  br i1 {fits}, label %{good}, label %{bad}{ir.LIKELY}")
        fn.start_block(bad)
        nan = fn.emit(f"fcmp uno {llvm} {a}, {a}")
        invalid, overflow = fn.trap_label("INVALID_CONVERSION"), fn.trap_label("INTEGER_OVERFLOW")
        fn.lines.append(f"  br i1 {nan}, label %{invalid}, label %{overflow}")
        fn.start_block(good)
        fn.stack.append(fn.emit(f"fpto{sign}i {llvm} {a} to i{n}"))

    return lower


def _special_rows() -> dict[str, Special]:
    rows: dict[str, Special] = {"f32.demote_f64": _demote, "f64.promote_f32": _promote}
    for n in (32, 64):
        rows |= {
            f"i{n}.div_s": _divide(n, "sdiv"),
            f"i{n}.div_u": _divide(n, "udiv"),
            f"i{n}.rem_s": _divide(n, "srem"),
            f"i{n}.rem_u": _divide(n, "urem"),
            f"i{n}.shl": _shift(n, "shl"),
            f"i{n}.shr_s": _shift(n, "ashr"),
            f"i{n}.shr_u": _shift(n, "lshr"),
            f"i{n}.rotl": _rotate(n, "fshl"),
            f"i{n}.rotr": _rotate(n, "fshr"),
            f"i{n}.eqz": _eqz(n),
        }
        for wasm in _FLOATS:
            for sign in ("s", "u"):
                rows[f"i{n}.trunc_{wasm}_{sign}"] = _truncate(n, wasm, sign)
    for wasm in _FLOATS:
        for name in ("add", "sub", "mul", "div"):
            rows[f"{wasm}.{name}"] = _float_arith(wasm, f"f{name}")
        rows[f"{wasm}.min"] = _float_call(wasm, "minimum", quiet=True)
        rows[f"{wasm}.max"] = _float_call(wasm, "maximum", quiet=True)
        rows[f"{wasm}.copysign"] = _float_call(wasm, "copysign")
    for width in (8, 16, 32):
        for n in (32, 64):
            if width < n:
                rows[f"i{n}.extend{width}_s"] = _extend(n, width)
    return rows


def _extend(n: int, width: int) -> Special:
    def lower(fn: FunctionLowering) -> None:
        a = fn.stack.pop()
        narrow = fn.emit(f"trunc i{n} {a} to i{width}")
        fn.stack.append(fn.emit(f"sext i{width} {narrow} to i{n}"))

    return lower


SPECIAL: Final[dict[Op, Special]] = {BY_TEXT[text]: fn for text, fn in _special_rows().items()}
