"""The proof, on hand-written IR and on machine code that was changed byte by byte."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stackmaps.calls import CallShape, Signatures
from stackmaps.errors import StackMapError
from stackmaps.frames import F32, F64, I32, I64, V128, PointLayout
from stackmaps.isa.aarch64_effects import MACHINE as AARCH64
from stackmaps.objects import ObjectCode
from stackmaps.table import FrameTable, frame_table
from stackmaps.verify import Proof, make_fills, prove

from .builders import ISAS, THUNK, Site, chain_function, object_of, signatures

VALUES = Site(1, 0x10, [I32, I64, F32, F64, V128], [F64, I32])
CALLS = {"m0_f1": CallShape(), "m0_f2": CallShape(2, (8,), "float", result_bytes=8)}


def proof_of(code: ObjectCode, *layouts: PointLayout, known: Signatures | None = None) -> Proof:
    by_site = {(layout.func_id, layout.offset): layout for layout in layouts}
    return prove(code, by_site, known or signatures(**CALLS))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("opt", [1, 2, 3])
def test_code_that_keeps_to_its_homes_is_closed(isa: str, opt: int) -> None:
    code = object_of(THUNK + chain_function(VALUES), isa, opt=opt)
    proof = proof_of(code, VALUES.layout())
    assert proof.closed, proof.describe()
    assert [f.function for f in proof.functions] == ["m0_thunk0", "m0_f1"]
    assert all(f.points == 1 and f.instructions > 5 for f in proof.functions)


CARRIED = """
define hidden preserve_nonecc void @m0_f1() #0 {{
  %homes = alloca [2 x i64], align 16
  call void asm sideeffect "", "r"(ptr %homes)
  %value = load volatile {type}, ptr @memory
  call preserve_nonecc void @mvvm_leave() #1 [ "deopt"(i32 1, i32 16, ptr %homes) ]
  store volatile {type} %value, ptr @memory
  ret void
}}
"""
SIZES = {"i32": 4, "i64": 8, "float": 4, "double": 8, "<2 x i64>": 16, "<8 x float>": 32}


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("llvm_type", SIZES)
def test_a_value_carried_over_a_point_is_found(isa: str, llvm_type: str) -> None:
    cpu = "haswell" if isa == "x86_64" and llvm_type == "<8 x float>" else ""
    code = object_of(CARRIED.format(type=llvm_type), isa, cpu)
    proof = proof_of(code, PointLayout(1, 16, (), (), 0xFFFF_FFFF))
    assert not proof.closed
    assert proof.findings[0].offset == 16 and proof.findings[0].function == "m0_f1"
    text = proof.describe()
    assert "spill slot CFA-" in text and f"({SIZES[llvm_type]} bytes)" in text


RESULT = """
define hidden preserve_nonecc double @m0_f2(i64 %a, i64 %b, double %c) #0 {
  %homes = alloca [4 x i64], align 16
  call void asm sideeffect "", "r"(ptr %homes)
  store double %c, ptr %homes, align 8, !tbaa !3
  %r = call preserve_nonecc double @m0_f2(i64 %b, i64 %a, double %c) #1
       [ "deopt"(i32 2, i32 32, ptr %homes) ]
  %c2 = load double, ptr %homes, align 8, !tbaa !3
  %s = fadd double %r, %c2
  ret double %s
}
"""


@pytest.mark.parametrize("isa", ISAS)
def test_the_calls_result_may_be_alive_and_nothing_else(isa: str) -> None:
    layout = PointLayout(2, 32, ((2, F64, 0),), (), 2)
    code = object_of(RESULT, isa)
    assert proof_of(code, layout).closed
    without = signatures(m0_f2=CallShape(2, (8,)))
    findings = proof_of(code, layout, known=without).findings
    assert any("register" in f.what and "0 is read behind" in f.what for f in findings)


ADDRESS = """
define hidden preserve_nonecc void @m0_f1() #0 {
  %homes = alloca [2 x i64], align 16
  %other = alloca [4 x i64], align 16
  call void asm sideeffect "", "r"(ptr %homes)
  call void asm sideeffect "", "r"(ptr %other)
  call preserve_nonecc void @mvvm_leave() #1 [ "deopt"(i32 1, i32 16, ptr %homes) ]
  ret void
}
"""


@pytest.mark.parametrize("isa", ISAS)
def test_the_address_of_anything_but_homes_is_found(isa: str) -> None:
    layout = PointLayout(1, 16, (), (), 0xFFFF_FFFF)
    proof = proof_of(object_of(ADDRESS, isa), layout)
    assert ["address of a spill slot taken" in f.what for f in proof.findings] == [True]


PAIR_SPILLED = """
define hidden preserve_nonecc void @m0_f1(<16 x i8> %a, <16 x i8> %b, <16 x i8> %i) #0 {
  %homes = alloca [2 x i64], align 16
  call void asm sideeffect "", "r"(ptr %homes)
  %r = call <16 x i8> @llvm.aarch64.neon.tbl2.v16i8(<16 x i8> %a, <16 x i8> %b, <16 x i8> %i)
  store <16 x i8> %r, ptr @memory
  %g = call i32 @mvvm_memory_grow(ptr @memory, i32 1)
  %s = call <16 x i8> @llvm.aarch64.neon.tbl2.v16i8(<16 x i8> %a, <16 x i8> %b, <16 x i8> %r)
  store <16 x i8> %s, ptr @memory
  call preserve_nonecc void @mvvm_leave() #1 [ "deopt"(i32 1, i32 16, ptr %homes) ]
  ret void
}
declare <16 x i8> @llvm.aarch64.neon.tbl2.v16i8(<16 x i8>, <16 x i8>, <16 x i8>)
"""


def _spill_of_a_pair(code: ObjectCode) -> int:
    """Return where two vectors are loaded from a spill slot."""
    for at in range(4, len(code.text), 4):
        if AARCH64.text(code.text, at).startswith("ld1 {"):
            return at
    raise AssertionError("no pair of vectors is spilled")


def _patched(code: ObjectCode, at: int, instruction: int) -> ObjectCode:
    text = code.text[:at] + instruction.to_bytes(4, "little") + code.text[at + 4 :]
    return replace(code, text=text)


def test_the_address_of_a_spill_slot_serves_one_access_and_nothing_else() -> None:
    """AArch64 spills several vectors at once, with an address in a register of its own."""
    layout = PointLayout(1, 16, (), (), 0xFFFF_FFFF)
    code = object_of(PAIR_SPILLED, "aarch64")
    known = signatures(m0_f1=CallShape(0, (16, 16, 16)))
    assert proof_of(code, layout, known=known).closed
    at = _spill_of_a_pair(code)
    register = (AARCH64.decode(code.text, at).indirect or pytest.fail()).units.bit_length() - 1
    again = _patched(code, at + 4, 0xF9400000 | register << 5)  # ldr x0, [register]
    findings = proof_of(again, layout, known=known).findings
    assert any("address of a spill slot is used again" in f.what for f in findings)
    apart = _patched(code, at, 0xD503201F)  # nop
    findings = proof_of(apart, layout, known=known).findings
    assert any("address of a spill slot taken" in f.what for f in findings)


@pytest.mark.parametrize("isa", ISAS)
def test_unknown_callee_is_found(isa: str) -> None:
    ir = chain_function(VALUES, "@other()") + "declare hidden preserve_nonecc void @other()\n"
    layout = PointLayout(1, 16, VALUES.layout().locals, VALUES.layout().operands, 77)
    findings = proof_of(object_of(ir, isa), layout).findings
    assert any("calls other, which is not known" in f.what for f in findings)


@pytest.mark.parametrize("isa", ISAS)
def test_a_call_without_its_record_is_an_error(isa: str) -> None:
    code = object_of(chain_function(VALUES), isa)
    with pytest.raises(StackMapError, match=r"call of mvvm_leave at .* has no stack map record"):
        proof_of(replace(code, stack_maps=()), VALUES.layout())


GARBAGE = """
define hidden preserve_nonecc void @m0_f2(i64 %a, i64 %unused) #0 {
  store i64 %a, ptr @memory
  ret void
}
define hidden preserve_nonecc void @m0_f1() #0 {
  %homes = alloca [2 x i64], align 16
  call void asm sideeffect "", "r"(ptr %homes)
  call preserve_nonecc void @mvvm_leave() #1 [ "deopt"(i32 1, i32 16, ptr %homes) ]
  call preserve_nonecc void @m0_f2(i64 7, i64 poison)
  ret void
}
"""


@pytest.mark.parametrize("isa", ISAS)
def test_an_argument_that_the_callee_never_reads_may_be_garbage(isa: str) -> None:
    known = signatures(m0_f1=CallShape(), m0_f2=CallShape(2))
    layout = PointLayout(1, 16, (), (), 0xFFFF_FFFF)
    assert proof_of(object_of(GARBAGE, isa), layout, known=known).closed
    reads = GARBAGE.replace("store i64 %a,", "store i64 %unused,")
    (finding,) = proof_of(object_of(reads, isa), layout, known=known).findings
    assert "is read behind" in finding.what


ENDLESS = """
define hidden preserve_nonecc void @m0_f2() #0 {
  call void @mvvm_trap(i32 1)
  unreachable
}
define hidden preserve_nonecc void @m0_f1(i64 %a) #0 {
  %homes = alloca [2 x i64], align 16
  call void asm sideeffect "", "r"(ptr %homes)
  %c = icmp eq i64 %a, 3
  br i1 %c, label %bad, label %good
