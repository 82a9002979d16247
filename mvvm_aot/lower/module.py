"""Lower a module: ValidatedModule + PointPlan -> the text of one LLVM module.

The output has the symbols of docs/internals.md, section 1: functions, import stubs, thunks and
data. It has neither triple nor data layout: those are the target's (backend.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from mvvm_aot import abi
from mvvm_aot.attempts import attempt_plan
from mvvm_aot.plan import PointPlan, canonical_types, split_params
from mvvm_aot.wasmparser.opcodes import BY_TEXT
from mvvm_aot.wasmparser.types import FuncType
from mvvm_aot.wasmparser.validated import ValidatedFunction, ValidatedModule

from . import ir
from .function import FunctionLowering
from .names import LLVM_TYPES, Names, declaration, definition, result_type, spill_slot

_DIRECT_CALLS: Final = frozenset((BY_TEXT["call"], BY_TEXT["return_call"]))


@dataclass(frozen=True, slots=True)
class Scope:
    """What one LLVM module defines of a Wasm module; everything else is declared in it.

    ``defined``: functions, by default all. ``copied``: functions that another object defines and
    that LLVM may inline here. ``shared``: whether data, import stubs and thunks are defined here.
    ``careful``: the functions failed the proof and get more careful code. ``tail_callees``: the
    functions that direct tail calls of the whole module name; by default those of the plan's.
    ``optimized``: whether LLVM's middle end is going to run.
    """

    defined: Collection[int] | None = None
    copied: Collection[int] = ()
    shared: bool = True
    careful: bool = False
    tail_callees: frozenset[int] | None = None
    optimized: bool = True


_WHOLE: Final = Scope()


def lower_module(
    vm: ValidatedModule,
    plan: PointPlan,
    *,
    prefix: str = "m0",
    type_ids: Mapping[FuncType, int] | None = None,
    scope: Scope = _WHOLE,
) -> str:
    """Return LLVM IR text for a module, or for what ``scope`` says of it.

    ``plan`` says where its points are (none after ``plan_points(vm, migration=False)``).
    ``type_ids``: canonical type numbers; by default the index of the first equal type.
    Raises UnsupportedFeature.
    """
    module = vm.module
    if type_ids is None:
        type_ids = {module.types[index]: index for index in canonical_types(module)}
    tail_callees = scope.tail_callees
    if tail_callees is None:
        tail_callees = frozenset().union(*(item.tail_callees for item in plan.functions.values()))
    copied = frozenset(scope.copied)
    tried = plan.tried if scope.optimized and not scope.careful else frozenset()
    names = Names(
        module, prefix, type_ids, scope.careful, tail_callees, tried, copied, scope.optimized
    )
    parts = [_data(names, external=not scope.shared), _runtime()]
    defined: set[int] = set()
    if scope.shared:
        defined |= set(range(module.num_imported_funcs))
        for func_index in range(module.num_imported_funcs):
            parts += _import_stub(names, func_index, plan.migration)
        for type_index in canonical_types(module):
            parts += _thunk(names, type_index, plan.migration)
    named: set[int] = set()
    for vf in vm.functions:
        index = vf.func_index
        if index in tried:
            attempt = attempt_plan(plan.functions[index])
            parts += FunctionLowering(vf, attempt, names, attempt=True).run()
            if index in copied:
                continue
        if scope.defined is None or index in scope.defined or index in copied:
            defined.add(index)
            named |= direct_callees(vf)
            parts += FunctionLowering(vf, plan.functions[index], names).run()
    for index in sorted(named - defined):
        parts.append(f"declare {declaration(names.symbol(index), module.func_type(index))}")
    parts.append(ir.EPILOGUE)
    return "\n".join(parts)


def direct_callees(vf: ValidatedFunction) -> set[int]:
    """Return the functions that a function's calls and tail calls name, dead code included."""
    return {imm for _, op, imm in vf.instrs if op in _DIRECT_CALLS}


def _data(names: Names, *, external: bool) -> str:
    """Return the module's data: zero, or declared only."""
    module, prefix = names.module, names.prefix
    contents = {
        "context": (f"[{abi.STRUCTS['mvvm_context'][0]} x i8]", 64),
        "globals": (f"[{16 * max(len(module.globals), 1)} x i8]", 16),
        "global_refs": (f"[{max(len(module.imported_globals), 1)} x ptr]", 16),
        "tables": (f"[{16 * max(len(module.all_tables), 1)} x i8]", 16),
    }
    linkage, initial = ("external hidden", "") if external else ("hidden", " zeroinitializer")
    return "\n".join(
        f"@{prefix}_{name} = {linkage} global {llvm}{initial}, align {align}"
        for name, (llvm, align) in contents.items()
    )


