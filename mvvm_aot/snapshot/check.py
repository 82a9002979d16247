"""Hold a snapshot against its module: Snapshot + ValidatedModule -> nothing, or SnapshotMismatch.

The runtime checks the same against its frame table before any byte becomes machine state; this is
for the tools, which have no frame table. Invariant: what passes refers only to functions, tables,
globals and memories that the module has, with the types that it gives them.
"""

from __future__ import annotations

from mvvm_aot.abi import MAX_PAGES
from mvvm_aot.errors import SnapshotMismatch
from mvvm_aot.wasmparser.module import Function, Module
from mvvm_aot.wasmparser.types import ResultType, ValType
from mvvm_aot.wasmparser.validated import ValidatedModule

from .state import NULL_REF, Frame, InstanceState, MemoryState, Snapshot, Value

_CALLS = ("call", "call_indirect")


def check_against(snapshot: Snapshot, validated: ValidatedModule) -> None:
    """Check that the state can be one of the module's. Raises SnapshotMismatch."""
    module = validated.module
    if snapshot.module_sha256 != module.sha256:
        raise SnapshotMismatch(
            f"the snapshot belongs to another module: its SHA-256 is "
            f"{snapshot.module_sha256.hex()}, not {module.sha256.hex()}"
        )
    state = snapshot.state
    _count("globals", len(state.globals), len(module.globals))
    _count("tables", len(state.tables), len(module.all_tables))
    _count("memories", len(state.memories), len(module.all_memories))
    _count("data segments", len(state.dropped_datas), len(module.datas))
    _count("element segments", len(state.dropped_elems), len(module.elems))
    for index, value in enumerate(state.globals):
        _value(module, value, module.globals[index].type.valtype, f"global {index}")
    _check_tables(module, state)
    for index, memory in enumerate(state.memories):
        _check_memory(module, index, memory)
    if not state.frames:
        raise SnapshotMismatch("the snapshot has no frames")
    for number, frame in enumerate(state.frames):
        innermost = number == len(state.frames) - 1
        _check_frame(validated, frame, f"frame {number}", innermost=innermost)


def _count(what: str, found: int, expected: int) -> None:
    if found != expected:
        raise SnapshotMismatch(f"the snapshot has {found} {what}, the module {expected}")


def _value(module: Module, value: Value, valtype: ValType, where: str) -> None:
    """Check a value's type, and that a reference names a function of the module."""
    if value.type is not valtype:
        raise SnapshotMismatch(f"{where} is of type {value.type.text}, not {valtype.text}")
    if valtype.is_reference:
        _reference(module, value.bits, valtype, where)


def _reference(module: Module, bits: int, valtype: ValType, where: str) -> None:
    if bits == NULL_REF:
        return
    if valtype is ValType.EXTERNREF:
        raise SnapshotMismatch(f"{where} is an externref that is not null")
    if bits >= module.num_funcs:
        raise SnapshotMismatch(f"{where} refers to function {bits} of {module.num_funcs}")


def _check_tables(module: Module, state: InstanceState) -> None:
    for index, (table, desc) in enumerate(zip(state.tables, module.all_tables, strict=True)):
        where = f"table {index}"
        if table.reftype is not desc.elem or table.max != desc.limits.max:
            raise SnapshotMismatch(f"{where} has another type than in the module")
        size = len(table.elements)
        if size < desc.limits.min or (table.max is not None and size > table.max):
            raise SnapshotMismatch(f"{where} has {size} elements, outside of its limits")
        for position, bits in enumerate(table.elements):
            _reference(module, bits, desc.elem, f"{where}, element {position}")


def _check_memory(module: Module, index: int, memory: MemoryState) -> None:
    limits = module.all_memories[index].limits
    most = MAX_PAGES if limits.max is None else limits.max
    if memory.max_pages != most or not limits.min <= memory.pages <= most:
        raise SnapshotMismatch(
            f"memory {index} has {memory.pages} pages (at most {memory.max_pages}), "
            f"the module says {limits.min} to {most}"
        )


def _check_frame(validated: ValidatedModule, frame: Frame, where: str, *, innermost: bool) -> None:
    """Check a frame's function, point, local and operand types."""
    module = validated.module
    if frame.func_index >= module.num_funcs:
        raise SnapshotMismatch(f"{where}: function {frame.func_index} of {module.num_funcs}")
    where = f'{where} ("{module.func_name(frame.func_index)}")'
    if frame.func_index < module.num_imported_funcs:
        types = module.func_type(frame.func_index).params
        operands: ResultType = ()
        if not innermost or frame.offset != 0 or len(frame.locals) != len(types):
            raise SnapshotMismatch(f"{where} is not a host call in flight")
    else:
        types = validated.function(frame.func_index).locals
        found = _operand_types(validated, frame)
        if found is None:
            raise SnapshotMismatch(f"{where}: no point at offset {frame.offset:#x}")
        operands = found
    for index, value in frame.locals:
        if index >= len(types):
            raise SnapshotMismatch(f"{where}: local {index} of {len(types)}")
        _value(module, value, types[index], f"{where}, local {index}")
    if len(frame.operands) != len(operands):
        raise SnapshotMismatch(
            f"{where} has {len(frame.operands)} operands, the module {len(operands)}"
        )
    for index, (value, valtype) in enumerate(zip(frame.operands, operands, strict=True)):
        _value(module, value, valtype, f"{where}, operand {index}")


def _operand_types(validated: ValidatedModule, frame: Frame) -> ResultType | None:
    """Return the operands that a frame at this point has, or None if there is no such point."""
    own = frame.func_index - validated.module.num_imported_funcs
    function: Function = validated.module.functions[own]
    if frame.offset == function.offset:
        return ()
    found = validated.functions[own]
    for number, stack in found.stack_at.items():
        offset, op, imm = found.instrs[number]
        if offset != frame.offset:
            continue
        if op.text == "loop":
            return stack
        if op.text not in _CALLS:
            return None
        if op.text == "call":
            return stack[: len(stack) - len(validated.module.func_type(imm).params)]
        type_index = imm[0]
        params = validated.module.types[type_index].params
        return stack[: len(stack) - len(params) - 1]
    return None
