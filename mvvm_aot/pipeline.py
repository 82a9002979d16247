"""The compiler, stage after stage: bytes -> Module -> ... -> executable.

``compile_module`` is the whole of it. Everything before ``link`` is a function from a value to a
new value; what a stage makes can be looked at with ``--emit``. Invariant: no executable leaves
this file before each of its frames was proved closed at each migration point.
"""

from __future__ import annotations

import gc
import pickle
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

from . import workers
from .cpus import FEATURES, CpuDescription
from .describe import CodeSection, Description, describe_modules
from .errors import CodegenError, UsageError
from .hostfuncs import check_imports
from .link import link_executable, merge_objects
from .parts import Code, PartCode, Settings, split_module, whole_of
from .plan import PointPlan, plan_points, point_rows
from .progress import Progress, Silence
from .schedule import translate_parts
from .targets import Target, target_by_name
from .wasmparser.binary import decode_module
from .wasmparser.module import Module
from .wasmparser.types import FuncType
from .wasmparser.validate import validate_module
from .wasmparser.validated import ValidatedModule
from .workers import Crew, WorkerDied

Emit = Literal["exe", "obj", "ir", "asm", "stackmap"]
EMITS: Final[tuple[Emit, ...]] = get_args(Emit)
PREFIX: Final = "m0"
# Of a module, by which it is guessed how many processes to start ahead: a part's, about twice.
_BYTES_PER_JOB: Final = 80_000


