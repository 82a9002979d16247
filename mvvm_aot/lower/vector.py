"""Vector instructions: from a row of the opcode table to operations on LLVM vectors.

Specification: section 4.4.3 (vector instructions), section 4.3 (numerics, lane by lane). A v128
is ``<16 x i8>`` wherever it is kept or passed on; what works on other lanes casts it, and
``fn.lanes`` remembers for each result what it was cast from. Both targets are little-endian, so
lane 0 stands in the lowest bits, as WebAssembly has it. The forms chosen are those in which LLVM
recognises the machine's instructions (packing, averages, dot products...).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from mvvm_aot.wasmparser.opcodes import BY_TEXT, Op

from .numeric import FLOAT_COMPARE, INT_COMPARE, fold_safe
from .vector_memory import VECTOR_MEMORY_OPS
from .vector_values import (
    INT_SHAPES,
    SHAPES,
    V128,
    Shape,
    literal_lanes,
    pop_lanes,
    push_lanes,
    shuffle,
    splat,
    splat_literal,
    v128_literal,
)

if TYPE_CHECKING:
    from .function import FunctionLowering

Vector = Callable[["FunctionLowering", Any], None]


# -- Lane by lane ----------------------------------------------------------------------------


def _binary(shape: Shape, operation: str) -> Vector:
    """``operation type a, b``."""

    def lower(fn: FunctionLowering, imm: Any) -> None:
        b = pop_lanes(fn, shape)
        a = pop_lanes(fn, shape)
        push_lanes(fn, shape, fn.emit(f"{operation} {shape.llvm} {a}, {b}"))

    return lower


def _float_binary(shape: Shape, operation: str) -> Vector:
    """Arithmetic, through which no signaling NaN comes as it is."""

    def literals(value: str) -> list[str]:
        return literal_lanes(shape, value)

    def lower(fn: FunctionLowering, imm: Any) -> None:
        def quiet(value: str) -> str:
            return shape.call(fn, "canonicalize", f"{shape.llvm} {value}")

        b = pop_lanes(fn, shape)
        a = pop_lanes(fn, shape)
        a, b = fold_safe(operation, a, b, literals, quiet)
        push_lanes(fn, shape, fn.emit(f"{operation} {shape.llvm} {a}, {b}"))

    return lower


def _call2(shape: Shape, intrinsic: str, *, quiet: bool = False) -> Vector:
    """An intrinsic of two operands; x86 needs help to ``quiet`` what minimum returns."""

    def lower(fn: FunctionLowering, imm: Any) -> None:
        b = pop_lanes(fn, shape)
        a = pop_lanes(fn, shape)
        value = shape.call(fn, intrinsic, f"{shape.llvm} {a}, {shape.llvm} {b}")
        if quiet:
            value = shape.call(fn, "canonicalize", f"{shape.llvm} {value}")
        push_lanes(fn, shape, value)

    return lower


def _call1(shape: Shape, intrinsic: str, more: str = "") -> Vector:
    """An intrinsic of one operand."""

    def lower(fn: FunctionLowering, imm: Any) -> None:
        a = pop_lanes(fn, shape)
        push_lanes(fn, shape, shape.call(fn, intrinsic, f"{shape.llvm} {a}{more}"))

    return lower


def _negate(shape: Shape) -> Vector:
    def lower(fn: FunctionLowering, imm: Any) -> None:
        a = pop_lanes(fn, shape)
        if shape.is_float:
            push_lanes(fn, shape, fn.emit(f"fneg {shape.llvm} {a}"))
        else:
            push_lanes(fn, shape, fn.emit(f"sub {shape.llvm} zeroinitializer, {a}"))

    return lower


def _compare(shape: Shape, test: str) -> Vector:
    """A mask: all ones where the test holds."""

    def lower(fn: FunctionLowering, imm: Any) -> None:
        b = pop_lanes(fn, shape)
        a = pop_lanes(fn, shape)
        bits = fn.emit(f"{test} {shape.llvm} {a}, {b}")
        mask = shape.as_int
        push_lanes(fn, mask, fn.emit(f"sext <{shape.lanes} x i1> {bits} to {mask.llvm}"))

    return lower


def _shift(shape: Shape, operation: str) -> Vector:
    """All lanes by one count, modulo their width."""

    def lower(fn: FunctionLowering, imm: Any) -> None:
        count = fn.stack.pop()
        a = pop_lanes(fn, shape)
        if count[0] == "%":
            low = fn.emit(f"and i32 {count}, {shape.bits - 1}")
            counts = splat(fn, shape, _resize(fn, low, shape.bits))
        else:
            counts = splat_literal(shape, str(int(count) & (shape.bits - 1)))
        push_lanes(fn, shape, fn.emit(f"{operation} {shape.llvm} {a}, {counts}"))

    return lower


def _resize(fn: FunctionLowering, value: str, bits: int) -> str:
    """Return a small i32 as an integer of another width."""
    if bits == 32:
        return value
    if value[0] != "%":
        return str(int(value) & ((1 << bits) - 1)) if bits < 32 else value
    return fn.emit(f"{'zext' if bits > 32 else 'trunc'} i32 {value} to i{bits}")


def _average(shape: Shape) -> Vector:
    """(a + b + 1) / 2 without overflow."""
    double = Shape(shape.lanes, f"i{2 * shape.bits}")
    wide, one = double.llvm, splat_literal(double, "1")

    def lower(fn: FunctionLowering, imm: Any) -> None:
        b, a = (fn.emit(f"zext {shape.llvm} {pop_lanes(fn, shape)} to {wide}") for _ in range(2))
        total = fn.emit(f"add {wide} {fn.emit(f'add {wide} {a}, {b}')}, {one}")
        half = fn.emit(f"lshr {wide} {total}, {one}")
        push_lanes(fn, shape, fn.emit(f"trunc {wide} {half} to {shape.llvm}"))

    return lower


def _q15_multiply(fn: FunctionLowering, imm: Any) -> None:
    """(a * b + 2**14) >> 15, saturated: only -1 * -1 is too great."""
    shape = SHAPES["i16x8"]
    double = Shape(8, "i32")
    wide = double.llvm
    b, a = (fn.emit(f"sext {shape.llvm} {pop_lanes(fn, shape)} to {wide}") for _ in range(2))
    one, fourteen = splat_literal(double, "1"), splat_literal(double, "14")
    high = fn.emit(f"lshr {wide} {fn.emit(f'mul {wide} {a}, {b}')}, {fourteen}")
    rounded = fn.emit(f"lshr {wide} {fn.emit(f'add {wide} {high}, {one}')}, {one}")
    value = fn.emit(f"trunc {wide} {rounded} to {shape.llvm}")
    least = splat_literal(shape, str(-(1 << 15)))
    overflow = fn.emit(f"icmp eq {shape.llvm} {value}, {least}")
    mask = fn.emit(f"sext <8 x i1> {overflow} to {shape.llvm}")
    push_lanes(fn, shape, fn.emit(f"xor {shape.llvm} {value}, {mask}"))


def _pseudo(shape: Shape, *, smaller: bool) -> Vector:
    """pmin: b if b < a, else a; pmax: b if a < b, else a."""

    def lower(fn: FunctionLowering, imm: Any) -> None:
        b = pop_lanes(fn, shape)
        a = pop_lanes(fn, shape)
        left, right = (b, a) if smaller else (a, b)
        test = fn.emit(f"fcmp olt {shape.llvm} {left}, {right}")
        chosen = f"select <{shape.lanes} x i1> {test}, {shape.llvm} {b}, {shape.llvm} {a}"
        push_lanes(fn, shape, fn.emit(chosen))

    return lower


# -- Bits and tests --------------------------------------------------------------------------

_ONES: Final = splat_literal(SHAPES["i8x16"], "-1")


def _not(fn: FunctionLowering, imm: Any) -> None:
    fn.stack.append(fn.emit(f"xor {V128} {fn.stack.pop()}, {_ONES}"))


def _and_not(fn: FunctionLowering, imm: Any) -> None:
    b = fn.emit(f"xor {V128} {fn.stack.pop()}, {_ONES}")
    fn.stack.append(fn.emit(f"and {V128} {fn.stack.pop()}, {b}"))


def _bit_select(fn: FunctionLowering, imm: Any) -> None:
    mask, b, a = fn.stack.pop(), fn.stack.pop(), fn.stack.pop()
    first = fn.emit(f"and {V128} {a}, {mask}")
    inverse = fn.emit(f"xor {V128} {mask}, {_ONES}")
    second = fn.emit(f"and {V128} {b}, {inverse}")
    fn.stack.append(fn.emit(f"or {V128} {first}, {second}"))


def _any_true(fn: FunctionLowering, imm: Any) -> None:
    whole = fn.emit(f"bitcast {V128} {fn.stack.pop()} to i128")
    fn.push_bool(f"icmp ne i128 {whole}, 0")


def _all_true(shape: Shape) -> Vector:
    def lower(fn: FunctionLowering, imm: Any) -> None:
        a = pop_lanes(fn, shape)
        bits = fn.emit(f"icmp ne {shape.llvm} {a}, zeroinitializer")
        vector = f"<{shape.lanes} x i1>"
        fn.push_bool(f"call i1 @llvm.vector.reduce.and.v{shape.lanes}i1({vector} {bits})")

    return lower


def _bitmask(shape: Shape) -> Vector:
    def lower(fn: FunctionLowering, imm: Any) -> None:
        a = pop_lanes(fn, shape)
        bits = fn.emit(f"icmp slt {shape.llvm} {a}, zeroinitializer")
        mask = fn.emit(f"bitcast <{shape.lanes} x i1> {bits} to i{shape.lanes}")
        fn.stack.append(fn.emit(f"zext i{shape.lanes} {mask} to i32"))

    return lower


# -- Lanes -----------------------------------------------------------------------------------


def _const(fn: FunctionLowering, imm: int) -> None:
    fn.stack.append(v128_literal(imm))


def _shuffle(fn: FunctionLowering, imm: Any) -> None:
    b, a = fn.stack.pop(), fn.stack.pop()
    fn.stack.append(shuffle(fn, SHAPES["i8x16"], a, b, list(imm)))


def _swizzle(fn: FunctionLowering, imm: Any) -> None:
    """Each target has an instruction of its own: backend.py defines the function."""
    b, a = fn.stack.pop(), fn.stack.pop()
    fn.stack.append(fn.emit(f"call {V128} @mvvm_swizzle({V128} {a}, {V128} {b})"))


def _splat(shape: Shape) -> Vector:
    def lower(fn: FunctionLowering, imm: Any) -> None:
        value = fn.stack.pop()
        if not shape.is_float and shape.bits < 32:
            value = _resize(fn, value, shape.bits)
        push_lanes(fn, shape, splat(fn, shape, value))

    return lower


def _extract(shape: Shape, extension: str) -> Vector:
    def lower(fn: FunctionLowering, imm: int) -> None:
        a = pop_lanes(fn, shape)
        lane = fn.emit(f"extractelement {shape.llvm} {a}, i32 {imm}")
        if extension:
            lane = fn.emit(f"{extension} {shape.lane} {lane} to i32")
        fn.stack.append(lane)

    return lower


def _replace(shape: Shape) -> Vector:
    def lower(fn: FunctionLowering, imm: int) -> None:
        value = fn.stack.pop()
        if not shape.is_float and shape.bits < 32:
            value = _resize(fn, value, shape.bits)
        a = pop_lanes(fn, shape)
        new = f"insertelement {shape.llvm} {a}, {shape.lane} {value}, i32 {imm}"
        push_lanes(fn, shape, fn.emit(new))

    return lower


# -- Between shapes --------------------------------------------------------------------------


def _narrow(source: Shape, target: Shape, *, signed: bool) -> Vector:
    """Saturate the lanes of two vectors to half their width."""
    low, high = (-(1 << (target.bits - 1)), (1 << (target.bits - 1)) - 1) if signed else (
        0,
        (1 << target.bits) - 1,
    )  # fmt: skip
    wide = Shape(target.lanes, source.lane)

    def lower(fn: FunctionLowering, imm: Any) -> None:
        b = pop_lanes(fn, source)
        a = pop_lanes(fn, source)
        both = shuffle(fn, source, a, b, list(range(target.lanes)))
        least, most = splat_literal(wide, str(low)), splat_literal(wide, str(high))
        above = wide.call(fn, "smax", f"{wide.llvm} {both}, {wide.llvm} {least}")
        fits = wide.call(fn, "smin", f"{wide.llvm} {above}, {wide.llvm} {most}")
        push_lanes(fn, target, fn.emit(f"trunc {wide.llvm} {fits} to {target.llvm}"))

    return lower


def _half(fn: FunctionLowering, source: Shape, target: Shape, how: str, half: str) -> str:
    """Pop a vector, return half of its lanes, extended (``how``) to the target's width."""
    a = pop_lanes(fn, source)
    first = target.lanes if half == "high" else 0
    lanes = shuffle(fn, source, a, "poison", list(range(first, first + target.lanes)))
    return fn.emit(f"{how} <{target.lanes} x {source.lane}> {lanes} to {target.llvm}")


