"""CPUs: what a translation may use of one, and what the machine that runs it must have.

A feature is looked up when an executable starts (runtime/arch/<isa>/cpu.c), so the table below says
where: on x86-64 a bit of a register that ``cpuid`` fills in, on AArch64 one of the auxiliary vector
(AT_HWCAP, AT_HWCAP2; bits as in Linux's asm/hwcap.h). Features that code like ours has no use
for (random numbers, cache maintenance, pointer authentication) are not in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class CpuFeature:
    """A feature by LLVM's name, and where it is told.

    x86-64: ``leaf`` and ``subleaf`` of cpuid, ``register`` 0 to 3 for eax, ebx, ecx, edx;
    ``xcr0``: which register state the system has to save. AArch64: ``leaf`` is the entry of the
    auxiliary vector.
    """

    name: str
    leaf: int
    subleaf: int
    register: int
    bit: int
    xcr0: int = 0


@dataclass(frozen=True, slots=True)
class CpuDescription:
    """A CPU as LLVM takes it, and which features of the table it has."""

    name: str
    features: str
    needs: tuple[str, ...] = ()


_EBX, _ECX, _EDX = 1, 2, 3
_AVX, _AVX512 = 0x6, 0xE6
_EXTENDED = 0x8000_0001


def _x86(leaf: int, register: int, bits: dict[str, int], xcr0: int = 0) -> list[CpuFeature]:
    return [CpuFeature(name, leaf, 0, register, bit, xcr0) for name, bit in bits.items()]


_X86_64: Final = [
    *_x86(1, _ECX, {"sse3": 0, "pclmul": 1, "ssse3": 9, "cx16": 13, "sse4.1": 19, "sse4.2": 20}),
    *_x86(1, _ECX, {"movbe": 22, "popcnt": 23, "aes": 25}),
    *_x86(1, _ECX, {"fma": 12, "avx": 28, "f16c": 29}, _AVX),
    *_x86(7, _EBX, {"bmi": 3, "bmi2": 8, "adx": 19, "sha": 29}),
    *_x86(7, _EBX, {"avx2": 5}, _AVX),
    *_x86(7, _EBX, {"avx512f": 16, "avx512dq": 17, "avx512ifma": 21, "avx512cd": 28}, _AVX512),
    *_x86(7, _EBX, {"avx512bw": 30, "avx512vl": 31}, _AVX512),
    *_x86(7, _ECX, {"gfni": 8}),
    *_x86(7, _ECX, {"vaes": 9, "vpclmulqdq": 10}, _AVX),
    *_x86(7, _ECX, {"avx512vbmi": 1, "avx512vbmi2": 6, "avx512vnni": 11}, _AVX512),
    *_x86(7, _ECX, {"avx512bitalg": 12, "avx512vpopcntdq": 14}, _AVX512),
    *_x86(7, _EDX, {"avx512fp16": 23}, _AVX512),
    CpuFeature("avxvnni", 7, 1, 0, 4, _AVX),
    CpuFeature("avx512bf16", 7, 1, 0, 5, _AVX512),
    *_x86(_EXTENDED, _ECX, {"sahf": 0, "lzcnt": 5, "sse4a": 6, "tbm": 21}),
    *_x86(_EXTENDED, _ECX, {"xop": 11, "fma4": 16}, _AVX),
]

_HWCAP: Final = {
    "fp-armv8": 0, "neon": 1, "aes": 3, "sha2": 6, "crc": 7, "lse": 8, "fullfp16": 9, "rdm": 12,
    "jsconv": 13, "complxnum": 14, "rcpc": 15, "sha3": 17, "sm4": 19, "dotprod": 20,
    "sve": 22, "fp16fml": 23, "rcpc-immo": 26, "flagm": 27,
}  # fmt: skip
_HWCAP2: Final = {
    "sve2": 1, "fptoint": 8, "f32mm": 10, "f64mm": 11, "i8mm": 13, "bf16": 14,
    "cssc": 34, "mops": 43, "hbc": 44,
}  # fmt: skip
_AT_HWCAP, _AT_HWCAP2 = 16, 26

FEATURES: Final[dict[str, dict[str, CpuFeature]]] = {
    "x86_64": {feature.name: feature for feature in _X86_64},
    "aarch64": {
        name: CpuFeature(name, entry, 0, 0, bit)
        for entry, bits in ((_AT_HWCAP, _HWCAP), (_AT_HWCAP2, _HWCAP2))
        for name, bit in bits.items()
    },
}
