"""AArch64: registers by DWARF number (ABI for the Arm 64-bit architecture), frames, names."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from stackmaps.isa.base import Isa

NAME: Final = "aarch64"
SP: Final = 31
FP: Final = 29
RA: Final = 30

REGISTERS: Final = MappingProxyType(
    {n: f"x{n}" for n in range(31)} | {SP: "sp"} | {64 + n: f"v{n}" for n in range(32)}
)

# A call leaves the stack alone: the CFA is the caller's stack pointer, as is LLVM's stack size's.
ISA: Final = Isa(name=NAME, registers=REGISTERS, sp=SP, fp=FP, ra=RA, call_pushes=0)
