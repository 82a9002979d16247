"""flow.py and liveness.py: what is alive at the start of a few instructions."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import pytest

from stackmaps.flow import CallEffect, FlowInput, FunctionFlow, follow
from stackmaps.isa import aarch64_effects
from stackmaps.isa.effects import Effects
from stackmaps.liveness import live_in

ARM = aarch64_effects.MACHINE

DOWN, UP, RETURN = 0xD100C3FF, 0x9100C3FF, 0xD65F03C0  # sub sp, sp, #48; add sp, sp, #48; ret
PLACE = 0x910043E8  # add x8, sp, #16
STORE = 0x4C00AD01  # st1 {v1.2d, v2.2d}, [x8]
LOAD = 0x4C40AD03  # ld1 {v3.2d, v4.2d}, [x8]
FIRST, SECOND = 0x4EA31C60, 0x4EA41C80  # mov v0.16b, v3.16b; mov v0.16b, v4.16b
UPPER_SLOT = 0x3DC00BE0  # ldr q0, [sp, #32]


def followed(words: list[int], result: int) -> FunctionFlow:
    """Follow AArch64 code that calls nothing; ``result``: the units that its return reads."""
    code = struct.pack(f"<{len(words)}I", *words)

    def decoded(begin: int, end: int) -> Mapping[int, Effects]:
        return {at: ARM.decode(code, at) for at in range(begin, end, 4)}

    def text(at: int) -> str:
        return f"{words[at // 4]:#x} at {at}"

    def call(at: int, effects: Effects) -> CallEffect:
        raise AssertionError(text(at))

    return follow(
        FlowInput(
            begin=0,
            end=len(code),
            machine=ARM,
            decoded=decoded,
            text=text,
            points=(),
            homes=(0, 0),
            result_units=result,
            call_effect=call,
            tail_call=lambda at, effects: 0,
        )
    )


def test_a_tail_call_hands_the_return_address_on() -> None:
    """Kept in a register of the callee's choice over a point, it would be lost."""
    alive = live_in(followed([0xD61F0200], 0))[0]  # br x16
    assert {name for name in ARM.names(alive)} == {"x16", "x30"}


def alive_at_entry(words: list[int], result: int) -> dict[str, int]:
    """Return the units of vector registers alive at the start, from the register's first on."""
    flow = followed(words, result)
    assert not flow.issues
    alive = live_in(flow)[0]
    found = {}
    for name in ARM.names(alive & ((1 << ARM.units) - 1)):
        first = list(ARM.unit_names).index(name)
        found[name] = (alive & ARM.span(first)) >> first
    return {name: units for name, units in found.items() if name.startswith("v")}


@pytest.mark.parametrize("size", [0b001, 0b011, 0b111])
@pytest.mark.parametrize(("used", "name"), [(FIRST, "v1"), (SECOND, "v2")])
def test_two_vectors_that_are_spilled_at_once_are_each_needed_for_themselves(
    used: int, name: str, size: int
) -> None:
    """What nobody looks at behind the reload need not have been anything."""
    lowest = ARM.float_result & -ARM.float_result
    words = [DOWN, PLACE, STORE, PLACE, LOAD, used, UP, RETURN]
    assert alive_at_entry(words, lowest * size) == {name: size}


def test_a_spilled_vector_may_be_reloaded_alone() -> None:
    """The second one stands 16 bytes above the first."""
    words = [DOWN, PLACE, STORE, UPPER_SLOT, UP, RETURN]
    assert alive_at_entry(words, ARM.float_result) == {"v2": 0b111}


def test_a_spill_slot_that_was_not_stored_is_read() -> None:
    flow = followed([DOWN, PLACE, LOAD, SECOND, UP, RETURN], ARM.float_result)
    slot = live_in(flow)[0] >> ARM.units
    assert slot == (1 << 16) - 1  # CFA-16 to CFA-1: the upper half of sp + 16 to sp + 47
