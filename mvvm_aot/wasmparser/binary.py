"""Decode a module: bytes -> Module.

Specification: chapter 5 (binary format). Everything that the grammar demands is checked here,
with the words of the specification's test suite; what a well-formed module must obey beyond that
is validate.py's business. Time and memory are linear in the size of the input: counts are held
against the bytes that are left, and locals against the limits below.
"""

from __future__ import annotations

from collections.abc import Callable

from mvvm_aot.errors import MalformedModule, UnsupportedFeature

from .expressions import decode_expr
from .module import (
    ConstExpr,
    CustomSection,
    Data,
    Elem,
    Export,
    ExternKind,
    Function,
    Global,
    Import,
    LocalRuns,
    Module,
    NameSection,
    SegmentMode,
)
from .names import decode_name_section
from .opcodes import BY_TEXT
from .reader import Reader
from .types import FuncType, GlobalType, MemType, TableType, ValType

# What other engines allow, too: https://webassembly.github.io/spec/js-api/#limits
MAX_LOCALS = 50_000
MAX_PARAMS = 1_000
MAX_RESULTS = 1_000

_CUSTOM, _DATA_COUNT, _TAG = 0, 12, 13
_SECTION_ORDER = (1, 2, 3, 4, 5, 6, 7, 8, 9, _DATA_COUNT, 10, 11)
_RANK = {section_id: rank for rank, section_id in enumerate(_SECTION_ORDER)}

_REF_FUNC, _END = BY_TEXT["ref.func"], BY_TEXT["end"]


def decode_module(data: bytes | bytearray) -> Module:
    """Decode a WebAssembly binary. Raises MalformedModule, or UnsupportedFeature beyond a limit."""
    return _ModuleDecoder(bytes(data)).decode()


