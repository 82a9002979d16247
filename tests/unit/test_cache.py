"""The cache: keys, atomic entries, eviction."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import wasmtime

from mvvm_aot import cache
from mvvm_aot.errors import SystemFailure, UsageError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MVVM_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_stored_is_found() -> None:
    assert cache.lookup("k" * 40) is None
    stored = cache.store("k" * 40, b"program", {"points": 3})
    found = cache.lookup("k" * 40)
    assert found == stored
    assert found.path.read_bytes() == b"program"
    assert os.access(found.path, os.X_OK)
    assert found.report == {"points": 3}


def test_keys_depend_on_everything() -> None:
    base = {"target": "x86_64", "opt_level": 2}
    keys = {
        cache.artifact_key(bytes(32), base),
        cache.artifact_key(b"\1" * 32, base),
        cache.artifact_key(bytes(32), base | {"opt_level": 3}),
        cache.artifact_key(bytes(32), base | {"cpu": None}),
    }
    assert len(keys) == 4
    assert cache.artifact_key(bytes(32), base) in keys


def test_a_damaged_entry_is_made_again(folder: Path) -> None:
    cache.store("key", b"one", {})
    (folder / "artifacts" / "key" / "report.json").write_text("{")
    assert cache.lookup("key") is None
    (folder / "artifacts" / "key" / "program").unlink()
    assert cache.store("key", b"two", {}).path.read_bytes() == b"two"
    assert cache.lookup("key") is not None


def test_the_least_recently_used_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MVVM_CACHE_SIZE", "250")
    for age, name in ((300, "old"), (200, "middle")):
        stored = cache.store(name, bytes(100), {})
        past = time.time() - age
        os.utime(stored.path.parent, (past, past))
    assert cache.lookup("old") is not None  # used: now the youngest
    cache.store("new", bytes(100), {})
    assert cache.lookup("middle") is None
    assert cache.lookup("old") is not None
    assert cache.lookup("new") is not None


def test_an_entry_larger_than_the_limit_stays_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MVVM_CACHE_SIZE", "10")
    assert cache.store("big", bytes(100), {}).path.exists()


def test_many_writers_of_one_key() -> None:
    errors: list[BaseException] = []

    def write(number: int) -> None:
        try:
            path = cache.store("same", b"%02d" % number * 1000, {"n": number}).path
            assert len(path.read_bytes()) == 2000
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    found = cache.lookup("same")
    assert found is not None
    assert found.path.read_bytes() == b"%02d" % found.report["n"] * 1000


def test_usage_and_clear(folder: Path) -> None:
    cache.store("key", bytes(100), {})
    (folder / "runtime-x").mkdir()
    usage = cache.usage()
    assert (usage.artifacts, usage.runtimes) == (1, 1)
    assert usage.size >= 100
    cache.clear()
    assert cache.usage().artifacts == 0
    cache.clear()


def test_bad_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MVVM_CACHE_SIZE", "2 GiB")
    with pytest.raises(UsageError, match="MVVM_CACHE_SIZE"):
        cache.size_limit()


def test_a_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MVVM_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(SystemFailure, match="write to the cache"):
        cache.store("key", b"", {})


def test_a_fingerprint_is_remembered_until_a_source_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MVVM_CACHE_DIR", str(tmp_path / "cache"))
    source = tmp_path / "compiler" / "a.py"
    source.parent.mkdir()
    source.write_text("1")
    (tmp_path / "stackmaps").mkdir()
    monkeypatch.setattr(cache, "PACKAGE", source.parent)
    fingerprint = cache.tool_fingerprint.__wrapped__
    first = fingerprint()
    (kept,) = (tmp_path / "cache").glob("fingerprint-*")
    with monkeypatch.context() as patch:
        patch.setattr(cache, "_read_fingerprint", lambda *_: pytest.fail("read again"))
        assert fingerprint() == first
    source.write_text("22")
    changed = fingerprint()
    assert changed != first
    kept.write_text("nonsense")
    assert fingerprint() == changed


@pytest.mark.parametrize("command", [["--help"], ["validate"], ["run"]])
def test_what_is_quick_imports_no_compiler(command: list[str], tmp_path: Path) -> None:
    module = tmp_path / "a.wasm"
    module.write_bytes(bytes(wasmtime.wat2wasm(QUICK)))
    arguments = command if command == ["--help"] else [*command, str(module)]
    script = (
        "import os, sys; from mvvm_aot.cli import main; sys.argv[1:] = " + repr(arguments) + "\n"
        "def show(*_): print(*sorted({m.partition('.')[0] for m in sys.modules})); sys.exit()\n"
        "os.execve = show\n"
        "try: main()\nexcept SystemExit: pass\nshow()\n"
    )
    for _ in range(2):  # the first run may translate
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    imported = set(done.stdout.split())
    assert "mvvm_aot" in imported, done.stderr
    assert not imported & {"llvmlite", "capstone", "elftools", "rich", "ziglang", "subprocess"}


QUICK = '(module (memory (export "memory") 1) (func (export "_start")))'
