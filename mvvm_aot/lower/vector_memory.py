"""Loads and stores of vectors, whole or by the lane (specification: section 4.4.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from mvvm_aot.wasmparser.opcodes import BY_TEXT, Op

from . import ir
from .memory import address
from .vector_values import SHAPES, V128, Shape, pop_lanes, push_lanes, splat

if TYPE_CHECKING:
    from .function import FunctionLowering

Vector = Callable[["FunctionLowering", Any], None]

_BY_BITS: Final = {shape.bits: shape for shape in SHAPES.values() if not shape.is_float}


def _load_all(fn: FunctionLowering, imm: Any) -> None:
    fn.stack.append(fn.load(V128, imm[1]))


def _load_extended(source_bits: int, how: str) -> Vector:
    """Load 64 bits of lanes and double their width."""
    source = Shape(64 // source_bits, f"i{source_bits}")
    target = _BY_BITS[2 * source_bits]

    def lower(fn: FunctionLowering, imm: Any) -> None:
        lanes = fn.load(source.llvm, imm[1])
        push_lanes(fn, target, fn.emit(f"{how} {source.llvm} {lanes} to {target.llvm}"))

    return lower


def _load_splat(shape: Shape) -> Vector:
    def lower(fn: FunctionLowering, imm: Any) -> None:
        push_lanes(fn, shape, splat(fn, shape, fn.load(shape.lane, imm[1])))

    return lower


def _load_zero(shape: Shape) -> Vector:
    """Load the lowest lane; the others are zero."""

    def lower(fn: FunctionLowering, imm: Any) -> None:
        lane = fn.load(shape.lane, imm[1])
        new = f"insertelement {shape.llvm} zeroinitializer, {shape.lane} {lane}, i32 0"
        push_lanes(fn, shape, fn.emit(new))

    return lower


def _load_lane(shape: Shape) -> Vector:
    def lower(fn: FunctionLowering, imm: Any) -> None:
        (_, offset), lane = imm
        a = pop_lanes(fn, shape)
        value = fn.load(shape.lane, offset)
        new = f"insertelement {shape.llvm} {a}, {shape.lane} {value}, i32 {lane}"
        push_lanes(fn, shape, fn.emit(new))

    return lower


def _store_all(fn: FunctionLowering, imm: Any) -> None:
    _store(fn, V128, fn.stack.pop(), imm[1])


def _store_lane(shape: Shape) -> Vector:
    def lower(fn: FunctionLowering, imm: Any) -> None:
        (_, offset), lane = imm
        a = pop_lanes(fn, shape)
        _store(fn, shape.lane, fn.emit(f"extractelement {shape.llvm} {a}, i32 {lane}"), offset)

    return lower


def _store(fn: FunctionLowering, llvm: str, value: str, offset: int) -> None:
    pointer = address(fn, fn.stack.pop(), offset)
    fn.lines.append(f"  store {llvm} {value}, ptr {pointer}, align 1{ir.MEMORY}")


def _rows() -> dict[str, Vector]:
    rows: dict[str, Vector] = {
        "v128.load": _load_all,
        "v128.store": _store_all,
        "v128.load32_zero": _load_zero(SHAPES["i32x4"]),
        "v128.load64_zero": _load_zero(SHAPES["i64x2"]),
    }
    for bits, shape in _BY_BITS.items():
        rows[f"v128.load{bits}_splat"] = _load_splat(shape)
        rows[f"v128.load{bits}_lane"] = _load_lane(shape)
        rows[f"v128.store{bits}_lane"] = _store_lane(shape)
        if bits < 64:
            for sign, how in (("s", "sext"), ("u", "zext")):
                rows[f"v128.load{bits}x{64 // bits}_{sign}"] = _load_extended(bits, how)
    return rows


VECTOR_MEMORY_OPS: Final[dict[Op, Vector]] = {
    BY_TEXT[text]: lower for text, lower in _rows().items()
}
