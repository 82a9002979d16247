"""Literals of test scripts as bit patterns, and the comparison of results with expectations.

A value is (valtype, bits): i32/f32 32 bits, i64/f64 64, v128 128 (lane 0 lowest), a funcref or
externref its number, `NULL_REF` for null. Floats are rounded exactly, by rational arithmetic.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final

from .sexpr import Node, ScriptError

NULL_REF: Final = (1 << 64) - 1  # written `null` in the harness's lines
ANY_REF: Final = -1  # (ref.func) and (ref.extern) without a number: anything but null

CANONICAL_NAN: Final = "nan:canonical"
ARITHMETIC_NAN: Final = "nan:arithmetic"

# Significand bits without the hidden one, exponent bits.
_FORMATS: Final = {"f32": (23, 8), "f64": (52, 11)}
_BITS: Final = {"i8": 8, "i16": 16, "i32": 32, "i64": 64, "f32": 32, "f64": 64}
_SHAPES: Final = {
    "i8x16": ("i8", 16),
    "i16x8": ("i16", 8),
    "i32x4": ("i32", 4),
    "i64x2": ("i64", 2),
    "f32x4": ("f32", 4),
    "f64x2": ("f64", 2),
}
_NUMBER: Final = re.compile(
    r"(?P<hex>0x)?(?P<whole>[0-9a-fA-F]+)(?:\.(?P<part>[0-9a-fA-F]*))?(?:[eEpP](?P<exp>[+-]?\d+))?"
)


@dataclass(frozen=True, slots=True)
class Value:
    """An argument."""

    valtype: str
    bits: int


@dataclass(frozen=True, slots=True)
class Expected:
    """What a result must be: one lane for scalars, or the lanes of a v128.

    A lane is its bits, or CANONICAL_NAN or ARITHMETIC_NAN for a lane of `lane_bits` 32 or 64.
    """

    valtype: str
    lane_bits: int
    lanes: tuple[int | str, ...]

    def accepts(self, valtype: str, bits: int) -> bool:
        """Return whether the value is what the script expects."""
        if valtype != self.valtype:
            return False
        if valtype in ("funcref", "externref"):
            lane = self.lanes[0]
            return bits != NULL_REF if lane == ANY_REF else bits == lane
        mask = (1 << self.lane_bits) - 1
        return all(
            _accepts_lane(lane, bits >> self.lane_bits * i & mask, self.lane_bits)
            for i, lane in enumerate(self.lanes)
        )

    def __str__(self) -> str:
        width = self.lane_bits // 4
        lanes = (f"{lane:#0{width + 2}x}" if isinstance(lane, int) else lane for lane in self.lanes)
        return f"{self.valtype} " + " ".join(lanes)


def _accepts_lane(lane: int | str, bits: int, lane_bits: int) -> bool:
    if isinstance(lane, int):
        return bits == lane
    fraction_bits, _ = _FORMATS[f"f{lane_bits}"]
    magnitude = bits & ((1 << (lane_bits - 1)) - 1)
    canonical = (1 << (lane_bits - 1)) - (1 << (fraction_bits - 1))
    if lane == CANONICAL_NAN:
        return magnitude == canonical
    return magnitude & canonical == canonical


def parse_int(text: str, bits: int) -> int:
    """Return the literal as `bits` bits in two's complement."""
    value = int(text.replace("_", ""), 0 if "0x" in text.lower() else 10)
    if not -(1 << (bits - 1)) <= value < 1 << bits:
        raise ScriptError(f"integer {text} does not fit {bits} bits")
    return value & ((1 << bits) - 1)


def _round_half_even(value: Fraction) -> int:
    return round(value)


def _pack(magnitude: Fraction, valtype: str) -> int:
    """Return the bits of the non-negative number, rounded to nearest, ties to even."""
    fraction_bits, exponent_bits = _FORMATS[valtype]
    bias = (1 << (exponent_bits - 1)) - 1
    if magnitude == 0:
        return 0
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    if Fraction(2) ** exponent > magnitude:
        exponent -= 1
    exponent = max(exponent, 1 - bias)
    significand = _round_half_even(magnitude / Fraction(2) ** (exponent - fraction_bits))
    # A carry out of the significand raises the exponent by itself; subnormals lack the hidden bit.
    packed = significand + ((exponent + bias - 1) << fraction_bits)
    return min(packed, ((1 << exponent_bits) - 1) << fraction_bits)


@lru_cache(maxsize=1 << 16)
def parse_float(text: str, valtype: str) -> int | str:
    """Return the bits of a float literal, or the NaN pattern that it names."""
    fraction_bits, exponent_bits = _FORMATS[valtype]
    if text in (CANONICAL_NAN, ARITHMETIC_NAN):
        return text
    negative, text = text.startswith("-"), text.lstrip("+-").replace("_", "")
    sign = int(negative) << (fraction_bits + exponent_bits)
    infinity = ((1 << exponent_bits) - 1) << fraction_bits
    if text == "inf":
        return sign | infinity
    if text == "nan":
        return sign | infinity | 1 << (fraction_bits - 1)
    if text.startswith("nan:"):
        return sign | infinity | int(text[4:], 16)
    match = _NUMBER.fullmatch(text) if text.startswith("0x") else None
    if match is None:
        decimal = text.lower().replace(".e", "e").rstrip(".")
        return sign | _pack(Fraction(decimal), valtype)
    part = match["part"] or ""
    scale = int(match["exp"] or 0) - 4 * len(part)
    return sign | _pack(int(match["whole"] + part, 16) * Fraction(2) ** scale, valtype)


def _parse_lane(text: str, lane_type: str) -> int | str:
    if lane_type in _FORMATS:
        return parse_float(text, lane_type)
    return parse_int(text, _BITS[lane_type])


def _parse_reference(node: Node) -> Expected:
    operand = node[1] if len(node) > 1 else None
    if node.head == "ref.null":
        return Expected("funcref" if operand == "func" else "externref", 64, (NULL_REF,))
    valtype = {"ref.func": "funcref", "ref.extern": "externref"}[node.head]
    return Expected(valtype, 64, (ANY_REF if operand is None else int(str(operand), 0),))


def parse_expected(node: Node) -> Expected:
    """Return what `(i32.const 1)`, `(ref.null func)`, `(v128.const i8x16 ...)` ... expects."""
    valtype, _, operator = node.head.partition(".")
    if valtype == "ref" and node.head in ("ref.null", "ref.func", "ref.extern"):
        return _parse_reference(node)
    operands = [item for item in node[1:] if isinstance(item, str)]
    if operator != "const" or len(operands) != len(node) - 1:
        raise ScriptError(f"line {node.line}: no constant: ({node.head} ...)")
    if valtype == "v128":
        lane_type, count = _SHAPES[operands[0]]
        lanes = tuple(_parse_lane(text, lane_type) for text in operands[1:])
        if len(lanes) != count:
            raise ScriptError(f"line {node.line}: {operands[0]} with {len(lanes)} lanes")
        return Expected("v128", _BITS[lane_type], lanes)
    return Expected(valtype, _BITS[valtype], (_parse_lane(operands[0], valtype),))


def parse_value(node: Node) -> Value:
    """Return a constant that is used as an argument."""
    expected = parse_expected(node)
    bits = 0
    for i, lane in enumerate(expected.lanes):
        if not isinstance(lane, int) or lane == ANY_REF:
            raise ScriptError(f"line {node.line}: {expected} as an argument")
        bits |= lane << expected.lane_bits * i
    return Value(expected.valtype, bits)
