"""Artifacts by content: a folder of executables and compiled runtimes that never goes stale.

Layout, below ``MVVM_CACHE_DIR`` or the user's cache folder:

    artifacts/<key>/program     an executable (or another artifact)
    artifacts/<key>/report.json what was found out while it was made
    runtime-<target>-<key>/     the runtime's objects (link.py)
    fingerprint-<place>         the hash of the compiler at that place, and what it was made of

A key is the hash of all that the artifact depends on: the module, every option, and the sources
of the compiler and the runtime themselves, so a changed compiler never meets its old output.
Entries are written beside and renamed; any number of processes may read and write at once. The
least recently used artifacts go when there is more than ``MVVM_CACHE_SIZE`` bytes (2 GiB).
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .errors import SystemFailure, UsageError
from .places import PACKAGE, cache_folder, find_runtime

DEFAULT_SIZE: Final = 2 << 30
_PROGRAM: Final = "program"
_REPORT: Final = "report.json"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A cached file and the report that belongs to it."""

    path: Path
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """What the cache holds."""

    folder: Path
    artifacts: int
    runtimes: int
    size: int
    limit: int


def size_limit() -> int:
    """Return how many bytes of artifacts to keep. Raises UsageError for a bad variable."""
    text = os.environ.get("MVVM_CACHE_SIZE")
    if not text:
        return DEFAULT_SIZE
    if not text.isdecimal():
        raise UsageError(f'MVVM_CACHE_SIZE is "{text}", not a number of bytes')
    return int(text)


@functools.cache
def tool_fingerprint() -> str:
    """Return a hash of the sources of compiler and runtime, and of the libraries' versions.

    It is kept in the cache's folder, with sizes and times of all that it was made of: as long as
    these are the same, nothing is read.
    """
    folders = (PACKAGE, PACKAGE.parent / "stackmaps", find_runtime())
    sources = [found for folder in folders for found in _sources(str(folder))]
    state = hashlib.sha256()
    for path, facts in sorted(sources):
        state.update(f"{path}\0{facts.st_size} {facts.st_mtime_ns} {facts.st_ino}\0".encode())
    for library in _LIBRARIES:
        state.update(f"{library} {_library_state(library)}\0".encode())
    known = cache_folder() / f"fingerprint-{hashlib.sha256(bytes(PACKAGE)).hexdigest()[:16]}"
    try:
        remembered, _, fingerprint = known.read_text().partition(" ")
    except (OSError, ValueError):
        remembered = fingerprint = ""
    if remembered == state.hexdigest() and len(fingerprint) == 64:
        return fingerprint
    fingerprint = _read_fingerprint(folders, [path for path, _ in sources])
    with contextlib.suppress(OSError):  # it is only slower without
        known.parent.mkdir(parents=True, exist_ok=True)
        scratch = known.with_name(f".{known.name}.{os.getpid()}")
        scratch.write_text(f"{state.hexdigest()} {fingerprint}")
        scratch.replace(known)
    return fingerprint


_LIBRARIES: Final = ("llvmlite", "ziglang", "capstone")
_SOURCES: Final = (".py", ".c", ".h", ".S")


