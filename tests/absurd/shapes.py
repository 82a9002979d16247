"""Modules that no toolchain makes, of any size: SHAPES[name](size) -> bytes.

Each is valid (unless its name says otherwise), tiny to describe and huge to translate. They are
made when the tests run; nothing is stored. ``python -m tests.absurd`` times the compiler's stages
on them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.unit.wasmparser import builder as b

GET, SET, TEE = b.LOCAL_GET + b"\0", b.LOCAL_SET + b"\0", b.LOCAL_TEE + b"\0"
ONE: Final = b.I32_CONST + b"\1"
OPEN_BLOCK, OPEN_LOOP, OPEN_IF = b.BLOCK + b.EMPTY, b.LOOP + b.EMPTY, b.IF + b.EMPTY
BR_TABLE: Final = b"\x0e"
CALL_0, CALL_1 = b.CALL + b"\0", b.CALL + b"\1"

Shape = Callable[[int], bytes]
SHAPES: Final[dict[str, Shape]] = {}


def shape(make: Shape) -> Shape:
    """Enter a shape into the table by its function's name."""
    SHAPES[make.__name__] = make
    return make


def function(instrs: bytes, *local_runs: bytes, **options: bytes) -> bytes:
    """Return a module with a function [i32] -> [] (or of other params and results)."""
    given = {"params": b.I32, **options}
    return b.func_module(
        instrs,
        local_runs=local_runs,
        sections={b.EXPORT: b.vec(b.name("_start") + b"\0\0")},
        **given,  # type: ignore[arg-type]
    )


def functions(bodies: list[bytes], types: list[bytes], of: list[int], imports: int = 0) -> bytes:
    """Return a module: imports of type 0 (the call of ``sched_yield``), then functions."""
    entry = b.name("wasi_snapshot_preview1") + b.name("sched_yield") + b"\0\0"
    sections = [(b.TYPE, b.vec(*types))]
    if imports:
        sections.append((b.IMPORT, b.vec(*[entry] * imports)))
    sections += [
        (b.FUNCTION, b.vec(*map(b.u32, of))),
        (b.EXPORT, b.vec(b.name("_start") + b"\0" + b.u32(imports))),
        (b.CODE, b.vec(*bodies)),
    ]
    return b.HEADER + b"".join(b.section(number, contents) for number, contents in sections)


# -- Nesting ---------------------------------------------------------------------------------


@shape
def blocks(size: int) -> bytes:
    """Nest blocks."""
    return function(OPEN_BLOCK * size + b.END * size)


@shape
def blocks_left_at_once(size: int) -> bytes:
    """Nest blocks; from each there is a branch to the outermost."""
    levels = [OPEN_BLOCK + GET + b.BR_IF + b.u32(depth) for depth in range(size)]
    return function(b"".join(levels) + b.END * size)


@shape
def blocks_left_one_by_one(size: int) -> bytes:
    """Nest blocks, and leave each by a branch after the local has changed."""
    step = GET + b.BR_IF + b"\0" + GET + ONE + b.I32_ADD + SET + b.END
    return function(OPEN_BLOCK * size + step * size)


@shape
def loops(size: int) -> bytes:
    """Nest loops that nothing goes back to."""
    return function(OPEN_LOOP * size + b.END * size)


@shape
def loops_that_loop(size: int) -> bytes:
    """Nest loops, each with a back edge."""
    count = GET + ONE + b.I32_ADD + TEE + b.BR_IF + b"\0" + b.END
    return function(OPEN_LOOP * size + count * size)


@shape
def ifs(size: int) -> bytes:
    """Nest ifs without else."""
    return function((GET + OPEN_IF) * size + b.END * size)


@shape
def ifs_and_elses(size: int) -> bytes:
    """Nest ifs, the inner one in the else."""
    arm = GET + OPEN_IF + GET + ONE + b.I32_ADD + SET + b.ELSE
    return function(arm * size + b.END * size)


@shape
def loops_with_calls(size: int) -> bytes:
    """Nest loops, each with a back edge and a call that is a point."""
    level = OPEN_LOOP + CALL_0 + b.DROP
    back = GET + ONE + b.I32_ADD + TEE + b.BR_IF + b"\0" + b.END
    code = level * size + back * size
    return functions([b.body(code)], [b.func_type(b"", b.I32), b.func_type(b.I32)], [1], 1)


