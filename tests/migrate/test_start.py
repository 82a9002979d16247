"""Whether `_start` is still to be called behind a resume, where frames make tail calls."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from mvvm_aot import api
from mvvm_aot.abi import EXIT_CHECKPOINTED
from mvvm_aot.targets import target_by_name
from tests.programs.native import ISAS, other_isa

COUNTS = "".join(f"\\{max(n - 1, 0):02x}\\00\\00\\00" for n in range(64))

# $spin follows a list, and polls; the sum tells what was called in which order.
TEXT = """(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global $sum (mut i64) (i64.const 1))
  (func $spin (param $n i32)
    (loop $again
      (global.set $sum
        (i64.add (i64.mul (global.get $sum) (i64.const 31)) (i64.extend_i32_u (local.get $n))))
      (br_if $again (local.tee $n (i32.load (i32.mul (local.get $n) (i32.const 4)))))))
  (func $report
    (i64.store (i32.const 800) (global.get $sum))
    (i32.store (i32.const 1000) (i32.const 800))
    (i32.store (i32.const 1004) (i32.const 8))
    (drop (call $fd_write (i32.const 1) (i32.const 1000) (i32.const 1) (i32.const 1008))))
  (func $finish (param $n i32) (call $spin (local.get $n)) (call $report))
  (func $rest (call $spin (i32.const 13)) (call $report))
  (func $first %s)
  (func $main (export "_start") %s)
  (start $first)
  (data (i32.const 0) "%s"))"""
PLAIN = "(call $spin (i32.const 12))"
TAIL = "(call $spin (i32.const 9)) (return_call $finish (i32.const 14))"
TO_REST = "(return_call $rest)"
TO_FIRST = "(call $spin (i32.const 9)) (return_call $first)"


class Trial:
    """One module's executables, and runs of them."""

    def __init__(self, first: str, main: str, folder: Path) -> None:
        module = folder / "start.wasm"
        module.write_bytes(bytes(wasmtime.wat2wasm(TEXT % (first, main, COUNTS))))
        self.exes = {isa: api.compile(module, folder / isa, target=isa).path for isa in ISAS}
        self.snapshot = folder / "start.snap"

    def run(self, isa: str, **variables: str) -> tuple[int, bytes, bytes]:
        emulator = api.find_emulator(target_by_name(isa))
        argv = (*([emulator] if emulator else []), str(self.exes[isa]))
        ended = api.Command(argv, Path(argv[0]), variables).run(capture_output=True)
        return ended.returncode, ended.stdout, ended.stderr

    def leaves(self, isa: str, folder: Path) -> int:
        count = folder / "count"
        self.run(isa, MVVM_TEST_COUNT=str(count))
        return int(count.read_text())

    def stop(self, isa: str, number: int) -> tuple[int, bytes, bytes]:
        self.snapshot.unlink(missing_ok=True)
        return self.run(isa, MVVM_TEST_LEAVE_AT=str(number), MVVM_SNAPSHOT=str(self.snapshot))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("main", [TAIL, TO_REST])
def test_the_start_function_and_what_start_leaves_its_place_to_move(
    main: str, isa: str, tmp_path: Path
) -> None:
    trial = Trial(PLAIN, main, tmp_path)
    _, wanted, _ = trial.run(isa)
    assert len(wanted) == 8
    leaves = trial.leaves(isa, tmp_path)
    assert leaves >= 5
    for number in range(1, leaves + 1):
        status, before, error = trial.stop(isa, number)
        assert (status, error) == (EXIT_CHECKPOINTED, b""), number
        status, after, error = trial.run(other_isa(isa), MVVM_RESTORE=str(trial.snapshot))
        assert (status, before + after, error) == (0, wanted, b""), number


@pytest.mark.parametrize(
    ("first", "main", "message"),
    [
        (TAIL, PLAIN, b"the module's start function has left its place to another (a tail call)"),
        (PLAIN, TO_FIRST, b"_start has left its place to the module's start function"),
    ],
)
def test_a_frame_that_would_mislead_a_resume_is_not_saved(
    first: str, main: str, message: bytes, tmp_path: Path
) -> None:
    """No snapshot is written, and the program goes on."""
    trial = Trial(first, main, tmp_path)
    _, wanted, _ = trial.run("x86_64")
    refused = 0
    for number in range(1, trial.leaves("x86_64", tmp_path) + 1):
        status, output, error = trial.stop("x86_64", number)
        if status == EXIT_CHECKPOINTED:
            _, after, _ = trial.run("aarch64", MVVM_RESTORE=str(trial.snapshot))
            assert output + after == wanted
            continue
        refused += 1
        assert message in error and not trial.snapshot.exists()
    assert refused > 0
