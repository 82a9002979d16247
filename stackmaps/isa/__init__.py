"""The machines: one module each, same names, same shape."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from stackmaps.errors import StackMapError
from stackmaps.isa import aarch64, x86_64
from stackmaps.isa.base import FrameRule, Isa

ISAS: Final = MappingProxyType({isa.name: isa for isa in (x86_64.ISA, aarch64.ISA)})


def get_isa(name: str) -> Isa:
    """Return the machine called ``name``. Raises StackMapError where there is none."""
    try:
        return ISAS[name]
    except KeyError:
        raise StackMapError(f"unknown ISA {name!r}; known are {', '.join(ISAS)}") from None


__all__ = ["ISAS", "FrameRule", "Isa", "get_isa"]
