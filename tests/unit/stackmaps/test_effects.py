"""What instructions read and write: one row per rule, on instructions in bytes."""

from __future__ import annotations

import pytest

from stackmaps.isa import aarch64_effects, x86_64_effects
from stackmaps.isa.effects import FP_BASE, SP_BASE, Effects, Flow, Machine, PointerMove

X86, ARM = x86_64_effects.MACHINE, aarch64_effects.MACHINE


def x86(code: str) -> Effects:
    data = bytes.fromhex(code)
    effects = X86.decode(data, 0)
    assert effects.size == len(data) and not effects.unknown
    return effects


def arm(word: int) -> Effects:
    effects = ARM.decode(word.to_bytes(4, "little"), 0)
    assert not effects.unknown
    return effects


def parts(machine: Machine, units: int) -> dict[str, int]:
    """Return register -> units, counted from the register's first one."""
    found: dict[str, int] = {}
    for name in machine.names(units):
        first = list(machine.unit_names).index(name)
        found[name] = (units & machine.span(first)) >> first
    return found


@pytest.mark.parametrize(
    ("code", "use", "defs"),
    [
        ("89c8", {}, {"rax": 7}),  # mov eax, ecx: a copy
        ("b001", {}, {"rax": 1}),  # mov al, 1
        ("b401", {}, {"rax": 2}),  # mov ah, 1
        ("0f9cc0", {"flags": 1}, {"rax": 1}),  # setl al
        ("0fb6c0", {"rax": 1}, {"rax": 7}),  # movzx eax, al
        ("0f4cc1", {"rax": 7, "rcx": 7, "flags": 1}, {"rax": 7}),  # cmovl eax, ecx
        ("31c0", {}, {"rax": 7, "flags": 1}),  # xor eax, eax
        ("19c0", {"flags": 1}, {"rax": 7, "flags": 1}),  # sbb eax, eax
        ("31c8", {"rax": 7, "rcx": 7}, {"rax": 7, "flags": 1}),  # xor eax, ecx
        ("0f57c0", {}, {"xmm0": 7}),  # xorps xmm0, xmm0
        ("660f76c0", {}, {"xmm0": 7}),  # pcmpeqd xmm0, xmm0
        ("f20f2ac0", {"rax": 7}, {"xmm0": 3}),  # cvtsi2sd xmm0, eax
        ("f20f58c1", {"xmm0": 3, "xmm1": 3}, {"xmm0": 3}),  # addsd xmm0, xmm1
        ("f30f51c1", {"xmm1": 1}, {"xmm0": 1}),  # sqrtss xmm0, xmm1
        ("f20f1005 00000000", {}, {"xmm0": 7}),  # movsd xmm0, [rip]
        ("c5f457c2", {}, {"xmm0": 31}),  # vxorps ymm0, ymm1, ymm2: copies, whole register
        ("99", {"rax": 7}, {"rax": 7, "rdx": 7}),  # cdq
        ("f7f9", {"rax": 7, "rcx": 7, "rdx": 7}, {"rax": 7, "rdx": 7, "flags": 1}),  # idiv ecx
        ("d3e0", {"rax": 7, "rcx": 1}, {"rax": 7, "flags": 1}),  # shl eax, cl
        ("660f2ec1", {"xmm0": 3, "xmm1": 3}, {"flags": 1}),  # ucomisd xmm0, xmm1
        ("c5f877", {}, {f"xmm{n}": 24 for n in range(16)}),  # vzeroupper
    ],
)
def test_x86_registers(code: str, use: dict[str, int], defs: dict[str, int]) -> None:
    effects = x86(code)
    assert parts(X86, effects.use) == use
    assert parts(X86, effects.defs) == defs


def test_x86_scalar_avx_passes_its_upper_lanes() -> None:
    effects = x86("c5f32ac0")  # vcvtsi2sd xmm0, xmm1, eax
    assert parts(X86, effects.use) == {"rax": 7}
    assert parts(X86, effects.defs) == {"xmm0": 31}
    (copy,) = effects.copies
    assert copy.mask == 0b00100 and X86.unit_names[copy.frm] == "xmm1"


