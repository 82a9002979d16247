"""The table of host functions, against the C one, and the check of imports."""

from __future__ import annotations

import re

import pytest
import wasmtime

from mvvm_aot.errors import LinkError, UnsupportedFeature
from mvvm_aot.hostfuncs import HOST_FUNCS, check_imports
from mvvm_aot.link import find_runtime
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.module import Module


def c_rows(macro: str) -> dict[str, str]:
    """Return the rows of an X macro of mvvm_wasi.h."""
    text = (find_runtime() / "include" / "mvvm_wasi.h").read_text().replace("\\\n", " ")
    line = next(line for line in text.splitlines() if line.startswith(f"#define {macro}(X)"))
    return dict(re.findall(r'X\((\w+), "([^"]*)"\)', line))


def test_the_table_is_the_runtimes() -> None:
    both = c_rows("MVVM_WASI_COMMON") | c_rows("MVVM_WASI_VERSIONED")
    preview1 = both | c_rows("MVVM_WASI_PREVIEW1_ONLY")
    assert HOST_FUNCS["wasi_unstable"] == both
    assert HOST_FUNCS["wasi_snapshot_preview1"] == preview1
    assert len(preview1) == 46
    env = (find_runtime() / "src" / "env.c").read_text()
    assert dict(re.findall(r'\{"env", "(\w+)", "([^"]*)"', env)) == HOST_FUNCS["env"]


def module(imports: str) -> Module:
    return decode_module(bytes(wasmtime.wat2wasm(f"(module {imports})")))


def test_known_imports_pass() -> None:
    check_imports(
        module(
            '(import "env" "__checkpoint" (func (param i32)))'
            '(import "wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32)))'
        )
    )


@pytest.mark.parametrize(
    ("imports", "kind", "reason"),
    [
        ('(import "env" "nobody" (func))', LinkError, 'unknown import "env.nobody"'),
        ('(import "a" "b" (func)) (import "c" "d" (func))', LinkError, 'imports "a.b", "c.d"'),
        ('(import "env" "__checkpoint" (func))', LinkError, r"of type \[\] -> \[\]"),
        ('(import "env" "__checkpoint" (func (param v128)))', LinkError, "v128"),
        ('(import "js" "mem" (memory 1))', UnsupportedFeature, 'memory "js.mem"'),
    ],
)
def test_others_are_named(imports: str, kind: type[Exception], reason: str) -> None:
    with pytest.raises(kind, match=reason):
        check_imports(module(imports))
