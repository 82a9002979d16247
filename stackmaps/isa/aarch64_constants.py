"""AArch64: which instructions make, move and store constants (see ``stackmaps.constants``)."""

from __future__ import annotations

import re
import struct
from functools import cache
from typing import Any, Final

import capstone
from capstone import arm64 as cs

from stackmaps.isa.aarch64_effects import register_unit
from stackmaps.isa.effects import Action, Compute, Flip, Load, Move, Pool, SetRegister, Store

_CAPSTONE: Final = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
_CAPSTONE.detail = True

_WIDTHS: Final = {"b": 1, "h": 2, "s": 4, "d": 8, "q": 16, "w": 4, "x": 8}
_ARRANGEMENT: Final = re.compile(r"v\d+\.(\d*)([bhsd])(?:\[\d+\])?")
_ELEMENTS: Final = {"b": 1, "h": 2, "s": 4, "d": 8}


@cache
def constant_actions(code: bytes) -> tuple[Action, ...]:
    """Return what one instruction does to constants; nothing: it makes none known."""
    for insn in _CAPSTONE.disasm(code, 0, 1):
        return tuple(_actions(insn))
    return ()


def _actions(insn: Any) -> list[Action]:
    ops = insn.operands
    mnemonic: str = insn.mnemonic
    names = [str(insn.reg_name(o.reg)) if o.type == cs.ARM64_OP_REG else "" for o in ops]
    if mnemonic in ("str", "stur", "stp"):
        return _store(names)
    if mnemonic in ("ldr", "ldur", "ldp"):
        return _load(insn, ops, names)
    if len(ops) < 2 or not names[0]:
        return []
    unit, _ = register_unit(names[0])
    if unit < 0:
        return []
    if mnemonic == "movk":
        at = (ops[1].shift.value if ops[1].shift.type else 0) // 8
        insert = (at, (ops[1].imm & 0xFFFF).to_bytes(2, "little"))
        return [Move(unit, unit, 8, 8, insert=insert)]
    if mnemonic == "fneg" and len(ops) == 2 and names[1]:
        return _negate(insn, names, unit)
    if mnemonic in _OPERATIONS and len(ops) == 3:
        computed = _compute(ops, names, unit, _OPERATIONS[mnemonic])
        if computed:
            return computed
    if mnemonic in ("mov", "movz", "movn", "orr", "fmov", "movi", "mvni", "dup"):
        return _make(insn, ops, names, unit)
    return []


_OPERATIONS: Final = {
    **{name: name for name in ("add", "sub", "and", "bic", "orn")},
    **{"orr": "or", "eor": "xor", "lsl": "shl", "lsr": "shr"},
}


def _compute(ops: Any, names: list[str], unit: int, operation: str) -> list[Action]:
    """Arithmetic on general registers and immediates."""
    if names[0][0] not in "wx":
        return []
    sources: list[tuple[int, int] | int] = []
    for operand, name in list(zip(ops, names, strict=True))[1:]:
        shift = operand.shift.value if operand.shift.type else 0
        if operand.ext or (shift and operand.shift.type != cs.ARM64_SFT_LSL):
            return []
        if operand.type == cs.ARM64_OP_IMM:
            sources.append(operand.imm << shift)
        elif name in ("wzr", "xzr"):
            sources.append(0)
        elif name and name not in ("sp", "fp", "wsp"):
            sources.append((register_unit(name)[0], shift))
        else:
            return []
    return [Compute(unit, operation, tuple(sources), 32 if names[0][0] == "w" else 64)]


def _negate(insn: Any, names: list[str], unit: int) -> list[Action]:
    """``fneg``: LLVM makes the vector of -0.0 with it."""
    arrangement = _ARRANGEMENT.match(insn.op_str)
    element = arrangement[2] if arrangement else names[0][0]
    if element not in ("s", "d"):
        return []
    sign = bytes(_ELEMENTS[element] - 1) + b"\x80"
    count = int(arrangement[1] or 1) if arrangement else 1
    return [Flip(unit, register_unit(names[1])[0], sign * count, 16)]


