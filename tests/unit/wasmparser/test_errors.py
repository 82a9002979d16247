"""errors.py: messages, exit codes, and that errors survive a process boundary."""

from __future__ import annotations

import errno
import pickle
from pathlib import Path

import pytest

from mvvm_aot import errors


@pytest.mark.parametrize(
    ("error", "text", "exit_code"),
    [
        (errors.UsageError("no input"), "no input", 2),
        (
            errors.MalformedModule("unexpected end", 31),
            "malformed module: unexpected end (at byte offset 0x1f)",
            65,
        ),
        (
            errors.MalformedModule("illegal opcode 0xff", 31, 2, "main"),
            'malformed module: illegal opcode 0xff (function 2 "main", at byte offset 0x1f)',
            65,
        ),
        (
            errors.InvalidModule("type mismatch", 3, 255, "main"),
            'invalid module: type mismatch (function 3 "main", at byte offset 0xff)',
            65,
        ),
        (
            errors.InvalidModule("unknown local 1", 3, 255, "func[3]"),
            "invalid module: unknown local 1 (function 3, at byte offset 0xff)",
            65,
        ),
        (errors.InvalidModule("multiple memories"), "invalid module: multiple memories", 65),
        (errors.UnsupportedFeature("threads"), "unsupported feature: threads", 69),
        (
            errors.UnsupportedFeature("exceptions", where="a.wasm", func_index=1, offset=16),
            "unsupported feature: exceptions (a.wasm, function 1, at byte offset 0x10)",
            69,
        ),
        (errors.CodegenError("bad IR"), "bad IR", 71),
        (errors.LinkError("no libc"), "no libc", 71),
        (errors.TrapError("unreachable", 2, 18), None, 71),
        (errors.SnapshotError("bad"), "bad", 66),
        (errors.SnapshotTruncated("short"), "short", 66),
        (errors.SnapshotCorrupt("checksum"), "checksum", 66),
        (errors.SnapshotVersion("9"), "9", 66),
        (errors.SnapshotMismatch("other module"), "other module", 66),
        (errors.SystemFailure("cannot fork", errno.EAGAIN), "cannot fork", 71),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_text_exit_code_and_pickle(
    error: errors.MvvmError, text: str | None, exit_code: int
) -> None:
    assert text is None or str(error) == text
    assert error.exit_code == exit_code
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.__dict__ == error.__dict__


def test_os_errors_are_converted_at_the_border() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        Path("/nonexistent/app.wasm").read_bytes()
    failure = errors.SystemFailure.from_os_error("read", caught.value)
    assert str(failure) == "cannot read '/nonexistent/app.wasm': No such file or directory"
    assert (failure.errno, failure.path) == (errno.ENOENT, "/nonexistent/app.wasm")


def test_snapshot_kinds_are_snapshot_errors() -> None:
    kinds = (
        errors.SnapshotTruncated,
        errors.SnapshotCorrupt,
        errors.SnapshotVersion,
        errors.SnapshotMismatch,
    )
    assert all(issubclass(kind, errors.SnapshotError) for kind in kinds)
    assert issubclass(errors.SnapshotError, errors.MvvmError)
