"""Put WebAssembly binaries together byte by byte; knows the format, checks nothing."""

from __future__ import annotations

from mvvm_aot.wasmparser.binary import decode_module
from mvvm_aot.wasmparser.module import Module

HEADER = b"\0asm" + b"\1\0\0\0"

TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL = 1, 2, 3, 4, 5, 6
EXPORT, START, ELEM, CODE, DATA, DATA_COUNT = 7, 8, 9, 10, 11, 12

I32, I64, F32, F64, V128, FUNCREF, EXTERNREF = (
    b"\x7f",
    b"\x7e",
    b"\x7d",
    b"\x7c",
    b"\x7b",
    b"p",
    b"o",
)
EMPTY = b"\x40"

UNREACHABLE, NOP, ELSE, END, RETURN = b"\x00", b"\x01", b"\x05", b"\x0b", b"\x0f"
BLOCK, LOOP, IF, BR, BR_IF = b"\x02", b"\x03", b"\x04", b"\x0c", b"\x0d"
CALL, DROP, SELECT, I32_CONST, I32_ADD = b"\x10", b"\x1a", b"\x1b", b"\x41", b"\x6a"
LOCAL_GET, LOCAL_SET, LOCAL_TEE = b"\x20", b"\x21", b"\x22"


def annotated(text: str) -> bytes:
    """Turn lines of hexadecimal bytes, each followed by "; comment", into bytes."""
    return bytes.fromhex("".join(line.partition(";")[0] for line in text.splitlines()))


def u32(value: int) -> bytes:
    """Encode an unsigned LEB128 integer in as few bytes as possible."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def s64(value: int) -> bytes:
    """Encode a signed LEB128 integer in as few bytes as possible."""
    encoded = bytearray()
    while not -0x40 <= value < 0x40:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value & 0x7F)
    return bytes(encoded)


def vec(*items: bytes) -> bytes:
    """Encode a vector: its length, then its elements."""
    return u32(len(items)) + b"".join(items)


def name(text: str) -> bytes:
    """Encode a name: its length in bytes, then its UTF-8."""
    encoded = text.encode()
    return u32(len(encoded)) + encoded


def section(section_id: int, contents: bytes) -> bytes:
    """Encode a section: id, size, contents."""
    return bytes([section_id]) + u32(len(contents)) + contents


def custom(title: str, payload: bytes) -> bytes:
    """Encode a custom section."""
    return section(0, name(title) + payload)


def func_type(params: bytes = b"", results: bytes = b"") -> bytes:
    """Encode a function type; parameters and results are one byte each."""
    return b"\x60" + u32(len(params)) + params + u32(len(results)) + results


def body(instrs: bytes, *local_runs: bytes) -> bytes:
    """Encode a code entry: size, locals, instructions; the final end is added."""
    contents = vec(*local_runs) + instrs + END
    return u32(len(contents)) + contents


def func_module(
    instrs: bytes,
    params: bytes = b"",
    results: bytes = b"",
    local_runs: tuple[bytes, ...] = (),
    more_types: tuple[bytes, ...] = (),
    sections: dict[int, bytes] | None = None,
) -> bytes:
    """Encode a module with one function of type 0, and whatever other sections are given."""
    contents = {
        TYPE: vec(func_type(params, results), *more_types),
        FUNCTION: vec(u32(0)),
        CODE: vec(body(instrs, *local_runs)),
        **(sections or {}),
    }
    order = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11)
    return HEADER + b"".join(section(key, contents[key]) for key in order if key in contents)


def decode_func(instrs: bytes, **options: object) -> Module:
    """Decode a module with one function; see func_module."""
    return decode_module(func_module(instrs, **options))  # type: ignore[arg-type]
