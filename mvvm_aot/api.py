"""The library: compile, run, checkpoint, resume and inspect, with all that the command line can do.

Every function takes and returns plain values and raises ``MvvmError``; nothing here prints. The
compiler is imported on first need, so that running from the cache stays quick.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from . import cache
from .errors import SystemFailure, UnsupportedFeature, UsageError
from .places import cache_folder
from .progress import Progress, Silence
from .targets import Target, target_by_name, target_for_machine

if TYPE_CHECKING:
    import subprocess

    from .inspection import Inspection

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class CompileResult:
    """What ``compile`` made: the file, what was found out, and whether the cache had it."""

    path: Path
    report: Mapping[str, Any]
    cached: bool


@dataclass(frozen=True, slots=True)
class Command:
    """A program that is ready to be started."""

    argv: tuple[str, ...]
    program: Path  # what the operating system loads: argv[0] is only a name
    env: Mapping[str, str] = field(repr=False)

    def execute(self) -> NoReturn:
        """Become the program. Raises SystemFailure if that fails."""
        if workers := sys.modules.get(f"{__package__}.workers"):
            workers.close()  # or the program would have children that it knows nothing of
        try:
            os.execve(self.program, list(self.argv), dict(self.env))
        except OSError as error:
            raise SystemFailure.from_os_error("execute", error) from error

    def run(self, **options: Any) -> subprocess.CompletedProcess[bytes]:
        """Run the program as a child; ``options`` go to subprocess.run."""
        import subprocess

        try:
            return subprocess.run(
                self.argv, executable=self.program, env=dict(self.env), check=False, **options
            )
        except OSError as error:
            raise SystemFailure.from_os_error("execute", error) from error


def host_target() -> Target:
    """Return the target that is this machine. Raises UnsupportedFeature."""
    found = target_for_machine(platform.machine())
    if found is None:
        raise UnsupportedFeature(
            f"no target for this machine ({platform.machine()}): name one with --target"
        )
    return found


# -- Compile ---------------------------------------------------------------------------------


def compile(
    module: PathLike | bytes,
    output: PathLike | None = None,
    *,
    target: str | None = None,
    opt_level: int = 2,
    cpu: str | None = None,
    migration: bool = True,
    emit: str = "exe",
    poll: int | None = None,
    use_cache: bool = True,
    progress: Progress | None = None,
) -> CompileResult:
    """Compile a module (a file, or its bytes) to an executable or another artifact.

    Without ``output`` the result stays in the cache. ``emit`` is one of exe, obj, ir, asm,
    stackmap. ``poll`` is the offset in the module of a loop or a function body that gets a poll
    even if it can do without. Raises ModuleError, UnsupportedFeature, CodegenError, LinkError,
    SystemFailure.
    """
    wasm = module if isinstance(module, bytes) else read_file(module, "module")
    options: dict[str, Any] = {
        "target": target_by_name(target).name if target else host_target().name,
        "opt_level": opt_level,
        "cpu": cpu,
        "migration": migration,
        "emit": emit,
        "poll": poll,
    }
    machine = {"machine": cache.host_cpu()} if cpu == "native" else {}
    key = cache.artifact_key(hashlib.sha256(wasm).digest(), options | machine)
    artifact = cache.lookup(key) if use_cache else None
    cached = artifact is not None
    if artifact is None:
        from .pipeline import Options, compile_module

        data, report = compile_module(
            wasm, Options(**options), cache_folder(), progress or Silence()
        )
        if output is not None and not use_cache:
            path = write_file(output, data, executable=emit == "exe")
            return CompileResult(path, report.as_dict(), cached=False)
        artifact = cache.store(key, data, report.as_dict())
    if output is None:
        return CompileResult(artifact.path, artifact.report, cached)
    data = read_file(artifact.path, "cached artifact")
    path = write_file(output, data, executable=emit == "exe")
    return CompileResult(path, artifact.report, cached)


def validate(module: PathLike | bytes) -> int:
    """Decode and validate a module (a file, or its bytes); return how many functions it defines.

    Whether it can be translated is another question. Raises MalformedModule, InvalidModule,
    UnsupportedFeature (a limit of this implementation), SystemFailure.
    """
    from .wasmparser.binary import decode_module
    from .wasmparser.validate import validate_module

    wasm = module if isinstance(module, bytes) else read_file(module, "module")
    return len(validate_module(decode_module(wasm)).functions)


def read_file(path: PathLike, what: str) -> bytes:
    """Return a file's bytes. Raises SystemFailure."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise SystemFailure.from_os_error(f"read the {what}", error) from error