def _extend(source: Shape, target: Shape, how: str, half: str) -> Vector:
    def lower(fn: FunctionLowering, imm: Any) -> None:
        push_lanes(fn, target, _half(fn, source, target, how, half))

    return lower


def _extended_multiply(source: Shape, target: Shape, how: str, half: str) -> Vector:
    def lower(fn: FunctionLowering, imm: Any) -> None:
        b = _half(fn, source, target, how, half)
        a = _half(fn, source, target, how, half)
        push_lanes(fn, target, fn.emit(f"mul {target.llvm} {a}, {b}"))

    return lower


def _pairwise(source: Shape, target: Shape, *, signed: bool) -> Vector:
    """Add neighbouring lanes, seen as the two halves of a wider lane."""
    width = splat_literal(target, str(source.bits))
    low_bits = splat_literal(target, str((1 << source.bits) - 1))

    def lower(fn: FunctionLowering, imm: Any) -> None:
        a = pop_lanes(fn, target)
        if signed:
            up = fn.emit(f"shl {target.llvm} {a}, {width}")
            even = fn.emit(f"ashr {target.llvm} {up}, {width}")
            odd = fn.emit(f"ashr {target.llvm} {a}, {width}")
        else:
            even = fn.emit(f"and {target.llvm} {a}, {low_bits}")
            odd = fn.emit(f"lshr {target.llvm} {a}, {width}")
        push_lanes(fn, target, fn.emit(f"add {target.llvm} {even}, {odd}"))

    return lower


