"""x86-64: which instructions make, move and store constants (see ``stackmaps.constants``)."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

import capstone
from capstone import x86 as cs

from stackmaps.isa.effects import Action, Compute, Load, Move, Pool, SetRegister, Store
from stackmaps.isa.x86_64_effects import register_unit

_CAPSTONE: Final = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
_CAPSTONE.detail = True

_MOVES: Final = re.compile(r"mov|movabs|v?mov([au]p[sd]|dq[au]|s[sd]|[dq])|vmovdq[au](8|16|32|64)")
_BROADCASTS: Final = re.compile(r"v?p?broadcast\w+|vbroadcast\w+|v?movddup")
_ZERO: Final = re.compile(r"xor|sub|v?xorp[sd]|v?pxor[dq]?")
_ONES: Final = re.compile(r"v?pcmpeq[bwdq]")


@cache
def constant_actions(code: bytes) -> tuple[Action, ...]:
    """Return what one instruction does to constants; nothing: it makes none known."""
    for insn in _CAPSTONE.disasm(code, 0, 1):
        return tuple(_actions(insn))
    return ()


def _actions(insn: Any) -> list[Action]:
    ops = insn.operands
    mnemonic: str = insn.mnemonic
    if not ops:
        return []
    names = [str(insn.reg_name(o.reg)) if o.type == cs.X86_OP_REG else "" for o in ops]
    unit = register_unit(names[0])
    same = len(ops) > 1 and bool(names[0]) and len(set(names[-2:])) == 1
    if unit is not None and same and _ZERO.fullmatch(mnemonic):
        return [SetRegister(unit, bytes(_width(mnemonic, names[0])))]
    if unit is not None and same and _ONES.fullmatch(mnemonic):
        ones = b"\xff" * ops[0].size
        return [SetRegister(unit, ones.ljust(_width(mnemonic, names[0]), b"\0"))]
    if unit is not None and mnemonic.startswith("vpternlog") and ops[-1].imm & 0xFF == 0xFF:
        return [SetRegister(unit, (b"\xff" * ops[0].size).ljust(64, b"\0"))]
    if unit is not None and ops[0].size >= 4 and "mm" not in names[0]:
        computed = _compute(insn, ops, names, unit)
        if computed:
            return computed
    if len(ops) != 2:
        return []
    if _BROADCASTS.fullmatch(mnemonic) and unit is not None:
        return _broadcast(insn, ops, unit, names[1])
    if not _MOVES.fullmatch(mnemonic):
        return []
    return _move(insn, ops, names, unit)


_OPERATIONS: Final = {name: name for name in ("add", "sub", "and", "or", "xor", "shl", "shr")}


_UNARY: Final = {"inc": ("add", 1), "dec": ("sub", 1), "not": ("xor", -1), "neg": ("rsub", 0)}


def _compute(insn: Any, ops: Any, names: list[str], unit: int) -> list[Action]:
    """Arithmetic on registers and immediates, ``lea`` included."""
    bits = 8 * ops[0].size
    if insn.mnemonic == "lea":
        memory = ops[1].mem
        sources: list[tuple[int, int] | int] = [memory.disp]
        for register, scale in ((memory.base, 1), (memory.index, memory.scale)):
            name = str(insn.reg_name(register)) if register else ""
            source = register_unit(name)
            if source is not None:
                sources.append((source, scale.bit_length() - 1))
            elif name:
                return []
        return [Compute(unit, "add", tuple(sources), bits)]
    if insn.mnemonic in _UNARY:
        operation, operand = _UNARY[insn.mnemonic]
        sources = [operand, (unit, 0)] if operation == "rsub" else [(unit, 0), operand]
        return [Compute(unit, operation.removeprefix("r"), tuple(sources), bits)]
    operation = _OPERATIONS.get(insn.mnemonic, "")
    if not operation or len(ops) != 2:
        return []
    if ops[1].type == cs.X86_OP_IMM:
        return [Compute(unit, operation, ((unit, 0), ops[1].imm), bits)]
    source = register_unit(names[1])
    if source is None or operation in ("shl", "shr"):
        return []
    return [Compute(unit, operation, ((unit, 0), (source, 0)), bits)]


def _move(insn: Any, ops: Any, names: list[str], unit: int | None) -> list[Action]:
    """Moves between registers, memory and immediates."""
    if ops[0].type == cs.X86_OP_MEM:
        size = ops[0].size
        if ops[1].type == cs.X86_OP_IMM:
            data = (ops[1].imm & ((1 << 8 * size) - 1)).to_bytes(size, "little")
            return [Store(size, data=data)]
        source = register_unit(names[1])
        return (
            []
            if source is None or names[1] in ("ah", "bh", "ch", "dh")
            else [Store(size, register=source)]
        )
    if unit is None or (ops[0].size < 4 and "mm" not in names[0]):
        return []
    width = _width(insn.mnemonic, names[0])
    if ops[1].type == cs.X86_OP_IMM:
        mask = 0xFFFF_FFFF if ops[0].size == 4 else 0xFFFF_FFFF_FFFF_FFFF
        return [SetRegister(unit, (ops[1].imm & mask).to_bytes(8, "little"))]
    if ops[1].type == cs.X86_OP_MEM:
        return _load(insn, ops[1], unit, width, 1)
    source = register_unit(names[1])
    scalar = re.fullmatch(r"v?movs[sd]", insn.mnemonic)
    if source is None or scalar:
        return []
    size = {"movd": 4, "movq": 8}.get(insn.mnemonic.lstrip("v"), min(o.size for o in ops))
    return [Move(unit, source, size, width)]


def _load(insn: Any, operand: Any, unit: int, width: int, repeat: int) -> list[Action]:
    """A load from the stack or from the constant pool."""
    memory = operand.mem
    base = str(insn.reg_name(memory.base)) if memory.base else ""
    if memory.index:
        return []
    if base == "rip":
        place = insn.disp_offset
        return [Pool(unit, operand.size, width, place, insn.size - place, repeat)]
    if not base:
        return [Pool(unit, operand.size, width, insn.disp_offset, 0, repeat)]
    if base in ("rsp", "rbp") and repeat == 1:
        return [Load(unit, operand.size, width)]
    return []


def _broadcast(insn: Any, ops: Any, unit: int, source: str) -> list[Action]:
    match = re.search(r"(ss|sd|[bwdq]|[fi]\d+x\d+|[fi]128|dup)$", insn.mnemonic)
    kinds = {"ss": 4, "sd": 8, "b": 1, "w": 2, "d": 4, "q": 8, "f128": 16, "i128": 16, "dup": 8}
    if match is None or match[1] not in kinds:
        return []
    size = kinds[match[1]]
    repeat = ops[0].size // size
    if ops[1].type == cs.X86_OP_MEM:
        if ops[1].size != size:
            return []
        return _load(insn, ops[1], unit, _width(insn.mnemonic, "xmm"), repeat)
    register = register_unit(source)
    return [] if register is None else [Move(unit, register, size, 64, repeat)]


def _width(mnemonic: str, name: str) -> int:
    """Return how many bytes of a register a write makes known: AVX clears what is above."""
    if "mm" not in name:
        return 8
    return 64 if mnemonic.startswith("v") else 16