bad:
  call preserve_nonecc void @m0_f2() #1 [ "deopt"(i32 1, i32 16, ptr %homes) ]
  br label %good
good:
  store i64 %a, ptr @memory
  ret void
}
"""


@pytest.mark.parametrize("isa", ISAS)
def test_what_follows_a_call_that_never_returns_is_not_its_code(isa: str) -> None:
    known = signatures(m0_f1=CallShape(1), m0_f2=CallShape())
    proof = proof_of(object_of(ENDLESS, isa), PointLayout(1, 16, (), (), 2), known=known)
    assert proof.closed, proof.describe()


def patched(code: ObjectCode, at: int, data: bytes) -> ObjectCode:
    return code.with_text(code.text[:at] + data + code.text[at + len(data) :])


def closed_code(isa: str) -> tuple[ObjectCode, int, int]:
    """Return code that is closed, its point's return address, and where its store follows."""
    code = object_of(chain_function(VALUES), isa)
    table = frame_table(code, {(1, 0x10): VALUES.layout()})
    return code, table.points[0].return_address, code.functions["m0_f1"][0]


def test_x86_reads_of_old_registers_are_found() -> None:
    code, at, _ = closed_code("x86_64")
    for data, what in (("48891c24", "register rbx"), ("660f7e0424", "register xmm0")):
        proof = proof_of(patched(code, at, bytes.fromhex(data)), VALUES.layout())
        assert any(what in finding.what for finding in proof.findings), proof.describe()


