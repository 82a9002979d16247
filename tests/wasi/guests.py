"""Two things that answer WASI calls alike: the runtime's C code in a harness, and wasmtime.

`Guest` has raw calls on a memory of two pages, so that a test can say the same to both and compare
errno for errno. Addresses from 0x1000 on are the helpers' own.
"""

from __future__ import annotations

import os
import struct
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import wasmtime

PREVIEW1: Final = "wasi_snapshot_preview1"
UNSTABLE: Final = "wasi_unstable"
INTERRUPTED: Final = -1
MEMORY_SIZE: Final = 0x2_0000

# Errno numbers that tests name.
SUCCESS, AGAIN, BADF, FAULT, INVAL, NOSYS = 0, 6, 8, 21, 28, 52
NOTSUP, PERM, PIPE, SPIPE, NOTCAPABLE = 58, 63, 64, 70, 76

CREAT, DIRECTORY, EXCL, TRUNC = 1, 2, 4, 8
APPEND, NONBLOCK = 1, 4
FD_READ, FD_WRITE = 1 << 1, 1 << 6
ALL_RIGHTS: Final = (1 << 30) - 1
FILE_RIGHTS: Final = 0x08E001FF
ROOT: Final = 3  # the first pre-opened directory

_PATH, _PATH2, _OUT, _IOVEC, _DATA = 0x1000, 0x3000, 0x5000, 0x5100, 0x6000

SIGNATURES: Final = {
    "args_get": "ii",
    "args_sizes_get": "ii",
    "environ_get": "ii",
    "environ_sizes_get": "ii",
    "clock_res_get": "ii",
    "clock_time_get": "iIi",
    "fd_advise": "iIIi",
    "fd_allocate": "iII",
    "fd_close": "i",
    "fd_datasync": "i",
    "fd_fdstat_get": "ii",
    "fd_fdstat_set_flags": "ii",
    "fd_fdstat_set_rights": "iII",
    "fd_filestat_get": "ii",
    "fd_filestat_set_size": "iI",
    "fd_filestat_set_times": "iIIi",
    "fd_pread": "iiiIi",
    "fd_prestat_get": "ii",
    "fd_prestat_dir_name": "iii",
    "fd_pwrite": "iiiIi",
    "fd_read": "iiii",
    "fd_readdir": "iiiIi",
    "fd_renumber": "ii",
    "fd_seek": "iIii",
    "fd_sync": "i",
    "fd_tell": "ii",
    "fd_write": "iiii",
    "path_create_directory": "iii",
    "path_filestat_get": "iiiii",
    "path_filestat_set_times": "iiiiIIi",
    "path_link": "iiiiiii",
    "path_open": "iiiiiIIii",
    "path_readlink": "iiiiii",
    "path_remove_directory": "iii",
    "path_rename": "iiiiii",
    "path_symlink": "iiiii",
    "path_unlink_file": "iii",
    "poll_oneoff": "iiii",
    "proc_raise": "i",
    "sched_yield": "",
    "random_get": "ii",
    "sock_accept": "iii",
    "sock_recv": "iiiiii",
    "sock_send": "iiiii",
    "sock_shutdown": "ii",
}


class Filestat(NamedTuple):
    """The fields of a `filestat`."""

    dev: int
    ino: int
    filetype: int
    nlink: int
    size: int
    atim: int
    mtim: int
    ctim: int


class Dirent(NamedTuple):
    """One entry of a directory."""

    name: str
    next: int
    ino: int
    filetype: int


