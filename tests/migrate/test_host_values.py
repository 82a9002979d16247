"""An externref that is not null is a value of one host: a snapshot that holds one is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mvvm_aot.abi import EXIT_BAD_SNAPSHOT
from mvvm_aot.errors import SnapshotMismatch
from mvvm_aot.snapshot.check import check_against
from mvvm_aot.snapshot.codec import decode_snapshot, encode_snapshot
from mvvm_aot.snapshot.state import NULL_REF, InstanceState, TableState, Value
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.types import ValType
from mvvm_aot.wasmparser.validate import validate_module
from tests.migrate.harness import Mover
from tests.programs.catalog import PROGRAMS
from tests.programs.native import ISAS, Builder, other_isa

HOST = Value(ValType.EXTERNREF, 1)
NULL = replace(HOST, bits=NULL_REF)
REFUSAL = "externref that is not null"


def in_globals(state: InstanceState) -> list[tuple[InstanceState, str]]:
    """Put a host's value into the first global that may hold one."""
    if NULL not in state.globals:
        return []
    at = state.globals.index(NULL)
    values = (*state.globals[:at], HOST, *state.globals[at + 1 :])
    return [(replace(state, globals=values), f"global {at} ")]


def in_tables(state: InstanceState) -> list[tuple[InstanceState, str]]:
    """Put a host's value at the end of each table that may hold one."""
    found = []
    for at, table in enumerate(state.tables):
        if table.reftype is ValType.EXTERNREF:
            elements = (*table.elements[:-1], HOST.bits)
            changed = TableState(table.reftype, elements, table.max)
            tables = (*state.tables[:at], changed, *state.tables[at + 1 :])
            place = f"element {len(elements) - 1} of the snapshot's table {at} "
            found.append((replace(state, tables=tables), place))
    return found


def in_frames(state: InstanceState) -> list[tuple[InstanceState, str]]:
    """Put host's values for all nulls of each frame that has some."""
    found = []
    for at, frame in enumerate(state.frames):
        values = tuple((index, HOST if old == NULL else old) for index, old in frame.locals)
        operands = tuple(HOST if old == NULL else old for old in frame.operands)
        changed = replace(frame, locals=values, operands=operands)
        if changed != frame:
            frames = (*state.frames[:at], changed, *state.frames[at + 1 :])
            found.append((replace(state, frames=frames), "a frame "))
    return found


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(("name", "kinds"), [("references", 2), ("mixture", 2), ("tables", 1)])
def test_values_of_a_host(
    builder: Builder, name: str, kinds: int, isa: str, tmp_path: Path
) -> None:
    """The C reader names the place and ends, Python's check raises; nothing of the program runs."""
    (program,) = (program for program in PROGRAMS if program.name == name)
    mover = Mover(builder, program, tmp_path)
    moment, _ = mover.stop_at(isa, 30)
    snapshot = decode_snapshot(moment.path.read_bytes())
    validated = validate_module(decode_module(builder.module(program).read_bytes()))
    check_against(snapshot, validated)
    changed = [*in_globals(snapshot.state), *in_tables(snapshot.state), *in_frames(snapshot.state)]
    assert len({place for _, place in changed}) == kinds, changed
    for number, (state, place) in enumerate(changed):
        path = tmp_path / f"hostile-{number}.snap"
        path.write_bytes(encode_snapshot(replace(snapshot, state=state)))
        finished, _ = mover.resume(replace(moment, path=path), other_isa(isa))
        assert finished.status == EXIT_BAD_SNAPSHOT, finished
        assert place in finished.stderr and REFUSAL in finished.stderr, finished.stderr
        assert finished.stdout == b""
        with pytest.raises(SnapshotMismatch, match=REFUSAL):
            check_against(replace(snapshot, state=state), validated)
