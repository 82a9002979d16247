"""The host functions that the runtime provides, and the check of a module's imports against them.

Signatures are written as in ``struct mvvm_host_func`` (runtime/include/mvvm_runtime.h): parameters,
a colon, results, with i for i32, I for i64, f for f32, F for f64. A test holds this table against
the C one.
"""

from __future__ import annotations

from typing import Final

from .errors import LinkError, UnsupportedFeature
from .wasmparser.module import ExternKind, Module
from .wasmparser.types import FuncType, ValType

_PREVIEW1: Final = {
    "args_get": "ii:i",
    "args_sizes_get": "ii:i",
    "clock_res_get": "ii:i",
    "clock_time_get": "iIi:i",
    "environ_get": "ii:i",
    "environ_sizes_get": "ii:i",
    "fd_advise": "iIIi:i",
    "fd_allocate": "iII:i",
    "fd_close": "i:i",
    "fd_datasync": "i:i",
    "fd_fdstat_get": "ii:i",
    "fd_fdstat_set_flags": "ii:i",
    "fd_fdstat_set_rights": "iII:i",
    "fd_filestat_get": "ii:i",
    "fd_filestat_set_size": "iI:i",
    "fd_filestat_set_times": "iIIi:i",
    "fd_pread": "iiiIi:i",
    "fd_prestat_dir_name": "iii:i",
    "fd_prestat_get": "ii:i",
    "fd_pwrite": "iiiIi:i",
    "fd_read": "iiii:i",
    "fd_readdir": "iiiIi:i",
    "fd_renumber": "ii:i",
    "fd_seek": "iIii:i",
    "fd_sync": "i:i",
    "fd_tell": "ii:i",
    "fd_write": "iiii:i",
    "path_create_directory": "iii:i",
    "path_filestat_get": "iiiii:i",
    "path_filestat_set_times": "iiiiIIi:i",
    "path_link": "iiiiiii:i",
    "path_open": "iiiiiIIii:i",
    "path_readlink": "iiiiii:i",
    "path_remove_directory": "iii:i",
    "path_rename": "iiiiii:i",
    "path_symlink": "iiiii:i",
    "path_unlink_file": "iii:i",
    "poll_oneoff": "iiii:i",
    "proc_exit": "i:",
    "proc_raise": "i:i",
    "random_get": "ii:i",
    "sched_yield": ":i",
    "sock_recv": "iiiiii:i",
    "sock_send": "iiiii:i",
    "sock_shutdown": "ii:i",
}

# Import module -> function -> signature.
HOST_FUNCS: Final[dict[str, dict[str, str]]] = {
    "wasi_snapshot_preview1": _PREVIEW1 | {"sock_accept": "iii:i"},
    "wasi_unstable": _PREVIEW1,
    "env": {"__checkpoint": "i:"},
}

_LETTERS: Final = {ValType.I32: "i", ValType.I64: "I", ValType.F32: "f", ValType.F64: "F"}


def signature(ftype: FuncType) -> str:
    """Return a function type in the table's notation; "?" for what no host function takes."""
    params, results = (
        "".join(_LETTERS.get(valtype, "?") for valtype in types)
        for types in (ftype.params, ftype.results)
    )
    return f"{params}:{results}"


def check_imports(module: Module) -> None:
    """Demand that the runtime provides every import of an application.

    Raises LinkError for functions that nobody provides or that have another type, and
    UnsupportedFeature for imported tables, memories and globals; each lists all of its kind.
    """
    others = [item for item in module.imports if item.kind is not ExternKind.FUNC]
    if others:
        listed = ", ".join(f'{item.kind.text} "{item.module}.{item.name}"' for item in others)
        raise UnsupportedFeature(f"imports that are not functions: {listed}")
    unknown: list[str] = []
    for item in module.imported_funcs:
        provided = HOST_FUNCS.get(item.module, {}).get(item.name)
        assert isinstance(item.desc, FuncType), "a valid module's imports have types"
        if provided is None:
            unknown.append(f'"{item.module}.{item.name}"')
        elif signature(item.desc) != provided:
            unknown.append(f'"{item.module}.{item.name}" of type {item.desc}')
    if unknown:
        raise LinkError(
            f"unknown import{'s' if len(unknown) > 1 else ''} {', '.join(unknown)} "
            "(provided are WASI preview 1 and env.__checkpoint)"
        )
