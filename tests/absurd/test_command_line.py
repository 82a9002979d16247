"""Absurd modules through the command line: they work or are refused, in one line and soon."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mvvm_aot import limits
from tests.unit.wasmparser import builder as b

from .shapes import OPEN_BLOCK, SHAPES, function

ROOT = Path(__file__).resolve().parents[2]

# No row takes more than 4 s on a quiet machine.
SECONDS = 120
ADDRESS_SPACE = 6 << 30  # bytes; LLVM, Python and the module share it

WORK = [
    ("blocks", 100_000),
    ("loops", 100_000),
    ("blocks_left_at_once", 2_000),
    ("blocks_left_one_by_one", 10_000),
    ("ifs", 2_000),
    ("ifs_and_elses", 2_000),
    ("loops_that_loop", 300),
    ("loops_with_calls", 300),
    ("br_table_of_one_label", 500_000),
    ("br_table_of_many_labels", 3_000),
    ("branches_to_one_label", 5_000),
    ("branches_with_many_locals", 400),
    ("calls_with_many_locals", 500),
    ("straight_line", 400_000),
    ("stores", 10_000),
    ("calls", 10_000),
    ("calls_of_a_leaf", 20_000),
    ("operands", 100_000),
    ("operands_over_a_call", 3_000),
    ("locals_over_a_call", 3_000),
    ("blocks_of_many_results", 500),
    ("calls_of_many_params", 20),
    ("many_functions", 2_000),
    ("many_types", 1_000),
    ("many_imports", 1_000),
    ("long_constant_expression", 200_000),
    ("long_data", 50_000_000),
]

LINKED = [
    ("many_exports", 20_000),
    ("many_globals", 20_000),
    ("many_tables", 3_000),
    ("many_data_segments", 20_000),
    ("many_elem_segments", 20_000),
    ("long_elem_segment", 100_000),
    ("long_name", 1_000_000),
]

REFUSED = [
    (
        "loops_that_loop",
        50_000,
        f"50000 loops inside one another, more than {limits.MAX_NESTED_LOOPS}",
    ),
    ("ifs", 100_000, f"100000 branches, more than {limits.MAX_BRANCHES}"),
    ("br_table_of_many_labels", 60_000, f"60001 branches, more than {limits.MAX_BRANCHES}"),
    ("branches_with_many_locals", 20_000, "20000 branches and 20001 locals, whose product"),
    ("branches_with_many_locals", 10_000, "summed over all of them"),
    ("calls_with_many_locals", 10_000, "summed over all of them"),
    ("straight_line", 1_000_000, f"1000001 instructions, more than {limits.MAX_INSTRUCTIONS}"),
    (
        "operands_over_a_call",
        100_000,
        f"100000 slots for values that are live at migration points, more than {limits.MAX_HOMES}",
    ),
    ("locals_over_a_call", 40_000, "39999 slots for values"),
    ("calls_with_many_locals", 60_000, "60000 locals, more than 50000"),
    ("blocks_of_many_results", 100_000, "operand stacks this deep"),
    ("calls_of_many_params", 100_000, "operand stacks this deep"),
]


def limited() -> None:
    """Bound a child's memory: a test that runs away must not take the machine along."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))


def command(*args: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does, in bounded time and memory."""
    return subprocess.run(
        [sys.executable, "-m", "mvvm_aot", *map(str, args)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        preexec_fn=limited,
        check=False,
    )


def compiled(data: bytes, folder: Path, emit: str) -> subprocess.CompletedProcess[str]:
    """Compile a module without optimisation."""
    (folder / "m.wasm").write_bytes(data)
    options = ("--no-cache", "-O", "0", "--emit", emit, "-o", folder / "out")
    return command("compile", folder / "m.wasm", *options)


def is_one_line(done: subprocess.CompletedProcess[str], code: int, words: str) -> None:
    """Demand an exit code and a line with these words on standard error."""
    assert done.returncode == code, done.stderr[:2000]
    assert words in done.stderr
    assert done.stderr.startswith("mvvm-aot: error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("name", "size"), WORK)
def test_works(name: str, size: int, tmp_path: Path) -> None:
    done = compiled(SHAPES[name](size), tmp_path, "obj")
    assert done.returncode == 0, done.stderr[:2000]
    assert (tmp_path / "out").read_bytes()[:4] == b"\x7fELF"


@pytest.mark.parametrize(("name", "size"), LINKED)
def test_links(name: str, size: int, tmp_path: Path) -> None:
    done = compiled(SHAPES[name](size), tmp_path, "exe")
    assert done.returncode == 0, done.stderr[:2000]
    assert (tmp_path / "out").read_bytes()[:4] == b"\x7fELF"


@pytest.mark.parametrize(("name", "size", "words"), REFUSED)
def test_is_refused(name: str, size: int, words: str, tmp_path: Path) -> None:
    done = compiled(SHAPES[name](size), tmp_path, "obj")
    is_one_line(done, 69, words)
    assert "unsupported feature: " in done.stderr
    assert re.search(r"\(function \d+.*, at byte offset 0x[0-9a-f]+\)", done.stderr), done.stderr


def test_a_nest_that_ends_too_soon(tmp_path: Path) -> None:
    data = function(OPEN_BLOCK * 100_000)
    is_one_line(compiled(data, tmp_path, "obj"), 65, "unexpected end of section or function")
    checked = command("validate", tmp_path / "m.wasm")
    assert checked.returncode == 65
    assert checked.stderr.count("\n") == 1


def test_names_that_would_fill_the_screen(tmp_path: Path) -> None:
    entry = b.name("\x1b[2J\n" + "x" * 5_000_000) + b.name("y") + b"\0\0"
    sections = {b.IMPORT: b.vec(entry), b.FUNCTION: b.vec(b"\1")}
    data = b.func_module(b"", sections=sections)
    (tmp_path / "m.wasm").write_bytes(data)
    done = command("validate", tmp_path / "m.wasm")
    assert done.returncode == 65
    assert "unknown type 1 of a function" in done.stderr
    good = b.func_module(b"", sections={b.IMPORT: b.vec(entry)})
    is_one_line(compiled(good, tmp_path, "obj"), 71, r"\u{1b}[2J xxx")
    assert len(compiled(good, tmp_path, "obj").stderr) < 2_100
