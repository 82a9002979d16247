"""Locals that are written through: stored at home wherever they are set.

A poll's leave stores what is live and not at home. Where many loops poll while a local that none of
them names waits for better days, as in ``printf``, each of their leaves would store it. It is less
code to store it where it is set, once for all; its value may stay in a register as well.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from .liveness import BLOCK, END, IF, LOOP, SEGMENT, Scan, bits_of

FEW: Final = 32  # points of a function that is small anyway: there the stores would cost time only
HOT: Final = 4  # places outside that one in a loop without calls counts for


def written_through(scan: Scan, entry: int, polled: Container[int]) -> int:
    """Return the locals (bit set) that fewer places set than polls would have to store.

    ``entry``: the locals that are live at the function's entry; ``polled``: the loops that poll.
    ``scan`` has been completed by ``analyze_function``.
    """
    waiting: dict[int, int] = {}  # local -> polls of loops that do not name it
    for index, loop in scan.loops.items():
        if index in polled and not loop.has_calls:
            for local in bits_of(loop.live & ~loop.uses):
                waiting[local] = waiting.get(local, 0) + 1
    if not waiting:
        return 0
    cost = {local: entry >> local & 1 for local in waiting}
    candidates = sum(1 << local for local in waiting)
    weights = [1]
    for event in scan.events:
        kind = event[0]
        if kind == SEGMENT:
            for local in bits_of(~event[2] & candidates):
                cost[local] += weights[-1]
        elif kind in (BLOCK, LOOP, IF):
            around = scan.loops.get(event[1]) if kind == LOOP else None
            weights.append(weights[-1] * (HOT if around and not around.has_calls else 1))
        elif kind == END:
            weights.pop()
    return sum(1 << local for local, polls in waiting.items() if polls > cost[local])