# -- Wide control ----------------------------------------------------------------------------


@shape
def br_table_of_one_label(size: int) -> bytes:
    """Have a br_table whose labels are all the same."""
    return function(OPEN_BLOCK + GET + BR_TABLE + b.vec(*[b"\0"] * size) + b"\0" + b.END)


@shape
def br_table_of_many_labels(size: int) -> bytes:
    """Have a br_table with as many blocks around it."""
    labels = b.vec(*map(b.u32, range(size)))
    step = b.END + GET + ONE + b.I32_ADD + SET
    return function(
        OPEN_BLOCK * (size + 1) + GET + BR_TABLE + labels + b.u32(size) + step * size + b.END
    )


@shape
def branches_to_one_label(size: int) -> bytes:
    """Have many br_ifs to one block, the local different at each."""
    step = GET + ONE + b.I32_ADD + TEE + b.BR_IF + b"\0"
    return function(OPEN_BLOCK + step * size + b.END + GET + b.DROP)


@shape
def branches_with_many_locals(size: int) -> bytes:
    """Have as many branches to one block as there are locals, each set anew at each branch."""
    step = b"".join(GET + b.LOCAL_SET + b.u32(k + 1) + GET + b.BR_IF + b"\0" for k in range(size))
    use = b"".join(b.LOCAL_GET + b.u32(k + 1) + b.DROP for k in range(size))
    return function(OPEN_BLOCK + step + b.END + use, b.u32(size) + b.I32)


@shape
def calls_with_many_locals(size: int) -> bytes:
    """Have as many locals as calls, all live at all calls."""
    sets = b"".join(GET + b.LOCAL_SET + b.u32(k + 1) for k in range(size))
    use = b"".join(b.LOCAL_GET + b.u32(k + 1) + b.DROP for k in range(size))
    code = sets + (CALL_0 + b.DROP) * size + use
    types = [b.func_type(b"", b.I32), b.func_type(b.I32)]
    return functions([b.body(code, b.u32(size) + b.I32)], types, [1], 1)


# -- Long code -------------------------------------------------------------------------------


