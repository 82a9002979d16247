"""From an object to a frame table that was proved right: the border to ``stackmaps``.

Stage: object (bytes) + point rows -> CodeSection, and which functions failed. A function that
fails is taken out of its object (its symbol becomes undefined there, callers are bound to the
translation that the next attempt makes of it), so that nothing else is translated again.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from stackmaps.calls import CallShape, Signatures
from stackmaps.errors import StackMapError
from stackmaps.frames import VALUE_NAMES, PointLayout
from stackmaps.isa import get_isa
from stackmaps.objects import ObjectCode, read_object
from stackmaps.table import FrameTable, frame_table
from stackmaps.verify import Proof, prove

from . import abi
from .describe import CodeSection
from .errors import CodegenError
from .plan import PointPlan, point_rows
from .targets import Target
from .wasmparser.module import Module
from .wasmparser.types import FuncType, ValType
from .wasmparser.validated import ValidatedModule

Layouts = Mapping[tuple[int, int], PointLayout]

_SHT_SYMTAB: Final = 2
_SECTION: Final = struct.Struct("<IIQQQQIIQQ")
_SYMBOL: Final = struct.Struct("<IBBHQQ")

_FLOAT_BYTES: Final = {ValType.F32: 4, ValType.F64: 8, ValType.V128: 16}


@dataclass(frozen=True, slots=True)
class Subject:
    """What the proof has to know of a module, for one target and symbol prefix."""

    target: Target
    prefix: str
    layouts: Layouts = field(repr=False)
    signatures: Signatures = field(repr=False)


@dataclass(frozen=True, slots=True)
class Proved:
    """An object's closed part: what goes into the executable, and what has to be made anew."""

    data: bytes = field(repr=False)
    section: CodeSection | None  # None: no function is left in the object
    failed: Mapping[int, str]  # func_id -> the first finding
    closed: int  # functions with points that passed
    sites: int  # return addresses with a row
    fills: int
    code_bytes: int


def subject_of(validated: ValidatedModule, plan: PointPlan, target: Target, prefix: str) -> Subject:
    """Gather what ``prove_object`` needs."""
    module = validated.module
    layouts = {
        (row.func_id, row.offset): PointLayout(
            row.func_id, row.offset, row.locals, row.operands, row.callee
        )
        for row in point_rows(validated, plan)
    }
    return Subject(target, prefix, layouts, _signatures(module, plan, prefix))


def _shape(ftype: FuncType) -> CallShape:
    """Return how a call of a function of this type looks in machine code."""
    floats = [_FLOAT_BYTES[valtype] for valtype in ftype.params if valtype in _FLOAT_BYTES]
    ints = min(len(ftype.params) - len(floats), abi.MAX_INT_PARAMS)
    result: Literal["int", "float"] | None = None
    result_bytes = 4
    if ftype.results:
        result = "float" if ftype.results[0] in _FLOAT_BYTES else "int"
        result_bytes = _FLOAT_BYTES.get(ftype.results[0], 4)
    return CallShape(ints, tuple(floats[: abi.MAX_FLOAT_PARAMS]), result, result_bytes=result_bytes)


def _signatures(module: Module, plan: PointPlan, prefix: str) -> Signatures:
    """Return the shape of every callee, and how many homes each frame has."""
    symbols = {"mvvm_leave": CallShape(), "mvvm_host_call": CallShape(ints=3)}
    for name, (result, params) in abi.HELPERS.items():
        returns = not name.startswith("mvvm_trap")
        symbols[name] = CallShape(
            len(params), (), None if result == "void" else "int", "c", returns
        )
    callees: dict[int, CallShape] = {}
    homes: dict[int, int] = {}
    for index in range(module.num_funcs):
        ftype = module.func_type(index)
        symbols[f"{prefix}_f{index}"] = callees[index] = _shape(ftype)
        symbols[f"{prefix}_f{index}a"] = replace(_shape(ftype), result="int", result_bytes=8)
        if index < module.num_imported_funcs:
            homes[index] = 2 * max(len(ftype.params), len(ftype.results), 1)
    homes |= {index: function.num_homes for index, function in plan.functions.items()}
    for type_index, ftype in enumerate(module.types):
        symbols[f"{prefix}_thunk{type_index}"] = CallShape()
        callees[abi.CALLEE_INDIRECT | type_index] = _shape(ftype)
    suspendable = {f"{prefix}_f{index}" for index in plan.suspendable}
    suspendable |= Signatures().suspendable if plan.migration else set()
    tail_callees = {
        f"{prefix}_f{index}": tuple(abi.CALLEE_INDIRECT | k for k in sorted(function.tail_types))
        for index, function in plan.functions.items()
        if function.tail_types
    }
    return Signatures(symbols, callees, homes, frozenset(suspendable), tail_callees)


