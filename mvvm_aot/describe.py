"""Describe a module to the runtime: ValidatedModule and frame tables -> C source.

The C file fills in a ``struct mvvm_module`` (runtime/include/mvvm_module.h) per translated module
and the list ``mvvm_modules``. The Wasm bytes and the frame tables stand in files beside it and are
pulled in by the assembler; data segments point into the Wasm bytes. Invariant: index spaces are
written in the specification's order, imports first, and every string is escaped to plain ASCII.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import abi
from .cpus import CpuFeature
from .wasmparser.constants import ARITHMETIC, NUMBERS, deepest_stack, known_bits
from .wasmparser.module import ConstExpr, Data, Elem, ExternKind, Module, SegmentMode
from .wasmparser.opcodes import Op
from .wasmparser.types import FuncType, ResultType
from .wasmparser.validated import ValidatedModule

_NONE = 0xFFFF_FFFF
_SEGMENT_MODES = {
    SegmentMode.ACTIVE: "MVVM_SEGMENT_ACTIVE",
    SegmentMode.PASSIVE: "MVVM_SEGMENT_PASSIVE",
    SegmentMode.DECLARATIVE: "MVVM_SEGMENT_DECLARATIVE",
}


@dataclass(frozen=True, slots=True)
class CodeSection:
    """One object's machine code: its text begins ``offset`` bytes before ``symbol``."""

    symbol: str
    offset: int
    frame_table: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Description:
    """A module as it goes into an executable.

    ``type_ids`` numbers the types, one number for a type in all modules of the executable; by
    default the index of the first equal type (``canonical_types``).
    """

    name: str
    module: ValidatedModule
    codes: tuple[CodeSection, ...]
    prefix: str = "m0"
    migratable: bool = True
    has_tail_calls: bool = False
    needs: tuple[CpuFeature, ...] = ()  # what the code demands of a CPU
    type_ids: Mapping[FuncType, int] | None = None


def canonical_types(module: Module) -> tuple[int, ...]:
    """Return for each type index the first type index that stands for the same type."""
    first: dict[FuncType, int] = {}
    return tuple(first.setdefault(ftype, index) for index, ftype in enumerate(module.types))


def describe_modules(descriptions: Sequence[Description]) -> tuple[str, dict[str, bytes]]:
    """Return the C source and the files that it includes by name (with .incbin)."""
    files: dict[str, bytes] = {}
    lines = ["/* Written by mvvm_aot/describe.py. */", '#include "mvvm_module.h"', ""]
    for description in descriptions:
        lines += _Writer(description, files).source()
    names = ", ".join(f"&{item.prefix}_module" for item in descriptions)
    lines += [
        f"const struct mvvm_module *const mvvm_modules[] = {{{names}}};",
        f"const uint32_t mvvm_module_count = {len(descriptions)};",
        *_cpu_features(dict.fromkeys(need for item in descriptions for need in item.needs)),
        "",
    ]
    return "\n".join(lines), files


def _cpu_features(needs: Iterable[CpuFeature]) -> list[str]:
    """Define what the executable demands of a CPU."""
    rows = []
    for f in needs:
        numbers = (f.leaf, f.subleaf, f.register, f.bit, f.xcr0)
        rows.append(f"    {{{c_string(f.name)}, {', '.join(f'{n:#x}u' for n in numbers)}}},")
    return [
        "const struct mvvm_cpu_feature mvvm_cpu_features[] = {",
        *(rows or ["    {0},"]),
        "};",
        f"const uint32_t mvvm_cpu_feature_count = {len(rows)};",
    ]


def c_string(text: str) -> str:
    """Return a C string literal: printable ASCII as it is, every other byte in octal."""
    escaped = "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\?' else f"\\{byte:03o}"
        for byte in text.encode("utf-8", "surrogateescape").replace(b"\0", b"\xef\xbf\xbd")
    )
    return f'"{escaped}"'


