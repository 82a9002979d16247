"""Snapshots of earlier versions, at polls that are left out by now, go on all the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from mvvm_aot import api
from mvvm_aot.abi import EXIT_BAD_SNAPSHOT, EXIT_CHECKPOINTED
from mvvm_aot.snapshot.codec import decode_snapshot
from mvvm_aot.targets import target_by_name
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.validate import validate_module
from tests.programs.native import ISAS, other_isa

# Neither $sum nor its loops need a poll: they are bounded, and nothing calls in circles.
WAT = """(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func $sum (param $scale i64) (result i64)
    (local $k i32) (local $rounds i32) (local $sum i64)
    (local.set $rounds (i32.const 10))
    (loop $round
      (local.set $k (i32.const 0))
      (loop $again
        (local.set $sum
          (i64.add (i64.mul (local.get $sum) (local.get $scale)) (i64.load (local.get $k))))
        (i64.store (local.get $k) (local.get $sum))
        (local.set $k (i32.add (local.get $k) (i32.const 8)))
        (br_if $again (i32.ne (local.get $k) (i32.const 800))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum))
  (func (export "_start")
    (i64.store (i32.const 800) (call $sum (i64.const 31)))
    (i64.store (i32.const 808) (i64.const -1))
    (i32.store (i32.const 1000) (i32.const 800))
    (i32.store (i32.const 1004) (i32.const 16))
    (drop (call $fd_write (i32.const 1) (i32.const 1000) (i32.const 1) (i32.const 1008))))
  (data (i32.const 0) "what the sum is made of"))"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "sum.wasm"
    path.write_bytes(bytes(wasmtime.wat2wasm(WAT)))
    return path


def offset_of(module: Path, place: str) -> int:
    """Return the offset of the outer loop, or of the body of the function that has it."""
    validated = validate_module(decode_module(module.read_bytes()))
    if place == "entry":
        return validated.module.functions[0].offset
    return next(offset for offset, op, _ in validated.functions[0].instrs if op.text == "loop")


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(("place", "number"), [("entry", 1), ("loop", 1), ("loop", 9)])
def test_resume_brings_the_poll_back(
    module: Path, place: str, number: int, isa: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The innermost frame stands where a translation without the request has no point."""
    wanted = api.run(module, target=isa, capture=True)
    assert (wanted.returncode, len(wanted.stdout)) == (0, 16)
    offset = offset_of(module, place)
    older = api.compile(module, tmp_path / "older", target=isa, poll=offset)
    assert older.report["polls"] == [offset]
    assert api.compile(module, target=isa).report["polls"] == []
    snapshot = tmp_path / "sum.snap"
    stop = {"MVVM_TEST_LEAVE_AT": str(number), "MVVM_SNAPSHOT": str(snapshot)}
    emulator = api.find_emulator(target_by_name(isa))
    argv = [*([emulator] if emulator else []), str(older.path)]
    stopped = api.Command(tuple(argv), Path(argv[0]), stop).run(capture_output=True)
    assert (stopped.returncode, stopped.stdout) == (EXIT_CHECKPOINTED, b"")
    assert decode_snapshot(snapshot.read_bytes()).state.frames[-1].offset == offset
    for target in (isa, other_isa(isa)):
        resumed = api.resume(snapshot, target=target, capture=True)
        assert (resumed.returncode, resumed.stdout) == (0, wanted.stdout)
        extracted = api.extract(snapshot, tmp_path / f"extracted-{target}", target=target)
        assert extracted.report["polls"] == [offset]
    monkeypatch.setenv("MVVM_RESTORE", str(snapshot))
    refused = api.run(module, target=isa, capture=True)
    assert refused.returncode == EXIT_BAD_SNAPSHOT
    assert b"has no point at" in refused.stderr and b"mvvm-aot resume" in refused.stderr
