"""Read what is needed of a relocatable ELF object: bytes -> ObjectCode.

Machine code, function symbols, the relocations of the code (call targets, constant pools), the
stack maps with their relocations applied, and the call frame information of each function.
Addresses are offsets from the text section's start: the object has one text section (a second one
with code, such as ``.text.unlikely``, is refused, since equal offsets would mean other code).
"""

from __future__ import annotations

import io
import struct
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from elftools.common.exceptions import ELFError
from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile

from stackmaps.errors import StackMapError
from stackmaps.section import StackMap, decode_stack_maps

MACHINES: Final = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}

_SYMBOL: Final = struct.Struct("<IBBHQQ")
_RELA: Final = struct.Struct("<QQq")
_SHF_ALLOC: Final = 0x2
_SHF_EXECINSTR: Final = 0x4
_STT_FUNC: Final = 2
_STT_SECTION: Final = 3
# The only relocation LLVM puts into a stack map section: a function's absolute address.
_ABSOLUTE64: Final = {"x86_64": 1, "aarch64": 257}


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol; ``section`` is empty where it is undefined."""

    name: str
    section: str
    value: int
    size: int
    is_function: bool


@dataclass(frozen=True, slots=True)
class Relocation:
    """A place in the code that the linker fills in."""

    offset: int
    type: int
    symbol: Symbol
    addend: int


@dataclass(frozen=True, slots=True)
class CfiRow:
    """From ``pc`` on: CFA = register + offset; registers saved at CFA + saves[register]."""

    pc: int
    cfa_register: int
    cfa_offset: int
    saves: dict[int, int]


@dataclass(frozen=True, slots=True)
class FunctionCfi:
    """The unwind rows of the code in [begin, end)."""

    begin: int
    end: int
    rows: tuple[CfiRow, ...]

    def row_at(self, pc: int) -> CfiRow:
        """Return the row in force at ``pc``. Raises StackMapError outside."""
        if not self.begin <= pc < self.end:
            raise StackMapError(
                f"no unwind row for {pc:#x} in a function at {self.begin:#x}-{self.end:#x}"
            )
        return self.rows[bisect_right(self.rows, pc, key=lambda row: row.pc) - 1]


@dataclass(frozen=True)
class ObjectCode:
    """One object's code. ``functions`` maps a name to (offset, size) in the text section."""

    isa: str
    text_name: str
    text: bytes
    functions: Mapping[str, tuple[int, int]]
    relocations: Mapping[int, Relocation]
    constants: Mapping[str, bytes]  # read-only data sections by name
    stack_maps: tuple[StackMap, ...]
    cfi: Mapping[int, FunctionCfi]

    def name_at(self, offset: int) -> str | None:
        """Return the name of the function that starts at ``offset``."""
        return self._names.get(offset)

    @property
    def _names(self) -> dict[int, str]:
        cached: dict[int, str] | None = self.__dict__.get("_by_offset")
        if cached is None:
            cached = {start: name for name, (start, _) in self.functions.items()}
            self.__dict__["_by_offset"] = cached
        return cached

    def with_text(self, text: bytes) -> ObjectCode:
        """Return the same object with other machine code of the same size."""
        if len(text) != len(self.text):
            raise StackMapError("replacement code differs in size")
        return replace(self, text=text)


def read_object(data: bytes) -> ObjectCode:
    """Read a relocatable object. Raises StackMapError for anything else or what is malformed."""
    try:
        return _read(ELFFile(io.BytesIO(data)))
    except (ELFError, struct.error, UnicodeDecodeError) as error:
        raise StackMapError(f"not a readable ELF object: {error}") from error


def _read(elf: ELFFile) -> ObjectCode:
    header = elf.header
    isa = MACHINES.get(header["e_machine"])
    if isa is None or header["e_ident"]["EI_CLASS"] != "ELFCLASS64" or not elf.little_endian:
        raise StackMapError(f"object is for {header['e_machine']}, not for x86-64 or AArch64")
    if header["e_type"] != "ET_REL":
        raise StackMapError(f"object is {header['e_type']}, not relocatable")
    sections = list(elf.iter_sections())
    text = _text_section(sections)
    symbols = _symbols(sections)
    functions = {
        symbol.name: (symbol.value, symbol.size)
        for symbol in symbols
        if symbol.is_function and symbol.section == text.name
    }
    code: bytes = text.data()
    for name, (start, size) in functions.items():
        if start + size > len(code):
            raise StackMapError(f"function {name} at {start:#x} reaches past its section's end")
    constants = {
        section.name: section.data()
        for section in sections
        if section["sh_flags"] & (_SHF_ALLOC | _SHF_EXECINSTR) == _SHF_ALLOC
        and section.name.startswith(".rodata")
    }
    return ObjectCode(
        isa=isa,
        text_name=text.name,
        text=code,
        functions=functions,
        relocations={r.offset: r for r in _relocations(sections, text.name, symbols)},
        constants=constants,
        stack_maps=_stack_maps(sections, symbols, isa, text.name),
        cfi=_read_cfi(elf),
    )


