"""Programs that others wrote, built for wasm32-wasi with drivers of our own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from tests.migrate.sources import debian_source, npm_package
from tests.programs.build import compile_c, zig

HERE: Final = Path(__file__).resolve().parent / "real"
COMMON: Final = ("-O2", "-fno-sanitize=undefined", "-Wl,--strip-debug")
SQLITE: Final = (
    "-DSQLITE_THREADSAFE=0",
    "-DSQLITE_OMIT_LOAD_EXTENSION",
    "-D_WASI_EMULATED_GETPID",
    "-lwasi-emulated-getpid",
)


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
