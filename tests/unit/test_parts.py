"""Parts of a module: the split, copies for inlining, and what LLVM breaks off at."""

from __future__ import annotations

import pickle
import subprocess
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from mvvm_aot import parts, pipeline
from mvvm_aot.api import host_target
from mvvm_aot.errors import CodegenError
from mvvm_aot.modes import CodegenMode
from mvvm_aot.parts import Part, Settings, halves, only, split_module, whole_of
from mvvm_aot.pipeline import Options, compile_module
from mvvm_aot.places import cache_folder
from mvvm_aot.plan import PointPlan, plan_points
from mvvm_aot.progress import Silence
from mvvm_aot.schedule import translate_parts
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.validate import validate_module
from mvvm_aot.wasmparser.validated import ValidatedModule
from mvvm_aot.workers import Crew, WorkerDied

# Function 1 is small and has no point, 2 to 21 call it and the one before (2: only it), and
# _start, 22, adds up. sum(k, n) = 3 * ... is what `expected` computes.
COUNT = 20


def _wat() -> str:
    functions = [
        '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))',
        '(memory (export "memory") 1)',
        "(func $f1 (param i32) (result i32) (i32.add (local.get 0) (i32.const 3)))",
        "(func $never (unreachable))",
    ]
    before = "$f1"
    for number in range(3, COUNT + 3):
        functions.append(
            f"(func $f{number} (param i32) (result i32) (local i32)"
            "  (loop (local.set 1 (i32.add (local.get 1) (i32.const 1)))"
            "    (br_if 0 (i32.lt_u (local.get 1) (local.get 0))))"
            "  (if (i32.eq (local.get 1) (i32.const -1)) (then (call $never)))"
            f" (i32.add (call $f1 (local.get 1)) (call {before} (local.get 0))))"
        )
        before = f"$f{number}"
    functions.append(f'(func (export "_start") (call $exit (call {before} (i32.const 2))))')
    return f"(module {' '.join(functions)})"


WASM = bytes(wasmtime.wat2wasm(_wat()))
STATUS = (COUNT + 1) * 5  # each adds 2 + 3, and the first call of $f1 as well
BROKEN = 9  # a function


def planned() -> tuple[ValidatedModule, PointPlan]:
    vm = validate_module(decode_module(WASM))
    return vm, plan_points(vm)


def run(data: bytes, folder: Path) -> None:
    """Run an executable for this machine, plainly and with all frames written anew everywhere."""
    program = folder / "program"
    program.write_bytes(data)
    program.chmod(0o755)
    for environment in ({}, {"MVVM_TEST_ROUNDTRIP": "1", "MVVM_TEST_POISON": "1"}):
        done = subprocess.run([program], env=environment, capture_output=True, check=False)
        assert done.returncode == STATUS, done.stderr


def test_parts_are_runs_of_all_functions() -> None:
    vm, plan = planned()
    found = split_module(vm, plan, copies=True, part_size=100)
    assert len(found) > 3
    defined = [index for part in found for index in part.defined]
    assert defined == [function.func_index for function in vm.functions]
    assert [part.shared for part in found] == [True] + [False] * (len(found) - 1)
    assert [part.copied for part in found] == [set()] + [{1, 2}] * (len(found) - 1)


def test_without_inlining_nothing_is_copied() -> None:
    vm, plan = planned()
    found = split_module(vm, plan, copies=False, part_size=100)
    assert not any(part.copied for part in found)


def test_a_small_module_is_one_part_and_an_empty_one_too() -> None:
    vm, plan = planned()
    (part,) = split_module(vm, plan, copies=True)
    assert part.shared and not part.copied
    empty = validate_module(decode_module(b"\0asm\1\0\0\0"))
    (part,) = split_module(empty, plan_points(empty), copies=True)
    assert part.shared and part.defined == () and halves(part) is None


def test_halves_have_every_function_once() -> None:
    vm, plan = planned()
    part = split_module(vm, plan, copies=True, part_size=100)[2]
    found = halves(part)
    assert found is not None
    assert found[0].defined + found[1].defined == part.defined
    assert not found[0].copied and not found[1].copied


def test_a_part_carries_no_code_of_others() -> None:
    vm, plan = planned()
    whole = whole_of(vm, plan, "m0")
    assert whole.module.raw == b"" and not any(f.instrs for f in whole.module.functions)
    part = split_module(vm, plan, copies=False, part_size=100)[1]
    again: Part = pickle.loads(pickle.dumps(part))
    assert again.functions[0].instrs == part.functions[0].instrs
    pairs = zip(again.functions[0].instrs, part.functions[0].instrs, strict=True)
    assert all(a[1] is b[1] for a, b in pairs)


@pytest.mark.parametrize("opt_level", [0, 2])
def test_the_number_of_workers_changes_nothing(
    opt_level: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART_SIZE", 100)
    outputs = []
    for jobs in ("1", "3"):
        monkeypatch.setenv("MVVM_JOBS", jobs)
        options = Options(host_target().name, opt_level=opt_level)
        data, report = compile_module(WASM, options, cache_folder())
        assert report.parts > 3
        assert report.proved_first > COUNT and report.points == report.sites
        outputs.append(data)
    assert outputs[0] == outputs[1]
    run(outputs[0], tmp_path)


def test_copies_are_inlined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MVVM_JOBS", "0")
    vm, plan = planned()
    whole = whole_of(vm, plan, "m0")
    part = split_module(vm, plan, copies=True, part_size=100)[1]
    settings = Settings("x86_64", 2, "x86-64-v2", "")
    from stackmaps.objects import read_object

    with Crew() as crew:
        (made,) = translate_parts(crew, whole, [part], settings, Silence())
    code = read_object(made.codes[0].data)
    assert set(code.functions) == {f"m0_f{index}" for index in part.defined}
    assert all(r.symbol.name != "m0_f1" for r in code.relocations.values())


class DyingCrew(Crew):
    """Its workers die of one function, until they need not optimise it."""

    def submit(self, name: str, *arguments: Any) -> Future[Any]:
        if name == "translate":
            _, part, settings = arguments
            if BROKEN in part.defined and settings.first is CodegenMode.NORMAL:
                future: Future[Any] = Future()
                future.set_exception(WorkerDied("LLVM ERROR: made to die"))
                return future
        return super().submit(name, *arguments)


def test_what_llvm_breaks_off_at_is_translated_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MVVM_JOBS", "0")
    monkeypatch.setattr(pipeline, "Crew", DyingCrew)
    data, report = compile_module(WASM, Options(host_target().name), cache_folder())
    assert report.retranslated == [f"f{BROKEN}"]
    assert (report.proved_second, report.proved_third) == (0, 1)
    run(data, tmp_path)


def test_what_llvm_always_breaks_off_at_is_named() -> None:
    """LLVM really ends the process: a CPU of 32 bits cannot run this code."""
    vm, plan = planned()
    found = [only(split_module(vm, plan, copies=False)[0], (1, 4), shared=True)]
    settings = Settings("x86_64", 2, "i386", "")
    words = r'function 1 "f1".*LLVM ERROR: 64-bit'
    with Crew() as crew, pytest.raises(CodegenError, match=words):
        translate_parts(crew, whole_of(vm, plan, "m0"), found, settings, Silence())