def _dot(fn: FunctionLowering, imm: Any) -> None:
    """Sums of the products of neighbouring lanes."""
    source, target = SHAPES["i16x8"], SHAPES["i32x4"]
    wide = Shape(8, "i32")
    b, a = (fn.emit(f"sext {source.llvm} {pop_lanes(fn, source)} to {wide.llvm}") for _ in (0, 1))
    product = fn.emit(f"mul {wide.llvm} {a}, {b}")
    even = shuffle(fn, wide, product, "poison", [0, 2, 4, 6])
    odd = shuffle(fn, wide, product, "poison", [1, 3, 5, 7])
    push_lanes(fn, target, fn.emit(f"add {target.llvm} {even}, {odd}"))


def _convert(target: Shape, source: Shape, how: str) -> Vector:
    """Convert lanes of equal width."""

    def lower(fn: FunctionLowering, imm: Any) -> None:
        a = pop_lanes(fn, source)
        push_lanes(fn, target, fn.emit(f"{how} {source.llvm} {a} to {target.llvm}"))

    return lower


def _convert_low(source: Shape, how: str) -> Vector:
    """Convert the two low lanes to f64x2."""
    target = SHAPES["f64x2"]

    def lower(fn: FunctionLowering, imm: Any) -> None:
        push_lanes(fn, target, _half(fn, source, target, how, "low"))

    return lower


