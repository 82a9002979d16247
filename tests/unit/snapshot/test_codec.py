"""The snapshot codec: layout, round trips, and that no damage goes unnoticed."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvvm_aot.errors import SnapshotCorrupt, SnapshotError, SnapshotTruncated, SnapshotVersion
from mvvm_aot.snapshot.codec import SECTION_NAMES, decode_snapshot, encode_sections, encode_snapshot
from mvvm_aot.snapshot.state import VALUE_SIZES, Frame, MemoryRun, Value
from mvvm_aot.wasmparser.types import ValType

from .samples import sample_snapshot

SAMPLE = encode_snapshot(sample_snapshot())


def section(data: bytes, name: str) -> tuple[int, int]:
    """Return (offset, size) of a section."""
    row = 64 + 32 * SECTION_NAMES.index(name)
    offset, size = struct.unpack_from("<QQ", data, row + 8)
    return offset, size


def with_section(data: bytes, name: str, content: bytes) -> bytes:
    """Return the file with a section replaced, every checksum right."""
    contents = []
    for other in SECTION_NAMES:
        offset, size = section(data, other)
        contents.append(content if other == name else data[offset : offset + size])
    return encode_sections(tuple(contents), data[32:64])


def test_round_trip() -> None:
    assert decode_snapshot(SAMPLE) == sample_snapshot()
    assert encode_snapshot(decode_snapshot(SAMPLE)) == SAMPLE


def test_header_is_laid_out_as_documented() -> None:
    assert SAMPLE[0:8] == b"MVVMSNAP"
    assert struct.unpack_from("<II", SAMPLE, 8) == (1, 9)  # version, sections
    assert struct.unpack_from("<Q", SAMPLE, 16) == (len(SAMPLE),)
    assert struct.unpack_from("<I", SAMPLE, 24) == (zlib.crc32(SAMPLE[64 : 64 + 9 * 32]),)
    zeroed = SAMPLE[:28] + bytes(4) + SAMPLE[32:64]
    assert struct.unpack_from("<I", SAMPLE, 28) == (zlib.crc32(zeroed),)
    assert SAMPLE[32:64] == sample_snapshot().module_sha256


def test_sections_are_aligned_and_ordered() -> None:
    end = 64 + 9 * 32
    for name in SECTION_NAMES:
        offset, size = section(SAMPLE, name)
        assert offset % (4096 if name == "PAGES" else 8) == 0
        assert offset >= end
        end = offset + size
    assert end == len(SAMPLE)


def test_frames_are_laid_out_as_documented() -> None:
    frame = Frame(3, 0x20, ((1, Value(ValType.I32, 7)),), (Value(ValType.F64, 1),))
    snapshot = sample_snapshot()
    state = replace(snapshot.state, frames=(frame,))
    data = encode_snapshot(replace(snapshot, state=state))
    offset, size = section(data, "FRAMES")
    assert data[offset : offset + size].hex(" ") == (
        "01 00 00 00 "  # one frame
        "03 00 00 00 20 00 00 00 "  # function, offset
        "01 00 00 00 01 00 00 00 7f 07 00 00 00 "  # one local: index 1, i32 7
        "01 00 00 00 7c 01 00 00 00 00 00 00 00"  # one operand: f64
    )


def test_truncated_at_every_byte() -> None:
    for size in range(len(SAMPLE)):
        with pytest.raises((SnapshotTruncated, SnapshotCorrupt)) as caught:
            decode_snapshot(SAMPLE[:size])
        assert caught.type is SnapshotTruncated or size == 0


def test_every_bit_of_the_small_sections_and_one_of_each_page_byte() -> None:
    start, size = section(SAMPLE, "PAGES")
    for at in range(len(SAMPLE)):
        bits = range(8) if not start <= at < start + size else (at % 8,)
        if start <= at < start + size and at % 61:
            continue
        for bit in bits:
            damaged = bytearray(SAMPLE)
            damaged[at] ^= 1 << bit
            with pytest.raises(SnapshotError):
                decode_snapshot(bytes(damaged))


def test_version_is_told_first() -> None:
    data = SAMPLE[:8] + struct.pack("<I", 2) + SAMPLE[12:]
    with pytest.raises(SnapshotVersion, match="version 2"):
        decode_snapshot(data)


def test_other_files_are_not_snapshots() -> None:
    with pytest.raises(SnapshotCorrupt, match="not a snapshot"):
        decode_snapshot(b"\x7fELF" + bytes(100))


def test_bytes_behind_the_end_are_refused() -> None:
    with pytest.raises(SnapshotCorrupt, match="too many"):
        decode_snapshot(SAMPLE + b"\0")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("FRAMES", struct.pack("<I", 0xFFFF_FFFF), "do not fit"),
        ("FRAMES", struct.pack("<IIIII", 1, 0, 0, 0, 9), "do not fit"),
        ("FRAMES", bytes(8), "too many"),
        ("GLOBALS", struct.pack("<IBI", 1, 0x55, 0), "unknown value type"),
        ("TABLES", struct.pack("<IBII", 1, 0x7F, 0, 0), "a table of i32"),
        ("TABLES", struct.pack("<IBII", 1, 0x70, 1 << 30, 0), "section ends"),
        ("MEMORIES", struct.pack("<IQQIQQ", 1, 1, 1, 1, 16, 1), "a run of 1 pages"),
        ("MEMORIES", struct.pack("<IQQIQQ", 1, 1, 1, 1, 0, 0), "a run of 0 pages"),
        ("MEMORIES", struct.pack("<IQQIQQ", 1, 9, 9, 1, 1 << 63, 1 << 63), "a run of"),
        ("SEGMENTS", struct.pack("<IBI", 1, 2, 0), "a flag is 2"),
        ("SOURCE", b"no equals sign", "without '='"),
        ("SOURCE", b"\xff=1", "not UTF-8"),
        ("MODULE", b"other", "SHA-256"),
        ("WASI", struct.pack("<I", 1 << 31), "do not fit"),
    ],
)
def test_hostile_sections(name: str, content: bytes, reason: str) -> None:
    with pytest.raises(SnapshotCorrupt, match=reason) as caught:
        decode_snapshot(with_section(SAMPLE, name, content))
    assert "offset 0x" in str(caught.value)


def test_descending_locals_are_refused() -> None:
    value = Value(ValType.I32, 0)
    frame = Frame(1, 2, ((1, value), (0, value)), ())
    snapshot = sample_snapshot()
    data = encode_snapshot(replace(snapshot, state=replace(snapshot.state, frames=(frame,))))
    with pytest.raises(SnapshotCorrupt, match="do not ascend"):
        decode_snapshot(data)


values = st.sampled_from(list(ValType)).flatmap(
    lambda valtype: st.integers(0, (1 << 8 * VALUE_SIZES[valtype]) - 1).map(
        lambda bits: Value(valtype, bits)
    )
)
frames = st.builds(
    Frame,
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.dictionaries(st.integers(0, 2**32 - 1), values, max_size=5).map(
        lambda items: tuple(sorted(items.items()))
    ),
    st.lists(values, max_size=4).map(tuple),
)


@given(st.lists(frames, max_size=4), st.lists(values, max_size=4))
def test_any_frames_and_globals_round_trip(stack: list[Frame], globals_: list[Value]) -> None:
    snapshot = sample_snapshot()
    state = replace(snapshot.state, frames=tuple(stack), globals=tuple(globals_))
    snapshot = replace(snapshot, state=state)
    assert decode_snapshot(encode_snapshot(snapshot)) == snapshot


def test_memory_reads_through_runs_and_gaps() -> None:
    memory = sample_snapshot().state.memories[0]
    assert memory.read(0, 6) == b"first\0"
    assert memory.read(30 * 4096 - 1, 2) == b"\0\x09"
    assert memory.read(20 * 4096, 1) == b"\0"
    assert MemoryRun(0, bytes(8192)).page_count == 2
    with pytest.raises(IndexError):
        memory.read((2 << 16) - 1, 2)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Value(ValType.I32, 0xFFFF_FFFF), "-1"),
        (Value(ValType.I64, 1 << 63), str(-(1 << 63))),
        (Value(ValType.F32, 0x3FC00000), "1.5"),
        (Value(ValType.F64, 0xFFF0 << 48), "-inf"),
        (Value(ValType.FUNCREF, 0xFFFF_FFFF), "null"),
        (Value(ValType.V128, 1), "0x00000000000000000000000000000001"),
    ],
)
def test_values_are_shown_as_people_write_them(value: Value, text: str) -> None:
    assert str(value) == text