class Guest(ABC):
    """Calls of WASI functions on a small memory; each returns an errno."""

    @abstractmethod
    def call(self, name: str, *args: int, module: str = PREVIEW1) -> int: ...

    @abstractmethod
    def poke(self, address: int, data: bytes) -> None: ...

    @abstractmethod
    def peek(self, address: int, size: int) -> bytes: ...

    def u32(self, address: int) -> int:
        return int.from_bytes(self.peek(address, 4), "little")

    def u64(self, address: int) -> int:
        return int.from_bytes(self.peek(address, 8), "little")

    def put_path(self, path: str | bytes, address: int = _PATH) -> tuple[int, int]:
        data = path.encode() if isinstance(path, str) else path
        self.poke(address, data)
        return address, len(data)

    def open(
        self,
        path: str | bytes,
        oflags: int = 0,
        rights: int = FILE_RIGHTS,
        fdflags: int = 0,
        follow: bool = True,
        directory: int = ROOT,
    ) -> tuple[int, int]:
        """Return (errno, descriptor)."""
        where = self.put_path(path)
        error = self.call(
            "path_open", directory, int(follow), *where, oflags, rights, ALL_RIGHTS, fdflags, _OUT
        )
        return error, self.u32(_OUT) if error == SUCCESS else -1

    def must_open(
        self,
        path: str,
        oflags: int = 0,
        rights: int = FILE_RIGHTS,
        fdflags: int = 0,
        directory: int = ROOT,
    ) -> int:
        """Open and return the descriptor."""
        error, fd = self.open(path, oflags, rights, fdflags, directory=directory)
        assert error == SUCCESS, f"path_open({path}): {error}"
        return fd

    def _iovecs(self, sizes: Sequence[int]) -> tuple[int, int]:
        at = _DATA
        raw = b""
        for size in sizes:
            raw += struct.pack("<II", at, size)
            at += size
        self.poke(_IOVEC, raw)
        return _IOVEC, len(sizes)

    def write(self, fd: int, *parts: bytes) -> tuple[int, int]:
        """Return (errno, number of bytes written)."""
        self.poke(_DATA, b"".join(parts))
        error = self.call("fd_write", fd, *self._iovecs([len(part) for part in parts]), _OUT)
        return error, self.u32(_OUT) if error == SUCCESS else 0

    def read(self, fd: int, *sizes: int) -> tuple[int, bytes]:
        """Return (errno, bytes read)."""
        error = self.call("fd_read", fd, *self._iovecs(sizes), _OUT)
        return error, self.peek(_DATA, self.u32(_OUT)) if error == SUCCESS else b""

    def pread(self, fd: int, size: int, offset: int) -> tuple[int, bytes]:
        error = self.call("fd_pread", fd, *self._iovecs([size]), offset, _OUT)
        return error, self.peek(_DATA, self.u32(_OUT)) if error == SUCCESS else b""

    def pwrite(self, fd: int, data: bytes, offset: int) -> tuple[int, int]:
        self.poke(_DATA, data)
        error = self.call("fd_pwrite", fd, *self._iovecs([len(data)]), offset, _OUT)
        return error, self.u32(_OUT) if error == SUCCESS else 0

    def seek(self, fd: int, offset: int, whence: int) -> tuple[int, int]:
        error = self.call("fd_seek", fd, offset, whence, _OUT)
        return error, self.u64(_OUT) if error == SUCCESS else -1

    def filestat(self, fd: int) -> tuple[int, Filestat | None]:
        error = self.call("fd_filestat_get", fd, _DATA)
        return error, self._filestat() if error == SUCCESS else None

    def path_filestat(
        self, path: str | bytes, follow: bool = True, directory: int = ROOT
    ) -> tuple[int, Filestat | None]:
        error = self.call("path_filestat_get", directory, int(follow), *self.put_path(path), _DATA)
        return error, self._filestat() if error == SUCCESS else None

    def _filestat(self) -> Filestat:
        return Filestat(*struct.unpack("<QQB7xQQQQQ", self.peek(_DATA, 64)))

    def fdstat(self, fd: int) -> tuple[int, tuple[int, int, int, int] | None]:
        """Return (errno, (filetype, flags, rights, inheriting rights))."""
        error = self.call("fd_fdstat_get", fd, _DATA)
        if error != SUCCESS:
            return error, None
        filetype, flags, base, inheriting = struct.unpack("<BxH4xQQ", self.peek(_DATA, 24))
        return error, (filetype, flags, base, inheriting)

    def mkdir(self, path: str | bytes, directory: int = ROOT) -> int:
        return self.call("path_create_directory", directory, *self.put_path(path))

    def rmdir(self, path: str | bytes, directory: int = ROOT) -> int:
        return self.call("path_remove_directory", directory, *self.put_path(path))

    def unlink(self, path: str | bytes, directory: int = ROOT) -> int:
        return self.call("path_unlink_file", directory, *self.put_path(path))

    def rename(self, old: str | bytes, new: str | bytes, directory: int = ROOT) -> int:
        where = self.put_path(old)
        return self.call("path_rename", directory, *where, ROOT, *self.put_path(new, _PATH2))

    def link(self, old: str | bytes, new: str | bytes, follow: bool = False) -> int:
        where = self.put_path(old)
        return self.call("path_link", ROOT, int(follow), *where, ROOT, *self.put_path(new, _PATH2))

    def symlink(self, target: str | bytes, path: str | bytes) -> int:
        where = self.put_path(target)
        return self.call("path_symlink", *where, ROOT, *self.put_path(path, _PATH2))

    def readlink(self, path: str | bytes, size: int = 256) -> tuple[int, bytes]:
        error = self.call("path_readlink", ROOT, *self.put_path(path), _DATA, size, _OUT)
        return error, self.peek(_DATA, self.u32(_OUT)) if error == SUCCESS else b""

    def readdir(self, fd: int, cookie: int = 0, size: int = 0x8000) -> tuple[int, list[Dirent]]:
        """Return (errno, the whole entries that fit into `size` bytes)."""
        error = self.call("fd_readdir", fd, _DATA, size, cookie, _OUT)
        entries: list[Dirent] = []
        if error != SUCCESS:
            return error, entries
        raw = self.peek(_DATA, self.u32(_OUT))
        while len(raw) >= 24:
            following, ino, length, filetype = struct.unpack_from("<QQIB", raw)
            if len(raw) < 24 + length:
                break
            entries.append(Dirent(raw[24 : 24 + length].decode(), following, ino, filetype))
            raw = raw[24 + length :]
        return error, entries

    def poll(self, *subscriptions: bytes) -> tuple[int, list[tuple[int, int, int, int, int]]]:
        """Return (errno, events as (userdata, error, type, nbytes, flags))."""
        self.poke(_DATA, b"".join(subscriptions))
        events_at = _DATA + 0x1000
        error = self.call("poll_oneoff", _DATA, events_at, len(subscriptions), _OUT)
        if error != SUCCESS:
            return error, []
        raw = self.peek(events_at, 32 * self.u32(_OUT))
        return error, list(struct.iter_unpack("<QHB5xQH6x", raw))


