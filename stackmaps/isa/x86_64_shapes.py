"""x86-64: the shape of an instruction, its bytes without displacement, immediate and jump distance.

Of the instructions that code consists of, most differ from others only in such numbers, and their
effects do not, save for the place in the stack. So only one of each shape is taken apart with
capstone, and the numbers are added here. What is not known here for certain to be of that
kind has no shape: other opcodes, and instructions that have the stack or frame pointer as anything
but the base of an address. Intel's manual, volume 2, section 2.1 and appendix A.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from stackmaps.isa.effects import CANNOT_DECODE, Effects, Flow

_LENGTHS: Final = (3, 4, 5, 2, 7, 8, 6, 1, 9, 10, 11, 12, 13, 14, 15)
_DIRECT: Final = {0xE8: (5, Flow.CALL), 0xE9: (5, Flow.JUMP), 0xEB: (2, Flow.JUMP)}


class Decoder:
    """Returns the effects of instructions, ``alone`` being what does so for a single one.

    ``flags``: the units that a conditional jump reads.
    """

    def __init__(self, alone: Callable[[bytes, int], Effects], flags: int) -> None:
        self.alone = alone
        self.flags = flags
        self.known: dict[bytes, Effects] = {}
        self.shapes: dict[bytes, Effects] = {}

    def decode(self, code: bytes, pos: int) -> Effects:
        """Return the effects of the instruction at ``pos``; jump targets are relative to it.

        No encoding is a prefix of another one, so what is known can be asked with every length.
        """
        known = self.known
        for size in _LENGTHS:
            effects = known.get(code[pos : pos + size])
            if effects is not None and pos + size <= len(code):
                return effects
        effects = self.jump(code, pos) or self.of_shape(code, pos) or self.alone(code, pos)
        if effects.unknown != CANNOT_DECODE:
            known[code[pos : pos + effects.size]] = effects
        return effects

    def jump(self, code: bytes, pos: int) -> Effects | None:
        """Return a direct jump's or call's effects, None for any other instruction."""
        opcode = code[pos]
        if opcode & 0xF0 == 0x70:
            size, flow = 2, Flow.BRANCH
        elif opcode == 0x0F and code[pos + 1 : pos + 2] and code[pos + 1] & 0xF0 == 0x80:
            size, flow = 6, Flow.BRANCH
        elif opcode in _DIRECT:
            size, flow = _DIRECT[opcode]
        else:
            return None
        if pos + size > len(code):
            return None
        distance = code[pos + (2 if size == 6 else 1) : pos + size]
        target = size + int.from_bytes(distance, "little", signed=True)
        use = self.flags if flow is Flow.BRANCH else 0
        return Effects(size, use=use, flow=flow, target=target)

    def of_shape(self, code: bytes, pos: int) -> Effects | None:
        """Return the effects of an instruction by those of another one of its shape."""
        found = shape(code, pos)
        if found is None:
            return None
        size, plain, disp = found
        effects = self.shapes.get(plain)
        if effects is None:
            effects = self.shapes[plain] = self.alone(plain, 0)
        if effects.unknown or effects.size != size:
            return None
        if not effects.stack:
            return effects
        (access,) = effects.stack
        return replace(effects, stack=(replace(access, disp=disp),))


class Shape(NamedTuple):
    """An instruction's size, the same with zeros for its numbers, and the displacement."""

    size: int
    plain: bytes
    disp: int


# What stands in the ModR/M byte's field "reg" besides a register, and how large the immediate is.
_REGISTER, _EXTENSION = 0, 1
_BYTE, _WORD = 1, 4  # bytes; a word is two with the prefix 0x66

