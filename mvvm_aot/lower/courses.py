"""What locals hold in counted loops, said to LLVM again (counted.py; docs/internals.md, section 2).

Behind a poll only the counter of each loop around is loaded. Which iteration it stands for is
brought within bounds, whatever a snapshot says, and all locals with a course follow from that.
So what is assumed at a loop's header is true of every execution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import points

if TYPE_CHECKING:
    from mvvm_aot.counted import Counted, Course

    from .function import FunctionLowering


def assume_courses(fn: FunctionLowering, counted: Counted) -> None:
    """Emit, at a loop's header, within which bounds its locals are."""
    for course in counted.courses:
        low, high = course.bounds(counted.trips)
        llvm = f"i{course.bits}"
        above = fn.emit(f"sub {llvm} {fn.local(course.local)}, {low}")
        test = fn.emit(f"icmp ult {llvm} {above}, {high - low + 1}")
        fn.lines.append(f"  call void @llvm.assume(i1 {test})")


def enter_courses(fn: FunctionLowering, counted: Counted, index: int) -> dict[int, str]:
    """Emit, behind a poll, what the locals of a counted loop hold there; return their values.

    ``index``: of the polled loop, which is the counted loop or stands in it.
    """
    counter = counted.courses[0]
    llvm, size = f"i{counter.bits}", abs(counter.step)
    first, second = fn.emit(points.load_local(fn, counter.local)), str(_start(counter, index))
    if counter.step < 0:
        first, second = second, first
    number = fn.emit(f"sub {llvm} {first}, {second}")
    if size > 1:
        number = fn.emit(f"udiv {llvm} {number}, {size}")
    limited = f"@llvm.umin.{llvm}({llvm} {number}, {llvm} {counted.trips - 1})"
    numbers = {counter.bits: fn.emit(f"call {llvm} {limited}")}
    values: dict[int, str] = {}
    for course in counted.courses:
        llvm = f"i{course.bits}"
        if course.bits not in numbers:
            change = "zext" if course.bits > counter.bits else "trunc"
            of = f"i{counter.bits} {numbers[counter.bits]}"
            numbers[course.bits] = fn.emit(f"{change} {of} to {llvm}")
        way = fn.emit(f"mul {llvm} {numbers[course.bits]}, {course.step}")
        values[course.local] = fn.emit(f"add {llvm} {way}, {_start(course, index)}")
    return values


def _start(course: Course, index: int) -> int:
    """Return what a local holds in the first iteration at the loop at ``index``."""
    return course.start + (course.step if course.update < index else 0)
