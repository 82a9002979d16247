"""Random programs as applications that move between ISAs: a seed -> what went wrong.

The host functions become functions of the module, which fold what they are given into one more
global and call the host's ``sched_yield``. ``_start`` calls the exports. A run that stays is
compared with runs that stop at one of its points and go on on the other ISA: exit status, trap,
and CRCs of memory and globals.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mvvm_aot import pipeline
from mvvm_aot.abi import EXIT_CHECKPOINTED
from mvvm_aot.api import find_emulator
from mvvm_aot.errors import MvvmError
from mvvm_aot.places import cache_folder
from mvvm_aot.targets import TARGETS, target_by_name
from mvvm_aot.wasmparser.opcodes import BY_TEXT
from mvvm_aot.wasmparser.types import FuncType, ValType

from .expressions import EXTERNREF, F32, F64, I32, I64, NANS, const, local_get
from .generate import generate
from .program import HOST_FUNCS, Function, Global, Node, Program, encode, plain

_YIELD: Final = -1  # before the module's own functions
_IMPORTS: Final = (("wasi_snapshot_preview1", "sched_yield", FuncType((), (I32,))),)
_TIMEOUT: Final = 120.0
_OUT_OF_BOUNDS, _EXHAUSTED = "out of bounds memory access", "call stack exhausted"
_STARTING = "the module's start function has left its place"  # no checkpoint then (leave.c)


def _bits(valtype: ValType) -> Node:
    """Return the first parameter's bits as an i64, those of a NaN canonical."""
    value = local_get(0, valtype)
    if valtype in (F32, F64):
        test = plain(BY_TEXT[f"{valtype.text}.eq"], local_get(0, valtype), local_get(0, valtype))
        args = [value, const(valtype, NANS[valtype]), test]
        value = Node(BY_TEXT["select"], (), args, (valtype,))
        integer = "i32" if valtype is F32 else "i64"
        value = plain(BY_TEXT[f"{integer}.reinterpret_{valtype.text}"], value)
    return plain(BY_TEXT["i64.extend_i32_u"], value) if value.types == (I32,) else value


def _host_function(func_type: FuncType, results: list[Node], total: int) -> Function:
    """Return a function that folds its first parameter into the global ``total``."""
    kept = Node(BY_TEXT["global.get"], (total,), [], (I64,))
    folded = plain(BY_TEXT["i64.mul"], kept, const(I64, 0x100000001B3))
    folded = plain(BY_TEXT["i64.xor"], folded, _bits(func_type.params[0]))
    write = Node(BY_TEXT["global.set"], (total,), [folded])
    answer = Node(BY_TEXT["call"], (_YIELD,), [], (I32,))
    return Function(func_type, [], [write, Node(BY_TEXT["drop"], (), [answer]), *results])


def application(program: Program) -> bytes:
    """Return the program as a module that runs by itself."""
    made = deepcopy(program)
    total = len(made.globals)
    made.globals.append(Global(I64, True, const(I64, 0)))
    mixed = plain(BY_TEXT["i64.mul"], local_get(0, I64), const(I64, 6364136223846793005))
    mixed = plain(BY_TEXT["i64.add"], mixed, const(I64, 1442695040888963407))
    more = plain(BY_TEXT["i32.add"], local_get(0, I32), const(I32, 1))
    results = {"mix": [mixed], "swap": [local_get(1, F64), more]}
    host = [_host_function(kind, results.get(name, []), total) for name, kind in HOST_FUNCS]
    null = Node(BY_TEXT["ref.null"], (EXTERNREF,), [], (EXTERNREF,))
    calls = [Node(BY_TEXT["call"], (index,), [null]) for index in made.exports]
    made.functions = [*host, *made.functions, Function(FuncType((), ()), [], calls)]
    start = len(made.functions) - 1
    return encode(made, _IMPORTS, len(_IMPORTS), {"_start": start})


@dataclass(frozen=True, slots=True)
class Ending:
    """What a run left behind."""

    status: int
    message: str  # of a trap
    state: str


class Mover:
    """One application on all targets."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.folder = folder
        self.rng = random.Random(seed)
        self.wasm = application(generate(seed))
        self.programs: dict[str, Path] = {}
        for name in TARGETS:
            options = pipeline.Options(name, opt_level=self.rng.randrange(4))
            program, _ = pipeline.compile_module(self.wasm, options, cache_folder())
            self.programs[name] = folder / f"{seed}.{name}"
            self.programs[name].write_bytes(program)
            self.programs[name].chmod(0o755)

    def run(self, target: str, **variables: str) -> Ending:
        """Run to the end, or to where the variables say."""
        state = self.folder / f"{self.seed}.state"
        state.unlink(missing_ok=True)
        emulator = find_emulator(target_by_name(target))
        command = [*([emulator] if emulator else []), str(self.programs[target])]
        variables |= {"MVVM_TEST_HASH": str(state), "MVVM_TEST_POISON": "1", "MVVM_SYNC": "0"}
        done = subprocess.run(
            command,
            env={"PATH": os.environ.get("PATH", ""), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
        message = done.stderr.decode(errors="replace").partition("\n")[0]
        # Behind a fault of the machine memory and globals are nobody's (reference.py).
        fault = any(text in message for text in (_OUT_OF_BOUNDS, _EXHAUSTED))
        kept = state.read_text() if not fault and state.exists() else ""
        return Ending(done.returncode, message, kept)

    def differences(self, moments: int) -> Iterator[str]:
        """Stop at so many points, spread over the run, and go on elsewhere."""
        first, second = TARGETS
        count = self.folder / f"{self.seed}.count"
        wanted = self.run(first, MVVM_TEST_COUNT=str(count))
        leaves = int(count.read_text())
        if (other := self.run(second)) != wanted:
            yield f"{second} {other}, {first} {wanted}"
        for number in sorted(self.rng.sample(range(1, leaves + 1), min(moments, leaves))):
            there, here = self.rng.sample((first, second), 2)
            path = self.folder / f"{self.seed}.snap"
            stopped = self.run(there, MVVM_TEST_LEAVE_AT=str(number), MVVM_SNAPSHOT=str(path))
            if _STARTING in stopped.message and replace(stopped, message=wanted.message) == wanted:
                continue
            if stopped.status != EXIT_CHECKPOINTED:
                yield f"{there} does not stop at point {number}: {stopped}"
                continue
            moved = self.run(here, MVVM_RESTORE=str(path))
            if moved != wanted:
                yield f"point {number}, {there} to {here}: {moved} instead of {wanted}"


def move(seed: int, moments: int, folder: Path) -> list[str]:
    """Return how the program of a seed differs when it moves."""
    if generate(seed).exhausts:
        return []
    try:
        return list(Mover(seed, folder).differences(moments))
    except (MvvmError, subprocess.TimeoutExpired) as error:
        return [str(error)]
