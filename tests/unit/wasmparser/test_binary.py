"""binary.py, reader.py, expressions.py: sections from bytes annotated field by field."""

from __future__ import annotations

import pytest

from mvvm_aot.errors import MalformedModule, UnsupportedFeature
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.module import Data, Elem, Export, ExternKind, Global, Import, SegmentMode
from mvvm_aot.wasmparser.opcodes import BY_TEXT
from mvvm_aot.wasmparser.types import (
    FuncType,
    GlobalType,
    Limits,
    MemType,
    TableType,
    ValType,
)

from . import builder as b

I32, I64, F32, F64 = ValType.I32, ValType.I64, ValType.F32, ValType.F64
EVERY_SECTION = b.annotated("""
    00 61 73 6d  01 00 00 00      ; magic, version
    00 05  02 68 69  de ad        ; custom section: size, name "hi", payload
    01 0a  02                     ; type section: size, 2 types
      60  02 7f 7e  01 7d         ; [i32 i64] -> [f32]
      60  00  00                  ; [] -> []
    02 21  04                     ; import section: size, 4 imports
      01 65  02 66 30  00  00              ; "e" "f0", function, type 0
      01 65  02 74 30  01  6f 01 01 80 02  ; "e" "t0", table, externref, 1 to 256
      01 65  01 67     03  7c 00           ; "e" "g", global, f64, immutable
      01 65  01 6d     02  00 02           ; "e" "m", memory, 2 pages or more
    03 02  01 01                  ; function section: size, 1 function, type 1
    04 04  01  70 00 05           ; table section: size, 1 table, funcref, 5 or more
    05 01  00                     ; memory section: size, none
    06 06  01  7f 01  41 2a 0b    ; global section: size, 1 global, i32, mutable, i32.const 42
    07 08  02                     ; export section: size, 2 exports
      01 61  00  01               ; "a", function 1
      00     03  00               ; "", global 0
    08 01  01                     ; start section: size, function 1
    09 08  01                     ; elem section: size, 1 segment
      02 01  41 00 0b  00  00     ; active, table 1, i32.const 0, kind funcref, no functions
    0c 01  01                     ; data count section: size, 1
    0a 08  01                     ; code section: size, 1 body
      06  02  02 7f  01 7e  0b    ; size, 2 runs of locals: 2 i32, 1 i64; end
    0b 08  01                     ; data section: size, 1 segment
      00  41 07 0b  02 6f 6b      ; active, i32.const 7, "ok"
""")


def test_every_section() -> None:
    module = decode_module(EVERY_SECTION)
    const, end = BY_TEXT["i32.const"], BY_TEXT["end"]
    assert module.types == (FuncType((I32, I64), (F32,)), FuncType((), ()))
    assert module.imports == (
        Import("e", "f0", FuncType((I32, I64), (F32,))),
        Import("e", "t0", TableType(ValType.EXTERNREF, Limits(1, 256))),
        Import("e", "g", GlobalType(F64, mutable=False)),
        Import("e", "m", MemType(Limits(2, None))),
    )
    assert [item.kind for item in module.imports] == [
        ExternKind.FUNC,
        ExternKind.TABLE,
        ExternKind.GLOBAL,
        ExternKind.MEMORY,
    ]
    assert module.tables == (TableType(ValType.FUNCREF, Limits(5, None)),)
    assert module.memories == ()
    at = EVERY_SECTION.index(b"\x41\x2a\x0b")
    init = ((at, const, 42), (at + 2, end, None))
    assert module.globals == (Global(GlobalType(I32, mutable=True), init),)
    assert module.exports == (
        Export("a", ExternKind.FUNC, 1),
        Export("", ExternKind.GLOBAL, 0),
    )
    assert module.start == 1
    at = EVERY_SECTION.index(b"\x41\x00\x0b")
    init = ((at, const, 0), (at + 2, end, None))
    assert module.elems == (Elem(SegmentMode.ACTIVE, ValType.FUNCREF, (), 1, init),)
    at = EVERY_SECTION.index(b"\x41\x07\x0b")
    init = ((at, const, 7), (at + 2, end, None))
    assert module.datas == (Data(SegmentMode.ACTIVE, b"ok", 0, init),)
    assert module.data_count == 1
    assert [(item.name, item.data) for item in module.customs] == [("hi", b"\xde\xad")]

    (function,) = module.functions
    assert (function.func_index, function.type_index) == (1, 1)
    assert function.local_runs == ((2, I32), (1, I64))
    assert function.locals == (I32, I32, I64)
    assert [instr[1:] for instr in function.instrs] == [(end, None)]
    entry = EVERY_SECTION[function.offset : function.end_offset]
    assert entry == b"\x02\x02\x7f\x01\x7e\x0b"
    assert function.instrs[0][0] == function.end_offset - 1


