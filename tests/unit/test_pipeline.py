"""The stages together: what happens to functions that fail the proof, and what is reported."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import wasmtime

from mvvm_aot import proof
from mvvm_aot.api import host_target
from mvvm_aot.errors import CodegenError, UsageError
from mvvm_aot.pipeline import Options, compile_module
from mvvm_aot.places import cache_folder
from mvvm_aot.progress import Silence
from mvvm_aot.targets import target_by_name
from stackmaps.verify import Finding, Proof
from tests.spec.execute import launcher

# $fib is called from another function and from itself, and calls one that is proved at once.
WAT = """
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (memory (export "memory") 1)
  (func $id (param i32) (result i32) (drop (call $yield)) (local.get 0))
  (func $fib (param $n i32) (result i32)
    (if (result i32) (i32.lt_s (local.get $n) (i32.const 2))
      (then (call $id (local.get $n)))
      (else (i32.add
        (call $fib (i32.sub (local.get $n) (i32.const 1)))
        (call $fib (i32.sub (local.get $n) (i32.const 2)))))))
  (func (export "_start") (call $exit (call $fib (i32.const 10)))))
"""
WASM = bytes(wasmtime.wat2wasm(WAT))
FIB = 3


def refuse(monkeypatch: pytest.MonkeyPatch, times: int, func_id: int) -> None:
    """Have the proof refuse a function so many times, in this process."""
    monkeypatch.setenv("MVVM_JOBS", "0")
    monkeypatch.setattr(proof, "prove", failing(times, func_id))


def failing(times: int, func_id: int) -> Callable[..., Proof]:
    """Return a proof that refuses a function so many times."""
    left = [times]
    real = proof.prove

    def prove(*args: object) -> Proof:
        found = real(*args)  # type: ignore[arg-type]
        if left[0] == 0:
            return found
        left[0] -= 1
        finding = Finding(f"m0_f{func_id}", func_id, 0, "made to fail", 0)
        return Proof(
            tuple(
                replace(f, findings=(finding,)) if f.func_id == func_id else f
                for f in found.functions
            )
        )

    return prove


def build(folder: Path) -> tuple[Path, dict[str, object]]:
    """Compile for this machine; return the program and the report."""
    data, report = compile_module(WASM, Options(host_target().name), cache_folder())
    path = folder / "program"
    path.write_bytes(data)
    path.chmod(0o755)
    return path, report.as_dict()


@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_function_that_fails_is_translated_again_alone(
    times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, times, FIB)
    program, report = build(tmp_path)
    counts = [report["proved_first"], report["proved_second"], report["proved_third"]]
    assert counts[times] == (counts[0] if times == 0 else 1)
    assert counts[1:].count(1) == (times > 0)
    assert report["retranslated"] == (["fib"] if times else [])
    # Every frame is written anew at every leave: each object's frame table is put to use.
    variables = {"MVVM_TEST_ROUNDTRIP": "1", "MVVM_TEST_POISON": "1"}
    for environment in ({}, variables):
        done = subprocess.run([program], env=environment, capture_output=True, check=False)
        assert done.returncode == 55, done.stderr


@pytest.mark.parametrize("target", ["x86_64", "aarch64"])
def test_arguments_arrive_from_a_function_that_is_not_optimised(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LLVM has selectors of instructions that know nothing of the calling convention."""
    wasm = wasmtime.wat2wasm("""
    (module
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1)
      (func $join (param i32 i64 f64) (result i32)
        (i32.add (local.get 0) (i32.mul (i32.wrap_i64 (local.get 1))
                                        (i32.trunc_f64_s (local.get 2)))))
      (func (export "_start")
        (if (i32.eq (call $join (i32.const 3) (i64.const 5) (f64.const 10)) (i32.const 53))
          (then (call $exit (i32.const 53))))))
    """)
    refuse(monkeypatch, 2, 2)
    data, report = compile_module(bytes(wasm), Options(target), cache_folder())
    assert report.proved_third == 1
    program = tmp_path / "program"
    program.write_bytes(data)
    program.chmod(0o755)
    command = [*launcher(target_by_name(target)), str(program)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 53, done.stderr


def test_a_function_that_never_passes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, 3, FIB)
    with pytest.raises(CodegenError, match=r"m0_f3.*made to fail"):
        compile_module(WASM, Options("aarch64"), cache_folder())


def test_a_thunk_that_fails_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, 1, 0x8000_0000)
    with pytest.raises(CodegenError, match="made to fail"):
        compile_module(WASM, Options("x86_64"), cache_folder())


def test_objects_of_several_tries_become_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, 1, FIB)
    data, _ = compile_module(WASM, Options("x86_64", emit="obj"), cache_folder())
    assert data[:4] == b"\x7fELF" and data[16] == 1  # relocatable


def test_the_report_counts_and_times() -> None:
    steps = Silence()
    _, report = compile_module(WASM, Options("aarch64"), cache_folder(), steps)
    assert report.functions == 3
    assert report.points == report.sites
    assert report.code_bytes > 0 and report.frame_table_bytes > 0
    assert {"decoding", "translating", "linking"} <= report.seconds.keys()
    assert {"lowering", "generating code", "proving frames closed"} == report.cpu_seconds.keys()
    assert report.parts == 1 and report.memory_bytes > 1 << 20


def test_options_are_checked() -> None:
    with pytest.raises(UsageError, match="optimisation level 4"):
        Options("x86_64", opt_level=4)
    with pytest.raises(UsageError, match="unknown target"):
        Options("m68k")


@pytest.mark.parametrize("target", ["x86_64", "aarch64"])
@pytest.mark.parametrize(
    "wat",
    [
        '(module (memory (export "memory") 1) (table 1 funcref) (global (mut i32) (i32.const 1)))',
        '(module (func (export "_start")))',
        '(module (func unreachable) (func (export "_start") (call 0)))',
    ],
    ids=["no function", "no point", "cold"],
)
def test_modules_of_few_or_no_functions_link(wat: str, target: str) -> None:
    wasm = bytes(wasmtime.wat2wasm(wat))
    data, _ = compile_module(wasm, Options(target), cache_folder())
    assert data[:4] == b"\x7fELF"
