"""The command line: exit codes, one-line errors, files, and that programs are themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import wasmtime

from mvvm_aot.snapshot.codec import encode_snapshot

from .snapshot.samples import sample_snapshot

HELLO = """
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $args (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\06\\00\\00\\00")
  (data (i32.const 16) "hello\\n")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (drop (call $args (i32.const 64) (i32.const 68)))
    (call $exit (i32.load (i32.const 64)))))
"""
SPIN = '(module (memory (export "memory") 1) (func (export "_start") (loop $again (br $again))))'
TRAP = '(module (func $inner unreachable) (func (export "_start") (call $inner)))'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    sources = {"hello": HELLO, "spin": SPIN, "trap": TRAP}
    sources["import"] = '(module (import "env" "nobody" (func)) (func (export "_start")))'
    sources["invalid"] = '(module (func (export "_start") (drop)))'
    sources["memory"] = '(module (import "env" "m" (memory 1)) (func (export "_start")))'
    for name, text in sources.items():
        if name != "invalid":
            (folder / f"{name}.wasm").write_bytes(wasmtime.wat2wasm(text))
    body = bytes.fromhex("0061736d01000000 010401600000 03020100 0a05010300 1a0b")
    (folder / "invalid.wasm").write_bytes(body)
    (folder / "truncated.wasm").write_bytes((folder / "hello.wasm").read_bytes()[:-5])
    (folder / "text.wasm").write_text("hello")
    (folder / "sample.snap").write_bytes(encode_snapshot(sample_snapshot()))
    return folder


def command(*args: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "mvvm_aot", *map(str, args)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def fails(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Demand an exit code and one line that says all the words."""
    assert done.returncode == code, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("mvvm-aot: error: "), done.stderr
    for word in words:
        assert word in lines[0]


def test_compiled_programs_are_commands(folder: Path) -> None:
    done = command("compile", "hello.wasm", "-o", "hello", "--report", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "functions at once" in done.stderr
    run = subprocess.run([folder / "hello", "a", "b"], capture_output=True, check=False)
    assert (run.returncode, run.stdout) == (3, b"hello\n")


def test_run_becomes_the_program(folder: Path) -> None:
    done = command("run", "hello.wasm", "--", "-x", "--help", cwd=folder)
    assert (done.returncode, done.stdout) == (3, "hello\n"), done.stderr


@pytest.mark.parametrize("args", [("--env", "X=1", "--", "a", "-b"), ("a", "--env=X=1", "b")])
def test_options_may_follow_the_module(folder: Path, args: tuple[str, ...]) -> None:
    done = command("run", "hello.wasm", *args, cwd=folder)
    assert (done.returncode, done.stdout) == (3, "hello\n"), done.stderr


def test_a_dash_without_two_before_it_is_no_argument_of_the_program(folder: Path) -> None:
    fails(command("run", "hello.wasm", "-x", cwd=folder), 2, "-x", "behind --")


def test_the_other_isa_runs_through_an_emulator(folder: Path) -> None:
    for target in ("x86_64", "aarch64"):
        done = command("run", "--target", target, "hello.wasm", cwd=folder)
        assert (done.returncode, done.stdout) == (1, "hello\n"), done.stderr


def test_default_output_is_named_after_the_module(folder: Path) -> None:
    for emit, name in (("obj", "hello.o"), ("ir", "hello.ll"), ("asm", "hello.s")):
        (folder / name).unlink(missing_ok=True)
        assert command("compile", "hello.wasm", "--emit", emit, cwd=folder).returncode == 0
        assert (folder / name).stat().st_size > 100
    assert (folder / "hello.o").read_bytes()[:4] == b"\x7fELF"
    assert "preserve_nonecc" in (folder / "hello.ll").read_text()
    done = command("compile", "hello.wasm", "--emit", "stackmap", "-o", "/dev/stdout", cwd=folder)
    assert "frame table 0" in done.stdout


def test_build_report_as_json(folder: Path) -> None:
    done = command("compile", "hello.wasm", "-o", "hello", "--json", "--no-cache", cwd=folder)
    report = json.loads(done.stdout)
    assert report["functions"] == 1
    assert report["proved_first"] >= 1
    assert report["output_bytes"] == (folder / "hello").stat().st_size


@pytest.mark.parametrize(
    ("module", "code", "words"),
    [
        ("missing.wasm", 71, ["missing.wasm", "No such file"]),
        ("text.wasm", 65, ["malformed module"]),
        ("truncated.wasm", 65, ["malformed module", "offset"]),
        ("invalid.wasm", 65, ["invalid module"]),
        ("import.wasm", 71, ["env.nobody"]),
        ("memory.wasm", 69, ["unsupported", "memory"]),
    ],
)
def test_bad_modules(folder: Path, module: str, code: int, words: list[str]) -> None:
    fails(command("compile", module, "-o", "out", cwd=folder), code, *words)
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["compile", "hello.wasm", "--target", "vax"], ["unknown target", "vax", "aarch64"]),
        (["compile", "hello.wasm", "-O", "7"], ["-O"]),
        (["compile", "hello.wasm", "--cpu", "abacus", "-o", "x"], ["no CPU", "abacus"]),
        (["compile"], ["Missing argument"]),
        (["frobnicate"], ["No such command"]),
        (["run", "--env", "NOBODY_SET_THIS", "hello.wasm"], ["no such variable"]),
        (["run", "--checkpoint-every", "-1", "hello.wasm"], ["above 0"]),
        (["checkpoint", "x"], ["integer"]),
    ],
)
def test_usage(folder: Path, args: list[str], words: list[str]) -> None:
    done = command(*args, cwd=folder)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    for word in words:
        assert word.lower() in done.stderr.lower()


