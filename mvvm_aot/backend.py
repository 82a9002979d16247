"""The back end: LLVM IR text -> object, assembly or IR. llvmlite.binding appears here only.

Code is static (no GOT, no PLT), in the small code model. What LLVM refuses becomes a CodegenError.

The modes CAREFUL and PLAIN are for functions in whose frames LLVM kept something alive that is
not in a home slot; see DESIGN.md, section 4. LLVM's switches for that are global to the process:
they are set under a lock, and set back.
"""

from __future__ import annotations

import functools
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import llvmlite.binding as llvm

from .cpus import CpuDescription
from .errors import CodegenError, UsageError
from .modes import CodegenMode
from .repair import PAIR, widen_pairs
from .targets import Target

# What moves computations above a call and keeps their results in spill slots.
_HOISTING: Final = ("disable-machine-licm", "disable-postra-machine-licm", "disable-machine-cse")

# Switches at level 0, and what they are by default. Of the register coalescer's efforts, which grow
# with the square of a function's joins, only those are made that are cheap.
_LEVEL_0: Final = (
    ("enable-misched", "false", "true"),
    ("join-globalcopies", "false", "true"),
    ("large-interval-size-threshold", "20", "100"),
    ("large-interval-freq-threshold", "20", "256"),
)

_lock: Final = threading.Lock()


@functools.cache
def _initialize() -> None:
    """Make LLVM know all its targets, and set the switch that holds for all code."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    # Cold functions in a section of their own would need a frame table each.
    llvm.set_option("mvvm-aot", "-profile-guided-section-prefix=false")
    # GlobalISel drops "deopt" records in silence.
    llvm.set_option("mvvm-aot", "-global-isel=false")
    # Level 0's own register allocator keeps every value in a slot: twice the code to be proved.
    llvm.set_option("mvvm-aot", "-optimize-regalloc=true")


def _codegen_level(opt_level: int, mode: CodegenMode) -> int:
    """Return LLVM's level of code generation: at level 0 some functions do not pass the proof."""
    return opt_level if mode is CodegenMode.NORMAL else max(opt_level, 1)


@contextmanager
def _switches(target: Target, opt_level: int, mode: CodegenMode) -> Iterator[None]:
    """Hold LLVM's switches while code is generated.

    The fast selector hands every call with a record, and on x86-64 every call of our convention, to
    the thorough one. AArch64's does not: it passes arguments in C's registers.
    """
    hoisting = mode is CodegenMode.NORMAL
    fast = target.name == "x86_64" and (opt_level == 0 or mode is CodegenMode.PLAIN)
    level = _codegen_level(opt_level, mode)
    with _lock:
        llvm.set_option("mvvm-aot", f"-fast-isel={str(fast).lower()}")
        for name, at_0, otherwise in _LEVEL_0:
            llvm.set_option("mvvm-aot", f"-{name}={otherwise if level else at_0}")
        for name in _HOISTING:
            llvm.set_option("mvvm-aot", f"-{name}={str(not hoisting).lower()}")
        yield


@contextmanager
def _converted_errors() -> Iterator[None]:
    """Turn what llvmlite raises into a CodegenError."""
    try:
        yield
    except RuntimeError as error:
        first_line = str(error).strip().splitlines() or ["no message"]
        raise CodegenError(f"LLVM: {first_line[0]}") from error


def _target_machine(
    target: Target, opt_level: int, cpu: str | None, features: str | None
) -> llvm.TargetMachine:
    """Make LLVM's description of a machine and of how to generate code for it."""
    if opt_level not in range(4):
        raise UsageError(f"optimisation level must be 0 to 3, not {opt_level}")
    _initialize()
    with _converted_errors():
        return llvm.Target.from_triple(target.triple).create_target_machine(
            cpu=cpu or target.cpu,
            features=target.features if features is None else features,
            opt=opt_level,
            reloc="static",
            codemodel="small",
        )


