"""Random statements and function bodies: blocks, loops, branches, calls, bulk instructions.

Every program ends. A global holds fuel: each function and each iteration of a loop costs one unit,
and without any left a function returns constants and a loop is left. Loops that count to a fixed
end cost none; they hold neither calls nor loops.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from mvvm_aot.wasmparser.opcodes import BY_TEXT
from mvvm_aot.wasmparser.types import FuncType, ResultType, ValType

from .expressions import (
    EXTERNREF,
    F32,
    F64,
    FUNCREF,
    I32,
    I64,
    STORES,
    V128,
    Expressions,
    const,
    local_get,
    local_set,
    random_types,
)
from .program import FIXED, HOST_FUNCS, Function, Node, Program, plain

FUEL: Final = 0  # the global
_TRACES: Final = {valtype: k for k, valtype in enumerate((I32, I64, F32, F64))}


@dataclass(frozen=True, slots=True)
class Label:
    """A block around the code that is made; branches to it carry ``types``."""

    number: int
    types: ResultType


def fuel_test() -> Node:
    """Return a node that burns a unit and pushes whether there was none."""
    left = Node(BY_TEXT["global.get"], (FUEL,), [], (I32,))
    burn = Node(BY_TEXT["global.set"], (FUEL,), [plain(BY_TEXT["i32.sub"], left, const(I32, 1))])
    again = Node(BY_TEXT["global.get"], (FUEL,), [], (I32,))
    test = plain(BY_TEXT["i32.lt_s"], again, const(I32, 0))
    return Node(BY_TEXT["block"], (FuncType((), (I32,)),), [], (I32,), [[burn, test]], -2)


class Statements(Expressions):
    """Makes the body of one function."""

    def __init__(
        self, rng: random.Random, program: Program, func_type: FuncType, declared: list[ValType]
    ) -> None:
        super().__init__(rng, program, [*func_type.params, *declared])
        self.func_type = func_type
        self.params = len(func_type.params)
        self.labels = [Label(0, func_type.results)]
        self.numbers = 0

    def function(self, size: int) -> Function:
        """Return the function; ``size`` is how many nodes it may have, roughly."""
        self.left = size
        body = self.statements(self.rng.randint(1, 6), 5)
        self.left = max(self.left, 20)
        results = self.sequence(self.func_type.results, 4)
        self.left = 0
        out = [self._leave(self.func_type.results)]
        entry = Node(BY_TEXT["if"], (FuncType((), ()),), [fuel_test()], (), [out], -2)
        return Function(self.func_type, self.types[self.params :], [entry, *body, *results])

    def _leave(self, results: ResultType) -> Node:
        return Node(BY_TEXT["return"], (), [self.constant(valtype) for valtype in results])

    # -- Blocks ------------------------------------------------------------------------------

    def _label(self, types: ResultType) -> Label:
        self.numbers += 1
        return Label(self.numbers, types)

    def _inside(
        self, label: Label, taken: ResultType, results: ResultType, depth: int
    ) -> list[Node]:
        """Return the body of a block that finds ``taken`` on the stack and leaves ``results``."""
        rng = self.rng
        self.labels.append(label)
        body = pops_of(taken)
        keep = results[: len(taken)] == taken and rng.random() < 0.7
        if not keep:
            for valtype in reversed(taken):
                body = [local_set(self._writable(valtype), *body)]
        body += self.statements(rng.choice((0, 1, 1, 2, 3)), depth)
        body += self.sequence(results[len(taken) if keep else 0 :], depth)
        self.labels.pop()
        return body

    def _writable(self, valtype: ValType) -> int:
        found = [index for index in self.usable if self.types[index] is valtype]
        if found and self.rng.random() < 0.9:
            return self.rng.choice(found)
        index = self.new_local(valtype)
        self.usable.append(index)
        return index

    def block(self, results: ResultType, depth: int) -> Node:
        """Return a block, an if or a loop with these results, and sometimes with parameters."""
        rng = self.rng
        kind = rng.random()
        taken = random_types(rng, (0, 0, 0, 1, 2, 4), self.vectors)
        if results and rng.random() < 0.3:
            taken = results
        args = self.sequence(taken, depth - 1)
        if kind < 0.4:
            label = self._label(results)
            bodies = [self._inside(label, taken, results, depth - 1)]
            op = BY_TEXT["block"]
        elif kind < 0.75:
            label = self._label(results)
            args.append(self.expression(I32, depth - 1))
            both = bool(results) or taken != results or rng.random() < 0.6
            count = 2 if both else 1
            bodies = [self._inside(label, taken, results, depth - 1) for _ in range(count)]
            op = BY_TEXT["if"]
        else:
            return self._loop(taken, results, args, depth)
        types = FuncType(taken, results)
        return Node(op, (types,), args, results, bodies, label.number)

    def _loop(self, taken: ResultType, results: ResultType, args: list[Node], depth: int) -> Node:
        """Return a loop that burns fuel, inside the block by which it is left without any."""
        rng = self.rng
        out, head = self._label(results), self._label(taken)
        self.labels.append(out)
        start = pops_of(taken)
        for valtype in reversed(taken):
            start = [local_set(self._writable(valtype), *start)]
        dry = [self.constant(valtype) for valtype in results]
        leave = Node(BY_TEXT["br_if"], (out.number,), [*dry, fuel_test()], results)
        start += self._drop([leave], results) if results else [leave]
        self.labels.append(head)
        body = self.statements(rng.choice((1, 1, 2, 3)), depth - 1)
        values = [
            self.local(valtype) or self.constant(valtype)
            if rng.random() < 0.5
            else self.expression(valtype, depth - 2)
            for valtype in taken
        ]
        again = Node(
            BY_TEXT["br_if"], (head.number,), [*values, self.expression(I32, depth - 1)], taken
        )
        body += self._drop([again], taken) if taken else [again]
        body += self.sequence(results, depth - 1)
        self.labels.pop()
        self.labels.pop()
        types = FuncType(taken, results)
        inner = [start + body]
        loop = Node(BY_TEXT["loop"], (types,), pops_of(taken), results, inner, head.number)
        return Node(BY_TEXT["block"], (types,), args, results, [[loop]], out.number)

    def _drop(self, values: list[Node], types: ResultType) -> list[Node]:
        """Return the values' nodes with all that they push thrown away or kept in locals."""
        for count in range(len(types), 0, -1):
            if self.rng.random() < 0.5:
                values = [local_set(self._writable(types[count - 1]), *values)]
            else:
                values = [Node(BY_TEXT["drop"], (), values, types[: count - 1])]
        return values

    def counted(self, depth: int) -> Node:
        """Return a loop that counts a local by a constant to its end, as compilers write them."""
        rng = self.rng
        valtype = rng.choice((I32, I32, I64))
        name = valtype.text
        local, step = self.new_local(valtype), rng.choice((1, 1, 1, 2, 4, 8, -1, -1, -3, 300))
        count = rng.choice((1, 2, 7, 16, 33, 100, 4095, 4097, 9000))
        end: Node
        setup: list[Node] = []
        if rng.random() < 0.5:
            last = rng.choice((0, 0, 10, -1, step * count))
            setup.append(local_set(local, const(valtype, last - step * count)))
            end = const(valtype, last)
        else:
            bound = self.new_local(valtype)
            setup.append(local_set(bound, self.expression(valtype, depth - 1)))
            start = plain(
                BY_TEXT[f"{name}.sub"], local_get(bound, valtype), const(valtype, step * count)
            )
            setup.append(local_set(local, start))
            end = local_get(bound, valtype)
        label = self._label(())
        self.labels.append(label)
        calm, self.calm = self.calm, True
        self.left -= 10
        body = self._counted_body(local, valtype, depth)
        if count > 1000 and len(body) > 2:
            body = body[:2]
        self.calm = calm
        self.labels.pop()
        stepped = plain(BY_TEXT[f"{name}.add"], local_get(local, valtype), const(valtype, step))
        if rng.random() < 0.2:
            stepped = plain(
                BY_TEXT[f"{name}.sub"], local_get(local, valtype), const(valtype, -step)
            )
        left = Node(BY_TEXT["local.tee"], (local,), [stepped], (valtype,))
        test = plain(BY_TEXT[f"{name}.ne"], *((left, end) if rng.random() < 0.8 else (end, left)))
        if rng.random() < 0.3 and end.op is BY_TEXT["local.get"]:
            body.append(local_set(local, stepped))
            test = plain(BY_TEXT[f"{name}.ne"], local_get(local, valtype), end)
        body.append(Node(BY_TEXT["br_if"], (label.number,), [test]))
        loop = Node(BY_TEXT["loop"], (FuncType((), ()),), [], (), [body], label.number)
        outer = self._label(())
        return Node(BY_TEXT["block"], (FuncType((), ()),), [], (), [[*setup, loop]], outer.number)

    def _counted_body(self, local: int, valtype: ValType, depth: int) -> list[Node]:
        """Return what a counting loop does: sums, stores, whatever has no call."""
        rng = self.rng
        body: list[Node] = []
        for _ in range(rng.choice((1, 1, 2, 3))):
            kind = rng.random()
            if kind < 0.4:  # an element of an array
                size = rng.choice((1, 2, 4, 8))
                index = local_get(local, valtype)
                if valtype is I64:
                    index = plain(BY_TEXT["i32.wrap_i64"], index)
                index = plain(BY_TEXT["i32.mul"], index, const(I32, size))
                index = plain(BY_TEXT["i32.and"], index, const(I32, 0xFFF8))
                ops = [op for op in STORES if op.memory_size <= 8 and V128 not in op.params]
                op = rng.choice(ops)
                value = self.visible(op.params[1], min(depth, 2))
                body.append(plain(op, index, value, imm=self.memarg(op, 0)))
            elif kind < 0.7:  # a sum
                sum_type = rng.choice((I32, I64, F64))
                kept = self._writable(sum_type)
                value = self.expression(sum_type, min(depth, 3))
                op = BY_TEXT[f"{sum_type.text}.{rng.choice(('add', 'mul', 'sub'))}"]
                body.append(local_set(kept, plain(op, local_get(kept, sum_type), value)))
            else:
                body += self.statements(1, min(depth, 2))
        return body

    # -- Calls and branches ------------------------------------------------------------------

    def structured(self, valtype: ValType, depth: int) -> Node:
        """Return a call or a block with one result."""
        if self.rng.random() < 0.5:
            call = self.call((valtype,), depth)
            if call is not None:
                return call
        return self.block((valtype,), depth)

    def sequence(self, types: ResultType, depth: int) -> list[Node]:
        """Return nodes that push values of these types, or one node that pushes them all."""
        if len(types) > 1 and self.left > 0 and depth > 0 and not self.calm:
            kind = self.rng.random()
            if kind < 0.3:
                return [self.block(types, depth - 1)]
            call = self.call(types, depth) if kind < 0.6 else None
            if call is not None:
                return [call]
        return self.expressions(types, depth)

    def call(self, results: ResultType, depth: int) -> Node | None:
        """Return a call with exactly these results, if something has them."""
        indices = range(len(HOST_FUNCS) + len(self.program.functions))
        found = [k for k in indices if self.program.func_type(k).results == results]
        return self._call_of(self.rng.choice(found), depth) if found else None

    def _call_of(self, func_index: int, depth: int, tail: bool = False) -> Node:
        """Return a call of a function, direct or through a table."""
        rng = self.rng
        func_type = self.program.func_type(func_index)
        args = self.sequence(func_type.params, depth - 1)
        types = () if tail else func_type.results
        prefix = "return_" if tail else ""
        table, places = FIXED, self._places(func_index)
        if rng.random() < self.trapping:
            table = self.table_of(FUNCREF) or FIXED
            index = self.expression(I32, depth - 1)
        elif not places or rng.random() < 0.6:
            return Node(BY_TEXT[f"{prefix}call"], (func_index,), args, types)
        else:
            index = const(I32, rng.choice(places))
            if rng.random() < 0.5:  # one that LLVM does not see
                kept, get = self._tee(self.expression(I32, depth - 1))
                zero = plain(BY_TEXT["i32.xor"], kept, get())
                index = plain(BY_TEXT["i32.add"], index, zero)
        op = BY_TEXT[f"{prefix}call_indirect"]
        return Node(op, (func_type, table), [*args, index], types)

    def _places(self, func_index: int) -> list[int]:
        """Return where the table that nobody writes has a function of that type."""
        wanted = self.program.func_type(func_index)
        return [
            elem.offset + number
            for elem in self.program.elems
            if elem.table == FIXED
            for number, item in enumerate(elem.items)
            if item.op is BY_TEXT["ref.func"] and self.program.func_type(item.imm[0]) == wanted
        ]

    def _branch(self, depth: int) -> Node:
        """Return a branch outwards (or to a loop's head), taken or not."""
        rng = self.rng
        label = rng.choice(self.labels)
        kind = rng.random()
        if kind < 0.5:
            args = [*self.expressions(label.types, depth - 1), self.expression(I32, depth - 1)]
            branch = Node(BY_TEXT["br_if"], (label.number,), args, label.types)
            return self._drop([branch], label.types)[0]
        same = [other.number for other in self.labels if other.types == label.types]
        args = self.expressions(label.types, depth - 1)
        if kind < 0.8:
            targets = tuple(rng.choice(same) for _ in range(rng.choice((0, 1, 2, 5, 40))))
            index = self.expression(I32, depth - 1)
            if rng.random() < 0.5:
                index = plain(BY_TEXT["i32.and"], index, const(I32, 7))
            op, imm = BY_TEXT["br_table"], (targets, label.number)
            end = Node(op, (imm,), [*args, index])
        elif kind < 0.9:
            end = Node(BY_TEXT["br"], (label.number,), args)
        else:
            end = self._return(depth)
        test = self.expression(I32, depth - 1)
        return Node(BY_TEXT["if"], (FuncType((), ()),), [test], (), [[end]], -2)

    def _return(self, depth: int) -> Node:
        """Return a return, a tail call, or rarely the end of it all."""
        rng = self.rng
        if rng.random() < self.trapping:
            return Node(BY_TEXT["unreachable"])
        results = self.func_type.results
        count = len(HOST_FUNCS) + len(self.program.functions)
        found = [k for k in range(count) if self.program.func_type(k).results == results]
        if found and rng.random() < 0.6:
            return self._call_of(rng.choice(found), depth, tail=True)
        return Node(BY_TEXT["return"], (), self.expressions(results, depth - 1))

    # -- Statements --------------------------------------------------------------------------

    def statements(self, count: int, depth: int) -> list[Node]:
        """Return nodes that push nothing."""
        return [node for _ in range(count) for node in self.statement(depth)]

    def statement(self, depth: int) -> list[Node]:
        """Return one or a few nodes that push nothing."""
        rng = self.rng
        self.left -= 1
        if self.left < 0 or depth <= 0:
            return [Node(BY_TEXT["nop"])] if rng.random() < 0.1 else []
        kind = rng.random()
        if kind < 0.25:
            valtype = self.random_type()
            return [local_set(self._writable(valtype), self.expression(valtype, depth))]
        if kind < 0.4:
            ops = [op for op in STORES if self.vectors or V128 not in op.params]
            return [self.store(rng.choice(ops), depth)]
        if kind < 0.5:
            return [self._global_set(depth)]
        if kind < 0.57 and not self.calm:
            return self.trace(self.random_type(), depth)
        if kind < 0.62 and not self.calm:
            return [self._table_statement(depth)]
        if kind < 0.67 and not self.calm:
            return [self._bulk(depth)]
        if kind < 0.75 and not self.calm:
            return [self._branch(depth)]
        if kind < 0.82 and not self.calm:
            return [self.counted(depth)]
        if kind < 0.93 and not self.calm:
            return [self.block((), depth)]
        if self.calm:
            return [local_set(self._writable(I32), self.expression(I32, depth))]
        index = rng.randrange(len(HOST_FUNCS) + len(self.program.functions))
        call = self._call_of(index, depth)
        return self._drop([call], call.types)

    def _global_set(self, depth: int) -> Node:
        globals_ = self.program.globals
        found = [k for k, item in enumerate(globals_) if item.mutable and k != FUEL]
        if not found:
            return Node(BY_TEXT["nop"])
        index = self.rng.choice(found)
        value = self.visible(globals_[index].valtype, depth - 1)
        return Node(BY_TEXT["global.set"], (index,), [value])

    def trace(self, valtype: ValType, depth: int) -> list[Node]:
        """Return calls that show the host a value."""
        return self.show(self.expression(valtype, depth - 1))

    def show(self, value: Node) -> list[Node]:
        """Return calls that show the host the value of a node."""
        valtype = value.types[0]
        call = BY_TEXT["call"]
        if valtype is V128:
            kept, get = self._tee(value)
            lane = BY_TEXT["i64x2.extract_lane"]
            parts = [plain(lane, kept, imm=0), plain(lane, get(), imm=1)]
            return [Node(call, (_TRACES[I64],), [part]) for part in parts]
        if valtype.is_reference:
            value = Node(BY_TEXT["ref.is_null"], (), [value], (I32,))
        return [Node(call, (_TRACES[value.types[0]],), [value])]

    def _table_statement(self, depth: int) -> Node:
        rng = self.rng
        elem = rng.choice((FUNCREF, EXTERNREF))
        table = self.table_of(elem, written=True)
        if table is None:
            return Node(BY_TEXT["nop"])
        at, count = self._range(self.program.tables[table].limits.min, depth)
        kind = rng.randrange(5)
        if kind == 0:
            args = [self.table_index(table, depth), self.expression(elem, depth - 1)]
            return Node(BY_TEXT["table.set"], (table,), args)
        if kind == 1:
            args = [at, self.expression(elem, depth - 1), count]
            return Node(BY_TEXT["table.fill"], (table,), args)
        segments = [k for k, item in enumerate(self.program.elems) if item.elem is elem]
        if kind == 2 and segments:
            return Node(BY_TEXT["elem.drop"], (rng.choice(segments),))
        if kind == 3 and segments:
            number = rng.choice(segments)
            # A dropped segment, and an active one, has no items left.
            count = const(I32, 1) if rng.random() < self.trapping else const(I32, 0)
            return Node(BY_TEXT["table.init"], (number, table), [at, const(I32, 0), count])
        other = self.table_of(elem)
        assert other is not None
        smaller = min(self.program.tables[k].limits.min for k in (table, other))
        at, count = self._range(smaller, depth)
        source = const(I32, rng.randrange(smaller // 2 + 1))
        return Node(BY_TEXT["table.copy"], (table, other), [at, source, count])

    def _range(self, size: int, depth: int) -> tuple[Node, Node]:
        """Return start and length of a range: of anything under the size, inside mostly."""
        rng = self.rng
        if rng.random() < self.trapping:
            return self.expression(I32, depth - 1), const(I32, rng.choice((0, 1, size, -1)))
        half = max(size // 2, 1)
        start = plain(BY_TEXT["i32.rem_u"], self.expression(I32, depth - 1), const(I32, half))
        length = plain(BY_TEXT["i32.rem_u"], self.expression(I32, depth - 1), const(I32, half))
        return (start, length) if size > 1 else (const(I32, 0), const(I32, 0))

    def _bulk(self, depth: int) -> Node:
        rng = self.rng
        at, length = self._range(min(self.program.memory.min * 65536, 2048), depth)
        kind = rng.randrange(4)
        if kind == 0:
            args = [at, self.expression(I32, depth - 1), length]
            return plain(BY_TEXT["memory.fill"], *args, imm=0)
        segments = [k for k, item in enumerate(self.program.data) if item.offset is None]
        if kind == 1 and segments:
            return plain(BY_TEXT["data.drop"], imm=rng.choice(segments))
        if kind == 2 and segments:
            size = rng.choice((1, 5)) if rng.random() < self.trapping * 3 else 0
            args = [at, const(I32, 0), const(I32, size)]
            return plain(BY_TEXT["memory.init"], *args, imm=(rng.choice(segments), 0))
        source = const(I32, rng.randrange(1024) if self.program.memory.min else 0)
        return plain(BY_TEXT["memory.copy"], at, source, length, imm=(0, 0))


def pops_of(types: ResultType) -> list[Node]:
    """Return nodes for values that stand on the stack already."""
    return [Node(None, (), [], (valtype,)) for valtype in types]
