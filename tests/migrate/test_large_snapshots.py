"""Large snapshots: loaded while the program runs, and checked before anything shows outside.

The program fills 12 MiB, then does what bytes on its standard input say: sum the memory and print
that, change it, take another checkpoint, trap. What the file holds, what becomes of it afterwards,
and when it is loaded must make no difference but a clear message.
"""

from __future__ import annotations

import functools
import os
import struct
import subprocess
import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

import pytest
import wasmtime

from mvvm_aot import api
from mvvm_aot.abi import EXIT_BAD_SNAPSHOT, EXIT_CHECKPOINTED, EXIT_TRAP
from mvvm_aot.snapshot.codec import decode_snapshot, encode_snapshot
from mvvm_aot.snapshot.state import MemoryRun, MemoryState
from mvvm_aot.targets import target_by_name
from tests.programs.native import ISAS

WAT: Final = """
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "env" "__checkpoint" (func $checkpoint (param i32)))
  (memory 200)
  (func $fill (local $at i32)
    (local.set $at (i32.const 65536))
    (loop $next
      (i32.store (local.get $at) (i32.or (i32.mul (local.get $at) (i32.const 0x9E3779B1))
                                         (i32.const 1)))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 4)))
                             (i32.const 12648448)))))
  (func $sum (local $at i32) (local $sum i64)
    (local.set $at (i32.const 65536))
    (loop $next
      (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31))
                               (i64.load (local.get $at))))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8)))
                             (i32.const 12648448))))
    (i64.store (i32.const 32) (local.get $sum))
    (i32.store (i32.const 0) (i32.const 32))
    (i32.store (i32.const 4) (i32.const 8))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))))
  (func $change (local $at i32) ;; a word of every third page of the first half; 1 MiB of zeros
    (local.set $at (i32.const 65536))
    (loop $next
      (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (i32.const 1)))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 12288)))
                             (i32.const 6000000))))
    (memory.fill (i32.const 7340032) (i32.const 0) (i32.const 1048576)))
  (func (export "_start") (local $command i32)
    (call $fill)
    (call $checkpoint (i32.const 1))
    (loop $next
      (i32.store (i32.const 0) (i32.const 40))
      (i32.store (i32.const 4) (i32.const 1))
      (i32.store (i32.const 16) (i32.const 0))
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
      (if (i32.load (i32.const 16)) (then
        (local.set $command (i32.load8_u (i32.const 40)))
        (if (i32.eq (local.get $command) (i32.const 115)) (then (call $sum)))
        (if (i32.eq (local.get $command) (i32.const 119)) (then (call $change)))
        (if (i32.eq (local.get $command) (i32.const 99))
          (then (call $checkpoint (i32.const 1))))
        (if (i32.eq (local.get $command) (i32.const 116)) (then (unreachable)))
        (br $next))))))
"""
FROM: Final = 65536
TO: Final = 12648448


@functools.cache
def sum_of(memory: bytes) -> bytes:
    """Return what the program prints for a memory."""
    total = 0
    for (word,) in struct.iter_unpack("<Q", memory[FROM:TO]):
        total = (total * 31 + word) % 2**64
    return struct.pack("<Q", total)


@functools.cache
def first_memory() -> bytes:
    """Return the memory as it is filled, without the program's scratch words."""
    words = ((at * 0x9E3779B1 | 1) & 0xFFFFFFFF for at in range(FROM, TO, 4))
    return bytes(FROM) + struct.pack(f"<{(TO - FROM) // 4}I", *words)


@functools.cache
def changed_from(before: bytes) -> bytes:
    """Return what the program makes of its memory at a `w`."""
    memory = bytearray(before)
    for at in range(FROM, 6000000, 12288):
        (word,) = struct.unpack_from("<I", memory, at)
        struct.pack_into("<I", memory, at, (word + 1) & 0xFFFFFFFF)
    memory[7340032 : 7340032 + 2**20] = bytes(2**20)
    return bytes(memory)


def pages_of(snapshot: Path) -> bytes:
    """Return the memory that a snapshot holds, from FROM to TO."""
    memory = decode_snapshot(snapshot.read_bytes()).state.memories[0]
    found = bytearray(memory.pages * 65536)
    for run in memory.runs:
        found[run.first * 4096 : run.first * 4096 + len(run.data)] = run.data
    return bytes(found[FROM:TO])


