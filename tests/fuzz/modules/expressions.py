"""Random expressions: a type and a budget -> a node that pushes one value of that type.

Every program has one answer on every machine. Only the bits of a NaN that an operation makes are
not determined, so a float whose bits will be seen is either made by instructions that keep
bits (``exact_float``), or goes through ``clean``, which replaces any NaN by the canonical one.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final

from mvvm_aot.wasmparser.opcodes import BY_TEXT, PLAIN_OPS, SELECT_TYPED, Imm, Op
from mvvm_aot.wasmparser.types import ResultType, ValType

from .program import FIXED, HOST_FUNCS, Node, Program, plain

I32, I64, F32, F64 = ValType.I32, ValType.I64, ValType.F32, ValType.F64
V128, FUNCREF, EXTERNREF = ValType.V128, ValType.FUNCREF, ValType.EXTERNREF

_INTEGERS: Final = (
    0,
    1,
    -1,
    2,
    3,
    7,
    8,
    31,
    32,
    63,
    64,
    100,
    127,
    128,
    255,
    256,
    4095,
    65535,
    65536,
)
NANS: Final = {F32: 0x7FC00000, F64: 0x7FF8 << 48}
_FLOATS: Final = {  # bits: zeros, ones, extremes, subnormals, infinities, NaNs, integers' borders
    F32: (
        *(0, 0x80000000, 0x3F800000, 0xBF800000, 0x40490FDB, 0x00000001, 0x7F7FFFFF, 0x7F800000),
        *(0xFF800000, 0x7FC00000, 0xFFC00000, 0x7FA00001, 0x7FC12345, 0x4F000000, 0xCF000000),
        *(0x4F800000, 0x5F000000, 0x4EFFFFFF, 0x3F000000, 0x4B000001, 0x42C80000),
    ),
    F64: (
        *(0, 1 << 63, 0x3FF0 << 48, 0xBFF0 << 48, 0x400921FB54442D18, 1, (0x7FF0 << 48) - 1),
        *(0x7FF0 << 48, 0xFFF0 << 48, 0x7FF8 << 48, 0xFFF8 << 48, 0x7FF4000000000001),
        *(0x41E0 << 48, 0xC1E0 << 48, 0x41F0 << 48, 0x43E0 << 48, 0xC3E0 << 48, 0x43F0 << 48),
        *(0x3FE0 << 48, 0x4330000000000001, 0x4059 << 48, 0x41DFFFFFFFC00000),
    ),
}
_CONSTS: Final = {I32: "i32.const", I64: "i64.const", F32: "f32.const", F64: "f64.const"}
_DIVISIONS: Final = {
    BY_TEXT[f"{name}.{op}"]: name
    for name in ("i32", "i64")
    for op in ("div_s", "div_u", "rem_s", "rem_u")
}
_TRUNCATIONS: Final = {op for op in PLAIN_OPS if ".trunc_f" in op.text}  # those that trap
_SEES_BITS: Final = {
    BY_TEXT[text]
    for text in (
        *("i32.reinterpret_f32", "i64.reinterpret_f64", "f32.copysign", "f64.copysign"),
        *("f32x4.splat", "f64x2.splat", "f32x4.replace_lane", "f64x2.replace_lane"),
    )
}
_ARITHMETIC: Final = {
    *("add", "sub", "mul", "div", "min", "max", "sqrt"),
    *("ceil", "floor", "trunc", "nearest", "demote", "promote"),
}
_MAKES_NANS: Final = {
    op: op.text[:5]
    for op in PLAIN_OPS
    if op.text[:5] in ("f32x4", "f64x2")
    and op.results == (V128,)
    and op.text[6:].partition("_")[0] in _ARITHMETIC
}
_LANE_NANS: Final = {
    "f32x4": int.from_bytes(NANS[F32].to_bytes(4, "little") * 4, "little"),
    "f64x2": int.from_bytes(NANS[F64].to_bytes(8, "little") * 2, "little"),
}


def _group(keep: Callable[[Op], bool]) -> dict[ValType, list[Op]]:
    groups: dict[ValType, list[Op]] = {}
    for op in PLAIN_OPS:
        if len(op.results) == 1 and keep(op):
            groups.setdefault(op.results[0], []).append(op)
    return groups


_IMMS: Final = {(), (Imm.LANE,), (Imm.LANES16,)}
OPERATORS: Final = _group(lambda op: op.imm in _IMMS and bool(op.params))
LOADS: Final = _group(lambda op: op.memory_size > 0)
STORES: Final = [op for op in PLAIN_OPS if op.memory_size and not op.results]

ADDRESS_MASK: Final = 0xFFF
PAGE: Final = 65536


def local_get(index: int, valtype: ValType) -> Node:
    """Return a read of a local."""
    return Node(BY_TEXT["local.get"], (index,), [], (valtype,))


def local_set(index: int, *values: Node) -> Node:
    """Return a write of a local, which takes the last of the values."""
    types = tuple(valtype for value in values for valtype in value.types)
    return Node(BY_TEXT["local.set"], (index,), [*values], types[:-1])


def const(valtype: ValType, value: int) -> Node:
    """Return a constant: an integer, or a float's bits."""
    if valtype is V128:
        return plain(BY_TEXT["v128.const"], imm=value)
    return plain(BY_TEXT[_CONSTS[valtype]], imm=value)


