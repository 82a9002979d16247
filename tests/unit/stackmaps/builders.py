"""Hand-written LLVM IR -> objects: the contract of docs/internals.md without the compiler."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import llvmlite.binding as llvm

from stackmaps.calls import CallShape, Signatures
from stackmaps.frames import CALLEE_POLL, F32, F64, I32, I64, V128, PointLayout
from stackmaps.objects import ObjectCode, read_object

TRIPLES = {"x86_64": "x86_64-unknown-linux-musl", "aarch64": "aarch64-unknown-linux-musl"}
ISAS = tuple(TRIPLES)
TYPES = {I32: "i32", I64: "i64", F32: "float", F64: "double", V128: "<2 x i64>"}

PRELUDE = """
@mvvm_flag = external hidden global i32
@memory = external hidden global [64 x i64]
@mvvm_invoke_target = external hidden global ptr
declare hidden preserve_nonecc void @mvvm_leave()
declare hidden void @mvvm_trap(i32) noreturn cold
declare hidden i32 @mvvm_memory_grow(ptr, i32)
"""
ATTRIBUTES = """
attributes #0 = { nounwind uwtable noinline "frame-pointer"="all" "no-realign-stack"
                  "no-jump-tables"="true" }
attributes #1 = { nounwind "statepoint-id"="7" }
!0 = !{!"root"}
!1 = !{!"home", !0}
!2 = !{!"memory", !0}
!3 = !{!1, !1, i64 0}
!4 = !{!2, !2, i64 0}
"""
ESCAPE = '  call void asm sideeffect "", "r"(ptr %homes)\n'


@cache
def compile_ir(ir: str, isa: str, cpu: str = "", opt: int = 2) -> bytes:
    """Compile a function's IR (the prelude and attributes are added) to an object."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    llvm.set_option("tests", "-profile-guided-section-prefix=false")
    llvm.set_option("tests", "-global-isel=0")  # it drops "deopt" bundles
    llvm.set_option("tests", "-fast-isel=0")  # another test of this process may have set it
    module = llvm.parse_assembly(PRELUDE + ir + ATTRIBUTES)
    module.triple = TRIPLES[isa]
    machine = llvm.Target.from_triple(TRIPLES[isa]).create_target_machine(
        cpu=cpu, opt=opt, reloc="static", codemodel="small"
    )
    module.data_layout = str(machine.target_data)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=opt)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return bytes(machine.emit_object(module))


@dataclass
class Site:
    """A point with everything live in homes: values by type, one slot each (two for v128)."""

    func_id: int
    offset: int
    locals: list[int] = field(default_factory=list)
    operands: list[int] = field(default_factory=list)
    callee: int = CALLEE_POLL

    def slots(self) -> list[int]:
        """Return the slot of each value, locals first."""
        slots, at = [], 0
        for valtype in self.locals + self.operands:
            at += at % 2 if valtype == V128 else 0
            slots.append(at)
            at += 2 if valtype == V128 else 1
        return slots

    def layout(self) -> PointLayout:
        """Return the layout; local indices are 0, 2, 4, ... to have gaps."""
        slots = self.slots()
        count = len(self.locals)
        return PointLayout(
            self.func_id,
            self.offset,
            tuple((2 * n, t, slots[n]) for n, t in enumerate(self.locals)),
            tuple((t, slots[count + n]) for n, t in enumerate(self.operands)),
            self.callee,
        )


def chain_function(site: Site, callee: str = "@mvvm_leave()") -> str:
    """Return IR of a function P_f<id> whose every live value passes its point in its home.

    Values come from @memory and go back there behind the point, so that all are really used.
    """
    values = site.locals + site.operands
    slots = site.slots()
    lines = [
        f"define hidden preserve_nonecc void @m0_f{site.func_id}() #0 {{",
        f"  %homes = alloca [{max(slots, default=0) + 2} x i64], align 16",
        ESCAPE.rstrip(),
    ]
    for n, (valtype, slot) in enumerate(zip(values, slots, strict=True)):
        t = TYPES[valtype]
        lines += [
            f"  %s{n} = getelementptr i64, ptr @memory, i64 {slot}",
            f"  %v{n} = load {t}, ptr %s{n}, align 8, !tbaa !4",
            f"  %h{n} = getelementptr i64, ptr %homes, i64 {slot}",
            f"  store {t} %v{n}, ptr %h{n}, align 8, !tbaa !3",
        ]
    lines.append(
        f"  call preserve_nonecc void {callee} #1 "
        f'[ "deopt"(i32 {site.func_id}, i32 {site.offset}, ptr %homes) ]'
    )
    for n, valtype in enumerate(values):
        t = TYPES[valtype]
        lines += [
            f"  %r{n} = load {t}, ptr %h{n}, align 8, !tbaa !3",
            f"  store {t} %r{n}, ptr %s{n}, align 8, !tbaa !4",
        ]
    return "\n".join([*lines, "  ret void", "}", ""])


THUNK = """
define hidden preserve_nonecc void @m0_thunk0() #0 {
  %homes = alloca [2 x i64], align 16
  call void asm sideeffect "", "r"(ptr %homes)
  %target = load ptr, ptr @mvvm_invoke_target
  call preserve_nonecc void %target() #1 [ "deopt"(i32 -2147483648, i32 0, ptr %homes) ]
  ret void
}
"""


def object_of(ir: str, isa: str, cpu: str = "", opt: int = 2) -> ObjectCode:
    """Compile IR and read the object."""
    return read_object(compile_ir(ir, isa, cpu, opt))


def signatures(**symbols: CallShape) -> Signatures:
    """Return signatures with the runtime's functions and void () for every callee by type."""
    known = {
        "mvvm_leave": CallShape(),
        "mvvm_trap": CallShape(ints=1, convention="c", returns=False),
        "mvvm_memory_grow": CallShape(ints=2, result="int", convention="c"),
        "m0_thunk0": CallShape(),
    }
    return Signatures(known | symbols, {0xC000_0000: CallShape()})
