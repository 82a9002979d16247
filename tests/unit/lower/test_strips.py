"""Strip-mined loops run exactly as often as the loops that they replace."""

from __future__ import annotations

from functools import cache

import pytest

from mvvm_aot.targets import TARGETS

from .harness import RUNNABLE, Answer, Call, Program

STEPS = (1, 4, -1, -3, 7, 4096)
CHUNK = 4096


def _counting(step: int, comparison: str) -> str:
    """Return a function that counts $x up to $end; it returns iterations and a checksum."""
    return f"""(func (param $x i32) (param $end i32) (param $limit i32) (result i32 i32)
      (local $n i32) (local $sum i32)
      (block (loop
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if 1 (i32.ge_u (local.get $n) (local.get $limit)))
        (local.set $sum (i32.add (i32.rotl (local.get $sum) (i32.const 1)) (local.get $x)))
        (br_if 0 (i32.{comparison} (local.tee $x (i32.add (local.get $x) (i32.const {step})))
          (local.get $end)))))
      (local.get $n) (local.get $sum))"""


@cache
def program() -> Program:
    """One function per step."""
    funcs = "".join(_counting(step, "ne") for step in STEPS)
    return Program(f"(module {funcs})")


def simulate(step: int, x: int, end: int, limit: int) -> Answer:
    n = total = 0
    while True:
        n += 1
        if n >= limit:
            break
        total = ((total << 1 | total >> 31) + x) & 0xFFFF_FFFF
        x = (x + step) & 0xFFFF_FFFF
        if x == end:
            break
    return n, total


def cases() -> list[tuple[int, int, int, int]]:
    """Return (step number, start, end, limit): whole numbers of steps, others, wrapping ones."""
    found = []
    for number, step in enumerate(STEPS):
        for count in (1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 9000):
            for start in (0, 100, 0xFFFF_FFF0):
                found.append((number, start, (start + count * step) & 0xFFFF_FFFF, 10000))
        found.append((number, 5, 5, 10000))  # once around: stopped by the limit
        found.append((number, 5, (5 + 10 * step + 1) & 0xFFFF_FFFF, 10000))
        found.append((number, 5, (5 - 3 * step) & 0xFFFF_FFFF, 4099))
    return found


@pytest.mark.parametrize("opt_level", [0, 2])
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_iterations(name: str, opt_level: int) -> None:
    target = TARGETS[name]
    if target not in RUNNABLE:
        pytest.fail(f"needs {target.qemu}")
    assert program().strips() == len(STEPS)
    calls: list[Call] = [(case[0], case[1:]) for case in cases()]
    answers = program().call(calls, target, opt_level)
    for (number, start, end, limit), answer in zip(cases(), answers, strict=True):
        assert answer == simulate(STEPS[number], start, end, limit), (STEPS[number], start, end)


COMPARISONS = {
    "lt_u": (1, 3), "le_u": (1, 3), "lt_s": (1, 3), "le_s": (1, 3),
    "gt_u": (-1, -5), "ge_u": (-1, -5), "gt_s": (-1, -5), "ge_s": (-1, -5),
}  # fmt: skip


@cache
def comparing() -> Program:
    """One function per comparison and step."""
    funcs = "".join(
        _counting(step, comparison) for comparison, steps in COMPARISONS.items() for step in steps
    )
    return Program(f"(module {funcs})")


def simulate_comparing(comparison: str, step: int, x: int, end: int, limit: int) -> Answer:
    def number(value: int) -> int:
        return value - (1 << 32) if comparison.endswith("_s") and value >> 31 else value

    n = total = 0
    while True:
        n += 1
        if n >= limit:
            return n, total
        total = ((total << 1 | total >> 31) + x) & 0xFFFF_FFFF
        x = (x + step) & 0xFFFF_FFFF
        a, b = number(x), number(end)
        goes_on = {"lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b}[comparison[:2]]
        if not goes_on:
            return n, total


ENDS = (0, 1, 5, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)


@pytest.mark.parametrize("opt_level", [0, 2])
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_iterations_of_loops_that_compare(name: str, opt_level: int) -> None:
    """Around the ends of both number ranges, where the local wraps around, and at chunks' ends."""
    shapes = [(c, step) for c, steps in COMPARISONS.items() for step in steps]
    assert comparing().strips() == len(shapes)
    calls: list[Call] = []
    wanted = []
    for number, (comparison, step) in enumerate(shapes):
        for end in ENDS:
            for distance in (-2, 0, 1, 3, CHUNK - 1, CHUNK, CHUNK + 1, 5000):
                start = (end - distance * step) & 0xFFFF_FFFF
                calls.append((number, (start, end, 9000)))
                wanted.append(simulate_comparing(comparison, step, start, end, 9000))
    answers = comparing().call(calls, TARGETS[name], opt_level)
    for call, answer, want in zip(calls, answers, wanted, strict=True):
        assert answer == want, (shapes[call[0]], call)
