"""Runs scripts: a script and a target -> outcomes.

One executable per script and target holds all of the script's modules, `spectest.wat` as number 0.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mvvm_aot.errors import MvvmError
from mvvm_aot.targets import target_by_name

from .build import Options, build_executable
from .conduct import Fate, judge, plan_steps
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
        return target_column(self.target, self.options.roundtrip) if self.target else REFUSED


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job found."""

    outcomes: list[Outcome]
    notes: list[str] = field(default_factory=list)
    moves: int = 0  # round trips made


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


def _run_on_target(job: Job, target_name: str, commands: Sequence[Command]) -> JobResult:
    loaded = load_modules(commands)
    if not loaded:
        return JobResult([])
    target = target_by_name(target_name)
    spectest = load_module(ModuleSource("text", SPECTEST.read_bytes()))
    modules = [spectest, *loaded.values()]
    built = build_executable([item.module for item in modules], target, job.options)
    fates = _number(modules, [*loaded], built.refused)
    steps = plan_steps(commands, fates)
    lines = [step.line for step in steps if step.line]
    roundtrip = job.options.roundtrip
    if not lines:
        return JobResult(judge(job.name, target_name, steps, [], roundtrip))
    first = len(_REGISTER_SPECTEST)
    environment = _environment(job.options)
    *answers, moves = run_lines(
        built.executable, target, [*_REGISTER_SPECTEST, *lines, "moves"], environment
    )
    if answers[:first] != ["ok"] * first:
        return _failure(job, f"spectest: {answers[:first]}")
    outcomes = judge(job.name, target_name, steps, answers[first:], roundtrip)
    verb, _, count = moves.partition(" ")
    if verb != "ok":
        return JobResult([*outcomes, *_failure(job, f"at the end: {moves}").outcomes])
    return JobResult(outcomes, moves=int(count))


def _environment(options: Options) -> dict[str, str]:
    """Return the variables of docs/internals.md, section 5.

    A round trip costs time for each frame: endless recursion that leaves at each call wants a
    small stack.
    """
    if not options.roundtrip:
        return {}
    return {
        "MVVM_TEST_ROUNDTRIP": str(options.roundtrip),
        "MVVM_TEST_POISON": "1",
        "MVVM_STACK_SIZE": str(1 << 17),
    }


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
