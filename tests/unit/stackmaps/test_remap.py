"""Lift and materialise: frames of every shape, on both ISAs, back and forth."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackmaps.errors import StackMapError
from stackmaps.frames import (
    F32,
    F64,
    FUNCREF,
    I32,
    I64,
    NULL_REFERENCE,
    V128,
    VALUE_SIZES,
    Fill,
    Value,
    WasmFrame,
)
from stackmaps.remap import StackImage, lift, materialize, walk
from stackmaps.table import FrameTable, frame_table

from .builders import ISAS, THUNK, Site, chain_function, object_of

TEXT, TOP, END, THUNK_ID = 0x40_0000, 0x7FFF_0000_0000, 0x1234, 0x8000_0000
SITES = (
    Site(1, 0x10, [I32, I64, F32], [F64]),
    Site(2, 0x20, [], [V128, I32, V128]),
    Site(3, 0x30, [F64] * 40, [I64] * 5),
    Site(4, 0x40, [], []),
)
BY_ID = {site.func_id: site for site in SITES}


@cache
def table_of(isa: str) -> FrameTable:
    ir = THUNK + "".join(chain_function(site) for site in SITES)
    layouts = {(site.func_id, site.offset): site.layout() for site in SITES}
    return FrameTable.decode(frame_table(object_of(ir, isa), layouts).encode())


def values_for(valtype: int) -> st.SearchStrategy[Value]:
    bits = 8 * VALUE_SIZES[valtype]
    return st.integers(0, (1 << bits) - 1).map(lambda number: Value(valtype, number))


@st.composite
def wasm_frames(draw: st.DrawFn) -> list[WasmFrame]:
    frames = []
    for site in draw(st.lists(st.sampled_from(SITES), max_size=6)):
        local_values = {2 * n: draw(values_for(t)) for n, t in enumerate(site.locals)}
        operands = tuple(draw(values_for(t)) for t in site.operands)
        frames.append(WasmFrame(site.func_id, site.offset, local_values, operands))
    return frames


def lift_image(image: StackImage, table: FrameTable) -> list[WasmFrame]:
    return lift(image.data, image.base, image.sp, image.fp, image.pc, table, TEXT, END)


@settings(max_examples=60, deadline=None)
@given(frames=wasm_frames(), poison=st.integers(0, 255))
def test_frames_survive_a_walk_through_both_isas(frames: list[WasmFrame], poison: int) -> None:
    lifted = frames
    for isa in ("x86_64", "aarch64", "x86_64"):
        image = materialize(lifted, table_of(isa), TEXT, TOP, THUNK_ID, END, poison=poison)
        assert image.base == image.sp and image.base + len(image.data) == TOP
        lifted = lift_image(image, table_of(isa))
        assert lifted == frames


@pytest.mark.parametrize("isa", ISAS)
def test_native_frames_tile(isa: str) -> None:
    frames = [WasmFrame(4, 0x40, {}), WasmFrame(4, 0x40, {})]
    table = table_of(isa)
    image = materialize(frames, table, TEXT, TOP, THUNK_ID, END)
    native = walk(image.data, image.base, image.sp, image.fp, image.pc, table, TEXT, END)
    assert [frame.func_id for frame in native] == [4, 4, THUNK_ID]
    assert [inner.cfa for inner in native[:-1]] == [outer.sp for outer in native[1:]]
    assert native[-1].cfa == TOP
    # The outermost frame returns to the end label and its caller has no frame pointer.
    assert int.from_bytes(image.data[-8:], "little") == END
    assert int.from_bytes(image.data[-16:-8], "little") == 0


def frame_with(bits: int) -> WasmFrame:
    local_values = {0: Value(I32, bits), 2: Value(I64, 2), 4: Value(F32, 3)}
    return WasmFrame(1, 0x10, local_values, (Value(F64, 4),))


@pytest.mark.parametrize("isa", ISAS)
def test_values_stand_in_their_homes(isa: str) -> None:
    table = table_of(isa)
    image = materialize([frame_with(0xDEADBEEF)], table, TEXT, TOP, THUNK_ID, END, poison=0x55)
    row = table.at_site(1, 0x10)[0].function
    home = image.sp + row.frame_size - row.homes - image.base
    assert image.data[home : home + 8] == bytes.fromhex("efbeadde55555555")  # i32: low half
    assert image.data[home + 8 : home + 16] == bytes.fromhex("0200000000000000")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (WasmFrame(9, 0, {}), "function 0x9 has no point"),
        (WasmFrame(4, 0x41, {}), "no point at offset 0x41"),
        (WasmFrame(4, 0x40, {0: Value(I32, 0)}), "its locals are not those"),
        (WasmFrame(4, 0x40, {}, (Value(I32, 0),)), "its operands are not those"),
        (frame_with(1 << 32), "does not fit its type"),
        (frame_with(-1), "does not fit its type"),
    ],
)
def test_frames_that_do_not_fit_are_refused(frame: WasmFrame, message: str) -> None:
    with pytest.raises(StackMapError, match=message):
        materialize([frame], table_of("x86_64"), TEXT, TOP, THUNK_ID, END)


@pytest.mark.parametrize("isa", ISAS)
def test_a_damaged_stack_is_an_error(isa: str) -> None:
    table = table_of(isa)
    image = materialize([frame_with(1)] * 3, table, TEXT, TOP, THUNK_ID, END)
    row = table.at_site(1, 0x10)[0].function
    damaged = bytearray(image.data)
    damaged[row.frame_size - row.ra_save] ^= 1
    with pytest.raises(StackMapError, match="no point has return address"):
        lift_image(replace(image, data=bytes(damaged)), table)
    damaged = bytearray(image.data)
    damaged[row.frame_size - row.fp_save] ^= 8
    with pytest.raises(StackMapError, match="frame pointer is"):
        lift_image(replace(image, data=bytes(damaged)), table)
    with pytest.raises(StackMapError, match="outside the stack image"):
        lift_image(replace(image, data=image.data[:-16]), table)


def test_references_go_through_the_callers_map() -> None:
    site = Site(1, 0x10, [I64, I64])
    layout = replace(site.layout(), locals=((0, FUNCREF, 0), (2, FUNCREF, 1)))
    code = object_of(THUNK + chain_function(site), "x86_64")
    table = frame_table(code, {(1, 0x10): layout})
    frame = WasmFrame(1, 0x10, {0: Value(FUNCREF, 6), 2: Value(FUNCREF, NULL_REFERENCE)})
    with pytest.raises(StackMapError, match="without a map"):
        materialize([frame], table, TEXT, TOP, THUNK_ID, END)
    image = materialize(
        [frame], table, TEXT, TOP, THUNK_ID, END, lambda _, index: 0x9000 + 32 * index
    )
    registers = (image.base, image.sp, image.fp, image.pc)
    lifted = lift(
        image.data, *registers, table, TEXT, END, lambda _, address: (address - 0x9000) // 32
    )
    assert lifted == [frame]


@pytest.mark.parametrize("isa", ISAS)
def test_fills_are_written(isa: str) -> None:
    table = table_of(isa)
    point = table.at_site(4, 0x40)[0]
    low = point.function.frame_size
    filled = replace(point, fills=(Fill(low, b"\x11\x22\x33\x44"),))
    points = tuple(filled if p is point else p for p in table.points)
    image = materialize(
        [WasmFrame(4, 0x40, {})], replace(table, points=points), TEXT, TOP, THUNK_ID, END
    )
    assert image.data[:4] == b"\x11\x22\x33\x44"
