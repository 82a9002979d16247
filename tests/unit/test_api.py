"""The library: what the command line does, as functions."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import wasmtime

import mvvm_aot
from mvvm_aot.api import guest_environment, write_file
from mvvm_aot.errors import MalformedModule, SystemFailure, UsageError
from mvvm_aot.snapshot.codec import encode_snapshot

from .snapshot.samples import sample_snapshot

# Prints its first letter of input, asks for a checkpoint, prints the second.
TWICE = """
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "env" "__checkpoint" (func $checkpoint (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\01\\00\\00\\00")
  (func $copy
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start")
    (call $copy)
    (call $checkpoint (i32.const 1))
    (call $copy)))
"""


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("api") / "twice.wasm"
    path.write_bytes(wasmtime.wat2wasm(TWICE))
    return path


def test_run_stop_inspect_resume_elsewhere(twice: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "twice.snap"
    first = mvvm_aot.run(twice, stdin=b"a", capture=True, target="x86_64", snapshot=snapshot)
    assert (first.returncode, first.stdout) == (75, b"a")
    frames = mvvm_aot.inspect(snapshot).frames
    assert [(frame.function, frame.point) for frame in frames] == [("_start", "call")]
    second = mvvm_aot.resume(snapshot, stdin=b"b", capture=True, target="aarch64")
    assert (second.returncode, second.stdout) == (0, b"b"), second.stderr


def test_compile_takes_bytes_and_uses_the_cache(twice: Path, tmp_path: Path) -> None:
    result = mvvm_aot.compile(twice.read_bytes(), tmp_path / "out")
    assert result.path == tmp_path / "out"
    assert mvvm_aot.compile(twice.read_bytes()).cached
    assert result.report["functions"] == 2
    again = mvvm_aot.compile(twice, tmp_path / "again", use_cache=False)
    assert not again.cached


def test_without_migration_a_request_is_refused(twice: Path, tmp_path: Path) -> None:
    done = mvvm_aot.run(twice, stdin=b"ab", capture=True, migration=False)
    assert done.returncode == 0
    assert done.stdout == b"ab"


def test_an_extracted_program_goes_on(twice: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "twice.snap"
    mvvm_aot.run(twice, stdin=b"a", capture=True, snapshot=snapshot)
    program = mvvm_aot.extract(snapshot, tmp_path / "program").path
    environment = {"MVVM_RESTORE": str(snapshot)}
    done = subprocess.run([program], env=environment, input=b"z", capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"z")


def test_inspect_takes_bytes() -> None:
    found = mvvm_aot.inspect(encode_snapshot(sample_snapshot()))
    assert found.frames[0].function == "work"
    assert found.as_dict()["module"]["name"] == "sample"


def test_errors_are_typed(tmp_path: Path) -> None:
    with pytest.raises(MalformedModule):
        mvvm_aot.compile(b"\0asm")
    with pytest.raises(UsageError, match="unknown target"):
        mvvm_aot.compile(b"", target="vax")
    with pytest.raises(UsageError, match="emit"):
        mvvm_aot.compile(b"", emit="song")
    with pytest.raises(SystemFailure, match="read the module"):
        mvvm_aot.compile(tmp_path / "missing")


def test_the_guests_environment_is_what_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MVVM_STACK_SIZE", "65536")
    assert guest_environment({"A": "1"}) == {
        name: value for name, value in guest_environment({}).items()
    } | {"A": "1"}
    assert "PATH" not in guest_environment({})
    assert guest_environment({})["MVVM_STACK_SIZE"] == "65536"
    for name in ("", "A=B", "MVVM_X"):
        with pytest.raises(UsageError):
            guest_environment({name: "1"})


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    write_file(path, b"new", executable=True)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o100
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(SystemFailure, match="cannot write"):
        write_file(tmp_path, b"")


def test_directories_are_handed_on_by_absolute_names(
    twice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    command = mvvm_aot.prepare_run(twice, dirs=["data", "data::/guest"])
    expected = f"{tmp_path}/data::data;{tmp_path}/data::/guest"
    assert command.env["MVVM_DIRS"] == expected
    assert command.env["MVVM_SNAPSHOT"] == str(tmp_path / "twice.snap")
    with pytest.raises(SystemFailure, match="nowhere"):
        mvvm_aot.prepare_run(twice, dirs=["nowhere"])
    (tmp_path / "a;b").mkdir()
    with pytest.raises(UsageError, match="cannot contain"):
        mvvm_aot.prepare_run(twice, dirs=["a;b"])
