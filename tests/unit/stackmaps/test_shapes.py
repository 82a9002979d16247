"""Effects by an instruction's shape are those that it has by itself: random encodings."""

from __future__ import annotations

import random

import pytest

from stackmaps.isa import aarch64_effects, aarch64_shapes
from stackmaps.isa.effects import Flow
from stackmaps.isa.x86_64_effects import MACHINE as X86
from stackmaps.isa.x86_64_effects import decode_alone
from stackmaps.isa.x86_64_shapes import shape

_ONE_BYTE = (
    *(*range(4), 0x21, 0x2B, 0x39, 0x63, 0x69, 0x6B, 0x80, 0x81, 0x83, 0x84, 0x85, 0x88, 0x89),
    *(0x89, 0x8A, 0x8B, 0x8B, 0x8B, 0x8D, 0xB8, 0xBD, 0xBF, 0xC1, 0xC6, 0xC7, 0x50),
)
_GENERAL_TWO_BYTE = (0x40, 0x4F, 0xAF, 0xB6, 0xB7, 0xBE, 0xBF, 0x94)
_VECTOR_TWO_BYTE = (
    *(0x10, 0x11, 0x28, 0x29, 0x2E, 0x51, 0x54, 0x57, 0x58, 0x5A, 0x6E, 0x6F, 0x7E, 0x7F),
    *(0xD6, 0xEF),
)


def _x86(rng: random.Random) -> bytes:
    """Return an instruction with some of what may stand behind it."""
    rex = rng.choice([b"", *(bytes([byte]) for byte in range(0x40, 0x50))])
    rest = bytes(rng.choice((rng.randrange(256), 0x24, 0x45)) for _ in range(15))
    kind = rng.randrange(3)
    if kind == 0:
        return rng.choice([b"", b"", b"\x66"]) + rex + bytes([rng.choice(_ONE_BYTE)]) + rest
    if kind == 1:
        opcode = bytes([0x0F, rng.choice(_GENERAL_TWO_BYTE)])
        return rng.choice([b"", b"", b"\x66"]) + rex + opcode + rest
    opcode = bytes([0x0F, rng.choice(_VECTOR_TWO_BYTE)])
    return rng.choice([b"\x66", b"\xf2", b"\xf3"]) + rex + opcode + rest


def test_x86_effects_by_shape_are_those_of_the_instruction_itself() -> None:
    rng = random.Random(7)
    shaped = on_the_stack = 0
    for _ in range(6000):
        code = _x86(rng)
        alone = decode_alone(code, 0)
        assert X86.decode(code, 0) == alone, X86.text(code, 0)
        found = shape(code, 0)
        if found is not None and not alone.unknown:
            shaped += 1
            on_the_stack += bool(alone.stack)
    assert shaped > 3000 and on_the_stack > 300


@pytest.mark.parametrize(
    ("code", "flow", "target"),
    [
        ("7410", Flow.BRANCH, 0x12),  # je
        ("eb80", Flow.JUMP, 2 - 0x80),  # jmp
        ("0f8c10000000", Flow.BRANCH, 0x16),  # jl
        ("e9f0ffffff", Flow.JUMP, 5 - 0x10),  # jmp
        ("e800000000", Flow.CALL, 5),  # call
    ],
)
def test_x86_direct_jumps(code: str, flow: Flow, target: int) -> None:
    data = bytes.fromhex(code)
    effects = X86.decode(data, 0)
    assert (effects.flow, effects.target, effects.size) == (flow, target, len(data))
    assert effects == decode_alone(data, 0)


@pytest.mark.parametrize(
    "code",
    [
        "8b",  # mov eax, ..., cut off
        "8b8010",
        "48b8",
        "4889e0",  # mov rax, rsp
        "4883ec10",  # sub rsp, 16
        "488d4510",  # lea rax, [rbp + 16]
        "8b042c",  # mov eax, [rsp + rbp]
        "c1e003",  # shl eax, 3
        "48892c24",  # mov [rsp], rbp
    ],
)
def test_x86_instructions_without_a_shape(code: str) -> None:
    assert shape(b"\x90" + bytes.fromhex(code), 1) is None


# Instructions whose numbers are zero: jumps, moves, additions, loads and stores of all widths.
_WORDS = (
    *(0x14000000, 0x94000000, 0x54000000, 0x34000000, 0xB5000000, 0x36000000, 0xB7000000),
    *(0x52800000, 0xD2800000, 0xF2A00000, 0x92800000, 0x11000000, 0xB1400000, 0xD1000000),
    *(0x39000000, 0x79400000, 0xB9400000, 0xF9400000, 0xB9800000, 0x3D800000, 0x3DC00000),
    *(0xFD400000, 0xBD000000, 0xF8400000, 0xB8000000, 0x3C800000, 0x38C00000, 0x29000000),
    *(0x29400000, 0xA9000000, 0xA9400000, 0xAD000000, 0x6D400000, 0x2D000000, 0x69400000),
)


def _arm(rng: random.Random) -> int:
    """Return an instruction's word, often one with a pointer for its base and none for its data."""
    head = rng.choice(_WORDS)
    word = head | rng.getrandbits(26 if head & 0x7C000000 == 0x14000000 else 22)
    if rng.random() < 0.5:
        word = word & ~(31 << 5) | rng.choice((29, 31)) << 5
    if rng.random() < 0.5:
        word = word & ~31 | rng.randrange(29)
    return word


def test_arm_effects_by_shape_are_those_of_the_instruction_itself() -> None:
    rng = random.Random(7)
    decode = aarch64_shapes.Decoder(aarch64_effects.decode_alone).decode
    shaped = on_the_stack = 0
    for _ in range(6000):
        word = _arm(rng)
        code = word.to_bytes(4, "little")
        alone = aarch64_effects.decode_alone(code, 0)
        assert decode(code, 0) == alone, aarch64_effects.text(code, 0)
        if aarch64_shapes.shape(word) is not None and not alone.unknown:
            shaped += 1
            on_the_stack += bool(alone.stack)
    assert shaped > 3000 and on_the_stack > 1000


@pytest.mark.parametrize(
    "word",
    [
        0x910043FD,  # add x29, sp, #16
        0xD10083FF,  # sub sp, sp, #32
        0xF90003FE,  # str x30, [sp]
        0xA9017BFD,  # stp x29, x30, [sp, #16]
        0xA9BF4FF4,  # stp x20, x19, [sp, #-16]!
        0xF8010FF3,  # str x19, [sp, #16]!
        0xF8410400,  # ldr x0, [x0], #16
        0x910003E0,  # mov x0, sp
    ],
)
def test_arm_instructions_without_a_shape(word: int) -> None:
    assert aarch64_shapes.shape(word) is None
