"""Linking: the runtime's key, errors of tools, objects that are changed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mvvm_aot import link
from mvvm_aot.errors import LinkError
from mvvm_aot.proof import undefine_symbols
from mvvm_aot.targets import AARCH64, TARGETS, X86_64, Target


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the runtime's sources, in use."""
    copy = tmp_path / "runtime"
    shutil.copytree(link.find_runtime(), copy)
    monkeypatch.setattr(link, "find_runtime", lambda: copy)
    return copy


def test_the_key_depends_on_sources_target_and_flags(sources: Path) -> None:
    first = link.runtime_key(sources, X86_64)
    assert link.runtime_key(sources, X86_64) == first
    assert link.runtime_key(sources, AARCH64) != first
    assert link.runtime_key(sources, X86_64, ["-g"]) != first
    header = next((sources / "include").glob("*.h"))
    header.write_text(header.read_text() + "\n")
    assert link.runtime_key(sources, X86_64) != first


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: str(target.name))
def test_every_target_has_the_same_files(target: Target) -> None:
    names = {path.name for path in (link.find_runtime() / "arch" / target.name).iterdir()}
    other = {path.name for path in (link.find_runtime() / "arch" / "x86_64").iterdir()}
    assert names == other


def test_a_broken_source_is_a_link_error(sources: Path, tmp_path: Path) -> None:
    for path in (sources / "src").glob("*.c"):
        path.unlink()
    (sources / "src" / "broken.c").write_text("int f(void) { return nobody; }\n")
    with pytest.raises(LinkError, match="nobody"):
        link.build_runtime(X86_64, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_tool_that_fails_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match=r"no\.c"):
        link.run_tool([link.find_zig(), "cc", "no.c"], tmp_path)


def make_object(folder: Path, source: str) -> bytes:
    (folder / "a.c").write_text(source)
    command = [link.find_zig(), "cc", "-target", "x86_64-linux-musl", "-O1", "-c", "a.c"]
    subprocess.run([*command, "-o", "a.o"], cwd=folder, check=True)
    return (folder / "a.o").read_bytes()


def test_an_undefined_symbol_is_taken_from_another_object(tmp_path: Path) -> None:
    first = make_object(
        tmp_path,
        "__attribute__((noinline)) int answer(void) { return 1; }"
        "int main(void) { return answer(); }",
    )
    second = make_object(tmp_path, "int answer(void) { return 42; }")
    (tmp_path / "first.o").write_bytes(undefine_symbols(first, {"answer"}))
    (tmp_path / "second.o").write_bytes(second)
    command = [link.find_zig(), "cc", "-target", "x86_64-linux-musl", *link.LINK_FLAGS]
    done = subprocess.run(
        [*command, "first.o", "second.o", "-o", "program"], cwd=tmp_path, check=False
    )
    assert done.returncode == 0
    symbols = link.merge_objects([undefine_symbols(first, {"answer"}), second], X86_64)
    assert symbols[:4] == b"\x7fELF"


def test_nothing_to_undefine_changes_nothing(tmp_path: Path) -> None:
    data = make_object(tmp_path, "int answer(void) { return 1; }")
    assert undefine_symbols(data, set()) is data
