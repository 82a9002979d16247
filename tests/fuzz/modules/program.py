"""A program as a tree, which can be cut anywhere and still be encoded: Program -> module bytes.

An instruction stands with its operands as children; a branch names its target by the number that
the block bears, so that blocks can be added and removed around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from mvvm_aot.wasmparser.opcodes import BY_TEXT, Imm, Op, immediates
from mvvm_aot.wasmparser.types import FuncType, Limits, ResultType, ValType
from tests.unit.wasmparser import builder

FIXED: Final = 0  # a table of functions that programs do not write
MODULE: Final = "fuzz"  # of the host functions
_I32, _I64, _F32, _F64 = ValType.I32, ValType.I64, ValType.F32, ValType.F64

# Host functions, the first of the index space; runs.c and reference.py have their other halves.
HOST_FUNCS: Final = (
    ("trace_i32", FuncType((_I32,), ())),
    ("trace_i64", FuncType((_I64,), ())),
    ("trace_f32", FuncType((_F32,), ())),
    ("trace_f64", FuncType((_F64,), ())),
    ("mix", FuncType((_I64,), (_I64,))),
    ("swap", FuncType((_I32, _F64), (_F64, _I32))),
)

Imports = Sequence[tuple[str, str, FuncType]]
HOST_IMPORTS: Final = tuple((MODULE, name, kind) for name, kind in HOST_FUNCS)

_ELSE: Final = BY_TEXT["else"]
_END: Final = BY_TEXT["end"]


@dataclass(slots=True)
class Node:
    """An instruction and its operands. ``op`` None: a value that a block finds on the stack."""

    op: Op | None
    imm: tuple[Any, ...] = ()  # as in the opcode table; labels are numbers of blocks
    args: list[Node] = field(default_factory=list)
    types: ResultType = ()
    bodies: list[list[Node]] = field(default_factory=list)
    label: int = -1  # of a block, loop or if
    cleans: bool = False  # replaces NaNs in its first operand: shrinking leaves it as it is

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it."""
        yield self
        for nodes in (self.args, *self.bodies):
            for node in nodes:
                yield from node.walk()


@dataclass(slots=True)
class Function:
    """A defined function; label 0 is its body's."""

    type: FuncType
    locals: list[ValType]  # those declared, behind the parameters
    body: list[Node]


@dataclass(slots=True)
class Global:
    """A global variable; its initial value is a constant expression."""

    valtype: ValType
    mutable: bool
    init: Node


@dataclass(slots=True)
class Table:
    """A table."""

    elem: ValType
    limits: Limits


@dataclass(slots=True)
class Elem:
    """An element segment: active with ``table`` and ``offset``, else passive."""

    elem: ValType
    items: list[Node]
    table: int | None = None
    offset: int = 0


@dataclass(slots=True)
class Data:
    """A data segment: active with an offset, else passive."""

    content: bytes
    offset: int | None = None


@dataclass(slots=True)
class Program:
    """A module. The runner calls the exports in order, each with a number as its externref."""

    types: list[FuncType] = field(default_factory=list)  # those that must be there, in order
    functions: list[Function] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    memory: Limits = field(default_factory=lambda: Limits(1, 2))
    globals: list[Global] = field(default_factory=list)
    elems: list[Elem] = field(default_factory=list)
    data: list[Data] = field(default_factory=list)
    exports: list[int] = field(default_factory=list)
    start: int | None = None
    exhausts: bool = False  # a call may fill the stack

    def func_type(self, func_index: int) -> FuncType:
        """Return a function's type, imported or defined."""
        if func_index < len(HOST_FUNCS):
            return HOST_FUNCS[func_index][1]
        return self.functions[func_index - len(HOST_FUNCS)].type


def leb128(code: int) -> bytes:
    """Encode an opcode: one byte, or its prefix and a number."""
    return bytes([code]) if code < 0x100 else bytes([code >> 16]) + builder.u32(code & 0xFFFF)


def _types(types: Sequence[ValType]) -> bytes:
    return bytes(valtype.value for valtype in types)


def _limits(limits: Limits) -> bytes:
    if limits.max is None:
        return b"\0" + builder.u32(limits.min)
    return b"\1" + builder.u32(limits.min) + builder.u32(limits.max)


