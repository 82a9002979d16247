"""The compiler, stage after stage: bytes -> Module -> ... -> executable.

``compile_module`` is the whole of it. Everything before ``link`` is a function from a value to a
new value; what a stage makes can be looked at with ``--emit``. Invariant: no executable leaves
this file before each of its frames was proved closed at each migration point.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

from . import abi, proof
from .backend import CodegenMode, check_cpu, emit_assembly, emit_object, optimize_ir
from .describe import CodeSection, Description, describe_modules
from .errors import CodegenError, UsageError
from .hostfuncs import check_imports
from .link import link_executable, merge_objects
from .lower import lower_module
from .plan import PointPlan, plan_points
from .progress import Progress, Silence
from .targets import Target, target_by_name
from .wasmparser.binary import decode_module
from .wasmparser.types import FuncType
from .wasmparser.validate import validate_module
from .wasmparser.validated import ValidatedModule

Emit = Literal["exe", "obj", "ir", "asm", "stackmap"]
EMITS: Final[tuple[Emit, ...]] = get_args(Emit)
PREFIX: Final = "m0"


@dataclass(frozen=True, slots=True)
class Options:
    """What a translation depends on besides the module."""

    target: str
    opt_level: int = 2
    cpu: str | None = None  # None: the target's default
    migration: bool = True
    emit: Emit = "exe"

    def __post_init__(self) -> None:
        """Check what the types do not say. Raises UsageError."""
        target_by_name(self.target)
        if self.opt_level not in range(4):
            raise UsageError(f"optimisation level {self.opt_level} is not one of 0, 1, 2, 3")
        if self.emit not in EMITS:
            raise UsageError(f'cannot emit "{self.emit}" (known: {", ".join(EMITS)})')


@dataclass(slots=True)
class BuildReport:
    """What was found out during a translation."""

    functions: int = 0
    instructions: int = 0
    points: int = 0  # places in the module
    sites: int = 0  # return addresses in the machine code
    proved_first: int = 0  # functions with points, by the attempt that passed the proof
    proved_second: int = 0
    proved_third: int = 0
    fills: int = 0  # constants in spill slots, which the frame table restores
    retranslated: list[str] = field(default_factory=list)  # names, second and third attempt
    wasm_bytes: int = 0
    code_bytes: int = 0
    frame_table_bytes: int = 0
    output_bytes: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Code:
    """One object, what describes its frames, and which attempt it is."""

    data: bytes = field(repr=False)
    section: CodeSection | None  # None: the object holds data only
    attempt: int


@dataclass(frozen=True, slots=True)
class Translation:
    """A module's machine code: one object, and more for functions that took another attempt."""

    module: ValidatedModule
    target: Target
    codes: tuple[Code, ...]
    migration: bool
    has_tail_calls: bool
    report: BuildReport

    @property
    def sections(self) -> tuple[CodeSection, ...]:
        """The frame tables of those objects that have functions."""
        return tuple(code.section for code in self.codes if code.section is not None)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Spare Python the search for cyclic garbage: a translation makes many objects, and no cycles.

    It takes a tenth of the time until LLVM begins, and of the proof's.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_without_collector()
def compile_module(
    wasm: bytes, options: Options, runtime_folder: Path, progress: Progress | None = None
) -> tuple[bytes, BuildReport]:
    """Compile a module; return what ``options.emit`` asks for. Raises MvvmError."""
    steps = progress if isinstance(progress, Silence) else Silence()
    say = progress or steps
    target = target_by_name(options.target)
    if options.cpu is not None:
        check_cpu(target, options.cpu)
    say.step("decoding")
    module = decode_module(wasm)
    say.step("validating")
    validated = validate_module(module)
    check_imports(module)
    say.step("planning migration points")
    plan = plan_points(validated, migration=options.migration)
    if options.emit in ("ir", "asm"):
        return _emit_text(validated, plan, target, options, say), BuildReport()
    translation = translate(validated, plan, target, options, say)
    output = _finish(translation, options, runtime_folder, say)
    say.step("done")
    report = translation.report
    report.wasm_bytes, report.output_bytes = len(wasm), len(output)
    report.seconds = {name: round(seconds, 4) for name, seconds in steps.seconds.items()}
    return output, report