def test_arm_reads_of_old_registers_are_found() -> None:
    code, at, _ = closed_code("aarch64")
    for word, what in ((0xF90003F3, "register x19"), (0xFD0003E8, "register v8")):
        data = word.to_bytes(4, "little")  # str x19, [sp]; str d8, [sp]
        proof = proof_of(patched(code, at, data), VALUES.layout())
        assert any(what in finding.what for finding in proof.findings), proof.describe()


@pytest.mark.parametrize(
    ("isa", "data", "message"),
    [
        ("x86_64", "4883ec10", "stack pointers differ|without having undone|caller"),  # sub rsp, 16
        ("x86_64", "ffe0", "indirect jump"),  # jmp rax
        ("x86_64", "48895d08", "overwrites what it keeps"),  # mov [rbp + 8], rbx
        ("x86_64", "488b5d10", "into the caller's frame"),  # mov rbx, [rbp + 16]
        ("x86_64", "06", "cannot be decoded"),
        ("aarch64", "ff4300d1", "stack pointers differ|without having undone"),  # sub sp, sp, #16
        ("aarch64", "00011fd6", "indirect jump"),  # br x8
        ("aarch64", "b30700f9", "overwrites what it keeps"),  # str x19, [x29, #8]
        ("aarch64", "b30b40f9", "into the caller's frame"),  # ldr x19, [x29, #16]
        ("aarch64", "ffffffff", "cannot be decoded"),
    ],
)
def test_code_that_cannot_be_followed_is_found(isa: str, data: str, message: str) -> None:
    code, at, _ = closed_code(isa)
    proof = proof_of(patched(code, at, bytes.fromhex(data)), VALUES.layout())
    texts = [finding.what for finding in proof.findings]
    assert any(part in text for part in message.split("|") for text in texts), texts


