"""A bounded cursor over the module's bytes, for everything but instructions.

Specification: sections 5.1.3 (vectors), 5.2.4 (names), 5.3 (types). Positions are byte offsets in
the whole module file. Invariant: nothing at or behind ``end`` is ever read.
"""

from __future__ import annotations

from mvvm_aot.errors import MalformedModule, UnsupportedFeature

from .leb128 import UNEXPECTED_END, read_u32, read_unsigned
from .types import FuncType, GlobalType, Limits, MemType, TableType, ValType

VALTYPE_BY_BYTE: dict[int, ValType] = {valtype.value: valtype for valtype in ValType}

_FUNC_TYPE_FORM = 0x60

# What later versions of the specification, and the threads proposal, put where 2.0 has nothing.
# A shared memory has a maximum, so the flags 2 and 6 mean nothing to anybody.
_LATER_LIMITS = {
    3: "shared memory (threads)",  # or a shared table
    4: "64-bit addresses (memory64)",
    5: "64-bit addresses (memory64)",
    7: "shared memory (threads) with 64-bit addresses (memory64)",
}
_LATER_TYPES = {
    0x63: "typed references",
    0x64: "typed references",
    0x69: "exception handling (the type exnref)",
    0x6A: "garbage collection (the type arrayref)",
    0x6B: "garbage collection (the type structref)",
    0x6C: "garbage collection (the type i31ref)",
    0x6D: "garbage collection (the type eqref)",
    0x6E: "garbage collection (the type anyref)",
    0x71: "garbage collection (the type nullref)",
    0x72: "garbage collection (the type nullexternref)",
    0x73: "garbage collection (the type nullfuncref)",
    0x74: "exception handling (the type nullexnref)",
}


class Reader:
    """Reads ``data[pos:end]`` from front to back. All methods raise MalformedModule.

    Those that read types raise UnsupportedFeature for what only later versions know.
    """

    __slots__ = ("data", "end", "pos")

    def __init__(self, data: bytes, pos: int, end: int) -> None:
        self.data = data
        self.pos = pos
        self.end = end

    def byte(self) -> int:
        """Read one byte."""
        if self.pos >= self.end:
            raise MalformedModule(UNEXPECTED_END, self.pos)
        value = self.data[self.pos]
        self.pos += 1
        return value

    def u32(self) -> int:
        """Read a LEB128 number: an index, a count, a size."""
        value, self.pos = read_u32(self.data, self.pos, self.end)
        return value

    def length(self) -> int:
        """Read a u32 that says how many of the bytes behind it belong to something."""
        start = self.pos
        value = self.u32()
        if value > self.end - self.pos:
            raise MalformedModule(
                f"length out of bounds: {value} bytes, but {self.end - self.pos} are left", start
            )
        return value

    def count(self) -> int:
        """Read the number of elements of a vector.

        Each takes at least one byte, so no count makes us allocate more than the input's size.
        """
        start = self.pos
        value = self.u32()
        if value > self.end - self.pos:
            raise MalformedModule(
                f"{UNEXPECTED_END}: {value} elements, but {self.end - self.pos} bytes are left",
                start,
            )
        return value

    def take(self, size: int) -> bytes:
        """Read ``size`` raw bytes."""
        if size > self.end - self.pos:
            raise MalformedModule(UNEXPECTED_END, self.end)
        chunk = self.data[self.pos : self.pos + size]
        self.pos += size
        return chunk

    def name(self) -> str:
        """Read a name: a length and that many bytes of UTF-8."""
        size = self.length()
        start = self.pos
        try:
            return self.take(size).decode("utf-8")
        except UnicodeDecodeError as error:
            raise MalformedModule("malformed UTF-8 encoding", start + error.start) from None

    def type_byte(self) -> int:
        """Read the byte that stands for a type: a signed LEB128 number of 7 bits."""
        byte = self.byte()
        if byte >= 0x80:
            raise MalformedModule("integer representation too long", self.pos - 1)
        return byte

    def valtype(self) -> ValType:
        """Read a value type."""
        valtype = VALTYPE_BY_BYTE.get(self.type_byte())
        if valtype is None:
            self._refuse_later_type()
            raise MalformedModule("malformed value type", self.pos - 1)
        return valtype

    def reftype(self) -> ValType:
        """Read a reference type."""
        valtype = VALTYPE_BY_BYTE.get(self.type_byte())
        if valtype is None or not valtype.is_reference:
            self._refuse_later_type()
            raise MalformedModule("malformed reference type", self.pos - 1)
        return valtype

    def _refuse_later_type(self) -> None:
        """Raise UnsupportedFeature if the byte just read is a type of later versions."""
        what = _LATER_TYPES.get(self.data[self.pos - 1])
        if what is not None:
            raise UnsupportedFeature(what, offset=self.pos - 1)

    def result_type(self) -> tuple[ValType, ...]:
        """Read a vector of value types."""
        return tuple(self.valtype() for _ in range(self.count()))

    def func_type(self) -> FuncType:
        """Read a function type."""
        if self.type_byte() != _FUNC_TYPE_FORM:
            raise MalformedModule("malformed function type", self.pos - 1)
        params = self.result_type()
        return FuncType(params, self.result_type())

    def limits(self) -> Limits:
        """Read limits: a one-bit flag, a minimum and, if the flag is set, a maximum."""
        what = _LATER_LIMITS.get(self.data[self.pos]) if self.pos < self.end else None
        if what is not None:
            raise UnsupportedFeature(what, offset=self.pos)
        has_max, self.pos = read_unsigned(self.data, self.pos, self.end, 1)
        minimum = self.u32()
        return Limits(minimum, self.u32() if has_max else None)

    def table_type(self) -> TableType:
        """Read a table type."""
        elem = self.reftype()
        return TableType(elem, self.limits())

    def mem_type(self) -> MemType:
        """Read a memory type."""
        return MemType(self.limits())

    def global_type(self) -> GlobalType:
        """Read a global type."""
        valtype = self.valtype()
        mutability = self.byte()
        if mutability > 1:
            raise MalformedModule("malformed mutability", self.pos - 1)
        return GlobalType(valtype, mutability == 1)
