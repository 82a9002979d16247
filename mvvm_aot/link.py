"""Link objects, a module description and the runtime into one static executable, with zig.

Stage: objects (bytes) and C source -> executable (bytes). ziglang is imported here only. The
runtime is compiled once per target into a folder named after everything that it depends on, so
that a changed source, compiler or flag never meets an old object. Folders are written beside and
renamed: any number of processes may build the same one at the same time.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from .errors import LinkError, SystemFailure
from .places import find_runtime
from .targets import Target

Notify = Callable[[str], None]

# -fno-sanitize: zig's default traps on undefined behaviour in debug builds and drags in a runtime.
COMPILE_FLAGS: Final = (
    "-std=gnu11",
    "-D_GNU_SOURCE=",
    "-O2",
    "-fno-omit-frame-pointer",  # backtraces pass over the runtime's own frames
    "-g0",
    "-fno-sanitize=all",
    "-fno-stack-protector",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-pic",
    "-fno-pie",
)
# -s is here, not at single links: zig builds its C library once for each way of stripping.
LINK_FLAGS: Final = ("-static", "-O2", "-s", "-fno-sanitize=all", "-Wl,--gc-sections")
_MAIN: Final = "main.o"


def quiet(_message: str) -> None:
    """Tell nobody."""


@functools.cache
def find_zig() -> str:
    """Return the path of the zig program that the ziglang package brings along."""
    try:
        import ziglang
    except ImportError as error:
        raise LinkError(
            "the Python package ziglang is missing: run `pip install ziglang`"
        ) from error
    zig = Path(next(iter(ziglang.__path__))) / "zig"
    if not zig.is_file():
        raise LinkError(f"the zig program is missing at '{zig}': install the package ziglang again")
    return str(zig)


@functools.cache
def zig_version() -> str:
    """Return what ``zig version`` prints."""
    return run_tool([find_zig(), "version"], Path.cwd()).strip()


def run_tool(command: Sequence[str], directory: Path) -> str:
    """Run a tool and return its standard output. Raises LinkError with its first error line."""
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise SystemFailure.from_os_error(f"run {command[0]}", error) from error
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line]
        reason = (errors or lines or [f"exit status {done.returncode}"])[0]
        raise LinkError(f"{Path(command[0]).name} {command[1]} failed: {reason}")
    return done.stdout


def runtime_sources(runtime: Path, target: Target) -> list[Path]:
    """Return the C and assembler files of the runtime for a target."""
    folders = (runtime / "src", runtime / "arch" / target.name)
    return sorted(path for folder in folders for path in folder.iterdir() if path.suffix in _KINDS)


_KINDS: Final = (".c", ".S")


def include_flags(runtime: Path, target: Target) -> list[str]:
    """Return the compiler's -I options for the runtime's sources."""
    folders = (runtime / "include", runtime / "src", runtime / "arch" / target.name)
    return [f"-I{folder}" for folder in folders]


def runtime_key(runtime: Path, target: Target, flags: Iterable[str] = ()) -> str:
    """Return a hash of all that the runtime's objects depend on."""
    digest = hashlib.sha256()
    folders = ("include", "src", f"arch/{target.name}")
    files = sorted(path for name in folders for path in (runtime / name).iterdir())
    for path in files:
        digest.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    for text in (zig_version(), target.zig_target, *COMPILE_FLAGS, *flags):
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:24]


def build_runtime(
    target: Target, folder: Path, *, notify: Notify = quiet, flags: Sequence[str] = ()
) -> list[Path]:
    """Compile the runtime, or find it compiled, below ``folder``; return its objects."""
    runtime = find_runtime()
    ready = folder / f"runtime-{target.name}-{runtime_key(runtime, target, flags)}"
    if not ready.is_dir():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _compile_all(runtime, target, ready, [*COMPILE_FLAGS, *flags], notify)
        except OSError as error:
            raise SystemFailure.from_os_error("build the runtime in", error) from error
    return sorted(ready.glob("*.o"))


def _compile_all(
    runtime: Path, target: Target, ready: Path, flags: Sequence[str], notify: Notify
) -> None:
    """Compile every source file, a few at a time, into the folder ``ready``."""
    scratch = Path(tempfile.mkdtemp(dir=ready.parent, prefix=".building-"))
    try:
        notify(f"building the runtime for {target.name}, once")
        zig = [find_zig(), "cc", "-target", target.zig_target]
        compiling = [*zig, *flags, *include_flags(runtime, target), "-c"]

        def compile_one(source: Path) -> None:
            run_tool([*compiling, str(source), "-o", f"{source.stem}.o"], scratch)

        sources = runtime_sources(runtime, target)
        assert len({source.stem for source in sources}) == len(sources), "file names clash"
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
            list(pool.map(compile_one, sources))
        notify(f"building the C library for {target.name}, once: about a minute")
        (scratch / "probe.c").write_text("int main(void) { return 0; }\n")
        run_tool([*zig, *LINK_FLAGS, "probe.c", "-o", "probe"], scratch)
        scratch.rename(ready)
    except OSError:
        if not ready.is_dir():  # else another process was faster
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def merge_objects(objects: Sequence[bytes], target: Target) -> bytes:
    """Return one relocatable object that holds several."""
    if len(objects) == 1:
        return objects[0]
    try:
        with tempfile.TemporaryDirectory(prefix="mvvm-link-") as scratch_name:
            scratch = Path(scratch_name)
            names = [f"code{number}.o" for number in range(len(objects))]
            for name, data in zip(names, objects, strict=True):
                (scratch / name).write_bytes(data)
            zig = [find_zig(), "cc", "-target", target.zig_target]
            run_tool([*zig, "-r", "-nostdlib", *names, "-o", "merged.o"], scratch)
            return (scratch / "merged.o").read_bytes()
    except OSError as error:
        raise SystemFailure.from_os_error("link in the temporary folder", error) from error


def link_executable(
    objects: Sequence[bytes],
    description: str,
    files: Mapping[str, bytes],
    target: Target,
    runtime_folder: Path,
    *,
    notify: Notify = quiet,
    extra_sources: Sequence[Path] = (),
) -> bytes:
    """Link a static executable and return its bytes.

    ``description`` and ``files`` come from ``describe.describe_modules``. With ``extra_sources``
    (C files, one of which defines ``main``) the runtime's own main is left out.
    """
    runtime = find_runtime()
    parts = build_runtime(target, runtime_folder, notify=notify)
    if extra_sources:
        parts = [path for path in parts if path.name != _MAIN]
    try:
        with tempfile.TemporaryDirectory(prefix="mvvm-link-") as scratch_name:
            scratch = Path(scratch_name)
            for name, data in files.items():
                (scratch / name).write_bytes(data)
            (scratch / "module.c").write_text(description, encoding="ascii")
            for number, data in enumerate(objects):
                (scratch / f"code{number}.o").write_bytes(data)
            zig = [find_zig(), "cc", "-target", target.zig_target]
            compiling = [*zig, *COMPILE_FLAGS, *include_flags(runtime, target), "-c"]
            sources = [scratch / "module.c", *(path.resolve() for path in extra_sources)]
            linked = [f"code{number}.o" for number in range(len(objects))]
            for number, source in enumerate(sources):
                run_tool([*compiling, str(source), "-o", f"source{number}.o"], scratch)
                linked.append(f"source{number}.o")
            run_tool([*zig, *LINK_FLAGS, *linked, *map(str, parts), "-o", "program"], scratch)
            return (scratch / "program").read_bytes()
    except OSError as error:
        raise SystemFailure.from_os_error("link in the temporary folder", error) from error
