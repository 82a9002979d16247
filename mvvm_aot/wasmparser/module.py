"""A decoded module: frozen sections, index spaces and names.

Specification: section 2.5 (structure of modules). Indices follow it: in each index space imports
come first, then the module's own definitions. Nothing here is checked for validity; what a helper
does for an index that does not exist is an IndexError.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .opcodes import Imm, Op, immediates
from .types import FuncType, GlobalType, MemType, TableType, ValType

# (offset of the opcode within the module file, its row, its immediate value: see opcodes.Imm).
# A plain tuple: it is created several times as fast as a NamedTuple, and modules hold millions.
Instr = tuple[int, Op, Any]


def instr_text(instr: Instr) -> str:
    """Return an instruction for messages, much as the text format writes it."""
    _, op, imm = instr
    values = zip(op.imm, immediates(op, imm), strict=True)
    return " ".join([op.text, *(_imm_text(kind, value) for kind, value in values)])


def _imm_text(kind: Imm, value: Any) -> str:
    """Return an immediate value for messages; long lists are cut."""
    if kind is Imm.MEMARG:
        return f"offset={value[1]} align={1 << value[0]}"
    if kind is Imm.LABELS:
        return f"{_list_text(value[0])} {value[1]}"
    if isinstance(value, tuple):
        return _list_text(value)
    return value.text if isinstance(value, ValType) else str(value)


def _list_text(values: tuple[Any, ...]) -> str:
    """Return at most 16 values in parentheses."""
    shown = [value.text if isinstance(value, ValType) else str(value) for value in values[:16]]
    return f"({' '.join(shown)}{' ...' if len(values) > 16 else ''})"


# A constant expression, its final ``end`` included.
ConstExpr = tuple[Instr, ...]

LocalRuns = tuple[tuple[int, ValType], ...]


class ExternKind(enum.Enum):
    """What an import or export is; the enum value is the byte in the binary format."""

    FUNC = 0
    TABLE = 1
    MEMORY = 2
    GLOBAL = 3

    @property
    def text(self) -> str:
        """The kind's word in messages and in the text format."""
        return self.name.lower()


_KIND_BY_DESC: dict[type, ExternKind] = {
    FuncType: ExternKind.FUNC,
    int: ExternKind.FUNC,
    TableType: ExternKind.TABLE,
    MemType: ExternKind.MEMORY,
    GlobalType: ExternKind.GLOBAL,
}


class SegmentMode(enum.Enum):
    """When an element or data segment is copied: at instantiation, on demand, never."""

    ACTIVE = "active"
    PASSIVE = "passive"
    DECLARATIVE = "declarative"  # element segments only


@dataclass(frozen=True, slots=True)
class Import:
    """An import. ``desc`` of a function is its FuncType (an int if that type is unknown)."""

    module: str
    name: str
    desc: FuncType | TableType | MemType | GlobalType | int
    offset: int = field(default=0, compare=False)

    @property
    def kind(self) -> ExternKind:
        """What is imported."""
        return _KIND_BY_DESC[type(self.desc)]


@dataclass(frozen=True, slots=True)
class Export:
    """An export: ``index`` counts in the index space of ``kind``."""

    name: str
    kind: ExternKind
    index: int
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Function:
    """A function that the module defines.

    The code entry's contents (locals, then instructions) are the module's bytes
    ``offset:end_offset``; the last instruction is the final ``end``.
    """

    func_index: int
    type_index: int
    local_runs: LocalRuns  # as in the binary: (count, type), without the parameters
    instrs: tuple[Instr, ...]
    offset: int
    end_offset: int

    @cached_property
    def locals(self) -> tuple[ValType, ...]:
        """The declared locals, one type each, without the parameters."""
        return expand_locals(self.local_runs)


def expand_locals(local_runs: LocalRuns) -> tuple[ValType, ...]:
    """Return one type per local. The decoder has bounded the counts."""
    return tuple(valtype for count, valtype in local_runs for _ in range(count))


