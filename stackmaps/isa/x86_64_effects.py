"""x86-64 instructions for the proof: bytes -> Effects, through capstone and a cache by bytes.

Units: three per general register (bits 0-7, 8-15, 16-63), five per vector register (bits 0-31,
32-63, 64-127, 128-255, 256-511), the flags, the mask registers. The rules, where capstone's
access flags are not enough:

- a 32-bit write defines the whole register, an 8- or 16-bit one its units only;
- a scalar SSE operation reads and defines a lane and keeps the rest; its AVX form takes the rest
  from its second operand, which is often undefined: a copy, not a read;
- bitwise operations and moves of whole vectors are copies lane by lane, since scalars are moved
  and negated with them;
- ``xor r, r`` and its like read nothing; ``cmov`` reads its destination;
- a store is what has memory as its destination and is known to overwrite all of it.

An instruction that capstone cannot decode is reported as unknown, never skipped.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Any, Final

import capstone
from capstone import x86 as cs

from stackmaps.isa.effects import (
    CANNOT_DECODE,
    FP_BASE,
    SP_BASE,
    CallingConvention,
    Copy,
    Effects,
    Flow,
    Machine,
    PointerMove,
    StackAccess,
    StackAddress,
)
from stackmaps.isa.x86_64_shapes import Decoder

_GENERAL: Final = (
    ("rax", "eax", "ax", "al", "ah"),
    ("rcx", "ecx", "cx", "cl", "ch"),
    ("rdx", "edx", "dx", "dl", "dh"),
    ("rbx", "ebx", "bx", "bl", "bh"),
    ("rsi", "esi", "si", "sil", ""),
    ("rdi", "edi", "di", "dil", ""),
    *((f"r{n}", f"r{n}d", f"r{n}w", f"r{n}b", "") for n in range(8, 16)),
)
_FLAGS: Final = 1 << (3 * len(_GENERAL))
_VECTORS: Final = 3 * len(_GENERAL) + 1
_MASKS: Final = _VECTORS + 5 * 32
_OTHER: Final = _MASKS + 8
_ALL: Final = (1 << _OTHER + 1) - 1

_UNIT_NAMES: Final = (
    [row[0] for row in _GENERAL for _ in range(3)]
    + ["flags"]
    + [f"xmm{n}" for n in range(32) for _ in range(5)]
    + [f"k{n}" for n in range(8)]
    + ["another register"]
)


def _register_table() -> dict[str, tuple[int, int, int]]:
    """Return name -> (first unit, units when read, units when written)."""
    table = {}
    for number, names in enumerate(_GENERAL):
        first = 3 * number
        whole = 0b111 << first
        reads = (whole, whole, 0b011 << first, 0b001 << first, 0b010 << first)
        writes = (whole, whole, 0b011 << first, 0b001 << first, 0b010 << first)
        for name, read, write in zip(names, reads, writes, strict=True):
            if name:
                table[name] = (first, read, write)
    for n in range(32):
        first = _VECTORS + 5 * n
        table[f"xmm{n}"] = (first, 0b00111 << first, 0b00111 << first)
        table[f"ymm{n}"] = (first, 0b01111 << first, 0b01111 << first)
        table[f"zmm{n}"] = (first, 0b11111 << first, 0b11111 << first)
    for n in range(8):
        table[f"k{n}"] = (_MASKS + n, 1 << _MASKS + n, 1 << _MASKS + n)
    for name in ("rflags", "eflags", "flags"):
        table[name] = (3 * len(_GENERAL), _FLAGS, _FLAGS)
    return table


_REGISTERS: Final = _register_table()


def register_unit(name: str) -> int | None:
    """Return the first unit of the register that ``name`` is a view of."""
    entry = _REGISTERS.get(name)
    return entry[0] if entry is not None else None


_POINTERS: Final = {"rsp": SP_BASE, "rbp": FP_BASE}
_IGNORED: Final = frozenset(("rip", "eip", "es", "cs", "ss", "ds", "fs", "gs", "mxcsr", "fpsw"))

_SCALAR: Final = re.compile(
    r"v?(add|sub|mul|div|min|max|sqrt|rcp|rsqrt|round|rndscale|cmp\w*|mov|"
    r"fn?m(?:add|sub)(?:132|213|231))(s[sd])"
)
_COMPARE: Final = re.compile(r"v?u?comis[sd]")
_CONVERT: Final = re.compile(r"v?cvtt?(s[sdi]|usi)2(s[sdi]|usi)")
_STORES: Final = re.compile(
    r"mov\w*|vmov\w*|v?pextr[bwdq]|v?extractps|vextract\w+|set\w+|vpmov\w+|v?cvtps2ph|v?stmxcsr"
)
_BITWISE: Final = re.compile(
    r"v?mov([au]p[sd]|dq[au])|vmovdq[au]\w+|v?(and|andn|or|xor)p[sd]|v?p(and|andn|or|xor)[dq]?"
)
_ZERO: Final = re.compile(r"xor|sub|v?xorp[sd]|v?pxor[dq]?|v?psub\w+|v?pcmp(eq|gt)[bwdq]")
_LOW_HALVES: Final = re.compile(r"v?(unpcklpd|movlhps|punpcklqdq|movddup)")
# What most code consists of, and what the patterns above need not be asked about.
_NO_VECTORS: Final = frozenset(
    (
        *("mov", "movzx", "movsx", "movsxd", "lea", "add", "sub", "imul", "and", "or", "xor"),
        *("not", "neg", "inc", "dec", "cmp", "test", "shl", "shr", "sar"),
    )
)
_HALF_MOVES: Final = {"movd": "ss", "movq": "sd", "vmovd": "ss", "vmovq": "sd"} | dict.fromkeys(
    ("movlps", "movlpd", "vmovlps", "vmovlpd"), "sd"
)
_JUMPS: Final = re.compile(r"j[a-z]+")


_NAMES: Final[dict[int, str]] = {}  # capstone's numbers of registers -> names


class _Builder:
    """Gathers the effects of one capstone instruction."""

    def __init__(self, insn: Any) -> None:
        self.insn = insn
        self.mnemonic: str = insn.mnemonic.split(" ")[-1]
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
        """Read a register, or only some ``units`` (relative to its first) of it."""
        entry = _REGISTERS.get(name)
        if entry is not None:
            self.use |= entry[1] if units is None else units << entry[0]
        elif name in _POINTERS:
            self.take_address(_POINTERS[name], 0, plain=False)
        elif name not in _IGNORED:
            self.use |= 1 << _OTHER

    def write(self, name: str, units: int | None = None) -> None:
        entry = _REGISTERS.get(name)
        if entry is not None:
            self.defs |= entry[2] if units is None else units << entry[0]
        elif name in _POINTERS or name in ("esp", "ebp", "sp", "bp", "spl", "bpl"):
            self.unknown = f"writes {name}"

    def copy(self, to: str, mask: int, frm: str) -> None:
        self.copies.append(Copy(_REGISTERS[to][0], mask, _REGISTERS[frm][0]))

    def take_address(self, base: int, disp: int, plain: bool, units: int = 0) -> None:
        self.address = StackAddress(base, disp, units, plain)

    def memory(self, operand: Any, reads: bool, writes: bool) -> None:
        """Note the registers of an address, and the access if it is to the stack."""
        base = self.name(operand.mem.base) if operand.mem.base else ""
        index = self.name(operand.mem.index) if operand.mem.index else ""
        for name in (base, index):
            if name and name not in _POINTERS:
                self.read(name)
        if index in _POINTERS and base not in _POINTERS:
            base, index = (index, base) if operand.mem.scale == 1 else (base, index)
        if base in _POINTERS:
            access = StackAccess(
                _POINTERS[base],
                operand.mem.disp,
                operand.size,
                reads,
                writes and not index,
                bool(index),
            )
            self.stack.append(access)
        elif index in _POINTERS:
            self.unknown = f"scales {index}"

    def done(self, **rest: Any) -> Effects:
        insn = self.insn
        return Effects(
            size=insn.size,
            use=self.use,
            defs=self.defs,
            copies=tuple(self.copies),
            stack=tuple(self.stack),
            address=self.address,
            unknown=self.unknown,
            **rest,
        )


def _is_register(operand: Any) -> bool:
    return bool(operand.type == cs.X86_OP_REG)


def _decode_instruction(insn: Any) -> Effects:
    b = _Builder(insn)
    ops = insn.operands
    special = _control(b, ops) or _pointer(b, ops)
    if special is not None:
        return special
    for register in insn.regs_read:
        b.read(b.name(register))
    for register in insn.regs_write:
        b.write(b.name(register))
    if b.mnemonic == "vzeroupper":
        b.defs = sum(0b11000 << _VECTORS + 5 * n for n in range(16))
    elif not _vector(b, ops):
        _plain(b, ops)
    return b.done()


def _control(b: _Builder, ops: Any) -> Effects | None:
    """Jumps, calls, returns and traps."""
    mnemonic = b.mnemonic
    if mnemonic in ("nop", "endbr64", "fnop"):
        return b.done()
    if mnemonic in ("ud2", "int3", "hlt"):
        return b.done(flow=Flow.STOP)
    if mnemonic == "ret":
        return b.done(flow=Flow.RETURN)
    if mnemonic != "call" and not _JUMPS.fullmatch(mnemonic):
        return None
    direct = ops[0].type == cs.X86_OP_IMM
    if not direct:
        if _is_register(ops[0]):
            b.read(b.name(ops[0].reg))
        else:
            b.memory(ops[0], reads=True, writes=False)
    target = ops[0].imm if direct else None
    if mnemonic == "call":
        return b.done(flow=Flow.CALL, target=target)
    if mnemonic == "jmp":
        return b.done(flow=Flow.JUMP if direct else Flow.INDIRECT_JUMP, target=target)
    if mnemonic in ("jrcxz", "jecxz"):
        b.read("rcx")
    else:
        b.use |= _FLAGS
    return b.done(flow=Flow.BRANCH, target=target)


def _pointer(b: _Builder, ops: Any) -> Effects | None:
    """Instructions that move the stack or frame pointer, and those that take its value."""
    names = [b.name(o.reg) if _is_register(o) else "" for o in ops]
    mnemonic = b.mnemonic
    if mnemonic in ("push", "pop"):
        return _push_pop(b, ops, names[0])
    if mnemonic == "mov" and names[0] in _POINTERS and names[1] in _POINTERS:
        return b.done(move=PointerMove(_POINTERS[names[0]], _POINTERS[names[1]], 0))
    if mnemonic in ("add", "sub") and names[0] in _POINTERS and ops[1].type == cs.X86_OP_IMM:
        base = _POINTERS[names[0]]
        b.defs |= _FLAGS
        add = ops[1].imm if mnemonic == "add" else -ops[1].imm
        return b.done(move=PointerMove(base, base, add))
    if mnemonic == "mov" and names[1] in _POINTERS and names[0] in _REGISTERS:
        b.write(names[0])
        b.take_address(_POINTERS[names[1]], 0, plain=True, units=_REGISTERS[names[0]][2])
        return b.done()
    if mnemonic == "lea":
        return _lea(b, ops, names[0])
    return None


def _push_pop(b: _Builder, ops: Any, name: str) -> Effects:
    push = b.mnemonic == "push"
    if name == "rbp":
        access = StackAccess(SP_BASE, 0, 8, reads=not push, writes=push)
        b.stack.append(access)
        if push:
            return b.done(before=-8, saves=(("fp", SP_BASE, 0),))
        return b.done(after=8, fp_lost=True)
    b.stack.append(StackAccess(SP_BASE, 0, 8, reads=not push, writes=push))
    if not push:
        b.write(name) if name else b.memory(ops[0], reads=False, writes=True)
        return b.done(after=8)
    if name:
        b.read(name)
    elif ops[0].type == cs.X86_OP_MEM:
        b.unknown = "pushes memory"
    return b.done(before=-8)


def _lea(b: _Builder, ops: Any, name: str) -> Effects:
    memory = ops[1].mem
    base = b.name(memory.base) if memory.base else ""
    index = b.name(memory.index) if memory.index else ""
    if name in _POINTERS and base in _POINTERS and not index:
        return b.done(move=PointerMove(_POINTERS[name], _POINTERS[base], memory.disp))
    b.write(name)
    if base in _POINTERS or index in _POINTERS:
        pointer = base if base in _POINTERS else index
        other = index if base in _POINTERS else base
        if other:
            b.read(other)
        units = _REGISTERS[name][2] if name in _REGISTERS else 0
        b.take_address(_POINTERS[pointer], memory.disp, not other, units)
        return b.done()
    for register in (base, index):
        if register:
            b.read(register)
    return b.done()


def _plain(b: _Builder, ops: Any) -> None:
    """Follow capstone's access flags, with the corrections listed at the top."""
    names = [b.name(o.reg) if _is_register(o) else "" for o in ops]
    mnemonic = b.mnemonic
    if len(ops) >= 2 and names[0] and len(set(names[-2:])) == 1 and _ZERO.fullmatch(mnemonic):
        _write_vector(b, names[0])
        return
    if mnemonic == "sbb" and len(ops) == 2 and names[0] and names[0] == names[1]:
        b.write(names[0])
        return
    if (
        mnemonic == "mov"
        and all(names)
        and ops[0].size >= 4
        and all(n in _REGISTERS for n in names)
    ):
        b.write(names[0])
        b.copy(names[0], 0b111, names[1])
        return
    ternary_ones = mnemonic.startswith("vpternlog") and ops[-1].imm & 0xFF in (0x00, 0xFF)
    for number, operand in enumerate(ops):
        access = operand.access
        if access == 0:
            access = capstone.CS_AC_WRITE if number == 0 else capstone.CS_AC_READ
        if mnemonic.startswith("cmov") and number == 0:
            access = capstone.CS_AC_READ | capstone.CS_AC_WRITE
        if operand.type == cs.X86_OP_MEM:
            _memory(b, operand, number, access)
        elif names[number]:
            if access & capstone.CS_AC_READ and not ternary_ones:
                b.read(names[number])
            if access & capstone.CS_AC_WRITE:
                _write_vector(b, names[number])
    if mnemonic in ("xadd", "cmpxchg"):
        b.write("rflags")
        if mnemonic == "cmpxchg":
            b.read("rax")


