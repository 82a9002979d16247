"""Points and homes: what makes a frame closed (docs/internals.md, section 2; DESIGN.md).

Before a call that is a point, what is live and not at home is stored to its slots; behind it,
values are loaded from there. The slots' address has escaped to an ``asm`` before, so LLVM
must expect any callee to change them, and cannot carry anything derived from an old value over
the call. The "deopt" operands make it write a record for the return address.

The ``asm`` stands as late as possible (outside of loops): on paths without a point LLVM then needs
no frame at all. Its operand is the memory itself, so that no register is set to the address.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from mvvm_aot.liveness import bits_of
from mvvm_aot.plan import ENTRY, Point
from mvvm_aot.wasmparser.types import ResultType

from . import ir
from .names import LLVM_TYPES

if TYPE_CHECKING:
    from .function import FunctionLowering

_LEAVE: Final = f"call preserve_nonecc void @mvvm_leave() {ir.LEAVE}"


def define_homes(fn: FunctionLowering) -> None:
    """Allocate the home slots."""
    fn.lines.append(f"  %homes = alloca [{fn.plan.num_homes} x i64], align 16")


def let_escape(fn: FunctionLowering) -> None:
    """Let the home slots' address escape, unless it has on every path to here."""
    if not fn.escaped:
        fn.escaped = True
        fn.lines.append(ir.ESCAPE)


def slot_pointer(fn: FunctionLowering, slot: int) -> str:
    """Return the address of a home slot."""
    if not slot:
        return "%homes"
    return fn.emit(f"getelementptr i8, ptr %homes, i64 {8 * slot}")


def load_local(fn: FunctionLowering, index: int) -> str:
    """Return the text of the load of a local from its home."""
    pointer = slot_pointer(fn, fn.plan.local_slots[index])
    return f"{fn.names.load_home} {fn.types[index]}, ptr {pointer}, align 8{ir.HOME}"


def store_locals(fn: FunctionLowering, locals_: int) -> None:
    """Store locals to their homes."""
    for index in bits_of(locals_):
        pointer = slot_pointer(fn, fn.plan.local_slots[index])
        value = fn.vals[index]
        fn.lines.append(f"  store {fn.types[index]} {value}, ptr {pointer}, align 8{ir.HOME}")


def store_operand(fn: FunctionLowering, position: int, llvm: str, value: str) -> None:
    """Store an operand to its home."""
    pointer = slot_pointer(fn, fn.plan.operand_slots[position])
    fn.lines.append(f"  store {llvm} {value}, ptr {pointer}, align 8{ir.HOME}")


def load_operand(fn: FunctionLowering, position: int, llvm: str) -> str:
    """Load an operand from its home."""
    pointer = slot_pointer(fn, fn.plan.operand_slots[position])
    return fn.emit(f"{fn.names.load_home} {llvm}, ptr {pointer}, align 8{ir.HOME}")


def bundle(fn: FunctionLowering, offset: int) -> str:
    """Return the operand bundle of a point's call."""
    return f'[ "deopt"(i32 {fn.vf.func_index}, i32 {offset}, ptr %homes) ]'


def send_home(fn: FunctionLowering, types: ResultType, count: int) -> None:
    """Store the lowest ``count`` operands to their homes, unless they are there already.

    ``types``: of the operand stack, bottom first.
    """
    stack = fn.stack
    for position in range(count):
        value = stack[position]
        if value is not None:
            llvm = LLVM_TYPES[types[position]]
            store_operand(fn, position, llvm, value)
            fn.at_home_types[position] = llvm
            stack[position] = None


def fetch_operands(fn: FunctionLowering, start: int, end: int) -> None:
    """Load the operands from ``start`` to ``end`` that are at home: they can be used again."""
    stack = fn.stack
    for position in range(start, end):
        if stack[position] is None:
            stack[position] = load_operand(fn, position, fn.at_home_types[position])


def forget(fn: FunctionLowering) -> None:
    """Take every value to be at home: a point has been passed."""
    fn.vals[:] = fn.nones
    fn.dirty = 0
    fn.base = None


