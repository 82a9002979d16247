"""A program whose snapshot is fuzzed, natively built and under sanitizers where gcc is here."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import wasmtime

from mvvm_aot import pipeline
from mvvm_aot.api import host_target
from mvvm_aot.describe import describe_modules
from mvvm_aot.link import find_runtime, include_flags, link_executable, runtime_sources
from mvvm_aot.places import cache_folder
from mvvm_aot.plan import plan_points
from mvvm_aot.progress import Silence
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.validate import validate_module
from mvvm_aot.wasmparser.validated import ValidatedModule

# Frames with locals and operands of several types, a table, a global, segments, used memory.
WAT = """
(module
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (memory (export "memory") 1 4)
  (table 2 5 funcref)
  (elem (i32.const 0) $deep)
  (global $sum (mut i64) (i64.const 7))
  (data "passive")
  (func $deep (param $n i32) (param $x f64) (result f64) (local $y i64) (local $z f32)
    (local.set $y (i64.const 99))
    (local.set $z (f32.const 0.25))
    (i32.const 5)
    (if (local.get $n)
      (then (local.set $x (call_indirect (param i32 f64) (result f64)
        (i32.sub (local.get $n) (i32.const 1)) (f64.const 2.5) (i32.const 0)))))
    (loop $again
      (drop (call $yield))
      (global.set $sum (i64.add (global.get $sum) (local.get $y)))
      (br_if $again (i32.lt_u (local.get $n) (i32.const 1000000))))
    (drop)
    (f64.add (local.get $x) (f64.promote_f32 (local.get $z))))
  (func (export "_start")
    (i32.store (i32.const 64) (i32.const 42))
    (drop (call $deep (i32.const 3) (f64.const 1.5)))))
"""
SNAPSHOT_AT = 20  # the leave at which the snapshot is taken
DONE = {0, 66, 71, 75, 134}  # what a reader may answer, whatever it is given


@dataclass(frozen=True, slots=True)
class Subject:
    """What is fuzzed."""

    module: ValidatedModule
    program: Path
    sanitized: bool
    snapshot: bytes
    folder: Path

    def restore(self, data: bytes) -> subprocess.CompletedProcess[bytes]:
        """Let the C reader go on from a file, for two leaves at most."""
        path = self.folder / "mutant.snap"
        path.write_bytes(data)
        return self.restore_file(path)

    def restore_file(self, path: Path) -> subprocess.CompletedProcess[bytes]:
        """Let the C reader go on from ``path``."""
        variables = {
            "MVVM_RESTORE": str(path),
            "MVVM_SNAPSHOT": str(self.folder / "again.snap"),
            "MVVM_TEST_LEAVE_AT": "2",
            "MVVM_TEST_POISON": "1",
        }
        return run(self.program, self.folder, variables)


def run(
    program: Path, folder: Path, variables: dict[str, str]
) -> subprocess.CompletedProcess[bytes]:
    """Run a program with nothing but these variables."""
    # A sanitizer's report must not look like an answer.
    options = {"ASAN_OPTIONS": "exitcode=99:detect_leaks=0", "UBSAN_OPTIONS": "halt_on_error=1"}
    return subprocess.run(
        [program],
        cwd=folder,
        env=options | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


def build_subject(folder: Path) -> Subject:
    """Translate the program, link it, and take the snapshot."""
    target = host_target()
    module = validate_module(decode_module(bytes(wasmtime.wat2wasm(WAT))))
    options = pipeline.Options(target.name)
    translation = pipeline.translate(module, plan_points(module), target, options, Silence())
    objects = [code.data for code in translation.codes]
    source, files = describe_modules([pipeline.describe(translation)])
    program = folder / "program"
    sanitized = shutil.which("gcc") is not None and os.uname().machine in target.machines
    if sanitized:
        sanitized = _link_sanitized(folder, objects, source, files)
    if not sanitized:
        program.write_bytes(link_executable(objects, source, files, target, cache_folder()))
        program.chmod(0o755)
    snapshot = folder / "first.snap"
    variables = {"MVVM_SNAPSHOT": str(snapshot), "MVVM_TEST_LEAVE_AT": str(SNAPSHOT_AT)}
    done = run(program, folder, variables | {"GUEST": "variable"})
    assert done.returncode == 75, done
    return Subject(module, program, sanitized, snapshot.read_bytes(), folder)


def _link_sanitized(
    folder: Path, objects: list[bytes], source: str, files: dict[str, bytes]
) -> bool:
    """Link with gcc's sanitizers; False where its libraries are missing."""
    target, runtime = host_target(), find_runtime()
    probe = ["gcc", "-fsanitize=address,undefined", "-x", "c", "-", "-o", "probe"]
    text = b"int main(void) { return 0; }"
    if subprocess.run(probe, cwd=folder, input=text, capture_output=True, check=False).returncode:
        return False
    (folder / "module.c").write_text(source)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    names = [f"code{number}.o" for number in range(len(objects))]
    for name, data in zip(names, objects, strict=True):
        (folder / name).write_bytes(data)
    sources = map(str, runtime_sources(runtime, target))
    command = ["gcc", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-no-pie"]
    command += ["-pthread", "-std=gnu11", "-D_GNU_SOURCE=", "-g", "-O1"]
    command += include_flags(runtime, target)
    command += ["module.c", *names, *sources, "-o", "program"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return True
