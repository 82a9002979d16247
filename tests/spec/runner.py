"""Runs scripts: a script and a target -> outcomes.

One executable per script and target holds all of the script's modules, `spectest.wat` as number 0.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mvvm_aot.errors import MvvmError
from mvvm_aot.targets import target_by_name

from .build import Options, build_executable
from .conduct import Fate, judge, plan_steps
from .execute import run_lines
from .modules import ScriptModule, is_refusal, judge_refusal, load_module, load_modules
from .outcome import FAILED, Outcome
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


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job found."""

    outcomes: list[Outcome]
    notes: list[str]


def run_job(job: Job) -> JobResult:
    """Run a job; whatever goes wrong becomes a failure."""
    try:
        commands = read_script(job.path)
        if job.target is None:
            return _check_refusals(job.name, commands)
        return JobResult(_run_on_target(job, job.target, commands), [])
    except (ScriptError, MvvmError, OSError) as error:
        return JobResult([Outcome(job.name, 0, job.target or "", FAILED, str(error))], [])
    except Exception:  # a bug, in a worker process: it must reach the report
        text = traceback.format_exc()
        return JobResult([Outcome(job.name, 0, job.target or "", FAILED, text)], [])


def _check_refusals(script: str, commands: Sequence[Command]) -> JobResult:
    verdicts = [
        judge_refusal(script, command)
        for command in commands
        if isinstance(command, AssertModule) and is_refusal(command)
    ]
    notes = [verdict.note for verdict in verdicts if verdict.note]
    return JobResult([verdict.outcome for verdict in verdicts], notes)


def _run_on_target(job: Job, target_name: str, commands: Sequence[Command]) -> list[Outcome]:
    loaded = load_modules(commands)
    if not loaded:
        return []
    target = target_by_name(target_name)
    spectest = load_module(ModuleSource("text", SPECTEST.read_bytes()))
    modules = [spectest, *loaded.values()]
    built = build_executable([item.module for item in modules], target, job.options)
    fates = _number(modules, [*loaded], built.refused)
    steps = plan_steps(commands, fates)
    lines = [step.line for step in steps if step.line]
    if not lines:
        return judge(job.name, target_name, steps, [])
    answers = run_lines(
        built.executable, target, [*_REGISTER_SPECTEST, *lines], _environment(job.options)
    )
    if answers[: len(_REGISTER_SPECTEST)] != ["ok"] * len(_REGISTER_SPECTEST):
        return [Outcome(job.name, 0, target_name, FAILED, f"spectest: {answers[:2]}")]
    return judge(job.name, target_name, steps, answers[len(_REGISTER_SPECTEST) :])


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