def _sources(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the source files below a folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(_SOURCES):
                yield entry.path, entry.stat()
            elif entry.is_dir() and entry.name != "__pycache__":
                yield from _sources(entry.path)


def _library_state(library: str) -> str:
    """Return what changes when another version of a library is installed."""
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec(library)
    if spec is None or spec.origin is None:
        return "unknown"
    facts = os.stat(spec.origin)
    return f"{spec.origin} {facts.st_size} {facts.st_mtime_ns} {facts.st_ino}"


def _read_fingerprint(folders: Iterable[Path], paths: Iterable[str]) -> str:
    """Return the hash of what the sources contain, wherever they are."""
    from importlib.metadata import PackageNotFoundError, version

    digest = hashlib.sha256()
    for path in sorted(map(Path, paths)):
        (folder,) = (folder for folder in folders if path.is_relative_to(folder))
        name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
        digest.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    for library in _LIBRARIES:
        try:
            digest.update(f"{library} {version(library)}\0".encode())
        except PackageNotFoundError:
            digest.update(f"{library} unknown\0".encode())
    return digest.hexdigest()


@functools.cache
def host_cpu() -> str:
    """Return what tells this machine's CPU from others, without asking LLVM for its name."""
    wanted = {"vendor_id", "cpu family", "model", "flags", "Features"}
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            text = file.read(1 << 16).partition("\n\n")[0]
    except OSError:
        return os.uname().nodename
    lines = [
        line
        for line in text.splitlines()
        if line.partition("\t")[0].partition(":")[0].strip() in wanted or line.startswith("CPU ")
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def artifact_key(module_sha256: bytes, options: Mapping[str, Any]) -> str:
    """Return the key of what these options make of a module."""
    parts = {"module": module_sha256.hex(), "tool": tool_fingerprint(), "options": dict(options)}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:40]


def lookup(key: str) -> Artifact | None:
    """Return an artifact if it is there, and mark it as used."""
    folder = cache_folder() / "artifacts" / key
    try:
        report = json.loads((folder / _REPORT).read_text())
        os.utime(folder)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return None  # unreadable or half gone: made again
    path = folder / _PROGRAM
    return Artifact(path, report) if path.is_file() else None


def store(key: str, data: bytes, report: Mapping[str, Any]) -> Artifact:
    """Put an artifact into the cache, executable. Raises SystemFailure."""
    import shutil
    import tempfile

    base = cache_folder() / "artifacts"
    folder = base / key
    try:
        base.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=base, prefix=".new-"))
        try:
            (scratch / _PROGRAM).write_bytes(data)
            (scratch / _PROGRAM).chmod(0o755)
            (scratch / _REPORT).write_text(json.dumps(report))
            _publish(scratch, folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise SystemFailure.from_os_error("write to the cache", error) from error
    _evict(base, folder, size_limit())
    return Artifact(folder / _PROGRAM, report)


def _publish(scratch: Path, folder: Path) -> None:
    """Rename a finished folder into place; one that another process put there is as good."""
    import shutil

    for _ in range(3):
        try:
            scratch.rename(folder)
            return
        except OSError:
            if (folder / _PROGRAM).is_file() and (folder / _REPORT).is_file():
                return
            shutil.rmtree(folder, ignore_errors=True)  # half gone
    scratch.rename(folder)


def _size(folder: Path) -> int:
    """Return the bytes of a folder's files; what vanishes meanwhile counts nothing."""
    total = 0
    for path in folder.iterdir():
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total


def _entries(base: Path) -> list[tuple[float, int, Path]]:
    """Return (last use, size, folder) of each artifact, oldest first."""
    found = []
    for folder in base.iterdir() if base.is_dir() else ():
        try:
            found.append((folder.stat().st_mtime, _size(folder), folder))
        except (FileNotFoundError, NotADirectoryError):
            continue
    return sorted(found)


def _evict(base: Path, keep: Path, limit: int) -> None:
    """Remove the least recently used artifacts until the rest fits; ``keep`` stays."""
    import shutil

    entries = _entries(base)
    total = sum(size for _, size, _ in entries)
    for _, size, folder in entries:
        if total <= limit:
            return
        if folder != keep and not folder.name.startswith("."):
            shutil.rmtree(folder, ignore_errors=True)
            total -= size


def usage() -> Usage:
    """Return what the cache holds."""
    base = cache_folder()
    entries = _entries(base / "artifacts")
    runtimes = [path for path in base.glob("runtime-*") if path.is_dir()]
    size = sum(size for _, size, _ in entries) + sum(_size(path) for path in runtimes)
    return Usage(base, len(entries), len(runtimes), size, size_limit())


def clear() -> None:
    """Remove everything from the cache. Raises SystemFailure."""
    import shutil

    base = cache_folder()
    targets = [base / "artifacts", *base.glob("runtime-*"), *base.glob(".building-*")]
    fingerprints = list(base.glob("fingerprint-*"))
    try:
        for path in targets:
            if path.is_dir():
                shutil.rmtree(path)
        for path in fingerprints:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise SystemFailure.from_os_error("clear the cache", error) from error
