"""A script's commands -> the harness's lines, and its answers -> outcomes.

Requires the modules' fate (translated, unsupported, failed) by number of their command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mvvm_aot.wasmparser.module import ExternKind
from mvvm_aot.wasmparser.validated import ValidatedModule

from .modules import is_refusal, messages_agree
from .outcome import FAILED, PASSED, SKIPPED, Outcome, target_column
from .script import (
    Action,
    AssertModule,
    AssertReturn,
    AssertTrap,
    Command,
    ModuleCommand,
    Register,
)
from .values import NULL_REF, Expected, Value

_DIGITS = {"i32": 8, "i64": 16, "f32": 8, "f64": 16, "v128": 32, "funcref": 16, "externref": 16}


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a module: its number in the executable, or why it is not there."""

    module: ValidatedModule | None = None
    number: int | None = None
    feature: str = ""  # unsupported: commands that need it are skipped
    error: str = ""  # a failure


NO_MODULE = Fate(error="there is no such module")


@dataclass(frozen=True, slots=True)
class Step:
    """A command with the line that the harness gets, or the outcome that it has without one."""

    command: Command
    line: str = ""
    status: str = ""
    reason: str = ""


@dataclass(slots=True)
class _Names:
    """Which module the script's names mean at the moment."""

    current: Fate = NO_MODULE
    named: dict[str, Fate] = field(default_factory=dict)
    registered: dict[str, Fate] = field(default_factory=dict)

    def find(self, name: str | None) -> Fate:
        return self.current if name is None else self.named.get(name, NO_MODULE)


def value_text(value: Value) -> str:
    """Return a value as the harness reads it."""
    if value.valtype in ("funcref", "externref") and value.bits == NULL_REF:
        return f"{value.valtype}:null"
    return f"{value.valtype}:{value.bits:0{_DIGITS[value.valtype]}x}"


def plan_steps(commands: Sequence[Command], fates: Mapping[int, Fate]) -> list[Step]:
    """Return a step per command, those about refused modules left out."""
    names = _Names()
    return [
        _plan_step(command, fates.get(number, NO_MODULE), names)
        for number, command in enumerate(commands)
        if not is_refusal(command)
    ]


def _plan_step(command: Command, fate: Fate, names: _Names) -> Step:
    if isinstance(command, ModuleCommand | AssertModule):
        fate = _with_imports(fate, names)
        if isinstance(command, ModuleCommand):
            names.current = fate
            if command.name is not None:
                names.named[command.name] = fate
        return _step(command, fate, f"instantiate {fate.number}")
    if isinstance(command, Register):
        fate = names.find(command.module)
        names.registered[command.as_name.decode("utf-8")] = fate
        return _step(command, fate, f"register {fate.number} {command.as_name.hex()}")
    return _plan_action(command, command.action, names.find(command.action.module))


def _with_imports(fate: Fate, names: _Names) -> Fate:
    """Return the fate of a module, which is no better than that of a module it imports from."""
    if fate.module is None or fate.feature or fate.error:
        return fate
    for item in fate.module.module.imports:
        provider = names.registered.get(item.module)
        if provider is not None and provider.feature:
            return Fate(fate.module, feature=provider.feature)
    return fate


def _step(command: Command, fate: Fate, line: str) -> Step:
    if fate.feature:
        return Step(command, status=SKIPPED, reason=fate.feature)
    if fate.error:
        return Step(command, status=FAILED, reason=fate.error)
    return Step(command, line)


def _plan_action(command: Command, action: Action, fate: Fate) -> Step:
    if fate.module is None or fate.feature or fate.error:
        return _step(command, fate, "")
    kind = ExternKind.FUNC if action.kind == "invoke" else ExternKind.GLOBAL
    for index, export in enumerate(fate.module.module.exports):
        if export.name.encode("utf-8") == action.field and export.kind is kind:
            words = [action.kind, str(fate.number), str(index), *map(value_text, action.args)]
            return _step(command, fate, " ".join(words))
    return Step(command, status=FAILED, reason=f"there is no export {action.field!r}")


def judge(
    script: str, target: str, steps: Sequence[Step], answers: Sequence[str], column: str = ""
) -> list[Outcome]:
    """Return the steps' outcomes; `answers` holds one per step that has a line.

    `column` is where they stand in the report, by default that of a plain run.
    """
    column = column or target_column(target, 0)
    remaining = iter(answers)
    outcomes: list[Outcome] = []
    for step in steps:
        status, reason = step.status, step.reason
        if step.line:
            reason = _find_fault(step.command, next(remaining))
            status = FAILED if reason else PASSED
        outcomes.append(Outcome(script, step.command.line, target, status, reason, column))
    return outcomes


def _find_fault(command: Command, answer: str) -> str:
    """Return what is wrong with an answer, the empty string if nothing is."""
    verb, _, rest = answer.partition(" ")
    if isinstance(command, AssertModule):
        return _find_refusal_fault(command, verb, rest, answer)
    if isinstance(command, AssertTrap):
        if verb == "trap" and messages_agree(rest, command.message):
            return ""
        return f'trap "{command.message}" expected, got "{answer}"'
    if verb != "ok":
        return answer
    if isinstance(command, AssertReturn):
        return _compare(command.expected, rest.split())
    return ""


def _find_refusal_fault(command: AssertModule, verb: str, rest: str, answer: str) -> str:
    """Check an instantiation that must not succeed. Link errors have words of our own."""
    if verb == command.expect and (verb == "unlinkable" or messages_agree(rest, command.message)):
        return ""
    return f'{command.expect} "{command.message}" expected, got "{answer}"'


def _compare(expected: Sequence[Expected], words: Sequence[str]) -> str:
    matches = len(expected) == len(words) and all(
        want.accepts(*_parse_result(word)) for want, word in zip(expected, words, strict=True)
    )
    if matches:
        return ""
    wanted = ", ".join(map(str, expected)) or "no result"
    return f"{wanted} expected, got {' '.join(words) or 'no result'}"


def _parse_result(word: str) -> tuple[str, int]:
    valtype, _, bits = word.partition(":")
    return valtype, NULL_REF if bits == "null" else int(bits, 16)
