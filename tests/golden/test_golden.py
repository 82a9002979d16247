"""What modules are lowered to, line by line."""

from __future__ import annotations

import pytest

from .case import Case, cases

CASES = cases()


def test_there_are_cases() -> None:
    assert len(CASES) >= 8


@pytest.mark.parametrize("case", CASES, ids=[case.path.stem for case in CASES])
def test_golden(case: Case) -> None:
    assert case.actual() == case.expected
