"""Lua 5.4 from Debian's source package -> a WebAssembly module.

The sources are compiled unpatched: flags make Lua's errors abort, since
wasm32-wasi has no setjmp (hence no coroutines and no pcall in the script).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.migrate.sources import debian_source
from tests.programs.build import compile_c

HERE: Final = Path(__file__).resolve().parent / "lua"
LEFT_OUT: Final = {"lua.c", "luac.c", "loslib.c", "liolib.c", "loadlib.c", "linit.c"}
FLAGS: Final = (
    "-O2",
    "-fno-sanitize=undefined",
    "-Wl,--strip-debug",
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
