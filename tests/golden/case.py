"""A golden test is one .wat file: options, input, and behind a marker the IR that is expected.

    ;; options: migration=no
    (module ...)
    ;; -- expected --
    ;; define hidden preserve_nonecc ...

The expected text is that of the module's own functions (not stubs, thunks, data), commented out,
so that the file as a whole stays a module. ``python -m tests.golden.bless`` rewrites it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import wasmtime

from mvvm_aot.lower import lower_module
from mvvm_aot.plan import plan_points
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.validate import validate_module

HERE = Path(__file__).resolve().parent
MARKER = ";; -- expected --\n"
OPTIONS = ";; options:"
DEFINED = re.compile(r"^define [^\n]*@m0_f\d+\(.*?^}$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Case:
    """One file, taken apart."""

    path: Path
    source: str
    expected: str

    @property
    def migration(self) -> bool:
        """Whether the module is lowered with migration points."""
        first = self.source.splitlines()[0]
        options = first.removeprefix(OPTIONS).split() if first.startswith(OPTIONS) else []
        unknown = set(options) - {"migration=no"}
        assert not unknown, f"{self.path.name}: unknown options {sorted(unknown)}"
        return "migration=no" not in options

    def actual(self) -> str:
        """Lower the module; return what ought to be expected."""
        vm = validate_module(decode_module(bytes(wasmtime.wat2wasm(self.source))))
        ir = lower_module(vm, plan_points(vm, migration=self.migration))
        imported = vm.module.num_imported_funcs
        functions = DEFINED.findall(ir)[imported:]
        lines = [line for text in functions for line in text.splitlines() if line.strip()]
        return "".join(f";; {line}\n" for line in lines)

    def blessed(self) -> str:
        """Return the file's text with what the module is lowered to now."""
        return self.source + MARKER + self.actual()


def cases() -> list[Case]:
    """Return all golden tests."""
    found = []
    for path in sorted(HERE.glob("*.wat")):
        source, _, expected = path.read_text().partition(MARKER)
        found.append(Case(path, source, expected))
    return found
