"""Lua from Debian's source packages -> WebAssembly modules.

The sources are compiled unpatched. wasm32-wasi has no setjmp: flags make errors abort in Lua 5.4
(hence no coroutines and no pcall in its script); in Lua 5.1, whose coroutines do without, an error
ends the script.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.migrate.sources import debian_source
from tests.programs.build import compile_c

HERE: Final = Path(__file__).resolve().parent / "lua"
HERE_51: Final = Path(__file__).resolve().parent / "lua51"
LEFT_OUT: Final = {"lua.c", "luac.c", "loslib.c", "liolib.c", "loadlib.c", "linit.c"}
COMMON: Final = ("-O2", "-fno-sanitize=undefined", "-Wl,--strip-debug")
FLAGS: Final = (
    *COMMON,
    "-DLUAI_THROW(L,c)=abort()",
    "-DLUAI_TRY(L,c,a)={a}",
    "-Dluai_jmpbuf=int",
    "-Dl_signalT=int",
    "-Dluai_makeseed(L)=42",
    "-Dl_randomizePivot()=42",
)


def build_lua(folder: Path) -> Path:
    """Fetch Lua and build it with the script inside; raises NoSources."""
    source = debian_source("lua5.4", folder) / "src"
    script = (HERE / "script.lua").read_bytes()
    (folder / "script.inc").write_text(",".join(map(str, script)))
    files = sorted(path for path in source.glob("*.c") if path.name not in LEFT_OUT)
    include = tuple(f"-I{place}" for place in (HERE, folder, source))
    return compile_c(
        [*files, HERE / "host.c"], folder / "lua.wasm", (*FLAGS, *include), "wasm32-wasi"
    )


def build_lua51(folder: Path) -> Path:
    """Fetch Lua 5.1 and build it with a driver that runs scripts by name; raises NoSources."""
    source = debian_source("lua5.1", folder) / "src"
    programs = {"lua.c", "luac.c", "print.c"}
    files = sorted(path for path in source.glob("*.c") if path.name not in programs)
    needs = ("-include", str(HERE_51 / "missing.h"), "-D_WASI_EMULATED_PROCESS_CLOCKS")
    flags = (*COMMON, *needs, f"-I{HERE_51}", f"-I{source}")
    return compile_c([*files, HERE_51 / "host.c"], folder / "lua51.wasm", flags, "wasm32-wasi")


def fetch_lua_tests(folder: Path) -> Path:
    """Return the folder of Lua 5.1's own test scripts, as another Lua's tests hold them.

    Raises NoSources.
    """
    return debian_source("golang-github-yuin-gopher-lua", folder) / "_lua5.1-tests"