def entry_poll(fn: FunctionLowering) -> None:
    """Emit the poll before a function's first instruction."""
    point = fn.plan.points[ENTRY]
    poll(fn, point, bits_of(point.live))


def poll(fn: FunctionLowering, point: Point, in_registers: list[int], params: int = 0) -> None:
    """Emit a poll: test the flag; if it is set, store, leave, load.

    ``in_registers``: live locals that have values; other live locals are at home. The top
    ``params`` operands (a loop's parameters) have values, those below are at home.
    """
    let_escape(fn)
    positions = range(len(fn.stack) - params, len(fn.stack))
    call_aside(fn, _flag(fn), point, in_registers, positions, _LEAVE)


def call_aside(
    fn: FunctionLowering,
    test: str,
    point: Point,
    in_registers: list[int],
    positions: Iterable[int],
    call: str,
) -> tuple[str, str, str]:
    """Make a point's call if an i1 is true, else go on with everything where it is.

    ``in_registers`` and ``positions``: live locals, and operands, that have values; the others are
    at home. Returns the call's result, and the blocks before and behind it that meet here.
    """
    leave, go = fn.new_label(), fn.new_label()
    fn.lines.append(f"  br i1 {test}, label %{leave}, label %{go}{ir.UNLIKELY}")
    before = fn.block
    operands = [(k, LLVM_TYPES[point.operands[k]]) for k in positions]

    fn.start_block(leave)
    if not fn.escaped:
        fn.lines.append(ir.ESCAPE)
    store_locals(fn, point.live & fn.dirty)
    for k, llvm in operands:
        store_operand(fn, k, llvm, fn.stack[k])
    call, result = f"{call} {bundle(fn, point.offset)}", ""
    if call.startswith("call preserve_nonecc void"):
        fn.lines.append(f"  {call}")
    else:
        result = fn.emit(call)
    loaded = [fn.emit(load_local(fn, index)) for index in in_registers]
    loaded_operands = [load_operand(fn, k, llvm) for k, llvm in operands]
    fn.lines.append(f"  br label %{go}")

    fn.start_block(go)
    for index, new in zip(in_registers, loaded, strict=True):
        old = fn.vals[index]
        phi = f"phi {fn.types[index]} [ {old}, %{before} ], [ {new}, %{leave} ]"
        fn.vals[index] = fn.emit(phi)
    for (k, llvm), new in zip(operands, loaded_operands, strict=True):
        old = fn.stack[k]
        fn.stack[k] = fn.emit(f"phi {llvm} [ {old}, %{before} ], [ {new}, %{leave} ]")
    return result, before, leave


def _flag(fn: FunctionLowering) -> str:
    """Emit the test of the flag; return an i1."""
    # Of an atomic load x86-64's code generator makes an instruction of its own.
    flag = fn.emit(f"load volatile i32, ptr @mvvm_flag, align 4{ir.CONTEXT}")
    return fn.emit(f"icmp ne i32 {flag}, 0")


def test_flag(fn: FunctionLowering, go: str) -> str:
    """Emit the branch of a poll: if the flag is set to a new label, which is returned, else on."""
    let_escape(fn)
    test, leave = _flag(fn), fn.new_label()
    fn.lines.append(f"  br i1 {test}, label %{leave}, label %{go}{ir.UNLIKELY}")
    return leave


def leave_and_enter(fn: FunctionLowering, point: Point, params: int) -> None:
    """Emit the call of a poll's leave; before it, store what is not at home."""
    store_locals(fn, point.live & fn.dirty)
    first = len(fn.stack) - params
    for k, llvm in enumerate(fn.llvm_types(point.operands[first:])):
        store_operand(fn, first + k, llvm, fn.stack[first + k])
    fn.lines.append(f"  {_LEAVE} {bundle(fn, point.offset)}")


def load_params(fn: FunctionLowering, point: Point, params: int) -> list[str]:
    """Load the top ``params`` operands behind a poll's leave."""
    first = len(fn.stack) - params
    types = fn.llvm_types(point.operands[first:])
    return [load_operand(fn, first + k, llvm) for k, llvm in enumerate(types)]
