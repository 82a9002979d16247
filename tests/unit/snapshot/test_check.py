"""A snapshot is held against its module."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mvvm_aot.errors import SnapshotMismatch
from mvvm_aot.snapshot.check import check_against
from mvvm_aot.snapshot.state import Frame, InstanceState, MemoryState, TableState, Value
from mvvm_aot.wasmparser.types import ValType

from .samples import offset_of, sample_module, sample_snapshot

I32 = Value(ValType.I32, 0)
F64 = Value(ValType.F64, 0)
LOOP = offset_of(sample_module(), 1, "loop")


def changed(**parts: Any) -> InstanceState:
    return replace(sample_snapshot().state, **parts)


def test_the_sample_fits() -> None:
    check_against(sample_snapshot(), sample_module())


def test_a_host_call_in_flight_fits() -> None:
    frames = (sample_snapshot().state.frames[0], Frame(0, 0, (), ()))
    check_against(replace(sample_snapshot(), state=changed(frames=frames)), sample_module())


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (changed(frames=()), "no frames"),
        (changed(frames=(Frame(9, 0, (), ()),)), "function 9 of 3"),
        (changed(frames=(Frame(1, LOOP + 1, (), (I32,)),)), "no point at offset"),
        (changed(frames=(Frame(1, LOOP, (), ()),)), "0 operands, the module 1"),
        (changed(frames=(Frame(1, LOOP, (), (F64,)),)), "operand 0 is of type f64, not i32"),
        (changed(frames=(Frame(1, LOOP, ((5, I32),), (I32,)),)), "local 5 of 2"),
        (changed(frames=(Frame(1, LOOP, ((1, I32),), (I32,)),)), "local 1 is of type i32, not f64"),
        (changed(frames=(Frame(0, 4, (), ()),)), "not a host call"),
        (changed(frames=(Frame(0, 0, (), ()), Frame(0, 0, (), ()))), "not a host call"),
        (changed(globals=()), "0 globals, the module 1"),
        (changed(globals=(I32,)), "global 0 is of type i32, not i64"),
        (changed(memories=()), "0 memories"),
        (changed(memories=(MemoryState(1, 3, ()),)), "memory 0 has 1 pages"),
        (changed(memories=(MemoryState(4, 3, ()),)), "memory 0 has 4 pages"),
        (changed(memories=(MemoryState(2, 9, ()),)), "at most 9"),
        (changed(tables=(TableState(ValType.EXTERNREF, (1, 1), 5),)), "another type"),
        (changed(tables=(TableState(ValType.FUNCREF, (1,), 5),)), "1 elements"),
        (changed(tables=(TableState(ValType.FUNCREF, (1, 3), 5),)), "function 3 of 3"),
        (changed(dropped_datas=()), "data segments"),
        (changed(dropped_elems=()), "element segments"),
    ],
)
def test_what_does_not_fit_is_named(state: InstanceState, reason: str) -> None:
    with pytest.raises(SnapshotMismatch, match=reason):
        check_against(replace(sample_snapshot(), state=state), sample_module())


def test_another_module_is_named() -> None:
    snapshot = replace(sample_snapshot(), module_sha256=bytes(32))
    with pytest.raises(SnapshotMismatch, match="another module"):
        check_against(snapshot, sample_module())
