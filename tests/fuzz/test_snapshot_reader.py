"""Damaged and hostile snapshots: refused by both readers, never memory corruption."""

from __future__ import annotations

import os
import random
import struct
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from mvvm_aot.errors import SnapshotError
from mvvm_aot.snapshot.check import check_against
from mvvm_aot.snapshot.codec import SECTION_NAMES, decode_snapshot, encode_sections, encode_snapshot

from .reader import DONE, Subject, build_subject

SECONDS = float(os.environ.get("MVVM_FUZZ_SECONDS", "60"))
SEED = 20


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return build_subject(tmp_path_factory.mktemp("fuzz"))


def budget(share: float) -> Iterator[int]:
    """Yield 0, 1, 2, ... until a share of the time is up."""
    end = time.monotonic() + SECONDS * share
    number = 0
    while time.monotonic() < end:
        yield number
        number += 1


def sections_of(data: bytes) -> list[bytes]:
    """Return the contents of the sections."""
    found = []
    for number in range(len(SECTION_NAMES)):
        offset, size = struct.unpack_from("<QQ", data, 64 + 32 * number + 8)
        found.append(data[offset : offset + size])
    return found


def python_objection(subject: Subject, data: bytes) -> str | None:
    """Return why the Python reader refuses a file; it may raise nothing but SnapshotError."""
    try:
        check_against(decode_snapshot(data), subject.module)
    except SnapshotError as error:
        return str(error)
    return None


def python_accepts(subject: Subject, data: bytes) -> bool:
    """Whether the Python reader takes a file."""
    return python_objection(subject, data) is None


def c_accepts(subject: Subject, data: bytes) -> bool:
    """Whether the C reader takes a file; it may end with an answer, never by a signal."""
    done = subject.restore(data)
    assert done.returncode in DONE, (done.returncode, done.stderr[-2000:])
    if done.returncode == 66:
        assert done.stderr.startswith(b"mvvm-aot: "), done.stderr
        assert done.stderr.count(b"\n") == 1, done.stderr
    return done.returncode not in (66, 71)


def test_the_snapshot_itself_is_accepted_and_rewritten_alike(subject: Subject) -> None:
    assert python_accepts(subject, subject.snapshot)
    assert encode_snapshot(decode_snapshot(subject.snapshot)) == subject.snapshot
    assert subject.restore(subject.snapshot).returncode == 75
    assert python_accepts(subject, (subject.folder / "again.snap").read_bytes())


def test_truncated_anywhere(subject: Subject) -> None:
    data = subject.snapshot
    for size in range(len(data)):
        assert not python_accepts(subject, data[:size])
    sizes = [*range(0, len(data), 97), *range(350, 380), len(data) - 1]
    random.Random(SEED).shuffle(sizes)
    for number, size in zip(budget(0.2), sizes, strict=False):
        assert not c_accepts(subject, data[:size]), (number, size)


def test_flipped_bits(subject: Subject) -> None:
    source = random.Random(SEED)
    places = [(at, bit) for at in range(len(subject.snapshot)) for bit in range(8)]
    source.shuffle(places)
    for number, (at, bit) in zip(budget(0.3), places, strict=False):
        damaged = bytearray(subject.snapshot)
        damaged[at] ^= 1 << bit
        assert not python_accepts(subject, bytes(damaged)), (at, bit)
        if number % 4 == 0:
            assert not c_accepts(subject, bytes(damaged)), (at, bit)


INTERESTING = (0, 1, 2, 3, 7, 8, 0x7F, 0x80, 0xFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000)
WIDE = (0xFFFFFFFF, 0xFFFFFFFE, 1 << 40, (1 << 63), (1 << 64) - 1, (1 << 64) - 4096)


# What the C reader does not look at: facts for people, and locals that are not live in its code.
UNUSED = ("section SOURCE", ", local ", ": local ")


def mutate(data: bytes, source: random.Random) -> bytes:
    """Change one section, checksums right: overwrite, cut, insert or double some bytes."""
    contents = sections_of(data)
    names = [n for n, name in enumerate(SECTION_NAMES) if name not in ("MODULE", "PAGES")]
    which = source.choice(names)
    content = bytearray(contents[which])
    for _ in range(source.choice((1, 1, 1, 2, 3))):
        at = source.randrange(len(content) + 1)
        size = source.choice((1, 4, 4, 8))
        value = source.choice(INTERESTING + WIDE) & ((1 << 8 * size) - 1)
        fresh = value.to_bytes(size, "little")
        how = source.choice(("over", "over", "over", "cut", "insert", "double"))
        if how == "over":
            content[at : at + size] = fresh[: max(0, len(content) - at)]
        elif how == "cut":
            del content[at : at + size]
        elif how == "insert":
            content[at:at] = fresh
        else:
            content[at:at] = content[max(0, at - 13) : at]
    contents[which] = bytes(content)
    return encode_sections(tuple(contents), data[32:64])


def test_hostile_values_with_right_checksums(subject: Subject) -> None:
    source = random.Random(SEED)
    accepted = 0
    for number in budget(0.4):
        data = mutate(subject.snapshot, source)
        objection = python_objection(subject, data)
        by_c = c_accepts(subject, data)
        if by_c and objection and not any(text in objection for text in UNUSED):
            pytest.fail(f"only the C reader accepts mutant {number} (seed {SEED}): {objection}")
        accepted += by_c
    assert number > 20, "the fuzzer hardly ran"
    assert accepted < number, "most mutants must be refused"


def test_memory_that_the_module_does_not_allow(subject: Subject) -> None:
    snapshot = decode_snapshot(subject.snapshot)
    memory = snapshot.state.memories[0]
    for pages, most in ((0, 4), (5, 4), (1, 5), (1 << 40, 4), (65536, 65536)):
        runs = memory.runs if pages else ()
        changed = replace(memory, pages=pages, max_pages=most, runs=runs)
        state = replace(snapshot.state, memories=(changed,))
        data = encode_snapshot(replace(snapshot, state=state))
        assert not python_accepts(subject, data)
        assert not c_accepts(subject, data)


def test_frames_that_do_not_fit_each_other(subject: Subject) -> None:
    snapshot = decode_snapshot(subject.snapshot)
    frames = snapshot.state.frames
    assert len(frames) > 3
    for broken in (
        frames[1:],
        frames[:-1],
        (frames[0], *frames),
        tuple(reversed(frames)),
        (*frames, frames[0]),
        frames[:1] * 1000 + frames,
        (),
    ):
        state = replace(snapshot.state, frames=broken)
        assert not c_accepts(subject, encode_snapshot(replace(snapshot, state=state)))


def test_another_module_and_a_missing_file(subject: Subject) -> None:
    snapshot = decode_snapshot(subject.snapshot)
    other = encode_sections(tuple(sections_of(subject.snapshot)), bytes(32))
    assert not python_accepts(subject, other)
    assert not c_accepts(subject, other)
    assert len(snapshot.module) > 0
    done = subject.restore_file(subject.folder / "nowhere.snap")
    assert done.returncode in (66, 71)
    assert b"nowhere.snap" in done.stderr
    assert subject.restore_file(subject.folder).returncode in (66, 71)


def test_a_version_of_the_future(subject: Subject) -> None:
    data = bytearray(subject.snapshot)
    data[8:12] = struct.pack("<I", 2)
    done = subject.restore(bytes(data))
    assert done.returncode == 66
    assert b"version 2" in done.stderr
