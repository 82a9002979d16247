"""Snapshot <-> bytes, version 1.

The layout is drawn in docs/internals.md, section 4; runtime/src/snapshot*.c is its other writer
and reader. In one picture:

    0     header      64 bytes: magic, version, section count, file size, two CRCs, module hash
    64    directory   9 rows of 32 bytes: id, offset, size, CRC of each section
    352   sections    SOURCE MODULE FRAMES GLOBALS TABLES MEMORIES PAGES SEGMENTS WASI, each at
                      the next multiple of 8 (PAGES: of 4096); the gaps are zero

Invariant: ``encode_snapshot(decode_snapshot(data)) == data`` for everything that the C code wrote,
and no flipped bit goes unnoticed: each byte is under a CRC or must be zero. Whether the contents
fit the module is the business of ``check.check_against``.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
import zlib
from collections.abc import Callable
from typing import Final, TypeVar

from mvvm_aot.abi import SNAPSHOT_VERSION
from mvvm_aot.errors import SnapshotCorrupt, SnapshotTruncated, SnapshotVersion
from mvvm_aot.wasmparser.types import ValType

from .state import (
    DESCRIPTOR_KINDS,
    NO_MAX,
    PAGE,
    VALUE_SIZES,
    Descriptor,
    Frame,
    InstanceState,
    MemoryRun,
    MemoryState,
    PackedFile,
    Snapshot,
    TableState,
    Value,
    WasiState,
)

MAGIC: Final = b"MVVMSNAP"
SECTION_NAMES: Final = (
    "SOURCE",
    "MODULE",
    "FRAMES",
    "GLOBALS",
    "TABLES",
    "MEMORIES",
    "PAGES",
    "SEGMENTS",
    "WASI",
)
_HEADER: Final = struct.Struct("<8sIIQII32s")
_ROW: Final = struct.Struct("<IIQQII")
_DESCRIPTOR: Final = struct.Struct("<IBBHQQQIQQ")
_VALTYPES: Final = {valtype.value: valtype for valtype in ValType}
_PAGES_ID: Final = SECTION_NAMES.index("PAGES") + 1

T = TypeVar("T")


class Reader:
    """Reads one section; every error names the section and the offset in the file."""

    def __init__(self, name: str, data: memoryview, base: int) -> None:
        self.name = name
        self.data = data
        self.base = base
        self.pos = 0

    def fail(self, reason: str, pos: int | None = None) -> SnapshotCorrupt:
        """Return the error for the value at ``pos`` (default: here)."""
        offset = self.base + (self.pos if pos is None else pos)
        return SnapshotCorrupt(f"bad snapshot: {reason} (section {self.name}, offset {offset:#x})")

    def take(self, size: int) -> memoryview:
        """Return the next ``size`` bytes."""
        if size > len(self.data) - self.pos:
            raise self.fail(f"section ends, {size} bytes expected")
        self.pos += size
        return self.data[self.pos - size : self.pos]

    def unsigned(self, size: int) -> int:
        """Return an unsigned integer of ``size`` bytes."""
        return int.from_bytes(self.take(size), "little")

    def u8(self) -> int:
        """Return a byte."""
        return self.unsigned(1)

    def u32(self) -> int:
        """Return a 32-bit integer."""
        return self.unsigned(4)

    def u64(self) -> int:
        """Return a 64-bit integer."""
        return self.unsigned(8)

    def string(self) -> bytes:
        """Return a length and so many bytes."""
        return bytes(self.take(self.u32()))

    def many(self, read: Callable[[], T], least: int) -> tuple[T, ...]:
        """Read a count and so many items of at least ``least`` bytes each."""
        at = self.pos
        count = self.u32()
        if count * least > len(self.data) - self.pos:
            raise self.fail(f"{count} items do not fit the section", at)
        return tuple([read() for _ in range(count)])

    def valtype(self) -> ValType:
        """Return a value type."""
        at = self.pos
        code = self.u8()
        if code not in _VALTYPES:
            raise self.fail(f"unknown value type {code:#x}", at)
        return _VALTYPES[code]

    def value(self) -> Value:
        """Return a value: type, then payload."""
        valtype = self.valtype()
        return Value(valtype, self.unsigned(VALUE_SIZES[valtype]))

    def flag(self) -> bool:
        """Return a byte that must be 0 or 1."""
        at = self.pos
        value = self.u8()
        if value > 1:
            raise self.fail(f"a flag is {value}", at)
        return value == 1

    def finish(self) -> None:
        """Demand that the whole section was read."""
        if self.pos != len(self.data):
            raise self.fail(f"{len(self.data) - self.pos} bytes too many")


# -- Bytes -> Snapshot -----------------------------------------------------------------------


def decode_snapshot(data: bytes) -> Snapshot:
    """Decode a snapshot file. Raises SnapshotTruncated, SnapshotVersion or SnapshotCorrupt."""
    count, digest = _decode_header(data)
    sections = _decode_directory(data, count)
    source, module, frames, globals_, tables, memories, pages, segments, wasi = sections
    module_bytes = bytes(module.take(len(module.data)))
    if hashlib.sha256(module_bytes).digest() != digest:
        raise module.fail("the module's SHA-256 is not the header's", 0)
    read_pages = _PageSource(pages)
    snapshot = Snapshot(
        module=module_bytes,
        module_sha256=digest,
        source=_decode_source(source),
        state=InstanceState(
            frames=frames.many(lambda: _decode_frame(frames), 16),
            globals=globals_.many(globals_.value, 5),
            tables=tables.many(lambda: _decode_table(tables), 9),
            memories=memories.many(lambda: _decode_memory(memories, read_pages), 20),
            dropped_datas=segments.many(segments.flag, 1),
            dropped_elems=segments.many(segments.flag, 1),
            wasi=_decode_wasi(wasi),
        ),
    )
    for section in sections:
        section.finish()
    return snapshot


def _decode_header(data: bytes) -> tuple[int, bytes]:
    """Check the header; return the number of sections and the module's hash."""
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise SnapshotCorrupt("not a snapshot: it does not begin with MVVMSNAP (header, offset 0)")
    if len(data) < _HEADER.size:
        raise SnapshotTruncated(
            f"truncated snapshot: it ends in its header (offset {len(data):#x})"
        )
    _, version, count, file_size, directory_crc, header_crc, digest = _HEADER.unpack_from(data)
    if version != SNAPSHOT_VERSION:
        raise SnapshotVersion(
            f"snapshot format version {version} is not supported, this program reads version "
            f"{SNAPSHOT_VERSION} (header, offset 0x8)"
        )
    if zlib.crc32(data[:28] + b"\0\0\0\0" + data[32:64]) != header_crc:
        raise SnapshotCorrupt("bad snapshot: checksum of the header (offset 0x1c)")
    if file_size > len(data):
        raise SnapshotTruncated(
            f"truncated snapshot: {len(data)} of {file_size} bytes (offset {len(data):#x})"
        )
    if file_size < len(data):
        raise SnapshotCorrupt(
            f"bad snapshot: {len(data) - file_size} bytes too many (offset {file_size:#x})"
        )
    if count != len(SECTION_NAMES):
        raise SnapshotCorrupt(f"bad snapshot: {count} sections (header, offset 0xc)")
    end = _HEADER.size + count * _ROW.size
    if end > len(data) or zlib.crc32(data[_HEADER.size : end]) != directory_crc:
        raise SnapshotCorrupt("bad snapshot: checksum of the directory (offset 0x40)")
    return count, digest


