"""Runs scripts: a script and a target -> outcomes.

One executable per script and target holds all of the script's modules, `spectest.wat` as number 0.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mvvm_aot.errors import MvvmError
from mvvm_aot.targets import TARGETS, Target, target_by_name

from .alternate import can_alternate, may_pass_a_point, parse_stays, run_alternating
from .build import Options, build_executable
from .conduct import Fate, Step, judge, plan_steps
from .execute import run_lines
from .modules import ScriptModule, is_refusal, judge_refusal, load_module, load_modules
from .outcome import FAILED, REFUSED, Outcome, target_column
from .script import AssertModule, Command, ModuleSource, read_script
from .sexpr import ScriptError

SPECTEST: Final = Path(__file__).parent / "spectest.wat"
_REGISTER_SPECTEST: Final = ("instantiate 0", f"register 0 {b'spectest'.hex()}")


@dataclass(frozen=True, slots=True)
class Job:
    """A script on a target; target None: the part that needs no machine."""

    path: Path
    target: str | None
    options: Options

    @property
    def name(self) -> str:
        """What messages call the script."""
        return self.path.name

    @property
    def column(self) -> str:
        """Where the outcomes stand in the report."""
        if self.target is None:
            return REFUSED
        options = self.options
        return target_column(self.target, options.roundtrip, alternating=options.alternating)


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job found."""

    outcomes: list[Outcome]
    notes: list[str] = field(default_factory=list)
    moves: int = 0  # round trips, or moves to another ISA
    stays: Counter[str] = field(default_factory=Counter)  # points at which none was possible


def run_job(job: Job) -> JobResult:
    """Run a job; whatever goes wrong becomes a failure."""
    try:
        commands = read_script(job.path)
        if job.target is None:
            return _check_refusals(job.name, commands)
        return _run_on_target(job, job.target, commands)
    except (ScriptError, MvvmError, OSError) as error:
        return _failure(job, str(error))
    except Exception:  # a bug, in a worker process: it must reach the report
        return _failure(job, traceback.format_exc())


def _failure(job: Job, text: str) -> JobResult:
    return JobResult([Outcome(job.name, 0, job.target or "", FAILED, text, job.column)])


def _check_refusals(script: str, commands: Sequence[Command]) -> JobResult:
    verdicts = [
        judge_refusal(script, command)
        for command in commands
        if isinstance(command, AssertModule) and is_refusal(command)
    ]
    notes = [verdict.note for verdict in verdicts if verdict.note]
    return JobResult([verdict.outcome for verdict in verdicts], notes)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A script's executable for a target, and what to tell it."""

    executable: Path
    target: Target
    steps: Sequence[Step]

    @property
    def lines(self) -> list[str]:
        return [step.line for step in self.steps if step.line]


def _run_on_target(job: Job, target_name: str, commands: Sequence[Command]) -> JobResult:
    alternating = job.options.alternating
    if alternating and not may_pass_a_point(job.path.read_bytes()):
        return JobResult([])
    loaded = load_modules(commands)
    if not loaded or (alternating and not can_alternate(commands, loaded)):
        return JobResult([])
    prepared = _prepare(target_name, commands, loaded, job.options)
    if not prepared.lines:
        return JobResult(judge(job.name, target_name, prepared.steps, [], job.column))
    if not alternating:
        return _run_alone(job, prepared)
    others = [name for name in TARGETS if name != target_name]
    others_prepared = [_prepare(name, commands, loaded, job.options) for name in others]
    return _run_in_turn(job, [prepared, *others_prepared])


def _prepare(
    target_name: str,
    commands: Sequence[Command],
    loaded: Mapping[int, ScriptModule],
    options: Options,
) -> _Prepared:
    target = target_by_name(target_name)
    spectest = load_module(ModuleSource("text", SPECTEST.read_bytes()))
    modules = [spectest, *loaded.values()]
    built = build_executable([item.module for item in modules], target, options)
    fates = _number(modules, [*loaded], built.refused)
    return _Prepared(built.executable, target, plan_steps(commands, fates))


def _run_alone(job: Job, prepared: _Prepared) -> JobResult:
    first = len(_REGISTER_SPECTEST)
    *answers, moves = run_lines(
        prepared.executable,
        prepared.target,
        [*_REGISTER_SPECTEST, *prepared.lines, "moves"],
        _environment(job.options),
    )
    if answers[:first] != ["ok"] * first:
        return _failure(job, f"spectest: {answers[:first]}")
    outcomes = judge(job.name, prepared.target.name, prepared.steps, answers[first:], job.column)
    verb, _, count = moves.partition(";")[0].partition(" ")
    if verb != "ok":
        return JobResult([*outcomes, *_failure(job, f"at the end: {moves}").outcomes])
    return JobResult(outcomes, moves=int(count), stays=parse_stays(moves))


def _run_in_turn(job: Job, programs: Sequence[_Prepared]) -> JobResult:
    """Run a script on several targets in turn; no outcomes if it passes no point at all."""
    first = programs[0]
    if any(other.lines != first.lines for other in programs):
        return _failure(job, "its modules were not all translated for every target")
    journey = run_alternating(
        [(program.executable, program.target) for program in programs],
        _REGISTER_SPECTEST,
        first.lines,
        _environment(job.options),
    )
    outcomes = judge(job.name, first.target.name, first.steps, journey.answers, job.column)
    if not journey.moves:
        outcomes = [outcome for outcome in outcomes if outcome.status == FAILED]
    return JobResult(outcomes, moves=journey.moves, stays=journey.stays)


def _environment(options: Options) -> dict[str, str]:
    """Return the variables of docs/internals.md, section 5.

    A round trip costs time for each frame: endless recursion that leaves at each call wants a
    small stack.
    """
    if not options.roundtrip and not options.alternating:
        return {}
    found = {"MVVM_TEST_POISON": "1", "MVVM_STACK_SIZE": str(1 << 17)}
    if options.roundtrip:
        found["MVVM_TEST_ROUNDTRIP"] = str(options.roundtrip)
    return found


def _number(
    modules: Sequence[ScriptModule], commands: Sequence[int], refused: Mapping[int, Fate]
) -> dict[int, Fate]:
    """Give each translated module its number in the executable, spectest (the first) zero."""
    fates: dict[int, Fate] = {}
    count = 1
    for index, command in enumerate(commands, start=1):
        item = modules[index]
        if item.error:
            fates[command] = Fate(error=item.error)
        elif index in refused:
            fates[command] = refused[index]
        else:
            fates[command] = Fate(item.module, count)
            count += 1
    return fates