class Expressions(ABC):
    """Makes expressions for one function."""

    def __init__(self, rng: random.Random, program: Program, types: list[ValType]) -> None:
        self.rng = rng
        self.program = program
        self.types = types  # of all locals; grows
        self.usable = list(range(len(types)))  # locals that any code may write
        self.left = 0  # nodes that may still be made
        self.trapping = 0.0  # how likely an instruction that may trap is left to do so
        self.vectors = True
        self.calm = False  # in a loop that may be strip-mined: no calls, loops or branches
        self._scratch: dict[ValType, int] = {}

    def new_local(self, valtype: ValType) -> int:
        """Declare another local that only its maker writes."""
        self.types.append(valtype)
        return len(self.types) - 1

    def _tee(self, value: Node) -> tuple[Node, Callable[[], Node]]:
        """Return the value kept in a scratch local, and how to read it right behind."""
        valtype = value.types[0]
        index = self._scratch.get(valtype)
        if index is None:
            index = self._scratch[valtype] = self.new_local(valtype)
        kept = Node(BY_TEXT["local.tee"], (index,), [value], (valtype,))
        return kept, lambda: local_get(index, valtype)

    # -- Leaves ------------------------------------------------------------------------------

    def constant(self, valtype: ValType) -> Node:
        """Return a constant that tends to matter."""
        rng = self.rng
        if valtype is V128:
            lanes = [self.constant_value(rng.choice((I32, F32))) for _ in range(4)]
            data = b"".join((lane & 0xFFFFFFFF).to_bytes(4, "little") for lane in lanes)
            return const(V128, int.from_bytes(data, "little"))
        if valtype.is_reference:
            return Node(BY_TEXT["ref.null"], (valtype,), [], (valtype,))
        return const(valtype, self.constant_value(valtype))

    def constant_value(self, valtype: ValType) -> int:
        """Return the value or, for floats, the bits of a constant."""
        rng = self.rng
        if valtype in _FLOATS:
            if rng.random() < 0.2:
                return rng.getrandbits(32 if valtype is F32 else 64)
            return rng.choice(_FLOATS[valtype])
        bits = 32 if valtype is I32 else 64
        kind = rng.random()
        if kind < 0.6:
            return rng.choice(_INTEGERS)
        if kind < 0.8:
            return rng.choice((-(1 << (bits - 1)), (1 << (bits - 1)) - 1, -2, -128, -32768))
        return rng.getrandbits(bits) - (1 << (bits - 1))

    def local(self, valtype: ValType) -> Node | None:
        """Return a read of some local of that type, if there is one."""
        hidden = self._scratch.get(valtype)  # what it holds was not cleaned
        found = [k for k, own in enumerate(self.types) if own is valtype and k != hidden]
        return local_get(self.rng.choice(found), valtype) if found else None

    def global_get(self, valtype: ValType) -> Node | None:
        """Return a read of some global of that type, if there is one."""
        found = [k for k, item in enumerate(self.program.globals) if item.valtype is valtype]
        if not found:
            return None
        return Node(BY_TEXT["global.get"], (self.rng.choice(found),), [], (valtype,))

    def leaf(self, valtype: ValType) -> Node:
        """Return a local, a global or a constant."""
        kind = self.rng.random()
        node = self.local(valtype) if kind < 0.6 else None
        if node is None and kind < 0.75:
            node = self.global_get(valtype)
        if node is not None:
            return node
        if valtype is FUNCREF and kind < 0.9:
            count = len(HOST_FUNCS) + len(self.program.functions)
            return Node(BY_TEXT["ref.func"], (self.rng.randrange(count),), [], (FUNCREF,))
        return self.constant(valtype)

    # -- Expressions -------------------------------------------------------------------------

    def expressions(self, types: ResultType, depth: int) -> list[Node]:
        """Return nodes that push values of these types."""
        return [self.expression(valtype, depth) for valtype in types]

    def expression(self, valtype: ValType, depth: int) -> Node:
        """Return a node that pushes one value."""
        self.left -= 1
        if depth <= 0 or self.left < 0:
            return self.leaf(valtype)
        kind = self.rng.random()
        if valtype.is_reference:
            return self._reference(valtype, depth, kind)
        if kind < 0.5:
            return self.operator(self.rng.choice(OPERATORS[valtype]), depth)
        if kind < 0.65:
            return self.load(self.rng.choice(LOADS[valtype]), depth)
        if kind < 0.7:
            return self.select(valtype, depth)
        if kind < 0.72 and valtype is I32:
            return self._size(depth)
        if kind < 0.9 and not self.calm:
            return self.structured(valtype, depth)
        return self.leaf(valtype)

    @abstractmethod
    def structured(self, valtype: ValType, depth: int) -> Node:
        """Return a block, an if, a loop or a call; statements.py knows them."""

    def select(self, valtype: ValType, depth: int) -> Node:
        """Return a select, with types where it has to."""
        rng = self.rng
        typed = valtype.is_reference or rng.random() < 0.3
        args = self.expressions((valtype, valtype, I32), depth - 1)
        if typed:
            return Node(SELECT_TYPED, ((valtype,),), args, (valtype,))
        return Node(BY_TEXT["select"], (), args, (valtype,))

    def operator(self, op: Op, depth: int) -> Node:
        """Return an operator with operands that keep it from trapping, mostly."""
        rng = self.rng
        if op in _MAKES_NANS:
            return self._clean_vector(op, depth)
        if V128 in op.params + op.results and not self.vectors:
            return self.leaf(op.results[0])
        args = [
            self.visible(valtype, depth - 1)
            if op in _SEES_BITS
            else self.expression(valtype, depth - 1)
            for valtype in op.params
        ]
        safe = rng.random() >= self.trapping
        if op in _DIVISIONS and safe:
            name = _DIVISIONS[op]
            args[1] = plain(BY_TEXT[f"{name}.or"], args[1], const(op.params[0], 1))
            if op.text.endswith("div_s"):  # and not -1
                args[1] = plain(BY_TEXT[f"{name}.and"], args[1], const(op.params[0], 0xFFFF))
        if op in _TRUNCATIONS and safe:
            args[0] = self._small(args[0])
        imm: Any = None
        if op.imm == (Imm.LANE,):
            imm = rng.randrange(op.lanes)
        elif op.imm == (Imm.LANES16,):
            imm = tuple(rng.randrange(op.lanes) for _ in range(16))
        return plain(op, *args, imm=imm)

    def _small(self, value: Node) -> Node:
        """Return a float that fits every integer type: the value if it does, else 7.5."""
        valtype = value.types[0]
        name = valtype.text
        limit = {F32: 0x4E000000, F64: 0x41D << 52}[valtype]
        instead = {F32: 0x40F00000, F64: 0x401E << 48}[valtype]
        kept, get = self._tee(plain(BY_TEXT[f"{name}.abs"], value))
        test = plain(BY_TEXT[f"{name}.lt"], get(), const(valtype, limit))
        return Node(BY_TEXT["select"], (), [kept, const(valtype, instead), test], (valtype,))

    def visible(self, valtype: ValType, depth: int) -> Node:
        """Return a value whose bits are determined."""
        if valtype not in NANS:
            return self.expression(valtype, depth)
        if self.rng.random() < 0.4:
            return self.exact_float(valtype, depth)
        return self.clean(self.expression(valtype, depth))

    def clean(self, value: Node) -> Node:
        """Return the float with any NaN replaced by the canonical one."""
        valtype = value.types[0]
        kept, get = self._tee(value)
        test = plain(BY_TEXT[f"{valtype.text}.eq"], get(), get())
        args = [kept, const(valtype, NANS[valtype]), test]
        return Node(BY_TEXT["select"], (), args, (valtype,), cleans=True)

    def _clean_vector(self, op: Op, depth: int) -> Node:
        shape = _MAKES_NANS[op]
        if not self.vectors:
            return self.leaf(V128)
        kept, get = self._tee(plain(op, *self.expressions(op.params, depth - 1)))
        test = plain(BY_TEXT[f"{shape}.eq"], get(), get())
        cleaned = plain(BY_TEXT["v128.bitselect"], kept, const(V128, _LANE_NANS[shape]), test)
        cleaned.cleans = True
        return cleaned

    def exact_float(self, valtype: ValType, depth: int) -> Node:
        """Return a float by instructions that keep all bits."""
        name, kind = valtype.text, self.rng.random()
        if depth <= 0 or kind < 0.2:
            return self.constant(valtype)
        if kind < 0.5:
            return self.load(BY_TEXT[f"{name}.load"], depth)
        if kind < 0.7:
            integer = I32 if valtype is F32 else I64
            op = BY_TEXT[f"{name}.reinterpret_{integer.text}"]
            return plain(op, self.expression(integer, depth - 1))
        if kind < 0.8:
            args = [self.exact_float(valtype, depth - 1) for _ in range(2)]
            args.append(self.expression(I32, depth - 1))
            return Node(BY_TEXT["select"], (), args, (valtype,))
        if kind < 0.9:
            args = [self.exact_float(valtype, depth - 1) for _ in range(2)]
            return plain(BY_TEXT[f"{name}.copysign"], *args)
        op = BY_TEXT[f"{name}.{self.rng.choice(('abs', 'neg'))}"]
        return plain(op, self.exact_float(valtype, depth - 1))

    # -- Memory and tables -------------------------------------------------------------------

    def address(self, size: int, depth: int) -> tuple[Node, int]:
        """Return an address and an offset for an access of that many bytes."""
        rng = self.rng
        end = self.program.memory.min * PAGE
        # Vectors may be loaded by a loop that can be strip-mined and has no use for them.
        vector = self.calm and self.vectors and size >= 8
        if not vector and rng.random() < self.trapping:
            return self._wild_address(size, end, depth)
        if rng.random() < 0.2 and end:  # the last place inside, by address or by offset
            last = end - size - rng.randrange(3)
            start = rng.choice((last, rng.randrange(last), 0))
            return const(I32, start), last - start
        if end == 0:
            return self._wild_address(size, end, depth)
        mask = const(I32, rng.choice((ADDRESS_MASK, ADDRESS_MASK, 0x3F8, 0xFFF0)))
        index = plain(BY_TEXT["i32.and"], self.expression(I32, depth - 1), mask)
        room = end - size - 0xFFF0
        return index, rng.choice((0, 0, 1, 4, 8, room)) if room > 8 else 0

    def _wild_address(self, size: int, end: int, depth: int) -> tuple[Node, int]:
        rng = self.rng
        kind = rng.randrange(4)
        if kind == 0:  # across the end, or just behind it
            start = max(end - size + rng.randint(-1, 2), 0)
            return const(I32, start), 0
        if kind == 1:
            return const(I32, rng.choice((-1, -size, 1 << 20))), rng.choice((0, 1, 0xFFFFFFFF))
        if kind == 2:
            mask = const(I32, ADDRESS_MASK)
            index = plain(BY_TEXT["i32.and"], self.expression(I32, depth - 1), mask)
            return index, rng.choice((end - 64, end, 0x7FFFFFFF, 0xFFFFFFF0, 0xFFFFFFFF)) % (
                1 << 32
            )
        return self.expression(I32, depth - 1), 0

    def memarg(self, op: Op, offset: int) -> Any:
        """Return an access's immediate, lane included."""
        align = self.rng.randint(0, op.memory_size.bit_length() - 1)
        if Imm.LANE in op.imm:
            return ((align, offset), self.rng.randrange(op.lanes))
        return (align, offset)

    def load(self, op: Op, depth: int) -> Node:
        """Return a load."""
        if V128 in op.results and not self.vectors:
            return self.leaf(V128)
        address, offset = self.address(op.memory_size, depth)
        args = [address, *self.expressions(op.params[1:], depth - 1)]
        return plain(op, *args, imm=self.memarg(op, offset))

    def store(self, op: Op, depth: int) -> Node:
        """Return a store."""
        address, offset = self.address(op.memory_size, depth)
        args = [address, *(self.visible(valtype, depth - 1) for valtype in op.params[1:])]
        return plain(op, *args, imm=self.memarg(op, offset))

    def table_of(self, elem: ValType, written: bool = False) -> int | None:
        """Return the index of some table of that type, that may be written if so wanted."""
        found = [
            k
            for k, table in enumerate(self.program.tables)
            if table.elem is elem and not (written and k == FIXED)
        ]
        return self.rng.choice(found) if found else None

    def table_index(self, table: int, depth: int) -> Node:
        """Return an index that is inside the table, mostly."""
        index = self.expression(I32, depth - 1)
        size = self.program.tables[table].limits.min
        if self.rng.random() < self.trapping or size == 0:
            return index
        return plain(BY_TEXT["i32.rem_u"], index, const(I32, size))

    def _reference(self, valtype: ValType, depth: int, kind: float) -> Node:
        table = self.table_of(valtype)
        if kind < 0.4 and table is not None and not self.calm:
            index = self.table_index(table, depth)
            return Node(BY_TEXT["table.get"], (table,), [index], (valtype,))
        if kind < 0.6:
            return self.select(valtype, depth)
        if kind < 0.75 and not self.calm:
            return self.structured(valtype, depth)
        return self.leaf(valtype)

    def _size(self, depth: int) -> Node:
        """Return the size of something, or what growing it says."""
        rng = self.rng
        kind = rng.randrange(5)
        reftype = rng.choice((FUNCREF, EXTERNREF))
        table = self.table_of(reftype, written=kind == 2)
        if kind == 0:
            return Node(BY_TEXT["ref.is_null"], (), [self.expression(reftype, depth - 1)], (I32,))
        if kind == 1 and table is not None:
            return Node(BY_TEXT["table.size"], (table,), [], (I32,))
        if kind == 2 and table is not None and not self.calm:
            args = [
                self.expression(reftype, depth - 1),
                const(I32, rng.choice((0, 1, 2, 1 << 30, -1))),
            ]
            return Node(BY_TEXT["table.grow"], (table,), args, (I32,))
        if kind == 3 and not self.calm:
            delta = const(I32, rng.choice((0, 0, 1, 1, 2, 65536, -1)))
            return plain(BY_TEXT["memory.grow"], delta, imm=0)
        return plain(BY_TEXT["memory.size"], imm=0)

    # -- Types -------------------------------------------------------------------------------

    def random_type(self) -> ValType:
        """Return a type of values."""
        return random_type(self.rng, self.vectors)


def random_type(rng: random.Random, vectors: bool) -> ValType:
    """Return a type, numbers more often than others."""
    kind = rng.random()
    if kind < 0.08:
        return rng.choice((FUNCREF, EXTERNREF))
    if kind < 0.2 and vectors:
        return V128
    return rng.choice((I32, I32, I64, F32, F64))


def random_types(rng: random.Random, counts: Sequence[int], vectors: bool) -> ResultType:
    """Return some types; how many is chosen of ``counts``."""
    return tuple(random_type(rng, vectors) for _ in range(rng.choice(counts)))
