"""Validate a module: Module -> ValidatedModule.

Specification: section 3.4 (validation of modules). Errors carry the words of the specification's
test suite, then what and where. A module that passes is valid WebAssembly 2.0, tail calls
and extended constant expressions added.
"""

from __future__ import annotations

from collections.abc import Iterator

from mvvm_aot.errors import InvalidModule

from .code import CodeValidator
from .constants import check_const_expr
from .module import Elem, ExternKind, Import, Module, SegmentMode
from .opcodes import BY_TEXT
from .operands import Context
from .types import FuncType, Limits, MemType, TableType, ValType
from .validated import ValidatedFunction, ValidatedModule

__all__ = ["ValidatedFunction", "ValidatedModule", "validate_module"]

MAX_PAGES = 65536

# Whoever compiles real programs keeps a few operands on the stack at a call. What all points
# together may record is generous for them, and linear in the size of the module.
STACK_TYPES_PER_BYTE = 16
STACK_TYPES_AT_LEAST = 1_000_000

_REF_FUNC = BY_TEXT["ref.func"]


def validate_module(module: Module) -> ValidatedModule:
    """Validate a module. Raises InvalidModule, or UnsupportedFeature beyond a limit."""
    _check_imports(module)
    _check_type_indices(module)
    _check_tables_and_memories(module)
    _check_globals(module)
    _check_elems(module)
    _check_datas(module)
    _check_exports(module)
    _check_start(module)
    validator = CodeValidator(_context(module))
    functions = tuple(validator.validate(function) for function in module.functions)
    return ValidatedModule(module, functions)


def _context(module: Module) -> Context:
    """Gather what function bodies can refer to."""
    return Context(
        module=module,
        types=module.types,
        funcs=tuple(module.func_type(index) for index in range(module.num_funcs)),
        tables=module.all_tables,
        num_memories=len(module.all_memories),
        globals=module.all_globals,
        elem_types=tuple(elem.type for elem in module.elems),
        num_datas=len(module.datas),
        refs=frozenset(_references(module)),
        stack_budget=STACK_TYPES_AT_LEAST + STACK_TYPES_PER_BYTE * len(module.raw),
    )


def _references(module: Module) -> Iterator[int]:
    """Yield the functions that are mentioned outside of bodies: ref.func may name them."""
    for item in module.exports:
        if item.kind is ExternKind.FUNC:
            yield item.index
    exprs = [entry.init for entry in module.globals]
    exprs += [expr for elem in module.elems for expr in elem.init]
    for expr in exprs:
        for _, op, imm in expr:
            if op is _REF_FUNC:
                yield imm


def _check_imports(module: Module) -> None:
    for item in module.imports:
        desc = item.desc
        if isinstance(desc, int):
            raise InvalidModule(f"unknown type {desc} of {_import_text(item)}", offset=item.offset)
        if isinstance(desc, TableType):
            _check_table_limits(desc.limits, item.offset)
        elif isinstance(desc, MemType):
            _check_memory_limits(desc.limits, item.offset)


def _import_text(item: Import) -> str:
    return f'import "{item.module}" "{item.name}"'


def _check_type_indices(module: Module) -> None:
    for function in module.functions:
        if function.type_index >= len(module.types):
            raise InvalidModule(
                f"unknown type {function.type_index} of a function",
                func_index=function.func_index,
                offset=function.offset,
                func_name=module.func_name(function.func_index),
            )


def _check_tables_and_memories(module: Module) -> None:
    for table, offset in zip(module.tables, module.table_offsets, strict=True):
        _check_table_limits(table.limits, offset)
    for memory, offset in zip(module.memories, module.memory_offsets, strict=True):
        _check_memory_limits(memory.limits, offset)
    offsets = [item.offset for item in module.imported_memories] + [*module.memory_offsets]
    if len(offsets) > 1:
        raise InvalidModule("multiple memories: WebAssembly 2.0 allows one", offset=offsets[1])


def _check_table_limits(limits: Limits, offset: int) -> None:
    """Check a table's limits; that they fit 32 bits the decoder has made sure of."""
    if limits.max is not None and limits.min > limits.max:
        raise InvalidModule(
            f"size minimum must not be greater than maximum: {limits.min} and {limits.max}",
            offset=offset,
        )


def _check_memory_limits(limits: Limits, offset: int) -> None:
    for pages in (limits.min, limits.max or 0):
        if pages > MAX_PAGES:
            raise InvalidModule(
                f"memory size must be at most 65536 pages (4GiB), not {pages}", offset=offset
            )
    _check_table_limits(limits, offset)


def _check_globals(module: Module) -> None:
    for entry in module.globals:
        check_const_expr(module, entry.init, entry.type.valtype)


def _check_elems(module: Module) -> None:
    for elem in module.elems:
        if elem.mode is SegmentMode.ACTIVE:
            _check_active_elem(module, elem)
        for expr in elem.init:
            check_const_expr(module, expr, elem.type)


def _check_active_elem(module: Module, elem: Elem) -> None:
    """Check that an active segment fits its table, and its offset expression."""
    table_index, offset_expr = elem.table_index, elem.offset_expr
    assert table_index is not None and offset_expr is not None  # it is active
    if table_index >= len(module.all_tables):
        raise InvalidModule(f"unknown table {table_index}", offset=elem.offset)
    table_elem = module.all_tables[table_index].elem
    if table_elem is not elem.type:
        raise InvalidModule(
            f"type mismatch: elements of type {elem.type.text} for a table of {table_elem.text}",
            offset=elem.offset,
        )
    check_const_expr(module, offset_expr, ValType.I32)


def _check_datas(module: Module) -> None:
    for data in module.datas:
        if data.mode is SegmentMode.ACTIVE:
            assert data.memory_index is not None and data.offset_expr is not None  # it is active
            if data.memory_index >= len(module.all_memories):
                raise InvalidModule(f"unknown memory {data.memory_index}", offset=data.offset)
            check_const_expr(module, data.offset_expr, ValType.I32)


def _check_exports(module: Module) -> None:
    sizes = {
        ExternKind.FUNC: ("function", module.num_funcs),
        ExternKind.TABLE: ("table", len(module.all_tables)),
        ExternKind.MEMORY: ("memory", len(module.all_memories)),
        ExternKind.GLOBAL: ("global", len(module.all_globals)),
    }
    names: set[str] = set()
    for item in module.exports:
        what, size = sizes[item.kind]
        if item.index >= size:
            raise InvalidModule(
                f'unknown {what} {item.index} in export "{item.name}"', offset=item.offset
            )
        if item.name in names:
            raise InvalidModule(f'duplicate export name "{item.name}"', offset=item.offset)
        names.add(item.name)


def _check_start(module: Module) -> None:
    if module.start is None:
        return
    if module.start >= module.num_funcs:
        raise InvalidModule(
            f"unknown function {module.start} as start function", offset=module.start_offset
        )
    func_type = module.func_type(module.start)
    if func_type != FuncType((), ()):
        raise InvalidModule(
            f"start function must have type [] -> [], not {func_type}",
            func_index=module.start,
            offset=module.start_offset,
            func_name=module.func_name(module.start),
        )
