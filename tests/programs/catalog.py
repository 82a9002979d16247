"""The programs: what each is built from, how it is run, how it ends.

One row per program; `tests.programs.build` makes the modules. The expected output is not written
here: WebAssembly engines agree on it (tests/diff), and a moved run must agree with one that
never moved (tests/migrate).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

TRAPPED: Final = 134  # exit status of an executable whose guest trapped

# Without stack protectors: their random canary would make each run's memory another.
C_FLAGS: Final = (
    "-fno-sanitize=undefined",
    "-fno-stack-protector",
    "-Wl,--strip-debug",
    "-Wl,-z,stack-size=262144",
)


@dataclass(frozen=True, slots=True)
class Program:
    """One program: a source file, compiler flags, and the circumstances of a run."""

    name: str
    source: str
    flags: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    stdin: bytes = b""
    data_dir: bool = False  # a fresh directory is pre-opened as /data
    status: int = 0
    trap: str = ""  # the specification's message, when the guest traps
    sampled: bool = False  # it passes thousands of points: only some of them are tried
    stack_size: int | None = None  # of the Wasm call stack, bytes
    depth_varies: bool = False  # it fills the call stack: how many calls that takes is the ISA's
    x86_cpu: str | None = None  # the CPU that the x86-64 executable is for
    memory_varies: bool = False  # clocks or file facts stay in memory: its hash says nothing


def _c(
    name: str,
    *,
    source: str = "",
    level: str = "-O2",
    args: tuple[str, ...] = (),
    env: tuple[tuple[str, str], ...] = (),
    stdin: bytes = b"",
    data_dir: bool = False,
    status: int = 0,
    trap: str = "",
    sampled: bool = False,
    x86_cpu: str | None = None,
    memory_varies: bool = False,
) -> Program:
    return Program(
        name,
        source or f"{name}.c",
        (level, *C_FLAGS),
        args,
        env,
        stdin,
        data_dir,
        status,
        trap,
        sampled,
        x86_cpu=x86_cpu,
        memory_varies=memory_varies,
    )


def _wat(name: str, *, status: int = 0, trap: str = "", sampled: bool = False) -> Program:
    return Program(name, f"{name}.wat", status=status, trap=trap, sampled=sampled)


def _trap(kind: str, message: str, *, level: str = "-O2") -> Program:
    name = f"trap-{kind}{'-O0' if level == '-O0' else ''}"
    return _c(name, source="traps.c", level=level, args=(kind,), status=TRAPPED, trap=message)


PROGRAMS: Final[tuple[Program, ...]] = (
    _c("recursion", sampled=True),
    _c("mutual"),
    _c("locals200"),
    _c("params"),
    _c("params-O0", source="params.c", level="-O0"),
    _c("vectors", sampled=True),
    _c("vectors-avx", source="vectors.c", level="-O3", sampled=True, x86_cpu="x86-64-v3"),
    _c("loops", sampled=True),
    _c("callbacks"),
    _c("stdio"),
    _c("sleeps", memory_varies=True),
    _c("reads", stdin=b"the input arrives in pieces of seven bytes\n"),
    _c("files", data_dir=True, memory_varies=True),
    _c("arguments", args=("one", "two words", ""), env=(("COLOUR", "blue"),), status=7),
    _c("exits", status=100),
    _c("machine"),
    _c("machine-O0", source="machine.c", level="-O0"),
    _c("table"),
    _c("sorts"),
    _c("bigint"),
    _c("matrix"),
    _c("matrix-O0", source="matrix.c", level="-O0"),
    _c("sieve", sampled=True),
    _c("queens"),
    _c("digest"),
    _c("interpreter"),
    _c("interpreter-O0", source="interpreter.c", level="-O0"),
    _c("trees"),
    _c("heap"),
    _c("crowded", sampled=True),
    _c("numbers"),
    _trap("division", "integer divide by zero"),
    _trap("overflow", "integer overflow"),
    _trap("conversion", "invalid conversion to integer"),
    _trap("huge", "integer overflow"),
    _trap("memory", "out of bounds memory access"),
    _trap("unreachable", "unreachable"),
    _trap("nowhere", "undefined element"),
    _trap("type", "indirect call type mismatch"),
    _trap("division", "integer divide by zero", level="-O0"),
    _wat("operands"),
    _wat("branches"),
    _wat("indirect"),
    _wat("multivalue"),
    _wat("extremes"),
    _wat("loop_shapes", sampled=True),
    _wat("counted"),
    _wat("attempts", sampled=True, status=TRAPPED, trap="out of bounds memory access"),
    _wat("rare", sampled=True),
    _wat("globals"),
    _wat("grow"),
    _wat("bulk", status=TRAPPED, trap="out of bounds memory access"),
    _wat("conversions"),
    _wat("integers"),
    _wat("floats"),
    _wat("start"),
    _wat("wide_frames"),
    _wat("simd"),
    _wat("tail_calls"),
    _wat("tables", status=TRAPPED, trap="out of bounds table access"),
    _wat("references", status=TRAPPED, trap="uninitialized element"),
    _wat("mixture", status=TRAPPED, trap="out of bounds memory access"),
    replace(
        _wat("exhaust", status=TRAPPED, trap="call stack exhausted", sampled=True),
        stack_size=1 << 17,
        depth_varies=True,
    ),
)

# A run of seconds, for moments chosen by a clock; the test gives the argument.
LONG: Final = _c("longs")