def _memory(b: _Builder, operand: Any, number: int, access: int) -> None:
    """An operand in memory: overwritten only by the instructions known to do so."""
    masked = any(_is_register(o) and b.name(o.reg).startswith("k") for o in b.insn.operands)
    if (number == 0 and _STORES.fullmatch(b.mnemonic) and not masked) or b.mnemonic == "pop":
        b.memory(operand, reads=False, writes=True)
    else:
        b.memory(operand, reads=True, writes=False)


def _write_vector(b: _Builder, name: str) -> None:
    """Define a register; an AVX instruction also clears what is above the operand."""
    if name[1:3] == "mm" and b.mnemonic.startswith("v"):
        b.write(name, 0b11111)
    else:
        b.write(name)


_LANES: Final = {"ss": 0b00001, "sd": 0b00011, "si": 0, "usi": 0}


def _vector(b: _Builder, ops: Any) -> bool:
    """Scalar, bitwise and low-half vector instructions; False where the plain rules hold."""
    if not ops or b.mnemonic in _NO_VECTORS:
        return False
    if any(_is_register(o) and b.name(o.reg).startswith("k") for o in ops):
        return False
    names = [b.name(o.reg) if _is_register(o) else "" for o in ops]
    mnemonic = b.mnemonic
    loads_half = mnemonic.lstrip("v").startswith("movlp") and bool(names[0])
    if mnemonic in _HALF_MOVES and "mm" in "".join(names) and not loads_half:
        _read_lanes(b, ops, names, _HALF_MOVES[mnemonic], 1)
        if names[0]:
            b.write(names[0], 0b11111 if "mm" in names[0] and mnemonic[0] == "v" else None)
        else:
            b.memory(ops[0], reads=False, writes=True)
        return True
    if _COMPARE.fullmatch(mnemonic):
        return _read_lanes(b, ops, names, "ss" if mnemonic.endswith("ss") else "sd", 0)
    convert = _CONVERT.fullmatch(mnemonic)
    if convert:
        return _scalar(b, ops, names, convert[2], convert[1], merges=False)
    scalar = _SCALAR.fullmatch(mnemonic)
    if scalar and not (mnemonic == "movsd" and "mm" not in "".join(names)):
        fused = scalar[1].startswith(("fm", "fn"))
        moves = scalar[1] == "mov"
        if moves and len(ops) == 2 and not all(names):
            return _scalar_move(b, ops, names, scalar[2])
        unary = scalar[1] in ("sqrt", "rcp", "rsqrt", "round", "rndscale")
        merges = fused or not (unary or moves or mnemonic.startswith("v"))
        return _scalar(b, ops, names, scalar[2], scalar[2], merges)
    if _LOW_HALVES.fullmatch(mnemonic) and names[0].startswith("xmm"):
        _read_lanes(b, ops, names, "sd", 0 if len(ops) == 2 and "movddup" not in mnemonic else 1)
        if mnemonic.startswith("v") or "movddup" in mnemonic or len(ops) == 2:
            _write_vector(b, names[0])
        return True
    if _BITWISE.fullmatch(mnemonic) and names[0]:
        return _bitwise(b, ops, names)
    return False


