"""CPUs: what LLVM knows of them, and executables on machines that lack something."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import wasmtime

from mvvm_aot.api import host_target
from mvvm_aot.cpus import FEATURES
from mvvm_aot.errors import UsageError
from mvvm_aot.pipeline import Options, compile_module, resolve_cpu
from mvvm_aot.places import cache_folder
from mvvm_aot.targets import TARGETS
from mvvm_aot.workers import Crew

WASM = bytes(wasmtime.wat2wasm('(module (memory (export "memory") 1) (func (export "_start")))'))


def needs(target: str, cpu: str | None) -> set[str]:
    with Crew() as crew:
        return set(resolve_cpu(crew, TARGETS[target], cpu).needs)


def test_llvm_tells_what_a_cpu_has() -> None:
    assert needs("x86_64", None) == {"sse3", "ssse3", "sse4.1", "sse4.2", "popcnt"}
    third = needs("x86_64", "x86-64-v3")
    assert third >= {"avx2", "bmi2", "fma", "lzcnt"} and not third & {"avx512f", "gfni"}
    more = {f"avx512{name}" for name in ("f", "bw", "cd", "dq", "vl")}
    assert needs("x86_64", "x86-64-v4") - third == more
    assert needs("aarch64", None) == {"fp-armv8", "neon"}
    assert {"sve", "lse", "bf16"} <= needs("aarch64", "neoverse-v1")


def test_the_tables_name_features_that_llvm_knows() -> None:
    """A feature that no CPU has is one that LLVM does not know."""
    everything = {
        "x86_64": ("sapphirerapids", "znver4", "bdver4", "arrowlake-s"),
        "aarch64": ("neoverse-v1", "apple-m1", "neoverse-v2", "ampere1b"),
    }
    for target, names in everything.items():
        found = set().union(*(needs(target, name) for name in names))
        assert set(FEATURES[target]) - found <= {"cx16", "sahf", "mops", "hbc", "f32mm", "f64mm"}


def test_a_cpu_that_does_not_exist() -> None:
    with pytest.raises(UsageError, match='LLVM knows no CPU "z80"'):
        compile_module(WASM, Options("x86_64", cpu="z80"), cache_folder())


def test_native_is_this_machines() -> None:
    target = host_target().name
    (other,) = set(TARGETS) - {target}
    with Crew() as crew:
        assert resolve_cpu(crew, TARGETS[target], "native").name != "native"
        with pytest.raises(UsageError, match="name a CPU"):
            resolve_cpu(crew, TARGETS[other], "native")


def run_on(
    target: str, cpu: str, executable: bytes, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run an executable on a CPU that the emulator plays."""
    emulator = shutil.which(TARGETS[target].qemu) or shutil.which(f"{TARGETS[target].qemu}-static")
    assert emulator is not None, f"{TARGETS[target].qemu} is needed: apt-get install qemu-user"
    program = folder / "program"
    program.write_bytes(executable)
    program.chmod(0o755)
    return subprocess.run([emulator, "-cpu", cpu, program], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("target", "cpu", "old", "missing"),
    [
        ("x86_64", "x86-64-v3", "Nehalem", "avx2"),
        ("aarch64", "neoverse-v1", "cortex-a53", "sve"),
    ],
)
def test_an_executable_says_what_the_machine_lacks(
    target: str, cpu: str, old: str, missing: str, tmp_path: Path
) -> None:
    data, _ = compile_module(WASM, Options(target, cpu=cpu), cache_folder())
    done = run_on(target, old, data, tmp_path)
    assert done.returncode == 71
    assert "this CPU lacks" in done.stderr and missing in done.stderr
    assert run_on(target, "max", data, tmp_path).returncode == 0


SWIZZLES = """(module
  (memory (export "memory") 1)
  (data (i32.const 0) "abcdefghijklmnop") (data (i32.const 256) "abcdefghijklmnop")
  (func (export "_start") (local $k i32)
    (loop $next
      (i8x16.swizzle (v128.load (i32.const 0)) (i8x16.add (i8x16.splat (local.get $k))
        (v128.const i8x16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)))
      (if (v128.any_true (v128.xor (v128.load (local.get $k)))) (then unreachable))
      (local.set $k (i32.add (local.get $k) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $k) (i32.const 256))))))"""


@pytest.mark.parametrize("opt_level", [0, 2])
def test_a_swizzle_needs_nothing_that_the_cpu_lacks(opt_level: int, tmp_path: Path) -> None:
    """Under the first x86-64: every lane number 0 to 255, in every lane."""
    options = Options("x86_64", cpu="x86-64", opt_level=opt_level)
    data, _ = compile_module(bytes(wasmtime.wat2wasm(SWIZZLES)), options, cache_folder())
    done = run_on("x86_64", "qemu64,-ssse3,-sse4.1", data, tmp_path)
    assert done.returncode == 0, done.stderr
