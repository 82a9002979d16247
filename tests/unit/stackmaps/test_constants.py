"""Instructions that make constants: machine code -> what a register holds."""

from __future__ import annotations

import pytest

from stackmaps.isa.aarch64_constants import constant_actions
from stackmaps.isa.effects import SetRegister


@pytest.mark.parametrize(
    "word, text, element",
    [
        (0x4F0107E0, "movi v0.4s, #63", 63),
        (0x4F0127E0, "movi v0.4s, #63, lsl #8", 63 << 8),
        (0x4F01C7E0, "movi v0.4s, #63, msl #8", 63 << 8 | 0xFF),
        (0x4F01D7E0, "movi v0.4s, #63, msl #16", 63 << 16 | 0xFFFF),
        (0x6F01D7E0, "mvni v0.4s, #63, msl #16", ~(63 << 16 | 0xFFFF) & 0xFFFFFFFF),
        (0x6F0127E0, "mvni v0.4s, #63, lsl #8", ~(63 << 8) & 0xFFFFFFFF),
    ],
)
def test_arm_vector_immediates(word: int, text: str, element: int) -> None:
    (action,) = constant_actions(word.to_bytes(4, "little"))
    assert isinstance(action, SetRegister), text
    assert action.data == element.to_bytes(4, "little") * 4, text