def _read_lanes(b: _Builder, ops: Any, names: list[str], lane: str, start: int) -> bool:
    for operand, name in list(zip(ops, names, strict=True))[start:]:
        if operand.type == cs.X86_OP_MEM:
            b.memory(operand, reads=True, writes=False)
        elif name:
            _read_lane(b, name, lane)
    return True


def _read_lane(b: _Builder, name: str, lane: str) -> None:
    if _LANES[lane] and "mm" in name:
        b.read(name, _LANES[lane])
    else:
        b.read(name)


def _scalar_move(b: _Builder, ops: Any, names: list[str], lane: str) -> bool:
    """``movss``/``movsd`` between a register and memory."""
    if names[0]:
        b.memory(ops[1], reads=True, writes=False)
        b.write(names[0], 0b11111 if b.mnemonic.startswith("v") else 0b00111)
    else:
        _read_lane(b, names[1], lane)
        b.memory(ops[0], reads=False, writes=True)
    return True


def _scalar(b: _Builder, ops: Any, names: list[str], to: str, frm: str, merges: bool) -> bool:
    """A scalar operation into a lane; ``merges``: the lane's old value is an operand."""
    sources = [n for n in range(1, len(ops)) if ops[n].type != cs.X86_OP_IMM]
    avx = b.mnemonic.startswith("v")
    if to in ("si", "usi"):  # into a general register
        _read_lanes(b, ops, names, frm, 1)
        b.write(names[0])
        return True
    fused = merges and avx
    passes = avx and len(sources) == 2 and not fused  # the second operand gives the upper lanes
    for number in sources:
        if passes and number == 1 and _is_unary(b.mnemonic):
            continue
        if ops[number].type == cs.X86_OP_MEM:
            b.memory(ops[number], reads=True, writes=False)
        else:
            _read_lane(b, names[number], frm)
    lane = _LANES[to]
    if merges:
        b.read(names[0], lane)
    if passes:
        b.write(names[0], 0b11111)
        b.copy(names[0], 0b00111 & ~lane, names[1])
    else:
        b.write(names[0], lane | (0b11000 if avx else 0))
    return True


