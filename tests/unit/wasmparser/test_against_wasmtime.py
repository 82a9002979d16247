"""Accept what wasmtime accepts and refuse what it refuses, on mutated modules."""

from __future__ import annotations

import functools

import wasmtime
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mvvm_aot.errors import ModuleError, UnsupportedFeature
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.opcodes import PLAIN_OPS
from mvvm_aot.wasmparser.validate import validate_module

from . import builder as b
from .test_binary import EVERY_SECTION
from .test_opcodes import plain_module

BEYOND_US = (
    "custom_page_sizes",
    "exceptions",
    "function_references",
    "gc",
    "memory64",
    "multi_memory",
    "relaxed_simd",
    "stack_switching",
    "threads",
    "wide_arithmetic",
)

TEXTS = [
    """(func (param i32 i64) (result i64) (local f32 f64 v128)
         block (result i64) loop local.get 0 i32.eqz br_if 0
           local.get 0 if (result i64) i64.const -5 else local.get 1 end
           local.get 0 br_table 1 1 1 end unreachable end)""",
    """(type (func (param i32) (result i32 i32))) (table 3 funcref) (memory 1 2)
       (func (type 0) local.get 0 i32.load offset=1000 local.get 0 call_indirect (type 0)
         drop i32.const 100000 i32.store8 i32.const 8 call 0)
       (elem (i32.const 1) func 0 0) (export "f" (func 0)) (export "m" (memory 0))""",
    """(global (mut i32) (i32.const 70000)) (global $c i64 (i64.const -70000))
       (func (result i32) global.get 1 i32.wrap_i64 global.set 0 global.get 0
         global.get 0 global.get 0 select return)""",
    """(table $a 1 10 externref) (table $b 2 funcref) (elem $e declare func 0)
       (elem $p funcref (ref.func 0) (ref.null func))
       (func (param externref) (result i32)
         local.get 0 i32.const 1 table.grow $a drop
         i32.const 0 ref.func 0 i32.const 1 table.fill $b
         i32.const 0 i32.const 0 i32.const 0 table.init $b $p elem.drop $p
         i32.const 0 i32.const 0 i32.const 0 table.copy $b $b
         i32.const 0 local.get 0 table.set $a i32.const 0 table.get $a ref.is_null
         local.get 0 local.get 0 i32.const 1 select (result externref) drop
         table.size $b i32.add)""",
    """(memory 1) (data "passive") (data (i32.const 3) "active")
       (func i32.const 0 i32.const 0 i32.const 0 memory.init 0 data.drop 0
         i32.const 0 i32.const 0 i32.const 0 memory.copy
         i32.const 0 i32.const 0 i32.const 0 memory.fill memory.size memory.grow drop)""",
    """(func (param i32 i32) (result i32) local.get 0 local.get 1
         loop (param i32 i32) (result i32) i32.sub local.tee 0 local.get 0 local.get 1 br_if 0
           drop end return_call 1)
       (func (param i32) (result i32) local.get 0 i32.const 1 i32.const 0 return_call_indirect
         (param i32 i32) (result i32)) (table 1 funcref)""",
    """(import "e" "f" (func (param f64))) (import "e" "g" (global i32)) (start 1)
       (import "e" "m" (memory 1)) (import "e" "t" (table 1 externref))
       (global i32 (global.get 0)) (data (global.get 0) "x")
       (func nop f64.const nan:0x123 call 0)""",
    """(import "e" "g" (global i32)) (import "e" "l" (global i64)) (memory 1) (table 1 funcref)
       (global i64 i64.const 5 global.get 1 i64.mul i64.const 2 i64.sub)
       (global (mut i32) i32.const 1 i32.const 2 i32.add)
       (data (i32.mul (global.get 0) (i32.const 3)) "x")
       (elem (offset global.get 0 i32.const 3 i32.sub) func)""",
    """(memory 1) (func (result v128) i32.const 0 v128.load align=4
         i32.const 16 v128.const i64x2 0 0 v128.load32_lane 3
         i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 31
         i32.const 3 i64x2.shl f32.const 1 f32x4.replace_lane 2)""",
]

CORPUS = [
    EVERY_SECTION,
    *(bytes(wasmtime.wat2wasm(f"(module {text})")) for text in TEXTS),
    *(plain_module(op) for op in PLAIN_OPS[::10]),
]

# Bytes that mean something: opcodes, types, ends, edges of LEB128.
LIKELY = bytes.fromhex("0001020304050b0c0d0e0f101112131a1b1c2021224041707f7e7d7c7b6f80fffcfdd0d2")


@functools.cache
def engine() -> wasmtime.Engine:
    """Make an engine that accepts 2.0, tail calls, extended constant expressions, and no more."""
    config = wasmtime.Config()
    for feature in BEYOND_US:
        setattr(config, f"wasm_{feature}", False)
    config.wasm_tail_call = True
    return wasmtime.Engine(config)


def accepted_by_wasmtime(data: bytes) -> bool:
    try:
        wasmtime.Module.validate(engine(), data)
    except wasmtime.WasmtimeError:
        return False
    return True


def our_complaint(data: bytes) -> str | None:
    try:
        validate_module(decode_module(data))
    except (ModuleError, UnsupportedFeature) as error:  # wasmtime, too, has limits
        return error.reason
    return None


def check(data: bytes) -> None:
    complaint = our_complaint(data)
    if accepted_by_wasmtime(data) == (complaint is None):
        return
    # wasmtime reads a memory's limits as 64 bits before it looks at the type of the memory, so it
    # takes encodings of more than five bytes. The specification does not.
    assert complaint is not None and complaint.startswith("integer representation too long"), data


mutations = st.lists(
    st.tuples(
        st.sampled_from(["set", "add", "flip", "delete", "insert"]),
        st.floats(0, 1, exclude_max=True),  # where
        st.sampled_from(LIKELY) | st.integers(0, 255),
    ),
    max_size=4,
)


def mutate(data: bytes, changes: list[tuple[str, float, int]]) -> bytes:
    """Change some bytes behind magic and version."""
    changed = bytearray(data)
    for kind, where, value in changes:
        pos = 8 + int(where * (len(changed) - 8))
        if kind == "insert" or pos >= len(changed):
            changed.insert(pos, value)
        elif kind == "delete":
            del changed[pos]
        elif kind == "set":
            changed[pos] = value
        elif kind == "add":
            changed[pos] = (changed[pos] + (1 if value & 1 else -1)) % 256
        else:
            changed[pos] ^= 1 << value % 8
    return bytes(changed)


def test_the_corpus_is_valid() -> None:
    for data in CORPUS:
        assert our_complaint(data) is None
        assert accepted_by_wasmtime(data)


@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(CORPUS), mutations)
# A number behind a prefix that runs over into the prefix's own bits.
@example(b.func_module(b"\xfc\x87\x80\x40"), [])
def test_mutated_modules(data: bytes, changes: list[tuple[str, float, int]]) -> None:
    check(mutate(data, changes))


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=60))
def test_arbitrary_bodies(instrs: bytes) -> None:
    check(b.func_module(instrs, b.I32 + b.I64, b.I32, sections={b.MEMORY: b.vec(b"\x00\x01")}))


def test_every_truncation() -> None:
    for data in CORPUS:
        for size in range(len(data)):
            check(data[:size])
