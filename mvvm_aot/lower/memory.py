"""Linear memory, globals, tables: from a row of the opcode table to IR.

Specification: section 4.4 (memory, table, variable and reference instructions). Loads and stores
test nothing: an access outside the memory hits a page that is not there (docs/internals.md and
the runtime). Bulk instructions test before they write anything. What tables need is done by
helpers of the runtime, save the reading of a table's size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from mvvm_aot.abi import STRUCTS
from mvvm_aot.wasmparser.opcodes import BY_TEXT, Op

from . import ir
from .names import LLVM_TYPES

if TYPE_CHECKING:
    from .function import FunctionLowering

_INTS: Final = {"i32": 4, "i64": 8}

# op -> (type in memory, conversion before the value or "", conversion behind it)
LOADS: Final[dict[Op, tuple[str, str, str]]] = {
    BY_TEXT["i32.load"]: ("i32", "", ""),
    BY_TEXT["i64.load"]: ("i64", "", ""),
    BY_TEXT["f32.load"]: ("float", "", ""),
    BY_TEXT["f64.load"]: ("double", "", ""),
    **{
        BY_TEXT[f"{name}.load{width}_{sign}"]: (
            f"i{width}",
            f"{'sext' if sign == 's' else 'zext'} i{width} ",
            f" to {name}",
        )
        for name, size in _INTS.items()
        for width in (8, 16, 32)
        if width < 8 * size
        for sign in ("s", "u")
    },
}

STORES: Final[dict[Op, tuple[str, str, str]]] = {
    BY_TEXT["i32.store"]: ("i32", "", ""),
    BY_TEXT["i64.store"]: ("i64", "", ""),
    BY_TEXT["f32.store"]: ("float", "", ""),
    BY_TEXT["f64.store"]: ("double", "", ""),
    **{
        BY_TEXT[f"{name}.store{width}"]: (f"i{width}", f"trunc {name} ", f" to i{width}")
        for name, size in _INTS.items()
        for width in (8, 16, 32)
        if width < 8 * size
    },
}

_BYTES_OFFSET = STRUCTS["mvvm_context"][1]["memory_bytes"]
_TABLE_SIZE = STRUCTS["mvvm_table"][0]
_TABLE_SIZE_OFFSET = STRUCTS["mvvm_table"][1]["size"]


def address(fn: FunctionLowering, index: str, offset: int) -> str:
    """Emit the native address of a linear memory address: a base, a 32-bit index, an offset."""
    base = fn.base
    if base is None:
        base = fn.base = fn.emit(f"load ptr, ptr @{fn.prefix}_context, align 8{ir.CONTEXT}")
    if index[0] != "%":
        total = (int(index) & 0xFFFF_FFFF) + offset
        return fn.emit(f"getelementptr i8, ptr {base}, i64 {total}") if total else base
    n = fn.counter
    fn.counter = n + 2
    fn.lines.append(f"  %{n} = zext i32 {index} to i64")
    fn.lines.append(f"  %{n + 1} = getelementptr i8, ptr {base}, i64 %{n}")
    if not offset:
        return f"%{n + 1}"
    return fn.emit(f"getelementptr i8, ptr %{n + 1}, i64 {offset}")


def _memory_bytes(fn: FunctionLowering) -> str:
    pointer = f"getelementptr (i8, ptr @{fn.prefix}_context, i64 {_BYTES_OFFSET})"
    return fn.emit(f"load i64, ptr {pointer}, align 8{ir.CONTEXT}")


def _memory_size(fn: FunctionLowering, imm: Any) -> None:
    pages = fn.emit(f"lshr i64 {_memory_bytes(fn)}, 16")
    fn.stack.append(fn.emit(f"trunc i64 {pages} to i32"))


def _memory_grow(fn: FunctionLowering, imm: Any) -> None:
    delta = fn.stack.pop()
    fn.stack.append(fn.helper("mvvm_memory_grow", f"i32 {delta}"))


def _check_range(fn: FunctionLowering, start: str, length: str, size: str) -> None:
    end = fn.emit(f"add i64 {start}, {length}")
    fn.trap_if(fn.emit(f"icmp ugt i64 {end}, {size}"), "MEMORY_OUT_OF_BOUNDS")


def _memory_copy(fn: FunctionLowering, imm: Any) -> None:
    length, source, dest = fn.stack.pop(), fn.stack.pop(), fn.stack.pop()
    wide_length = fn.emit(f"zext i32 {length} to i64")
    size = _memory_bytes(fn)
    for start in (source, dest):
        _check_range(fn, fn.emit(f"zext i32 {start} to i64"), wide_length, size)
    to, from_ = address(fn, dest, 0), address(fn, source, 0)
    fn.lines.append(
        f"  call void @llvm.memmove.p0.p0.i64(ptr {to}, ptr {from_}, i64 {wide_length}, "
        f"i1 false){ir.MEMORY}"
    )


def _memory_fill(fn: FunctionLowering, imm: Any) -> None:
    length, value, dest = fn.stack.pop(), fn.stack.pop(), fn.stack.pop()
    wide_length = fn.emit(f"zext i32 {length} to i64")
    _check_range(fn, fn.emit(f"zext i32 {dest} to i64"), wide_length, _memory_bytes(fn))
    byte = fn.emit(f"trunc i32 {value} to i8")
    fn.lines.append(
        f"  call void @llvm.memset.p0.i64(ptr {address(fn, dest, 0)}, i8 {byte}, "
        f"i64 {wide_length}, i1 false){ir.MEMORY}"
    )


def _helper(name: str, types: tuple[str, ...], result: bool) -> Callable[..., None]:
    """Lower to a helper that takes the immediates (in its own order), then the operands."""

    def lower(fn: FunctionLowering, imm: Any) -> None:
        count = len(types)
        operands = fn.stack[len(fn.stack) - count :]
        del fn.stack[len(fn.stack) - count :]
        leading = [f"i32 {value}" for value in imm]
        args = [f"{llvm} {value}" for llvm, value in zip(types, operands, strict=True)]
        value = fn.helper(name, ", ".join([*leading, *args]))
        if result:
            fn.stack.append(value)

    return lower


_W = "i32"
_HELPERS: Final[dict[str, tuple[str, tuple[str, ...], bool]]] = {
    "memory.init": ("mvvm_memory_init", (_W, _W, _W), False),
    "data.drop": ("mvvm_data_drop", (), False),
    "table.init": ("mvvm_table_init", (_W, _W, _W), False),
    "elem.drop": ("mvvm_elem_drop", (), False),
    "table.copy": ("mvvm_table_copy", (_W, _W, _W), False),
    "table.get": ("mvvm_table_get", (_W,), True),
    "table.set": ("mvvm_table_set", (_W, "i64"), False),
    "table.grow": ("mvvm_table_grow", ("i64", _W), True),
    "table.fill": ("mvvm_table_fill", (_W, "i64", _W), False),
    "ref.func": ("mvvm_ref_func", (), True),
}


def _immediates(text: str, imm: Any) -> tuple[int, ...]:
    """Return the immediates that the helper wants, in its order."""
    if text == "memory.init":
        return (imm[0],)
    if text == "table.init":
        return (imm[1], imm[0])
    return imm if isinstance(imm, tuple) else (imm,)


def _with_immediates(text: str) -> Callable[[FunctionLowering, Any], None]:
    lower = _helper(*_HELPERS[text])

    def lower_op(fn: FunctionLowering, imm: Any) -> None:
        lower(fn, _immediates(text, imm))

    return lower_op


def _table_size(fn: FunctionLowering, imm: Any) -> None:
    offset = imm * _TABLE_SIZE + _TABLE_SIZE_OFFSET
    pointer = f"getelementptr (i8, ptr @{fn.prefix}_tables, i64 {offset})"
    fn.stack.append(fn.emit(f"load i32, ptr {pointer}, align 4{ir.TABLE}"))


def _ref_null(fn: FunctionLowering, imm: Any) -> None:
    fn.stack.append("0")


def _ref_is_null(fn: FunctionLowering, imm: Any) -> None:
    fn.push_bool(f"icmp eq i64 {fn.stack.pop()}, 0")


def _global_pointer(fn: FunctionLowering, global_index: int) -> str:
    """Return the address of a global's slot."""
    imported = len(fn.module.imported_globals)
    if global_index < imported:
        ref = f"getelementptr (i8, ptr @{fn.prefix}_global_refs, i64 {8 * global_index})"
        return fn.emit(f"load ptr, ptr {ref}, align 8{ir.CONTEXT}")
    slot = global_index - imported
    if slot == 0:
        return f"@{fn.prefix}_globals"
    return f"getelementptr (i8, ptr @{fn.prefix}_globals, i64 {16 * slot})"