@pytest.mark.parametrize(("isa", "size"), [("x86_64", 5), ("aarch64", 4)])
def test_a_return_address_must_follow_a_call(isa: str, size: int) -> None:
    code, at, _ = closed_code(isa)
    nops = bytes.fromhex("0f1f440000") if isa == "x86_64" else bytes.fromhex("1f2003d5")
    findings = proof_of(patched(code, at - size, nops), VALUES.layout()).findings
    assert any("does not follow a call" in finding.what for finding in findings)


def test_prologue_must_agree_with_the_stack_map() -> None:
    code, _, begin = closed_code("x86_64")
    at = code.text.index(bytes.fromhex("4883ec"), begin)  # sub rsp, imm8
    findings = proof_of(patched(code, at + 3, b"\x70"), VALUES.layout()).findings
    assert any("differs from the stack map's" in finding.what for finding in findings)


# A constant in a slot that LLVM may not see through (volatile stands for what the register
# allocator does): put there before a loop with a point, read behind the loop.
CONSTANT = """
define hidden preserve_nonecc void @m0_f1(i64 %n) #0 {{
entry:
  %homes = alloca [2 x i64], align 16
  %slot = alloca {type}, align 16
  call void asm sideeffect "", "r"(ptr %homes)
  store volatile {type} {value}, ptr %slot
  br label %loop
loop:
  call preserve_nonecc void @mvvm_leave() #1 [ "deopt"(i32 1, i32 16, ptr %homes) ]
  %left = load i64, ptr %homes, align 8, !tbaa !3
  %next = sub i64 %left, 1
  store i64 %next, ptr %homes, align 8, !tbaa !3
  %more = icmp ne i64 %next, 0
  br i1 %more, label %loop, label %end
end:
  %constant = load volatile {type}, ptr %slot
  store volatile {type} %constant, ptr @memory
  ret void
}}
"""


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(
    ("llvm_type", "value", "data"),
    [
        ("i32", "77", "4d000000"),
        ("i64", "-2", "feffffffffffffff"),
        ("i64", "0", "0000000000000000"),
        ("i64", "1311768467463790320", "f0debc9a78563412"),
        ("double", "1.5", "000000000000f83f"),
        ("float", "2.5", "00002040"),
        ("<2 x i64>", "<i64 3, i64 4>", "03000000000000000400000000000000"),
        ("<4 x i32>", "<i32 5, i32 5, i32 5, i32 5>", "05000000" * 4),
        ("<2 x i64>", "zeroinitializer", "00" * 16),
    ],
)
def test_a_constant_in_a_slot_becomes_a_fill(
    isa: str, llvm_type: str, value: str, data: str
) -> None:
    code = object_of(CONSTANT.format(type=llvm_type, value=value), isa)
    layout = PointLayout(1, 16, ((0, I64, 0),), (), 0xFFFF_FFFF)
    known = signatures(m0_f1=CallShape(1))
    proof = proof_of(code, layout, known=known)
    assert proof.closed, proof.describe()
    filled = [fill for fills in proof.fills.values() for fill in fills]
    assert b"".join(fill.data for fill in filled) == bytes.fromhex(data)
    table = frame_table(code, {(1, 16): layout}, fills=proof.fills)
    assert FrameTable.decode(table.encode()).points[0].fills == tuple(filled)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("value", ["@memory", "getelementptr (i8, ptr @memory, i64 8)"])