def test_output_that_cannot_be_written(folder: Path) -> None:
    done = command("compile", "hello.wasm", "-o", "no/such/folder", cwd=folder)
    fails(done, 71, "cannot write 'no/such/folder'", "No such file")
    fails(command("compile", "hello.wasm", "-o", ".", cwd=folder), 71, "cannot write")
    assert not list(folder.glob(".hello*"))


def test_a_missing_emulator_is_one_line(folder: Path) -> None:
    done = command("run", "--target", "aarch64", "hello.wasm", cwd=folder, PATH="/nowhere")
    fails(done, 71, "qemu-aarch64", "apt-get install qemu-user")


def test_a_missing_directory_is_one_line(folder: Path) -> None:
    fails(command("run", "--dir", "nowhere::/x", "hello.wasm", cwd=folder), 71, "nowhere")


def test_traps_end_with_134_and_names(folder: Path) -> None:
    done = command("run", "trap.wasm", cwd=folder)
    assert done.returncode == 134
    assert "unreachable" in done.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["truncated"]),
        (b"nothing of ours", ["not a snapshot"]),
        (encode_snapshot(sample_snapshot())[:-1], ["truncated"]),
        (b"MVVMSNAP\x09\0\0\0" + bytes(52), ["version 9"]),
    ],
)
def test_bad_snapshots(folder: Path, content: bytes, words: list[str]) -> None:
    (folder / "bad.snap").write_bytes(content)
    for verb in ("inspect", "resume"):
        fails(command(verb, "bad.snap", cwd=folder), 66, *words)


def test_inspect_as_text_and_json(folder: Path) -> None:
    text = command("inspect", "sample.snap", cwd=folder)
    assert text.returncode == 0, text.stderr
    assert "#0 work (function 1), loop at" in text.stdout
    assert "local 0 n: i32 = -2" in text.stdout
    assert "operand 0: i32 = 5" in text.stdout
    found = json.loads(command("inspect", "--json", "sample.snap", cwd=folder).stdout)
    assert [frame["function"] for frame in found["frames"]] == ["work", "_start"]
    assert found["frames"][0]["locals"][1] == {
        "index": 1,
        "name": "x",
        "type": "f64",
        "value": 1.5,
        "bits": "0x3ff8000000000000",
    }
    assert found["globals"][0]["name"] == "counter"
    assert found["memories"][0]["used_bytes"] == 3 * 4096
    assert found["wasi"]["descriptors"][2]["path"] == "a/b.txt"


def test_checkpoint_of_what_is_not_ours(folder: Path) -> None:
    fails(command("checkpoint", "4194000", cwd=folder), 71, "no process 4194000")
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        fails(command("checkpoint", str(sleeper.pid), cwd=folder), 71, "not a program")
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


