"""Which loads of a strip-mined loop LLVM cannot do without: instructions -> indices of loads.

A load out of bounds traps even if its value is of no use, but LLVM drops such loads. Elsewhere each
load's value is kept by an empty ``asm`` (docs/internals.md, "Loads that nobody uses"); in a loop
that LLVM may vectorise, that would keep it from doing so. There the loads found here go without.
Their values reach, in every iteration,

- a store that nothing overwrites: at an address that moves on from iteration to iteration, and that
  no other store meets; or
- a local that the loop carries along and that takes in the value at each turn (``sum += x``): what
  becomes of it is kept at the loop's end; or
- the address of such a load;

and on the way there no operation can lose them: arithmetic of floats that meets no zero and no NaN
that LLVM knows never does; integer operations that can be undone (``+ - ^ << *``) do if they meet
the same value again, perhaps one of another iteration. So the analysis follows linear forms of
addresses and tells loads apart that can never read the same place. Whatever it does not understand,
it takes for lost. A value that is stored where it was loaded from must have changed.

Requires that LLVM knows nothing of the locals' values at the loop's start, but for ``literals``.
Only loops without inner control flow and without other traps qualify: behind a branch, a load
could be moved to where its value is needed.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field, replace
from typing import Any, Final

from .liveness import bits_of
from .loops import Strip
from .wasmparser.opcodes import BY_TEXT, Op
from .wasmparser.types import ValType
from .wasmparser.validated import ValidatedFunction

# How many iterations LLVM may have in hand at once: vector lanes times copies of the body.
_AHEAD: Final = 1024
_UNKNOWN: Final = -1  # as a literal: there may be one, of which nothing is known here
_DOUBLES: Final = (0x3FF << 52, 0x7FF << 52, 63)
_BITS: Final = {ValType.I32: 32, ValType.I64: 64, ValType.F32: 32, ValType.F64: 64}
_FLOATS: Final = (ValType.F32, ValType.F64)


def _ops(names: str, *types: str) -> frozenset[Op]:
    return frozenset(BY_TEXT[f"{t}.{name}"] for name in names.split() for t in types)


_INTS: Final = ("i32", "i64")
_CHANGING: Final = _ops("add sub mul div sqrt ceil floor trunc nearest", "f32", "f64")
_FLOAT_OPS: Final = (
    _CHANGING
    | _ops("min max abs neg", "f32", "f64")
    | _ops("convert_i32_s convert_i32_u convert_i64_s convert_i64_u", "f32", "f64")
    | {BY_TEXT["f32.demote_f64"], BY_TEXT["f64.promote_f32"]}
)
_ADD, _SUB, _XOR = _ops("add", *_INTS), _ops("sub", *_INTS), _ops("xor", *_INTS)
_MUL, _SHL = _ops("mul", *_INTS), _ops("shl", *_INTS)
_EXTEND: Final = frozenset(BY_TEXT[f"i64.extend_i32_{sign}"] for sign in "su")
_WRAP: Final = BY_TEXT["i32.wrap_i64"]
_ORDERS: Final = _ops("lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u", *_INTS) | _ops(
    "lt gt le ge", "f32", "f64"
)
_TESTS: Final = _ORDERS | _ops("eq ne", *_INTS, "f32", "f64")
_EQZ: Final = _ops("eqz", *_INTS)
_CONSTS: Final = _ops("const", "i32", "i64", "f32", "f64")
_GET, _SET, _TEE = BY_TEXT["local.get"], BY_TEXT["local.set"], BY_TEXT["local.tee"]
_DROP, _NOP = BY_TEXT["drop"], BY_TEXT["nop"]

# A load by the index of its instruction, a local (its value at the iteration's start) as ~index.
Source = int
# Atoms of a linear form modulo 2**32: sources, and other values as strings.
Atom = int | str


@dataclass(frozen=True, slots=True)
class _Form:
    """``const`` plus the sum of atoms times their coefficients."""

    const: int = 0
    terms: frozenset[tuple[Atom, int]] = frozenset()

    def plus(self, other: _Form, times: int = 1) -> _Form:
        terms = dict(self.terms)
        for atom, factor in other.terms:
            terms[atom] = (terms.get(atom, 0) + times * factor) & 0xFFFF_FFFF
        kept = frozenset(item for item in terms.items() if item[1])
        return _Form((self.const + times * other.const) & 0xFFFF_FFFF, kept)

    @property
    def number(self) -> int | None:
        """The value as a signed number, if it is one."""
        return None if self.terms else (self.const ^ 1 << 31) - (1 << 31)


@dataclass(frozen=True, slots=True)
class _Way:
    """How a value holds a source: its lowest ``bits`` bits tell all but the ``lost`` highest ones.

    ``met``: what it has been combined with, and must differ from if it ``cancels``.
    """

    bits: int
    cancels: bool
    lost: int = 0
    met: frozenset[Source] = frozenset()

    def cut(self, width: int) -> _Way:
        """Return the way on through the lowest ``width`` bits."""
        over = max(self.bits - width, 0)
        return replace(self, bits=self.bits - over, lost=self.lost + over)


_Ways = dict[Source, _Way]


@dataclass(slots=True)
class _Value:
    """What is known of a value within an iteration."""

    valtype: ValType
    form: _Form
    ways: _Ways = field(default_factory=dict)
    deps: frozenset[Source] = frozenset()
    literal: int | None = None
    direct: bool = False  # just what a load read, a local held, or the least or greatest of such
    changed: bool = False  # a float that is certainly another one than what it was made of
    test: tuple[Op, _Value, _Value] | None = None

    def met(self, other: _Value) -> _Ways:
        """Return the ways on behind an operation with another value."""
        return {s: replace(way, met=way.met | other.deps) for s, way in self.ways.items()}


@dataclass(frozen=True, slots=True)
class _Access:
    address: _Value
    form: _Form  # the offset included
    size: int
    value: _Value | None = None  # that is stored


def staying_loads(
    vf: ValidatedFunction, loop: int, strip: Strip, carried: int, literals: Container[int]
) -> frozenset[int]:
    """Return the loads between a strip's ``loop`` and its branch that LLVM has to keep.

    ``carried``: the locals (a bit set) whose values are kept behind the loop; ``literals``: those
    that hold literals when it begins.
    """
    run = _Run(vf, loop, strip.branch, literals)
    for index in range(loop + 1, strip.branch):
        if not run.step(index):
            return frozenset()
    return _Judge(run).staying(carried)


class _Run:
    """One iteration, with symbols for the locals at its start."""

    def __init__(
        self, vf: ValidatedFunction, loop: int, branch: int, literals: Container[int]
    ) -> None:
        self.vf = vf
        self.literals = literals
        body = vf.instrs[loop + 1 : branch]
        self.written = {imm for _, op, imm in body if op is _SET or op is _TEE}
        self.read_only = not any(op.memory_size and not op.results for _, op, _ in body)
        self.stack: list[_Value] = []
        self.locals: dict[int, _Value] = {}
        self.first: dict[int, _Value] = {}
        self.loads: dict[int, _Access] = {}
        self.stores: dict[int, _Access] = {}

    def step(self, index: int) -> bool:
        """Take an instruction; return whether the loop still qualifies."""
        _, op, imm = self.vf.instrs[index]
        if op is _GET:
            self.stack.append(self.locals.get(imm) or self.start(imm))
        elif op is _SET:
            self.locals[imm] = self.stack.pop()
        elif op is _TEE:
            self.locals[imm] = self.stack[-1]
        elif op is _DROP:
            self.stack.pop()
        elif ValType.V128 in (*op.params, *op.results):
            return False
        elif op.memory_size:
            self.access(index, op, imm)
        elif op.text == "select":
            test, b, a = (self.stack.pop() for _ in range(3))
            self.stack.append(_select(index, test, a, b))
        elif op in _CONSTS:
            form = _Form(imm & 0xFFFF_FFFF) if op.results[0] is ValType.I32 else _opaque(index)
            self.stack.append(_Value(op.results[0], form, literal=imm))
        elif len(op.results) == 1 and op.params and not _may_trap(op):
            args = self.stack[len(self.stack) - len(op.params) :]
            del self.stack[len(self.stack) - len(op.params) :]
            self.stack.append(self.operation(index, op, args))
        else:
            return op is _NOP
        return True

    def start(self, index: int) -> _Value:
        """Return a local's value at the iteration's start."""
        value = self.first.get(index)
        if value is None:
            valtype, source = self.vf.locals[index], ~index
            form = _Form(0, frozenset({(source, 1)}))
            ways = {}
            if valtype in _BITS:
                ways = {source: _Way(_BITS[valtype], valtype not in _FLOATS)}
            literal = _UNKNOWN if index in self.literals else None
            value = _Value(valtype, form, ways, frozenset({source}), literal, direct=True)
            self.first[index] = value
        return value

    def access(self, index: int, op: Op, imm: Any) -> None:
        value = None if op.results else self.stack.pop()
        address = self.stack.pop()
        form = address.form.plus(_Form(imm[1]))
        access = _Access(address, form, op.memory_size, value)
        if not op.results:
            self.stores[index] = access
            return
        self.loads[index] = access
        valtype = op.results[0]
        ways = {index: _Way(8 * op.memory_size, valtype not in _FLOATS)}
        mine = _Form(0, frozenset({(index, 1)}))
        self.stack.append(_Value(valtype, mine, ways, frozenset({index}), direct=True))

    def operation(self, index: int, op: Op, args: list[_Value]) -> _Value:
        """Return the result of a plain operator."""
        valtype, a, b = op.results[0], args[0], args[-1]
        value = _Value(valtype, _opaque(index), deps=a.deps | b.deps)
        if op in _FLOAT_OPS:
            value.ways, value.changed = _float_operation(op, args)
        elif op in _EXTEND or op is _WRAP:
            value.ways = {source: way.cut(_BITS[valtype]) for source, way in a.ways.items()}
        elif op in _TESTS:
            value.ways, value.test = _test(op, a, b), (op, a, b)
        elif op in _EQZ and a.direct and a.literal is None:
            value.ways = {source: replace(way, bits=1) for source, way in a.ways.items()}
        elif op in _ADD or op in _SUB or op in _XOR:
            value.ways = _joined(a, b)
            if op not in _XOR and valtype is ValType.I32:
                value.form = a.form.plus(b.form, -1 if op in _SUB else 1)
        elif op in _MUL or op in _SHL:
            self.scale(value, op, a, b)
        if not value.ways:
            value.literal = _UNKNOWN
        return value

    def scale(self, value: _Value, op: Op, a: _Value, b: _Value) -> None:
        """Multiply, or shift left: the highest bits may get lost."""
        if op in _MUL and b.literal is None and a.literal is not None:
            a, b = b, a
        width = _BITS[a.valtype]
        if b.literal is None:
            if op in _MUL:
                value.ways = self.product(a, b)
            return
        factor = b.literal % (1 << width) if op in _MUL else 1 << b.literal % width
        if b.literal == _UNKNOWN or not factor:
            return
        zeros = (factor & -factor).bit_length() - 1
        value.ways = {s: replace(w, bits=w.bits + zeros).cut(width) for s, w in a.ways.items()}
        if width == 32:
            value.form = _Form().plus(a.form, factor)

    def product(self, a: _Value, b: _Value) -> _Ways:
        """Return the loads that a product depends on: LLVM must not know that the other is 0."""
        ways = _Ways()
        for one, other in ((a, b), (b, a)):
            (source,) = other.deps if other.direct and len(other.deps) == 1 else (None,)
            if source is None or other.literal is not None:
                continue
            # Memory that the loop writes to may hold what LLVM knows it has written.
            if (source >= 0 and self.read_only) or (source < 0 and ~source not in self.written):
                ways |= {s: way for s, way in one.met(other).items() if s >= 0}
        return ways


def _may_trap(op: Op) -> bool:
    """Whether a plain operator traps, or is one of those that move memory."""
    name = op.text.partition(".")[2]
    integer = op.text.startswith(_INTS) and name.startswith(("div_", "rem_", "trunc_f"))
    return integer or op.text.startswith(("memory.", "table.", "ref."))


def _opaque(index: int) -> _Form:
    return _Form(0, frozenset({(f"value of {index}", 1)}))


def _float_operation(op: Op, args: list[_Value]) -> tuple[_Ways, bool]:
    """Return the ways through an operation on floats, and whether it changes what it is given."""
    known = [arg.literal for arg in args if arg.literal is not None]
    if known and (op not in _CHANGING or not all(_is_plain(args[0].valtype, k) for k in known)):
        return {}, False
    ways = _Ways()
    for arg in args:
        met = frozenset().union(*(other.deps for other in args if other is not arg))
        for source, way in arg.ways.items():
            bits = _BITS[op.results[0]]
            ways[source] = replace(way, bits=bits, met=way.met | met)
    return ways, op in _CHANGING or any(arg.changed for arg in args)


def _is_plain(valtype: ValType, literal: int) -> bool:
    """Whether a float is none that LLVM might make an operation go away for: 0, 1, inf, NaN."""
    one, last, size = (0x7F << 23, 0xFF << 23, 31) if valtype is ValType.F32 else _DOUBLES
    return literal != _UNKNOWN and 0 < literal & (1 << size) - 1 < last and literal != one


def _joined(a: _Value, b: _Value) -> _Ways:
    """Return the ways through both operands. What comes on both meets itself, and is lost."""
    ways = a.met(b) | b.met(a)
    return {source: way for source, way in ways.items() if not (way.cancels and source in way.met)}


def _test(op: Op, a: _Value, b: _Value) -> _Ways:
    """Compare: certain is only what is compared as it was read, with something unknown."""
    if not (a.direct and a.literal is None):
        return {}
    if b.literal is not None:
        whole = all(way.bits == _BITS[a.valtype] for way in a.ways.values())
        ways = a.ways if whole and _is_undecided(op, a.valtype, b.literal) else {}
    else:
        ways = _joined(a, b) if b.direct else {}
    return {source: replace(way, bits=1) for source, way in ways.items()}


def _is_undecided(op: Op, valtype: ValType, literal: int) -> bool:
    """Whether a comparison with a literal depends on the other operand."""
    if literal == _UNKNOWN:
        return False
    if valtype in _FLOATS:
        return _is_plain(valtype, literal)
    size = _BITS[valtype]
    extremes = (
        (1 << size - 1, (1 << size - 1) - 1) if op.text.endswith("_s") else (0, (1 << size) - 1)
    )
    return op not in _ORDERS or literal % (1 << size) not in extremes


def _select(index: int, test: _Value, a: _Value, b: _Value) -> _Value:
    """The lesser or greater of two values has need of both; else all is lost."""
    deps = test.deps | a.deps | b.deps
    value = _Value(a.valtype, _opaque(index), {}, deps, _UNKNOWN)
    if test.test is None or test.test[0] not in _ORDERS:
        return value
    _, left, right = test.test
    same = (left is a and right is b) or (left is b and right is a)
    plain = all(v.direct and v.literal is None for v in (a, b))
    if same and plain:
        value.ways = _joined(a, b)
        value.literal, value.direct = None, True
    return value


class _Judge:
    """What of an iteration's values has to be computed."""

    def __init__(self, run: _Run) -> None:
        self.run = run
        self.steps: dict[int, int | None] = {}
        for index, value in run.locals.items():
            grown = value.form.plus(_Form(0, frozenset({(~index, 1)})), -1).number
            self.steps[index] = grown if value.valtype is ValType.I32 else None

    def staying(self, carried: int) -> frozenset[int]:
        """Return the loads that have to be made."""
        found: set[int] = set()
        for index in bits_of(carried):
            found |= self.accumulated(index)
        for index, store in self.run.stores.items():
            if self.remains(index, store):
                found |= self.stored(store)
        pending = list(found)
        while pending:  # what a load has for an address is needed, too
            more = self.certain(self.run.loads[pending.pop()].address.ways) - found
            found |= more
            pending += more
        return frozenset(found)

    def accumulated(self, index: int) -> set[int]:
        """Return the loads that a local takes in for good."""
        value = self.run.locals.get(index)
        if value is None:
            return set()
        own = value.ways.get(~index)
        if own is None or own.lost or own.bits != _BITS[value.valtype]:
            return set()
        return self.certain(value.ways, index)

    def stored(self, store: _Access) -> set[int]:
        """Return the loads of which a store's value is made."""
        assert store.value is not None
        ways = {s: way.cut(8 * store.size) for s, way in store.value.ways.items()}
        found = self.certain(ways)
        return {load for load in found if self.is_changed(load, store, found)}

    def is_changed(self, load: int, store: _Access, found: set[int]) -> bool:
        """Whether it is certain that a store does not put back what was loaded from there.

        ``found``: the loads that its value depends on.
        """
        value = store.value
        assert value is not None
        if not self.may_meet(store.form, self.run.loads[load].form) or value.changed:
            return True
        if value.form.terms == {(load, 1)}:
            return value.form.const != 0
        if all(atom == load for atom, _ in value.form.terms):
            return True
        return any(
            self.is_apart(source, store) if source >= 0 else ~source not in self.run.written
            for source in value.ways
            if source in found or source < 0
        )

    def is_apart(self, load: int, store: _Access) -> bool:
        """Whether a load is certainly from another place than the store's."""
        return not self.may_meet(store.form, self.run.loads[load].form)

    def may_meet(self, one: _Form, other: _Form) -> bool:
        """Whether two addresses of an iteration may be known to be the same."""
        distance = one.plus(other, -1)
        return not (distance.number or self.unknown(distance))

    def certain(self, ways: _Ways, local: int | None = None) -> set[int]:
        """Return the loads among the sources that have not been lost on their ways.

        Of a load's highest byte something must be left: it traps if its last byte is outside.
        """
        return {
            source
            for source, way in ways.items()
            if source >= 0
            and way.lost < 8
            and not (way.cancels and any(not self.differ(source, m, local) for m in way.met))
        }

    def differ(self, load: int, other: Source, local: int | None) -> bool:
        """Whether LLVM cannot find another source to hold the load's value of any iteration."""
        if other >= 0:
            return not self.related(load, other)
        index = ~other
        if index == local:  # it holds the loads of earlier iterations
            value = self.run.locals[index]
            step = self.step(self.run.loads[load].form)
            others = (s for s in value.deps if s >= 0 and s != load)
            return bool(step) and not any(self.related(load, s) for s in others)
        # Other locals may carry what an earlier iteration loaded.
        return index not in self.run.locals or self.steps[index] is not None

    def step(self, form: _Form) -> int | None:
        """Return by how much a form grows from an iteration to the next; None if unknown."""
        total = 0
        for atom, factor in form.terms:
            if isinstance(atom, str) or atom >= 0:
                return None
            step = self.steps.get(~atom, 0)
            if step is None:
                return None
            total += factor * step
        return _Form(total & 0xFFFF_FFFF).number

    def related(self, one: int, other: int) -> bool:
        """Whether two loads may be known to read the same place, be it in other iterations."""
        form = self.run.loads[one].form
        distance = form.plus(self.run.loads[other].form, -1)
        number = distance.number
        if number is None:
            return not self.unknown(distance)
        step = self.step(form)
        return not number or not step or (number % step == 0 and abs(number // step) <= _AHEAD)

    def unknown(self, distance: _Form) -> bool:
        """Whether nothing can be known of a distance: it is made of locals that only count."""
        atoms = [atom for atom, _ in distance.terms]
        return bool(atoms) and all(
            isinstance(atom, int) and atom < 0 and self.steps.get(~atom, 0) is not None
            for atom in atoms
        )

    def remains(self, index: int, store: _Access) -> bool:
        """Whether nothing overwrites a store, be it an iteration ahead."""
        step = self.step(store.form)
        if not step or abs(step) < store.size:
            return False
        return not any(
            self.overwrites(other, store, step, 0 if at > index else 1)
            for at, other in self.run.stores.items()
            if at != index
        )

    def overwrites(self, other: _Access, store: _Access, step: int, first: int) -> bool:
        """Whether a store of the ``first``-next iteration or a later one may meet this one."""
        distance = other.form.plus(store.form, -1)
        number = distance.number
        if number is None:
            return not self.unknown(distance)
        # The iterations k with -other.size < number + k * step < store.size
        low, high = -other.size + 1 - number, store.size - 1 - number
        if step < 0:
            low, high, step = -high, -low, -step
        return max(-(-low // step), first) <= min(high // step, _AHEAD)
