"""Lower one function: ValidatedFunction + FunctionPlan -> the lines of an LLVM function.

Locals are SSA values from the start, not allocas: ``vals`` maps each local to the text of its
current value, or to None where the value is (only) in its home slot, from where it is loaded on
first use. ``dirty`` is the set of locals whose home does not hold the current value. A point
stores what is live and dirty, and makes all values None; so nothing older is used behind it.
control.py merges these states where control flow joins; phi nodes arise only for locals that are
live there and differ. The operand stack holds value texts, too; entries below the innermost
block's operands are None while they are at home, and are loaded when that block ends.

A text is a literal unless it starts with "%". Names that are numbers ascend in the order of the
lines, as LLVM demands; whatever is put in later (see control.py) has a name with a letter.
"""

from __future__ import annotations

from typing import Any, Final

from mvvm_aot.abi import HELPERS, TRAP_CODES
from mvvm_aot.errors import UnsupportedFeature
from mvvm_aot.plan import ENTRY, FunctionPlan, split_params
from mvvm_aot.wasmparser.opcodes import BY_TEXT, Op
from mvvm_aot.wasmparser.types import ResultType, ValType
from mvvm_aot.wasmparser.validated import ValidatedFunction

from . import control, ir, joins, points
from .calls import CALL_OPS, load_spilled
from .memory import LOADS, MEMORY_OPS, STORES, address
from .names import LLVM_TYPES, ZEROS, Names, definition
from .numeric import BINARY, COMPARE, SPECIAL, UNARY, f32_literal, f64_literal
from .vector import VECTOR_OPS
from .vector_values import V128

# Shapes, the most frequent first.
(
    _GET,
    _CONST_INT,
    _BINARY,
    _LOAD,
    _SET,
    _TEE,
    _COMPARE,
    _STORE,
    _SPECIAL,
    _UNARY,
    _CONTROL,
    _MEMORY,
    _VECTOR,
    _CALL,
    _OTHER,
) = range(15)

_CONST_F32, _CONST_F64 = BY_TEXT["f32.const"], BY_TEXT["f64.const"]
_DROP, _NOP = BY_TEXT["drop"], BY_TEXT["nop"]
_V128: Final = (ValType.V128,)
_TESTS: Final = {BY_TEXT[text] for text in ("br_if", "if", "i32.eqz")}


def _shapes() -> dict[Op, tuple[int, Any]]:
    """Return op -> (shape, what lowering needs of its table row)."""
    found: dict[Op, tuple[int, Any]] = {
        BY_TEXT["local.get"]: (_GET, None),
        BY_TEXT["local.set"]: (_SET, None),
        BY_TEXT["local.tee"]: (_TEE, None),
        BY_TEXT["i32.const"]: (_CONST_INT, None),
        BY_TEXT["i64.const"]: (_CONST_INT, None),
    }
    tables: tuple[tuple[int, dict[Op, Any]], ...] = (
        (_BINARY, BINARY),
        (_LOAD, LOADS),
        (_COMPARE, COMPARE),
        (_STORE, STORES),
        (_SPECIAL, SPECIAL),
        (_UNARY, UNARY),
        (_CONTROL, control.CONTROL_OPS),
        (_MEMORY, MEMORY_OPS),
        (_VECTOR, VECTOR_OPS),
        (_CALL, CALL_OPS),
    )
    for shape, table in tables:
        for op, row in table.items():
            assert op not in found, op
            found[op] = (shape, row)
    return found


SHAPES: Final[dict[Op, tuple[int, Any]]] = _shapes()
_NO_ROW: Final[tuple[int, Any]] = (_OTHER, None)