def prove_object(data: bytes, subject: Subject) -> Proved:
    """Prove an object's frames closed, and take out of it every function that is not.

    Raises CodegenError where object and plan contradict each other.
    """
    try:
        code = read_object(data)
        # Without points there is nothing to prove: no frame is ever read or written.
        proof = prove(code, subject.layouts, subject.signatures) if subject.layouts else Proof(())
        failed = {f.func_id: str(f.findings[0]) for f in proof.functions if f.findings}
        dropped = {f.function for f in proof.functions if f.findings}
        code = without_functions(code, dropped)
        own = _function_ids(code.functions, subject.prefix)
        if not anchor(code.functions, subject.prefix):
            return Proved(undefine_symbols(data, dropped), None, failed, 0, 0, 0, 0)
        fills = {
            at: fill for f in proof.functions if not f.findings for at, fill in f.fills.items()
        }
        table = frame_table(code, subject.layouts, get_isa(code.isa), fills, own)
    except StackMapError as error:
        raise CodegenError(
            f"{subject.target.name} code and migration points disagree: {error}"
        ) from (error)
    symbol = anchor(code.functions, subject.prefix)
    return Proved(
        data=undefine_symbols(data, dropped),
        section=CodeSection(symbol, code.functions[symbol][0], table.encode()),
        failed=failed,
        closed=len(proof.functions) - len(failed),
        sites=len(table.points),
        fills=sum(len(point.fills) for point in table.points),
        code_bytes=len(code.text),
    )


def without_functions(code: ObjectCode, names: Collection[str]) -> ObjectCode:
    """Return the object as if some functions had no name and no points."""
    if not names:
        return code
    addresses = {code.functions[name][0] for name in names}
    stack_maps = tuple(
        replace(
            stack_map,
            functions=tuple(f for f in stack_map.functions if f.address not in addresses),
        )
        for stack_map in code.stack_maps
    )
    functions = {name: place for name, place in code.functions.items() if name not in names}
    return replace(code, functions=functions, stack_maps=stack_maps)


def _function_ids(functions: Iterable[str], prefix: str) -> dict[str, int]:
    """Return the func_id of each of the module's functions that the object defines."""
    found = {}
    for name in functions:
        for start, base in ((f"{prefix}_f", 0), (f"{prefix}_thunk", abi.THUNK_FUNC_ID)):
            number = name.removeprefix(start)
            if number == name:
                continue
            number = number.removesuffix("a")  # an attempt at the function
            if number.isdecimal():
                found[name] = base | int(number)
    return found


def anchor(functions: Mapping[str, tuple[int, int]], prefix: str) -> str:
    """Return the first function of the module's that only this object defines; "" if there is none.

    Of attempts (attempts.py) the linker takes any object's, and the frame table would be another's.
    """
    names = [name for name in _function_ids(functions, prefix) if name[-1].isdecimal()]
    return min(names, key=lambda name: functions[name][0], default="")


def undefine_symbols(data: bytes, names: Collection[str]) -> bytes:
    """Return an ELF object in which these symbols are undefined: another object defines them.

    Calls inside the object follow: LLVM leaves a relocation for every call of a global symbol.
    """
    if not names:
        return data
    out = bytearray(data)
    wanted = {name.encode() for name in names}
    (section_table,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    rows = [_SECTION.unpack_from(data, section_table + size * n) for n in range(count)]
    done = 0
    for _, kind, _, _, offset, length, link, _, _, _ in rows:
        if kind != _SHT_SYMTAB:
            continue
        strings = rows[link][4]
        for at in range(offset, offset + length, _SYMBOL.size):
            name, info, other, _, _, _ = _SYMBOL.unpack_from(data, at)
            if data[strings + name : data.index(b"\0", strings + name)] in wanted:
                _SYMBOL.pack_into(out, at, name, info & 0xF0, other, 0, 0, 0)
                done += 1
    assert done == len(wanted), "every function has a symbol"
    return bytes(out)


def frame_table_text(module: Module, tables: Iterable[bytes]) -> str:
    """Return frame tables for people: a line per function, point and value."""
    lines = []
    for number, data in enumerate(tables):
        table = FrameTable.decode(data)
        lines.append(f"frame table {number}: {len(table.points)} points, {len(data)} bytes")
        shown = None
        for point in table.points:
            row = point.function
            if row is not shown:
                shown = row
                lines.append(
                    f"{_function_name(module, row.func_id)} text+{row.code_begin:#x}: "
                    f"frame {row.frame_size}, fp at CFA-{row.fp_save}, ra at CFA-{row.ra_save}, "
                    f"homes at CFA-{row.homes}"
                )
            layout = point.layout
            values = [f"local {i} {VALUE_NAMES[t]} [{slot}]" for i, t, slot in layout.locals]
            values += [f"operand {VALUE_NAMES[t]} [{slot}]" for t, slot in layout.operands]
            values += [f"fill CFA-{f.cfa_minus} {f.data.hex()}" for f in point.fills]
            lines.append(
                f"  text+{point.return_address:#x} offset {layout.offset:#x} "
                f"callee {layout.callee:#x}: {', '.join(values) or 'nothing live'}"
            )
    return "\n".join(lines) + "\n"


def _function_name(module: Module, func_id: int) -> str:
    if func_id & abi.THUNK_FUNC_ID:
        return f"thunk of type {func_id & ~abi.THUNK_FUNC_ID}"
    return f"{module.func_name(func_id)} (function {func_id})"
