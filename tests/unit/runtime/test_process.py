"""Executables as processes: variables, traps with backtraces, requests by file and signal."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

import pytest
import wasmtime

from mvvm_aot import api
from mvvm_aot.abi import EXIT_BAD_SNAPSHOT, EXIT_CHECKPOINTED, EXIT_TRAP, EXIT_USAGE
from mvvm_aot.snapshot.codec import decode_snapshot

# The number of arguments, the program's name included, chooses what it does.
PROGRAM: Final = b"""
(module $modes
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $args_sizes_get (param i32 i32) (result i32)))
  (memory 1)
  (func $load (param $address i32) (result i32) (i32.load (local.get $address)))
  (func $deep (param $n i64) (result i64)
    (i64.add (i64.const 1) (call $deep (i64.add (local.get $n) (i64.const 1)))))
  (func $spin (param $n i32) (result i32)
    (local $x i32)
    (loop $again
      (local.set $x (i32.add (i32.mul (local.get $x) (i32.const 31)) (local.get $n)))
      (i32.store (i32.const 64) (local.get $x))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $x))
  (func $main (export "_start")
    (local $mode i32)
    (drop (call $args_sizes_get (i32.const 0) (i32.const 4)))
    (local.set $mode (i32.load (i32.const 0)))
    (if (i32.eq (local.get $mode) (i32.const 2))
      (then (i32.store (i32.const 8) (call $load (i32.const -4)))))
    (if (i32.eq (local.get $mode) (i32.const 3))
      (then (i64.store (i32.const 8) (call $deep (i64.const 0)))))
    (if (i32.eq (local.get $mode) (i32.const 4))
      (then (loop $ever (drop (call $spin (i32.const 1000000))) (br $ever))))))
"""
TRAP_LOAD: Final = ["one"]
TRAP_STACK: Final = ["one", "two"]
SPIN: Final = ["one", "two", "three"]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the program for this machine."""
    wasm = bytes(wasmtime.wat2wasm(PROGRAM))
    return api.compile(wasm, tmp_path_factory.mktemp("modes") / "modes").path