@pytest.mark.parametrize("verb", ["run", "resume"])
def test_checkpoint_of_what_is_still_being_translated(
    folder: Path, tmp_path: Path, verb: str
) -> None:
    os.mkfifo(tmp_path / "module")  # it waits for a writer, so it gets no further than here
    starting = subprocess.Popen(
        [sys.executable, "-m", "mvvm_aot", verb, str(tmp_path / "module")],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        done = command("checkpoint", str(starting.pid), cwd=folder)
        fails(done, 71, "not yet a program", "still translating", "ask again")
        assert starting.poll() is None
    finally:
        starting.kill()
        starting.wait()


@pytest.mark.parametrize("target", ["x86_64", "aarch64"])
def test_checkpoint_and_resume_of_a_busy_program(folder: Path, target: str) -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "mvvm_aot", "run", "--target", target, "spin.wasm"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    snap = folder / f"{target}.snap"
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:  # until it has become the program
            done = command("checkpoint", "--leave-running", "-o", snap, str(run.pid), cwd=folder)
            if "a program" not in done.stderr:
                break
        assert (done.returncode, done.stdout) == (0, f"{snap}\n"), done.stderr
        assert run.poll() is None
        assert command("checkpoint", str(run.pid), "-o", snap, cwd=folder).returncode == 0
        assert run.wait(timeout=20) == 75
    finally:
        run.kill()
        run.wait()
    found = json.loads(command("inspect", "--json", snap, cwd=folder).stdout)
    assert found["frames"][0]["point"] == "loop"
    assert command("resume", snap, "-o", f"{target}.exe", cwd=folder).returncode == 0
    assert os.access(folder / f"{target}.exe", os.X_OK)


def test_version_and_help(folder: Path) -> None:
    assert command("--version", cwd=folder).stdout.startswith("mvvm-aot 0.")
    for verb in ("compile", "run", "checkpoint", "resume", "inspect"):
        done = command(verb, "--help", cwd=folder)
        assert done.returncode == 0
        assert "Exit codes" in done.stdout


def test_the_command_line_starts_without_the_compiler(folder: Path) -> None:
    script = (
        "import sys; import mvvm_aot.cli; "
        "print([m for m in ('llvmlite', 'capstone', 'rich', 'elftools') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_bug_asks_to_be_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mvvm_aot import api, cli

    def broken(_snapshot: Path) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(api, "inspect", broken)
    monkeypatch.setattr(sys, "argv", ["mvvm-aot", "inspect", "x"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 70
    assert "please report it: ZeroDivisionError: oops" in capsys.readouterr().err


def test_validate(folder: Path) -> None:
    good = command("validate", "hello.wasm", "memory.wasm", cwd=folder)
    assert good.returncode == 0, good.stderr
    assert [line.split(":")[0] for line in good.stdout.splitlines()] == [
        "hello.wasm",
        "memory.wasm",
    ]
    bad = command("validate", "hello.wasm", "invalid.wasm", "truncated.wasm", cwd=folder)
    assert bad.returncode == 65
    assert "hello.wasm: valid" in bad.stdout
    invalid, truncated = bad.stderr.splitlines()
    assert invalid.startswith("invalid.wasm: invalid module: ") and "offset" in invalid
    assert truncated.startswith("truncated.wasm: malformed module: ") and "offset" in truncated
    assert command("validate", "missing.wasm", cwd=folder).returncode == 71
    assert command("validate", cwd=folder).returncode == 2


def test_validate_for_programs(folder: Path) -> None:
    found = command("validate", "--json", "hello.wasm", "invalid.wasm", cwd=folder)
    good, bad = (json.loads(line) for line in found.stdout.splitlines())
    assert good["valid"] and good["functions"] >= 1
    assert (bad["valid"], bad["error"], bad["func_index"]) == (False, "InvalidModule", 0)
    assert bad["offset"] > 0 and found.returncode == 65


def test_validate_does_not_load_llvm() -> None:
    program = (
        "import sys, mvvm_aot; mvvm_aot.validate(b'\\0asm\\1\\0\\0\\0');"
        "sys.exit('llvmlite' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