class _Encoder:
    """Encodes expressions; collects the types that they need."""

    def __init__(self, program: Program, imports: Imports, shift: int) -> None:
        self.types: dict[FuncType, int] = {}
        self.shift = shift
        for _, _, func_type in imports:
            self.type_index(func_type)
        for func_type in (*program.types, *(function.type for function in program.functions)):
            self.type_index(func_type)
        self.labels: list[int] = []
        self.out = bytearray()

    def type_index(self, func_type: FuncType) -> int:
        return self.types.setdefault(func_type, len(self.types))

    def body(self, nodes: Sequence[Node], label: int) -> bytes:
        """Encode a function's or a constant expression's instructions, ``end`` included."""
        self.out = bytearray()
        self._nodes(nodes, label)
        return bytes(self.out) + builder.END

    def _nodes(self, nodes: Sequence[Node], label: int) -> None:
        self.labels.append(label)
        for node in nodes:
            self._node(node)
        self.labels.pop()

    def _node(self, node: Node) -> None:
        for arg in node.args:
            self._node(arg)
        if node.op is None:
            return
        self.out += leb128(node.op.code)
        for kind, value in zip(node.op.imm, node.imm, strict=True):
            self.out += self._immediate(kind, value)
        for number, body in enumerate(node.bodies):
            if number:
                self.out += leb128(_ELSE.code)
            self._nodes(body, node.label)
        if node.bodies:
            self.out += leb128(_END.code)

    def _depth(self, label: int) -> bytes:
        # A label that a shrunk program lacks: a depth that is out of range, the module is invalid.
        found = label in self.labels
        return builder.u32(self.labels[::-1].index(label) if found else len(self.labels))

    def _immediate(self, kind: Imm, value: Any) -> bytes:
        match kind:
            case Imm.BLOCKTYPE:
                if not value.params and len(value.results) < 2:
                    return _types(value.results) or builder.EMPTY
                return builder.s64(self.type_index(value))
            case Imm.LABEL:
                return self._depth(value)
            case Imm.LABELS:
                labels, default = value
                return builder.vec(*map(self._depth, labels)) + self._depth(default)
            case Imm.FUNC:
                return builder.u32(value + self.shift)
            case Imm.TYPE:
                return builder.u32(self.type_index(value))
            case Imm.MEMARG:
                return builder.u32(value[0]) + builder.u32(value[1])
            case Imm.I32 | Imm.I64:
                return builder.s64(value)
            case Imm.F32 | Imm.F64 | Imm.V128:
                size = {Imm.F32: 4, Imm.F64: 8, Imm.V128: 16}[kind]
                return bytes(value.to_bytes(size, "little"))
            case Imm.LANE:
                return bytes([value])
            case Imm.LANES16:
                return bytes(value)
            case Imm.VALTYPES:
                return builder.u32(len(value)) + _types(value)
            case Imm.REFTYPE:
                return _types([value])
            case _:
                return builder.u32(value)


def encode(
    program: Program,
    imports: Imports = HOST_IMPORTS,
    shift: int = 0,
    exports: Mapping[str, int] | None = None,
) -> bytes:
    """Return the module's bytes; ``shift`` is added to all indices of functions."""
    encoder = _Encoder(program, imports, shift)
    if exports is None:
        exports = {f"e{number}": index for number, index in enumerate(program.exports)}
    codes = []
    for function in program.functions:
        runs = [(len(list(run)), valtype) for valtype, run in groupby(function.locals)]
        local_runs = [builder.u32(count) + _types([valtype]) for count, valtype in runs]
        content = builder.vec(*local_runs) + encoder.body(function.body, 0)
        codes.append(builder.u32(len(content)) + content)
    sections = [
        (builder.IMPORT, _imports(encoder, imports)),
        (builder.FUNCTION, [builder.u32(encoder.type_index(f.type)) for f in program.functions]),
        (builder.TABLE, [_types([t.elem]) + _limits(t.limits) for t in program.tables]),
        (builder.MEMORY, [_limits(program.memory)]),
        (builder.GLOBAL, [_global(encoder, item) for item in program.globals]),
        (builder.EXPORT, _exports(exports, shift)),
        (builder.ELEM, _elems(encoder, program, len(imports) - shift)),
    ]
    types = [builder.func_type(_types(item.params), _types(item.results)) for item in encoder.types]
    out = builder.HEADER + builder.section(builder.TYPE, builder.vec(*types))
    for number, items in sections:
        if number == builder.ELEM and program.start is not None:
            out += builder.section(builder.START, builder.u32(program.start + shift))
        out += builder.section(number, builder.vec(*items))
    out += builder.section(builder.DATA_COUNT, builder.u32(len(program.data)))
    out += builder.section(builder.CODE, builder.vec(*codes))
    return out + builder.section(builder.DATA, builder.vec(*map(_data, program.data)))


def _imports(encoder: _Encoder, imports: Imports) -> list[bytes]:
    return [
        builder.name(module) + builder.name(name) + b"\0" + builder.u32(encoder.type_index(kind))
        for module, name, kind in imports
    ]


def _exports(exports: Mapping[str, int], shift: int) -> list[bytes]:
    entries = [
        builder.name(name) + b"\0" + builder.u32(func_index + shift)
        for name, func_index in exports.items()
    ]
    return [*entries, builder.name("memory") + b"\2\0"]


def _global(encoder: _Encoder, item: Global) -> bytes:
    return _types([item.valtype]) + bytes([item.mutable]) + encoder.body([item.init], 0)


def _const(value: int) -> bytes:
    return builder.I32_CONST + builder.s64(value) + builder.END


def _elems(encoder: _Encoder, program: Program, imported: int) -> list[bytes]:
    """Encode the segments, and a declarative one that makes every function referable."""
    count = imported + encoder.shift + len(program.functions)
    declared = b"\3\0" + builder.vec(*map(builder.u32, range(count)))
    segments = []
    for elem in program.elems:
        items = builder.vec(*(encoder.body([item], 0) for item in elem.items))
        reftype = _types([elem.elem])
        if elem.table is None:
            segments.append(b"\5" + reftype + items)
        else:
            place = builder.u32(elem.table) + _const(elem.offset)
            segments.append(b"\6" + place + reftype + items)
    return [*segments, declared]


def _data(data: Data) -> bytes:
    place = b"\1" if data.offset is None else b"\0" + _const(data.offset)
    return place + builder.u32(len(data.content)) + data.content


def plain(op: Op, *args: Node, imm: Any = None) -> Node:
    """Return a node of an instruction that its row types."""
    return Node(op, immediates(op, imm), list(args), op.results)
