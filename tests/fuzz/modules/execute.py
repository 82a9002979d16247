"""Translates a batch of programs into one executable and runs it: modules -> a line per program."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mvvm_aot.describe import Description, describe_modules
from mvvm_aot.errors import MvvmError
from mvvm_aot.link import link_executable
from mvvm_aot.places import cache_folder
from mvvm_aot.targets import target_by_name
from mvvm_aot.wasmparser.validated import ValidatedModule
from tests.spec.build import translate_one
from tests.spec.execute import run_lines
from tests.spec.modules import number_types

HARNESS: Final = Path(__file__).parent / "runs.c"


@dataclass(frozen=True, slots=True)
class Variant:
    """How programs are translated and run."""

    target: str
    opt_level: int
    roundtrip: int = 0  # at every n-th point frames are lifted and written anew; 0: never
    migration: bool = True

    def __str__(self) -> str:
        text = f"{self.target} -O{self.opt_level}"
        if not self.migration:
            return f"{text} without points"
        return f"{text} --roundtrip {self.roundtrip}" if self.roundtrip else text


@dataclass(frozen=True, slots=True)
class Executable:
    """An executable, and why programs (by their number in the batch) are not in it."""

    path: Path
    numbers: Mapping[int, int]  # of a program in the batch -> of the module in the executable
    errors: Mapping[int, str]


def build(modules: Sequence[ValidatedModule], variant: Variant, folder: Path) -> Executable:
    """Translate the modules, with their points and the proof, and link them."""
    target = target_by_name(variant.target)
    type_ids = number_types(modules)
    objects: list[bytes] = []
    descriptions: list[Description] = []
    numbers: dict[int, int] = {}
    errors: dict[int, str] = {}
    for number, module in enumerate(modules):
        try:
            code, description = translate_one(
                module,
                f"m{number}",
                type_ids,
                target,
                opt_level=variant.opt_level,
                migration=variant.migration,
            )
        except MvvmError as error:
            errors[number] = f"error {error}"
        else:
            numbers[number] = len(descriptions)
            objects += code
            descriptions.append(description)
    source, files = describe_modules(descriptions)
    program = link_executable(
        objects, source, files, target, cache_folder(), extra_sources=[HARNESS]
    )
    with tempfile.NamedTemporaryFile(dir=folder, suffix=f".{target.name}", delete=False) as file:
        file.write(program)
    path = Path(file.name)
    path.chmod(0o755)
    return Executable(path, numbers, errors)


def run(executable: Executable, variant: Variant, leave_out: Sequence[int] = ()) -> dict[int, str]:
    """Run the programs but those left out; return a line, or what went wrong, for each."""
    env = {}
    if variant.roundtrip:
        env = {"MVVM_TEST_ROUNDTRIP": str(variant.roundtrip), "MVVM_TEST_POISON": "1"}
    chosen = {
        number: module for number, module in executable.numbers.items() if number not in leave_out
    }
    target = target_by_name(variant.target)
    lines = run_lines(executable.path, target, [str(module) for module in chosen.values()], env)
    return dict(zip(chosen, lines, strict=True)) | dict(executable.errors)