def _make(insn: Any, ops: Any, names: list[str], unit: int) -> list[Action]:
    """Immediates and copies of whole registers."""
    arrangement = _ARRANGEMENT.match(insn.op_str)
    last = ops[-1]
    if last.type == cs.ARM64_OP_FP:
        element = arrangement[2] if arrangement else names[0][0]
        if element not in ("s", "d"):
            return []
        data = struct.pack("<f" if element == "s" else "<d", last.fp)
        count = int(arrangement[1]) if arrangement and arrangement[1] else 1
        return [SetRegister(unit, (data * count).ljust(16, b"\0"))]
    if last.type == cs.ARM64_OP_IMM:
        return _immediate(insn, ops, names, unit, arrangement)
    if last.type != cs.ARM64_OP_REG or last.vector_index >= 0 or ops[0].vector_index >= 0:
        return []
    return _copy(insn, names, unit, arrangement)


def _immediate(
    insn: Any, ops: Any, names: list[str], unit: int, arrangement: re.Match[str] | None
) -> list[Action]:
    value = ops[-1].imm
    shift = ops[-1].shift.value if ops[-1].shift.type else 0
    if names[0][0] in "wx":
        if insn.mnemonic == "orr" and names[1] not in ("wzr", "xzr"):
            return []
        value <<= shift
        if insn.mnemonic == "movn":
            value = ~value
        mask = 0xFFFF_FFFF if names[0][0] == "w" else 0xFFFF_FFFF_FFFF_FFFF
        return [SetRegister(unit, (value & mask).to_bytes(8, "little"))]
    kind = ops[-1].shift.type
    if insn.mnemonic == "orr" or (shift and kind not in (cs.ARM64_SFT_LSL, cs.ARM64_SFT_MSL)):
        return []
    ones = (1 << shift) - 1 if kind == cs.ARM64_SFT_MSL else 0  # what MSL shifts in
    if arrangement is None:  # movi d0, #imm64
        return [SetRegister(unit, (value & (1 << 64) - 1).to_bytes(16, "little"))]
    size = _ELEMENTS[arrangement[2]]
    value = value << shift | ones
    value = (~value if insn.mnemonic == "mvni" else value) & ((1 << 8 * size) - 1)
    data = value.to_bytes(size, "little") * int(arrangement[1] or 1)
    return [SetRegister(unit, data.ljust(16, b"\0"))]


def _copy(
    insn: Any, names: list[str], unit: int, arrangement: re.Match[str] | None
) -> list[Action]:
    if insn.mnemonic == "orr" or len(names) != 2:
        return []
    source, _ = register_unit(names[1])
    vector = names[0][0] not in "wx"
    width = 16 if vector else 8
    if names[1] in ("wzr", "xzr"):
        return [SetRegister(unit, bytes(width))]
    if insn.mnemonic == "dup":
        if arrangement is None or not arrangement[1]:
            return []
        size = _ELEMENTS[arrangement[2]]
        return [Move(unit, source, size, width, int(arrangement[1]))]
    if names[1] in ("sp", "fp", "wsp"):
        return []
    size = min(_WIDTHS.get(names[0][0], 16), _WIDTHS.get(names[1][0], 16))
    if names[0][0] == "v" and arrangement is not None and arrangement[1] == "8":
        size = 8
    return [Move(unit, source, size, width)]


def _store(names: list[str]) -> list[Action]:
    actions: list[Action] = []
    for name in names:
        if not name:
            break
        if name in ("wzr", "xzr"):
            actions.append(Store(_WIDTHS[name[0]], data=bytes(_WIDTHS[name[0]])))
            continue
        size = _WIDTHS.get(name[0], 8) if name not in ("fp", "lr") else 8
        actions.append(Store(size, register=register_unit(name)[0]))
    return actions


def _load(insn: Any, ops: Any, names: list[str]) -> list[Action]:
    """Loads from the stack, and from the constant pool (the relocation tells)."""
    registers = [name for name in names if name]
    memory = next((o.mem for o in ops if o.type == cs.ARM64_OP_MEM), None)
    if memory is None or memory.index or any(n in ("fp", "lr") for n in registers):
        return []
    base = str(insn.reg_name(memory.base))
    actions: list[Action] = []
    for number, name in enumerate(registers):
        unit, _ = register_unit(name)
        if unit < 0 or insn.writeback:
            return []
        size = _WIDTHS[name[0]]
        width = 8 if name[0] in "wx" else 16
        if base in ("sp", "fp"):
            actions.append(Load(unit, size, width, number * size))
        elif len(registers) == 1:
            actions.append(Pool(unit, size, width, 0, 0))
    return actions