@pytest.fixture(scope="module")
def fixed_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile it without migration points."""
    wasm = bytes(wasmtime.wat2wasm(PROGRAM))
    return api.compile(wasm, tmp_path_factory.mktemp("fixed") / "modes", migration=False).path


def run(
    program: Path, folder: Path, words: list[str] | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run to the end in ``folder``."""
    return subprocess.run(
        [str(program), *(words or [])],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


def ask(process: subprocess.Popen[str], control: Path, text: str) -> str:
    """Leave a request, send the signal, and return the answer."""
    result = control / f"{process.pid}.result"
    (control / f"{process.pid}.request").write_text(text)
    process.send_signal(signal.SIGUSR1)
    deadline = time.monotonic() + 30
    while not result.exists():
        assert time.monotonic() < deadline, "no answer"
        time.sleep(0.01)
    answer = result.read_text()
    result.unlink()
    return answer


@pytest.fixture
def control(tmp_path: Path) -> Path:
    """Make a control folder that others cannot write to."""
    folder = tmp_path / "control"
    folder.mkdir(mode=0o700)
    return folder


def start(program: Path, folder: Path, control: Path, **variables: str) -> subprocess.Popen[str]:
    """Start the endless mode and wait until it takes requests."""
    process = subprocess.Popen(
        [str(program), *SPIN],
        cwd=folder,
        env={**os.environ, "MVVM_CONTROL_DIR": str(control), **variables},
        stderr=subprocess.PIPE,
        text=True,
    )
    usr1 = 1 << (signal.SIGUSR1 - 1)
    status = Path(f"/proc/{process.pid}/status")
    deadline = time.monotonic() + 30
    while True:
        caught = next(line for line in status.read_text().splitlines() if "SigCgt" in line)
        if int(caught.split()[1], 16) & usr1:
            return process
        assert time.monotonic() < deadline, "the handlers are not installed"
        time.sleep(0.01)


def test_a_trap_names_the_functions(program: Path, tmp_path: Path) -> None:
    """An access out of bounds ends with 134, its message and the frames by name."""
    done = run(program, tmp_path, TRAP_LOAD)
    assert done.returncode == EXIT_TRAP
    lines = done.stderr.splitlines()
    assert lines[0] == "mvvm-aot: trap: out of bounds memory access"
    assert lines[-1].startswith("  at main (func 4)")


def test_a_full_stack_is_a_trap(program: Path, tmp_path: Path) -> None:
    """Endless recursion is the trap; the backtrace is cut in its middle."""
    done = run(program, tmp_path, TRAP_STACK, MVVM_STACK_SIZE="262144")
    assert done.returncode == EXIT_TRAP
    lines = done.stderr.splitlines()
    assert lines[0] == "mvvm-aot: trap: call stack exhausted"
    assert lines[1].startswith("  at deep (func 2)")
    assert lines[21].startswith("  ... ") and lines[21].endswith(" more ...")
    assert lines[-1].startswith("  at main (func 4) +0x")
    assert len(lines) == 27


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MVVM_STACK_SIZE", "12"),
        ("MVVM_STACK_SIZE", "8M"),
        ("MVVM_STACK_SIZE", "99999999999999999999999"),
        ("MVVM_CHECKPOINT_EVERY", "0"),
        ("MVVM_CHECKPOINT_EVERY", "soon"),
        ("MVVM_TEST_LEAVE_AT", "-1"),
    ],
)
def test_bad_variables(program: Path, tmp_path: Path, name: str, value: str) -> None:
    """A bad variable is named on one line, with status 64."""
    done = run(program, tmp_path, [], **{name: value})
    assert done.returncode == EXIT_USAGE
    assert done.stderr.startswith(f"mvvm-aot: {name}={value}: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("content", [None, b"", b"MVVM", b"MVVMSNAP" + bytes(20), bytes(5000)])
def test_bad_snapshots(program: Path, tmp_path: Path, content: bytes | None) -> None:
    """What is no snapshot is refused on one line, with status 66."""
    path = tmp_path / "bad.snap"
    if content is not None:
        path.write_bytes(content)
    done = run(program, tmp_path, MVVM_RESTORE=str(path))
    assert done.returncode == EXIT_BAD_SNAPSHOT
    assert done.stderr.startswith(f"mvvm-aot: {path}: ")
    assert done.stderr.count("\n") == 1


def test_signal_stops(program: Path, tmp_path: Path, control: Path) -> None:
    """SIGUSR1 writes the default snapshot and ends with 75; the resumed process can be stopped."""
    process = start(program, tmp_path, control)
    process.send_signal(signal.SIGUSR1)
    assert process.wait(timeout=30) == EXIT_CHECKPOINTED
    snapshot = tmp_path / "modes.snap"
    frames = decode_snapshot(snapshot.read_bytes()).state.frames
    assert frames[0].func_index == 4
    again = start(program, tmp_path, control, MVVM_RESTORE=str(snapshot), MVVM_TEST_POISON="1")
    again.send_signal(signal.SIGUSR1)
    assert again.wait(timeout=30) == EXIT_CHECKPOINTED


def test_request_files(program: Path, tmp_path: Path, control: Path) -> None:
    """A request names its file; one that fails is answered, and the program goes on."""
    process = start(program, tmp_path, control)
    first, second = tmp_path / "first.snap", tmp_path / "second.snap"
    assert ask(process, control, f"continue\n{first}\n") == f"ok {first}\n"
    decode_snapshot(first.read_bytes())
    answer = ask(process, control, "stop\n/nonexistent/x.snap\n")
    assert answer.startswith("error cannot write /nonexistent/x.snap: ")
    assert process.poll() is None
    assert ask(process, control, f"stop\n{second}\n") == f"ok {second}\n"
    assert process.wait(timeout=30) == EXIT_CHECKPOINTED
    assert list(control.iterdir()) == []


def test_a_folder_that_others_write_to_is_not_believed(
    program: Path, tmp_path: Path, control: Path
) -> None:
    """A request in it counts as a plain signal: nobody chooses where we write."""
    control.chmod(0o777)
    process = start(program, tmp_path, control)
    target = tmp_path / "elsewhere.snap"
    (control / f"{process.pid}.request").write_text(f"stop\n{target}\n")
    process.send_signal(signal.SIGUSR1)
    assert process.wait(timeout=30) == EXIT_CHECKPOINTED
    assert (tmp_path / "modes.snap").exists() and not target.exists()


def test_no_migration_refuses(fixed_program: Path, tmp_path: Path, control: Path) -> None:
    """A program without points answers at once and goes on."""
    process = start(fixed_program, tmp_path, control)
    try:
        answer = ask(process, control, f"stop\n{tmp_path / 'x.snap'}\n")
        assert answer == "error the program was translated with --no-migration\n"
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_timer(program: Path, tmp_path: Path, control: Path) -> None:
    """MVVM_CHECKPOINT_EVERY writes again and again, and the program goes on."""
    process = start(program, tmp_path, control, MVVM_CHECKPOINT_EVERY="0.05")
    snapshot = tmp_path / "modes.snap"
    try:
        seen: set[int] = set()
        deadline = time.monotonic() + 30
        while len(seen) < 2:
            assert time.monotonic() < deadline and process.poll() is None
            if snapshot.exists():
                seen.add(snapshot.stat().st_ino)
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()


def test_measured_times(program: Path, tmp_path: Path, control: Path) -> None:
    """The runtime asks itself at random times, and notes when the guest's code ran."""
    waits, times = tmp_path / "waits", tmp_path / "times"
    process = start(
        program, tmp_path, control, MVVM_TEST_LATENCY=str(waits), MVVM_TEST_TIMES=str(times)
    )
    time.sleep(0.5)
    assert process.poll() is None  # a measurement's request is no checkpoint
    process.send_signal(signal.SIGUSR1)
    assert process.wait(timeout=30) == EXIT_CHECKPOINTED
    entered, left = (line.split() for line in times.read_text().splitlines())
    assert (entered[0], left[0]) == ("entered", "left")
    lasted, used = (int(left[k]) - int(entered[k]) for k in (1, 2))
    assert 0.3e9 < lasted < 60e9
    assert 0 < used <= lasted
    rows = [tuple(map(int, line.split())) for line in waits.read_text().splitlines()]
    assert len(rows) > 5
    assert 0 < sum(cpu for _, cpu in rows) <= used
    assert sum(clock for clock, _ in rows) <= lasted


def test_one_timer_only(program: Path, tmp_path: Path) -> None:
    """A measurement and periodic checkpoints would set each other's timer."""
    done = run(program, tmp_path, MVVM_TEST_LATENCY="waits", MVVM_CHECKPOINT_EVERY="5")
    assert done.returncode == EXIT_USAGE
    assert "one timer only" in done.stderr
