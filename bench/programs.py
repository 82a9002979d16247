"""The programs that are measured: names, groups, sizes, and where their sources come from.

Each takes its size as its last argument: `full` runs 0.5 to 3 s natively, `quick` about a tenth
of that, `tiny` what an instruction counter can bear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bench.sources import Sources, bzip2_sources, lua_sources, own_sources, sqlite_sources


@dataclass(frozen=True, slots=True)
class Build:
    """What is compiled: several programs may share one."""

    name: str
    fetch: Callable[[Path], Sources]


@dataclass(frozen=True, slots=True)
class Program:
    """A program with its arguments at each size."""

    name: str
    group: str
    build: Build
    full: tuple[str, ...]
    quick: tuple[str, ...]
    tiny: tuple[str, ...]

    def arguments(self, size: str) -> tuple[str, ...]:
        """Return the arguments of a size: full, quick or tiny."""
        return {"full": self.full, "quick": self.quick, "tiny": self.tiny}[size]


def _own(group: str, rows: Iterable[tuple[str, int, int, int]]) -> list[Program]:
    """Make programs whose one C file is programs/GROUP/NAME.c."""
    return [
        Program(
            name,
            GROUPS[group],
            Build(name, partial(own_sources, group, name)),
            (str(full),),
            (str(quick),),
            (str(tiny),),
        )
        for name, full, quick, tiny in rows
    ]


def _lua(script: str, full: int, quick: int, tiny: int) -> Program:
    """Make a program that runs one script under the common build of Lua."""
    sizes = [(script, str(size)) for size in (full, quick, tiny)]
    return Program(f"lua-{script}", GROUPS["real"], LUA, *sizes)


def _real(build: Build, full: int, quick: int, tiny: int) -> Program:
    return Program(build.name, GROUPS["real"], build, (str(full),), (str(quick),), (str(tiny),))


GROUPS: Final = {
    "field": "the field's twelve",
    "dense": "linear algebra and stencils",
    "general": "general",
    "real": "real programs",
}
LUA: Final = Build("lua", lua_sources)

PROGRAMS: Final = (
    *_own(
        "field",
        (
            ("nbody", 5_000_000, 500_000, 20_000),
            ("trees", 400, 40, 2),
            ("fannkuch", 5, 1, 1),
            ("mandelbrot", 1100, 350, 60),
            ("llama", 200, 20, 2),
            ("bfs", 800, 60, 1),
            ("pagerank", 150, 15, 1),
            ("components", 700, 70, 1),
            ("components_sv", 100, 10, 1),
            ("sssp", 40, 4, 1),
            ("betweenness", 120, 12, 1),
            ("triangles", 16, 14, 10),
        ),
    ),
    *_own(
        "dense",
        (
            ("matmul", 40, 4, 1),
            ("lu", 40, 4, 1),
            ("cholesky", 50, 5, 1),
            ("covariance", 60, 6, 1),
            ("syrk", 50, 5, 1),
            ("gemver", 250, 25, 1),
            ("durbin", 1000, 100, 5),
            ("floyd", 10, 1, 1),
            ("stencil", 1200, 100, 2),
            ("seidel", 200, 20, 2),
            ("heat3d", 500, 50, 2),
        ),
    ),
    *_own(
        "general",
        (
            ("tak", 42, 37, 24),
            ("words", 150, 15, 1),
            ("mix", 30_000, 3_000, 100),
            ("mlp", 1500, 150, 3),
        ),
    ),
    _real(Build("sqlite", sqlite_sources), 80_000, 8_000, 300),
    _lua("fib", 35, 30, 18),
    _lua("strings", 8_000, 800, 80),
    _lua("sort", 50_000, 5_000, 150),
    _lua("bodies", 250_000, 25_000, 500),
    _real(Build("bzip2", bzip2_sources), 6144, 600, 40),
)
QUICK: Final = (
    *("nbody", "trees", "mandelbrot", "llama", "bfs", "pagerank", "sssp"),
    *("matmul", "lu", "stencil", "floyd", "tak", "words", "mix", "mlp", "bzip2"),
)  # what `make bench-quick` runs: builds that take seconds
BY_NAME: Final = {program.name: program for program in PROGRAMS}


def select(names: Iterable[str], groups: Iterable[str]) -> list[Program]:
    """Return the programs of these names or groups (keys of GROUPS), all without any."""
    wanted, kinds = set(names), {GROUPS[group] for group in groups}
    if not wanted and not kinds:
        return list(PROGRAMS)
    return [item for item in PROGRAMS if item.name in wanted or item.group in kinds]