def _is_unary(mnemonic: str) -> bool:
    """Tell whether an AVX scalar instruction takes only upper lanes from its second operand."""
    return bool(re.match(r"v(cvt|sqrt|rcp|rsqrt|round|rndscale|mov)", mnemonic))


def _bitwise(b: _Builder, ops: Any, names: list[str]) -> bool:
    """Moves and bitwise operations: each unit depends on the same unit of the sources."""
    avx = b.mnemonic.startswith("v")
    if len(ops) > 1 and len(set(names[-2:])) == 1 and _ZERO.fullmatch(b.mnemonic):
        _write_vector(b, names[0])
        return True
    moves = "mov" in b.mnemonic
    sources = names[1:] if avx or moves else names
    mask = {"x": 0b00111, "y": 0b01111, "z": 0b11111}.get(names[0][0], 0)
    if not mask:
        return False
    for operand in ops[1:]:
        if operand.type == cs.X86_OP_MEM:
            b.memory(operand, reads=True, writes=False)
    _write_vector(b, names[0])
    for name in sources:
        if name:
            b.copy(names[0], mask, name)
    return True


_CAPSTONE: Final = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
_CAPSTONE.detail = True


def decode_alone(code: bytes, pos: int) -> Effects:
    """Return the effects of the instruction at ``pos`` without help of any other one."""
    for insn in _CAPSTONE.disasm(code[pos : pos + 15], 0, 1):
        return _decode_instruction(insn)
    return Effects(1, flow=Flow.STOP, unknown=CANNOT_DECODE)


