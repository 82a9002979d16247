"""x86-64: registers by DWARF number (System V psABI, figure 3.36), frames, register names."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from stackmaps.isa.base import Isa

NAME: Final = "x86_64"
SP: Final = 7
FP: Final = 6
RA: Final = 16

_GENERAL: Final = ("rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp")
REGISTERS: Final = MappingProxyType(
    dict(enumerate(_GENERAL))
    | {n: f"r{n}" for n in range(8, 16)}
    | {RA: "rip"}
    | {17 + n: f"xmm{n}" for n in range(16)}
    | {67 + n: f"xmm{16 + n}" for n in range(16)}
    | {118 + n: f"k{n}" for n in range(8)}
)

# The call instruction pushes the return address: the CFA is above it, LLVM's stack size is below.
ISA: Final = Isa(name=NAME, registers=REGISTERS, sp=SP, fp=FP, ra=RA, call_pushes=8)
