"""A seed -> a program: types, tables, globals and segments first, then the functions.

Exported are entry functions, which fill up the fuel, call a function and show the host its
results, and last a function that shows all globals and tables.
"""

from __future__ import annotations

import random
from typing import Final

from mvvm_aot.wasmparser.opcodes import BY_TEXT
from mvvm_aot.wasmparser.types import FuncType, Limits, ResultType, ValType

from .expressions import (
    EXTERNREF,
    FUNCREF,
    I32,
    const,
    local_get,
    local_set,
    random_type,
    random_types,
)
from .program import HOST_FUNCS, Data, Elem, Function, Global, Node, Program, Table, plain
from .statements import FUEL, Statements

ENTRY: Final = FuncType((EXTERNREF,), ())
_PARAMS: Final = (0, 1, 1, 2, 2, 3, 4, 6, 9, 14, 22)
_RESULTS: Final = (0, 1, 1, 1, 1, 2, 3, 5, 9)
_LOCALS: Final = (0, 1, 2, 3, 5, 8, 14, 40)


def generate(seed: int) -> Program:
    """Return the program of a seed."""
    return _Generator(random.Random(seed)).program()


class _Generator:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.made = Program()
        self.vectors = rng.random() < 0.6
        self.trapping = rng.choice((0.0, 0.0, 0.002, 0.03))
        self.fuel = rng.choice((20, 60, 150))
        self.inner = rng.randint(2, 7)  # functions that are neither entries nor special

    def program(self) -> Program:
        """Return the whole program."""
        rng, made = self.rng, self.made
        pool = [self._func_type() for _ in range(rng.randint(1, 5))]
        made.types = pool
        made.functions = [Function(rng.choice(pool), [], []) for _ in range(self.inner)]
        made.memory = Limits(rng.choice((1, 1, 2)), rng.choice((2, 3, 4)))
        self._tables()
        self._globals()
        self._segments()
        for number, function in enumerate(made.functions[: self.inner]):
            maker = self._statements(function.type)
            made.functions[number] = maker.function(rng.choice((20, 60, 150)))
        if rng.random() < 0.04:
            self._exhausting()
        for _ in range(rng.randint(2, 4)):
            made.exports.append(self._add(self._entry()))
        if rng.random() < 0.2:
            made.start = self._add(self._start())
        made.exports.append(self._add(self._look()))
        return made

    def _func_type(self) -> FuncType:
        params = random_types(self.rng, _PARAMS, self.vectors)
        return FuncType(params, random_types(self.rng, _RESULTS, self.vectors))

    def _statements(self, func_type: FuncType, declared: ResultType | None = None) -> Statements:
        if declared is None:
            declared = random_types(self.rng, _LOCALS, self.vectors)
        maker = Statements(self.rng, self.made, func_type, [*declared])
        maker.vectors, maker.trapping = self.vectors, self.trapping
        return maker

    def _add(self, function: Function) -> int:
        self.made.functions.append(function)
        return len(HOST_FUNCS) + len(self.made.functions) - 1

    # -- What functions work on --------------------------------------------------------------

    def _ref(self, elem: ValType) -> Node:
        """Return a constant expression for a reference."""
        count = len(HOST_FUNCS) + self.inner
        if elem is EXTERNREF or self.rng.random() < 0.2:
            return Node(BY_TEXT["ref.null"], (elem,), [], (elem,))
        return Node(BY_TEXT["ref.func"], (self.rng.randrange(count),), [], (FUNCREF,))

    def _tables(self) -> None:
        rng = self.rng
        size = len(HOST_FUNCS) + self.inner + rng.randint(0, 5)
        self.made.tables = [Table(FUNCREF, Limits(size, rng.choice((None, size))))]
        for _ in range(rng.randint(0, 3)):
            size = rng.choice((0, 1, 5, 20))
            limits = Limits(size, rng.choice((size, size + 3, size + 40)))
            self.made.tables.append(Table(rng.choice((FUNCREF, EXTERNREF)), limits))

    def _globals(self) -> None:
        rng = self.rng
        self.made.globals = [Global(I32, True, const(I32, self.fuel))]
        constants = self._statements(FuncType((), ()), ())
        for _ in range(rng.randint(0, 8)):
            valtype = random_type(rng, self.vectors)
            init = self._ref(valtype) if valtype.is_reference else constants.constant(valtype)
            self.made.globals.append(Global(valtype, rng.random() < 0.8, init))

    def _segments(self) -> None:
        rng, made = self.rng, self.made
        everyone = range(len(HOST_FUNCS) + self.inner)
        items = [Node(BY_TEXT["ref.func"], (index,), [], (FUNCREF,)) for index in everyone]
        rng.shuffle(items)
        made.elems = [Elem(FUNCREF, items, 0, 0)]
        for _ in range(rng.randint(0, 3)):
            elem = rng.choice((FUNCREF, EXTERNREF))
            refs = [self._ref(elem) for _ in range(rng.choice((0, 1, 4)))]
            made.elems.append(Elem(elem, refs))
            found = [k for k, table in enumerate(made.tables) if k and table.elem is elem]
            if found and rng.random() < 0.5:
                table = rng.choice(found)
                room = made.tables[table].limits.min - len(refs)
                if room >= 0 or rng.random() < self.trapping:
                    made.elems[-1] = Elem(elem, refs, table, max(room, 0))
        size = made.memory.min * 65536
        for _ in range(rng.randint(0, 4)):
            content = rng.randbytes(rng.choice((0, 5, 64, 1000)))
            wild = size if rng.random() < self.trapping else size - len(content)
            made.data.append(Data(content, rng.choice((None, 0, 100, wild))))

    # -- Special functions -------------------------------------------------------------------

    def _exhausting(self) -> None:
        """Add functions that call each other for ever."""
        func_type = FuncType((I32, *random_types(self.rng, (0, 1, 9), self.vectors)), (I32,))
        first = len(HOST_FUNCS) + len(self.made.functions)
        for number in range(2):
            args: list[Node] = [local_get(k, t) for k, t in enumerate(func_type.params)]
            call = Node(BY_TEXT["call"], (first + 1 - number,), args, (I32,))
            self._add(Function(func_type, [], [plain(BY_TEXT["i32.add"], call, const(I32, 1))]))
        self.made.exhausts = True

    def _refuel(self) -> Node:
        return Node(BY_TEXT["global.set"], (FUEL,), [const(I32, self.fuel)])

    def _shown(self, maker: Statements, call: Node) -> list[Node]:
        """Return the call, and calls that show its results."""
        kept = [maker.new_local(valtype) for valtype in call.types]
        values = [call]
        for index in reversed(kept):
            values = [local_set(index, *values)]
        for index, valtype in zip(kept, call.types, strict=True):
            values += maker.show(local_get(index, valtype))
        return values

    def _entry(self) -> Function:
        rng = self.rng
        maker = self._statements(ENTRY, random_types(rng, (0, 2), self.vectors))
        maker.left = 40
        index = len(HOST_FUNCS) + rng.randrange(len(self.made.functions[: self.inner]))
        if self.made.exhausts and rng.random() < 0.3:
            index = len(HOST_FUNCS) + self.inner
        args = maker.sequence(self.made.func_type(index).params, 2)
        call = Node(BY_TEXT["call"], (index,), args, self.made.func_type(index).results)
        body = [self._refuel(), *self._shown(maker, call)]
        return Function(ENTRY, maker.types[1:], body)

    def _start(self) -> Function:
        maker = self._statements(FuncType((), ()), ())
        function = maker.function(20)
        function.body.insert(0, self._refuel())
        return function

    def _look(self) -> Function:
        """Return the function that shows globals, tables and the memory's size."""
        maker = self._statements(ENTRY, ())
        body = maker.show(plain(BY_TEXT["memory.size"], imm=0))
        for index, item in enumerate(self.made.globals):
            if index != FUEL:
                body += maker.show(Node(BY_TEXT["global.get"], (index,), [], (item.valtype,)))
        for number, table in enumerate(self.made.tables):
            body += maker.show(Node(BY_TEXT["table.size"], (number,), [], (I32,)))
            for at in range(min(table.limits.min, 8)):
                get = Node(BY_TEXT["table.get"], (number,), [const(I32, at)], (table.elem,))
                body += maker.show(get)
        return Function(ENTRY, maker.types[1:], body)
