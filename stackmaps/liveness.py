"""Backward liveness over a function's blocks: which units and stack bytes are alive where.

One dataflow per function. A block is first pressed into few steps: runs of plain instructions
become one (keep, use) pair; copies stay apart, since what they read depends on what is alive
behind them.
"""

from __future__ import annotations

from collections.abc import Mapping

from stackmaps.flow import Block, FunctionFlow
from stackmaps.isa.effects import Copy

# live before = live behind & keep | use | copies(live behind)
_Pressed = tuple[int, int, tuple[Copy, ...]]


def live_in(flow: FunctionFlow) -> dict[int, int]:
    """Return what is alive at the start of each block."""
    pressed = {start: _press(block) for start, block in flow.blocks.items()}
    predecessors: dict[int, list[int]] = {start: [] for start in flow.blocks}
    for start, block in flow.blocks.items():
        for successor in block.successors:
            if successor in predecessors:
                predecessors[successor].append(start)
    live = dict.fromkeys(flow.blocks, 0)
    pending = sorted(flow.blocks)
    waiting = set(pending)
    while pending:
        start = pending.pop()
        waiting.discard(start)
        alive = 0
        for successor in flow.blocks[start].successors:
            alive |= live.get(successor, 0)
        alive = _through(pressed[start], alive)
        if alive != live[start]:
            live[start] = alive
            for predecessor in predecessors[start]:
                if predecessor not in waiting:
                    waiting.add(predecessor)
                    pending.append(predecessor)
    return live


def live_behind(flow: FunctionFlow, live: Mapping[int, int], at: int) -> int:
    """Return what is alive behind the instruction at ``at``; ``live``: at the start of blocks."""
    block = flow.blocks[max(start for start in flow.blocks if start <= at)]
    alive = 0
    for successor in block.successors:
        alive |= live.get(successor, 0)
    for step in reversed(block.steps):
        if step.offset == at:
            break
        alive = _through([(~step.defs, step.use, step.copies)], alive)
    return alive


def _press(block: Block) -> list[_Pressed]:
    """Return a block's steps from its end to its start, plain runs pressed into one."""
    pressed: list[_Pressed] = []
    defs = use = 0
    for step in reversed(block.steps):
        copies = step.copies
        if copies:
            if defs or use:
                pressed.append((~defs, use, ()))
                defs = use = 0
            pressed.append((~step.defs, step.use, copies))
        else:
            use = use & ~step.defs | step.use
            defs |= step.defs
    if defs or use:
        pressed.append((~defs, use, ()))
    return pressed


def _through(pressed: list[_Pressed], alive: int) -> int:
    for keep, use, copies in pressed:
        before = alive & keep | use
        for copy in copies:
            before |= (alive >> copy.to & copy.mask) << copy.frm
        alive = before
    return alive


def first_read(flow: FunctionFlow, start: int, bits: int) -> int | None:
    """Return the offset of the nearest instruction from ``start`` on that reads any of ``bits``.

    Copies are followed from register to register.
    """
    pending = [(start, bits)]
    seen: dict[int, int] = {}
    while pending:
        at, wanted = pending.pop(0)
        if wanted & ~seen.get(at, 0) == 0 or at not in flow.blocks:
            continue
        seen[at] = seen.get(at, 0) | wanted
        block = flow.blocks[at]
        for step in block.steps:
            if step.use & wanted:
                return step.offset
            moved = 0
            for copy in step.copies:
                moved |= (wanted >> copy.frm & copy.mask) << copy.to
            wanted = wanted & ~step.defs | moved
            if not wanted:
                break
        else:
            pending += [(successor, wanted) for successor in block.successors]
    return None
