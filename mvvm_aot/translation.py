"""Translate one part: lower, generate code, prove, and translate again what is not proved.

Stage: Whole + Part + Settings -> PartCode. It runs in a worker process (worker.py), or in this
one; whatever it takes and returns can be pickled. Functions that fail the proof are translated
again, into an object of their own, with ever fewer of LLVM's liberties.
"""

from __future__ import annotations

from . import abi
from .backend import emit_assembly, emit_object, optimize_ir
from .lower import Scope, lower_module
from .modes import CodegenMode
from .parts import Code, Part, PartCode, Settings, Whole
from .plan import PointPlan
from .proof import Proved, prove_object, subject_of
from .targets import target_by_name
from .wasmparser.validated import ValidatedModule


def _inputs(whole: Whole, part: Part) -> tuple[ValidatedModule, PointPlan]:
    """Return a part as the stages take it."""
    plan = PointPlan(whole.migration, part.plans, whole.suspendable)
    return ValidatedModule(whole.module, part.functions), plan


def translate_part(whole: Whole, part: Part, settings: Settings) -> PartCode:
    """Translate a part. Raises CodegenError, UnsupportedFeature.

    ``failed`` of the result is empty, or names functions that never pass.
    """
    target = target_by_name(settings.target)
    vm, plan = _inputs(whole, part)
    made = PartCode()
    with made.timed("proving frames closed"):
        subject = subject_of(vm, plan, target, whole.prefix)
    modes = list(CodegenMode)
    first = modes.index(settings.first)
    if first:
        made.retranslated = list(part.defined)
    for attempt in range(first, len(modes)):
        scope = Scope(
            defined=part.defined if attempt == first else frozenset(made.failed),
            copied=part.copied if not attempt else (),
            shared=part.shared and attempt == first,
            careful=attempt > 0,
            tail_callees=whole.tail_callees,
            optimized=settings.opt_level > 0,
        )
        with made.timed("lowering"):
            ir = lower_module(vm, plan, prefix=whole.prefix, type_ids=whole.type_ids, scope=scope)
        with made.timed("generating code"):
            data = emit_object(
                ir,
                target,
                opt_level=settings.opt_level,
                cpu=settings.cpu,
                features=settings.features,
                mode=modes[attempt],
            )
        del ir
        with made.timed("proving frames closed"):
            proved = prove_object(data, subject)
        _add(made, proved, attempt, first)
        if not made.failed or max(made.failed) >= abi.THUNK_FUNC_ID:
            break
    return made


def _add(made: PartCode, proved: Proved, attempt: int, first: int) -> None:
    """Add an attempt's outcome to a part's."""
    made.codes.append(Code(proved.data, proved.section, attempt))
    if attempt == first and not first:
        made.retranslated = list(proved.failed)
    made.failed = proved.failed
    made.closed[attempt] = proved.closed
    made.sites += proved.sites
    made.fills += proved.fills
    made.code_bytes += proved.code_bytes


def emit_text(whole: Whole, part: Part, settings: Settings, *, assembly: bool) -> str:
    """Return the IR behind LLVM's middle end, or assembly. Raises as ``translate_part``."""
    vm, plan = _inputs(whole, part)
    scope = Scope(tail_callees=whole.tail_callees, optimized=settings.opt_level > 0)
    ir = lower_module(vm, plan, prefix=whole.prefix, type_ids=whole.type_ids, scope=scope)
    emit = emit_assembly if assembly else optimize_ir
    return emit(
        ir,
        target_by_name(settings.target),
        opt_level=settings.opt_level,
        cpu=settings.cpu,
        features=settings.features,
    )