def describe_cpu(target: Target, cpu: str, known: Sequence[str]) -> CpuDescription:
    """Return LLVM's name and features of a CPU, and which of the ``known`` features it has.

    "native" is this machine's. Raises UsageError for a CPU that LLVM does not know: LLVM itself
    prints a warning at most.
    """
    features = target.features
    if cpu == "native":
        cpu = llvm.get_host_cpu_name()
        features = llvm.get_host_cpu_features().flatten()
    complaint = _complaint(lambda: _target_machine(target, 1, cpu, features))
    if "not a recognized processor" in complaint:
        raise UsageError(f'LLVM knows no CPU "{cpu}" for the target {target.name}')
    machine = _target_machine(target, 1, cpu, features)
    return CpuDescription(cpu, features, _features_of(target, machine, cpu, features, known))


def _features_of(
    target: Target,
    machine: llvm.TargetMachine,
    cpu: str,
    features: str,
    known: Sequence[str],
) -> tuple[str, ...]:
    """Return those of some features that a CPU has.

    LLVM does not tell. But it inlines a function only where all features that the function may use
    are there: so into a copy of the CPU that lacks a feature only if the CPU lacks it as well.
    """
    lines = []
    for number, feature in enumerate(known):
        without = f"{features},-{feature}".lstrip(",")
        lines += [
            f"declare void @mark{number}()",
            f'define void @whole{number}() "target-cpu"="{cpu}" "target-features"="{features}" {{',
            f"  call void @mark{number}()\n  ret void\n}}",
            f'define void @less{number}() "target-cpu"="{cpu}" "target-features"="{without}" {{',
            f"  call void @whole{number}()\n  ret void\n}}",
        ]
    module = _parse("\n".join(lines), target, machine)
    _optimize(module, machine, 1)
    return tuple(
        feature
        for number, feature in enumerate(known)
        if f"@whole{number}(" in str(module.get_function(f"less{number}"))
    )


def _complaint(make: Callable[[], object]) -> str:
    """Return what LLVM writes to standard error while something is made."""
    with tempfile.TemporaryFile() as file, _lock:
        saved = os.dup(2)
        try:
            os.dup2(file.fileno(), 2)
            make()
        finally:
            os.dup2(saved, 2)
            os.close(saved)
        file.seek(0)
        return file.read().decode("utf-8", "replace")


def data_layout(target: Target) -> str:
    """Return LLVM's data layout string of a target."""
    return str(_target_machine(target, 2, None, None).target_data)


_SWIZZLE_CALL: Final = "@mvvm_swizzle("

# i8x16.swizzle: no operation of LLVM's own becomes one instruction on either machine.
_SWIZZLE: Final = {
    # pshufb takes a lane number modulo 16, and gives 0 where its highest bit is set.
    "x86_64": """
  %far = call <16 x i8> @llvm.uadd.sat.v16i8(<16 x i8> %s, <16 x i8> splat (i8 112))
  %r = call <16 x i8> @llvm.x86.ssse3.pshuf.b.128(<16 x i8> %a, <16 x i8> %far)""",
    "aarch64": """
  %r = call <16 x i8> @llvm.aarch64.neon.tbl1.v16i8(<16 x i8> %a, <16 x i8> %s)""",
}


def _swizzle_by_lanes() -> str:
    """Return the body of a swizzle for x86-64 without SSSE3: each lane, where it is asked for."""
    lines, sum_ = [""], "zeroinitializer"
    for lane in range(16):
        splat = f"<16 x i32> {'zeroinitializer' if not lane else f'splat (i32 {lane})'}"
        chosen = f"<16 x i1> %is{lane}, <16 x i8> %all{lane}, <16 x i8> {sum_}"
        sum_ = "%r" if lane == 15 else f"%sum{lane}"
        lines += [
            f"%all{lane} = shufflevector <16 x i8> %a, <16 x i8> poison, {splat}",
            f"%is{lane} = icmp eq <16 x i8> %s, splat (i8 {lane})",
            f"{sum_} = select {chosen}",
        ]
    return "\n  ".join(lines)


