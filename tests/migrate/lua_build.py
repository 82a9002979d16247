"""Lua 5.4 from Debian's source package -> a WebAssembly module.

The sources come through apt with lists and a cache of their own, so neither root nor a change of
the machine's settings is needed. They are compiled unpatched: flags make Lua's errors abort, since
wasm32-wasi has no setjmp (hence no coroutines and no pcall in the script).
"""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path
from typing import Final

from tests.programs.build import compile_c

HERE: Final = Path(__file__).resolve().parent / "lua"
LEFT_OUT: Final = {"lua.c", "luac.c", "loslib.c", "liolib.c", "loadlib.c", "linit.c"}
KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
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


class NoSources(RuntimeError):
    """Debian's source package cannot be had; the message says what was tried."""


def _ask(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoSources(f"{' '.join(command)}: {error}") from error
    if done.returncode != 0:
        raise NoSources(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _archive(folder: Path) -> tuple[str, str]:
    """Return the Debian archive and the release that this machine's apt uses."""
    form = "$(COMPONENT)|$(REPO_URI)|$(RELEASE)"
    listing = _ask(["apt-get", "indextargets", "--format", form, "Created-By: Packages"], folder)
    for line in listing.splitlines():
        component, uri, release = line.split("|")
        if component == "main" and "-" not in release:
            return uri, release
    raise NoSources("apt-get indextargets names no archive with a component called main")


def fetch(folder: Path) -> Path:
    """Download and unpack the source package; return the folder of Lua's C files."""
    uri, release = _archive(folder)
    state, sources = folder / "apt", folder / "sources.list"
    for name in ("lists/partial", "cache/archives/partial"):
        (state / name).mkdir(parents=True, exist_ok=True)
    signed = f" [signed-by={KEYRING}]" if KEYRING.exists() else ""
    sources.write_text(f"deb-src{signed} {uri} {release} main\n")
    options = [
        f"Dir::Etc::sourcelist={sources}",
        "Dir::Etc::sourceparts=/dev/null",
        f"Dir::State::lists={state / 'lists'}",
        f"Dir::Cache={state / 'cache'}",
        "APT::Sandbox::User=root",
    ]
    apt = ["apt-get", *(f"-o{option}" for option in options)]
    _ask([*apt, "update"], folder)
    _ask([*apt, "source", "--download-only", "lua5.4"], folder)
    (archive,) = folder.glob("lua5.4_*.orig.tar.*")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    (found,) = folder.glob("lua-5.4*/src")
    return found


def build_lua(folder: Path) -> Path:
    """Fetch Lua and build it with the script inside; raises NoSources."""
    source = fetch(folder)
    script = (HERE / "script.lua").read_bytes()
    (folder / "script.inc").write_text(",".join(map(str, script)))
    files = sorted(path for path in source.glob("*.c") if path.name not in LEFT_OUT)
    include = tuple(f"-I{place}" for place in (HERE, folder, source))
    return compile_c(
        [*files, HERE / "host.c"], folder / "lua.wasm", (*FLAGS, *include), "wasm32-wasi"
    )