@dataclass(frozen=True, slots=True)
class Global:
    """A global that the module defines."""

    type: GlobalType
    init: ConstExpr
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Elem:
    """An element segment; ``table_index`` and ``offset_expr`` are None unless it is active."""

    mode: SegmentMode
    type: ValType
    init: tuple[ConstExpr, ...]
    table_index: int | None
    offset_expr: ConstExpr | None
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Data:
    """A data segment; ``memory_index`` and ``offset_expr`` are None unless it is active."""

    mode: SegmentMode
    init: bytes
    memory_index: int | None
    offset_expr: ConstExpr | None
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class CustomSection:
    """A custom section: its name and the bytes behind the name."""

    name: str
    data: bytes
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class NameSection:
    """What the "name" custom section says; empty if there is none or it is malformed."""

    module_name: str | None = None
    function_names: Mapping[int, str] = field(default_factory=dict)
    local_names: Mapping[int, Mapping[int, str]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Module:
    """A decoded module. Compared by identity; ``sha256`` tells whether two are the same file.

    ``table_offsets``, ``memory_offsets`` and ``start_offset``: where the tables and memories that
    are defined here and the start section's index stand in the module file.
    """

    raw: bytes = field(repr=False)
    types: tuple[FuncType, ...] = ()
    imports: tuple[Import, ...] = ()
    functions: tuple[Function, ...] = field(default=(), repr=False)
    tables: tuple[TableType, ...] = ()
    memories: tuple[MemType, ...] = ()
    globals: tuple[Global, ...] = ()
    exports: tuple[Export, ...] = ()
    table_offsets: tuple[int, ...] = field(default=(), repr=False)
    memory_offsets: tuple[int, ...] = field(default=(), repr=False)
    start: int | None = None
    start_offset: int | None = None
    elems: tuple[Elem, ...] = field(default=(), repr=False)
    datas: tuple[Data, ...] = field(default=(), repr=False)
    data_count: int | None = None
    customs: tuple[CustomSection, ...] = field(default=(), repr=False)
    names: NameSection = field(default_factory=NameSection, repr=False)

    @cached_property
    def sha256(self) -> bytes:
        """The SHA-256 digest of the module file: 32 bytes."""
        return hashlib.sha256(self.raw).digest()

    def _imported(self, kind: ExternKind) -> tuple[Import, ...]:
        return tuple(item for item in self.imports if item.kind is kind)

    @cached_property
    def imported_funcs(self) -> tuple[Import, ...]:
        """The imported functions, in index order."""
        return self._imported(ExternKind.FUNC)

    @cached_property
    def imported_tables(self) -> tuple[Import, ...]:
        """The imported tables, in index order."""
        return self._imported(ExternKind.TABLE)

    @cached_property
    def imported_memories(self) -> tuple[Import, ...]:
        """The imported memories, in index order."""
        return self._imported(ExternKind.MEMORY)

    @cached_property
    def imported_globals(self) -> tuple[Import, ...]:
        """The imported globals, in index order."""
        return self._imported(ExternKind.GLOBAL)

    @property
    def num_imported_funcs(self) -> int:
        """How many functions are imported: the index of the first function defined here."""
        return len(self.imported_funcs)

    @property
    def num_funcs(self) -> int:
        """The size of the function index space."""
        return len(self.imported_funcs) + len(self.functions)

    @cached_property
    def all_tables(self) -> tuple[TableType, ...]:
        """The table index space."""
        imported = (item.desc for item in self.imported_tables)
        return (*(desc for desc in imported if isinstance(desc, TableType)), *self.tables)

    @cached_property
    def all_memories(self) -> tuple[MemType, ...]:
        """The memory index space."""
        imported = (item.desc for item in self.imported_memories)
        return (*(desc for desc in imported if isinstance(desc, MemType)), *self.memories)

    @cached_property
    def all_globals(self) -> tuple[GlobalType, ...]:
        """The types of the global index space."""
        imported = (item.desc for item in self.imported_globals)
        own = (item.type for item in self.globals)
        return (*(desc for desc in imported if isinstance(desc, GlobalType)), *own)

    def func_type(self, func_index: int) -> FuncType:
        """Return a function's type. IndexError if the function or its type does not exist."""
        own_index = func_index - len(self.imported_funcs)
        if own_index >= 0:
            return self.types[self.functions[own_index].type_index]
        desc = self.imported_funcs[func_index].desc
        if not isinstance(desc, FuncType):
            raise IndexError(f"imported function {func_index} has an unknown type")
        return desc

    @cached_property
    def _exported_func_names(self) -> dict[int, str]:
        funcs = (item for item in reversed(self.exports) if item.kind is ExternKind.FUNC)
        return {item.index: item.name for item in funcs}

    def func_name(self, func_index: int) -> str:
        """Return the best name there is for a function, for people to read.

        From the name section, else the first export, else the import "module.name", else "func[N]".
        """
        name = self.names.function_names.get(func_index)
        if name:
            return name
        name = self._exported_func_names.get(func_index)
        if name:
            return name
        if 0 <= func_index < len(self.imported_funcs):
            item = self.imported_funcs[func_index]
            return f"{item.module}.{item.name}"
        return f"func[{func_index}]"

    def local_name(self, func_index: int, local_index: int) -> str | None:
        """Return what the name section calls a local (parameters count), or None."""
        return self.names.local_names.get(func_index, {}).get(local_index)
