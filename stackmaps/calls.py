"""What calls read and destroy: the shapes of callees, and the C functions LLVM calls by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from stackmaps.frames import (
    CALLEE_HOST,
    CALLEE_INDIRECT,
    CALLEE_POLL,
    CALLEE_THUNK,
    THUNK_FUNC_ID,
    PointLayout,
)
from stackmaps.isa.effects import Machine

Result = Literal["int", "float"]

# Units of a vector register that a value of so many bytes takes, the same on every ISA.
_LANES: Final = {4: 0b001, 8: 0b011, 16: 0b111}


@dataclass(frozen=True, slots=True)
class CallShape:
    """A callee as its caller's machine code sees it.

    ``ints``: how many integer registers carry arguments; ``floats``: the bytes (4, 8, 16) of each
    argument in a vector register; ``result``: the class of the one result register, of which
    a return hands over ``result_bytes`` (4 at least: the lanes above may be undefined).
    """

    ints: int = 0
    floats: tuple[int, ...] = ()
    result: Result | None = None
    convention: Literal["preserve_none", "c"] = "preserve_none"
    returns: bool = True
    result_bytes: int = 4

    def reads(self, machine: Machine) -> int:
        """Return the units that a call of this shape reads."""
        convention = machine.conventions[self.convention]
        units = 0
        for register in convention.ints[: self.ints]:
            units |= register
        for first, size in zip(convention.floats, self.floats, strict=False):
            units |= _LANES[size] << first
        return units

    def result_units(self, machine: Machine) -> int:
        """Return the units of the result's register."""
        if self.result is None:
            return 0
        return machine.int_result if self.result == "int" else machine.float_result

    def returns_units(self, machine: Machine) -> int:
        """Return the units that a return from a function of this shape reads."""
        if self.result == "float":
            first = machine.float_result & -machine.float_result
            return first * _LANES[self.result_bytes]
        return self.result_units(machine)

    def clobbers(self, machine: Machine) -> int:
        """Return the units that a call of this shape destroys."""
        return machine.conventions[self.convention].clobbers


def _c(ints: int, floats: tuple[int, ...] = (), result: Result | None = None) -> CallShape:
    return CallShape(ints, floats, result, convention="c")


_UNARY: Final = ("ceil", "floor", "trunc", "rint", "nearbyint", "roundeven", "sqrt")
_BINARY: Final = ("fmod", "fmin", "fmax", "copysign")

# Functions of libc and compiler-rt that LLVM's code generator calls without being told to.
LIBRARY_CALLS: Final[Mapping[str, CallShape]] = MappingProxyType(
    {name: _c(3, (), "int") for name in ("memcpy", "memmove", "memset", "memcmp", "bcmp")}
    | {name: _c(1, (), "int") for name in ("strlen",)}
    | {name: _c(0, (8,), "float") for name in _UNARY}
    | {name + "f": _c(0, (4,), "float") for name in _UNARY}
    | {name: _c(0, (8, 8), "float") for name in _BINARY}
    | {name + "f": _c(0, (4, 4), "float") for name in _BINARY}
    | {"fma": _c(0, (8, 8, 8), "float"), "fmaf": _c(0, (4, 4, 4), "float")}
    | {name: _c(4, (), "int") for name in ("__multi3", "__divti3", "__udivti3", "__umodti3")}
)


@dataclass(frozen=True)
class Signatures:
    """Everything the proof must know of callees, told by the compiler.

    ``symbols``: by symbol, the module's own functions included. ``callees``: by the callee number
    of a point whose call is indirect (CALLEE_INDIRECT | type index). ``home_slots``: the number
    of home slots by func_id; without it the slots that the layouts name are taken.
    ``suspendable``: symbols whose every direct call must be a point; functions of the object that
    have points themselves need not be listed. ``tail_callees``: symbol -> the callee numbers of
    its indirect tail calls; in a function without any, an indirect jump is a finding.
    """

    symbols: Mapping[str, CallShape] = field(default_factory=dict)
    callees: Mapping[int, CallShape] = field(default_factory=dict)
    home_slots: Mapping[int, int] = field(default_factory=dict)
    suspendable: frozenset[str] = frozenset(("mvvm_leave", "mvvm_host_call"))
    tail_callees: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def of_symbol(self, name: str | None) -> CallShape | None:
        """Return the shape of the function called ``name``, None where it is not known."""
        if name is None:
            return None
        return self.symbols.get(name) or LIBRARY_CALLS.get(name)

    def of_point(self, layout: PointLayout) -> CallShape | None:
        """Return the shape of a point's callee as far as its layout tells."""
        if layout.callee == CALLEE_POLL:
            return CallShape()
        if layout.callee == CALLEE_HOST:
            return CallShape(ints=3)
        if layout.callee == CALLEE_THUNK:
            type_index = layout.func_id & ~THUNK_FUNC_ID
            return self.callees.get(CALLEE_INDIRECT | type_index)
        return self.callees.get(layout.callee)
