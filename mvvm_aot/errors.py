"""Every exception of mvvm_aot, and the exit code with which the command line reports it.

Each error knows its parts (offset, function, path...) as attributes, so that a caller need not
take the message apart; ``str(error)`` is one complete sentence for people: what, where, and
where it helps, what to do. ``error.reason`` is the bare reason; for a malformed or invalid module
it starts with the specification's own words ("unexpected end", "type mismatch").

Exit codes follow BSD's sysexits.h where it has a fitting one:

    2   usage                       (click's own code for a wrong command line)
    65  malformed or invalid module (EX_DATAERR)
    66  bad snapshot                (EX_NOINPUT)
    69  unsupported feature         (EX_UNAVAILABLE)
    71  code generation, linking, operating system (EX_OSERR)
"""

from __future__ import annotations

import os
from typing import Any, ClassVar

EXIT_USAGE = 2
EXIT_MODULE = 65
EXIT_SNAPSHOT = 66
EXIT_UNSUPPORTED = 69
EXIT_SYSTEM = 71


def _describe_function(func_index: int | None, func_name: str | None) -> str:
    """Return ``function 12 "name"`` with what is known of it, or the empty string."""
    if func_index is None:
        return f'function "{func_name}"' if func_name else ""
    if func_name and func_name != f"func[{func_index}]":
        return f'function {func_index} "{func_name}"'
    return f"function {func_index}"


class MvvmError(Exception):
    """The base of all errors that mvvm_aot raises on purpose; anything else is a bug of ours."""

    exit_code: ClassVar[int] = EXIT_SYSTEM

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by attributes: a worker process must be able to hand its error back."""
        return (_rebuild, (type(self), self.args, dict(self.__dict__)))


def _rebuild(cls: type[MvvmError], args: tuple[Any, ...], attributes: dict[str, Any]) -> MvvmError:
    """Make an error from its pickled parts without running its constructor."""
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


class UsageError(MvvmError):
    """The caller asked for something that makes no sense: a wrong option, path or combination."""

    exit_code = EXIT_USAGE


class ModuleError(MvvmError):
    """What malformed and invalid modules have in common: the input is not acceptable Wasm."""

    exit_code = EXIT_MODULE


class MalformedModule(ModuleError):
    """The bytes are not a WebAssembly binary module.

    ``offset`` is the byte offset in the module file at which decoding stopped. Inside of a function
    body ``func_index`` says whose, and ``func_name`` what it is exported as (other names stand
    behind the code).
    """

    def __init__(
        self,
        message: str,
        offset: int,
        func_index: int | None = None,
        func_name: str | None = None,
    ) -> None:
        super().__init__(message)
        self.offset = offset
        self.func_index = func_index
        self.func_name = func_name

    def __str__(self) -> str:
        function = _describe_function(self.func_index, self.func_name)
        place = f"{function}, " if function else ""
        return f"malformed module: {self.reason} ({place}at byte offset {self.offset:#x})"


class InvalidModule(ModuleError):
    """The module decodes, but breaks a validation rule.

    ``func_index`` (in the function index space) and ``func_name`` are None where the error is
    not inside a function body; ``offset`` is that of the instruction or definition if known.
    """

    def __init__(
        self,
        message: str,
        func_index: int | None = None,
        offset: int | None = None,
        func_name: str | None = None,
    ) -> None:
        super().__init__(message)
        self.func_index = func_index
        self.offset = offset
        self.func_name = func_name

    def __str__(self) -> str:
        where = [_describe_function(self.func_index, self.func_name)]
        if self.offset is not None:
            where.append(f"at byte offset {self.offset:#x}")
        place = ", ".join(part for part in where if part)
        return f"invalid module: {self.reason}" + (f" ({place})" if place else "")


class UnsupportedFeature(MvvmError):
    """Valid WebAssembly (or a valid request) that this version cannot translate or run.

    ``feature`` names what is missing; the rest says where it was met, as far as known.
    """

    exit_code = EXIT_UNSUPPORTED

    def __init__(
        self,
        feature: str,
        where: str | None = None,
        func_index: int | None = None,
        offset: int | None = None,
        func_name: str | None = None,
    ) -> None:
        super().__init__(feature)
        self.feature = feature
        self.where = where
        self.func_index = func_index
        self.offset = offset
        self.func_name = func_name

    def __str__(self) -> str:
        where = [self.where or "", _describe_function(self.func_index, self.func_name)]
        if self.offset is not None:
            where.append(f"at byte offset {self.offset:#x}")
        place = ", ".join(part for part in where if part)
        return f"unsupported feature: {self.feature}" + (f" ({place})" if place else "")


class CodegenError(MvvmError):
    """LLVM refused our IR, or the machine code could not be proved fit for migration."""


class LinkError(MvvmError):
    """No executable could be made of the objects, or an import has no provider."""


class TrapError(MvvmError):
    """WebAssembly code trapped; ``trap`` is the specification's name of the trap."""

    def __init__(self, trap: str, func_index: int | None = None, offset: int | None = None) -> None:
        super().__init__(trap)
        self.trap = trap
        self.func_index = func_index
        self.offset = offset

    def __str__(self) -> str:
        where = [_describe_function(self.func_index, None)]
        if self.offset is not None:
            where.append(f"at byte offset {self.offset:#x}")
        place = ", ".join(part for part in where if part)
        return f"trap: {self.trap}" + (f" ({place})" if place else "")


class SnapshotError(MvvmError):
    """A snapshot cannot be used; the kinds below say why."""

    exit_code = EXIT_SNAPSHOT


class SnapshotTruncated(SnapshotError):
    """The snapshot ends before its contents do."""


class SnapshotCorrupt(SnapshotError):
    """The snapshot's bytes contradict themselves: checksum, counts, ranges."""


class SnapshotVersion(SnapshotError):
    """The snapshot was written in a format that this version does not read."""


class SnapshotMismatch(SnapshotError):
    """The snapshot is sound but belongs to another module, or does not fit this machine."""


class SystemFailure(MvvmError):
    """The operating system refused something; ``errno`` and ``path`` say what, if known."""

    def __init__(self, reason: str, errno: int | None = None, path: str | None = None) -> None:
        super().__init__(reason)
        self.errno = errno
        self.path = path

    @classmethod
    def from_os_error(cls, doing: str, error: OSError) -> SystemFailure:
        """Convert an OSError at the border; ``doing`` completes "cannot ..."."""
        path = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else None
        place = f" '{path}'" if path is not None else ""
        return cls(f"cannot {doing}{place}: {error.strerror or error}", error.errno, path)
