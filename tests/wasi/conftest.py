"""The harness, built once under the sanitizers, and a directory tree with a way out to try."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .guests import HarnessGuest

RUNTIME = Path(__file__).resolve().parents[2] / "runtime"
SOURCES = ("wasi_*.c", "os_file.c", "os_path.c", "os_socket.c")
FLAGS = ("-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")

StartGuest = Callable[..., HarnessGuest]
Move = Callable[..., HarnessGuest]


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the harness as an executable of this machine, under the sanitizers."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.fail("needs gcc or clang for the sanitizers")
    out = tmp_path_factory.mktemp("harness") / "harness"
    files = [path for pattern in SOURCES for path in sorted((RUNTIME / "src").glob(pattern))]
    subprocess.run(
        [compiler, *FLAGS, *SANITIZERS, f"-I{RUNTIME / 'include'}", f"-I{RUNTIME / 'src'}",
         str(Path(__file__).with_name("harness.c")), *map(str, files), "-o", str(out)],
        check=True,
    )  # fmt: skip
    return out


def make_tree(base: Path) -> Path:
    """Make `base/root` with files, directories and links, and `base/secret` outside of it."""
    root = base / "root"
    (root / "dir" / "sub").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "file").write_text("hello world")
    (root / "dir" / "inner").write_text("inner")
    (base / "secret").write_text("secret")
    for name, target in {
        "ln": "file",
        "ld": "dir",
        "dangling": "nowhere",
        "loop1": "loop2",
        "loop2": "loop1",
        "out": "../secret",
        "outdir": "..",
        "absolute": "/etc/passwd",
        "dir/up": "../file",
        "dir/out": "../../secret",
        "dir/sub/far": "../../ld/../file",
    }.items():
        (root / name).symlink_to(target)
    return root


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree")


@pytest.fixture
def start(harness: Path) -> Iterator[StartGuest]:
    """Return a function that starts harness processes, which end with the test."""
    with ExitStack() as stack:

        def start_guest(**options: object) -> HarnessGuest:
            return stack.enter_context(HarnessGuest([str(harness)], **options))  # type: ignore[arg-type]

        yield start_guest


@pytest.fixture
def guest(start: StartGuest, tree: Path) -> HarnessGuest:
    """Return a harness with `tree` pre-opened as /d."""
    started = start()
    assert started.init(f"{tree}::/d", "program") == "ok"
    return started


@pytest.fixture
def section(tmp_path: Path) -> Path:
    return tmp_path / "section"


@pytest.fixture
def move(start: StartGuest, section: Path) -> Move:
    """Return a function that saves one guest and loads it into another process."""

    def save_and_load(guest: HarnessGuest, dirs: str = "-", *settings: str) -> HarnessGuest:
        guest.save(section)
        other = start()
        for setting in settings:
            assert other.say(setting) == "ok"
        assert other.say(f"load {section} {dirs}") == "ok"
        return other

    return save_and_load