@shape
def straight_line(size: int) -> bytes:
    """Have a function of this many instructions without control."""
    return function((GET + ONE + b.I32_ADD + SET) * (size // 4))


@shape
def stores(size: int) -> bytes:
    """Have a function of this many loads and stores."""
    step = GET + GET + b"\x28\2\0" + b"\x36\2\4"
    memory = {b.MEMORY: b.vec(b"\0\1")}
    return b.func_module(step * (size // 4), params=b.I32, sections=memory)


@shape
def calls(size: int) -> bytes:
    """Have a function of this many calls, each a point."""
    types = [b.func_type(b"", b.I32), b.func_type()]
    return functions([b.body((CALL_0 + b.DROP) * size)], types, [1], 1)


@shape
def calls_of_a_leaf(size: int) -> bytes:
    """Have a function of this many calls that are no points."""
    types = [b.func_type(b"", b.I32), b.func_type()]
    bodies = [b.body((CALL_1 + b.DROP) * size), b.body(ONE)]
    return functions(bodies, types, [1, 0])


@shape
def operands(size: int) -> bytes:
    """Push this many operands, then add them up."""
    return function((GET + b.NOP) * size + b.I32_ADD * (size - 1) + b.DROP)


@shape
def operands_over_a_call(size: int) -> bytes:
    """Push this many operands, call, then add them up."""
    code = GET * size + CALL_0 + b.I32_ADD * size + b.DROP
    return functions([b.body(code)], [b.func_type(b"", b.I32), b.func_type(b.I32)], [1], 1)


@shape
def locals_over_a_call(size: int) -> bytes:
    """Have this many locals, each live at a call."""
    sets = b"".join(GET + b.LOCAL_SET + b.u32(k) for k in range(1, size))
    use = b"".join(b.LOCAL_GET + b.u32(k) + b.I32_ADD for k in range(1, size))
    code = sets + CALL_0 + use + b.DROP
    types = [b.func_type(b"", b.I32), b.func_type(b.I32)]
    return functions([b.body(code, b.u32(size) + b.I32)], types, [1], 1)


@shape
def blocks_of_many_results(size: int) -> bytes:
    """Nest blocks of a thousand results each."""
    many = b.func_type(b"", b.I32 * 1000)
    code = (b.BLOCK + b"\1") * size + GET * 1000 + b.END * size + b.DROP * 1000
    return functions([b.body(code)], [b.func_type(b.I32), many], [0])


@shape
def calls_of_many_params(size: int) -> bytes:
    """Call a function of a thousand parameters and results, its results its arguments."""
    many = b.func_type(b.I32 * 1000, b.I32 * 1000)
    first = GET * 1000 + CALL_1 * size + b.DROP * 1000
    second = b"".join(b.LOCAL_GET + b.u32(k) for k in range(1000))
    return functions([b.body(first), b.body(second)], [b.func_type(b.I32), many], [0, 1])


# -- Long sections ---------------------------------------------------------------------------


@shape
def many_functions(size: int) -> bytes:
    """Have this many functions, each calling the next."""
    bodies = [b.body(b.CALL + b.u32(k + 1)) for k in range(size - 1)] + [b.body(b"")]
    return functions(bodies, [b.func_type()], [0] * size)


@shape
def many_types(size: int) -> bytes:
    """Have this many different function types."""
    kinds = (b.I32, b.I64, b.F32, b.F64)
    digits = range(9)
    types = [b.func_type(b"".join(kinds[k >> 2 * d & 3] for d in digits)) for k in range(size)]
    return functions([b.body(b"")], [*types, b.func_type()], [size])


def _sections(entries: dict[int, bytes]) -> bytes:
    return b.func_module(b"", sections=entries)


@shape
def many_exports(size: int) -> bytes:
    """Have this many exports of one function."""
    return _sections({b.EXPORT: b.vec(*(b.name(f"export{k}") + b"\0\0" for k in range(size)))})


@shape
def many_globals(size: int) -> bytes:
    """Have this many globals."""
    return _sections({b.GLOBAL: b.vec(*[b.I32 + b"\1" + ONE + b.END] * size)})


@shape
def many_tables(size: int) -> bytes:
    """Have this many tables."""
    return _sections({b.TABLE: b.vec(*[b.FUNCREF + b"\0\1"] * size)})


@shape
def many_data_segments(size: int) -> bytes:
    """Have this many data segments of a byte each."""
    segments = b.vec(*(b"\0" + ONE + b.END + b"\1" + bytes([k & 255]) for k in range(size)))
    return _sections({b.MEMORY: b.vec(b"\0\1"), b.DATA: segments})


@shape
def many_elem_segments(size: int) -> bytes:
    """Have this many element segments of an element each."""
    segments = b.vec(*[b"\0" + ONE + b.END + b"\1\0"] * size)
    return _sections({b.TABLE: b.vec(b.FUNCREF + b"\0\2"), b.ELEM: segments})


@shape
def long_elem_segment(size: int) -> bytes:
    """Have one element segment of this many elements."""
    segment = b"\1\0" + b.vec(*[b"\0"] * size)
    return _sections({b.TABLE: b.vec(b.FUNCREF + b"\0\2"), b.ELEM: b.vec(segment)})


@shape
def many_imports(size: int) -> bytes:
    """Have this many imports of one function."""
    return functions([b.body(b"")], [b.func_type(b"", b.I32), b.func_type()], [1], size)


@shape
def long_data(size: int) -> bytes:
    """Have one data segment of this many bytes."""
    segment = b"\1" + b.u32(size) + bytes(range(256)) * (size // 256) + bytes(size % 256)
    return _sections({b.MEMORY: b.vec(b"\0\1"), b.DATA: b.vec(segment)})


@shape
def long_name(size: int) -> bytes:
    """Export a function under a name of this many bytes, and call it so in the name section."""
    names = b.custom("name", b.section(1, b.vec(b"\0" + b.name("y" * size))))
    return _sections({b.EXPORT: b.vec(b.name("x" * size) + b"\0\0")}) + names


@shape
def long_constant_expression(size: int) -> bytes:
    """Initialise a global by a sum of this many terms, all on the stack at once."""
    init = ONE * size + b.I32_ADD * (size - 1) + b.END
    return _sections({b.GLOBAL: b.vec(b.I32 + b"\0" + init)})
