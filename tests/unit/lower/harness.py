"""Compile a module with the test stub of the runtime, and call its functions on each ISA."""

from __future__ import annotations

import atexit
import functools
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ziglang

from mvvm_aot import abi, backend
from mvvm_aot.lower import lower_module
from mvvm_aot.plan import canonical_types, plan_points
from mvvm_aot.targets import TARGETS, Target
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.module import Module
from mvvm_aot.wasmparser.types import ValType
from mvvm_aot.wasmparser.validate import validate_module
from mvvm_aot.wasmparser.validated import ValidatedModule

HERE = Path(__file__).resolve().parent
INCLUDE = HERE.parents[2] / "runtime" / "include"
ZIG = Path(ziglang.__file__).parent / "zig"

Call = tuple[int, tuple[int, ...]]  # func_index, argument bits
Answer = tuple[int, ...] | str  # result bits, or "trap N"


def wat_to_wasm(text: str) -> bytes:
    """Assemble the text format with wabt, whose opcodes our parser then has to agree with."""
    import wasmtime

    return bytes(wasmtime.wat2wasm(text))


def load(text: str) -> ValidatedModule:
    return validate_module(decode_module(wat_to_wasm(text)))


def runnable(target: Target) -> bool:
    return platform.machine() in target.machines or shutil.which(target.qemu) is not None


RUNNABLE = [target for target in TARGETS.values() if runnable(target)]


def zig_cc(target: Target, *args: str | Path) -> None:
    command = [str(ZIG), "cc", f"--target={target.zig_target}", *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def scratch_folder(prefix: str) -> Path:
    """Make a folder that is gone when the test run ends."""
    folder = tempfile.mkdtemp(prefix=prefix)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@functools.cache
def stub_objects(name: str) -> tuple[Path, Path]:
    """Compile the stub once per target and test run."""
    target = TARGETS[name]
    folder = scratch_folder("mvvm-stub-")
    objects = (folder / "stub.o", folder / "arch.o")
    zig_cc(target, "-O1", "-c", HERE / "runtime_stub.c", "-I", INCLUDE, "-o", objects[0])
    zig_cc(target, "-c", HERE / f"stub_{name}.S", "-o", objects[1])
    return objects


def _const(expr: Sequence[Any]) -> Any:
    """Return a constant expression's immediate."""
    return expr[0][2]


def describe(module: Module, memory_init: bytes = b"") -> str:
    """Return C text: entries, tables, globals and memory of a module."""
    types = {module.types[index]: index for index in canonical_types(module)}
    lines = ['#include "mvvm_module.h"', "#include <string.h>"]
    lines += [
        "struct entry { void (*code)(void); void (*thunk)(void); uint32_t params, results; };"
    ]
    lines += [f"extern void m0_thunk{index}(void);" for index in types.values()]
    lines += [f"extern void m0_f{index}(void);" for index in range(module.num_funcs)]
    lines.append("const struct entry entries[] = {")
    for func_index in range(module.num_funcs):
        t = module.func_type(func_index)
        row = f"m0_f{func_index}, m0_thunk{types[t]}, {len(t.params)}, {len(t.results)}"
        lines.append(f"  {{{row}}},")
    pages = module.memories[0].limits.min if module.memories else 0
    lines += ["};", f"const uint64_t memory_pages = {pages};"]
    lines += ["extern struct mvvm_context m0_context; extern struct mvvm_table m0_tables[];"]
    lines += ["extern uint8_t m0_globals[];"]
    for k, table in enumerate(module.tables):
        lines.append(f"static struct mvvm_elem table{k}[{max(table.limits.min, 1)}];")
    lines.append("void stub_init(void) {")
    for k, table in enumerate(module.tables):
        lines.append(f"  m0_tables[{k}] = (struct mvvm_table){{table{k}, {table.limits.min}, -1}};")
        lines.append(f"  for (uint32_t i = 0; i < {table.limits.min}; i++)")
        lines.append(f"    table{k}[i] = (struct mvvm_elem){{0, {abi.NULL_TYPE_ID}u, ~0u}};")
    for elem in module.elems:
        assert elem.offset_expr is not None
        for k, item in enumerate(elem.init, _const(elem.offset_expr)):
            func_index = _const(item)
            type_id = types[module.func_type(func_index)]
            entry = f"(struct mvvm_elem){{m0_f{func_index}, {type_id}, {func_index}}}"
            lines.append(f"  table{elem.table_index}[{k}] = {entry};")
    for k, entry_ in enumerate(module.globals):
        value = _const(entry_.init) or 0
        lines.append(
            f"  {{ uint64_t v = {value & (1 << 64) - 1}u; memcpy(m0_globals + {16 * k}, &v, 8); }}"
        )
    for data in module.datas:
        assert data.offset_expr is not None
        octets = "".join(f"\\x{byte:02x}" for byte in data.init)
        at = f"m0_context.memory_base + {_const(data.offset_expr)}"
        lines.append(f'  memcpy({at}, "{octets}", {len(data.init)});')
    lines.append("}")
    return "\n".join(lines) + "\n"


class Program:
    """A module's executables, one per (target, options); made when first asked for."""

    def __init__(self, text: str) -> None:
        self.vm = load(text)
        self.folder = scratch_folder("mvvm-lower-")

    @functools.cache  # noqa: B019 - lives as long as the test run
    def executable(
        self,
        target: Target,
        opt_level: int = 2,
        migration: bool = True,
        mode: backend.CodegenMode = backend.CodegenMode.NORMAL,
    ) -> Path:
        plan = plan_points(self.vm, migration=migration)
        ir = lower_module(self.vm, plan)
        name = f"{target.name}-O{opt_level}-{migration}-{mode.value}"
        (self.folder / f"{name}.ll").write_text(ir)
        obj = self.folder / f"{name}.o"
        obj.write_bytes(backend.emit_object(ir, target, opt_level=opt_level, mode=mode))
        source = self.folder / "describe.c"
        source.write_text(describe(self.vm.module))
        exe = self.folder / name
        zig_cc(target, "-static", source, "-I", INCLUDE, obj, *stub_objects(target.name), "-o", exe)
        return exe

    def strips(self) -> int:
        """Return how many loops are strip-mined."""
        return sum(len(plan.strips) for plan in plan_points(self.vm).functions.values())

    def call(self, calls: Sequence[Call], target: Target, *args: Any) -> list[Answer]:
        """Call functions, in one process, in order."""
        exe = self.executable(target, *args)
        command = [str(exe)]
        if platform.machine() not in target.machines:
            command = [target.qemu, *command]
        script = "\n".join(
            f"{index} " + " ".join(f"{bits:x}" for bits in bits_) for index, bits_ in calls
        )
        done = subprocess.run(
            command, input=script + "\n", capture_output=True, text=True, env=dict(os.environ)
        )
        assert done.returncode == 0, (done.returncode, done.stderr, self.folder)
        answers: list[Answer] = []
        for (index, _), line in zip(calls, done.stdout.splitlines(), strict=True):
            if line.startswith("trap"):
                answers.append(line)
                continue
            results = self.vm.module.func_type(index).results
            values = zip((int(word, 16) for word in line.split()), results, strict=True)
            answers.append(tuple(bits & mask(valtype) for bits, valtype in values))
        return answers


def mask(valtype: ValType) -> int:
    return (1 << (32 if valtype in (ValType.I32, ValType.F32) else 64)) - 1