def _decode_directory(data: bytes, count: int) -> list[Reader]:
    """Return a reader for each section, in ascending order of ids."""
    view = memoryview(data)
    end = _HEADER.size + count * _ROW.size
    readers = []
    for number, name in enumerate(SECTION_NAMES):
        at = _HEADER.size + number * _ROW.size
        section_id, reserved, offset, size, crc, reserved2 = _ROW.unpack_from(data, at)
        place = f"section {name}, directory row at offset {at:#x}"
        if section_id != number + 1 or reserved or reserved2:
            raise SnapshotCorrupt(f"bad snapshot: unexpected directory row ({place})")
        if offset != _align(end, section_id) or size > len(data) - offset:
            raise SnapshotCorrupt(f"bad snapshot: section in a wrong place ({place})")
        if any(view[end:offset]):
            raise SnapshotCorrupt(f"bad snapshot: the gap at offset {end:#x} is not zero ({place})")
        end = offset + size
        if zlib.crc32(view[offset:end]) != crc:
            raise SnapshotCorrupt(
                f"bad snapshot: checksum (section {name}, offset {offset:#x}, {size} bytes)"
            )
        readers.append(Reader(name, view[offset:end], offset))
    if end != len(data):
        raise SnapshotCorrupt(
            f"bad snapshot: bytes behind the last section (section WASI, offset {end:#x})"
        )
    return readers