@pytest.mark.parametrize(
    ("code", "base", "disp", "size", "reads", "writes"),
    [
        ("488b45f8", FP_BASE, -8, 8, True, False),  # mov rax, [rbp - 8]
        ("894424 08".replace(" ", ""), SP_BASE, 8, 4, False, True),  # mov [rsp + 8], eax
        ("0145f8", FP_BASE, -8, 4, True, False),  # add [rbp - 8], eax
        ("3945f8", FP_BASE, -8, 4, True, False),  # cmp [rbp - 8], eax
        ("0f294de0", FP_BASE, -32, 16, False, True),  # movaps [rbp - 32], xmm1
        ("c5fc115dc0", FP_BASE, -64, 32, False, True),  # vmovups [rbp - 64], ymm3
        ("f20f1145f8", FP_BASE, -8, 8, False, True),  # movsd [rbp - 8], xmm0
        ("0f1345f8", FP_BASE, -8, 8, False, True),  # movlps [rbp - 8], xmm0
        ("660f3a1745fc01", FP_BASE, -4, 4, False, True),  # extractps [rbp - 4], xmm0, 1
        ("62f17c491145ff", FP_BASE, -64, 64, True, False),  # vmovups [rbp - 64] {k1}, zmm0
    ],
)
def test_x86_stack(code: str, base: int, disp: int, size: int, reads: bool, writes: bool) -> None:
    (access,) = x86(code).stack
    assert (access.base, access.disp, access.size) == (base, disp, size)
    assert (access.reads, access.writes) == (reads, writes)


def test_x86_pointers_and_flow() -> None:
    assert x86("4889e5").move == PointerMove(FP_BASE, SP_BASE, 0)  # mov rbp, rsp
    assert x86("4883ec40").move == PointerMove(SP_BASE, SP_BASE, -0x40)  # sub rsp, 64
    push, pop = x86("55"), x86("5d")
    assert (push.before, push.saves) == (-8, (("fp", SP_BASE, 0),))
    assert (pop.after, pop.fp_lost) == (8, True)
    lea = x86("488d45d0").address  # lea rax, [rbp - 48]
    assert lea is not None and (lea.base, lea.disp, lea.plain) == (FP_BASE, -48, True)
    flows = {"c3": Flow.RETURN, "0f0b": Flow.STOP, "ffe0": Flow.INDIRECT_JUMP, "90": Flow.NEXT}
    assert {code: x86(code).flow for code in flows} == flows
    jump = x86("7c10")  # jl +16
    assert (jump.flow, jump.target, parts(X86, jump.use)) == (Flow.BRANCH, 18, {"flags": 1})
    assert X86.decode(b"\x06", 0).unknown  # no instruction in 64-bit mode


@pytest.mark.parametrize(
    ("word", "use", "defs"),
    [
        (0xF2E812C9, {"x9": 1}, {"x9": 1}),  # movk x9, #0x4096, lsl #48
        (0xF100001F | 3 << 10, {"x0": 1}, {"flags": 1}),  # cmp x0, #3
        (0x9A82B020, {"x1": 1, "x2": 1, "flags": 1}, {"x0": 1}),  # csel x0, x1, x2, lt
        (0x1E6F1000, {}, {"v0": 7}),  # fmov d0, #1.0
        (0x9E670100, {"x8": 1}, {"v0": 7}),  # fmov d0, x8
        (0x1E604020, {"v1": 3}, {"v0": 7}),  # fmov d0, d1
        (0x4E181D00, {"x8": 1}, {"v0": 4}),  # mov v0.d[1], x8
        (0x6E0C0420, {"v1": 1}, {"v0": 2}),  # mov v0.s[1], v1.s[0]
        (0x4E22CC20, {"v0": 7, "v1": 7, "v2": 7}, {"v0": 7}),  # fmla v0.4s, v1.4s, v2.4s
        (0x1E612000, {"v0": 3, "v1": 3}, {"flags": 1}),  # fcmp d0, d1
        (0x0E205800, {"v0": 3}, {"v0": 7}),  # cnt v0.8b, v0.8b
        (0x4EA14820, {"v1": 7}, {"v0": 4}),  # sqxtn2 v0.4s, v1.2d
        (0xB3401420 | 0, {"x0": 1, "x1": 1}, {"x0": 1}),  # bfxil x0, x1, #0, #6
    ],
)
def test_arm_registers(word: int, use: dict[str, int], defs: dict[str, int]) -> None:
    effects = arm(word)
    assert parts(ARM, effects.use) == use
    assert parts(ARM, effects.defs) == defs


