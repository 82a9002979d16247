"""Runs a program under wasmtime: module bytes -> the line that runs.c would print."""

from __future__ import annotations

import ctypes
import struct
import zlib
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

import wasmtime
from wasmtime import FuncType, TrapCode, ValType

from .program import MODULE

T = TypeVar("T")
FUEL: Final = 3_000_000  # wasmtime's own: programs that take longer are left out
_STACK: Final = 2 << 20  # as much as it grants
_I32, _I64, _F32, _F64 = ValType.i32, ValType.i64, ValType.f32, ValType.f64

# The specification's messages.
_MESSAGES: Final = {
    TrapCode.STACK_OVERFLOW: "call stack exhausted",
    TrapCode.MEMORY_OUT_OF_BOUNDS: "out of bounds memory access",
    TrapCode.TABLE_OUT_OF_BOUNDS: "out of bounds table access",
    TrapCode.INDIRECT_CALL_TO_NULL: "uninitialized element",
    TrapCode.BAD_SIGNATURE: "indirect call type mismatch",
    TrapCode.INTEGER_OVERFLOW: "integer overflow",
    TrapCode.INTEGER_DIVISION_BY_ZERO: "integer divide by zero",
    TrapCode.BAD_CONVERSION_TO_INTEGER: "invalid conversion to integer",
    TrapCode.UNREACHABLE: "unreachable",
}
# Traps that the machine's own faults report: LLVM does not order other stores around them, so the
# state behind them differs.
_FAULTS: Final = {TrapCode.MEMORY_OUT_OF_BOUNDS, TrapCode.STACK_OVERFLOW}
# wasmtime has one code for both.
SAME: Final = {"undefined element": "out of bounds table access"}


class TooLong(Exception):
    """The program ran out of wasmtime's fuel."""


class _End(Exception):
    """Nothing that follows can be compared."""


def make_engine() -> wasmtime.Engine:
    """Return an engine with what the programs need."""
    config = wasmtime.Config()
    config.wasm_tail_call = True
    config.consume_fuel = True
    config.max_wasm_stack = _STACK
    return wasmtime.Engine(config)


class _Host:
    """The host functions and what they were given."""

    def __init__(self) -> None:
        self.calls = self.crc = 0
        self.trace: list[tuple[int, int]] = []

    def note(self, kind: int, bits: int) -> None:
        self.crc = zlib.crc32(struct.pack("<BQ", kind, bits), self.crc)
        self.calls += 1
        self.trace.append((kind, bits))

    def define(self, linker: wasmtime.Linker) -> None:
        def trace_i32(value: int) -> None:
            self.note(0, value & 0xFFFF_FFFF)

        def trace_i64(value: int) -> None:
            self.note(1, value & 0xFFFF_FFFF_FFFF_FFFF)

        def trace_f32(value: float) -> None:
            self.note(
                2,
                0x7FC00000 if value != value else struct.unpack("<I", struct.pack("<f", value))[0],
            )

        def trace_f64(value: float) -> None:
            self.note(
                3,
                0xFFF << 51 if value != value else struct.unpack("<Q", struct.pack("<d", value))[0],
            )

        def mix(value: int) -> int:
            value &= 0xFFFF_FFFF_FFFF_FFFF
            self.note(4, value)
            mixed = (value * 6364136223846793005 + 1442695040888963407) % (1 << 64)
            return mixed - (mixed >> 63 << 64)

        def swap(number: int, value: float) -> tuple[float, int]:
            number &= 0xFFFF_FFFF
            self.note(5, number)
            number = (number + 1) % (1 << 32)
            return value, number - (number >> 31 << 32)

        linker.define_func(MODULE, "trace_i32", FuncType([_I32()], []), trace_i32)
        linker.define_func(MODULE, "trace_i64", FuncType([_I64()], []), trace_i64)
        linker.define_func(MODULE, "trace_f32", FuncType([_F32()], []), trace_f32)
        linker.define_func(MODULE, "trace_f64", FuncType([_F64()], []), trace_f64)
        linker.define_func(MODULE, "mix", FuncType([_I64()], [_I64()]), mix)
        linker.define_func(MODULE, "swap", FuncType([_I32(), _F64()], [_F64(), _I32()]), swap)


def run_reference(engine: wasmtime.Engine, wasm: bytes) -> tuple[str, list[tuple[int, int]]]:
    """Run all exports; return what became of the program, and what the host was shown.

    Raises TooLong, and wasmtime.WasmtimeError for a module that is not valid.
    """
    module = wasmtime.Module(engine, wasm)
    store = wasmtime.Store(engine)
    store.set_fuel(FUEL)
    linker = wasmtime.Linker(engine)
    host = _Host()
    host.define(linker)
    steps: list[str] = []

    def step(function: Callable[[], T]) -> T | None:
        """Note how a step ends; None if it traps. Raises _End with traps after which all ends."""
        result, ending, last = None, "ok", False
        try:
            result = function()
        except wasmtime.Trap as trap:
            code = trap.trap_code
            if code is TrapCode.OUT_OF_FUEL:
                raise TooLong from trap
            assert code is not None, trap
            ending, last = f"trap {_MESSAGES[code]}", code in _FAULTS
        steps.append(f"{ending} {host.calls} {host.crc:08x}")
        if last:
            raise _End
        return result

    try:
        instance = step(lambda: linker.instantiate(store, module))
        if instance is None:
            return f"{steps[0]} | ", host.trace
        exports = instance.exports(store)
        for number, export in enumerate(module.exports):
            item = exports[export.name]
            if isinstance(item, wasmtime.Func):
                step(partial(item, store, number))
    except _End:
        return " | ".join(steps), host.trace
    memory = exports["memory"]
    assert isinstance(memory, wasmtime.Memory)
    size = memory.data_len(store)
    content = ctypes.string_at(ctypes.addressof(memory.data_ptr(store).contents), size)
    return " | ".join([*steps, f"memory {size} {zlib.crc32(content):08x}"]), host.trace


def normal(line: str) -> str:
    """Return a line with wasmtime's names for traps."""
    for ours, theirs in SAME.items():
        line = line.replace(ours, theirs)
    return line
