"""The state of a WebAssembly instance between two instructions, as frozen values.

No register, no address, no ISA: this is what WebAssembly's specification (section 4.2, runtime
structure) calls the store, the frames and the operand stacks, and what WASI adds. Memory is kept
as runs of pages that are not all zero, so an empty memory of 4 GiB takes no space.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mvvm_aot.wasmparser.types import ValType

PAGE: Final = 4096  # the unit of memory runs
NULL_REF: Final = 0xFFFF_FFFF
NO_MAX: Final = 0xFFFF_FFFF

VALUE_SIZES: Final[Mapping[ValType, int]] = {
    ValType.I32: 4,
    ValType.I64: 8,
    ValType.F32: 4,
    ValType.F64: 8,
    ValType.V128: 16,
    ValType.FUNCREF: 4,
    ValType.EXTERNREF: 4,
}


@dataclass(frozen=True, slots=True)
class Value:
    """A value: its type and its bits, unsigned. A reference's bits are a func_index or NULL_REF."""

    type: ValType
    bits: int

    def number(self) -> int | float | None:
        """Return what a person wants to see: signed integers, floats, None for a null reference."""
        if self.type.is_reference:
            return None if self.bits == NULL_REF else self.bits
        if self.type is ValType.F32:
            return float(struct.unpack("<f", struct.pack("<I", self.bits))[0])
        if self.type is ValType.F64:
            return float(struct.unpack("<d", struct.pack("<Q", self.bits))[0])
        if self.type is ValType.V128:
            return self.bits
        width = 8 * VALUE_SIZES[self.type]
        return self.bits - (1 << width) if self.bits >> (width - 1) else self.bits

    def __str__(self) -> str:
        if self.type is ValType.V128:
            return f"{self.bits:#034x}"
        number = self.number()
        return "null" if number is None else str(number)


@dataclass(frozen=True, slots=True)
class Frame:
    """One activation: live locals by index, operands from the stack's bottom.

    ``offset`` is that of the point in the module file; 0 in an imported function (a host call in
    flight, whose arguments are the locals).
    """

    func_index: int
    offset: int
    locals: tuple[tuple[int, Value], ...]
    operands: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class TableState:
    """A table: references as func_index or NULL_REF; ``max`` is None if there is no bound."""

    reftype: ValType
    elements: tuple[int, ...]
    max: int | None


@dataclass(frozen=True, slots=True)
class MemoryRun:
    """Consecutive 4 KiB pages from page number ``first`` on."""

    first: int
    data: bytes = field(repr=False)

    @property
    def page_count(self) -> int:
        """How many 4 KiB pages the run has."""
        return len(self.data) // PAGE


@dataclass(frozen=True, slots=True)
class MemoryState:
    """A linear memory: sizes in 64 KiB pages; whatever is in no run is zero."""

    pages: int
    max_pages: int
    runs: tuple[MemoryRun, ...]

    def read(self, address: int, size: int) -> bytes:
        """Return ``size`` bytes at ``address``; IndexError outside of the memory."""
        if address < 0 or size < 0 or address + size > self.pages << 16:
            raise IndexError(f"{address:#x} + {size} is outside of the memory")
        out = bytearray(size)
        for run in self.runs:
            start = run.first * PAGE
            low, high = max(address, start), min(address + size, start + len(run.data))
            if low < high:
                out[low - address : high - address] = run.data[low - start : high - start]
        return bytes(out)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A WASI file descriptor; the fields are those of docs/internals.md, section 4."""

    fd: int
    kind: int
    filetype: int
    flags: int
    rights_base: int
    rights_inheriting: int
    offset: int
    base_fd: int
    size: int
    mtime_ns: int
    path: bytes
    host_path: bytes


DESCRIPTOR_KINDS: Final = ("stdio", "preopen", "directory", "file", "listener", "connection")


@dataclass(frozen=True, slots=True)
class PackedFile:
    """An open file's contents, and the descriptors that it is open at, ascending."""

    fds: tuple[int, ...]
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class WasiState:
    """The WASI side: arguments, environment, clocks, descriptors, contents of files."""

    args: tuple[bytes, ...]
    env: tuple[bytes, ...]
    monotonic_ns: int
    realtime_ns: int
    cpu_ns: int
    poll_start_ns: int | None
    descriptors: tuple[Descriptor, ...]
    files: tuple[PackedFile, ...] = ()


@dataclass(frozen=True, slots=True)
class InstanceState:
    """Everything of an instance: frames outermost first, globals without the imported ones."""

    frames: tuple[Frame, ...]
    globals: tuple[Value, ...]
    tables: tuple[TableState, ...]
    memories: tuple[MemoryState, ...]
    dropped_datas: tuple[bool, ...]
    dropped_elems: tuple[bool, ...]
    wasi: WasiState


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot: a module, an instance of it, and source facts that are for people only."""

    module: bytes = field(repr=False)
    module_sha256: bytes
    source: Mapping[str, str]
    state: InstanceState