class FunctionLowering:
    """The state of lowering one function."""

    def __init__(
        self, vf: ValidatedFunction, plan: FunctionPlan, names: Names, *, attempt: bool = False
    ) -> None:
        self.index = 0
        self.attempt = attempt  # lower the attempt at the function (attempts.py), by its plan
        module = self.module = names.module
        self.globals = module.all_globals
        self.vf = vf
        self.plan = plan
        self.names = names
        self.prefix = names.prefix
        self.lines: list[str] = []
        self.stack: list[Any] = []  # value texts; None: at home, below the innermost block
        self.vals: list[str | None] = [None] * len(vf.locals)
        self.nones: list[str | None] = [None] * len(vf.locals)
        self.dirty = 0
        self.escaped = False  # whether the homes' address has, see points.py
        self.base: str | None = None  # of linear memory, where it has been loaded
        self.boolean: str | None = None  # an i1 on top of the stack that stands for an i32
        self.strip_end = 0  # index of the end of the strip (loops.py) that we are in, or were
        self.staying: set[int] = set()  # loads in strips that LLVM will not drop (staying.py)
        self.lanes: dict[str, tuple[str, str]] = {}  # v128 -> its (type, text) as lanes
        self.promoted: dict[str, str] = {}  # result of f64.promote_f32 -> its operand
        self.block = "entry"
        self.frames: list[joins.Frame] = []
        self.at_home_types: dict[int, str] = {}  # operand position -> type, where None
        self.traps: dict[str, str] = {}
        self.types = self.llvm_types(vf.locals)
        self.counter = 1  # the next free number

    # -- Small change ------------------------------------------------------------------------

    def new(self) -> str:
        """Return a name for the next instruction's result."""
        self.counter = (n := self.counter) + 1
        return f"%{n}"

    def emit(self, text: str) -> str:
        """Append an instruction that has a result; return its name."""
        self.counter = (n := self.counter) + 1
        self.lines.append(f"  %{n} = {text}")
        return f"%{n}"

    def load(self, llvm: str, offset: int) -> str:
        """Pop an address, load from linear memory; a trap must not get lost."""
        pointer = address(self, self.stack.pop(), offset)
        next_op = self.vf.instrs[self.index + 1][1]
        self.counter = (n := self.counter) + 1
        if not self.names.optimized:  # then a volatile one costs nothing, and less to translate
            self.lines.append(f"  %{n} = load volatile {llvm}, ptr {pointer}, align 1{ir.MEMORY}")
            return f"%{n}"
        self.lines.append(f"  %{n} = load {llvm}, ptr {pointer}, align 1{ir.MEMORY}")
        # To keep a vector costs an instruction: in a strip it does without, but if it is dropped.
        vector = llvm[0] == "<" and self.index < self.strip_end and next_op is not _DROP
        # The use of an address is as good.
        if not (vector or self.index in self.staying or next_op in LOADS):
            self.keep(llvm, f"%{n}")
        return f"%{n}"

    def keep(self, llvm: str, value: str) -> None:
        """Have a value computed where we are, whoever wants it: a load that it needs may trap.

        Of a vector the last lane is enough: the other bytes of a load trap only if its last does.
        """
        if llvm[0] == "<":
            count, lane = llvm[1:-1].split(" x ")
            value = self.emit(f"extractelement {llvm} {value}, i32 {int(count) - 1}")
            llvm = lane
        self.lines.append(f'  call void asm sideeffect "", "X"({llvm} {value}) {ir.KEEP}')

    def new_label(self) -> str:
        """Return a label, without the percent sign."""
        self.counter = (n := self.counter) + 1
        return f"b{n}"

    def start_block(self, label: str) -> None:
        """Go on in a new basic block."""
        self.lines.append(f"{label}:")
        self.block = label

    def push_bool(self, test: str) -> None:
        """Push an i1 as the i32 that it stands for; a test that follows takes the i1 itself."""
        name = self.emit(test)
        if self.vf.instrs[self.index + 1][1] in _TESTS:
            self.boolean = name
        else:
            name = self.emit(f"zext i1 {name} to i32")
        self.stack.append(name)

    def pop_test(self) -> str:
        """Pop an i32 as an i1: is it not zero?"""
        value = self.stack.pop()
        if value == self.boolean:
            return str(value)
        return self.emit(f"icmp ne i32 {value}, 0")

    def local(self, index: int) -> str:
        """Return a local's value, loaded from its home if need be."""
        value = self.vals[index]
        if value is None:
            value = self.vals[index] = self.emit(points.load_local(self, index))
        return value

    def trap_label(self, name: str) -> str:
        """Return the label of the block that traps."""
        label = self.traps.get(name)
        if label is None:
            label = self.traps[name] = f"trap{TRAP_CODES[name]}"
        return label

    def trap_if(self, test: str, name: str) -> None:
        """Trap if an i1 is true."""
        good = self.new_label()
        self.lines.append(
            f"  br i1 {test}, label %{self.trap_label(name)}, label %{good}{ir.UNLIKELY}"
        )
        self.start_block(good)

    def helper(self, name: str, args: str) -> str:
        """Call a helper of the runtime; ``args`` without the context, which always comes first."""
        result = HELPERS[name][0]
        separator = ", " if args else ""
        call = f"call {result} @{name}(ptr @{self.prefix}_context{separator}{args}) {ir.NOUNWIND}"
        if result == "void":
            self.lines.append(f"  {call}")
            return ""
        return self.emit(call)

    def llvm_types(self, types: ResultType) -> list[str]:
        """Return the LLVM types of several value types."""
        return [LLVM_TYPES[valtype] for valtype in types]

    def unsupported(self, feature: str) -> UnsupportedFeature:
        """Return the error for what cannot be lowered yet at the current instruction."""
        func_index = self.vf.func_index
        return UnsupportedFeature(
            feature,
            func_index=func_index,
            offset=self.vf.instrs[self.index][0],
            func_name=self.module.func_name(func_index),
        )

    # -- The function ------------------------------------------------------------------------

    def run(self) -> list[str]:
        """Return the function's text, a line each."""
        # Inlined, a tail call would be an ordinary call without a record.
        fixed = self.plan.points or self.plan.has_tail_calls
        attributes = ir.POINTS if fixed else ir.PLAIN
        self.lines += [self._definition(attributes), "entry:"]
        if self.plan.num_homes:
            points.define_homes(self)
            if self.names.careful:
                self.lines.append(f"  %hidden = alloca {V128}, align 16")
        self._parameters()
        if ENTRY in self.plan.points:
            points.entry_poll(self)
        control.open_function(self)
        self._body()
        for name, label in self.traps.items():
            self.lines += [
                f"{label}:",
                f"  call void @mvvm_trap(i32 {TRAP_CODES[name]}) {ir.TRAP}",
                "  unreachable",
            ]
        if self.attempt:
            self.lines += [f"{ir.GIVE_UP}:", "  ret i64 -1"]
        self.lines.append("}")
        return self.lines

    def _definition(self, attributes: str) -> str:
        names, vf = self.names, self.vf
        if self.attempt:
            symbol = names.attempt(vf.func_index)
            return definition(symbol, vf.type, attributes, "linkonce_odr hidden", "i64")
        symbol, linkage = names.symbol(vf.func_index), names.linkage(vf.func_index)
        return definition(symbol, vf.type, attributes, linkage)

    def _parameters(self) -> None:
        """Set the locals' first values: parameters from registers or mvvm_spill, else zero."""
        params = self.vf.type.params
        in_registers, spilled = split_params(params)
        for index in in_registers:
            self.vals[index] = f"%p{index}"
        for index in spilled:
            self.vals[index] = load_spilled(self, self.types[index], index)
        for index in range(len(params), len(self.vals)):
            self.vals[index] = ZEROS[self.types[index]]
        points.store_locals(self, self.plan.through & self.plan.flow.entry)
        self.dirty = (1 << len(self.vals)) - 1 & ~self.plan.through

    def _body(self) -> None:
        """Lower all instructions that can be reached."""
        instrs = self.vf.instrs
        shapes = SHAPES
        stack, vals, lines = self.stack, self.vals, self.lines
        through = self.plan.through
        push, pop, line = stack.append, stack.pop, lines.append
        index = 0
        count = len(instrs)
        while index < count:
            _, op, imm = instrs[index]
            self.index = index
            index += 1
            shape, row = shapes.get(op, _NO_ROW)
            if shape == _GET:
                push(vals[imm] or self.local(imm))
            elif shape == _CONST_INT:
                push(str(imm))
            elif shape == _BINARY:
                b = pop()
                self.counter = (n := self.counter) + 1
                line(f"  %{n} = {row}{stack[-1]}, {b}")
                stack[-1] = f"%{n}"
            elif shape == _LOAD:
                self._load(row, imm[1])
            elif shape == _SET:
                vals[imm] = pop()
                self.dirty |= 1 << imm
                if through >> imm & 1:
                    self._write_through(imm)
            elif shape == _TEE:
                vals[imm] = stack[-1]
                self.dirty |= 1 << imm
                if through >> imm & 1:
                    self._write_through(imm)
            elif shape == _COMPARE:
                b = pop()
                self.push_bool(f"{row}{pop()}, {b}")
            elif shape == _STORE:
                memory_type, before, behind = row
                value = pop()
                pointer = address(self, pop(), imm[1])
                if before:
                    value = self.emit(f"{before}{value}{behind}")
                line(f"  store {memory_type} {value}, ptr {pointer}, align 1{ir.MEMORY}")
            elif shape == _SPECIAL:
                row(self)
            elif shape == _UNARY:
                push(self.emit(f"{row[0]}{pop()}{row[1]}"))
            elif shape == _CONTROL:
                index = row(self, imm)
            elif shape in (_MEMORY, _CALL):
                row(self, imm)
            elif shape == _VECTOR:
                row(self, imm)
                if self.names.careful and self.plan.num_homes and op.results == _V128:
                    self._hide(stack)
            else:
                self._other(op, imm)

    def _write_through(self, index: int) -> None:
        """Store a local that has been set; then it is at home."""
        points.store_locals(self, 1 << index)
        self.dirty &= ~(1 << index)

    def _hide(self, stack: list[Any]) -> None:
        """Hide from LLVM where the v128 on top of the stack comes from, in careful code.

        Who uses it cannot tell LLVM then that some of its lanes do not matter: for such lanes it
        takes any register's contents, and no proof could tell.
        """
        self.lines.append(f"  store volatile {V128} {stack[-1]}, ptr %hidden, align 16")
        stack[-1] = self.emit(f"load volatile {V128}, ptr %hidden, align 16")

    def _load(self, row: tuple[str, str, str], offset: int) -> None:
        memory_type, before, behind = row
        value = self.load(memory_type, offset)
        self.stack.append(self.emit(f"{before}{value}{behind}") if before else value)

    def _other(self, op: Op, imm: Any) -> None:
        """Lower what is too rare, or too simple, for a table."""
        if op is _CONST_F64:
            self.stack.append(f64_literal(imm))
        elif op is _CONST_F32:
            self.stack.append(f32_literal(imm))
        elif op is _DROP:
            self.stack.pop()
        elif op.text == "select":
            test = self.pop_test()
            b, a = self.stack.pop(), self.stack.pop()
            valtype = imm[0] if imm else self.vf.select_types[self.index]
            llvm = LLVM_TYPES[valtype]
            self.stack.append(self.emit(f"select i1 {test}, {llvm} {a}, {llvm} {b}"))
        elif op is not _NOP:
            raise self.unsupported(f"instruction {op.text}")
