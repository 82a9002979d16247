"""A script's modules -> one executable for a target, harness included; cached by content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mvvm_aot import cache, pipeline
from mvvm_aot.describe import Description, describe_modules
from mvvm_aot.errors import CodegenError, UnsupportedFeature
from mvvm_aot.link import link_executable
from mvvm_aot.plan import plan_points
from mvvm_aot.progress import Silence
from mvvm_aot.targets import Target
from mvvm_aot.wasmparser.types import FuncType
from mvvm_aot.wasmparser.validated import ValidatedModule

from .conduct import Fate
from .modules import number_types

HARNESS: Final = Path(__file__).parent / "harness.c"


@dataclass(frozen=True, slots=True)
class Options:
    """How scripts are translated and run."""

    opt_level: int = 1
    roundtrip: int = 0  # lift and rewrite all frames at every n-th point; 0: never
    alternating: bool = False  # move to another ISA and back


@dataclass(frozen=True, slots=True)
class Built:
    """An executable, and why modules (by their number in the list given) are not in it."""

    executable: Path
    refused: Mapping[int, Fate]


def build_executable(
    modules: Sequence[ValidatedModule | None], target: Target, options: Options
) -> Built:
    """Translate the modules and link them, or find the result in the cache.

    None stands for a module that could not be loaded; it is neither translated nor refused.
    """
    digest = hashlib.sha256(HARNESS.read_bytes())
    for item in modules:
        digest.update(item.module.sha256 if item is not None else b"-")
    parts = {"kind": "spec", "target": target.name, "opt_level": options.opt_level}
    key = cache.artifact_key(digest.digest(), parts)
    found = cache.lookup(key)
    if found is None:
        program, refused = _build(modules, target, options)
        found = cache.store(key, program, {"refused": refused})
    fates = {
        int(number): Fate(**{kind: reason})
        for number, (kind, reason) in found.report["refused"].items()
    }
    return Built(found.path, fates)


def _build(
    modules: Sequence[ValidatedModule | None], target: Target, options: Options
) -> tuple[bytes, dict[str, tuple[str, str]]]:
    """Return the executable and per refused module ("feature" or "error", reason)."""
    type_ids = number_types([item for item in modules if item is not None])
    refused: dict[str, tuple[str, str]] = {}
    objects: list[bytes] = []
    descriptions: list[Description] = []
    for number, validated in enumerate(modules):
        if validated is None:
            continue
        try:
            code, description = translate_one(
                validated, f"m{number}", type_ids, target, opt_level=options.opt_level
            )
        except UnsupportedFeature as error:
            refused[str(number)] = ("feature", error.feature)
        except CodegenError as error:
            refused[str(number)] = ("error", str(error))
        else:
            objects += code
            descriptions.append(description)
    source, files = describe_modules(descriptions)
    folder = cache.cache_folder()
    program = link_executable(objects, source, files, target, folder, extra_sources=[HARNESS])
    return program, refused


def translate_one(
    validated: ValidatedModule,
    prefix: str,
    type_ids: Mapping[FuncType, int],
    target: Target,
    *,
    opt_level: int,
    migration: bool = True,
) -> tuple[list[bytes], Description]:
    """Translate one module of several, with its points and the proof, as an application's."""
    plan = plan_points(validated, migration=migration)
    options = pipeline.Options(target.name, opt_level=opt_level, migration=migration)
    translation = pipeline.translate(
        validated, plan, target, options, Silence(), prefix=prefix, type_ids=type_ids
    )
    description = replace(pipeline.describe(translation, prefix), type_ids=type_ids)
    return [code.data for code in translation.codes], description
