"""Ask a running program for a checkpoint: request file, SIGUSR1, result file.

The protocol is in docs/internals.md, section 5. A process counts as ours if a file that it has
mapped is an ELF executable with our note; under qemu-user that is the emulated program. Nothing is
sent to any other process: SIGUSR1 would end it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import time
from pathlib import Path
from typing import Final

from .errors import SystemFailure

NOTE_NAME: Final = b"mvvm-aot\0"
_PT_NOTE: Final = 4
_POLL: Final = 0.005  # seconds between two looks at the result


def request_checkpoint(
    pid: int, path: Path, *, leave_running: bool, with_files: bool, timeout: float
) -> Path:
    """Have process ``pid`` write a snapshot to ``path`` and wait for its answer."""
    started = _check_process(pid)
    _await_start(pid, timeout)
    folder = _control_folder(pid)
    request, result = folder / f"{pid}.request", folder / f"{pid}.result"
    verb = "continue" if leave_running else "stop"
    text = f"{verb}{' with-files' if with_files else ''}\n{path}\n"
    try:
        result.unlink(missing_ok=True)
        scratch = folder / f".{pid}.request.{os.getpid()}"
        scratch.write_bytes(os.fsencode(text))
        _give_to(scratch, folder.stat().st_uid)
        scratch.replace(request)
        os.kill(pid, signal.SIGUSR1)
        return _await_answer(pid, started, result, timeout)
    except ProcessLookupError as error:
        raise SystemFailure(f"process {pid} ended before it could be stopped") from error
    except PermissionError as error:
        raise SystemFailure.from_os_error(f"ask process {pid} for a checkpoint:", error) from error
    except OSError as error:
        raise SystemFailure.from_os_error("write the request", error) from error
    finally:
        with contextlib.suppress(OSError):
            request.unlink(missing_ok=True)


def _check_process(pid: int) -> str:
    """Demand that a process exists and is ours; return when it was started."""
    try:
        started = _start_time(pid)
        maps = Path(f"/proc/{pid}/maps").read_text(errors="surrogateescape")
    except (FileNotFoundError, ProcessLookupError) as error:
        raise SystemFailure(f"there is no process {pid}") from error
    except PermissionError as error:
        raise SystemFailure(
            f"not permitted to look at process {pid}: it belongs to another user"
        ) from error
    if not any(_is_ours(path) for path in _mapped_files(pid, maps)):
        if _will_become_ours(pid):
            raise SystemFailure(
                f"process {pid} is not yet a program: mvvm-aot is still translating it; "
                "ask again once it runs"
            )
        raise SystemFailure(f"process {pid} is not a program that mvvm-aot compiled")
    return started


def _await_start(pid: int, timeout: float) -> None:
    """Wait until a process of ours takes requests: a SIGUSR1 before that would end it."""
    deadline = time.monotonic() + timeout
    while not takes_requests(pid):
        if _state(pid) in "XZ":
            raise SystemFailure(f"process {pid} ended before it could be stopped")
        if time.monotonic() > deadline:
            raise SystemFailure(f"process {pid} has not started up within {timeout:g} seconds")
        time.sleep(_POLL)


def takes_requests(pid: int) -> bool:
    """Whether SIGUSR1 asks a process of ours for a checkpoint already; before, it would end it.

    The runtime opens a descriptor of its own once its signal handlers stand. What the kernel says
    about caught signals is no help: qemu-user catches them for a program that does not yet.
    """
    folder = Path(f"/proc/{pid}/fd")
    try:
        for link in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if os.readlink(link).startswith("/memfd:mvvm-aot"):
                    return True
    except FileNotFoundError:
        return False
    except PermissionError as error:
        raise SystemFailure(
            f"not permitted to look at process {pid}: it belongs to another user"
        ) from error
    return False


def _will_become_ours(pid: int) -> bool:
    """Whether a process is `mvvm-aot run` or `resume`, before it becomes the program."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    names = [word.rpartition(b"/")[2] for word in words]
    starts = [at for at, name in enumerate(names) if name in (b"mvvm-aot", b"mvvm_aot")]
    return any(name in (b"run", b"resume") for at in starts[:1] for name in names[at + 1 : at + 2])


