"""A module and a snapshot of it, small and with something in every section."""

from __future__ import annotations

import hashlib

import wasmtime

from mvvm_aot.snapshot.state import (
    NULL_REF,
    PAGE,
    Descriptor,
    Frame,
    InstanceState,
    MemoryRun,
    MemoryState,
    Snapshot,
    TableState,
    Value,
    WasiState,
)
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.types import ValType
from mvvm_aot.wasmparser.validate import validate_module
from mvvm_aot.wasmparser.validated import ValidatedModule

WAT = """
(module $sample
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (memory (export "memory") 2 3)
  (table 2 5 funcref)
  (elem (i32.const 0) $work)
  (global $counter (export "counter") (mut i64) (i64.const 7))
  (data $text "abc")
  (func $work (param $n i32) (local $x f64)
    i32.const 5
    loop $again
      local.get $n
      br_if $again
    end
    drop)
  (func (export "_start")
    i32.const 3
    call $work
    call $yield
    drop))
"""


def sample_module() -> ValidatedModule:
    """Return the module, validated."""
    return validate_module(decode_module(bytes(wasmtime.wat2wasm(WAT))))


def offset_of(module: ValidatedModule, func_index: int, text: str) -> int:
    """Return the offset of the first instruction of a kind in a function."""
    return next(offset for offset, op, _ in module.function(func_index).instrs if op.text == text)


def sample_snapshot() -> Snapshot:
    """Return a snapshot that fits ``sample_module``: $work at its loop, called from _start."""
    module = sample_module()
    raw = module.module.raw
    start = Frame(2, offset_of(module, 2, "call"), (), ())
    locals_ = ((0, Value(ValType.I32, 0xFFFF_FFFE)), (1, Value(ValType.F64, 0x3FF8 << 48)))
    work = Frame(1, offset_of(module, 1, "loop"), locals_, (Value(ValType.I32, 5),))
    runs = (MemoryRun(0, b"first" + bytes(PAGE - 5)), MemoryRun(30, bytes([9]) * (2 * PAGE)))
    stdin = Descriptor(0, 0, 2, 0, 1, 2, 0, 0, 0, 0, b"", b"")
    preopen = Descriptor(3, 1, 3, 0, 1, 2, 0, NULL_REF, 0, 0, b"/data", b"/srv/data")
    file = Descriptor(4, 3, 4, 1, 1, 2, 77, 3, 100, 12345, b"a/b.txt", b"")
    return Snapshot(
        module=raw,
        module_sha256=hashlib.sha256(raw).digest(),
        source={"arch": "x86_64", "reason": "test"},
        state=InstanceState(
            frames=(start, work),
            globals=(Value(ValType.I64, 8),),
            tables=(TableState(ValType.FUNCREF, (1, NULL_REF), 5),),
            memories=(MemoryState(2, 3, runs),),
            dropped_datas=(True,),
            dropped_elems=(True,),
            wasi=WasiState(
                (b"app", b"x y"), (b"A=1",), 1_000, 2_000, 30, 900, (stdin, preopen, file)
            ),
        ),
    )
