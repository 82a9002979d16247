"""Modules of a script: text -> bytes, by wasmtime's assembler, which does not validate."""

from __future__ import annotations

import wasmtime

from .script import ModuleSource


class AssemblerError(Exception):
    """The assembler refuses a module's text."""


def _escape_non_ascii(text: bytes) -> bytes:
    """Write bytes beyond ASCII as escapes: the assembler dislikes right-to-left marks and the like.

    Outside of comments they can only stand in strings.
    """
    return b"".join(bytes([b]) if b < 0x80 else b"\\%02x" % b for b in text)


def assemble(source: ModuleSource) -> bytes:
    """Return the binary module. Raises AssemblerError."""
    if source.kind == "binary":
        return source.data
    text = source.data if source.kind == "quote" else _escape_non_ascii(source.data)
    try:
        return bytes(wasmtime.wat2wasm(text))
    except (wasmtime.WasmtimeError, UnicodeDecodeError) as error:
        raise AssemblerError(str(error).strip().splitlines()[0]) from error