def _align(offset: int, section_id: int) -> int:
    """Return where a section begins that could begin at ``offset``."""
    unit = PAGE if section_id == _PAGES_ID else 8
    return -(-offset // unit) * unit


def _decode_source(reader: Reader) -> dict[str, str]:
    """Decode the ``key=value`` lines."""
    try:
        text = str(reader.take(len(reader.data)), "utf-8")
    except UnicodeDecodeError as error:
        raise reader.fail("text that is not UTF-8", error.start) from error
    source = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if not equals:
            raise reader.fail(f"a line without '=': {line[:40]!r}", 0)
        source[key] = value
    return source


def _decode_frame(reader: Reader) -> Frame:
    """Decode one frame; the local indices ascend."""
    func_index, offset = reader.u32(), reader.u32()
    at = reader.pos
    slots = reader.many(lambda: (reader.u32(), reader.value()), 9)
    if any(left[0] >= right[0] for left, right in itertools.pairwise(slots)):
        raise reader.fail("local indices do not ascend", at)
    return Frame(func_index, offset, slots, reader.many(reader.value, 5))


def _decode_table(reader: Reader) -> TableState:
    """Decode one table."""
    at = reader.pos
    reftype = reader.valtype()
    if not reftype.is_reference:
        raise reader.fail(f"a table of {reftype.text}", at)
    size, most = reader.u32(), reader.u32()
    elements = struct.unpack(f"<{size}I", reader.take(4 * size))
    return TableState(reftype, elements, None if most == NO_MAX else most)


class _PageSource:
    """Hands out the PAGES section run by run."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def take(self, count: int) -> bytes:
        """Return the next ``count`` pages."""
        return bytes(self.reader.take(count * PAGE))


def _decode_memory(reader: Reader, pages: _PageSource) -> MemoryState:
    """Decode one memory; its runs ascend, do not touch the outside and are not empty."""
    size, most = reader.u64(), reader.u64()
    end = 0

    def run() -> MemoryRun:
        nonlocal end
        at = reader.pos
        first, count = reader.u64(), reader.u64()
        if first < end or count == 0 or first + count > size * 16:
            raise reader.fail(f"a run of {count} pages at page {first}", at)
        end = first + count
        return MemoryRun(first, pages.take(count))

    return MemoryState(size, most, reader.many(run, 16))


def _decode_wasi(reader: Reader) -> WasiState:
    """Decode the WASI side."""
    args = reader.many(reader.string, 4)
    env = reader.many(reader.string, 4)
    monotonic, realtime, cpu = reader.u64(), reader.u64(), reader.u64()
    has_poll_start, poll_start = reader.flag(), reader.u64()
    if poll_start > (monotonic if has_poll_start else 0):
        raise reader.fail(f"a poll that started at {poll_start} ns", reader.pos - 8)
    at = reader.pos
    descriptors = reader.many(lambda: _decode_descriptor(reader), _DESCRIPTOR.size + 8)
    if any(left.fd >= right.fd for left, right in itertools.pairwise(descriptors)):
        raise reader.fail("descriptors do not ascend", at)
    poll_start_ns = poll_start if has_poll_start else None
    files = _decode_files(reader) if reader.pos < len(reader.data) else ()
    return WasiState(args, env, monotonic, realtime, cpu, poll_start_ns, descriptors, files)


def _decode_files(reader: Reader) -> tuple[PackedFile, ...]:
    """Decode the files behind the descriptors, of which there is at least one."""
    at = reader.pos
    files = reader.many(lambda: _decode_file(reader), 16)
    if not files:
        raise reader.fail("no files", at)
    return files


def _decode_file(reader: Reader) -> PackedFile:
    """Decode one packed file."""
    at = reader.pos
    fds = reader.many(reader.u32, 4)
    if not fds or any(left >= right for left, right in itertools.pairwise(fds)):
        raise reader.fail("a file's descriptors do not ascend", at)
    return PackedFile(fds, bytes(reader.take(reader.u64())))


def _decode_descriptor(reader: Reader) -> Descriptor:
    """Decode one descriptor."""
    at = reader.pos
    fields = _DESCRIPTOR.unpack(reader.take(_DESCRIPTOR.size))
    if fields[1] >= len(DESCRIPTOR_KINDS):
        raise reader.fail(f"descriptor {fields[0]} is of unknown kind {fields[1]}", at + 4)
    return Descriptor(*(*fields, reader.string(), reader.string()))


# -- Snapshot -> bytes -----------------------------------------------------------------------


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """Encode a snapshot; the inverse of ``decode_snapshot``."""
    state = snapshot.state
    runs = [run.data for memory in state.memories for run in memory.runs]
    contents = (
        "".join(f"{key}={value}\n" for key, value in snapshot.source.items()).encode(),
        snapshot.module,
        _many(state.frames, _encode_frame),
        _many(state.globals, _encode_value),
        _many(state.tables, _encode_table),
        _many(state.memories, _encode_memory),
        b"".join(runs),
        _many(state.dropped_datas, _encode_flag) + _many(state.dropped_elems, _encode_flag),
        _encode_wasi(state.wasi),
    )
    return encode_sections(contents, snapshot.module_sha256)


def encode_sections(contents: tuple[bytes, ...], module_sha256: bytes) -> bytes:
    """Put sections (by ascending id) into a file: header, directory, checksums, gaps."""
    rows = b""
    parts = []
    end = start = _HEADER.size + len(contents) * _ROW.size
    for number, content in enumerate(contents, 1):
        offset = _align(end, number)
        parts += [bytes(offset - end), content]
        rows += _ROW.pack(number, 0, offset, len(content), zlib.crc32(content), 0)
        end = offset + len(content)
    body = b"".join(parts)
    fields = (MAGIC, SNAPSHOT_VERSION, len(contents), start + len(body), zlib.crc32(rows))
    header = _HEADER.pack(*fields, 0, module_sha256)
    return _HEADER.pack(*fields, zlib.crc32(header), module_sha256) + rows + body


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _u64(value: int) -> bytes:
    return value.to_bytes(8, "little")


def _many(items: tuple[T, ...], encode: Callable[[T], bytes]) -> bytes:
    return _u32(len(items)) + b"".join(encode(item) for item in items)


def _encode_flag(value: bool) -> bytes:
    return b"\1" if value else b"\0"


def _encode_string(value: bytes) -> bytes:
    return _u32(len(value)) + value


def _encode_value(value: Value) -> bytes:
    return bytes([value.type.value]) + value.bits.to_bytes(VALUE_SIZES[value.type], "little")


def _encode_frame(frame: Frame) -> bytes:
    return (
        _u32(frame.func_index)
        + _u32(frame.offset)
        + _many(frame.locals, lambda item: _u32(item[0]) + _encode_value(item[1]))
        + _many(frame.operands, _encode_value)
    )


def _encode_table(table: TableState) -> bytes:
    most = NO_MAX if table.max is None else table.max
    head = bytes([table.reftype.value]) + _u32(len(table.elements)) + _u32(most)
    return head + struct.pack(f"<{len(table.elements)}I", *table.elements)


def _encode_memory(memory: MemoryState) -> bytes:
    head = _u64(memory.pages) + _u64(memory.max_pages)
    return head + _many(memory.runs, lambda run: _u64(run.first) + _u64(run.page_count))


def _encode_wasi(wasi: WasiState) -> bytes:
    return (
        _many(wasi.args, _encode_string)
        + _many(wasi.env, _encode_string)
        + _u64(wasi.monotonic_ns)
        + _u64(wasi.realtime_ns)
        + _u64(wasi.cpu_ns)
        + _encode_flag(wasi.poll_start_ns is not None)
        + _u64(wasi.poll_start_ns or 0)
        + _many(wasi.descriptors, _encode_descriptor)
        + (_many(wasi.files, _encode_file) if wasi.files else b"")
    )


def _encode_file(item: PackedFile) -> bytes:
    return _many(item.fds, _u32) + _u64(len(item.data)) + item.data


def _encode_descriptor(item: Descriptor) -> bytes:
    fields = (
        item.fd,
        item.kind,
        item.filetype,
        item.flags,
        item.rights_base,
        item.rights_inheriting,
        item.offset,
        item.base_fd,
        item.size,
        item.mtime_ns,
    )
    return _DESCRIPTOR.pack(*fields) + _encode_string(item.path) + _encode_string(item.host_path)
