"""Where C sources come from: this folder, Debian's source packages, the npm registry.

What is fetched stays in a folder that the caller keeps, so a registry is asked once.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.migrate import lua_build, real_builds
from tests.migrate.sources import debian_source, npm_package

HERE: Final = Path(__file__).resolve().parent / "programs"
SCRIPTS: Final = ("fib", "strings", "sort", "bodies")
SQLITE: Final = ("better-sqlite3", "13.2.0")
BZIP2: Final = ("blocksort", "huffman", "crctable", "randtable", "compress", "decompress", "bzlib")


@dataclass(frozen=True, slots=True)
class Sources:
    """C files, flags for every target, more flags for WebAssembly, and what all of it reads."""

    files: tuple[Path, ...]
    flags: tuple[str, ...] = ()
    wasm_flags: tuple[str, ...] = ()
    headers: tuple[Path, ...] = ()

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Every file whose change asks for another build."""
        return (*self.files, *self.headers)


def own_sources(group: str, name: str, _folder: Path) -> Sources:
    """Return the sources of programs/GROUP/NAME.c."""
    headers = (HERE / "run.h", *sorted((HERE / group).glob("*.h")))
    return Sources((HERE / group / f"{name}.c",), ("-lm",), (), headers)


def _kept(folder: Path, fetch: Callable[[Path], Path]) -> Path:
    """Return where fetched sources are, from an earlier time if they are complete."""
    mark = folder / "complete"
    if not mark.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        mark.write_text(str(fetch(folder)))
    return Path(mark.read_text())


def sqlite_sources(folder: Path) -> Sources:
    """SQLite's one C file with a driver of ours. Raises NoSources."""
    package = _kept(folder / "sqlite", lambda place: npm_package(*SQLITE, place))
    source = package / "deps" / "sqlite3"
    emulated = tuple(flag for flag in real_builds.SQLITE if "emulated" in flag.lower())
    flags = tuple(flag for flag in real_builds.SQLITE if flag not in emulated)
    files = (HERE / "real" / "sqlite.c", source / "sqlite3.c")
    return Sources(files, (*flags, f"-I{source}", "-lm"), emulated, (HERE / "run.h",))


def bzip2_sources(folder: Path) -> Sources:
    """libbz2 with a driver of ours. Raises NoSources."""
    source = _kept(folder / "bzip2", lambda place: debian_source("bzip2", place))
    files = (HERE / "real" / "bzip2.c", *(source / f"{name}.c" for name in BZIP2))
    return Sources(files, ("-DBZ_NO_STDIO", f"-I{source}"), (), (HERE / "run.h",))


def lua_sources(folder: Path) -> Sources:
    """Lua 5.4 with our scripts inside. Raises NoSources."""
    source = _kept(folder / "lua", lambda place: debian_source("lua5.4", place)) / "src"
    listing = folder / "lua" / "scripts.inc"
    listing.write_text(_embed_scripts())
    files = [path for path in source.glob("*.c") if path.name not in lua_build.LEFT_OUT]
    definitions = tuple(flag for flag in lua_build.FLAGS if flag.startswith("-D"))
    places = (lua_build.HERE, listing.parent, source)
    flags = (*definitions, *(f"-I{place}" for place in places), "-lm")
    return Sources((*sorted(files), HERE / "real" / "lua.c"), flags, (), (listing,))


def _embed_scripts() -> str:
    """Return the scripts as rows of a C array: {name, text, size}."""
    rows = []
    for name in SCRIPTS:
        text = (HERE / "real" / f"{name}.lua").read_bytes()
        codes = ",".join(map(str, text))
        rows.append(f'{{"{name}", (const char[]){{{codes},0}}, {len(text)}}},')
    return "\n".join([*rows, "{0}"]) + "\n"