def _promote_low(fn: FunctionLowering, imm: Any) -> None:
    """Convert the two low lanes of f32x4; what they were is kept for a demotion."""
    source = pop_lanes(fn, SHAPES["f32x4"])
    low = shuffle(fn, SHAPES["f32x4"], source, "poison", [0, 1])
    wide = fn.emit(f"fpext <2 x float> {low} to <2 x double>")
    fn.promoted[wide] = low
    push_lanes(fn, SHAPES["f64x2"], wide)


def _truncate(sign: str) -> Vector:
    def lower(fn: FunctionLowering, imm: Any) -> None:
        a = pop_lanes(fn, SHAPES["f32x4"])
        call = f"call <4 x i32> @llvm.fpto{sign}i.sat.v4i32.v4f32(<4 x float> {a})"
        push_lanes(fn, SHAPES["i32x4"], fn.emit(call))

    return lower


def _with_zeros(fn: FunctionLowering, target: Shape, half: str) -> None:
    """Push two lanes, and two lanes of zero above them."""
    narrow = Shape(2, target.lane)
    push_lanes(fn, target, shuffle(fn, narrow, half, "zeroinitializer", [0, 1, 2, 3]))


def _truncate_zero(sign: str) -> Vector:
    def lower(fn: FunctionLowering, imm: Any) -> None:
        a = pop_lanes(fn, SHAPES["f64x2"])
        call = f"call <2 x i32> @llvm.fpto{sign}i.sat.v2i32.v2f64(<2 x double> {a})"
        _with_zeros(fn, SHAPES["i32x4"], fn.emit(call))

    return lower