def _start_time(pid: int) -> str:
    """Return the kernel's start time of a process, so that a reused PID is noticed."""
    stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    return stat.rpartition(")")[2].split()[19]


def _state(pid: int) -> str:
    """Return a process's state letter; "X" if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return "X"
    return stat.rpartition(")")[2].split()[0]


def _mapped_files(pid: int, maps: str) -> list[Path]:
    """Return the files that a process has mapped, each once, the program first."""
    names = [line.split(None, 5)[5] for line in maps.splitlines() if line.count("/")]
    own = [Path(f"/proc/{pid}/exe")]
    root = Path(f"/proc/{pid}/root")
    return own + [root / name.lstrip("/") for name in dict.fromkeys(names) if name[0] == "/"]


def _is_ours(path: Path) -> bool:
    """Whether a file is an ELF executable with our note."""
    try:
        with path.open("rb") as file:
            header = file.read(64)
            if len(header) < 64 or header[:6] != b"\x7fELF\x02\x01":
                return False
            offset, size, count = (
                struct.unpack_from(layout, header, at)[0]
                for layout, at in (("<Q", 32), ("<H", 54), ("<H", 56))
            )
            file.seek(offset)
            table = file.read(size * count)
            for at in range(0, len(table) - 55, size or 56):
                kind, _, start, _, _, length = struct.unpack_from("<IIQQQQ", table, at)
                if kind == _PT_NOTE:
                    file.seek(start)
                    if _has_note(file.read(min(length, 1 << 16))):
                        return True
    except OSError:
        return False
    return False


def _has_note(data: bytes) -> bool:
    """Whether a note segment holds one of our name."""
    at = 0
    while at + 12 <= len(data):
        name_size, desc_size, _ = struct.unpack_from("<III", data, at)
        if data[at + 12 : at + 12 + name_size] == NOTE_NAME:
            return True
        at += 12 + (name_size + 3 & ~3) + (desc_size + 3 & ~3)
    return False


def _control_folder(pid: int) -> Path:
    """Return the folder for requests to a process, made if need be."""
    uid = Path(f"/proc/{pid}").stat().st_uid
    folder = Path(f"/tmp/mvvm-aot-{uid}")
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError as error:
        raise SystemFailure.from_os_error(f"look at the environment of process {pid}", error) from (
            error
        )
    for item in environ:
        name, _, value = item.partition(b"=")
        if name == b"MVVM_CONTROL_DIR" and value:
            folder = Path(f"/proc/{pid}/cwd") / os.fsdecode(value)
    try:
        folder.mkdir(mode=0o700, parents=True)
        _give_to(folder, uid)
    except FileExistsError:
        pass
    except OSError as error:
        raise SystemFailure.from_os_error("make the folder for requests", error) from error
    info = folder.stat()
    if info.st_uid != uid or info.st_mode & 0o022:
        raise SystemFailure(
            f"the folder for requests '{folder}' can be written to by others: remove it"
        )
    return folder


def _give_to(path: Path, uid: int) -> None:
    """Give a file to the process's user, where we are root and it is not ours."""
    if os.geteuid() == 0 and uid != 0:
        os.chown(path, uid, -1)


def _await_answer(pid: int, started: str, result: Path, timeout: float) -> Path:
    """Wait for the result file; return the snapshot's path. Raises SystemFailure."""
    deadline = time.monotonic() + timeout
    while True:
        gone = _state(pid) in "XZ" or not _still(pid, started)
        try:
            answer = os.fsdecode(result.read_bytes()).rstrip("\n")
            result.unlink(missing_ok=True)
            break
        except FileNotFoundError:
            pass
        if gone:
            raise SystemFailure(f"process {pid} ended without answering")
        if time.monotonic() > deadline:
            raise SystemFailure(
                f"process {pid} did not answer within {timeout:g} seconds; it is still running"
            )
        time.sleep(_POLL)
    verdict, _, rest = answer.partition(" ")
    if verdict != "ok":
        raise SystemFailure(f"process {pid} could not write a snapshot: {rest or answer}")
    return Path(rest)


def _still(pid: int, started: str) -> bool:
    """Whether ``pid`` is the process that it was."""
    try:
        return _start_time(pid) == started
    except (OSError, IndexError):
        return False