def test_truncation_at_every_byte_is_malformed() -> None:
    whole_sections = {8, 15, 27, 62}  # without code and data nothing is missing yet
    for size in range(len(EVERY_SECTION)):
        if size in whole_sections:
            continue
        with pytest.raises(MalformedModule) as caught:
            decode_module(EVERY_SECTION[:size])
        assert caught.value.offset <= size


def test_empty_module() -> None:
    module = decode_module(b.HEADER)
    assert (module.types, module.functions, module.start) == ((), (), None)
    assert module.raw == b.HEADER


def test_bytearray_is_accepted_and_copied() -> None:
    data = bytearray(b.HEADER)
    module = decode_module(data)
    data[0] = 1
    assert module.raw == b.HEADER


ACTIVE, PASSIVE, DECLARATIVE = SegmentMode


@pytest.mark.parametrize(
    ("entry", "mode", "elem_type", "table_index", "num_items"),
    [
        # flags, table index, offset expression, kind or type, elements
        ("00      41 00 0b      01 00", ACTIVE, "FUNCREF", 0, 1),
        ("01                00  02 00 00", PASSIVE, "FUNCREF", None, 2),
        ("02  03  41 00 0b  00  00", ACTIVE, "FUNCREF", 3, 0),
        ("03                00  01 00", DECLARATIVE, "FUNCREF", None, 1),
        ("04      41 00 0b      01 d0 70 0b", ACTIVE, "FUNCREF", 0, 1),
        ("05                6f  01 d0 6f 0b", PASSIVE, "EXTERNREF", None, 1),
        ("06  02  41 00 0b  6f  01 d0 6f 0b", ACTIVE, "EXTERNREF", 2, 1),
        ("07                70  01 d2 00 0b", DECLARATIVE, "FUNCREF", None, 1),
    ],
)
def test_the_eight_kinds_of_element_segments(
    entry: str, mode: SegmentMode, elem_type: str, table_index: int | None, num_items: int
) -> None:
    (elem,) = decode_module(b.HEADER + b.section(b.ELEM, b.vec(bytes.fromhex(entry)))).elems
    assert (elem.mode, elem.type, elem.table_index) == (mode, ValType[elem_type], table_index)
    assert len(elem.init) == num_items
    assert (elem.offset_expr is None) == (mode is not SegmentMode.ACTIVE)


def test_function_indices_in_elements_become_expressions() -> None:
    entry = bytes.fromhex("01  00  01  85 01")  # passive, functions, one: 133
    data = b.HEADER + b.section(b.ELEM, b.vec(entry))
    (elem,) = decode_module(data).elems
    ((offset, op, func_index), (_, end, _)) = elem.init[0]
    assert (op, func_index, end) == (BY_TEXT["ref.func"], 133, BY_TEXT["end"])
    assert data[offset : offset + 2] == b"\x85\x01"


def test_the_three_kinds_of_data_segments() -> None:
    entries = (
        "00      41 01 0b  01 61",  # active
        "01                02 62 63",  # passive
        "02  00  41 02 0b  00",  # active, explicit memory
    )
    contents = b.vec(*(bytes.fromhex(entry) for entry in entries))
    datas = decode_module(b.HEADER + b.section(b.DATA, contents)).datas
    assert [(item.mode, item.init, item.memory_index) for item in datas] == [
        (SegmentMode.ACTIVE, b"a", 0),
        (SegmentMode.PASSIVE, b"bc", None),
        (SegmentMode.ACTIVE, b"", 0),
    ]


