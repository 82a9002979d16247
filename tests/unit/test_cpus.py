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
    emulator = shutil.which(TARGETS[target].qemu) or shutil.which(f"{TARGETS[target].qemu}-static")
    assert emulator is not None, f"{TARGETS[target].qemu} is needed: apt-get install qemu-user"
    program = tmp_path / "program"
    data, _ = compile_module(WASM, Options(target, cpu=cpu), cache_folder())
    program.write_bytes(data)
    program.chmod(0o755)
    done = subprocess.run([emulator, "-cpu", old, program], capture_output=True, text=True)
    assert done.returncode == 71
    assert "this CPU lacks" in done.stderr and missing in done.stderr
    assert subprocess.run([emulator, "-cpu", "max", program], check=False).returncode == 0