def write_file(path: PathLike, data: bytes, *, executable: bool = False) -> Path:
    """Write a file beside its place and rename it. Raises SystemFailure."""
    path = Path(path)
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(data)  # a device or a pipe: nothing to rename
        else:
            _replace(path, data, 0o777 if executable else 0o666)
    except OSError as error:
        reason = f"cannot write '{path}': {error.strerror or error}"
        raise SystemFailure(reason, error.errno, str(path)) from error
    return path


def _replace(path: Path, data: bytes, mode: int) -> None:
    """Write beside and rename, with the permissions that a new file gets."""
    import tempfile

    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(scratch, mode & ~mask)
        os.replace(scratch, path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


# -- Run and resume --------------------------------------------------------------------------


def prepare_run(
    module: PathLike,
    args: Sequence[str] = (),
    *,
    target: str | None = None,
    dirs: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    snapshot: PathLike | None = None,
    checkpoint_every: float | None = None,
    listen: Sequence[str] = (),
    on_socket: str | None = None,
    with_files: bool = False,
    opt_level: int = 2,
    cpu: str | None = None,
    migration: bool = True,
    progress: Progress | None = None,
) -> Command:
    """Compile a module through the cache and return the command that runs it.

    The guest sees ``env`` only; ``dirs`` are HOST or HOST::GUEST; ``snapshot`` is where a
    checkpoint goes (default: the module's name with ``.snap`` in the working directory).
    ``listen`` are HOST:PORT of listening sockets, whose descriptors follow those of ``dirs``;
    ``on_socket`` is what a checkpoint does while there is an accepted connection: ``"refuse"``, or
    ``"reset"`` it at the resume. ``with_files`` packs open files into every snapshot.
    """
    chosen = target_by_name(target) if target else host_target()
    emulator = find_emulator(chosen)
    built = compile(
        module,
        target=chosen.name,
        opt_level=opt_level,
        cpu=cpu,
        migration=migration,
        progress=progress,
    )
    variables = guest_environment(env or {})
    variables.update(_settings(dirs, checkpoint_every, listen, on_socket, with_files))
    _set_snapshot(variables, snapshot, Path(module).name)
    return _command(built.path, emulator, [Path(module).name, *args], variables)


def run(
    module: PathLike,
    args: Sequence[str] = (),
    *,
    stdin: bytes | None = None,
    capture: bool = False,
    **options: Any,
) -> subprocess.CompletedProcess[bytes]:
    """Run a module as a child process and wait for it; options as for ``prepare_run``."""
    return prepare_run(module, args, **options).run(input=stdin, capture_output=capture)


def prepare_resume(
    snapshot: PathLike,
    *,
    target: str | None = None,
    dirs: Sequence[str] = (),
    next_snapshot: PathLike | None = None,
    checkpoint_every: float | None = None,
    listen: Sequence[str] = (),
    on_socket: str | None = None,
    with_files: bool = False,
    allow_changed_files: bool = False,
    opt_level: int = 2,
    cpu: str | None = None,
    progress: Progress | None = None,
) -> Command:
    """Verify a snapshot, translate its module (or find it translated), return the command.

    ``dirs`` remap pre-opened directories by their guest names; ``next_snapshot`` is where the
    next checkpoint goes. ``listen`` replaces the addresses of listening sockets, in their order.
    ``allow_changed_files`` goes on with open files that have changed since the snapshot as they
    are, and without those that are gone. Raises SnapshotError and whatever ``compile`` does.
    """
    chosen = target_by_name(target) if target else host_target()
    emulator = find_emulator(chosen)
    loaded = _load(snapshot)
    built = _compile_for(
        loaded, target=chosen.name, opt_level=opt_level, cpu=cpu, progress=progress
    )
    arguments = loaded.state.wasi.args
    name = os.fsdecode(arguments[0]) if arguments and arguments[0] else "resumed"
    variables = guest_environment({})
    variables.update(_settings(dirs, checkpoint_every, listen, on_socket, with_files))
    if allow_changed_files:
        variables["MVVM_ALLOW_CHANGED_FILES"] = "1"
    variables["MVVM_RESTORE"] = str(Path(snapshot).absolute())
    _set_snapshot(variables, next_snapshot, Path(name).name)
    return _command(built.path, emulator, [name], variables)


def resume(
    snapshot: PathLike, *, stdin: bytes | None = None, capture: bool = False, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Resume a snapshot as a child process and wait for it; options as for ``prepare_resume``."""
    return prepare_resume(snapshot, **options).run(input=stdin, capture_output=capture)


def extract(
    snapshot: PathLike,
    output: PathLike,
    *,
    target: str | None = None,
    opt_level: int = 2,
    cpu: str | None = None,
    progress: Progress | None = None,
) -> CompileResult:
    """Write an executable of a snapshot's module; MVVM_RESTORE makes it go on."""
    loaded = _load(snapshot)
    built = _compile_for(loaded, target=target, opt_level=opt_level, cpu=cpu, progress=progress)
    data = read_file(built.path, "cached artifact")
    return replace(built, path=write_file(output, data, executable=True))


def _compile_for(snapshot: Any, **options: Any) -> CompileResult:
    """Compile a snapshot's module such that it can go on where the snapshot stands.

    An earlier version may have polled where this one does not: only the innermost frame is there.
    """
    built = compile(snapshot.module, **options)
    frames = snapshot.state.frames
    poll = frames[-1].offset if frames else 0  # 0: in a host call
    if poll and poll not in built.report["polls"]:
        built = compile(snapshot.module, poll=poll, **options)
    return built


def _load(snapshot: PathLike) -> Any:
    """Read a snapshot and verify its checksums."""
    from .snapshot.codec import decode_snapshot

    return decode_snapshot(read_file(snapshot, "snapshot"))


def find_emulator(target: Target) -> str | None:
    """Return the program that runs executables of a target here; None if the machine does."""
    if platform.machine() in target.machines:
        return None
    import shutil

    path = shutil.which(target.qemu) or shutil.which(f"{target.qemu}-static")
    if path is None:
        raise SystemFailure(
            f"{target.qemu} is missing, which runs {target.name} programs on this machine: "
            "install it with `apt-get install qemu-user`"
        )
    return path


def guest_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a guest: ``env``, and the MVVM_ variables of this process."""
    own = {name: value for name, value in os.environ.items() if name.startswith("MVVM_")}
    for name in env:
        if not name or "=" in name or "\0" in name or name.startswith("MVVM_"):
            raise UsageError(f'"{name}" cannot be a variable of the guest\'s environment')
    return own | dict(env)


def _settings(
    dirs: Sequence[str],
    checkpoint_every: float | None,
    listen: Sequence[str],
    on_socket: str | None,
    with_files: bool,
) -> dict[str, str]:
    """Return the MVVM_ variables for what a program may use and how it is saved."""
    variables = {}
    pairs = []
    for item in dirs:
        host, _, guest = item.partition("::")
        if not Path(host).is_dir():
            raise SystemFailure(f"cannot open the directory '{host}' (--dir {item})", path=host)
        # The host's name goes into snapshots: it has to mean the same wherever they are resumed.
        pairs.append(f"{Path(host).absolute()}::{guest or host}")
        if ";" in pairs[-1]:
            raise UsageError(f'"{pairs[-1]}": a directory\'s name cannot contain ";"')
    if pairs:
        variables["MVVM_DIRS"] = ";".join(pairs)
    if checkpoint_every is not None:
        if not checkpoint_every > 0:
            raise UsageError(f"{checkpoint_every} seconds between checkpoints: it must be above 0")
        variables["MVVM_CHECKPOINT_EVERY"] = f"{checkpoint_every:.6f}"
    if listen:
        variables["MVVM_LISTEN"] = ";".join(numeric_address(item) for item in listen)
    if on_socket is not None:
        if on_socket not in ("refuse", "reset"):
            raise UsageError(f'on_socket is "{on_socket}": neither "refuse" nor "reset"')
        variables["MVVM_ON_SOCKET"] = on_socket
    if with_files:
        variables["MVVM_WITH_FILES"] = "1"
    return variables


def numeric_address(address: str) -> str:
    """Return HOST:PORT with the host's name looked up. Raises UsageError, SystemFailure.

    IPv6 addresses stand in brackets. An executable does not look names up itself.
    """
    import socket

    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isascii() and port.isdecimal() and int(port) < 1 << 16):
        raise UsageError(f'"{address}" is no address to listen at: HOST:PORT is needed')
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        found = socket.getaddrinfo(bare, int(port), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SystemFailure(f"cannot find the address of '{bare}' (--listen {address})") from error
    numeric = found[0][4][0]
    return f"[{numeric}]:{port}" if found[0][0] is socket.AF_INET6 else f"{numeric}:{port}"


def _set_snapshot(variables: dict[str, str], path: PathLike | None, name: str) -> None:
    """Say where a checkpoint is to be written, unless the environment says so."""
    if path is not None:
        variables["MVVM_SNAPSHOT"] = str(Path(path).absolute())
    else:
        stem = name.removesuffix(".wasm") or "program"
        variables.setdefault("MVVM_SNAPSHOT", str(Path.cwd() / f"{stem}.snap"))


def _command(
    program: Path, emulator: str | None, argv: Sequence[str], env: Mapping[str, str]
) -> Command:
    """Return the command that runs a program, by an emulator if need be."""
    if emulator is None:
        return Command(tuple(argv), program, env)
    return Command((emulator, "-0", argv[0], str(program), *argv[1:]), Path(emulator), env)


# -- Checkpoint and inspect ------------------------------------------------------------------


def checkpoint(
    pid: int,
    output: PathLike | None = None,
    *,
    leave_running: bool = False,
    with_files: bool = False,
    timeout: float = 60.0,
) -> Path:
    """Have a running program write a snapshot; return the file's path.

    The program ends (exit status 75) unless ``leave_running``. ``with_files`` packs the contents of
    its open regular files into the snapshot, for a machine that does not have them. Raises
    SystemFailure if there is no such process, it is not ours, it does not answer in ``timeout``
    seconds or cannot write.
    """
    from .process import request_checkpoint

    path = Path(output).absolute() if output is not None else Path.cwd() / f"{pid}.snap"
    return request_checkpoint(
        pid, path, leave_running=leave_running, with_files=with_files, timeout=timeout
    )


def inspect(snapshot: PathLike | bytes) -> Inspection:
    """Read, verify and describe a snapshot. Raises SnapshotError."""
    from .inspection import inspect_snapshot

    data = snapshot if isinstance(snapshot, bytes) else read_file(snapshot, "snapshot")
    return inspect_snapshot(data)


def cache_usage() -> dict[str, Any]:
    """Return what the cache holds: folder, number of artifacts, bytes."""
    found = asdict(cache.usage())
    return found | {"folder": str(found["folder"])}


def clear_cache() -> None:
    """Remove everything from the cache."""
    cache.clear()
