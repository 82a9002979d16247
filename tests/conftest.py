"""What all tests share: no MVVM_ variable of the caller's shell reaches a program under test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

_OURS = {"MVVM_CACHE_DIR", "MVVM_CACHE_SIZE", "MVVM_FUZZ_SECONDS", "MVVM_BLESS"}


@pytest.fixture(autouse=True, scope="session")
def clean_environment() -> Iterator[None]:
    saved = {name: value for name, value in os.environ.items() if name.startswith("MVVM_")}
    for name in saved.keys() - _OURS:
        del os.environ[name]
    yield
    os.environ.update(saved)
