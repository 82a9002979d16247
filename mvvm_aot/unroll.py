"""Small loops that are lowered several times over, so that they poll less often (DESIGN.md, 3).

A poll takes two instructions, and a loop that copies a string or follows a list has hardly more of
its own. Where a loop must poll and cannot be strip-mined (loops.py), its body is emitted COPIES
times in a row, each of which may leave the loop; only the last one goes back through the poll.
What is lowered several times is short, holds no loop, and calls nothing: so no point but the
loop's own, and nothing that takes long, is in it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Final

from .loops import LONG
from .wasmparser.opcodes import BY_TEXT
from .wasmparser.validated import ValidatedFunction

COPIES: Final = 4  # of a loop, at most
MAX_SIZE: Final = 80  # WebAssembly instructions of all copies together

_ONCE: Final = frozenset(LONG) | {
    BY_TEXT[text] for text in ("loop", "return_call", "return_call_indirect")
}


def find_copies(
    vf: ValidatedFunction, polled: Iterable[int], strips: Container[int]
) -> dict[int, int]:
    """Return how often each loop that is worth it is lowered, by the index of its ``loop``.

    ``polled``: the loops that poll; ``strips``: those that are strip-mined, or counted.
    """
    found = {}
    for loop in polled:
        end = vf.end_of[loop]
        copies = min(COPIES, MAX_SIZE // (end - loop))
        if copies < 2 or loop in strips:
            continue
        if all(vf.instrs[index][1] not in _ONCE for index in range(loop + 1, end)):
            found[loop] = copies
    return found