# opcode -> (meaning of "reg", bytes of the immediate)
_ONE_BYTE: Final[dict[int, tuple[int, int]]] = {
    # add, or, adc, sbb, and, sub, xor, cmp: from and to registers
    **{base + n: (_REGISTER, 0) for base in range(0x00, 0x40, 8) for n in range(4)},
    # movsxd, test, mov
    **dict.fromkeys((0x63, 0x84, 0x85, 0x88, 0x89, 0x8A, 0x8B), (_REGISTER, 0)),
    0x69: (_REGISTER, _WORD),  # imul
    0x6B: (_REGISTER, _BYTE),
    0x80: (_EXTENSION, _BYTE),  # add to cmp with an immediate
    0x81: (_EXTENSION, _WORD),
    0x83: (_EXTENSION, _BYTE),
    0xC6: (_EXTENSION, _BYTE),  # mov
    0xC7: (_EXTENSION, _WORD),
}
# opcodes behind 0x0F, which have no immediate
_TWO_BYTE: Final = frozenset(
    {
        *(0x10, 0x11, 0x28, 0x29, 0x2E, 0x51, 0x54, 0x57, 0x6E, 0x6F, 0x7E, 0x7F, 0xAF, 0xD6, 0xEF),
        *(0xB6, 0xB7, 0xBE, 0xBF),  # movzx, movsx
        *(0x58, 0x59, 0x5A, 0x5C, 0x5E),  # add, multiply, convert, subtract, divide floats
        *range(0x40, 0x50),  # cmov
    }
)
_MOVE: Final = 0xB8  # and a register: mov with an immediate, of 8 bytes with REX.W
_MANDATORY: Final = (0xF2, 0xF3)  # prefixes that belong to an opcode behind 0x0F
_POINTERS: Final = (4, 5)  # the stack and the frame pointer


def shape(code: bytes, pos: int) -> Shape | None:
    """Return the shape of the instruction at ``pos``, None where it has none."""
    try:
        return _shape(code, pos)
    except IndexError:  # the code ends before the instruction does
        return None


def _shape(code: bytes, pos: int) -> Shape | None:
    at = pos
    opcode = code[at]
    prefix = rex = 0
    if opcode == 0x66 or opcode in _MANDATORY:
        prefix, at = opcode, at + 1
        opcode = code[at]
    if opcode & 0xF0 == 0x40:
        rex, at = opcode, at + 1
        opcode = code[at]
    if opcode == 0x0F:
        at += 1
        if code[at] not in _TWO_BYTE:
            return None
        kind, immediate = _REGISTER, 0
    elif prefix in _MANDATORY:
        return None
    elif opcode & 0xF8 == _MOVE:
        if prefix or (not rex & 1 and opcode & 7 in _POINTERS):
            return None
        return _zeroed(code, pos, at + 1, 0, 8 if rex & 8 else 4, 0)
    elif opcode in _ONE_BYTE:
        kind, immediate = _ONE_BYTE[opcode]
    else:
        return None
    if immediate == _WORD and prefix:
        immediate = 2
    at += 1
    modrm = code[at]
    if kind == _REGISTER and not rex & 4 and modrm >> 3 & 7 in _POINTERS:
        return None
    return _operand(code, pos, at + 1, modrm, rex, immediate)


def _operand(code: bytes, pos: int, at: int, modrm: int, rex: int, immediate: int) -> Shape | None:
    """Return the shape of an instruction whose operand's ModR/M byte stands before ``at``."""
    mode, register = modrm >> 6, modrm & 7
    if mode == 3:
        if not rex & 1 and register in _POINTERS:
            return None
        return _zeroed(code, pos, at, 0, immediate, 0)
    size = (0, 1, 4)[mode]
    if register == 4:  # a base and an index follow
        sib = code[at]
        at += 1
        if not rex & 2 and sib >> 3 & 7 == 5:  # the frame pointer is the index
            return None
        if mode == 0 and sib & 7 == 5:
            size = 4
    elif register == 5 and mode == 0:  # relative to the next instruction
        size = 4
    disp = int.from_bytes(code[at : at + size], "little", signed=True)
    return _zeroed(code, pos, at, size, immediate, disp)


def _zeroed(code: bytes, pos: int, at: int, size: int, immediate: int, disp: int) -> Shape | None:
    """Return the shape of an instruction whose numbers, of two sizes, start at ``at``."""
    end = at + size + immediate
    if end > len(code):
        return None
    return Shape(end - pos, code[pos:at] + bytes(end - at), disp)