def test_the_address_of_a_symbol_in_a_slot_is_no_constant(isa: str, value: str) -> None:
    code = object_of(CONSTANT.format(type="ptr", value=value), isa)
    layout = PointLayout(1, 16, ((0, I64, 0),), (), 0xFFFF_FFFF)
    proof = proof_of(code, layout, known=signatures(m0_f1=CallShape(1)))
    assert not proof.fills
    assert "spill slot" in proof.findings[0].what


@pytest.mark.parametrize("isa", ISAS)
def test_two_constants_on_two_paths_are_a_finding(isa: str) -> None:
    ir = """
define hidden preserve_nonecc void @m0_f1(i64 %n) #0 {
entry:
  %homes = alloca [2 x i64], align 16
  %slot = alloca i64, align 16
  call void asm sideeffect "", "r"(ptr %homes)
  %c = icmp eq i64 %n, 0
  br i1 %c, label %a, label %b
a:
  store volatile i64 1, ptr %slot
  br label %go
b:
  store volatile i64 2, ptr %slot
  store volatile i64 2, ptr @memory
  br label %go
go:
  call preserve_nonecc void @mvvm_leave() #1 [ "deopt"(i32 1, i32 16, ptr %homes) ]
  %constant = load volatile i64, ptr %slot
  store volatile i64 %constant, ptr @memory
  ret void
}
"""
    proof = proof_of(
        object_of(ir, isa),
        PointLayout(1, 16, (), (), 0xFFFF_FFFF),
        known=signatures(m0_f1=CallShape(1)),
    )
    assert not proof.closed and not proof.fills
    assert "spill slot" in proof.findings[0].what


@pytest.mark.parametrize("isa", ISAS)
def test_the_address_of_a_home_in_a_slot_becomes_a_fill(isa: str) -> None:
    ir = """
define hidden preserve_nonecc void @m0_f1(i64 %n) #0 {
  %homes = alloca [4 x i64], align 16
  %slot = alloca ptr, align 16
  call void asm sideeffect "", "r"(ptr %homes)
  %home = getelementptr i64, ptr %homes, i64 2
  store volatile ptr %home, ptr %slot
  call preserve_nonecc void @mvvm_leave() #1 [ "deopt"(i32 1, i32 16, ptr %homes) ]
  %where = load volatile ptr, ptr %slot
  store volatile ptr %where, ptr @memory
  ret void
}
"""
    layout = PointLayout(1, 16, ((0, I64, 3),), (), 0xFFFF_FFFF)
    code = object_of(ir, isa)
    proof = proof_of(code, layout, known=signatures(m0_f1=CallShape(1)))
    assert proof.closed, proof.describe()
    table = frame_table(code, {(1, 16): layout}, fills=proof.fills)
    assert FrameTable.decode(table.encode()) == table
    (fill,) = table.points[0].fills
    assert fill.address_minus == table.functions[0].homes - 16
    assert fill.bytes_at(0x1000) == (0x1000 - table.functions[0].homes + 16).to_bytes(8, "little")


def test_fills_are_packed_into_powers_of_two() -> None:
    known = {distance: distance for distance in range(5, 18)}  # CFA-17 up to CFA-5: 13 bytes
    fills = make_fills(known)
    assert [(fill.cfa_minus, len(fill.data)) for fill in fills] == [(17, 8), (9, 4), (5, 1)]
    assert fills[0].data == bytes(range(17, 9, -1))
