"""Translated programs, built side by side in worker processes, and how they are run here."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import mvvm_aot
from mvvm_aot.api import find_emulator
from mvvm_aot.targets import target_by_name
from tests.programs.build import build_program
from tests.programs.catalog import Program

ISAS: Final = ("x86_64", "aarch64")
TIME_LIMIT: Final = 120.0
# Thousands of snapshots need not outlive a power failure; runs that are not moved go on beneath
# the moments that were saved and change their files.
FOR_TESTS: Final = {"MVVM_SYNC": "0", "MVVM_ALLOW_CHANGED_FILES": "1"}


def other_isa(isa: str) -> str:
    """Return the ISA that a program moves to from `isa`."""
    return ISAS[1 - ISAS.index(isa)]


@dataclass(frozen=True, slots=True)
class Variant:
    """How a module is translated."""

    isa: str
    opt_level: int = 2
    cpu: str | None = None
    migration: bool = True


def variant_for(program: Program, isa: str) -> Variant:
    """Return how a program is translated for an ISA where nothing else is said."""
    return Variant(isa, cpu=program.x86_cpu if isa == "x86_64" else None)


def translate(wasm: Path, variant: Variant) -> Path:
    """Translate through the cache; a function of this module, so that workers can be given it."""
    result = mvvm_aot.compile(
        wasm,
        target=variant.isa,
        opt_level=variant.opt_level,
        cpu=variant.cpu,
        migration=variant.migration,
    )
    return result.path


class Builder:
    """Builds modules at once and translates them in the background, each variant once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._modules: dict[str, Path] = {}
        self._jobs: dict[tuple[Path, Variant], Future[Path]] = {}
        self._pool = ProcessPoolExecutor(os.cpu_count() or 1)

    def module(self, program: Program) -> Path:
        """Return the path of a program's WebAssembly module."""
        if program.name not in self._modules:
            self._modules[program.name] = build_program(program, self.folder)
        return self._modules[program.name]

    def order(self, wasm: Path, variants: Iterable[Variant]) -> None:
        """Have a module translated soon."""
        for variant in variants:
            if (wasm, variant) not in self._jobs:
                self._jobs[wasm, variant] = self._pool.submit(translate, wasm, variant)

    def executable(self, wasm: Path, variant: Variant) -> Path:
        """Return the executable of a module, waiting for it; raises what its translation raised."""
        self.order(wasm, [variant])
        return self._jobs[wasm, variant].result()

    def close(self) -> None:
        """Drop what nobody has waited for."""
        self._pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run left behind."""

    status: int
    stdout: bytes
    stderr: str


def command_line(exe: Path, isa: str, program: Program) -> list[str]:
    """Return the arguments of a run on this machine, emulated if it must be.

    The guest sees the program's name as its first argument on every ISA: it ends up in its memory.
    """
    emulator = find_emulator(target_by_name(isa))
    if emulator is None:
        return [program.name, *program.args]
    return [emulator, "-0", program.name, str(exe), *program.args]


def spawn(
    exe: Path,
    isa: str,
    program: Program,
    variables: Mapping[str, str],
    *,
    stdin: int | IO[bytes],
    stdout: int | IO[bytes],
    stderr: int | IO[bytes] = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start `exe` with the program's arguments and environment and the given MVVM_ variables."""
    stack = {"MVVM_STACK_SIZE": str(program.stack_size)} if program.stack_size else {}
    return subprocess.Popen(
        command_line(exe, isa, program),
        executable=find_emulator(target_by_name(isa)) or exe,
        env={**dict(program.env), **stack, **FOR_TESTS, **variables},
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
    )


def run(
    exe: Path,
    isa: str,
    program: Program,
    folder: Path,
    variables: Mapping[str, str],
    *,
    tag: str = "run",
    stdin_at: int = 0,
) -> Finished:
    """Run to the end with regular files as standard input (from `stdin_at` on) and output."""
    source, sink = folder / "stdin", folder / f"{tag}.out"
    if not source.exists():
        source.write_bytes(program.stdin)
    with source.open("rb") as stdin, sink.open("wb+") as stdout:
        stdin.seek(stdin_at)
        process = spawn(exe, isa, program, variables, stdin=stdin, stdout=stdout)
        try:
            _, errors = process.communicate(timeout=TIME_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        stdout.seek(0)
        return Finished(process.returncode, stdout.read(), errors.decode(errors="replace"))
