"""Small functions that mostly end before their first poll: tried without points, then called.

A function that searches a chain or compares strings must poll, since nobody knows how long it
takes; so each call of it is a point, and LLVM may not inline it (DESIGN.md, section 2). As long as
it only reads, though, it can be begun, given up and begun again. Of such functions lowering makes
an *attempt* as well: the same code, but where a loop has come to its poll TRIES times, or to the
end of a strip, the attempt is given up. It has no points, is never suspended, and may be inlined.
Who calls the function tries first, and makes the call, with its point, only if that has failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from . import abi
from .liveness import FunctionFlow, Scan
from .wasmparser.opcodes import BY_TEXT, Op
from .wasmparser.types import ValType
from .wasmparser.validated import ValidatedFunction

if TYPE_CHECKING:
    from .plan import FunctionPlan

TRIES: Final = 64  # polls that a loop comes to before its function's attempt is given up
MAX_SIZE: Final = 120  # WebAssembly instructions of a function that is worth an attempt

_PURE: Final = frozenset(BY_TEXT[text] for text in ("memory.size", "table.get", "table.size"))
_KINDS: Final = ("call", "return_call", "global.set", "memory.", "table.", "data.", "elem.")


def can_be_tried(vf: ValidatedFunction, scan: Scan, polls: Set[int]) -> bool:
    """Whether an attempt at a function can be given up at each poll, as if nothing had happened.

    ``polls``: the loops that poll. What has effects must come behind the last of them.
    """
    if not polls or len(vf.instrs) > MAX_SIZE or scan.callees or scan.indirect_types:
        return False
    if vf.type.results not in ((), (ValType.I32,)) or len(vf.type.params) > abi.MAX_FLOAT_PARAMS:
        return False
    ends = sorted((vf.end_of[loop], loop) for loop in polls)
    if any(inner > loop for loop in polls for end, inner in ends if end < vf.end_of[loop]):
        return False  # a loop around another one would multiply the tries
    last = ends[-1][0]
    return not any(_has_effects(op) for _, op, _ in vf.instrs[:last])


def _has_effects(op: Op) -> bool:
    """Whether an instruction changes anything besides locals and operands."""
    if op.memory_size:
        return not op.results
    return op.text.startswith(_KINDS) and op not in _PURE


def attempt_plan(plan: FunctionPlan) -> FunctionPlan:
    """Return the plan by which a function's attempt is lowered: no points, but counted loops."""
    tries: Mapping[int, int] = {
        index: 1 if index in plan.strips else TRIES for index in plan.points if index >= 0
    }
    loops = {
        index: replace(loop, has_points=False, has_calls=False)
        for index, loop in plan.flow.loops.items()
    }
    flow = FunctionFlow(plan.flow.entry, plan.flow.after_call, plan.flow.after_end, loops)
    return replace(plan, points={}, flow=flow, num_homes=0, tries=tries, counted={}, through=0)
