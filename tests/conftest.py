"""What all tests share: no MVVM_ variable reaches a program under test; who shares a worker."""

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


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests share a worker (`--dist loadgroup`): a file's, and all of programs."""
    for item in items:
        folder = item.path.parent.name
        group = "programs" if folder in ("diff", "migrate") else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
