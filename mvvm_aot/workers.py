"""Worker processes: what may end the process (LLVM does) or has to run in parallel.

A ``Crew`` runs jobs of ``worker.py`` for one translation, on as many processes as there are
processors for us, or as ``MVVM_JOBS`` says; 0 means in this process, which then shares LLVM's fate.
A process starts when there is a job for it and no idle one, and is kept for the next translation.
However many threads translate, no more jobs than that run at a time.

A process is a fresh Python that imports this package and nothing of the caller's program: there is
no fork of ours, no import of ``__main__``, no semaphore or shared memory. It reads pickles that we
write and its standard error is a file.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any, Final

from . import worker
from .errors import SystemFailure, UsageError

_BOOT: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from mvvm_aot.worker import main; main()"
)
# By these a process ends because of what it does; others come from outside.
_OWN_SIGNALS: Final = frozenset(
    (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP)
)


class WorkerDied(Exception):
    """A process ended by its own doing while it had a job; the text is its last words."""


def worker_count() -> int:
    """Return how many processes to use. Raises UsageError for a bad variable."""
    text = os.environ.get("MVVM_JOBS")
    if text:
        if not text.isdecimal() or not text.isascii() or int(text) > 1024:
            raise UsageError(f'MVVM_JOBS is "{text}", not a number of processes from 0 to 1024')
        return int(text)
    return max(1, len(os.sched_getaffinity(0)))


class _Process:
    """One worker process."""

    def __init__(self) -> None:
        self.errors: IO[bytes] = tempfile.TemporaryFile(prefix="mvvm-worker-")  # noqa: SIM115
        if not sys.executable:
            raise SystemFailure(
                "cannot start a process to translate in: this Python does not know its own "
                "executable (sys.executable); MVVM_JOBS=0 translates in this process"
            )
        path = json.dumps([os.path.abspath(item) for item in sys.path])
        try:
            self.popen = subprocess.Popen(
                [sys.executable, "-c", _BOOT, path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                bufsize=0,
            )
        except OSError as error:
            self.errors.close()
            raise SystemFailure.from_os_error("start a process to translate in", error) from error

    def ask(self, request: bytes) -> tuple[str, Any, int]:
        """Send a request and wait for the answer. Raises WorkerDied, SystemFailure."""
        assert self.popen.stdin is not None and self.popen.stdout is not None
        reply = None
        try:
            worker.write_message(self.popen.stdin.fileno(), request)
            reply = worker.read_message(self.popen.stdout.fileno())
        except BrokenPipeError:
            pass
        if reply is None:
            self.fail()
        found: tuple[str, Any, int] = pickle.loads(reply or b"")
        return found

    def fail(self) -> None:
        """Raise what the process's end amounts to."""
        status = self.popen.wait()
        words = self.last_words()
        self.close()
        if status < 0 and -status not in _OWN_SIGNALS:
            name = signal.Signals(-status).name
            raise SystemFailure(
                f"a process that translated was ended by {name} (if memory was short: "
                "MVVM_JOBS=1 takes less)"
            )
        if status < 0 and not words:
            words = f"ended by {signal.Signals(-status).name}"
        raise WorkerDied(words or f"ended with status {status}")

    def last_words(self) -> str:
        """Return the line of standard error that says most."""
        self.errors.seek(0)
        lines = self.errors.read().decode("utf-8", "replace").splitlines()
        lines = [line.strip() for line in lines if line.strip()]
        return next((line for line in lines if "ERROR" in line), lines[0] if lines else "")

    def complaints(self) -> str:
        """Return what was written to standard error, and forget it."""
        self.errors.seek(0)
        text = self.errors.read().decode("utf-8", "replace")
        self.errors.seek(0)
        self.errors.truncate()
        return text

    def close(self) -> None:
        """End the process: it keeps nothing."""
        self.popen.kill()
        self.popen.wait()
        for file in (self.popen.stdin, self.popen.stdout, self.errors):
            if file is not None:
                file.close()


class _Idle:
    """The processes that wait for jobs, and how many may run at a time; one for each process."""

    def __init__(self, limit: int) -> None:
        self.slots = threading.BoundedSemaphore(limit)
        self.lock = threading.Lock()
        self.processes: list[_Process] = []
        self.used = False

    def fill(self, count: int) -> None:
        """Start so many processes, if there has not been any yet."""
        with self.lock:
            if not self.used:
                self.used = True
                self.processes += [_Process() for _ in range(count)]

    def take(self) -> _Process:
        """Return a process, a new one if none is idle."""
        with self.lock:
            self.used = True
            while self.processes:
                found = self.processes.pop()
                if found.popen.poll() is None:
                    return found
                found.close()
        return _Process()

    def give(self, process: _Process) -> None:
        """Keep a process for the next job."""
        with self.lock:
            self.processes.append(process)

    def close(self) -> None:
        """End all that are idle."""
        with self.lock:
            for process in self.processes:
                process.close()
            self.processes.clear()


@functools.lru_cache(maxsize=8)
def _idle(_pid: int, limit: int) -> _Idle:
    """Return this process's idle workers: a fork has none of its parent's."""
    found = _Idle(limit)
    _all.append((_pid, found))
    return found


def prepare(jobs: int) -> None:
    """Start processes for so many jobs to come: until they have imported all takes a while.

    Raises UsageError, SystemFailure.
    """
    count = worker_count()
    if count and jobs:
        _idle(os.getpid(), count).fill(min(jobs, count))


_all: Final[list[tuple[int, _Idle]]] = []


@atexit.register
def close() -> None:
    """End all idle worker processes; the next translation starts new ones."""
    for pid, idle in _all:
        if pid == os.getpid():
            idle.close()


class Crew:
    """Runs the jobs of one translation. A context manager: leaving it ends what still runs."""

    def __init__(self) -> None:
        self.count = worker_count()
        self.peaks: dict[int, int] = {}  # bytes, by process
        self._lock = threading.Lock()
        self._busy: set[_Process] = set()
        self._closed = False
        self._threads: ThreadPoolExecutor | None = None

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._threads is None:
            return
        with self._lock:
            self._closed = True
            if kind is not None:
                for process in self._busy:
                    process.popen.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)

    @property
    def peak_memory(self) -> int:
        """An upper bound of the memory that all processes had at a time, this one included."""
        return worker.peak_memory() + sum(self.peaks.values())

    def submit(self, name: str, *arguments: Any) -> Future[Any]:
        """Have a job done. The future raises MvvmError, or WorkerDied."""
        if not self.count:
            future: Future[Any] = Future()
            try:
                future.set_result(worker.JOBS[name](*arguments))
            except Exception as error:
                future.set_exception(error)
            return future
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.count, thread_name_prefix="mvvm-aot")
        request = pickle.dumps((name, arguments), pickle.HIGHEST_PROTOCOL)
        return self._threads.submit(self._run, request)

    def _run(self, request: bytes) -> Any:
        """Have a process do a job, and wait for it."""
        idle = _idle(os.getpid(), self.count)
        with idle.slots:
            process = idle.take()
            with self._lock:
                self._busy.add(process)
                if self._closed:
                    process.popen.kill()
            try:
                kind, result, peak = process.ask(request)
            except BaseException:
                process.close()
                raise
            finally:
                with self._lock:
                    self._busy.discard(process)
            self.peaks[process.popen.pid] = peak
            idle.give(process)
        if kind == "bug":
            raise RuntimeError(f"in a worker process:\n{result}")
        if kind == "error":
            raise result
        return result
