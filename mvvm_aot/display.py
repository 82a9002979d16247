"""Show an inspection to people: tables on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from .inspection import FrameInfo, Inspection
from .snapshot.state import DESCRIPTOR_KINDS, Value


def print_inspection(found: Inspection) -> None:
    """Write an inspection to standard output."""
    if sys.stdout.isatty():
        _print_tables(found)
    else:
        sys.stdout.write("\n".join(plain_lines(found)) + "\n")


def plain_lines(found: Inspection) -> Iterator[str]:
    """Yield the inspection as lines of text."""
    yield from _head(found)
    yield ""
    yield f"frames, innermost first: {len(found.frames)}"
    for number, frame in enumerate(found.frames):
        yield f"  #{number} {_frame_title(frame)}"
        for name, value in _frame_values(frame):
            yield f"      {name}: {value.type.text} = {value}"
    for title, rows in _sections(found):
        yield ""
        yield f"{title}: {len(rows)}"
        for row in rows:
            yield "  " + "  ".join(row)


def _print_tables(found: Inspection) -> None:
    """Write the inspection with rich."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    for line in _head(found):
        console.print(escape(line))
    frames = Table("#", "function", "point", "value", "type", "contents", title="frames")
    for number, frame in enumerate(found.frames):
        place = (str(number), escape(frame.function), f"{frame.point} at {frame.offset:#x}")
        values = [
            (escape(name), value.type.text, str(value)) for name, value in _frame_values(frame)
        ]
        for row, texts in enumerate(values or [("", "", "")]):
            frames.add_row(*(place if row == 0 else ("", "", "")), *texts)
        frames.add_section()
    console.print(frames)
    for title, rows in _sections(found):
        if rows:
            table = Table(title=title, show_header=False)
            for cells in rows:
                table.add_row(*map(escape, cells))
            console.print(table)


def _head(found: Inspection) -> Iterator[str]:
    """Yield what the snapshot is."""
    snapshot, wasi = found.snapshot, found.snapshot.state.wasi
    name = found.module.names.module_name
    yield f"snapshot   {found.size} bytes, version 1"
    yield (
        f"module     {len(snapshot.module)} bytes, sha256 {snapshot.module_sha256.hex()}"
        + (f', "{name}"' if name else "")
    )
    facts = ", ".join(f"{key} {value}" for key, value in snapshot.source.items())
    yield f"source     {facts}"
    yield f"arguments  {' '.join(_show(item) for item in wasi.args)}"
    if wasi.env:
        yield f"variables  {' '.join(_show(item) for item in wasi.env)}"
    yield f"clock      {wasi.monotonic_ns / 1e9:.6f} s of the guest's monotonic clock"


def _frame_title(frame: FrameInfo) -> str:
    return f"{frame.function} (function {frame.func_index}), {frame.point} at {frame.offset:#x}"


def _frame_values(frame: FrameInfo) -> Iterator[tuple[str, Value]]:
    """Yield a frame's values with their names."""
    for index, name, value in frame.locals:
        yield f"local {index}" + (f" {name}" if name else ""), value
    for index, value in enumerate(frame.operands):
        yield f"operand {index}", value


def _sections(found: Inspection) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Yield the rest of the state: title and rows."""
    state, module = found.snapshot.state, found.module
    yield (
        "globals",
        [
            (f"global {index}", found.global_names.get(index, ""), value.type.text, str(value))
            for index, value in enumerate(state.globals, len(module.imported_globals))
        ],
    )
    yield (
        "memories",
        [
            (
                f"memory {index}",
                f"{memory.pages} pages of 64 KiB, at most {memory.max_pages}",
                f"{sum(len(run.data) for run in memory.runs)} bytes in {len(memory.runs)} runs",
            )
            for index, memory in enumerate(state.memories)
        ],
    )
    yield (
        "tables",
        [
            (f"table {index}", table.reftype.text, f"{len(table.elements)} elements")
            for index, table in enumerate(state.tables)
        ],
    )
    yield (
        "descriptors",
        [
            (
                f"fd {item.fd}" if item.fd < 1 << 31 else "(closed pre-open)",
                DESCRIPTOR_KINDS[item.kind],
                _show(item.path) if item.path else "-",
                f"offset {item.offset}",
                _show(item.host_path) if item.host_path else "",
            )
            for item in state.wasi.descriptors
        ],
    )
    yield (
        "packed files",
        [
            (f"fd {', '.join(map(str, item.fds))}", f"{len(item.data)} bytes")
            for item in state.wasi.files
        ],
    )


def _show(raw: bytes) -> str:
    """Return bytes as text; what cannot be shown is escaped."""
    text = raw.decode("utf-8", "backslashreplace")
    return text if text.isprintable() and text else repr(text)