class Large:
    """The program on one ISA, and its first snapshot."""

    def __init__(self, isa: str, folder: Path) -> None:
        wasm = folder / "large.wasm"
        wasm.write_bytes(bytes(wasmtime.wat2wasm(WAT)))
        emulator = api.find_emulator(target_by_name(isa))
        path = api.compile(wasm, target=isa).path
        self.command = [str(path)] if emulator is None else [emulator, str(path)]
        self.first = folder / "first.snap"
        done = self.start(stdin=subprocess.DEVNULL, MVVM_SNAPSHOT=str(self.first)).wait(60)
        assert done == EXIT_CHECKPOINTED

    def start(self, *, stdin: int = subprocess.PIPE, **variables: str) -> subprocess.Popen[bytes]:
        """Start a process."""
        return subprocess.Popen(
            self.command,
            env={**os.environ, "MVVM_SYNC": "0", **variables},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def resume(
        self, snapshot: Path, commands: bytes, **variables: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Go on from a snapshot with these commands, to the end."""
        settings = {"MVVM_RESTORE": str(snapshot), "MVVM_SNAPSHOT": str(snapshot)}
        process = self.start(**(settings | variables))
        stdout, stderr = process.communicate(commands, timeout=60)
        return subprocess.CompletedProcess(self.command, process.returncode, stdout, stderr)


@pytest.fixture(scope="module", params=ISAS)
def large(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Large:
    """Return the program for each ISA."""
    return Large(request.param, tmp_path_factory.mktemp("large"))


@pytest.fixture
def snapshot(large: Large, tmp_path: Path) -> Path:
    """Return a copy of the first snapshot that a test may destroy."""
    path = tmp_path / "large.snap"
    path.write_bytes(large.first.read_bytes())
    return path


def files_of(process: subprocess.Popen[bytes]) -> set[str]:
    """Return what a process has open or mapped; it must be waiting for a command."""
    folder = Path(f"/proc/{process.pid}")
    mapped = {line.split()[-1] for line in (folder / "maps").read_text().splitlines()}
    return mapped | {os.readlink(link) for link in (folder / "fd").iterdir()}


def ask(process: subprocess.Popen[bytes], command: bytes, size: int) -> bytes:
    """Send a command and return so many bytes of the answer."""
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None and stdout is not None
    _send(stdin, command)
    return stdout.read(size)


def _send(stdin: IO[bytes], command: bytes) -> None:
    stdin.write(command)
    stdin.flush()


def refuses(done: subprocess.CompletedProcess[bytes], snapshot: Path, text: str) -> bool:
    """Whether a run ended with one line about its snapshot, and did nothing else."""
    message = done.stderr.decode()
    assert message.startswith(f"mvvm-aot: {snapshot}: "), message
    assert message.count("\n") == 1 and text in message, message
    return done.returncode == EXIT_BAD_SNAPSHOT and done.stdout == b""


def test_checkpoint_over_the_snapshot_that_is_resumed(large: Large, snapshot: Path) -> None:
    """Resume, change, checkpoint to the same name, twice: nothing is lost."""
    memory = first_memory()
    assert pages_of(snapshot) == memory[FROM:]
    for _ in range(2):
        assert large.resume(snapshot, b"swc").stdout == sum_of(memory)
        memory = changed_from(memory)
        assert pages_of(snapshot) == memory[FROM:]
    done = large.resume(snapshot, b"s")
    assert (done.returncode, done.stdout, done.stderr) == (0, sum_of(memory), b"")
    data = snapshot.read_bytes()
    assert encode_snapshot(decode_snapshot(data)) == data  # zero pages were left out


@pytest.mark.parametrize("late", ["1", "0"])
def test_loaded_at_once_or_late(large: Large, snapshot: Path, late: str) -> None:
    """Once something was put out, nothing depends on the file any more."""
    process = large.start(MVVM_RESTORE=str(snapshot), MVVM_LOAD_LATE=late)
    first = ask(process, b"s", 8)
    assert first == sum_of(first_memory())
    assert str(snapshot) not in files_of(process)
    snapshot.write_bytes(b"something else")
    assert ask(process, b"s", 8) == first
    stdout, stderr = process.communicate(b"ws", timeout=60)
    assert (stdout, stderr) == (sum_of(changed_from(first_memory())), b"")
    assert process.returncode == 0


def test_sparse_memory(large: Large, snapshot: Path) -> None:
    """Every fourth page is zero, and the last 2 MiB but one page."""
    whole = decode_snapshot(snapshot.read_bytes())
    memory = bytearray(first_memory())
    for at in range(FROM, 8 << 20, 4 * 4096):
        memory[at : at + 4096] = bytes(4096)
    memory[10 << 20 : TO - 4096] = bytes(TO - 4096 - (10 << 20))
    runs = [
        MemoryRun(at // 4096, bytes(memory[at : at + 3 * 4096]))
        for at in range(FROM + 4096, 8 << 20, 4 * 4096)
    ]
    runs[-1] = MemoryRun(runs[-1].first, bytes(memory[runs[-1].first * 4096 : 10 << 20]))
    runs.append(MemoryRun(TO // 4096 - 1, bytes(memory[TO - 4096 : TO])))
    changed = MemoryState(200, whole.state.memories[0].max_pages, tuple(runs))
    state = replace(whole.state, memories=(changed,))
    snapshot.write_bytes(encode_snapshot(replace(whole, state=state)))
    done = large.resume(snapshot, b"sc")
    assert (done.stdout, done.stderr) == (sum_of(bytes(memory)), b"")
    assert done.returncode == EXIT_CHECKPOINTED
    assert pages_of(snapshot) == memory[FROM:]


@pytest.mark.parametrize("commands", [b"s", b"t", b"c", b""])
def test_a_damaged_page_is_noticed_before_anything_shows(
    large: Large, snapshot: Path, commands: bytes
) -> None:
    """Whatever comes first (output, a trap, a checkpoint, the end): one message, no effect."""
    data = bytearray(snapshot.read_bytes())
    offset, size = struct.unpack_from("<QQ", data, 64 + 32 * 6 + 8)
    for at in (offset, offset + 6_000_001, offset + size - 1):
        data[at] ^= 0x10
        snapshot.write_bytes(data)
        done = large.resume(snapshot, commands)
        assert refuses(done, snapshot, "section PAGES is damaged")
        assert snapshot.read_bytes() == data
        data[at] ^= 0x10
    snapshot.write_bytes(data)
    assert large.resume(snapshot, b"t").returncode == EXIT_TRAP


def test_frames_that_do_not_fit_and_damage_give_one_message(large: Large, snapshot: Path) -> None:
    """The damage is the cause of what else is wrong, and is what is told."""
    data = bytearray(snapshot.read_bytes())
    directory = [struct.unpack_from("<IIQQII", data, 64 + 32 * k) for k in range(9)]
    frames, pages = directory[2], directory[6]
    data[frames[2] + 8] ^= 1  # an offset in the module, under a right checksum
    content = data[frames[2] : frames[2] + frames[3]]
    struct.pack_into("<I", data, 64 + 32 * 2 + 24, zlib.crc32(content))
    struct.pack_into("<I", data, 24, zlib.crc32(data[64 : 64 + 32 * 9]))
    struct.pack_into("<I", data, 28, 0)
    struct.pack_into("<I", data, 28, zlib.crc32(data[:64]))
    snapshot.write_bytes(data)
    assert refuses(large.resume(snapshot, b"s"), snapshot, "no point")
    data[pages[2] + 5_000_000] ^= 1
    snapshot.write_bytes(data)
    assert refuses(large.resume(snapshot, b"s"), snapshot, "section PAGES is damaged")


def test_replaced_and_truncated_while_it_is_loaded(large: Large, snapshot: Path) -> None:
    """The bytes that were there, or one line that says what is wrong: never others."""
    data = snapshot.read_bytes()
    outcomes = set()
    for number in range(12):
        snapshot.write_bytes(data)
        process = large.start(MVVM_RESTORE=str(snapshot))
        time.sleep(0.004 * number)
        os.truncate(snapshot, len(data) - 4096)
        stdout, stderr = process.communicate(b"s", timeout=60)
        done = subprocess.CompletedProcess("", process.returncode, stdout, stderr)
        outcomes.add(process.returncode)
        if process.returncode == 0:
            assert (stdout, stderr) == (sum_of(first_memory()), b"")
        else:
            assert refuses(done, snapshot, "truncated")
    assert outcomes <= {0, EXIT_BAD_SNAPSHOT}
