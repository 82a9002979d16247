"""Random programs: valid for both validators, the same answer everywhere; and the fuzzer itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import wasmtime

from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.opcodes import OPS
from mvvm_aot.wasmparser.validate import validate_module
from tests.fuzz.modules import compare
from tests.fuzz.modules.compare import Finding, prepare, subjects
from tests.fuzz.modules.execute import Executable, Variant
from tests.fuzz.modules.generate import generate
from tests.fuzz.modules.moves import Ending, Mover, move
from tests.fuzz.modules.program import encode
from tests.fuzz.modules.shrink import Shrinker

SEEDS = range(20_000, 20_012)  # of the programs that are run


def test_same_seed_same_module() -> None:
    assert encode(generate(7)) == encode(generate(7))
    assert encode(generate(7)) != encode(generate(8))


def test_all_modules_are_valid_and_all_instructions_are_used() -> None:
    engine = wasmtime.Engine()
    used: Counter[str] = Counter()
    for seed in range(300):
        wasm = encode(generate(seed))
        wasmtime.Module.validate(engine, wasm)
        for function in validate_module(decode_module(wasm)).functions:
            used.update(instr[1].text for instr in function.instrs)
    assert {op.text for op in OPS} == used.keys()


def test_programs_end_and_do_something() -> None:
    found = subjects(range(200))
    endings = Counter(subject.wanted.split(" | ")[-1].partition(" ")[0] for subject in found)
    assert len(found) > 170  # the others take too long
    assert endings["memory"] > 100 and endings["trap"] > 10
    # Some go on behind a trap.
    assert sum("trap" in subject.wanted and "memory" in subject.wanted for subject in found) > 10
    assert sum(" 0 00000000 | memory" in subject.wanted for subject in found) == 0


@pytest.mark.parametrize(
    "variant, roundtrips",
    [
        (Variant("x86_64", 0), (1,)),
        (Variant("x86_64", 2), (1, 2, 7)),
        (Variant("x86_64", 3, migration=False), ()),
        (Variant("aarch64", 1), (3,)),
        (Variant("aarch64", 2), (1,)),
    ],
    ids=str,
)
def test_same_answer(variant: Variant, roundtrips: tuple[int, ...], tmp_path: Path) -> None:
    found = list(compare.compare(subjects(SEEDS), variant, roundtrips, tmp_path))
    assert not found, "\n".join(map(str, found))


def test_programs_move_between_isas(tmp_path: Path) -> None:
    for seed in SEEDS[:4]:
        assert not move(seed, 4, tmp_path), seed


def test_a_move_that_goes_wrong_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a restored memory that differs."""
    mover = Mover(SEEDS[0], tmp_path)
    real = mover.run
    assert real("x86_64").state.startswith("memory ")

    def run(self: Mover, target: str, **variables: str) -> Ending:
        found = real(target, **variables)
        return replace(found, state="memory 0") if "MVVM_RESTORE" in variables else found

    monkeypatch.setattr(Mover, "run", run)
    (text,) = mover.differences(1)
    assert text.startswith("point ") and "memory 0" in text


def test_a_difference_is_found_and_shrunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a machine that crashes wherever there is an i32.rotl."""

    def build(modules: list, variant: Variant, folder: Path) -> Executable:
        path = folder / "none"
        path.touch()
        texts = [{i[1].text for f in m.functions for i in f.instrs} for m in modules]
        wrong = {n: "crash, signal 11" for n, found in enumerate(texts) if "i32.rotl" in found}
        return Executable(path, {}, wrong)

    monkeypatch.setattr(compare, "build", build)
    monkeypatch.setattr(compare, "run", lambda executable, variant, deep: dict(executable.errors))
    variant = Variant("x86_64", 2)
    found = list(compare.compare(subjects(range(60)), variant, (), tmp_path))
    assert found and all(finding.kind == "crash, signal 11" for finding in found)
    seed, size = found[0].subject.seed, len(found[0].subject.wasm)
    again = prepare(generate(seed), seed)
    assert again is not None
    small = Shrinker(Finding(again, variant, found[0].got), tmp_path, 60).shrink()
    texts = [i[1].text for f in small.subject.module.functions for i in f.instrs]
    assert texts.count("i32.rotl") == 1
    assert len(small.subject.wasm) < size / 2
