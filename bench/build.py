"""Programs -> what is run: native executables, WebAssembly modules, translations of them.

Everything is kept in one folder under names that hold a digest of sources and flags, so a second
measurement builds only what has changed.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import mvvm_aot
from bench.programs import Build, Program
from bench.wasmtime_runner import precompile
from mvvm_aot.api import CompileResult, host_target
from mvvm_aot.link import find_zig, zig_version

FLAGS: Final = ("-O3", "-fno-sanitize=undefined", "-w")
WASM_FLAGS: Final = (*FLAGS, "-Wl,--strip-debug")
# Without it, results differ from WebAssembly's on CPUs that multiply and add at once.
NATIVE_FLAGS: Final = (*FLAGS, "-ffp-contract=off")


def native_target() -> str:
    """Return zig's name of this machine with the C library that its own programs use."""
    target = host_target()
    return target.zig_target.replace("musl", "gnu") if _has_glibc() else target.zig_target


def _has_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"


class Builder:
    """Builds each program for each column, at most once."""

    def __init__(
        self,
        folder: Path,
        *,
        cpu: str | None = None,
        opt_level: int = 2,
        wasm_flags: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.wasm_flags = tuple(wasm_flags)  # in addition to WASM_FLAGS
        self.cpu = cpu  # as in `mvvm-aot compile --cpu`; None: the target's default
        self.opt_level = opt_level
        folder.mkdir(parents=True, exist_ok=True)

    def wasm(self, build: Build) -> Path:
        """Return the module; raises NoSources where its sources cannot be had."""
        return self._compile(build, "wasm", (*zig_cc("wasm32-wasi"), *WASM_FLAGS, *self.wasm_flags))

    def native(self, build: Build) -> Path:
        """Return `zig cc -O3`'s executable for the CPU that translations are made for."""
        cpu = (self.cpu or host_target().cpu).replace("-", "_")
        compiler = (*zig_cc(native_target()), *NATIVE_FLAGS, f"-mcpu={cpu}")
        return self._compile(build, "native", compiler)

    def clang(self, build: Build) -> Path:
        """Return the executable of the clang that is installed here."""
        march = f"-march={self.cpu or host_target().cpu}"
        return self._compile(build, "clang", (str(shutil.which("clang")), *NATIVE_FLAGS, march))

    def translate(self, build: Build, *, migration: bool) -> CompileResult:
        """Return mvvm-aot's translation, from its cache if nothing has changed."""
        return mvvm_aot.compile(
            self.wasm(build),
            target=host_target().name,
            opt_level=self.opt_level,
            cpu=self.cpu,
            migration=migration,
        )

    def wasmtime(self, build: Build) -> Path:
        """Return the module as wasmtime has compiled it, ready to be loaded."""
        wasm = self.wasm(build)
        out = wasm.with_suffix(".cwasm")
        if not out.exists():
            precompile(wasm, out)
        return out

    def _compile(self, build: Build, kind: str, compiler: tuple[str, ...]) -> Path:
        sources = build.fetch(self.folder / "sources")
        flags = (*sources.flags, *(sources.wasm_flags if kind == "wasm" else ()))
        key = hashlib.sha256(repr((compiler, flags, zig_version())).encode())
        for path in sources.inputs:
            key.update(path.read_bytes())
        out = self.folder / f"{build.name}.{key.hexdigest()[:16]}.{kind}"
        if not out.exists():
            scratch = out.with_name(out.name + ".new")
            compile_c([*compiler, *map(str, sources.files), *flags], scratch)
            scratch.rename(out)
        return out


def zig_cc(target: str) -> tuple[str, ...]:
    """Return the command of zig's C compiler for a target."""
    return (find_zig(), "cc", f"--target={target}")


def compile_c(command: list[str], out: Path) -> None:
    """Run a C compiler; raises RuntimeError with its output when it fails."""
    command = [*command, "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stderr}")


def command_of(program: Program, executable: Path, size: str) -> list[str]:
    """Return the command that runs a program at a size."""
    return [str(executable), *program.arguments(size)]