class _Writer:
    """Writes one module; keeps what several tables need."""

    def __init__(self, description: Description, files: dict[str, bytes]) -> None:
        self.description = description
        self.prefix = description.prefix
        self.module = description.module.module
        self.canonical = canonical_types(self.module)
        self.type_of = {ftype: index for index, ftype in reversed([*enumerate(self.module.types)])}
        self.type_ids = description.type_ids or self.type_of
        self.files = files
        self.steps: list[str] = []  # of all constant expressions that take more than one

    def source(self) -> list[str]:
        """Return the module's lines."""
        lines = self._externs()
        lines += self._include("wasm", self.module.raw)
        for number, code in enumerate(self.description.codes):
            lines += self._include(f"table{number}", code.frame_table)
        lines += self._types() + self._imports() + self._exports() + self._funcs()
        lines += self._globals() + self._tables() + self._datas() + self._elems() + self._codes()
        lines += self._table("struct mvvm_init", "steps", self.steps)
        return [*lines, *self._module_struct(), ""]

    def _include(self, what: str, data: bytes) -> list[str]:
        """Define ``P_<what>`` as the contents of a file."""
        name = f"{self.prefix}_{what}"
        self.files[f"{name}.bin"] = data
        directives = (
            '.section .rodata.mvvm,\\"a\\",%progbits',
            ".balign 16",
            f".hidden {name}",
            f".globl {name}",
            f"{name}:",
            f'.incbin \\"{name}.bin\\"',
            ".byte 0",
            ".previous",
        )
        text = "".join(f'    "{line}\\n"\n' for line in directives)
        # A compiler's cache does not look into included files: their hash keeps it honest.
        digest = hashlib.sha256(data).hexdigest()
        return [f"/* {digest} */", f"__asm__(\n{text});", f"extern const uint8_t {name}[];"]

    def _externs(self) -> list[str]:
        """Declare what the object defines (docs/internals.md, section 1)."""
        prefix, module = self.prefix, self.module
        lines = ["#pragma GCC visibility push(hidden)"]
        lines += [f"extern void {prefix}_f{index}(void);" for index in range(module.num_funcs)]
        used = sorted(set(self.canonical))
        lines += [f"extern void {prefix}_thunk{index}(void);" for index in used]
        lines += [
            f"extern struct mvvm_context {prefix}_context;",
            f"extern uint8_t {prefix}_globals[];",
            f"extern void *{prefix}_global_refs[];",
            f"extern struct mvvm_table {prefix}_tables[];",
            "#pragma GCC visibility pop",
        ]
        return lines

    def _table(self, ctype: str, name: str, rows: Iterable[str]) -> list[str]:
        """Define a static array; one row stands in for none at all (C has no empty arrays)."""
        rows = list(rows)
        body = [f"    {row}," for row in rows] or ["    {0},"]
        return [f"static const {ctype} {self.prefix}_{name}[] = {{", *body, "};"]

    def _types(self) -> list[str]:
        """Define the types, their parameter and result lists."""
        lines: list[str] = []
        rows: list[str] = []
        for index, ftype in enumerate(self.module.types):
            params, results = f"{self.prefix}_t{index}p", f"{self.prefix}_t{index}r"
            lines.append(f"static const uint8_t {params}[] = {{{_codes(ftype.params)}}};")
            lines.append(f"static const uint8_t {results}[] = {{{_codes(ftype.results)}}};")
            rows.append(
                f"{{{params}, {results}, {len(ftype.params)}, {len(ftype.results)}, "
                f"{self.type_ids[ftype]}, {self.prefix}_thunk{self.canonical[index]}}}"
            )
        return lines + self._table("struct mvvm_type", "types", rows)

    def _imports(self) -> list[str]:
        rows = []
        counts = dict.fromkeys(ExternKind, 0)
        for item in self.module.imports:
            index = counts[item.kind]
            counts[item.kind] += 1
            if isinstance(item.desc, FuncType):
                index = self.type_of[item.desc]
            rows.append(
                f"{{{c_string(item.module)}, {c_string(item.name)}, {_kind(item.kind)}, {index}}}"
            )
        return self._table("struct mvvm_import", "imports", rows)

    def _exports(self) -> list[str]:
        return self._table(
            "struct mvvm_export",
            "exports",
            (f"{{{c_string(e.name)}, {_kind(e.kind)}, {e.index}}}" for e in self.module.exports),
        )

    def _funcs(self) -> list[str]:
        module = self.module
        return self._table(
            "struct mvvm_func_desc",
            "funcs",
            (
                f"{{{self.prefix}_f{index}, {c_string(module.func_name(index))}, "
                f"{self.type_of[module.func_type(index)]}}}"
                for index in range(module.num_funcs)
            ),
        )

    def _globals(self) -> list[str]:
        inits = [None] * len(self.module.imported_globals) + [g.init for g in self.module.globals]
        return self._table(
            "struct mvvm_global_desc",
            "global_descs",
            (
                f"{{{desc.valtype.value:#x}, {int(desc.mutable)}, {self._init(init)}}}"
                for desc, init in zip(self.module.all_globals, inits, strict=True)
            ),
        )

    def _tables(self) -> list[str]:
        return self._table(
            "struct mvvm_table_desc",
            "table_descs",
            (
                f"{{{table.elem.value:#x}, {table.limits.min}u, "
                f"{_NONE if table.limits.max is None else table.limits.max}u}}"
                for table in self.module.all_tables
            ),
        )

    def _datas(self) -> list[str]:
        return self._table("struct mvvm_data_desc", "datas", map(self._data, self.module.datas))

    def _data(self, data: Data) -> str:
        # Any place with the same bytes will do, so a match inside the segment's head is fine.
        start = self.module.raw.find(data.init, data.offset)
        assert start >= 0, "a data segment's bytes are a slice of the module"
        return (
            f"{{{_SEGMENT_MODES[data.mode]}, {self._init(data.offset_expr)}, "
            f"{self.prefix}_wasm + {start}, {len(data.init)}u}}"
        )

    def _elems(self) -> list[str]:
        lines: list[str] = []
        rows: list[str] = []
        for number, elem in enumerate(self.module.elems):
            lines += self._table("struct mvvm_init", f"items{number}", map(self._init, elem.init))
            rows.append(self._elem(number, elem))
        return lines + self._table("struct mvvm_elem_desc", "elems", rows)

    def _elem(self, number: int, elem: Elem) -> str:
        offset = self._init(elem.offset_expr)
        return (
            f"{{{_SEGMENT_MODES[elem.mode]}, {elem.table_index or 0}, {offset}, "
            f"{self.prefix}_items{number}, {len(elem.init)}u}}"
        )

    def _init(self, expr: ConstExpr | None) -> str:
        """Return a ``struct mvvm_init`` initializer; all zero where there is no expression."""
        if expr is None:
            return _number(0)
        bits = known_bits(expr)
        if bits is not None:
            return _number(bits)
        if len(expr) == 2:
            return _step(*expr[0][1:])
        first = len(self.steps)
        for instr in expr[:-1]:
            number = known_bits((instr, expr[-1])) if instr[1] in NUMBERS else None
            self.steps.append(_step(*instr[1:]) if number is None else _number(number))
        return f"{{MVVM_INIT_STEPS, {first}, {{{len(expr) - 1}, {deepest_stack(expr)}}}}}"

    def _codes(self) -> list[str]:
        externs = [
            f'extern void {code.symbol}(void) __attribute__((visibility("hidden")));'
            for code in self.description.codes
        ]
        rows = (
            f"{{(const uint8_t *){code.symbol} - {code.offset}, {self.prefix}_table{number}}}"
            for number, code in enumerate(self.description.codes)
        )
        return externs + self._table("struct mvvm_code", "codes", rows)

    def _module_struct(self) -> list[str]:
        module, prefix = self.module, self.prefix
        memories = module.all_memories
        limits = memories[0].limits if memories else None
        digest = ", ".join(f"{byte:#x}" for byte in module.sha256)
        max_pages = abi.MAX_PAGES if limits is None or limits.max is None else limits.max
        fields = {
            "name": c_string(self.description.name),
            "wasm_bytes": f"{prefix}_wasm",
            "wasm_size": len(module.raw),
            "sha256": f"{{{digest}}}",
            "migratable": int(self.description.migratable),
            "has_tail_calls": int(self.description.has_tail_calls),
            "context": f"&{prefix}_context",
            "types": f"{prefix}_types",
            "imports": f"{prefix}_imports",
            "exports": f"{prefix}_exports",
            "funcs": f"{prefix}_funcs",
            "globals": f"{prefix}_global_descs",
            "global_slots": f"{prefix}_globals",
            "global_refs": f"{prefix}_global_refs",
            "table_descs": f"{prefix}_table_descs",
            "tables": f"{prefix}_tables",
            "datas": f"{prefix}_datas",
            "elems": f"{prefix}_elems",
            "init_steps": f"{prefix}_steps",
            "codes": f"{prefix}_codes",
            "type_count": len(module.types),
            "import_count": len(module.imports),
            "export_count": len(module.exports),
            "func_count": module.num_funcs,
            "imported_func_count": module.num_imported_funcs,
            "global_count": len(module.all_globals),
            "imported_global_count": len(module.imported_globals),
            "table_count": len(module.all_tables),
            "imported_table_count": len(module.imported_tables),
            "data_count": len(module.datas),
            "elem_count": len(module.elems),
            "code_count": len(self.description.codes),
            "memory_count": len(memories),
            "imported_memory_count": len(module.imported_memories),
            "memory_min_pages": limits.min if limits else 0,
            "memory_max_pages": max_pages,
            "start_func": f"{_NONE if module.start is None else module.start}u",
        }
        body = [f"    .{name} = {value}," for name, value in fields.items()]
        return [f"static const struct mvvm_module {prefix}_module = {{", *body, "};"]


def _codes(types: ResultType) -> str:
    """Return value type codes as an initializer's contents; a lone 0 for no types."""
    return ", ".join(f"{valtype.value:#x}" for valtype in types) or "0"


def _kind(kind: ExternKind) -> str:
    return f"MVVM_EXTERN_{kind.name}"


def _step(op: Op, imm: Any) -> str:
    """Return a ``struct mvvm_init`` initializer for one instruction of a constant expression."""
    if op in ARITHMETIC:
        return f"{{MVVM_INIT_{op.text.replace('.', '_').upper()}, 0, {{0, 0}}}}"
    if op.text == "global.get":
        return f"{{MVVM_INIT_GLOBAL, {imm}, {{0, 0}}}}"
    if op.text == "ref.func":
        return f"{{MVVM_INIT_FUNC, {imm}, {{0, 0}}}}"
    assert op.text == "ref.null", op
    return "{MVVM_INIT_NULL, 0, {0, 0}}"


def _number(bits: int) -> str:
    """Return a ``struct mvvm_init`` initializer for a bit pattern."""
    low, high = bits & 0xFFFF_FFFF_FFFF_FFFF, bits >> 64
    return f"{{MVVM_INIT_CONST, 0, {{{low:#x}ull, {high:#x}ull}}}}"