@dataclass(frozen=True, slots=True)
class Options:
    """What a translation depends on besides the module."""

    target: str
    opt_level: int = 2
    cpu: str | None = None  # None: the target's default
    migration: bool = True
    emit: Emit = "exe"
    poll: int | None = None  # offset of a place that is polled whether or not it need be

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
    polls: list[int] = field(default_factory=list)  # offsets of those that are no calls
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
    parts: int = 0
    memory_bytes: int = 0  # what this process and its workers had at a time, at most
    seconds: dict[str, float] = field(default_factory=dict)  # that one waits, by step
    cpu_seconds: dict[str, float] = field(default_factory=dict)  # of all workers, by stage

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Translation:
    """A module's machine code: one object, and more for functions that took another attempt."""

    module: ValidatedModule
    target: Target
    codes: tuple[Code, ...]
    migration: bool
    has_tail_calls: bool
    cpu: CpuDescription
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
    workers.prepare(len(wasm) // _BYTES_PER_JOB)
    say.step("decoding")
    module = decode_module(wasm)
    say.step("validating")
    validated = validate_module(module)
    check_imports(module)
    say.step("planning migration points")
    plan = plan_points(validated, migration=options.migration, poll=options.poll)
    if options.emit in ("ir", "asm"):
        return _emit_text(validated, plan, target, options, say), BuildReport()
    translation = translate(validated, plan, target, options, say)
    output = _finish(translation, options, runtime_folder, say)
    say.step("done")
    report = translation.report
    report.wasm_bytes, report.output_bytes = len(wasm), len(output)
    report.seconds = {name: round(seconds, 4) for name, seconds in steps.seconds.items()}
    report.cpu_seconds = {name: round(s, 4) for name, s in report.cpu_seconds.items()}
    return output, report


def _emit_text(
    validated: ValidatedModule, plan: PointPlan, target: Target, options: Options, say: Progress
) -> bytes:
    """Return the IR behind LLVM's middle end, or assembly, of the module in one piece."""
    say.step("generating code")
    whole = whole_of(validated, plan, PREFIX)
    (part,) = split_module(validated, plan, copies=False, part_size=1 << 62)
    shared = pickle.dumps(whole, pickle.HIGHEST_PROTOCOL)
    with Crew() as crew:
        settings = _settings(options, resolve_cpu(crew, target, options.cpu))
        assembly = options.emit == "asm"
        try:
            text: str = crew.submit("text", shared, part, settings, assembly).result()
        except WorkerDied as error:
            raise CodegenError(f"LLVM ended the process: {error}") from error
    return text.encode()


def _finish(
    translation: Translation, options: Options, runtime_folder: Path, say: Progress
) -> bytes:
    """Make what was asked for of the machine code."""
    objects = [code.data for code in translation.codes]
    if options.emit == "obj":
        return merge_objects(objects, translation.target)
    if options.emit == "stackmap":
        from .proof import frame_table_text  # and with it capstone, which nothing else here needs

        return frame_table_text(
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
    known = FEATURES[translation.target.name]
    return Description(
        name=names.module_name or "module",
        module=translation.module,
        codes=translation.sections,
        prefix=prefix,
        migratable=translation.migration,
        has_tail_calls=translation.has_tail_calls,
        needs=tuple(known[name] for name in translation.cpu.needs),
    )


# -- Code, and its proof ---------------------------------------------------------------------


def _settings(options: Options, cpu: CpuDescription) -> Settings:
    """Return what of the options code generation depends on."""
    return Settings(options.target, options.opt_level, cpu.name, cpu.features)


_known_cpus: Final[dict[tuple[str, str], CpuDescription]] = {}


def resolve_cpu(crew: Crew, target: Target, cpu: str | None) -> CpuDescription:
    """Describe a CPU as LLVM knows it; None: the target's default. Raises UsageError.

    "native" is this machine's, which has to be of the target's kind.
    """
    if cpu == "native" and platform.machine() not in target.machines:
        raise UsageError(
            f'"native" is this machine\'s CPU ({platform.machine()}), which is no {target.name}: '
            "name a CPU, or leave --cpu out"
        )
    key = (target.name, cpu or target.cpu)
    if key not in _known_cpus:
        try:
            _known_cpus[key] = crew.submit("cpu", *key, tuple(FEATURES[target.name])).result()
        except WorkerDied as error:
            raise UsageError(f'LLVM knows no CPU "{cpu}" for the target {target.name}') from error
    return _known_cpus[key]


def translate(
    validated: ValidatedModule,
    plan: PointPlan,
    target: Target,
    options: Options,
    say: Progress,
    prefix: str = PREFIX,
    type_ids: Mapping[FuncType, int] | None = None,
) -> Translation:
    """Translate a module and prove its frames closed, part by part in worker processes.

    Functions that fail the proof are translated again, into an object of their own, with ever
    fewer of LLVM's liberties. Raises CodegenError that names a function which never passes, or
    at which LLVM breaks off.
    """
    say.step("translating")
    whole = whole_of(validated, plan, prefix, type_ids)
    parts = split_module(validated, plan, copies=options.opt_level > 0)
    report = BuildReport(
        functions=len(validated.functions),
        instructions=sum(len(function.instrs) for function in validated.functions),
        points=len(point_rows(validated, plan)),
        polls=plan.polls,
        parts=len(parts),
    )
    with Crew() as crew:
        cpu = resolve_cpu(crew, target, options.cpu)
        made = translate_parts(crew, whole, parts, _settings(options, cpu), say)
        report.memory_bytes = crew.peak_memory
    codes: list[Code] = []
    for part in made:
        codes += part.codes
        _count(report, part, validated.module)
    failed = [finding for part in made for finding in part.failed.values()]
    if failed:
        raise CodegenError(
            f"{len(failed)} functions cannot be made fit for migration on {target.name}; "
            f"the first: {failed[0]}"
        )
    return Translation(
        validated, target, tuple(codes), options.migration, plan.has_tail_calls, cpu, report
    )


def _count(report: BuildReport, part: PartCode, module: Module) -> None:
    """Add a part to the report."""
    report.proved_first += part.closed[0]
    report.proved_second += part.closed[1]
    report.proved_third += part.closed[2]
    report.sites += part.sites
    report.fills += part.fills
    report.code_bytes += part.code_bytes
    report.retranslated += [module.func_name(index) for index in part.retranslated]
    for code in part.codes:
        if code.section is not None:
            report.frame_table_bytes += len(code.section.frame_table)
    for stage, seconds in part.seconds.items():
        report.cpu_seconds[stage] = report.cpu_seconds.get(stage, 0.0) + seconds
