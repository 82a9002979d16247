"""Real modules with a few bytes changed, or cut off: an object, or one of our errors."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import wasmtime

import mvvm_aot
from mvvm_aot.errors import LinkError, ModuleError, MvvmError, UnsupportedFeature

PROGRAMS = Path(__file__).resolve().parents[1] / "programs"
NAMES = ("bulk", "indirect", "multivalue", "simd", "tail_calls", "wide_frames")
CHANGES, CUTS = 30, 10


def damaged(data: bytes, seed: str) -> list[bytes]:
    """Return copies of a module: some with one to three bytes changed, some cut off."""
    rng = random.Random(seed)
    copies = []
    for _ in range(CHANGES):
        copy = bytearray(data)
        for _ in range(rng.randint(1, 3)):
            copy[rng.randrange(8, len(copy))] = rng.choice((rng.randrange(256), 0, 1, 0x7F, 0x80))
        copies.append(bytes(copy))
    return copies + [data[: rng.randrange(len(data))] for _ in range(CUTS)]


@pytest.mark.parametrize("name", NAMES)
def test_damage_is_noticed_or_does_no_harm(name: str, tmp_path: Path) -> None:
    data = bytes(wasmtime.wat2wasm((PROGRAMS / f"{name}.wat").read_text()))
    refused = 0
    for number, copy in enumerate(damaged(data, name)):
        out = tmp_path / f"{number}.o"
        try:
            mvvm_aot.compile(copy, out, opt_level=0, emit="obj", use_cache=False)
            assert out.read_bytes()[:4] == b"\x7fELF"
        except MvvmError as error:
            refused += 1
            # Of a damaged name of an import: nobody provides it.
            assert isinstance(error, ModuleError | UnsupportedFeature | LinkError), error
    assert CUTS <= refused < CHANGES + CUTS, "the damage is too great, or too little"
