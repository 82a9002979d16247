"""The reader of object files, on objects that LLVM made."""

from __future__ import annotations

import pytest

from stackmaps.errors import StackMapError
from stackmaps.frames import I32, I64
from stackmaps.isa import get_isa
from stackmaps.objects import read_object

from .builders import ISAS, Site, chain_function, compile_ir, object_of

IR = chain_function(Site(3, 0x55, [I32, I64]))


@pytest.mark.parametrize("isa", ISAS)
def test_functions_stack_maps_and_unwind_rows(isa: str) -> None:
    code = object_of(IR, isa)
    begin, size = code.functions["m0_f3"]
    assert code.isa == isa and code.text_name == ".text" and 0 < size <= len(code.text)
    (table,) = code.stack_maps
    (function,) = table.functions
    assert function.address == begin
    (record,) = function.records
    row = code.cfi[begin].row_at(begin + record.instruction_offset - 1)
    assert row.cfa_register == get_isa(isa).fp and row.cfa_offset == 16
    rule = get_isa(isa).frame_rule(function, row)
    assert (rule.fp_save, rule.ra_save, rule.fp_offset) == (16, 8, 16)
    assert rule.frame_size % 16 == 0
    names = {relocation.symbol.name for relocation in code.relocations.values()}
    assert {"mvvm_leave", "memory"} <= names


@pytest.mark.parametrize("isa", ISAS)
def test_two_sections_with_code_are_refused(isa: str) -> None:
    ir = IR + 'define void @cold() section ".text.unlikely" { ret void }\n'
    with pytest.raises(StackMapError, match=r"several sections \(.*\.text\.unlikely"):
        object_of(ir, isa)


def test_what_is_no_object_is_refused() -> None:
    for data in (b"", b"\x7fELF", b"MZ" * 100, compile_ir(IR, "x86_64")[:200]):
        with pytest.raises(StackMapError):
            read_object(data)


def test_an_executable_or_another_machine_is_refused() -> None:
    data = bytearray(compile_ir(IR, "x86_64"))
    data[16] = 2  # e_type: ET_EXEC
    with pytest.raises(StackMapError, match="not relocatable"):
        read_object(bytes(data))
    data[16], data[18] = 1, 243  # e_machine: EM_RISCV
    with pytest.raises(StackMapError, match="RISCV"):
        read_object(bytes(data))


def test_dynamic_frame_is_refused() -> None:
    ir = """
define hidden preserve_nonecc void @m0_f1(i64 %n) #0 {
  %homes = alloca [2 x i64], align 16
  %more = alloca i64, i64 %n
  call void asm sideeffect "", "r,r"(ptr %homes, ptr %more)
  call preserve_nonecc void @mvvm_leave() #1 [ "deopt"(i32 1, i32 2, ptr %homes) ]
  ret void
}
"""
    code = object_of(ir, "x86_64")
    function = code.stack_maps[0].functions[0]
    assert function.is_dynamic
    row = code.cfi[function.address].row_at(function.records[0].instruction_offset)
    with pytest.raises(StackMapError, match="dynamic frame"):
        get_isa("x86_64").frame_rule(function, row)
