"""Hostile input: time and memory stay linear, and what is refused is refused clearly."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from mvvm_aot.errors import MalformedModule, UnsupportedFeature
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.validate import ValidatedModule, validate_module

from . import builder as b

DEEP = 100_000


@pytest.fixture(autouse=True)
def within_reason() -> Iterator[None]:
    """Fail a test that takes far longer than it should, even on a busy machine."""
    start = time.process_time()
    yield
    assert time.process_time() - start < 30


def validate_instrs(instrs: bytes, *more_types: bytes) -> ValidatedModule:
    return validate_module(b.decode_func(instrs, more_types=more_types))


@pytest.mark.parametrize("opener", [b.BLOCK, b.LOOP, b.I32_CONST + b"\x00" + b.IF])
def test_deep_nesting(opener: bytes) -> None:
    module = validate_instrs((opener + b.EMPTY) * DEEP + b.END * DEEP)
    assert len(module.functions[0].end_of) == DEEP


def test_deep_nesting_with_calls_at_every_depth() -> None:
    module = validate_instrs((b.BLOCK + b.EMPTY + b.CALL + b"\0") * DEEP + b.END * DEEP)
    assert len(module.functions[0].stack_at) == DEEP


def test_deep_nesting_in_dead_code() -> None:
    module = validate_instrs(b.UNREACHABLE + (b.BLOCK + b.EMPTY) * DEEP + b.END * DEEP)
    assert sum(module.functions[0].unreachable) == 2 * DEEP


def test_deep_nesting_without_ends() -> None:
    with pytest.raises(MalformedModule, match="unexpected end"):
        b.decode_func((b.BLOCK + b.EMPTY) * DEEP)


def test_deep_operand_stack() -> None:
    validate_instrs((b.I32_CONST + b"\0") * DEEP + b.DROP * DEEP)


def test_operand_stacks_that_would_take_gigabytes_to_record() -> None:
    pushes_and_calls = (b.I32_CONST + b"\0" + b.CALL + b"\0") * DEEP
    module = b.decode_func(pushes_and_calls + b.DROP * DEEP)
    with pytest.raises(UnsupportedFeature, match="operand stacks this deep") as caught:
        validate_module(module)
    assert caught.value.func_index == 0
    (place,) = (i for i in module.functions[0].instrs if i[0] == caught.value.offset)
    assert place[1].text == "call"


@pytest.mark.parametrize("first", [b.NOP, b.UNREACHABLE])
def test_blocks_that_push_a_thousand_values_each(first: bytes) -> None:
    many = b.func_type(b"", b.I32 * 1000)
    with pytest.raises(UnsupportedFeature, match="operand stacks this deep"):
        validate_instrs(
            first + (b.BLOCK + b"\x01" + b.UNREACHABLE + b.END) * DEEP + b.UNREACHABLE, many
        )


def test_dead_blocks_that_pop_a_thousand_values_each() -> None:
    many = b.func_type(b.I32 * 1000)
    validate_instrs(b.UNREACHABLE + (b.BLOCK + b"\x01" + b.UNREACHABLE + b.END) * 10_000, many)


def test_long_br_table() -> None:
    validate_instrs(b.I32_CONST + b"\0\x0e" + b.vec(*[b"\x00"] * DEEP * 5) + b"\x00")
    validate_instrs(b.I32_CONST + b"\0\x0e" + b.vec(*[b"\x80\x00"] * DEEP) + b"\x00")


def test_functions_that_share_many_locals() -> None:
    validate_module(decode_module(functions_with_locals([50_000] * 2_000)))


def test_functions_with_too_many_different_locals() -> None:
    data = functions_with_locals([50_000 - index for index in range(2_000)])
    module = decode_module(data)
    with pytest.raises(UnsupportedFeature, match="more than 10000000 locals") as caught:
        validate_module(module)
    (function,) = (f for f in module.functions if f.func_index == caught.value.func_index)
    assert caught.value.offset == function.offset


def functions_with_locals(counts: list[int]) -> bytes:
    """Encode functions of a few bytes that declare this many locals each."""
    return b.func_module(
        b"",
        sections={
            b.FUNCTION: b.vec(*[b"\x00"] * len(counts)),
            b.CODE: b.vec(*(b.body(b"", b.u32(count) + b.I32) for count in counts)),
        },
    )


@pytest.mark.parametrize("section_id", [1, 2, 3, 4, 5, 6, 7, 9, 10, 11])
def test_counts_that_nothing_follows(section_id: int) -> None:
    data = b.HEADER + b.section(section_id, b.u32(2**32 - 1) + bytes(100))
    with pytest.raises(MalformedModule, match="unexpected end") as caught:
        decode_module(data)
    assert caught.value.offset == 10


@pytest.mark.parametrize(
    "junk",
    [bytes(5_000_000), b"\xff" * 5_000_000, b"\x01" * 5_000_000],
    ids=["zeros", "ones", "sections"],
)
def test_megabytes_of_junk_are_refused_at_once(junk: bytes) -> None:
    start = time.process_time()
    for data in (junk, b.HEADER + junk):
        with pytest.raises(MalformedModule):
            decode_module(data)
    assert time.process_time() - start < 1
