"""Sources -> WebAssembly modules (zig cc for C, wasmtime's assembler for text)."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import Final

import wasmtime
import ziglang

from tests.programs.catalog import Program

SOURCES: Final = Path(__file__).resolve().parent


@cache
def zig() -> str:
    """Return the path of the zig binary that the `ziglang` package carries."""
    folders = list(ziglang.__path__)
    return str(Path(folders[0]) / "zig")


def compile_c(sources: list[Path], out: Path, flags: tuple[str, ...], target: str) -> Path:
    """Compile C with `zig cc`; raises with the compiler's output when it fails."""
    command = [zig(), "cc", f"--target={target}", *flags, "-o", str(out), *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stderr}")
    return out


def build_program(program: Program, folder: Path) -> Path:
    """Build `program` into `folder` and return the module's path."""
    out = folder / f"{program.name}.wasm"
    source = SOURCES / program.source
    if source.suffix == ".wat":
        out.write_bytes(wasmtime.wat2wasm(source.read_text()))
        return out
    return compile_c([source], out, program.flags, "wasm32-wasi")
