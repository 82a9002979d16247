"""Where things are: this package, the runtime's sources, the user's cache. Quick to import."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from .errors import LinkError

PACKAGE: Final = Path(__file__).resolve().parent


def find_runtime() -> Path:
    """Return the folder of the runtime's sources: in an installed package or in a checkout."""
    for folder in (PACKAGE / "_runtime", PACKAGE.parent / "runtime"):
        if (folder / "include" / "mvvm_module.h").is_file():
            return folder
    raise LinkError("the runtime's sources are missing from this installation: install it again")


def cache_folder() -> Path:
    """Return the cache's folder (MVVM_CACHE_DIR, else XDG's); it need not exist yet."""
    override = os.environ.get("MVVM_CACHE_DIR")
    if override:
        return Path(override).absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG base directory specification: what is not absolute is ignored.
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "mvvm-aot"