def _text_section(sections: list[Any]) -> Any:
    """Return the one section with code."""
    texts = [s for s in sections if s["sh_flags"] & _SHF_EXECINSTR]
    filled = [s for s in texts if s["sh_size"]]
    if len(filled) > 1:
        names = ", ".join(s.name for s in filled)
        raise StackMapError(f"object has code in several sections ({names}); one is supported")
    if not texts:
        raise StackMapError("object has no code section")
    return (filled or texts)[0]


def _symbols(sections: list[Any]) -> list[Symbol]:
    """Return the symbol table; a section's own symbol carries the section's name."""
    for section in sections:
        if section["sh_type"] == "SHT_SYMTAB":
            break
    else:
        return []
    strings: bytes = sections[section["sh_link"]].data()
    symbols = []
    for name_at, info, _, shndx, value, size in _SYMBOL.iter_unpack(section.data()):
        home = sections[shndx].name if 0 < shndx < len(sections) else ""
        if info & 0xF == _STT_SECTION:
            name = home
        else:
            name = strings[name_at : strings.index(b"\0", name_at)].decode()
        symbols.append(Symbol(name, home, value, size, info & 0xF == _STT_FUNC))
    return symbols


def _relocations(sections: list[Any], target: str, symbols: list[Symbol]) -> list[Relocation]:
    """Return the relocations of the section named ``target``."""
    found = []
    for section in sections:
        if section["sh_type"] == "SHT_REL" and sections[section["sh_info"]].name == target:
            raise StackMapError(f"relocations of {target} have no addends; RELA is expected")
        if section["sh_type"] != "SHT_RELA" or sections[section["sh_info"]].name != target:
            continue
        for offset, info, addend in _RELA.iter_unpack(section.data()):
            if info >> 32 >= len(symbols):
                raise StackMapError(f"relocation at {target}+{offset:#x} names no symbol")
            found.append(Relocation(offset, info & 0xFFFF_FFFF, symbols[info >> 32], addend))
    return found


def _stack_maps(
    sections: list[Any], symbols: list[Symbol], isa: str, text: str
) -> tuple[StackMap, ...]:
    """Decode the stack map section with function addresses relative to the text section."""
    tables: tuple[StackMap, ...] = ()
    for section in sections:
        if section.name != ".llvm_stackmaps":
            continue
        data = bytearray(section.data())
        for relocation in _relocations(sections, section.name, symbols):
            where = f".llvm_stackmaps+{relocation.offset:#x}"
            if relocation.type != _ABSOLUTE64[isa] or relocation.offset + 8 > len(data):
                raise StackMapError(f"unexpected relocation {relocation.type} at {where}")
            if relocation.symbol.section != text:
                raise StackMapError(
                    f"{where} names {relocation.symbol.name}, which is not code of {text}"
                )
            value = relocation.symbol.value + relocation.addend
            struct.pack_into("<Q", data, relocation.offset, value)
        tables += decode_stack_maps(bytes(data))
    return tables


def _read_cfi(elf: ELFFile) -> dict[int, FunctionCfi]:
    """Return the unwind rows of each function by its start."""
    if elf.get_section_by_name(".eh_frame") is None:
        return {}
    result = {}
    for entry in elf.get_dwarf_info(relocate_dwarf_sections=True).EH_CFI_entries():
        if not isinstance(entry, FDE):
            continue
        begin = entry.header["initial_location"]
        rows = tuple(_cfi_row(row) for row in entry.get_decoded().table)
        if not rows:
            raise StackMapError(f"function at {begin:#x} has no unwind rows")
        result[begin] = FunctionCfi(begin, begin + entry.header["address_range"], rows)
    return result


def _cfi_row(row: dict[Any, Any]) -> CfiRow:
    cfa = row["cfa"]
    if cfa.expr is not None or cfa.reg is None:
        raise StackMapError(f"CFA at {row['pc']:#x} is an expression, not a register and an offset")
    saves = {
        register: rule.arg
        for register, rule in row.items()
        if isinstance(register, int) and rule.type == "OFFSET"
    }
    return CfiRow(row["pc"], cfa.reg, cfa.offset, saves)