def test_nan_payloads_survive() -> None:
    f32_signalling, f64_negative = b"\x01\x00\xa0\xff", b"\xef\xcd\xab\x89\x67\x45\xf3\xff"
    module = b.decode_func(b"\x43" + f32_signalling + b"\x44" + f64_negative)
    assert [imm for _, _, imm in module.functions[0].instrs[:2]] == [
        0xFFA00001,
        0xFFF3456789ABCDEF,
    ]


def test_block_types() -> None:
    more_types = (b.func_type(b.I32, b.I64),) * 100
    instrs = b"".join(
        b.BLOCK + block_type + b.END
        for block_type in (b.EMPTY, b.F32, b.EXTERNREF, b"\x01", b"\xe0\x00", b"\x81\x81\x00")
    )
    module = b.decode_func(instrs, more_types=more_types)
    assert [imm for _, _, imm in module.functions[0].instrs[:-1:2]] == [
        FuncType((), ()),
        FuncType((), (F32,)),
        FuncType((), (ValType.EXTERNREF,)),
        FuncType((I32,), (I64,)),
        FuncType((I32,), (I64,)),  # type 96, encoded in two bytes as an s33 must be
        129,  # there is no such type: invalid, but well-formed
    ]


def test_large_immediates() -> None:
    far = b.u32(2**32 - 1)
    instrs = (b.LOCAL_GET + far, b"\x28\x1f" + far, b"\x0e" + b.vec(far, b"\x00") + far)
    module = b.decode_func(b"".join(instrs))
    assert [imm for _, _, imm in module.functions[0].instrs[:-1]] == [
        2**32 - 1,
        (31, 2**32 - 1),
        ((2**32 - 1, 0), 2**32 - 1),
    ]


# What follows the eight bytes of magic and version, the reason, the offset in the file.
MALFORMED = {
    "section id": ("0e 01  00", "malformed section id", 8),
    "section beyond the file": ("01 05  00", "length out of bounds", 9),
    "section longer than contents": ("01 02  00  00", "section size mismatch", 11),
    "section shorter than contents": ("01 02  01  60 00 00", "unexpected end of section", 12),
    "section twice": ("01 01 00  01 01 00", "unexpected content after last section", 11),
    "sections out of order": ("03 01 00  01 01 00", "unexpected content after last section", 11),
    "data count behind code": ("0a 01 00  0c 01 00", "unexpected content after last section", 11),
    "custom name is not UTF-8": ("00 03  02 61 ff", "malformed UTF-8 encoding", 12),
    "custom name is a surrogate": ("00 04  03 ed a0 80", "malformed UTF-8 encoding", 11),
    "custom name beyond section": ("00 02  05 61", "length out of bounds", 10),
    "func type form": ("01 02  01  40", "malformed function type", 11),
    "func type form of 2 bytes": ("01 05  01  e0 7f 00 00", "integer representation too long", 11),
    "value type": ("01 04  01  60 01 68", "malformed value type", 13),
    "count beyond the section": ("01 05  ff ff ff ff 0f", "unexpected end of section", 10),
    "import kind": ("02 05  01  00 00 04 00", "malformed import kind", 13),
    "export kind": ("07 04  01  00 04 00", "malformed export kind", 12),
    "table of numbers": ("04 04  01  7f 00 00", "malformed reference type", 11),
    "limits flag": ("05 03  01  02 00", "integer too large", 11),
    "limits flag of 2 bytes": ("05 04  01  81 00 00", "integer representation too long", 12),
    "mutability": ("06 05  01  7f 02  01 0b", "malformed mutability", 12),
    "elem flags": ("09 02  01  08", "malformed elements segment kind", 11),
    "elem kind": ("09 04  01  01 01 00", "malformed element kind", 12),
    "data flags": ("0b 02  01  03", "malformed data segment kind", 11),
    "data beyond the section": ("0b 03  01  01 01", "unexpected end of section", 13),
    "function without code": (
        "01 04  01  60 00 00   03 02  01  00",
        "function and code section have inconsistent lengths",
        18,
    ),
    "code without function": (
        "0a 04  01  02 00 0b",
        "function and code section have inconsistent lengths",
        14,
    ),
    "data count without data": (
        "0c 01  01",
        "data count and data section have inconsistent lengths",
        11,
    ),
}


