"""Describe a snapshot for people and for other programs: bytes -> Inspection.

Requires a snapshot that decodes; its module is decoded and validated as well, and the state held
against it. Names come from the module's name section where it has one.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .snapshot.check import check_against
from .snapshot.codec import decode_snapshot
from .snapshot.state import (
    DESCRIPTOR_KINDS,
    NULL_REF,
    PAGE,
    Descriptor,
    Frame,
    MemoryState,
    Snapshot,
    TableState,
    Value,
)
from .wasmparser.binary import decode_module
from .wasmparser.module import Module
from .wasmparser.types import ValType
from .wasmparser.validate import validate_module


@dataclass(frozen=True, slots=True)
class FrameInfo:
    """A frame with its names; ``locals`` are (index, name or None, value)."""

    func_index: int
    function: str
    offset: int
    point: str  # "loop", "call", "call_indirect", "entry" or "host call"
    locals: tuple[tuple[int, str | None, Value], ...]
    operands: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """A snapshot and what its module's names add; ``frames`` are innermost first."""

    snapshot: Snapshot = field(repr=False)
    module: Module = field(repr=False)
    size: int
    frames: tuple[FrameInfo, ...]
    global_names: Mapping[int, str]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; everything but the bytes of module and memories."""
        snapshot, module, state = self.snapshot, self.module, self.snapshot.state
        imported = len(module.imported_globals)
        return {
            "version": 1,
            "size": self.size,
            "source": dict(snapshot.source),
            "module": {
                "sha256": snapshot.module_sha256.hex(),
                "size": len(snapshot.module),
                "name": module.names.module_name,
            },
            "frames": [_frame_dict(frame) for frame in self.frames],
            "globals": [
                {"index": index, "name": self.global_names.get(index), **_value_dict(value)}
                for index, value in enumerate(state.globals, imported)
            ],
            "tables": [_table_dict(table) for table in state.tables],
            "memories": [_memory_dict(memory) for memory in state.memories],
            "dropped_datas": list(state.dropped_datas),
            "dropped_elems": list(state.dropped_elems),
            "wasi": {
                "args": [_text(item) for item in state.wasi.args],
                "env": [_text(item) for item in state.wasi.env],
                "monotonic_ns": state.wasi.monotonic_ns,
                "realtime_ns": state.wasi.realtime_ns,
                "cpu_ns": state.wasi.cpu_ns,
                "poll_start_ns": state.wasi.poll_start_ns,
                "descriptors": [_descriptor_dict(item) for item in state.wasi.descriptors],
                "files": [
                    {"fds": list(item.fds), "size": len(item.data)} for item in state.wasi.files
                ],
            },
        }


def inspect_snapshot(data: bytes) -> Inspection:
    """Decode a snapshot, check it against its module and add names."""
    snapshot = decode_snapshot(data)
    module = decode_module(snapshot.module)
    check_against(snapshot, validate_module(module))
    frames = tuple(_frame_info(module, frame) for frame in reversed(snapshot.state.frames))
    names = {
        item.index: item.name for item in reversed(module.exports) if item.kind.name == "GLOBAL"
    }
    return Inspection(snapshot, module, len(data), frames, names)


def _frame_info(module: Module, frame: Frame) -> FrameInfo:
    """Add names to a frame."""
    index = frame.func_index
    return FrameInfo(
        func_index=index,
        function=module.func_name(index),
        offset=frame.offset,
        point=_point_kind(module, frame),
        locals=tuple(
            (number, module.local_name(index, number), value) for number, value in frame.locals
        ),
        operands=frame.operands,
    )


def _point_kind(module: Module, frame: Frame) -> str:
    """Return what stands at a frame's point."""
    own = frame.func_index - module.num_imported_funcs
    if own < 0:
        return "host call"
    for offset, op, _ in module.functions[own].instrs:
        if offset == frame.offset:
            return op.text
    return "entry"


def _value_dict(value: Value) -> dict[str, Any]:
    """Return a value; a float that JSON cannot write is there as text."""
    number: Any = value.number()
    if isinstance(number, float) and (number != number or number in (float("inf"), -float("inf"))):
        number = str(number)
    if value.type is ValType.V128:
        number = f"{value.bits:#034x}"
    return {"type": value.type.text, "value": number, "bits": f"{value.bits:#x}"}


def _frame_dict(frame: FrameInfo) -> dict[str, Any]:
    return {
        "func_index": frame.func_index,
        "function": frame.function,
        "offset": frame.offset,
        "point": frame.point,
        "locals": [
            {"index": index, "name": name, **_value_dict(value)}
            for index, name, value in frame.locals
        ],
        "operands": [_value_dict(value) for value in frame.operands],
    }


def _table_dict(table: TableState) -> dict[str, Any]:
    elements = [None if bits == NULL_REF else bits for bits in table.elements]
    return {"reftype": table.reftype.text, "max": table.max, "elements": elements}


def _memory_dict(memory: MemoryState) -> dict[str, Any]:
    return {
        "pages": memory.pages,
        "max_pages": memory.max_pages,
        "used_bytes": sum(len(run.data) for run in memory.runs),
        "runs": [{"address": run.first * PAGE, "size": len(run.data)} for run in memory.runs],
    }


def _descriptor_dict(item: Descriptor) -> dict[str, Any]:
    return {
        "fd": item.fd,
        "kind": DESCRIPTOR_KINDS[item.kind],
        "filetype": item.filetype,
        "flags": item.flags,
        "rights_base": item.rights_base,
        "rights_inheriting": item.rights_inheriting,
        "offset": item.offset,
        "base_fd": None if item.base_fd == NULL_REF else item.base_fd,
        "size": item.size,
        "mtime_ns": item.mtime_ns,
        "path": _text(item.path),
        "host_path": _text(item.host_path),
    }


def _text(raw: bytes) -> str | dict[str, str]:
    """Return bytes as text if they are UTF-8, else in base64."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}
