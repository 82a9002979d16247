"""Runs batches of programs everywhere and says which differ: seeds -> findings."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import wasmtime

from mvvm_aot.targets import TARGETS
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.validate import validate_module
from mvvm_aot.wasmparser.validated import ValidatedModule

from .execute import Variant, build, run
from .generate import generate
from .program import Program, encode
from .reference import TooLong, make_engine, normal, run_reference

ROUNDTRIPS: Final = (1, 2, 3, 7, 50)


@dataclass(frozen=True, slots=True)
class Subject:
    """A program with the answer that every machine must give."""

    seed: int
    program: Program
    wasm: bytes
    module: ValidatedModule
    wanted: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A program and a way to run it that give another answer."""

    subject: Subject
    variant: Variant
    got: str

    @property
    def kind(self) -> str:
        """What sort of difference it is, so that a shrunk program shows the same one."""
        return kind_of(self.got, self.subject.wanted)

    def __str__(self) -> str:
        seed, wanted = self.subject.seed, self.subject.wanted
        return f"seed {seed}, {self.variant}\n  wanted {wanted}\n  got    {self.got}"


def kind_of(got: str, wanted: str) -> str:
    """Say how two answers differ; empty when they do not."""
    if normal(got) == normal(wanted):
        return ""
    if got.startswith("error"):
        return re.sub(r"\S*\d\S*", "", got)
    return got if got.startswith(("crash", "hangs")) else "answer"


@cache
def _engine() -> wasmtime.Engine:
    return make_engine()


def prepare(program: Program, seed: int) -> Subject | None:
    """Validate with both validators, run under wasmtime; None for a program that takes too long.

    Raises InvalidModule or wasmtime.WasmtimeError.
    """
    wasm = encode(program)
    module = validate_module(decode_module(wasm))
    try:
        wanted, _ = run_reference(_engine(), wasm)
    except TooLong:
        return None
    return Subject(seed, program, wasm, module, wanted)


def subjects(seeds: Sequence[int]) -> list[Subject]:
    """Return the programs of some seeds, those that take too long left out."""
    found = (prepare(generate(seed), seed) for seed in seeds)
    return [subject for subject in found if subject is not None]


def compare(
    batch: Sequence[Subject], variant: Variant, roundtrips: Sequence[int], folder: Path
) -> Iterator[Finding]:
    """Translate a batch once, run it plainly and with round trips; yield the differences."""
    executable = build([subject.module for subject in batch], variant, folder)
    try:
        for roundtrip in (0, *roundtrips):
            way = Variant(variant.target, variant.opt_level, roundtrip, variant.migration)
            # To leave at each point of a stack that gets full takes for ever; without points
            # LLVM makes an endless loop of endless recursion.
            endless = roundtrip or not variant.migration
            deep = [n for n, subject in enumerate(batch) if endless and subject.program.exhausts]
            for number, got in run(executable, way, deep).items():
                if kind_of(got, batch[number].wanted):
                    yield Finding(batch[number], way, got)
    finally:
        executable.path.unlink()


def choose_variants(rng: random.Random) -> list[tuple[Variant, tuple[int, ...]]]:
    """Return how a batch is run: each target at a level of its own, with round trips."""
    chosen: list[tuple[Variant, tuple[int, ...]]] = []
    for target in TARGETS:
        migration = rng.random() < 0.9
        trips = (1, rng.choice(ROUNDTRIPS[1:])) if migration else ()
        chosen.append((Variant(target, rng.randrange(4), 0, migration), trips))
    return chosen