def _demote_zero(fn: FunctionLowering, imm: Any) -> None:
    a = pop_lanes(fn, SHAPES["f64x2"])
    target = SHAPES["f32x4"]
    source = fn.promoted.get(a)
    if source is None:
        _with_zeros(fn, target, fn.emit(f"fptrunc <2 x double> {a} to <2 x float>"))
    else:  # LLVM would return the source itself, signaling NaNs included
        _with_zeros(fn, target, source)
        lanes = pop_lanes(fn, target)
        push_lanes(fn, target, target.call(fn, "canonicalize", f"{target.llvm} {lanes}"))


# -- The table -------------------------------------------------------------------------------


def _int_rows(name: str, shape: Shape) -> dict[str, Vector]:
    """Return what every shape of integers has."""
    rows = {
        f"{name}.neg": _negate(shape),
        f"{name}.abs": _call1(shape, "abs", ", i1 false"),
        f"{name}.add": _binary(shape, "add"),
        f"{name}.sub": _binary(shape, "sub"),
        f"{name}.mul": _binary(shape, "mul"),
        f"{name}.shl": _shift(shape, "shl"),
        f"{name}.shr_s": _shift(shape, "ashr"),
        f"{name}.shr_u": _shift(shape, "lshr"),
        f"{name}.avgr_u": _average(shape),
        f"{name}.all_true": _all_true(shape),
        f"{name}.bitmask": _bitmask(shape),
        f"{name}.extract_lane": _extract(shape, ""),
        f"{name}.extract_lane_s": _extract(shape, "sext"),
        f"{name}.extract_lane_u": _extract(shape, "zext"),
    }
    for sign in ("s", "u"):
        rows[f"{name}.add_sat_{sign}"] = _call2(shape, f"{sign}add.sat")
        rows[f"{name}.sub_sat_{sign}"] = _call2(shape, f"{sign}sub.sat")
        rows[f"{name}.min_{sign}"] = _call2(shape, f"{sign}min")
        rows[f"{name}.max_{sign}"] = _call2(shape, f"{sign}max")
    for test, condition in INT_COMPARE.items():
        rows[f"{name}.{test}"] = _compare(shape, f"icmp {condition}")
    return rows


