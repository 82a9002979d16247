"""A worker process: requests on standard input, answers on what was standard output.

``workers.py`` starts it and speaks to it; both sides send a length (8 bytes, little-endian) and a
pickle. A request is (name in ``JOBS``, arguments), an answer ("done", result, peak memory in
bytes), ("error", MvvmError, peak) or ("bug", traceback, peak). The process ends when its input
does: with its parent, however that ends, also in the midst of a job.

LLVM recurses as deep as code is nested, so jobs run in a thread with a large stack, of which the
system provides only what is touched.
"""

from __future__ import annotations

import functools
import gc
import os
import pickle
import select
import signal
import struct
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, Final

from .errors import MvvmError

LENGTH: Final = struct.Struct("<Q")
STACK_SIZES: Final = (1 << 30, 256 << 20, 64 << 20)  # the first that the system grants
_LOOK_FOR_PARENT: Final = 2000  # milliseconds


@functools.lru_cache(maxsize=2)
def _unpickled(whole: bytes) -> Any:
    """Return what many requests have in common."""
    return pickle.loads(whole)


def _translate(whole: bytes, part: Any, settings: Any) -> Any:
    from .translation import translate_part

    return translate_part(_unpickled(whole), part, settings)


def _emit_text(whole: bytes, part: Any, settings: Any, assembly: bool) -> str:
    from .translation import emit_text

    return emit_text(_unpickled(whole), part, settings, assembly=assembly)


def _describe_cpu(target: str, cpu: str, known: Any) -> Any:
    from .backend import describe_cpu
    from .targets import target_by_name

    return describe_cpu(target_by_name(target), cpu, known)


JOBS: Final[dict[str, Callable[..., Any]]] = {
    "translate": _translate,
    "text": _emit_text,
    "cpu": _describe_cpu,
}


def peak_memory() -> int:
    """Return the most memory that this program has had, in bytes.

    ``getrusage`` would count what the process had before it became this program.
    """
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        peak = next(line for line in file if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


def read_exactly(file: int, size: int) -> bytes:
    """Return so many bytes of a descriptor, or fewer if it ends before."""
    chunks = []
    while size:
        chunk = os.read(file, min(size, 1 << 20))
        if not chunk:
            break
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def read_message(file: int) -> bytes | None:
    """Return the next message, None at the end. What is cut off counts as the end."""
    head = read_exactly(file, LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack(head)
    body = read_exactly(file, size)
    return body if len(body) == size else None


def write_message(file: int, body: bytes) -> None:
    """Write a message. Raises OSError."""
    for data in (LENGTH.pack(len(body)), body):
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]


def answer(request: bytes) -> bytes:
    """Do what a request says; return the answer."""
    reply: tuple[str, Any, int]
    try:
        name, arguments = pickle.loads(request)
        result = JOBS[name](*arguments)
        reply = ("done", result, peak_memory())
    except MvvmError as error:
        reply = ("error", error, peak_memory())
    except BaseException:
        reply = ("bug", traceback.format_exc(), peak_memory())
    return pickle.dumps(reply, pickle.HIGHEST_PROTOCOL)


def _with_large_stack(target: Callable[[], None]) -> threading.Thread:
    """Start a thread with as much stack as the system grants."""
    for size in STACK_SIZES:
        threading.stack_size(size)
        thread = threading.Thread(target=target, daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError):
            continue
        return thread
    threading.stack_size(0)
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread


def _wait(done: int, parent: int) -> None:
    """Wait until a job is done; end the process if its parent has."""
    poll = select.poll()
    poll.register(0, 0)  # its hanging up only
    poll.register(done, select.POLLIN)
    while True:
        events = dict(poll.poll(_LOOK_FOR_PARENT))
        if 0 in events or os.getppid() != parent:
            os._exit(1)
        if done in events:
            os.read(done, 1)
            return


def main() -> None:
    """Answer requests until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to us as well
    gc.disable()  # a translation makes many objects, and no cycles
    parent = os.getppid()
    out = os.dup(1)
    os.dup2(2, 1)  # what LLVM prints must not get among the answers
    done, wake = os.pipe()
    from . import translation  # noqa: F401 - while our parent still reads the module

    while (request := read_message(0)) is not None:
        message = [request]
        del request

        def work(message: list[bytes] = message) -> None:
            message[0] = answer(message[0])
            os.write(wake, b".")

        _with_large_stack(work)
        _wait(done, parent)
        sys.stderr.flush()
        try:
            write_message(out, message[0])
        except BrokenPipeError:
            break
        message.clear()
        gc.collect()
    os._exit(0)
