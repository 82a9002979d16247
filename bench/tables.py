"""Figures -> Markdown tables, and the means that stand below them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Figures = Mapping[str, Any]


def geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean of positive numbers; raises ValueError without any."""
    logs = [math.log(value) for value in values]
    if not logs:
        raise ValueError("no values")
    return math.exp(sum(logs) / len(logs))


def percentile(values: Iterable[float], share: float) -> float:
    """Return the least value that at least `share` (0 to 1) of all values do not exceed."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return a Markdown table; all columns but the first are aligned to the right."""
    lines = [
        "| " + " | ".join(header) + " |",
        "|---|" + "---:|" * (len(header) - 1),
    ]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def by_group(items: Iterable[Figures]) -> dict[str, list[Figures]]:
    """Return the items by their key `group`, in the order of their first appearance."""
    found: dict[str, list[Figures]] = {}
    for item in items:
        found.setdefault(item["group"], []).append(item)
    return found


def worst(items: Iterable[Figures], value: str) -> tuple[float, str]:
    """Return the greatest of the items' ratios and the program that has it."""
    return max((item["ratios"][value], item["program"]) for item in items)
