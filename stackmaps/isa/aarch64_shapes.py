"""AArch64: the shape of an instruction, its word without immediate, offset and jump distance.

As ``x86_64_shapes``: one instruction of each shape is taken apart with capstone, and the numbers
are added here. Instructions that have the stack or frame pointer as anything but the base of an
address have no shape, nor have those that save the return address. Arm's manual, section C4.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from stackmaps.isa.effects import CANNOT_DECODE, Effects


class Shape(NamedTuple):
    """An instruction's word with zeros for its number; the number: a distance or an offset.

    ``scaled``: the offset counts in units of one transferred register.
    """

    plain: int
    number: int
    scaled: bool = False


class Decoder:
    """Returns the effects of instructions, ``alone`` being what does so for a single one."""

    def __init__(self, alone: Callable[[bytes, int], Effects]) -> None:
        self.alone = alone
        self.known: dict[bytes, Effects] = {}
        self.shapes: dict[int, Effects] = {}

    def decode(self, code: bytes, pos: int) -> Effects:
        """Return the effects of the instruction at ``pos``; jump targets are relative to it."""
        word = code[pos : pos + 4]
        effects = self.known.get(word)
        if effects is None:
            effects = self.of_shape(word) or self.alone(word, 0)
            if effects.unknown != CANNOT_DECODE:
                self.known[word] = effects
        return effects

    def of_shape(self, code: bytes) -> Effects | None:
        """Return the effects of an instruction by those of another one of its shape."""
        found = shape(int.from_bytes(code, "little")) if len(code) == 4 else None
        if found is None:
            return None
        effects = self.shapes.get(found.plain)
        if effects is None:
            effects = self.alone(found.plain.to_bytes(4, "little"), 0)
            self.shapes[found.plain] = effects
        if effects.unknown:
            return None
        if effects.target is not None:
            return replace(effects, target=found.number)
        if not effects.stack:
            return effects
        (access,) = effects.stack
        width = access.size // (2 if found.plain & _PAIR_MASK == _PAIR else 1)
        disp = found.number * (width if found.scaled else 1)
        return replace(effects, stack=(replace(access, disp=disp),))


_PAIR_MASK: Final = 0x3B80_0000
_PAIR: Final = 0x2900_0000  # ldp, stp with a signed offset
_POINTERS: Final = (29, 30, 31)  # frame pointer, return address, stack pointer or zero


def shape(word: int) -> Shape | None:
    """Return an instruction's shape, None where it has none."""
    if word & 0x7C00_0000 == 0x1400_0000:  # b, bl
        return _numbered(word, 0, 26, 4)
    if word & 0xFF00_0010 == 0x5400_0000 or word & 0x7E00_0000 == 0x3400_0000:  # b.cond, cbz, cbnz
        return _numbered(word, 5, 19, 4)
    if word & 0x7E00_0000 == 0x3600_0000:  # tbz, tbnz: which bit they test does not matter
        return _numbered(word & ~(0x1F << 19), 5, 14, 4)
    if word & 31 in _POINTERS:
        return None
    if word & 0x1F80_0000 == 0x1280_0000:  # movn, movz, movk
        return _numbered(word, 5, 16, 1)
    if word & 0x1F80_0000 == 0x1100_0000:  # add, sub with an immediate
        return None if word >> 5 & 31 in _POINTERS else _numbered(word, 10, 12, 1)
    if word & 0x3B00_0000 == 0x3900_0000:  # ldr, str with an unsigned offset
        plain = word & ~(0xFFF << 10)
        return Shape(plain, word >> 10 & 0xFFF, scaled=True)
    if word & 0x3B20_0C00 == 0x3800_0000:  # ldur, stur
        return _numbered(word, 12, 9, 1)
    if word & _PAIR_MASK == _PAIR and word >> 10 & 31 not in _POINTERS:
        return _numbered(word, 15, 7, 1)._replace(scaled=True)
    return None


def _numbered(word: int, at: int, bits: int, scale: int) -> Shape:
    """Return the shape of a word with a signed number of some bits."""
    number = word >> at & (1 << bits) - 1
    signed = number - ((number >> bits - 1) << bits)
    return Shape(word & ~(((1 << bits) - 1) << at), signed * scale)
