"""C programs under wasmtime and as native executables: the same output, exit code and files."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import wasmtime

from mvvm_aot import api
from mvvm_aot.errors import MvvmError
from mvvm_aot.link import find_zig
from mvvm_aot.targets import target_by_name
from tests.diff.engine import run_configured

PROGRAMS: Final = Path(__file__).with_name("programs")
TARGETS: Final = ("x86_64", "aarch64")
STDIN: Final = b"first\nsecond line\nno end"
CHECKPOINTED: Final = 75


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Return the Wasm files of the programs by name."""
    folder = tmp_path_factory.mktemp("wasm")
    for source in PROGRAMS.glob("*.c"):
        subprocess.run(
            [find_zig(), "cc", "--target=wasm32-wasi", "-O1", "-s", str(source),
             "-o", str(folder / f"{source.stem}.wasm")],
            check=True,
        )  # fmt: skip
    yield {source.stem: folder / f"{source.stem}.wasm" for source in PROGRAMS.glob("*.c")}


def runnable(name: str) -> str:
    try:
        api.find_emulator(target_by_name(name))
    except MvvmError as error:
        pytest.fail(str(error))
    return name


def make_root(base: Path) -> Path:
    (base / "root").mkdir(parents=True)
    (base / "secret").write_text("secret")
    return base / "root"


def contents(root: Path) -> dict[str, str]:
    """Return what stands below a directory: links' targets and files' texts by path."""
    return {
        str(path.relative_to(root)): str(path.readlink())
        if path.is_symlink()
        else path.read_text()
        if path.is_file()
        else "/"
        for path in sorted(root.rglob("*"))
    }


def run_reference(wasm: Path, base: Path) -> tuple[int, bytes, dict[str, str]]:
    root = make_root(base)
    (base / "stdin").write_bytes(STDIN)
    config = wasmtime.WasiConfig()
    config.argv = [wasm.name, "one", "two words"]
    config.env = [("FOO", "bar")]
    config.stdin_file = str(base / "stdin")
    config.stdout_file = str(base / "stdout")
    config.preopen_dir(str(root), "/d")
    status = run_configured(wasm, config)
    return status, (base / "stdout").read_bytes(), contents(root)


@pytest.mark.parametrize("target_name", TARGETS)
@pytest.mark.parametrize("name", ["files", "directories", "streams"])
def test_like_wasmtime(build: dict[str, Path], tmp_path: Path, name: str, target_name: str) -> None:
    target = runnable(target_name)
    expected = run_reference(build[name], tmp_path / "reference")
    root = make_root(tmp_path / "ours")
    command = api.prepare_run(
        build[name],
        ["one", "two words"],
        target=target,
        dirs=[f"{root}::/d"],
        env={"FOO": "bar"},
        opt_level=1,
    )
    done = command.run(input=STDIN, capture_output=True, timeout=60)
    assert done.stdout.decode() == expected[1].decode()
    assert (done.returncode, contents(root)) == (expected[0], expected[2])
    assert (tmp_path / "ours" / "secret").read_text() == "secret"


def test_unstable_numbers(tmp_path: Path) -> None:
    """`wasi_unstable` counts 2 as from the start: its functions are found under its own name."""
    module = tmp_path / "unstable.wasm"
    module.write_bytes(
        wasmtime.wat2wasm(
            """
            (module
              (import "wasi_unstable" "fd_seek"
                (func $seek (param i32 i64 i32 i32) (result i32)))
              (import "wasi_unstable" "proc_exit" (func $exit (param i32)))
              (memory (export "memory") 1)
              (func (export "_start")
                (drop (call $seek (i32.const 0) (i64.const 3) (i32.const 2) (i32.const 8)))
                (call $exit (i32.load (i32.const 8)))))
            """
        )
    )
    (tmp_path / "input").write_bytes(bytes(100))
    with (tmp_path / "input").open("rb") as stdin:
        assert api.prepare_run(module).run(stdin=stdin, timeout=60).returncode == 3


class Line:
    """A running program, read line by line."""

    def __init__(self, command: api.Command) -> None:
        self.process = subprocess.Popen(
            command.argv,
            executable=command.program,
            env=dict(command.env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def write(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().rstrip("\n")

    def stop(self) -> None:
        """Ask for a checkpoint; the process ends with it and has put out nothing more."""
        time.sleep(0.6)
        self.process.send_signal(signal.SIGUSR1)
        assert self.process.stdout is not None
        assert self.process.stdout.read() == b""
        assert self.process.wait(timeout=30) == CHECKPOINTED


def test_moving_while_it_waits(build: dict[str, Path], tmp_path: Path) -> None:
    """Stop in a read of a pipe and twice in a sleep, each time resume on the other ISA."""
    there, here = runnable("aarch64"), runnable("x86_64")
    snapshot = tmp_path / "snapshot"

    def resume(target: str) -> Line:
        return Line(api.prepare_resume(snapshot, target=target, next_snapshot=snapshot))

    first = Line(api.prepare_run(build["wait"], [], target=here, snapshot=snapshot))
    assert first.read() == "waiting"
    first.write("one\n")
    assert first.read() == "got one"
    first.stop()
    second = resume(there)
    second.write("two\nsleep\n")
    assert [second.read(), second.read()] == ["got two", "sleeping"]
    second.stop()
    time.sleep(1.2)  # while nobody runs, no time passes for the guest
    third = resume(here)
    third.stop()
    fourth = resume(there)
    assert fourth.read() == "slept as asked"
    assert fourth.process.wait(timeout=30) == 5
