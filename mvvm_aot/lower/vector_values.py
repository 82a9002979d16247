"""Shapes of vectors, and v128 values as vectors of lanes.

Specification: section 2.3.2 (vector types), section 2.4.2 (shapes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mvvm_aot.wasmparser.types import ValType

from .names import LLVM_TYPES
from .numeric import f32_literal, f64_literal

if TYPE_CHECKING:
    from .function import FunctionLowering

V128: Final = LLVM_TYPES[ValType.V128]
_FLOAT_NAMES: Final = {"float": "f32", "double": "f64"}
_BITS: Final = {"float": 32, "double": 64}


class Shape:
    """A number of lanes and their LLVM type."""

    __slots__ = ("bits", "is_float", "lane", "lanes", "llvm", "suffix")

    def __init__(self, lanes: int, lane: str) -> None:
        self.lanes = lanes
        self.lane = lane
        self.is_float = lane in _BITS
        self.bits = _BITS[lane] if self.is_float else int(lane[1:])
        self.llvm = f"<{lanes} x {lane}>"
        self.suffix = f"v{lanes}{_FLOAT_NAMES.get(lane, lane)}"  # of intrinsics

    @property
    def as_int(self) -> Shape:
        """As many lanes of integers of the same width."""
        return Shape(self.lanes, f"i{self.bits}") if self.is_float else self

    def call(self, fn: FunctionLowering, intrinsic: str, args: str) -> str:
        """Call an intrinsic whose result has this shape."""
        return fn.emit(f"call {self.llvm} @llvm.{intrinsic}.{self.suffix}({args})")


INT_SHAPES: Final = {
    "i8x16": Shape(16, "i8"),
    "i16x8": Shape(8, "i16"),
    "i32x4": Shape(4, "i32"),
    "i64x2": Shape(2, "i64"),
}
SHAPES: Final = INT_SHAPES | {"f32x4": Shape(4, "float"), "f64x2": Shape(2, "double")}


def v128_literal(bits: int) -> str:
    """Return LLVM's text for a v128 with these bits, lane 0 lowest."""
    if not bits:
        return "zeroinitializer"
    return f"<{', '.join(f'i8 {byte}' for byte in bits.to_bytes(16, 'little'))}>"


def splat_literal(shape: Shape, value: str) -> str:
    """Return LLVM's text for a vector with a literal in every lane."""
    return f"<{', '.join([f'{shape.lane} {value}'] * shape.lanes)}>"


def _lanes_literal(shape: Shape, literal: str) -> str:
    """Return a literal v128 as one of a shape."""
    if literal == "zeroinitializer":
        return literal
    data = bytes(int(item.split()[1]) for item in literal.strip("<>").split(", "))
    size = shape.bits // 8
    lanes = [int.from_bytes(data[k : k + size], "little") for k in range(0, 16, size)]
    write = {"float": f32_literal, "double": f64_literal}.get(shape.lane, str)
    return f"<{', '.join(f'{shape.lane} {write(lane)}' for lane in lanes)}>"


def literal_lanes(shape: Shape, value: str) -> list[str]:
    """Return the lanes of a literal vector of floats; none if it is computed."""
    if value[0] == "%":
        return []
    if value == "zeroinitializer":
        return [f64_literal(0)] * shape.lanes
    return [item.removeprefix(f"{shape.lane} ") for item in value.strip("<>").split(", ")]


def pop_lanes(fn: FunctionLowering, shape: Shape) -> str:
    """Pop a v128 as a vector of a shape."""
    value: str = fn.stack.pop()
    if shape.llvm == V128:
        return value
    if value[0] != "%":
        return _lanes_literal(shape, value)
    known = fn.lanes.get(value)
    if known is not None and known[0] == shape.llvm:
        return known[1]
    return fn.emit(f"bitcast {V128} {value} to {shape.llvm}")


def push_lanes(fn: FunctionLowering, shape: Shape, value: str) -> None:
    """Push a vector of a shape as a v128."""
    if shape.llvm != V128:
        lanes = (shape.llvm, value)
        value = fn.emit(f"bitcast {shape.llvm} {value} to {V128}")
        fn.lanes[value] = lanes
    fn.stack.append(value)


def shuffle(fn: FunctionLowering, shape: Shape, a: str, b: str, lanes: list[int]) -> str:
    """Choose lanes of two vectors of a shape."""
    mask = ", ".join(f"i32 {lane}" for lane in lanes)
    return fn.emit(
        f"shufflevector {shape.llvm} {a}, {shape.llvm} {b}, <{len(lanes)} x i32> <{mask}>"
    )


def splat(fn: FunctionLowering, shape: Shape, value: str) -> str:
    """Return a vector with a value in every lane."""
    if value[0] != "%":
        return splat_literal(shape, value)
    first = fn.emit(f"insertelement {shape.llvm} poison, {shape.lane} {value}, i32 0")
    return shuffle(fn, shape, first, "poison", [0] * shape.lanes)
