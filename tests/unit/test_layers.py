"""Who imports whom: the layers of HOUSE.md, read off the syntax trees."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STAGES = {
    "plan",
    "limits",
    "attempts",
    "through",
    "unroll",
    "loops",
    "counted",
    "staying",
    "liveness",
    "lower",
    "backend",
    "proof",
    "describe",
    "link",
} | {"hostfuncs"}
VALUES = {"wasmparser", "abi", "targets", "errors"}

# Part -> the parts of mvvm_aot that it may import.
ALLOWED = {
    "cli": {"api", "errors", "progress", "targets", "display", "__init__"},
    "api": {
        "cache",
        "errors",
        "places",
        "workers",
        "progress",
        "targets",
        "pipeline",
        "process",
        "inspection",
        "snapshot",
        "wasmparser",  # `validate` goes no further
    },
    "display": {"inspection", "snapshot"},
    "inspection": {"snapshot", "wasmparser"},
    "pipeline": STAGES | VALUES | {"cpus", "parts", "progress", "schedule", "workers"},
    "parts": {"describe", "lower", "modes", "plan", "wasmparser"},
    "schedule": {"errors", "modes", "parts", "progress", "workers"},
    "translation": {"backend", "lower", "modes", "parts", "plan", "proof"} | VALUES,
    "worker": {"backend", "errors", "targets", "translation"},
    "workers": {"errors", "worker"},
    "cpus": set(),
    "modes": set(),
    "process": {"errors", "abi"},
    "cache": {"errors", "places"},
    "places": {"errors"},
    "wasmparser": {"errors"},
    "snapshot": VALUES,
    "errors": set(),
    "abi": set(),
    "progress": set(),
    "targets": {"errors"},
    "link": {"errors", "places", "targets"},
    "backend": {"cpus", "errors", "modes", "repair", "targets"},
    "repair": set(),
    "describe": VALUES | {"cpus"},
    "hostfuncs": VALUES,
    "__main__": {"cli"},
    "__init__": {"api", "errors"},
}
FOREIGN = {
    "llvmlite": {"backend"},
    "ziglang": {"link"},
    "capstone": set(),
    "elftools": set(),
    "click": {"cli"},
    "rich": {"display", "progress"},
    "stackmaps": {"proof"},
}


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Yield the absolute names of what a file imports, wherever in it."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            if prefix == "mvvm_aot":
                yield from (f"{prefix}.{alias.name}" for alias in node.names)
            else:
                yield prefix


def part(path: Path) -> str:
    """Return a file's part of mvvm_aot: the module, or the subpackage."""
    return path.relative_to(ROOT / "mvvm_aot").with_suffix("").parts[0]


@pytest.mark.parametrize("path", files("mvvm_aot"), ids=lambda path: str(path.relative_to(ROOT)))
def test_parts_import_what_they_may(path: Path) -> None:
    own = part(path)
    allowed = ALLOWED.get(own, (STAGES - {"link", "backend", "proof", "describe"}) | VALUES)
    if own == "proof":
        allowed = {"abi", "describe", "errors", "plan", "targets", "wasmparser"}
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "mvvm_aot":
            other = rest.partition(".")[0] or "__init__"
            if (
                not (ROOT / "mvvm_aot" / other).is_dir()
                and not (ROOT / "mvvm_aot" / f"{other}.py").exists()
            ):
                other = "__init__"  # a name that the package itself defines
            assert other == own or other in allowed, f"{own} imports {other}"
        elif top in FOREIGN:
            assert own in FOREIGN[top], f"{own} imports {top}"


def test_the_parser_needs_the_standard_library_only() -> None:
    import sys

    for path in files("mvvm_aot/wasmparser"):
        for name in imports(path):
            top = name.partition(".")[0]
            assert top == "mvvm_aot" or top in sys.stdlib_module_names, f"{path.name}: {name}"


def test_stackmaps_knows_nothing_of_the_compiler() -> None:
    for path in files("stackmaps"):
        assert not any(name.startswith("mvvm_aot") for name in imports(path)), path.name


def test_the_package_lists_every_folder() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = set(config["tool"]["setuptools"]["packages"]) - {"mvvm_aot._runtime"}
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in ("mvvm_aot", "stackmaps")
        for path in (ROOT / package).rglob("__init__.py")
    }
    assert found == listed


def test_the_version_is_said_once() -> None:
    from mvvm_aot import __version__

    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert config["project"]["version"] == __version__