def _with_target_functions(ir: str, target: Target, cpu: str | None, features: str | None) -> str:
    """Define what lowering leaves to the target, if the module uses it."""
    if _SWIZZLE_CALL not in ir:
        return ir
    body = _SWIZZLE[target.name]
    if target.name == "x86_64" and not _has_ssse3(target, cpu, features):
        body = _swizzle_by_lanes()
    head = "define internal <16 x i8> @mvvm_swizzle(<16 x i8> %a, <16 x i8> %s) alwaysinline {"
    return f"{ir}\n{head}{body}\n  ret <16 x i8> %r\n}}\n"


@functools.cache
def _has_ssse3(target: Target, cpu: str | None, features: str | None) -> bool:
    """Whether a CPU has ``pshufb``, for which LLVM would end the process on others."""
    machine = _target_machine(target, 1, cpu, features)
    has = target.features if features is None else features
    return bool(_features_of(target, machine, cpu or target.cpu, has, ("ssse3",)))


def _parse(ir: str, target: Target, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    """Parse and verify IR text, for a target."""
    with _converted_errors():
        module = llvm.parse_assembly(ir)
        module.triple = target.triple
        module.data_layout = str(machine.target_data)
        module.verify()
    return module


def _optimize(module: llvm.ModuleRef, machine: llvm.TargetMachine, opt_level: int) -> None:
    """Run LLVM's middle end."""
    options = llvm.create_pipeline_tuning_options(speed_level=opt_level)
    options.loop_vectorization = options.slp_vectorization = opt_level >= 2
    options.loop_interleaving = options.loop_unrolling = opt_level >= 2
    with _converted_errors():
        builder = llvm.create_pass_builder(machine, options)
        builder.getModulePassManager().run(module, builder)


def _prepare(
    ir: str,
    target: Target,
    opt_level: int,
    cpu: str | None,
    features: str | None,
    mode: CodegenMode,
) -> tuple[llvm.ModuleRef, llvm.TargetMachine]:
    """Do everything but emit."""
    level = opt_level
    if mode is CodegenMode.PLAIN:
        # Operands that nobody needs stay what they are; else they may become any register.
        # (Functions with points are all noinline, which optnone demands.)
        level, ir = 0, ir.replace(" noinline ", " noinline optnone ")
    machine = _target_machine(target, _codegen_level(level, mode), cpu, features)
    module = _parse(_with_target_functions(ir, target, cpu, features), target, machine)
    _optimize(module, machine, level)
    return _repaired(module, target, machine), machine


def _repaired(
    module: llvm.ModuleRef, target: Target, machine: llvm.TargetMachine
) -> llvm.ModuleRef:
    """Return the module without what the target's code generator cannot take."""
    if target.name != "x86_64" or all(f.name != PAIR for f in module.functions):
        return module
    return _parse(widen_pairs(str(module)), target, machine)


def emit_object(
    ir: str,
    target: Target,
    *,
    opt_level: int = 2,
    cpu: str | None = None,
    features: str | None = None,
    mode: CodegenMode = CodegenMode.NORMAL,
) -> bytes:
    """Translate IR text to an ELF object. Raises CodegenError."""
    module, machine = _prepare(ir, target, opt_level, cpu, features, mode)
    with _converted_errors(), _switches(target, opt_level, mode):
        return bytes(machine.emit_object(module))


def emit_assembly(
    ir: str,
    target: Target,
    *,
    opt_level: int = 2,
    cpu: str | None = None,
    features: str | None = None,
    mode: CodegenMode = CodegenMode.NORMAL,
) -> str:
    """Translate IR text to assembly text. Raises CodegenError."""
    module, machine = _prepare(ir, target, opt_level, cpu, features, mode)
    with _converted_errors(), _switches(target, opt_level, mode):
        return str(machine.emit_assembly(module))


def optimize_ir(
    ir: str,
    target: Target,
    *,
    opt_level: int = 2,
    cpu: str | None = None,
    features: str | None = None,
) -> str:
    """Return IR text as LLVM's middle end leaves it (--emit=ir). Raises CodegenError."""
    return str(_prepare(ir, target, opt_level, cpu, features, CodegenMode.NORMAL)[0])
