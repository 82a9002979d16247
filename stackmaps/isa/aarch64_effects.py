"""AArch64 instructions for the proof: four bytes -> Effects, through capstone and a cache.

Units: one per general register, three per vector register (bits 0-31, 32-63, 64-127), the flags.
Capstone's access flags are not reliable here (``cmp x0, #3`` "writes" x0), so the rules go by
mnemonic: the first register is written unless the instruction is listed as one that writes none;
all others are read; some read their first one as well. A write to a part of a vector register
clears the rest, except a write to one lane, which defines that lane's units and keeps the rest.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Any, Final

import capstone
from capstone import arm64 as cs

from stackmaps.isa.aarch64_shapes import Decoder
from stackmaps.isa.effects import (
    CANNOT_DECODE,
    FP_BASE,
    SP_BASE,
    CallingConvention,
    Copy,
    Effects,
    Flow,
    IndirectAccess,
    Machine,
    PointerMove,
    StackAccess,
    StackAddress,
)

_VECTORS: Final = 31
_FLAGS_UNIT: Final = _VECTORS + 3 * 32
_FLAGS: Final = 1 << _FLAGS_UNIT
_OTHER: Final = _FLAGS_UNIT + 1
_ALL: Final = (1 << _OTHER + 1) - 1

_UNIT_NAMES: Final = (
    [f"x{n}" for n in range(31)]
    + [f"v{n}" for n in range(32) for _ in range(3)]
    + ["flags", "another register"]
)

_POINTERS: Final = {"sp": SP_BASE, "wsp": SP_BASE, "x29": FP_BASE, "fp": FP_BASE, "w29": FP_BASE}
_WIDTHS: Final = {"b": 1, "h": 2, "s": 4, "d": 8, "q": 16, "w": 4, "x": 8}
_VIEWS: Final = {"b": 0b001, "h": 0b001, "s": 0b001, "d": 0b011, "q": 0b111, "v": 0b111}

_NO_RESULT: Final = re.compile(
    r"cmp|cmn|tst|fcmpe?|ccmp|ccmn|fccmpe?|st\w+|cbn?z|tbn?z|b|b\..+|br|blr?|ret|prfu?m|nop|hint|"
    r"d[ms]b|isb|brk|udf|hlt|msr|bti|yield|csdb"
)
_READS_FLAGS: Final = re.compile(
    r"csel|csinc|csinv|csneg|csetm?|cinc|cinv|cneg|fcsel|ccmp|ccmn|fccmpe?|adcs?|sbcs?|ngcs?|b\..+"
)
_SETS_FLAGS: Final = re.compile(
    r"cmp|cmn|tst|fcmpe?|ccmp|ccmn|fccmpe?|adds|subs|ands|bics|adcs|sbcs|negs|ngcs|rmif|setf\w+"
)
_READS_FIRST: Final = re.compile(
    r"movk|bfi|bfxil|bfm|bfc|fml[as]\w*|ml[as]|[su]ml[as]l2?|sqdml[as]l2?|sqrdml[as]h|bif|bit|bsl|"
    r"[su]r?sra|s[lr]i|[su]abal?2?|[su]adalp|[su]dot|usdot|sudot|fcmla|cmla|tbx|suqadd|usqadd|"
    r"aes[ed]|sha\w+|[su]?q?r?[su]?x?tu?n2|sqx?tun2|fcvtx?n2|q?r?shrn2|[su]q?r?shrun?2?n2|"
    r"sqr?shrun2|r?addhn2|r?subhn2|[su]mmla|usmmla|bfdot|bfmlal[bt]|bfmmla"
)
_NARROWS_HIGH: Final = re.compile(r"\w+n2")
_LANE_WISE: Final = re.compile(r"mov|orr|and|eor|bic|orn|mvn|not|bif|bit|bsl")
_ATOMIC: Final = re.compile(r"(ld(add|clr|eor|set|[su]max|[su]min)|cas|swp)\w*")
_VECTORS_WHOLE: Final = re.compile(r"(ld|st)1")
_PAIR: Final = re.compile(r"(ld|st)n?x?p\w*|ldpsw")
_HALF_ARRANGEMENTS: Final = frozenset(
    (cs.ARM64_VAS_8B, cs.ARM64_VAS_4H, cs.ARM64_VAS_2S, cs.ARM64_VAS_1D)
)
_LANE_BITS: Final = {
    cs.ARM64_VAS_1B: 8,
    cs.ARM64_VAS_1H: 16,
    cs.ARM64_VAS_1S: 32,
    cs.ARM64_VAS_1D: 64,
}


_NAMES: Final[dict[int, str]] = {}  # capstone's numbers of registers -> names


class _Builder:
    """Gathers the effects of one capstone instruction."""

    def __init__(self, insn: Any) -> None:
        self.insn = insn
        self.mnemonic: str = insn.mnemonic
        self.use = 0
        self.defs = 0
        self.copies: list[Copy] = []
        self.stack: list[StackAccess] = []
        self.unknown = ""
        self.address: StackAddress | None = None

    def name(self, register: int) -> str:
        found = _NAMES.get(register)
        if found is None:
            found = _NAMES[register] = str(self.insn.reg_name(register))
        return found

    def read(self, name: str, units: int | None = None) -> None:
        """Read a register, or only some of its ``units``."""
        if name in _POINTERS:
            self.address = StackAddress(_POINTERS[name], 0, 0, plain=False)
            return
        first, view = register_unit(name)
        self.use |= (view if units is None else units) << first if first >= 0 else 0

    def write(self, name: str) -> None:
        """Define a whole register: a narrower view clears the rest."""
        if name in _POINTERS:
            self.unknown = f"writes {name}"
            return
        first, _ = register_unit(name)
        if first >= 0:
            self.defs |= (0b111 if first >= _VECTORS else 1) << first

    def done(self, **rest: Any) -> Effects:
        return Effects(
            size=4,
            use=self.use,
            defs=self.defs,
            copies=tuple(self.copies),
            stack=tuple(self.stack),
            address=self.address,
            unknown=self.unknown,
            **rest,
        )


def register_unit(name: str) -> tuple[int, int]:
    """Return (first unit, units of the view); the zero register has none: (-1, 0)."""
    if name in ("xzr", "wzr"):
        return -1, 0
    if name == "lr":
        return 30, 1
    kind, number = name[0], name[1:]
    if number.isdigit():
        if kind in "xw":
            return int(number), 1
        if kind in _VIEWS:
            return _VECTORS + 3 * int(number), _VIEWS[kind]
    return _OTHER, 1


def _decode_instruction(insn: Any) -> Effects:
    b = _Builder(insn)
    ops = insn.operands
    special = _control(b, ops) or _pointer(b, ops)
    if special is not None:
        return special
    if _READS_FLAGS.fullmatch(b.mnemonic):
        b.use |= _FLAGS
    if _SETS_FLAGS.fullmatch(b.mnemonic):
        b.defs |= _FLAGS
    if any(o.type == cs.ARM64_OP_MEM for o in ops):
        return _load_store(b, ops)
    _registers(b, ops)
    return b.done()


def _control(b: _Builder, ops: Any) -> Effects | None:
    """Jumps, calls, returns and traps."""
    mnemonic = b.mnemonic
    if mnemonic == "b":
        return b.done(flow=Flow.JUMP, target=ops[0].imm)
    if mnemonic.startswith("b."):
        b.use |= _FLAGS
        return b.done(flow=Flow.BRANCH, target=ops[0].imm)
    if mnemonic in ("cbz", "cbnz", "tbz", "tbnz"):
        b.read(b.name(ops[0].reg))
        return b.done(flow=Flow.BRANCH, target=ops[-1].imm)
    if mnemonic == "bl":
        return b.done(flow=Flow.CALL, target=ops[0].imm)
    if mnemonic in ("blr", "br"):
        b.read(b.name(ops[0].reg))
        return b.done(flow=Flow.CALL if mnemonic == "blr" else Flow.INDIRECT_JUMP)
    if mnemonic == "ret":
        b.read(b.name(ops[0].reg) if ops else "x30")
        return b.done(flow=Flow.RETURN)
    if mnemonic in ("brk", "udf", "hlt"):
        return b.done(flow=Flow.STOP)
    return None


def _pointer(b: _Builder, ops: Any) -> Effects | None:
    """Moves of the stack and frame pointer, and addresses made of them."""
    if b.mnemonic not in ("mov", "add", "sub") or len(ops) < 2:
        return None
    names = [b.name(o.reg) if o.type == cs.ARM64_OP_REG else "" for o in ops]
    if names[1] not in _POINTERS:
        return None
    base = _POINTERS[names[1]]
    constant = len(ops) == 2 or ops[2].type == cs.ARM64_OP_IMM
    add = 0
    if len(ops) == 3 and constant:
        add = ops[2].imm << (ops[2].shift.value if ops[2].shift.type else 0)
        add = -add if b.mnemonic == "sub" else add
    if names[0] in _POINTERS:
        if not constant:
            b.unknown = "moves a pointer by a register"
            return b.done()
        return b.done(move=PointerMove(_POINTERS[names[0]], base, add))
    for name in names[2:]:
        if name:
            b.read(name)
    b.write(names[0])
    b.address = StackAddress(base, add, b.defs, plain=constant)
    return b.done()


def _load_store(b: _Builder, ops: Any) -> Effects:
    """Every instruction with a memory operand."""
    at = next(n for n, o in enumerate(ops) if o.type == cs.ARM64_OP_MEM)
    memory = ops[at].mem
    registers = [o for o in ops[:at] if o.type == cs.ARM64_OP_REG]
    names = [b.name(o.reg) for o in registers]
    base = b.name(memory.base)
    store = b.mnemonic.startswith("st")
    exclusive = b.mnemonic.startswith(("stx", "stlx"))
    if _ATOMIC.fullmatch(b.mnemonic):
        for name in names:
            b.read(name)
            b.write(name)
    elif not b.mnemonic.startswith("prf"):
        for number, name in enumerate(names):
            if store and not (exclusive and number == 0):
                b.read(name)
            elif registers[number].vector_index >= 0:
                b.defs |= _lane_units(registers[number]) << register_unit(name)[0]
            elif name not in _POINTERS:
                b.write(name)
    lost = any(name in _POINTERS for name in names) and not store
    if memory.index:
        b.read(b.name(memory.index))
    if base not in _POINTERS:
        b.read(base)
        if b.insn.writeback:
            b.write(base)
        return b.done(fp_lost=lost, indirect=_indirect(b, ops, registers, names))
    return _stack_access(b, ops, names, at, store and not exclusive, lost)


def _indirect(b: _Builder, ops: Any, registers: Any, names: list[str]) -> IndirectAccess | None:
    """``ld1`` and ``st1`` of whole vectors, with which LLVM spills several of them at once."""
    memory = ops[len(registers)].mem
    plain = not (memory.index or memory.disp or b.insn.writeback)
    if not plain or not _VECTORS_WHOLE.fullmatch(b.mnemonic) or registers[0].vector_index >= 0:
        return None
    size = _access_size(b.mnemonic, names, ops)
    first, view = register_unit(b.name(memory.base))
    vectors = tuple(register_unit(name)[0] for name in names)
    return IndirectAccess(view << first, size, b.mnemonic.startswith("st"), vectors)


def _stack_access(
    b: _Builder, ops: Any, names: list[str], at: int, store: bool, lost: bool
) -> Effects:
    """A load or store whose base is the stack or frame pointer."""
    memory = ops[at].mem
    base = _POINTERS[b.name(memory.base)]
    size = _access_size(b.mnemonic, names, ops)
    post = len(ops) > at + 1 and ops[at + 1].type == cs.ARM64_OP_IMM
    before = memory.disp if b.insn.writeback and not post else 0
    after = ops[at + 1].imm if post else 0
    if (before or after) and base != SP_BASE:
        b.unknown = "moves the frame pointer"
    if memory.index and (before or after):
        b.unknown = "moves the stack pointer by a register"
    disp = 0 if before else memory.disp
    plain = store and not memory.index
    b.stack.append(StackAccess(base, disp, size, not store, plain, bool(memory.index)))
    saves = []
    if store and not memory.index:
        width = size // max(len(names), 1)
        for number, name in enumerate(names):
            if _POINTERS.get(name) == FP_BASE:
                saves.append(("fp", base, disp + number * width))
            if name in ("x30", "lr"):
                saves.append(("ra", base, disp + number * width))
        if any(register == "fp" for register, _, _ in saves):
            b.address = None
    return b.done(before=before, after=after, saves=tuple(saves), fp_lost=lost)


def _access_size(mnemonic: str, names: list[str], ops: Any) -> int:
    """Return how many bytes a load or store covers."""
    if mnemonic.endswith("b"):
        return 1
    if mnemonic.endswith("h"):
        return 2
    if mnemonic == "ldpsw":
        return 8
    if mnemonic.endswith("sw"):
        return 4
    if re.fullmatch(r"(ld|st)[1-4]r?", mnemonic):
        lanes = [o for o in ops if o.type == cs.ARM64_OP_REG]
        if lanes[0].vector_index >= 0:
            return len(lanes) * _LANE_BITS.get(lanes[0].vas, 64) // 8
        if mnemonic.endswith("r"):
            return 8 * int(mnemonic[2])
        return len(lanes) * (8 if lanes[0].vas in _HALF_ARRANGEMENTS else 16)
    width = _WIDTHS.get(names[-1][0], 8) if names[-1] not in ("fp", "lr") else 8
    return width * (2 if _PAIR.fullmatch(mnemonic) else 1)


_WIDENS: Final = re.compile(r"[su](shll|xtl)")


def _lane_units(operand: Any) -> int:
    """Return the units that one lane covers whole (to write it) or touches (to read it)."""
    bits = _LANE_BITS.get(operand.vas, 64)
    first, last = operand.vector_index * bits, operand.vector_index * bits + bits - 1
    spans = ((0, 31), (32, 63), (64, 127))
    return sum(1 << n for n, (lo, hi) in enumerate(spans) if first <= lo and hi <= last)


def _lane_touch(operand: Any) -> int:
    bits = _LANE_BITS.get(operand.vas, 64)
    first, last = operand.vector_index * bits, operand.vector_index * bits + bits - 1
    spans = ((0, 31), (32, 63), (64, 127))
    return sum(1 << n for n, (lo, hi) in enumerate(spans) if first <= hi and lo <= last)


def _registers(b: _Builder, ops: Any) -> None:
    """Instructions on registers alone."""
    registers = [(n, o) for n, o in enumerate(ops) if o.type == cs.ARM64_OP_REG]
    writes = not _NO_RESULT.fullmatch(b.mnemonic)
    names = {n: b.name(o.reg) for n, o in registers}
    if writes and registers and _is_lane_wise(b, registers, names):
        for n, _ in registers[1:]:
            b.copies.append(Copy(register_unit(names[0])[0], 0b111, register_unit(names[n])[0]))
        if _READS_FIRST.fullmatch(b.mnemonic):
            b.copies.append(Copy(register_unit(names[0])[0], 0b111, register_unit(names[0])[0]))
        b.write(names[0])
        return
    if _WIDENS.fullmatch(b.mnemonic) and names[1][0] == "v":
        to, frm = register_unit(names[0])[0], register_unit(names[1])[0]
        # Each lane becomes one of twice its width: bytes 0 to 3 become 0 to 7, 4 to 7 the others.
        b.copies += [Copy(to, 1, frm), Copy(to + 1, 1, frm), Copy(to + 2, 1, frm + 1)]
        b.write(names[0])
        return
    if b.mnemonic == "ext" and ops[3].imm == 8 and ops[0].vas == cs.ARM64_VAS_16B:
        to, low, high = (register_unit(names[n])[0] for n in range(3))
        b.copies += [Copy(to, 1, low + 2), Copy(to + 1, 1, low + 2)]
        b.copies += [Copy(to + 2, 1, high), Copy(to + 2, 1, high + 1)]
        b.write(names[0])
        return
    for n, operand in registers:
        name = names[n]
        if n == 0 and writes:
            if operand.vector_index >= 0:
                b.defs |= _lane_units(operand) << register_unit(name)[0]
                continue
            if _READS_FIRST.fullmatch(b.mnemonic) and not (
                _NARROWS_HIGH.fullmatch(b.mnemonic) and name[0] == "v"
            ):
                _read_view(b, name, operand)
            if _NARROWS_HIGH.fullmatch(b.mnemonic) and name[0] == "v":
                b.defs |= 0b100 << register_unit(name)[0]
            else:
                b.write(name)
        else:
            _read_view(b, name, operand)


def _is_lane_wise(b: _Builder, registers: Any, names: dict[int, str]) -> bool:
    """Tell whether this is a bitwise operation or move of whole vectors."""
    return bool(_LANE_WISE.fullmatch(b.mnemonic)) and all(
        names[n][0] == "v" and o.vector_index < 0 for n, o in registers
    )


def _read_view(b: _Builder, name: str, operand: Any) -> None:
    if operand.vector_index >= 0:
        b.read(name, _lane_touch(operand))
    elif name[0] == "v" and operand.vas in _HALF_ARRANGEMENTS:
        b.read(name, 0b011)
    else:
        b.read(name)


_CAPSTONE: Final = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
_CAPSTONE.detail = True


def decode_alone(code: bytes, pos: int) -> Effects:
    """Return the effects of the instruction at ``pos`` without help of any other one."""
    word = code[pos : pos + 4]
    for insn in _CAPSTONE.disasm(word, 0, 1):
        return _decode_instruction(insn)
    if word == bytes(4):  # udf #0
        return Effects(4, flow=Flow.STOP)
    return Effects(4, flow=Flow.STOP, unknown=CANNOT_DECODE)


def text(code: bytes, pos: int) -> str:
    """Return the instruction at ``pos`` as an assembler would write it."""
    word = code[pos : pos + 4]
    for insn in _CAPSTONE.disasm(word, 0, 1):
        return f"{insn.mnemonic} {insn.op_str}".strip()
    return f".inst {word.hex()}"


_VECTOR_ARGUMENTS: Final = tuple(_VECTORS + 3 * n for n in range(8))
# x19-x28 and the low halves of v8-v15 survive a C call; x29 is the frame pointer.
_C_PRESERVED: Final = sum(1 << n for n in range(19, 29)) | sum(
    0b011 << _VECTORS + 3 * n for n in range(8, 16)
)

MACHINE: Final = Machine(
    name="aarch64",
    decode=Decoder(decode_alone).decode,
    text=text,
    unit_names=_UNIT_NAMES,
    entry_sp=0,
    ra_on_entry=0,
    int_result=1,
    float_result=0b111 << _VECTORS,
    conventions=MappingProxyType(
        {
            "preserve_none": CallingConvention(
                tuple(1 << n for n in (*range(20, 29), *range(8))), _VECTOR_ARGUMENTS, _ALL
            ),
            "c": CallingConvention(
                tuple(1 << n for n in range(8)), _VECTOR_ARGUMENTS, _ALL & ~_C_PRESERVED
            ),
        }
    ),
    link=1 << 30,
)