def text(code: bytes, pos: int) -> str:
    """Return the instruction at ``pos`` as an assembler would write it."""
    for insn in _CAPSTONE.disasm(code[pos : pos + 15], 0, 1):
        return f"{insn.mnemonic} {insn.op_str}".strip()
    return f".byte {code[pos]:#04x}"


def _units(*names: str) -> tuple[int, ...]:
    return tuple(_REGISTERS[name][1] for name in names)


_VECTOR_ARGUMENTS: Final = tuple(_VECTORS + 5 * n for n in range(8))
_C_PRESERVED: Final = sum(_units("rbx", "r12", "r13", "r14", "r15"))

MACHINE: Final = Machine(
    name="x86_64",
    decode=Decoder(decode_alone, _FLAGS).decode,
    text=text,
    unit_names=_UNIT_NAMES,
    entry_sp=8,
    ra_on_entry=8,
    int_result=_REGISTERS["rax"][1],
    float_result=0b11111 << _VECTORS,
    conventions=MappingProxyType(
        {
            "preserve_none": CallingConvention(
                _units(
                    *[
                        "r12",
                        "r13",
                        "r14",
                        "r15",
                        "rdi",
                        "rsi",
                        "rdx",
                        "rcx",
                        "r8",
                        "r9",
                        "r11",
                        "rax",
                    ]
                ),
                _VECTOR_ARGUMENTS,
                _ALL,
            ),
            "c": CallingConvention(
                _units("rdi", "rsi", "rdx", "rcx", "r8", "r9"),
                _VECTOR_ARGUMENTS,
                _ALL & ~_C_PRESERVED,
            ),
        }
    ),
)
