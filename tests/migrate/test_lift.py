"""Raw stacks of running programs: lifted in Python, and held against what the C code wrote.

The frames of the same moment on the two ISAs are compared value by value through the snapshots.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from mvvm_aot.abi import VALTYPE_CODES
from mvvm_aot.snapshot.codec import decode_snapshot
from mvvm_aot.snapshot.state import Frame
from stackmaps.frames import Value, WasmFrame
from stackmaps.remap import lift, materialize, walk
from stackmaps.table import FrameTable
from tests.migrate.harness import Moment, Mover, spread
from tests.programs.catalog import PROGRAMS
from tests.programs.native import ISAS, Builder

BY_NAME: Final = {program.name: program for program in PROGRAMS}
NAMES: Final = ("mutual", "locals200", "params", "multivalue", "extremes", "indirect", "queens")
HEAD: Final = struct.Struct("<6Q")
CODE: Final = struct.Struct("<2Q")


@dataclass(frozen=True, slots=True)
class Dump:
    """A raw stack with its registers, and the frame tables of the program that it is of."""

    sp: int
    fp: int
    pc: int
    end: int
    codes: tuple[tuple[int, FrameTable], ...]
    image: bytes


def read_dump(path: Path) -> Dump:
    """Read what MVVM_TEST_DUMP_STACK writes (its layout is drawn in runtime/src/test_hooks.c)."""
    data = path.read_bytes()
    sp, fp, pc, end, count, size = HEAD.unpack_from(data)
    at = HEAD.size
    codes = []
    for _ in range(count):
        text, table_size = CODE.unpack_from(data, at)
        at += CODE.size
        codes.append((text, FrameTable.decode(data[at : at + table_size])))
        at += table_size
    assert len(data) - at == size
    return Dump(sp, fp, pc, end, tuple(codes), data[at:])


def as_wasm_frame(frame: Frame) -> WasmFrame:
    """Return a snapshot's frame as `stackmaps` writes it."""
    return WasmFrame(
        frame.func_index,
        frame.offset,
        {index: as_value(value.type.value, value.bits) for index, value in frame.locals},
        tuple(as_value(value.type.value, value.bits) for value in frame.operands),
    )


def as_value(name: str | int, bits: int) -> Value:
    """Return a value with the binary format's type code."""
    return Value(name if isinstance(name, int) else VALTYPE_CODES[name], bits)


def frames_of(moment: Moment) -> list[WasmFrame]:
    """Return the frames that the C code wrote."""
    return [
        as_wasm_frame(frame) for frame in decode_snapshot(moment.path.read_bytes()).state.frames
    ]


@pytest.mark.parametrize("name", NAMES)
def test_python_and_c_agree(builder: Builder, name: str, tmp_path: Path) -> None:
    seen: dict[str, list[list[WasmFrame]]] = {}
    for isa in ISAS:
        mover = Mover(builder, BY_NAME[name], tmp_path)
        moments = mover.moments(isa, MVVM_TEST_DUMP_STACK="1")
        seen[isa] = []
        for moment in spread(moments, 25):
            dump = read_dump(Path(f"{moment.path}.stack"))
            ((text, table),) = dump.codes
            lifted = lift(dump.image, dump.sp, dump.sp, dump.fp, dump.pc, table, text, dump.end)
            assert lifted == frames_of(moment), (isa, moment.number)
            seen[isa].append(lifted)
            compare_images(dump, lifted, table, text)
    assert seen["x86_64"] == seen["aarch64"]


def compare_images(dump: Dump, frames: list[WasmFrame], table: FrameTable, text: int) -> None:
    """Write the frames anew in Python: registers and size must be those of the real stack."""
    native = walk(dump.image, dump.sp, dump.sp, dump.fp, dump.pc, table, text, dump.end)
    chosen = {(frame.func_id, frame.offset): frame.pc for frame in native}
    top = dump.sp + len(dump.image)
    again = materialize(
        frames,
        table,
        text,
        top,
        native[-1].func_id,
        dump.end,
        choose=lambda points: next(
            point
            for point in points
            if text + point.return_address == chosen[point.layout.func_id, point.layout.offset]
        ),
    )
    assert (again.sp, again.fp, again.pc) == (dump.sp, dump.fp, dump.pc)
    lifted = lift(again.data, again.base, again.sp, again.fp, again.pc, table, text, dump.end)
    assert lifted == frames
