"""Random programs that pass many points, against wasmtime: at each, all registers are poisoned."""

from __future__ import annotations

from functools import cache

import pytest
import wasmtime

from mvvm_aot.targets import TARGETS

from .generate import Generator
from .harness import RUNNABLE, Answer, Call, Program

M64 = (1 << 64) - 1
TRAPS = {"integer overflow": "trap 3", "out of bounds": "trap 5", "stack exhausted": "trap 10"}


def arguments(params: tuple[str, ...]) -> tuple[int, ...]:
    patterns = {"i32": 0x80000003, "i64": 0x123456789, "f64": 0x4008000000000000}
    return tuple(patterns[t] + k for k, t in enumerate(params))


def wasmtime_answers(generator: Generator, text: str) -> list[Answer]:
    store = wasmtime.Store()
    module = wasmtime.Module(store.engine, text)
    i64 = wasmtime.ValType.i64()

    def total(a: int, b: int) -> int:
        value = (a * 3 + b) & M64
        return value - (1 << 64) if value >> 63 else value

    one = wasmtime.Func(store, wasmtime.FuncType([i64, i64], [i64]), total)
    two = wasmtime.Func(
        store,
        wasmtime.FuncType([i64, i64], [i64, i64]),
        lambda a, b: [total(a, b), total(a, b) ^ 0x55],
    )
    exports = wasmtime.Instance(store, module, [one, two]).exports(store)
    answers: list[Answer] = []
    for index, (params, results) in enumerate(generator.signatures):
        args = [
            3.0 + k * 2**-51 if t == "f64" else bits - (1 << 32) if t == "i32" else bits
            for k, (t, bits) in enumerate(zip(params, arguments(params), strict=True))
        ]
        found = exports[f"f{index}"](store, *args)
        values = found if isinstance(found, list) else [found]
        answers.append(
            tuple(v & (1 << int(t[1:])) - 1 for v, t in zip(values, results, strict=True))
        )
    answers.append((exports["digest"](store) & M64,))
    return answers


@cache
def prepared(seed: int) -> tuple[Program, list[Call], list[Answer]]:
    generator = Generator(seed)
    text = generator.module()
    calls: list[Call] = [
        (2 + index, arguments(params)) for index, (params, _) in enumerate(generator.signatures)
    ]
    calls.append((2 + len(calls), ()))
    return Program(text), calls, wasmtime_answers(generator, text)


@pytest.mark.parametrize("opt_level", [0, 2])
@pytest.mark.parametrize("name", sorted(TARGETS))
@pytest.mark.parametrize("seed", range(12))
def test_random_program(seed: int, name: str, opt_level: int) -> None:
    target = TARGETS[name]
    if target not in RUNNABLE:
        pytest.fail(f"needs {target.qemu}")
    program, calls, wanted = prepared(seed)
    assert program.call(calls, target, opt_level) == wanted
    assert program.call(calls, target, opt_level, False) == wanted