class _ModuleDecoder:
    """Collects the sections of one module."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reader = Reader(data, 0, len(data))
        self.types: tuple[FuncType, ...] = ()
        self.imports: tuple[Import, ...] = ()
        self.type_indices: tuple[int, ...] = ()  # of the functions defined here
        self.tables: tuple[TableType, ...] = ()
        self.table_offsets: list[int] = []
        self.memories: tuple[MemType, ...] = ()
        self.memory_offsets: list[int] = []
        self.globals: tuple[Global, ...] = ()
        self.exports: tuple[Export, ...] = ()
        self.start: int | None = None
        self.start_offset: int | None = None
        self.elems: tuple[Elem, ...] = ()
        self.data_count: int | None = None
        self.functions: tuple[Function, ...] = ()
        self.datas: tuple[Data, ...] = ()
        self.customs: list[CustomSection] = []
        self.names: NameSection | None = None
        self.num_imported_funcs = 0
        self.data_use: int | None = None  # offset of an instruction that names a data segment
        self.sections: dict[int, Callable[[], None]] = {
            1: self.type_section,
            2: self.import_section,
            3: self.function_section,
            4: self.table_section,
            5: self.memory_section,
            6: self.global_section,
            7: self.export_section,
            8: self.start_section,
            9: self.elem_section,
            10: self.code_section,
            11: self.data_section,
            12: self.data_count_section,
        }

    def decode(self) -> Module:
        """Decode header and sections, then check what spans sections."""
        reader = self.reader
        if reader.take(4) != b"\0asm":
            raise MalformedModule("magic header not detected", 0)
        if reader.take(4) != b"\1\0\0\0":
            raise MalformedModule("unknown binary version", 4)
        rank = -1
        while reader.pos < len(self.data):
            rank = self.section(rank)
        if len(self.type_indices) != len(self.functions):
            raise MalformedModule(
                "function and code section have inconsistent lengths: "
                f"{len(self.type_indices)} and {len(self.functions)}",
                reader.pos,
            )
        if self.data_count is not None and self.data_count != len(self.datas):
            raise MalformedModule(
                "data count and data section have inconsistent lengths: "
                f"{self.data_count} and {len(self.datas)}",
                reader.pos,
            )
        return Module(
            raw=self.data,
            types=self.types,
            imports=self.imports,
            functions=self.functions,
            tables=self.tables,
            memories=self.memories,
            globals=self.globals,
            exports=self.exports,
            table_offsets=tuple(self.table_offsets),
            memory_offsets=tuple(self.memory_offsets),
            start=self.start,
            start_offset=self.start_offset,
            elems=self.elems,
            datas=self.datas,
            data_count=self.data_count,
            customs=tuple(self.customs),
            names=self.names or NameSection(),
        )

    def section(self, last_rank: int) -> int:
        """Decode one section; return its rank in the order that sections must have."""
        reader = self.reader
        start = reader.pos
        section_id = reader.byte()
        size = reader.length()
        reader.end = reader.pos + size
        if section_id == _CUSTOM:
            self.custom_section(start)
            rank = last_rank
        elif section_id == _TAG:
            raise UnsupportedFeature("exception handling (a tag section)", offset=start)
        elif section_id not in _RANK:
            raise MalformedModule(f"malformed section id {section_id}", start)
        else:
            rank = _RANK[section_id]
            if rank <= last_rank:
                raise MalformedModule(
                    f"unexpected content after last section: section {section_id} is "
                    "repeated or out of order",
                    start,
                )
            self.sections[section_id]()
        if reader.pos != reader.end:
            raise MalformedModule(
                f"section size mismatch: section {section_id} has "
                f"{reader.end - reader.pos} bytes left over",
                reader.pos,
            )
        reader.end = len(self.data)
        return rank

    def custom_section(self, start: int) -> None:
        """Decode section 0; the first one called "name" is looked into."""
        reader = self.reader
        name = reader.name()
        payload = reader.take(reader.end - reader.pos)
        self.customs.append(CustomSection(name, payload, start))
        if name == "name" and self.names is None:
            self.names = decode_name_section(payload)

    def type_section(self) -> None:
        """Decode section 1: function types. Equal types share one object."""
        reader = self.reader
        unique: dict[FuncType, FuncType] = {}
        types = []
        for _ in range(reader.count()):
            start = reader.pos
            func_type = reader.func_type()
            if len(func_type.params) > MAX_PARAMS or len(func_type.results) > MAX_RESULTS:
                raise UnsupportedFeature(
                    f"a function type with {len(func_type.params)} parameters and "
                    f"{len(func_type.results)} results, more than {MAX_PARAMS}",
                    offset=start,
                )
            types.append(unique.setdefault(func_type, func_type))
        self.types = tuple(types)

    def import_section(self) -> None:
        """Decode section 2."""
        reader = self.reader
        self.imports = tuple(self.import_entry() for _ in range(reader.count()))
        self.num_imported_funcs = sum(item.kind is ExternKind.FUNC for item in self.imports)

    def import_entry(self) -> Import:
        """Decode one import."""
        reader = self.reader
        start = reader.pos
        module, name = reader.name(), reader.name()
        kind = self.extern_kind("malformed import kind")
        desc: FuncType | TableType | MemType | GlobalType | int
        if kind is ExternKind.FUNC:
            type_index = reader.u32()
            desc = self.types[type_index] if type_index < len(self.types) else type_index
        elif kind is ExternKind.TABLE:
            desc = reader.table_type()
        elif kind is ExternKind.MEMORY:
            desc = reader.mem_type()
        else:
            desc = reader.global_type()
        return Import(module, name, desc, start)

    def extern_kind(self, message: str) -> ExternKind:
        """Decode the byte that says what is imported or exported."""
        byte = self.reader.byte()
        if byte > ExternKind.GLOBAL.value:
            raise MalformedModule(message, self.reader.pos - 1)
        return ExternKind(byte)

    def function_section(self) -> None:
        """Decode section 3: type indices."""
        reader = self.reader
        self.type_indices = tuple(reader.u32() for _ in range(reader.count()))

    def table_section(self) -> None:
        """Decode section 4."""
        self.tables = tuple(self.table_entry() for _ in range(self.reader.count()))

    def table_entry(self) -> TableType:
        """Decode one table."""
        self.table_offsets.append(self.reader.pos)
        return self.reader.table_type()

    def memory_section(self) -> None:
        """Decode section 5."""
        self.memories = tuple(self.memory_entry() for _ in range(self.reader.count()))

    def memory_entry(self) -> MemType:
        """Decode one memory."""
        self.memory_offsets.append(self.reader.pos)
        return self.reader.mem_type()

    def global_section(self) -> None:
        """Decode section 6."""
        self.globals = tuple(self.global_entry() for _ in range(self.reader.count()))

    def global_entry(self) -> Global:
        """Decode one global."""
        start = self.reader.pos
        global_type = self.reader.global_type()
        return Global(global_type, self.const_expr(), start)

    def const_expr(self) -> ConstExpr:
        """Decode an expression outside of functions; the validator decides if it is constant."""
        reader = self.reader
        instrs, reader.pos, _ = decode_expr(self.data, reader.pos, reader.end, self.types)
        return tuple(instrs)

    def export_section(self) -> None:
        """Decode section 7."""
        self.exports = tuple(self.export_entry() for _ in range(self.reader.count()))

    def export_entry(self) -> Export:
        """Decode one export."""
        start = self.reader.pos
        name = self.reader.name()
        kind = self.extern_kind("malformed export kind")
        return Export(name, kind, self.reader.u32(), start)

    def start_section(self) -> None:
        """Decode section 8: a func_index."""
        self.start_offset = self.reader.pos
        self.start = self.reader.u32()

    def elem_section(self) -> None:
        """Decode section 9."""
        self.elems = tuple(self.elem_entry() for _ in range(self.reader.count()))

    def elem_entry(self) -> Elem:
        """Decode one element segment.

        Its first byte holds three flags:

            bit 0  0: active, 1: passive or declarative
            bit 1  active: an explicit table index follows; else 0: passive, 1: declarative
            bit 2  0: function indices, 1: expressions

        A kind (0x00) or a reference type precedes the elements except for the flags 0 and 4.
        """
        reader = self.reader
        start = reader.pos
        flags = reader.u32()
        if flags > 7:
            raise MalformedModule("malformed elements segment kind", start)
        table_index, offset_expr = None, None
        if flags & 1:
            mode = SegmentMode.DECLARATIVE if flags & 2 else SegmentMode.PASSIVE
        else:
            mode = SegmentMode.ACTIVE
            table_index = reader.u32() if flags & 2 else 0
            offset_expr = self.const_expr()
        elem_type = ValType.FUNCREF
        if flags & 3:
            if flags & 4:
                elem_type = reader.reftype()
            elif reader.byte() != 0:
                raise MalformedModule("malformed element kind", reader.pos - 1)
        element = self.const_expr if flags & 4 else self.elem_func
        init = tuple(element() for _ in range(reader.count()))
        return Elem(mode, elem_type, init, table_index, offset_expr, start)

    def elem_func(self) -> ConstExpr:
        """Decode a function index as the expression that it abbreviates."""
        start = self.reader.pos
        func_index = self.reader.u32()
        return ((start, _REF_FUNC, func_index), (self.reader.pos, _END, None))

    def data_count_section(self) -> None:
        """Decode section 12: how many data segments there will be."""
        self.data_count = self.reader.u32()

    def code_section(self) -> None:
        """Decode section 10."""
        reader = self.reader
        count = reader.count()
        self.functions = tuple(self.code_entry_named(index) for index in range(count))
        if self.data_use is not None and self.data_count is None:
            raise MalformedModule("data count section required", self.data_use)

    def code_entry_named(self, own_index: int) -> Function:
        """Decode one function; an error says which it is."""
        try:
            return self.code_entry(own_index)
        except MalformedModule as error:
            index = self.num_imported_funcs + own_index
            names = (e.name for e in self.exports if (e.kind, e.index) == (ExternKind.FUNC, index))
            raise MalformedModule(error.reason, error.offset, index, next(names, None)) from None

    def code_entry(self, own_index: int) -> Function:
        """Decode one function: its size, its locals, its instructions."""
        reader = self.reader
        section_end = reader.end
        size = reader.length()
        start = reader.pos
        reader.end = start + size
        func_index = self.num_imported_funcs + own_index
        local_runs = self.local_runs(func_index)
        instrs, reader.pos, data_use = decode_expr(self.data, reader.pos, reader.end, self.types)
        if reader.pos != reader.end:
            raise MalformedModule(
                "section size mismatch: END opcode expected at the end of the function", reader.pos
            )
        reader.end = section_end
        if self.data_use is None:
            self.data_use = data_use
        # Too many bodies are an error that decode() reports, after errors in the sections.
        type_index = self.type_indices[own_index] if own_index < len(self.type_indices) else 0
        return Function(func_index, type_index, local_runs, tuple(instrs), start, reader.pos)

    def local_runs(self, func_index: int) -> LocalRuns:
        """Decode a function's locals without unfolding them."""
        reader = self.reader
        start = reader.pos
        runs = tuple((reader.u32(), reader.valtype()) for _ in range(reader.count()))
        total = sum(count for count, _ in runs)
        if total >= 1 << 32:
            raise MalformedModule("too many locals", start)
        if total > MAX_LOCALS:
            raise UnsupportedFeature(
                f"a function with {total} locals, more than {MAX_LOCALS}",
                func_index=func_index,
                offset=start,
            )
        return runs

    def data_section(self) -> None:
        """Decode section 11."""
        self.datas = tuple(self.data_entry() for _ in range(self.reader.count()))

    def data_entry(self) -> Data:
        """Decode one data segment: 0 active, 1 passive, 2 active with a memory index."""
        reader = self.reader
        start = reader.pos
        flags = reader.u32()
        if flags > 2:
            raise MalformedModule("malformed data segment kind", start)
        if flags == 1:
            return Data(SegmentMode.PASSIVE, reader.take(reader.u32()), None, None, start)
        memory_index = reader.u32() if flags == 2 else 0
        offset_expr = self.const_expr()
        init = reader.take(reader.u32())
        return Data(SegmentMode.ACTIVE, init, memory_index, offset_expr, start)
