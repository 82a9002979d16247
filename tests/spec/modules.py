"""The modules of a script: text -> validated modules, and the verdict on bad ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mvvm_aot.errors import InvalidModule, MalformedModule, ModuleError, MvvmError
from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.types import FuncType
from mvvm_aot.wasmparser.validate import validate_module
from mvvm_aot.wasmparser.validated import ValidatedModule

from .assemble import AssemblerError, assemble
from .outcome import FAILED, PASSED, TEXT, Outcome
from .script import AssertModule, Command, ModuleCommand, ModuleSource

_REFUSALS: dict[str, type[ModuleError]] = {"invalid": InvalidModule, "malformed": MalformedModule}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of an assertion about a bad module, with a note if the message differs."""

    outcome: Outcome
    note: str = ""


def messages_agree(actual: str, expected: str) -> bool:
    """Return whether one message begins with the other, as the specification's runner has it."""
    return actual.startswith(expected) or expected.startswith(actual)


def judge_refusal(script: str, command: AssertModule) -> Verdict:
    """Check an `assert_invalid` or `assert_malformed`.

    Malformed text is the assembler's to refuse, or the decoder's where the assembler knows more
    than WebAssembly 2.0 (a memory of 2^32 pages); one of the two must.
    """
    where = (script, command.line, "")
    try:
        binary = assemble(command.source)
    except AssemblerError as error:
        if command.expect == "malformed" and command.source.kind == "quote":
            return Verdict(Outcome(*where, PASSED, column=TEXT))
        return Verdict(Outcome(*where, FAILED, f"the assembler refuses the module: {error}"))
    wanted = _REFUSALS[command.expect]
    try:
        validate_module(decode_module(binary))
    except wanted as error:
        outcome = Outcome(*where, PASSED)
        if messages_agree(error.reason, command.message):
            return Verdict(outcome)
        note = f'{script}:{command.line}: "{command.message}" expected, got "{error.reason}"'
        return Verdict(outcome, note)
    except MvvmError as error:
        text = f"{wanted.__name__} expected, got {type(error).__name__}: {error}"
        return Verdict(Outcome(*where, FAILED, text))
    text = f"{wanted.__name__} expected ({command.message}), but the module is accepted"
    return Verdict(Outcome(*where, FAILED, text))


@dataclass(frozen=True, slots=True)
class ScriptModule:
    """A module that a script instantiates, or why there is none."""

    module: ValidatedModule | None
    error: str = ""


def load_module(source: ModuleSource) -> ScriptModule:
    """Assemble, decode and validate a module that is expected to be valid."""
    try:
        return ScriptModule(validate_module(decode_module(assemble(source))))
    except AssemblerError as error:
        return ScriptModule(None, f"the assembler refuses the module: {error}")
    except MvvmError as error:
        return ScriptModule(None, str(error))


def is_refusal(command: Command) -> bool:
    """Return whether the command is about a module that does not reach the compiler."""
    return isinstance(command, AssertModule) and command.expect in _REFUSALS


def load_modules(commands: Sequence[Command]) -> dict[int, ScriptModule]:
    """Return the modules that the script instantiates, by number of their command."""
    return {
        number: load_module(command.source)
        for number, command in enumerate(commands)
        if isinstance(command, ModuleCommand | AssertModule) and not is_refusal(command)
    }


def number_types(modules: Sequence[ValidatedModule]) -> dict[FuncType, int]:
    """Number the function types: equal types in all modules have the same number."""
    numbers: dict[FuncType, int] = {}
    for validated in modules:
        for ftype in validated.module.types:
            numbers.setdefault(ftype, len(numbers))
    return numbers
