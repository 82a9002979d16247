"""Each program on x86-64, on AArch64 and under wasmtime: same output, same exit status."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.diff.engine import run_wasmtime
from tests.programs.catalog import PROGRAMS, Program
from tests.programs.native import ISAS, Builder, Variant, run

EVERYWHERE: Final = (0, 2)
SAMPLED: Final = (1, 3)
STEP: Final = 5  # every fifth program at these levels too


def levels(program: Program) -> tuple[int, ...]:
    """Return the optimisation levels at which a program is tried."""
    return EVERYWHERE + (SAMPLED if PROGRAMS.index(program) % STEP == 0 else ())


def variants(program: Program) -> list[Variant]:
    """Return all translations of a program that are compared: wide vectors, and no points, too."""
    found = [Variant(isa, level) for isa in ISAS for level in levels(program)]
    if program.x86_cpu is not None:
        found += [Variant("x86_64", level, program.x86_cpu) for level in levels(program)]
    if not program.depth_varies:  # without points LLVM makes a loop of that recursion
        found.append(Variant("x86_64", 2, migration=False))
    return found


@pytest.fixture(scope="module", autouse=True)
def ordered(builder: Builder) -> None:
    """Have everything translated in the background, in the order of the tests."""
    for program in PROGRAMS:
        builder.order(builder.module(program), variants(program))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_same_answer(builder: Builder, program: Program, tmp_path: Path) -> None:
    wasm = builder.module(program)
    reference = tmp_path / "wasmtime"
    reference.mkdir()
    wanted = run_wasmtime(wasm, program, reference)
    assert wanted.status == program.status
    for number, variant in enumerate(variants(program)):
        folder = tmp_path / str(number)
        (folder / "data").mkdir(parents=True)
        dirs = {"MVVM_DIRS": f"{folder / 'data'}::/data"} if program.data_dir else {}
        found = run(builder.executable(wasm, variant), variant.isa, program, folder, dirs)
        assert found.status == wanted.status, (variant, found.stderr)
        assert found.stdout == wanted.stdout, variant
        assert program.trap in found.stderr, variant
