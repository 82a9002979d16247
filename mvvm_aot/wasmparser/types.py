"""The types of WebAssembly 2.0: value, function, table, memory and global types.

Specification: section 2.3 (structure of types). All types are immutable, hashable values; two
types are equal if and only if the specification says that they are the same type.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class ValType(enum.Enum):
    """A value type; its enum value is the byte that stands for it in the binary format."""

    I32 = 0x7F
    I64 = 0x7E
    F32 = 0x7D
    F64 = 0x7C
    V128 = 0x7B
    FUNCREF = 0x70
    EXTERNREF = 0x6F

    # Members are singletons: compare and hash by identity, not through Enum's Python code.
    __hash__ = object.__hash__

    @property
    def text(self) -> str:
        """The type's keyword in the text format: "i32", "funcref"."""
        return self.name.lower()

    @property
    def is_reference(self) -> bool:
        """Whether this is funcref or externref."""
        return self is ValType.FUNCREF or self is ValType.EXTERNREF

    def __repr__(self) -> str:
        return self.name


ResultType = tuple[ValType, ...]


def types_text(types: ResultType) -> str:
    """Return a result type as the specification writes it: "[i32 f64]"."""
    return f"[{' '.join(valtype.text for valtype in types)}]"


@dataclass(frozen=True, slots=True)
class FuncType:
    """What a function (or a block) pops and pushes."""

    params: ResultType
    results: ResultType

    def __str__(self) -> str:
        return f"{types_text(self.params)} -> {types_text(self.results)}"


@dataclass(frozen=True, slots=True)
class Limits:
    """Size bounds: pages of 64 KiB for a memory, elements for a table. No ``max``: None."""

    min: int
    max: int | None


@dataclass(frozen=True, slots=True)
class TableType:
    """A table of references of type ``elem``."""

    elem: ValType
    limits: Limits


@dataclass(frozen=True, slots=True)
class MemType:
    """A linear memory; its limits count pages of 64 KiB."""

    limits: Limits


@dataclass(frozen=True, slots=True)
class GlobalType:
    """A global variable, or a constant if not ``mutable``."""

    valtype: ValType
    mutable: bool