def clock_subscription(userdata: int, clock: int, timeout: int, absolute: bool = False) -> bytes:
    """Return a `subscription` of 48 bytes for a clock."""
    return struct.pack("<QB7xI4xQQH6x", userdata, 0, clock, timeout, 0, int(absolute))


def fd_subscription(userdata: int, fd: int, writing: bool = False) -> bytes:
    """Return a `subscription` of 48 bytes for a descriptor."""
    return struct.pack("<QB7xI28x", userdata, 2 if writing else 1, fd)


class HarnessGuest(Guest):
    """The C code, in a process of its own (see harness.c)."""

    def __init__(
        self,
        command: Sequence[str],
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.DEVNULL,
        env: dict[str, str] | None = None,
    ) -> None:
        to_child, ours = os.pipe()
        theirs, from_child = ours, to_child
        back_read, back_write = os.pipe()
        self.process = subprocess.Popen(
            [*command, str(to_child), str(back_write)],
            pass_fds=(to_child, back_write),
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=env,
        )
        os.close(from_child)
        os.close(back_write)
        self.commands = os.fdopen(theirs, "w")
        self.answers = os.fdopen(back_read, "r")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.commands.close()
        self.answers.close()
        try:
            _, messages = self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        if kind is None:
            assert self.process.returncode == 0, messages.decode()

    def say(self, line: str) -> str:
        """Send a command; return the answer."""
        self.send(line)
        return self.answer()

    def send(self, line: str) -> None:
        self.commands.write(line + "\n")
        self.commands.flush()

    def answer(self) -> str:
        answer = self.answers.readline()
        if not answer:
            _, messages = self.process.communicate(timeout=10)
            raise AssertionError(f"the harness died: {messages.decode()}")
        return answer.rstrip("\n")

    def init(self, dirs: str = "-", *args: str) -> str:
        """Start; return "ok" or the message."""
        return self.say(" ".join(["init", dirs, *args]))

    def call(self, name: str, *args: int, module: str = PREVIEW1) -> int:
        numbers = " ".join(str(arg & (2**64 - 1)) for arg in args)
        answer = self.say(f"call {module} {name} {numbers}")
        return INTERRUPTED if answer == "interrupted" else int(answer)

    def poke(self, address: int, data: bytes) -> None:
        if data:
            assert self.say(f"poke {address} {data.hex()}") == "ok"

    def peek(self, address: int, size: int) -> bytes:
        return bytes.fromhex(self.say(f"peek {address} {size}"))

    def save(self, path: Path) -> None:
        assert self.say(f"save {path}") == "ok"


class WasmtimeGuest(Guest):
    """The reference implementation, through a module of trampolines."""

    def __init__(self, dirs: Sequence[tuple[Path, str]] = (), stdin: Path | None = None) -> None:
        imports, functions = [], []
        types = {"i": "i32", "I": "i64"}
        for name, params in SIGNATURES.items():
            given = " ".join(f"(param {types[code]})" for code in params)
            result = "(result i32)"
            imports.append(f'(import "{PREVIEW1}" "{name}" (func ${name} {given} {result}))')
            gets = " ".join(f"(local.get {index})" for index in range(len(params)))
            functions.append(f'(func (export "{name}") {given} {result} (call ${name} {gets}))')
        text = f'(module {" ".join(imports)} (memory (export "memory") 2) {" ".join(functions)})'
        engine = wasmtime.Engine()
        self.store = wasmtime.Store(engine)
        config = wasmtime.WasiConfig()
        for host, guest in dirs:
            config.preopen_dir(str(host), guest)
        if stdin is not None:
            config.stdin_file = str(stdin)
        self.store.set_wasi(config)
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        instance = linker.instantiate(
            self.store, wasmtime.Module(engine, bytes(wasmtime.wat2wasm(text)))
        )
        self.exports = instance.exports(self.store)
        memory = self.exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        self.memory = memory

    def call(self, name: str, *args: int, module: str = PREVIEW1) -> int:
        assert module == PREVIEW1
        function = self.exports[name]
        assert isinstance(function, wasmtime.Func)
        signed = [
            _signed(arg, 32 if code == "i" else 64)
            for arg, code in zip(args, SIGNATURES[name], strict=True)
        ]
        result = function(self.store, *signed)
        assert isinstance(result, int)
        return result

    def poke(self, address: int, data: bytes) -> None:
        self.memory.write(self.store, data, address)

    def peek(self, address: int, size: int) -> bytes:
        return bytes(self.memory.read(self.store, address, address + size))


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value