def _float_rows(name: str, shape: Shape) -> dict[str, Vector]:
    """Return what both shapes of floats have."""
    rows = {
        f"{name}.neg": _negate(shape),
        f"{name}.abs": _call1(shape, "fabs"),
        f"{name}.sqrt": _call1(shape, "sqrt"),
        f"{name}.ceil": _call1(shape, "ceil"),
        f"{name}.floor": _call1(shape, "floor"),
        f"{name}.trunc": _call1(shape, "trunc"),
        f"{name}.nearest": _call1(shape, "roundeven"),
        f"{name}.min": _call2(shape, "minimum", quiet=True),
        f"{name}.max": _call2(shape, "maximum", quiet=True),
        f"{name}.pmin": _pseudo(shape, smaller=True),
        f"{name}.pmax": _pseudo(shape, smaller=False),
        f"{name}.extract_lane": _extract(shape, ""),
    }
    for operation in ("add", "sub", "mul", "div"):
        rows[f"{name}.{operation}"] = _float_binary(shape, f"f{operation}")
    for test, condition in FLOAT_COMPARE.items():
        rows[f"{name}.{test}"] = _compare(shape, f"fcmp {condition}")
    return rows


def _width_rows() -> dict[str, Vector]:
    """Return what goes from one width of integers to another."""
    rows: dict[str, Vector] = {}
    for (small, source), (large, target) in zip(
        INT_SHAPES.items(), list(INT_SHAPES.items())[1:], strict=False
    ):
        for sign, how in (("s", "sext"), ("u", "zext")):
            rows[f"{small}.narrow_{large}_{sign}"] = _narrow(target, source, signed=sign == "s")
            pairs = _pairwise(source, target, signed=sign == "s")
            rows[f"{large}.extadd_pairwise_{small}_{sign}"] = pairs
            for half in ("low", "high"):
                name = f"{half}_{small}_{sign}"
                rows[f"{large}.extend_{name}"] = _extend(source, target, how, half)
                rows[f"{large}.extmul_{name}"] = _extended_multiply(source, target, how, half)
    return rows


def _rows() -> dict[str, Vector]:
    """Return text -> function; some of these instructions do not exist in all shapes."""
    rows: dict[str, Vector] = {
        "v128.const": _const,
        "v128.not": _not,
        "v128.and": _binary(SHAPES["i8x16"], "and"),
        "v128.or": _binary(SHAPES["i8x16"], "or"),
        "v128.xor": _binary(SHAPES["i8x16"], "xor"),
        "v128.andnot": _and_not,
        "v128.bitselect": _bit_select,
        "v128.any_true": _any_true,
        "i8x16.shuffle": _shuffle,
        "i8x16.swizzle": _swizzle,
        "i8x16.popcnt": _call1(SHAPES["i8x16"], "ctpop"),
        "i16x8.q15mulr_sat_s": _q15_multiply,
        "i32x4.dot_i16x8_s": _dot,
        "f32x4.demote_f64x2_zero": _demote_zero,
        "f64x2.promote_low_f32x4": _promote_low,
    }
    for name, shape in SHAPES.items():
        rows |= _float_rows(name, shape) if shape.is_float else _int_rows(name, shape)
        rows[f"{name}.splat"] = _splat(shape)
        rows[f"{name}.replace_lane"] = _replace(shape)
    for sign in ("s", "u"):
        rows[f"i32x4.trunc_sat_f32x4_{sign}"] = _truncate(sign)
        rows[f"i32x4.trunc_sat_f64x2_{sign}_zero"] = _truncate_zero(sign)
        how = f"{sign}itofp"
        rows[f"f32x4.convert_i32x4_{sign}"] = _convert(SHAPES["f32x4"], SHAPES["i32x4"], how)
        rows[f"f64x2.convert_low_i32x4_{sign}"] = _convert_low(SHAPES["i32x4"], how)
    return rows | _width_rows()


VECTOR_OPS: Final[dict[Op, Vector]] = {
    BY_TEXT[text]: lower for text, lower in _rows().items() if text in BY_TEXT
} | VECTOR_MEMORY_OPS
