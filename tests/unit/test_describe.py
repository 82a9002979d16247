"""The description of a module in C."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import wasmtime

from mvvm_aot.describe import CodeSection, Description, c_string, canonical_types, describe_modules
from mvvm_aot.link import COMPILE_FLAGS, find_runtime, find_zig
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.validate import validate_module
from mvvm_aot.wasmparser.validated import ValidatedModule

WAT = r"""
(module $name
  (type (func (param i32 f64) (result i64)))
  (type (func (param i32 f64) (result i64)))
  (import "env" "fun\22\\?\n" (func (type 1)))
  (memory 2 7)
  (table 3 9 funcref)
  (global (mut i32) (i32.const -1))
  (global f64 (f64.const -0))
  (global funcref (ref.func 1))
  (export "caf\c3\a9" (func 1))
  (elem (i32.const 1) 1 0)
  (elem func 1)
  (data (i32.const 8) "active")
  (data "passive")
  (func (type 1) (i64.const 0))
  (start 2)
  (func))
"""


def module(wat: str) -> ValidatedModule:
    return validate_module(decode_module(bytes(wasmtime.wat2wasm(wat))))


def description(wat: str = WAT, prefix: str = "m0") -> Description:
    code = CodeSection(f"{prefix}_f1", 16, b"table")
    return Description("name", module(wat), (code,), prefix)


def compile_object(source: str, included: dict[str, bytes], folder: Path) -> None:
    (folder / "m.c").write_text(source)
    for name, data in included.items():
        (folder / name).write_bytes(data)
    command = [find_zig(), "cc", "-target", "x86_64-linux-musl", *COMPILE_FLAGS]
    flags = ["-Wall", "-Wextra", "-Werror", f"-I{find_runtime() / 'include'}"]
    done = subprocess.run(
        [*command, *flags, "-c", "m.c", "-o", "m.o"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_compiles_without_a_warning(tmp_path: Path) -> None:
    compile_object(*describe_modules([description()]), tmp_path)


def test_an_empty_module_compiles(tmp_path: Path) -> None:
    empty = Description("", module("(module)"), ())
    compile_object(*describe_modules([empty]), tmp_path)


def test_several_modules_compile_into_one_file(tmp_path: Path) -> None:
    source, included = describe_modules([description(), description(prefix="m1")])
    assert "mvvm_module_count = 2" in source
    assert included.keys() == {"m0_wasm.bin", "m0_table0.bin", "m1_wasm.bin", "m1_table0.bin"}
    compile_object(source, included, tmp_path)


def test_counts_and_limits() -> None:
    source, _ = describe_modules([description()])
    for line in (
        ".func_count = 3,",
        ".imported_func_count = 1,",
        ".memory_min_pages = 2,",
        ".memory_max_pages = 7,",
        ".start_func = 2u,",
        ".data_count = 2,",
        ".migratable = 1,",
    ):
        assert line in source


def test_data_points_into_the_module() -> None:
    source, _ = describe_modules([description()])
    raw = module(WAT).module.raw
    found = re.findall(r"m0_wasm \+ (\d+), (\d+)u", source)
    assert [raw[int(at) : int(at) + int(size)] for at, size in found] == [b"active", b"passive"]


def test_constants_keep_their_bits() -> None:
    source, _ = describe_modules([description()])
    assert "{MVVM_INIT_CONST, 0, {0xffffffffull, 0x0ull}}" in source
    assert "{MVVM_INIT_CONST, 0, {0x8000000000000000ull, 0x0ull}}" in source
    assert "{MVVM_INIT_FUNC, 1, {0, 0}}" in source


ARITHMETIC = """
  (import "a" "b" (global $b i32)) (import "a" "c" (global $c i64))
  (memory 1) (table 1 funcref)
  (global i32 (i32.sub (i32.mul (i32.const 0x10000) (i32.const 0x10001)) (i32.const 0x10001)))
  (global i64 (i64.mul (i64.const -3) (i64.add (i64.const 5) (i64.const 0x4000000000000000))))
  (global i32 (i32.mul (i32.const 2) (i32.add (global.get $b) (i32.const -1))))
  (data (i32.sub (global.get $b) (i32.const 600)) "x")
"""


def test_arithmetic_without_globals_is_done_here() -> None:
    source, _ = describe_modules([description(f"(module {ARITHMETIC})")])
    assert "{0x7f, 0, {MVVM_INIT_CONST, 0, {0xffffffffull, 0x0ull}}}" in source
    assert "{0x7e, 0, {MVVM_INIT_CONST, 0, {0x3ffffffffffffff1ull, 0x0ull}}}" in source


def test_arithmetic_with_globals_is_left_to_the_runtime() -> None:
    source, _ = describe_modules([description(f"(module {ARITHMETIC})")])
    assert "{0x7f, 0, {MVVM_INIT_STEPS, 0, {5, 3}}}" in source
    assert "{MVVM_SEGMENT_ACTIVE, {MVVM_INIT_STEPS, 5, {3, 2}}" in source
    steps = source.partition("m0_steps[] = {")[2].partition("};")[0].split("\n")[1:-1]
    assert [line.strip().removesuffix(",") for line in steps] == [
        "{MVVM_INIT_CONST, 0, {0x2ull, 0x0ull}}",
        "{MVVM_INIT_GLOBAL, 0, {0, 0}}",
        "{MVVM_INIT_CONST, 0, {0xffffffffull, 0x0ull}}",
        "{MVVM_INIT_I32_ADD, 0, {0, 0}}",
        "{MVVM_INIT_I32_MUL, 0, {0, 0}}",
        "{MVVM_INIT_GLOBAL, 0, {0, 0}}",
        "{MVVM_INIT_CONST, 0, {0x258ull, 0x0ull}}",
        "{MVVM_INIT_I32_SUB, 0, {0, 0}}",
    ]


def test_equal_types_share_a_number() -> None:
    assert canonical_types(module(WAT).module)[:2] == (0, 0)


def test_included_files_are_named_by_content() -> None:
    first, _ = describe_modules([description()])
    other = Description("name", module(WAT), (CodeSection("m0_f1", 16, b"other"),))
    assert describe_modules([other])[0] != first


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("plain", '"plain"'),
        ('a"b\\c', r'"a\042b\134c"'),
        ("??/", r'"\077\077/"'),
        ("é\n1", r'"\303\251\0121"'),
    ],
)
def test_strings_are_escaped(text: str, literal: str) -> None:
    assert c_string(text) == literal
