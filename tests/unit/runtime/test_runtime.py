"""The C runtime under the address and undefined-behaviour sanitizers.

``probe.c`` is linked with the runtime's own sources and a module that has a frame table but no
code; each test is one of its commands. Needs a C compiler with sanitizers on the machine.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import Final

import pytest

from mvvm_aot.snapshot.codec import decode_snapshot, encode_snapshot
from mvvm_aot.snapshot.state import Snapshot
from mvvm_aot.wasmparser.types import ValType

HERE: Final = Path(__file__).resolve().parent
RUNTIME: Final = HERE.parents[2] / "runtime"
# What the fake module stands in for, or an executable's own entry.
LEFT_OUT: Final = ("wasi_", "os_file", "os_path", "os_socket", "main", "note")
ARCH: Final = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


def run_probe(probe: Path, *words: str, text: str = "") -> str:
    """Run a command of the probe; return what it printed before its "ok"."""
    done = subprocess.run(
        [str(probe), *words], input=text, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("ok\n")
    return done.stdout.removesuffix("ok\n")


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the probe with the host's compiler."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    arch = ARCH.get(platform.machine().lower())
    if compiler is None or arch is None:
        pytest.fail("needs gcc or clang on x86-64 or AArch64")
    sources = [
        path for path in sorted((RUNTIME / "src").glob("*.c")) if not path.name.startswith(LEFT_OUT)
    ]
    sources += sorted((RUNTIME / "arch" / arch).glob("*.[cS]"))
    sources += [HERE / "probe.c", HERE / "fake_module.c"]
    includes = [RUNTIME / "include", RUNTIME / "src", RUNTIME / "arch" / arch, HERE]
    output = tmp_path_factory.mktemp("probe") / "probe"
    command = [compiler, "-std=gnu11", "-O1", "-g", "-fno-omit-frame-pointer", "-no-pie"]
    command += ["-Wall", "-Wextra", "-Werror", "-pthread"]
    command += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command += [f"-I{path}" for path in includes]
    command += [*map(str, sources), "-o", str(output)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return output


@pytest.fixture
def snapshot(probe: Path, tmp_path: Path) -> Path:
    """Return a snapshot of the fake module as the C code writes it."""
    path = tmp_path / "fake.snap"
    run_probe(probe, "write", str(path))
    return path


def test_crc_agrees_with_zlib_and_itself(probe: Path) -> None:
    """The fast checksum is zlib's, for every length and alignment."""
    texts = ["", "a", "123456789", "x" * 200]
    printed = run_probe(probe, "crc", text="".join(f"{text}\n" for text in texts))
    expected = [f"{zlib.crc32(text.encode()):08x}" for text in texts]
    assert printed.split() == expected
    assert "cbf43926" in expected


def test_runs_are_the_pages_that_hold_something(probe: Path) -> None:
    """Touched zero pages and untouched pages are left out, single bits are not."""
    run_probe(probe, "pages")


def test_pages_are_loaded_as_they_are_touched(probe: Path, tmp_path: Path) -> None:
    """At once or late, with a helper thread or none, at any alignment; damage is told."""
    run_probe(probe, "section", str(tmp_path / "section"))


def test_lift_inverts_materialize(probe: Path) -> None:
    """Frames written into a poisoned stack are read back equal; bad positions are reported."""
    run_probe(probe, "frames")


def test_fills_are_written_and_checked(probe: Path) -> None:
    """Constants and addresses of homes, in functions' frames and in thunks'."""
    run_probe(probe, "fills")


def test_frames_that_do_not_fit_are_named(probe: Path) -> None:
    """Each mismatch of frames and frame table has its own message."""
    run_probe(probe, "misfits")


def test_c_reads_what_c_wrote(probe: Path, snapshot: Path) -> None:
    """The whole state comes back."""
    run_probe(probe, "read", str(snapshot))


def test_writing_leaves_no_temporary(snapshot: Path) -> None:
    """The file appears under its name only."""
    assert [path.name for path in snapshot.parent.iterdir()] == [snapshot.name]


def test_a_snapshot_that_cannot_be_written_is_an_error(probe: Path, tmp_path: Path) -> None:
    """A full disk and a missing folder are reported; no half file stays under any name."""
    run_probe(probe, "full", str(tmp_path / "full.snap"))
    assert list(tmp_path.iterdir()) == []


def test_values_of_the_host_cannot_be_saved(probe: Path, tmp_path: Path) -> None:
    """An externref that is not null, in a table or a global, is refused in words."""
    run_probe(probe, "host-values", str(tmp_path / "host.snap"))
    assert list(tmp_path.iterdir()) == []


def test_python_and_c_agree_on_every_byte(probe: Path, snapshot: Path) -> None:
    """Python decodes C's snapshot to the same state and encodes it to the same bytes."""
    data = snapshot.read_bytes()
    decoded = decode_snapshot(data)
    assert isinstance(decoded, Snapshot)
    inner = decoded.state.frames[1]
    assert (inner.func_index, inner.offset) == (2, 0x60)
    assert [value.type for _, value in inner.locals] == [ValType.I64, ValType.FUNCREF]
    assert decoded.state.frames[0].operands[0].bits == 0x0123456789ABCDEF
    assert encode_snapshot(decoded) == data
    snapshot.write_bytes(encode_snapshot(decoded))
    run_probe(probe, "read", str(snapshot))


def test_damage_is_noticed(probe: Path, snapshot: Path) -> None:
    """A flipped bit in any byte, any truncation and any appended byte is a bad snapshot."""
    run_probe(probe, "damage", str(snapshot))


def test_hostile_snapshots_do_no_harm(probe: Path, snapshot: Path) -> None:
    """Mutated contents under right checksums are refused, or are safe to write as frames."""
    count = os.environ.get("MVVM_FUZZ_COUNT", "40000")
    run_probe(probe, "fuzz", str(snapshot), os.environ.get("MVVM_FUZZ_SEED", "1"), count)


def test_hostile_frame_tables_do_no_harm(probe: Path) -> None:
    """A table that is accepted can be read to its end."""
    run_probe(probe, "table", "-", "1", "30000")
