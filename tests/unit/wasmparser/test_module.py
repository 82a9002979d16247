"""module.py and names.py: index spaces, names, digests."""

from __future__ import annotations

import hashlib

import pytest

from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.module import instr_text
from mvvm_aot.wasmparser.opcodes import BY_TEXT, SELECT_TYPED
from mvvm_aot.wasmparser.types import FuncType, GlobalType, Limits, MemType, TableType, ValType

from . import builder as b

I32 = ValType.I32


def subsection(kind: int, contents: bytes) -> bytes:
    return b.section(kind, contents)


def name_map(entries: dict[int, str]) -> bytes:
    return b.vec(*(b.u32(index) + b.name(text) for index, text in entries.items()))


def imports_and_functions(*more: bytes) -> bytes:
    """Two imported functions, two of our own, one table, memory and global of each origin."""
    return b.HEADER + b"".join(
        [
            b.section(b.TYPE, b.vec(b.func_type(), b.func_type(b.I32, b.I64))),
            b.section(
                b.IMPORT,
                b.vec(
                    b.name("env") + b.name("f") + b"\x00\x01",
                    b.name("env") + b.name("t") + b"\x01\x70\x00\x01",
                    b.name("env") + b.name("m") + b"\x02\x00\x02",
                    b.name("env") + b.name("g") + b"\x03\x7f\x00",
                    b.name("wasi") + b.name("exit") + b"\x00\x00",
                ),
            ),
            b.section(b.FUNCTION, b.vec(b"\x01", b"\x00")),
            b.section(b.TABLE, b.vec(b"\x6f\x00\x03")),
            b.section(b.MEMORY, b.vec(b"\x00\x04")),
            b.section(b.GLOBAL, b.vec(b"\x7e\x01\x42\x00\x0b")),
            b.section(b.EXPORT, b.vec(b.name("go") + b"\x00\x02", b.name("again") + b"\x00\x02")),
            b.section(b.CODE, b.vec(b.body(b""), b.body(b""))),
            *more,
        ]
    )


def test_index_spaces() -> None:
    module = decode_module(imports_and_functions())
    assert module.num_imported_funcs == 2
    assert module.num_funcs == 4
    assert [function.func_index for function in module.functions] == [2, 3]
    assert [module.func_type(index) for index in range(4)] == [
        FuncType((I32,), (ValType.I64,)),
        FuncType((), ()),
        FuncType((I32,), (ValType.I64,)),
        FuncType((), ()),
    ]
    assert [item.name for item in module.imported_funcs] == ["f", "exit"]
    assert module.all_tables == (
        TableType(ValType.FUNCREF, Limits(1, None)),
        TableType(ValType.EXTERNREF, Limits(3, None)),
    )
    assert module.all_memories == (MemType(Limits(2, None)), MemType(Limits(4, None)))
    assert module.all_globals == (
        GlobalType(I32, mutable=False),
        GlobalType(ValType.I64, mutable=True),
    )
    with pytest.raises(IndexError):
        module.func_type(4)


def test_equal_function_types_share_an_object() -> None:
    data = b.HEADER + b.section(b.TYPE, b.vec(b.func_type(b.I32), b.func_type(b.I32)))
    first, second = decode_module(data).types
    assert first is second


def test_function_names_without_a_name_section() -> None:
    module = decode_module(imports_and_functions())
    assert [module.func_name(index) for index in range(5)] == [
        "env.f",
        "wasi.exit",
        "go",  # the first of its two exports
        "func[3]",
        "func[4]",
    ]
    assert module.local_name(2, 0) is None


def test_name_section() -> None:
    payload = b"".join(
        [
            subsection(0, b.name("app")),
            subsection(1, name_map({0: "imported", 3: "helper ü"})),
            subsection(2, b.vec(b"\x02" + name_map({0: "x", 5: "i"}))),
            subsection(9, b"of a kind to come"),
        ]
    )
    module = decode_module(imports_and_functions(b.custom("name", payload)))
    assert module.names.module_name == "app"
    names = [module.func_name(index) for index in range(4)]
    assert names == ["imported", "wasi.exit", "go", "helper ü"]
    assert [module.local_name(2, index) for index in (0, 1, 5)] == ["x", None, "i"]
    assert module.local_name(0, 0) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"\x01",  # no size
        b"\x01\x7f\x00",  # size beyond the section
        subsection(1, b"\x05\x00\x01a"),  # five entries, one there
        subsection(1, b"\xff\xff\xff\xff\x0f"),  # 2**32 - 1 entries
        subsection(1, name_map({3: "fine"})) + subsection(0, b"\x02\xff\xff"),  # not UTF-8
    ],
)
def test_malformed_name_section_is_ignored(payload: bytes) -> None:
    module = decode_module(imports_and_functions(b.custom("name", payload)))
    assert module.func_name(3) == "func[3]"
    assert module.names.module_name is None
    assert module.customs[0].data == payload


def test_sha256_is_of_the_file() -> None:
    module = decode_module(b.HEADER)
    assert module.sha256 == hashlib.sha256(b.HEADER).digest()


def test_instr_text() -> None:
    block_type = FuncType((I32,), (ValType.I64,))
    assert instr_text((0, BY_TEXT["i32.add"], None)) == "i32.add"
    assert instr_text((0, BY_TEXT["local.get"], 5)) == "local.get 5"
    assert instr_text((0, BY_TEXT["block"], block_type)) == "block [i32] -> [i64]"
    assert instr_text((0, BY_TEXT["ref.null"], ValType.FUNCREF)) == "ref.null funcref"
    assert instr_text((0, BY_TEXT["br_table"], ((1, 2), 0))) == "br_table (1 2) 0"
    assert instr_text((0, BY_TEXT["i32.load"], (2, 16))) == "i32.load offset=16 align=4"
    assert instr_text((0, SELECT_TYPED, (I32,))) == "select (i32)"
    long = instr_text((0, BY_TEXT["br_table"], (tuple(range(99)), 0)))
    assert long.endswith("14 15 ...) 0")