def _runtime() -> str:
    """Declare what the runtime provides."""
    values = f"[{16 * abi.MAX_SPILL_VALUES} x i8]"
    lines = [
        "@mvvm_flag = external hidden global i32, align 4",
        "@mvvm_invoke_target = external hidden global ptr, align 8",
        f"@mvvm_invoke_values = external hidden global {values}, align 16",
        f"@mvvm_spill = external hidden global {values}, align 16",
        "declare hidden preserve_nonecc void @mvvm_leave()",
        "declare hidden preserve_nonecc void @mvvm_host_call(ptr, i32, ptr)",
    ]
    lines += [
        f"declare hidden {result} @{name}({', '.join(params)})"
        for name, (result, params) in abi.HELPERS.items()
    ]
    return "\n".join(lines)


def _import_stub(names: Names, func_index: int, migration: bool) -> list[str]:
    """Return an import's stub: its homes are the arguments, later the results, of the host call."""
    func_type = names.module.func_type(func_index)
    slots = max(len(func_type.params), len(func_type.results), 1)
    lines = [
        definition(names.symbol(func_index), func_type, ir.POINTS),
        f"  %homes = alloca [{2 * slots} x i64], align 16",
    ]
    registers, _ = split_params(func_type.params)
    for k, valtype in enumerate(func_type.params):
        llvm = LLVM_TYPES[valtype]
        if k not in registers:
            lines.append(f"  %p{k} = load {llvm}, ptr {spill_slot(k)}, align 16{ir.SPILL}")
        lines += [
            f"  %a{k} = getelementptr i8, ptr %homes, i64 {16 * k}",
            f"  store {llvm} %p{k}, ptr %a{k}, align 16{ir.HOME}",
        ]
    args = f"ptr @{names.prefix}_context, i32 {func_index}, ptr %homes"
    point = (
        f'{ir.CALL} [ "deopt"(i32 {func_index}, i32 0, ptr %homes) ]' if migration else ir.NOUNWIND
    )
    lines.append(f"  call preserve_nonecc void @mvvm_host_call({args}) {point}")
    for j, valtype in enumerate(func_type.results):
        llvm = LLVM_TYPES[valtype]
        lines += [
            f"  %b{j} = getelementptr i8, ptr %homes, i64 {16 * j}",
            f"  %r{j} = load {llvm}, ptr %b{j}, align 16{ir.HOME}",
        ]
    return lines + _return(func_type)


def _return(func_type: FuncType) -> list[str]:
    """Return the results %r0, %r1...: the first in a register."""
    lines = [
        f"  store {LLVM_TYPES[valtype]} %r{j}, ptr {spill_slot(j)}, align 16{ir.SPILL}"
        for j, valtype in enumerate(func_type.results)
        if j
    ]
    last = f"  ret {result_type(func_type)} %r0" if func_type.results else "  ret void"
    return [*lines, last, "}"]


def _thunk(names: Names, type_index: int, migration: bool) -> list[str]:
    """Return how C enters a function of a type: values come from and go to mvvm_invoke_values."""
    func_type = names.module.types[type_index]
    lines = [
        f"define hidden preserve_nonecc void @{names.prefix}_thunk{type_index}() {ir.POINTS} {{",
        "  %homes = alloca [1 x i64], align 16",
        f'  call void asm sideeffect "", "r"(ptr %homes) {ir.NOUNWIND}',
        f"  %target = load ptr, ptr @mvvm_invoke_target, align 8{ir.CONTEXT}",
    ]
    registers, spilled = split_params(func_type.params)
    for k, valtype in enumerate(func_type.params):
        llvm = LLVM_TYPES[valtype]
        lines.append(f"  %p{k} = load {llvm}, ptr {_invoke_slot(k)}, align 16{ir.CONTEXT}")
        if k in spilled:
            lines.append(f"  store {llvm} %p{k}, ptr {spill_slot(k)}, align 16{ir.SPILL}")
    args = ", ".join(f"{LLVM_TYPES[func_type.params[k]]} %p{k}" for k in registers)
    func_id = abi.THUNK_FUNC_ID | type_index
    point = f'{ir.CALL} [ "deopt"(i32 {func_id}, i32 0, ptr %homes) ]' if migration else ir.NOUNWIND
    result = "%r0 = " if func_type.results else ""
    lines.append(f"  {result}call preserve_nonecc {result_type(func_type)} %target({args}) {point}")
    for j, valtype in enumerate(func_type.results):
        llvm = LLVM_TYPES[valtype]
        if j:
            lines.append(f"  %r{j} = load {llvm}, ptr {spill_slot(j)}, align 16{ir.SPILL}")
        lines.append(f"  store {llvm} %r{j}, ptr {_invoke_slot(j)}, align 16{ir.CONTEXT}")
    return [*lines, "  ret void", "}"]


def _invoke_slot(index: int) -> str:
    """Return the address of a slot of mvvm_invoke_values."""
    if not index:
        return "@mvvm_invoke_values"
    return f"getelementptr (i8, ptr @mvvm_invoke_values, i64 {16 * index})"