def test_arm_widening_reads_a_half_for_each_half() -> None:
    effects = ARM.decode(bytes.fromhex("20a4100f"), 0)  # sshll v0.4s, v1.4h, #0
    v0, v1 = (ARM.unit_names.index(name) for name in ("v0", "v1"))
    assert effects.use == 0
    assert [(c.to - v0, c.mask, c.frm - v1) for c in effects.copies] == [
        (0, 1, 0),
        (1, 1, 0),
        (2, 1, 1),
    ]


def test_arm_ext_joins_halves() -> None:
    v0, v1, v2 = (ARM.unit_names.index(name) for name in ("v0", "v1", "v2"))
    effects = ARM.decode(bytes.fromhex("2040026e"), 0)  # ext v0.16b, v1.16b, v2.16b, #8
    assert effects.use == 0
    assert [(c.to, c.mask, c.frm) for c in effects.copies] == [
        (v0, 1, v1 + 2),
        (v0 + 1, 1, v1 + 2),
        (v0 + 2, 1, v2),
        (v0 + 2, 1, v2 + 1),
    ]
    other = ARM.decode(bytes.fromhex("2020026e"), 0)  # the same with #4: read whole
    assert other.use and not other.copies


def test_arm_bitwise_operations_are_copies_by_lane() -> None:
    effects = arm(0x6EE21C20)  # bif v0.16b, v1.16b, v2.16b
    assert not effects.use
    assert sorted(ARM.unit_names[copy.frm] for copy in effects.copies) == ["v0", "v1", "v2"]


@pytest.mark.parametrize(
    ("word", "base", "disp", "size", "reads"),
    [
        (0xFD400FE0, SP_BASE, 24, 8, True),  # ldr d0, [sp, #24]
        (0x3D800BE0, SP_BASE, 32, 16, False),  # str q0, [sp, #32]
        (0x39000FE8, SP_BASE, 3, 1, False),  # strb w8, [sp, #3]
        (0xB98007E8, SP_BASE, 4, 4, True),  # ldrsw x8, [sp, #4]
        (0xF81F83A8, FP_BASE, -8, 8, False),  # stur x8, [x29, #-8]
        (0xAD0107E0, SP_BASE, 32, 32, False),  # stp q0, q1, [sp, #32]
        (0x29047FE0, SP_BASE, 32, 8, False),  # stp w0, wzr, [sp, #32]
        (0xAD7F07A0, FP_BASE, -32, 32, True),  # ldp q0, q1, [x29, #-32]
    ],
)
def test_arm_stack(word: int, base: int, disp: int, size: int, reads: bool) -> None:
    (access,) = arm(word).stack
    assert (access.base, access.disp, access.size) == (base, disp, size)
    assert (access.reads, access.writes) == (reads, not reads)


def test_arm_pointers_and_flow() -> None:
    push = arm(0xA9BF7BFD)  # stp x29, x30, [sp, #-16]!
    assert push.before == -16 and not push.address
    assert push.saves == (("fp", SP_BASE, 0), ("ra", SP_BASE, 8))
    pop = arm(0xA8C17BFD)  # ldp x29, x30, [sp], #16
    assert (pop.after, pop.fp_lost) == (16, True)
    assert arm(0x910103FD).move == PointerMove(FP_BASE, SP_BASE, 64)  # add x29, sp, #64
    assert arm(0xD14007FF).move == PointerMove(SP_BASE, SP_BASE, -4096)  # sub sp, sp, #1, lsl #12
    lea = arm(0x910043E8).address  # add x8, sp, #16
    assert lea is not None and (lea.base, lea.disp, lea.plain) == (SP_BASE, 16, True)
    branch = arm(0x54000040)  # b.eq +8
    assert (branch.flow, branch.target) == (Flow.BRANCH, 8)
    flows = {0xD65F03C0: Flow.RETURN, 0xD61F0100: Flow.INDIRECT_JUMP, 0xD63F0100: Flow.CALL}
    assert {word: arm(word).flow for word in flows} == flows
    assert ARM.decode(b"\xff\xff\xff\xff", 0).unknown