def _emit_text(
    validated: ValidatedModule, plan: PointPlan, target: Target, options: Options, say: Progress
) -> bytes:
    """Return the IR behind LLVM's middle end, or assembly."""
    say.step("lowering")
    ir = lower_module(validated, plan, prefix=PREFIX)
    say.step("generating code")
    emit = optimize_ir if options.emit == "ir" else emit_assembly
    return emit(ir, target, opt_level=options.opt_level, cpu=options.cpu).encode()


def _finish(
    translation: Translation, options: Options, runtime_folder: Path, say: Progress
) -> bytes:
    """Make what was asked for of the machine code."""
    objects = [code.data for code in translation.codes]
    if options.emit == "obj":
        return merge_objects(objects, translation.target)
    if options.emit == "stackmap":
        return proof.frame_table_text(
            translation.module.module, [section.frame_table for section in translation.sections]
        ).encode()
    say.step("describing")
    source, files = describe_modules([describe(translation)])
    say.step("linking")
    return link_executable(
        objects, source, files, translation.target, runtime_folder, notify=say.step
    )


def describe(translation: Translation, prefix: str = PREFIX) -> Description:
    """Return what goes into the executable beside the code."""
    names = translation.module.module.names
    return Description(
        name=names.module_name or "module",
        module=translation.module,
        codes=translation.sections,
        prefix=prefix,
        migratable=translation.migration,
        has_tail_calls=translation.has_tail_calls,
    )


# -- Code, and its proof ---------------------------------------------------------------------


def translate(
    validated: ValidatedModule,
    plan: PointPlan,
    target: Target,
    options: Options,
    say: Progress,
    prefix: str = PREFIX,
    type_ids: Mapping[FuncType, int] | None = None,
) -> Translation:
    """Translate a module and prove its frames closed.

    Functions that fail the proof are translated again, into an object of their own, with ever
    fewer of LLVM's liberties. Raises CodegenError that names a function which never passes.
    """
    subject = proof.subject_of(validated, plan, target, prefix)
    report = BuildReport(
        functions=len(validated.functions),
        instructions=sum(len(function.instrs) for function in validated.functions),
        points=len(subject.layouts),
    )
    codes: list[Code] = []
    failed: Mapping[int, str] = {}
    for attempt, mode in enumerate(CodegenMode):
        say.step("lowering")
        only = frozenset(failed) if attempt else None
        ir = lower_module(validated, plan, prefix=prefix, type_ids=type_ids, only=only)
        say.step("generating code")
        data = emit_object(ir, target, opt_level=options.opt_level, cpu=options.cpu, mode=mode)
        say.step("proving frames closed")
        proved = proof.prove_object(data, subject)
        failed = proved.failed
        codes.append(Code(proved.data, proved.section, attempt))
        _count(report, proved, attempt)
        if attempt == 0:
            report.retranslated = [validated.module.func_name(index) for index in failed]
        if not failed or max(failed) >= abi.THUNK_FUNC_ID:
            break
    if failed:
        raise CodegenError(
            f"{len(failed)} functions cannot be made fit for migration on {target.name}; "
            f"the first: {next(iter(failed.values()))}"
        )
    return Translation(
        validated, target, tuple(codes), options.migration, plan.has_tail_calls, report
    )


def _count(report: BuildReport, proved: proof.Proved, attempt: int) -> None:
    """Add an attempt to the report."""
    name = ("proved_first", "proved_second", "proved_third")[attempt]
    setattr(report, name, proved.closed)
    report.sites += proved.sites
    report.fills += proved.fills
    report.code_bytes += proved.code_bytes
    if proved.section is not None:
        report.frame_table_bytes += len(proved.section.frame_table)
