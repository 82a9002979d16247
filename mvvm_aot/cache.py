"""Artifacts by content: a folder of executables and compiled runtimes that never goes stale.

Layout, below ``MVVM_CACHE_DIR`` or the user's cache folder:

    artifacts/<key>/program     an executable (or another artifact)
    artifacts/<key>/report.json what was found out while it was made
    runtime-<target>-<key>/     the runtime's objects (link.py)

A key is the hash of all that the artifact depends on: the module, every option, and the sources
of the compiler and the runtime themselves, so a changed compiler never meets its old output.
Entries are written beside and renamed; any number of processes may read and write at once. The
least recently used artifacts go when there is more than ``MVVM_CACHE_SIZE`` bytes (2 GiB).
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .errors import SystemFailure, UsageError

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


def cache_folder() -> Path:
    """Return the cache's folder; it need not exist yet."""
    override = os.environ.get("MVVM_CACHE_DIR")
    if override:
        return Path(override).absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("mvvm-aot", appauthor=False))


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
    """Return a hash of the sources of compiler and runtime, and of the libraries' versions."""
    from importlib.metadata import PackageNotFoundError, version

    from .link import find_runtime

    package = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    folders = (package, package.parent / "stackmaps", find_runtime())
    suffixes = (".py", ".c", ".h", ".S")
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.suffix in suffixes):
            name = path.relative_to(folder).as_posix()
            digest.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    for library in ("llvmlite", "ziglang", "capstone"):
        try:
            digest.update(f"{library} {version(library)}\0".encode())
        except PackageNotFoundError:
            digest.update(f"{library} unknown\0".encode())
    return digest.hexdigest()


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
    base = cache_folder()
    targets = [base / "artifacts", *base.glob("runtime-*"), *base.glob(".building-*")]
    try:
        for path in targets:
            if path.is_dir():
                shutil.rmtree(path)
    except OSError as error:
        raise SystemFailure.from_os_error("clear the cache", error) from error
