"""Decode the "name" custom section: bytes -> NameSection.

Specification: appendix, section 7.4 (custom sections). Names are for people only, so a section
that is malformed in any way is ignored as a whole, and so are subsections of unknown kinds.
"""

from __future__ import annotations

from mvvm_aot.errors import MalformedModule

from .module import NameSection
from .reader import Reader

_MODULE, _FUNCTIONS, _LOCALS = 0, 1, 2


def decode_name_section(payload: bytes) -> NameSection:
    """Decode what follows the section's own name. Never raises."""
    reader = Reader(payload, 0, len(payload))
    module_name: str | None = None
    function_names: dict[int, str] = {}
    local_names: dict[int, dict[int, str]] = {}
    try:
        while reader.pos < reader.end:
            kind = reader.byte()
            size = reader.length()
            sub = Reader(payload, reader.pos, reader.pos + size)
            if kind == _MODULE:
                module_name = sub.name()
            elif kind == _FUNCTIONS:
                function_names = _name_map(sub)
            elif kind == _LOCALS:
                local_names = {sub.u32(): _name_map(sub) for _ in range(sub.count())}
            reader.pos += size
    except MalformedModule:
        return NameSection()
    return NameSection(module_name, function_names, local_names)


def _name_map(reader: Reader) -> dict[int, str]:
    """Decode a vector of (index, name)."""
    return {reader.u32(): reader.name() for _ in range(reader.count())}