@pytest.mark.parametrize(("sections", "reason", "offset"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_section(sections: str, reason: str, offset: int) -> None:
    with pytest.raises(MalformedModule) as caught:
        decode_module(b.HEADER + bytes.fromhex(sections))
    assert caught.value.reason.startswith(reason)
    assert caught.value.offset == offset
    assert caught.value.exit_code == 65
    assert str(caught.value).startswith(f"malformed module: {reason}")


@pytest.mark.parametrize(
    ("data", "reason", "offset"),
    [
        ("", "unexpected end", 0),
        ("00 61 73", "unexpected end", 3),
        ("00 61 73 64 01 00 00 00", "magic header not detected", 0),
        ("00 61 73 6d 01 00 00", "unexpected end", 7),
        ("00 61 73 6d 02 00 00 00", "unknown binary version", 4),
        ("00 61 73 6d 0d 00 01 00", "unknown binary version", 4),  # a component
    ],
)
def test_malformed_header(data: str, reason: str, offset: int) -> None:
    with pytest.raises(MalformedModule) as caught:
        decode_module(bytes.fromhex(data))
    assert caught.value.reason.startswith(reason)
    assert caught.value.offset == offset


@pytest.mark.parametrize(("exported", "name"), [(0, None), (1, "main")])
def test_an_error_in_a_body_names_the_function(exported: int, name: str | None) -> None:
    sections = {
        b.FUNCTION: b.vec(b"\0", b"\0"),
        b.EXPORT: b.vec(b.name("main") + b"\0" + b.u32(exported)),
        b.CODE: b.vec(b.body(b.NOP), b.body(b"\xff")),
    }
    data = b.func_module(b"", sections=sections)
    with pytest.raises(MalformedModule, match="illegal opcode 0xff") as caught:
        decode_module(data)
    error = caught.value
    assert (error.func_index, error.func_name) == (1, name)
    assert data[error.offset] == 0xFF and error.offset == len(data) - 2


# Offsets count from the first instruction, which is at BODY.
BODY = 8 + 6 + 4 + 5
MALFORMED_BODIES = {
    "else in a block": (b.BLOCK + b.EMPTY + b.ELSE + b.END, "END opcode expected", 2),
    "else outside": (b.ELSE, "END opcode expected", 0),
    "two elses": (b.IF + b.EMPTY + b.ELSE + b.ELSE + b.END, "END opcode expected", 3),
    "unclosed block": (b.BLOCK + b.EMPTY, "unexpected end", 3),
    "bytes behind the end": (b.END, "section size mismatch", 1),
    "illegal opcode": (b.NOP + b"\x27", "illegal opcode 0x27", 1),
    "memory.size with another memory": (b"\x3f\x01", "zero byte expected", 1),
    "memory.copy with another memory": (b"\xfc\x0a\x00\x01", "zero byte expected", 3),
    "alignment of 2**32": (b"\x28\x20\x00", "malformed memop flags", 1),
    "ref.null of a number": (b"\xd0\x7f", "malformed reference type", 1),
    "select of no type": (b"\x1c\x01\x40", "malformed value type", 2),
    "block of no type": (b.BLOCK + b"\x41", "malformed block type", 1),
    "i32.const too large": (b"\x41\xff\xff\xff\xff\x08", "integer too large", 5),
    "i64.const too long": (b"\x42" + b"\x80" * 10 + b"\x00", "integer representation too", 11),
    "local index too long": (b"\x20" + b"\x80" * 5 + b"\x00", "integer representation too", 6),
    "br_table beyond the body": (b"\x0e\xff\x01\x00", "unexpected end", 1),
    "memory.init without data count": (
        b.NOP + b"\xfc\x08\x00\x00",
        "data count section required",
        1,
    ),
    "data.drop without data count": (b"\xfc\x09\x00", "data count section required", 0),
}


@pytest.mark.parametrize(
    ("instrs", "reason", "offset"), MALFORMED_BODIES.values(), ids=MALFORMED_BODIES
)
def test_malformed_body(instrs: bytes, reason: str, offset: int) -> None:
    with pytest.raises(MalformedModule) as caught:
        b.decode_func(instrs)
    assert caught.value.reason.startswith(reason)
    assert caught.value.offset == BODY + offset


@pytest.mark.parametrize("size", range(1, 4))
def test_immediate_that_runs_over_the_end_of_the_body(size: int) -> None:
    """The bytes are there, but they belong to the next function."""
    short = b.u32(1 + 1 + size) + b"\x00" + b"\x43" + b"\x00" * size  # f32.const, cut short
    data = b.HEADER + b"".join(
        [
            b.section(b.TYPE, b.vec(b.func_type())),
            b.section(b.FUNCTION, b.vec(b"\x00", b"\x00")),
            b.section(b.CODE, b.vec(short, b.body(b.NOP * 8))),
        ]
    )
    with pytest.raises(MalformedModule, match="unexpected end of section or function"):
        decode_module(data)


def test_missing_end_between_two_functions() -> None:
    endless = b.u32(2) + b"\x00" + b.NOP
    data = b.HEADER + b"".join(
        [
            b.section(b.TYPE, b.vec(b.func_type())),
            b.section(b.FUNCTION, b.vec(b"\x00", b"\x00")),
            b.section(b.CODE, b.vec(endless, b.body(b""))),
        ]
    )
    with pytest.raises(MalformedModule, match="END opcode expected"):
        decode_module(data)


def test_too_many_locals() -> None:
    runs = (b.u32(2**32 - 1) + b.I32, b"\x01" + b.I32)
    with pytest.raises(MalformedModule, match="too many locals"):
        b.decode_func(b"", local_runs=runs)
    with pytest.raises(UnsupportedFeature, match="4294967295 locals, more than 50000"):
        b.decode_func(b"", local_runs=runs[:1])
    module = b.decode_func(b"", local_runs=(b.u32(50_000) + b.I32,))
    assert len(module.functions[0].locals) == 50_000


def test_too_many_parameters() -> None:
    data = b.HEADER + b.section(b.TYPE, b.vec(b.func_type(b.I32 * 1001)))
    with pytest.raises(UnsupportedFeature, match="1001 parameters"):
        decode_module(data)


def test_exceptions_are_refused_by_name() -> None:
    data = b.HEADER + b.section(13, b.vec(b"\x00\x00"))
    with pytest.raises(UnsupportedFeature, match="exception handling"):
        decode_module(data)


LATER = {
    "shared memory": ("05 04  01  03 01 02", r"shared memory \(threads\)", 11),
    "64-bit memory": ("05 03  01  04 01", "memory64", 11),
    "64-bit memory with a maximum": ("05 04  01  05 01 02", "memory64", 11),
    "shared 64-bit memory": ("05 04  01  07 01 02", r"threads.*memory64", 11),
    "imported shared memory": ("02 08  01  00 00  02  03 01 02 00", "threads", 14),
    "64-bit table": ("04 04  01  70 04 01", "memory64", 12),
    "exnref": ("01 05  01  60 01 69 00", "exception handling", 13),
    "anyref": ("01 05  01  60 01 6e 00", "garbage collection", 13),
    "typed reference": ("04 05  01  64 70 00 00", "typed references", 11),
}


@pytest.mark.parametrize(("sections", "what", "offset"), LATER.values(), ids=LATER)
def test_later_features_are_refused_by_name(sections: str, what: str, offset: int) -> None:
    with pytest.raises(UnsupportedFeature, match=what) as caught:
        decode_module(b.HEADER + bytes.fromhex(sections))
    assert caught.value.offset == offset
