"""Worker processes: how they end, and that nobody else notices them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import wasmtime

from mvvm_aot import workers
from mvvm_aot.api import host_target
from mvvm_aot.cpus import FEATURES
from mvvm_aot.errors import SystemFailure, UsageError
from mvvm_aot.pipeline import Options, compile_module
from mvvm_aot.places import cache_folder
from mvvm_aot.workers import Crew, worker_count

ROOT = Path(__file__).resolve().parents[2]
CPU = ("cpu", "x86_64", "x86-64-v3", tuple(FEATURES["x86_64"]))
PATIENCE = 60.0  # seconds, on a machine that has other things to do


def alive(pid: int) -> bool:
    """Tell whether there is such a process that is not just waiting to be looked at."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for_end(pid: int) -> None:
    until = time.monotonic() + PATIENCE
    while alive(pid):
        assert time.monotonic() < until, f"process {pid} is still there"
        time.sleep(0.02)


def test_the_number_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MVVM_JOBS", raising=False)
    assert worker_count() == len(os.sched_getaffinity(0))
    monkeypatch.setenv("MVVM_JOBS", "3")
    assert worker_count() == 3
    for bad in ("-1", "two", "99999"):
        monkeypatch.setenv("MVVM_JOBS", bad)
        with pytest.raises(UsageError, match="MVVM_JOBS"):
            worker_count()


def test_a_worker_is_kept_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MVVM_JOBS", "1")
    workers.close()
    found = []
    for _ in range(2):
        with Crew() as crew:
            assert "avx2" in crew.submit(*CPU).result().needs
            found += list(crew.peaks)
    assert found[0] == found[1]
    workers.close()
    assert not alive(found[0])


def test_workers_start_ahead_of_their_jobs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MVVM_JOBS", "5")  # a number of its own: its pool has not been used
    idle = workers._idle(os.getpid(), 5)
    workers.prepare(0)
    assert not idle.processes
    workers.prepare(2)
    pids = {process.popen.pid for process in idle.processes}
    assert len(pids) == 2
    workers.prepare(3)
    assert {process.popen.pid for process in idle.processes} == pids
    with Crew() as crew:
        crew.submit(*CPU).result()
        assert set(crew.peaks) < pids
    workers.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_others_end_is_no_error_of_llvms(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MVVM_JOBS", "1")
    workers.close()
    with Crew() as crew:
        future = crew.submit(*CPU)  # a process that starts takes longer than it takes us
        while not crew._busy:
            time.sleep(0.001)
        next(iter(crew._busy)).popen.send_signal(number)
        with pytest.raises(SystemFailure, match=f"ended by {number.name}"):
            future.result()


def test_an_interrupt_ends_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MVVM_JOBS", "1")
    workers.close()
    with pytest.raises(KeyboardInterrupt), Crew() as crew:
        future = crew.submit(*CPU)
        while not crew._busy:
            time.sleep(0.001)
        pid = next(iter(crew._busy)).popen.pid
        raise KeyboardInterrupt
    assert future.done() and not alive(pid)


def test_several_threads_translate_at_once() -> None:
    wasm = bytes(wasmtime.wat2wasm('(module (func (export "_start")))'))
    outputs: list[bytes] = []

    def translate() -> None:
        outputs.append(compile_module(wasm, Options(host_target().name), cache_folder())[0])

    threads = [threading.Thread(target=translate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outputs) == 3 and len(set(outputs)) == 1


SCRIPT = """
import sys
print("main", flush=True)
import mvvm_aot
from mvvm_aot import workers
from mvvm_aot.pipeline import Options, compile_module
from mvvm_aot.places import cache_folder
instrs = "(local.set 0 (i32.mul (i32.xor (local.get 0) (i32.const 7)) (local.get 0)))" * {size}
wasm = bytes(__import__("wasmtime").wat2wasm(f"(module (func (param i32) (result i32) "
    f"{{instrs}} (local.get 0)))"))
real = workers._Process.__init__
def noted(self):
    real(self)
    print(self.popen.pid, flush=True)
workers._Process.__init__ = noted
compile_module(wasm, Options("x86_64", opt_level=2, emit="obj"), cache_folder())
print("idle", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_a_parent_that_is_killed_leaves_no_orphans(state: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"  # without a guard: nobody may import it again
    script.write_text(SCRIPT.format(size=1 if state == "idle" else 60_000))
    environment = os.environ | {"MVVM_JOBS": "1", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"main\n"
        pid = int(parent.stdout.readline())
        if state == "idle":
            assert parent.stdout.readline() == b"idle\n"
        else:
            time.sleep(1.0)
        assert alive(pid)
        parent.kill()
        parent.wait()
    wait_for_end(pid)


def test_deeply_nested_code_overflows_no_stack() -> None:
    depth = 20_000
    body = "\x02\x40" * depth + "\x20\x00\x0d" + "\x00"  # block..., local.get 0, br_if 0
    code = body.encode("latin-1") + b"\x0b" * depth + b"\x0b"
    wasm = b"\0asm\1\0\0\0" + _section(1, b"\x01\x60\x01\x7f\x00") + _section(3, b"\x01\x00")
    wasm += _section(10, b"\x01" + _leb(len(code) + 1) + b"\x00" + code)
    data, _ = compile_module(wasm, Options("x86_64", emit="obj"), cache_folder())
    assert data[:4] == b"\x7fELF"


def _leb(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def _section(number: int, content: bytes) -> bytes:
    return bytes([number]) + _leb(len(content)) + content