def _global_get(fn: FunctionLowering, imm: Any) -> None:
    llvm = LLVM_TYPES[fn.globals[imm].valtype]
    pointer = _global_pointer(fn, imm)
    fn.stack.append(fn.emit(f"load {llvm}, ptr {pointer}, align 8{ir.GLOBAL}"))


def _global_set(fn: FunctionLowering, imm: Any) -> None:
    value = fn.stack.pop()
    llvm = LLVM_TYPES[fn.globals[imm].valtype]
    pointer = _global_pointer(fn, imm)
    fn.lines.append(f"  store {llvm} {value}, ptr {pointer}, align 8{ir.GLOBAL}")


MEMORY_OPS: Final[dict[Op, Callable[[FunctionLowering, Any], None]]] = {
    BY_TEXT["memory.size"]: _memory_size,
    BY_TEXT["memory.grow"]: _memory_grow,
    BY_TEXT["memory.copy"]: _memory_copy,
    BY_TEXT["memory.fill"]: _memory_fill,
    BY_TEXT["table.size"]: _table_size,
    BY_TEXT["ref.null"]: _ref_null,
    BY_TEXT["ref.is_null"]: _ref_is_null,
    BY_TEXT["global.get"]: _global_get,
    BY_TEXT["global.set"]: _global_set,
    **{BY_TEXT[text]: _with_immediates(text) for text in _HELPERS},
}
