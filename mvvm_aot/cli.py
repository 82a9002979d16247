"""The command line: click commands, each a thin layer over one function of ``api``.

Exit codes are in ``EXIT_CODES`` and docs/cli.md. An error is one line on standard error and never a
traceback; ``MVVM_DEBUG=1`` shows it. ``run`` and ``resume`` become the program.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from . import api
from .errors import MvvmError, UsageError
from .progress import shown
from .targets import TARGETS

EXIT_CODES: Final = """\b
Exit codes:
  0    done
  2    usage
  65   malformed or invalid module
  66   bad snapshot
  69   valid, but not supported
  71   code generation, linking, operating system
Of a program that runs:
  75   stopped by a checkpoint
  134  trap (message and Wasm backtrace on standard error)
  64   bad MVVM_ variable
  else its own
"""

MAX_LINE: Final = 2000  # characters of an error

F = TypeVar("F", bound=Callable[..., Any])


def _options(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Combine decorators, the first outermost."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


_target: Callable[[F], F] = click.option(
    "--target",
    metavar="|".join(TARGETS),
    help="Machine to translate for.  [default: this one]",
)
_opt_level: Callable[[F], F] = click.option(
    "-O",
    "opt_level",
    type=click.IntRange(0, 3),
    default=2,
    show_default=True,
    help="Optimisation level.",
)
_cpu: Callable[[F], F] = click.option("--cpu", metavar="NAME", help="CPU model, as LLVM names it.")
_migration: Callable[[F], F] = click.option(
    "--no-migration",
    "migration",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Translate without migration points: no checkpoints.",
)
_dirs: Callable[[F], F] = click.option(
    "--dir",
    "dirs",
    multiple=True,
    metavar="HOST[::GUEST]",
    help="Directory that the program may use.",
)
_every: Callable[[F], F] = click.option(
    "--checkpoint-every",
    type=float,
    metavar="SECONDS",
    help="Write a snapshot this often and go on.",
)
_snapshot: Callable[[F], F] = click.option(
    "--snapshot", type=click.Path(path_type=Path), metavar="FILE", help="Where checkpoints go."
)
_listen: Callable[[F], F] = click.option(
    "--listen",
    multiple=True,
    metavar="HOST:PORT",
    help="Listening socket that the program finds open behind its directories.",
)
_on_socket: Callable[[F], F] = click.option(
    "--on-socket",
    type=click.Choice(["refuse", "reset"]),
    help="What a checkpoint does to an accepted connection: it refuses to be written, or the "
    "connection is reset after the resume.  [default: reset]",
)
_with_files: Callable[[F], F] = click.option(
    "--with-files",
    is_flag=True,
    help="Pack open files into snapshots, for a machine that does not have them.",
)
_saving = _options(_snapshot, _every, _listen, _on_socket, _with_files)
_code_options = _options(_target, _opt_level, _cpu)


def _version() -> str:
    from . import __version__

    return __version__


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(_version(), prog_name="mvvm-aot", message="%(prog)s %(version)s")
def cli() -> None:
    """Compile WebAssembly to native programs that can move between machines while they run."""


@cli.command("compile", epilog=EXIT_CODES)
@click.argument("module", metavar="APP.wasm", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="OUT", help="Output file.")
@_code_options
@_migration
@click.option(
    "--emit",
    type=click.Choice(["exe", "obj", "ir", "asm", "stackmap"]),
    default="exe",
    show_default=True,
    help="What to write.",
)
@click.option("--no-cache", is_flag=True, help="Translate even if the cache has the result.")
@click.option("--report", is_flag=True, help="Print a build report on standard error.")
@click.option("--json", "as_json", is_flag=True, help="Print the build report as JSON.")
def compile_command(
    module: Path,
    output: Path | None,
    target: str | None,
    opt_level: int,
    cpu: str | None,
    migration: bool,
    emit: str,
    no_cache: bool,
    report: bool,
    as_json: bool,
) -> None:
    """Compile a module to a static executable, or to what --emit says."""
    suffixes = {"exe": "", "obj": ".o", "ir": ".ll", "asm": ".s", "stackmap": ".stackmap"}
    if output is None:
        output = Path(module.name.removesuffix(".wasm") + suffixes[emit])
        if output.name == module.name:
            raise UsageError(f"say with -o where the output of '{module}' is to go")
    with shown() as progress:
        result = api.compile(
            module,
            output,
            target=target,
            opt_level=opt_level,
            cpu=cpu,
            migration=migration,
            emit=emit,
            use_cache=not no_cache,
            progress=progress,
        )
    if as_json:
        click.echo(
            json.dumps({"output": str(result.path), "cached": result.cached, **result.report})
        )
    elif report:
        _print_report(result)


def _print_report(result: api.CompileResult) -> None:
    """Write a build report to standard error."""
    report = result.report
    again = report["proved_second"] + report["proved_third"]
    lines = [
        f"{result.path}: {report['output_bytes']} bytes{' (from the cache)' * result.cached}",
        f"functions     {report['functions']}, {report['instructions']} instructions, "
        f"{report['wasm_bytes']} bytes of Wasm",
        f"points        {report['points']} in the module, {report['sites']} in the machine code",
        f"proof         {report['proved_first']} functions at once, {report['proved_second']} at "
        f"the second try, {report['proved_third']} at the third; {report['fills']} fills",
        f"machine code  {report['code_bytes']} bytes, frame table {report['frame_table_bytes']}",
    ]
    if again:
        lines.append(f"translated again: {', '.join(report['retranslated'])}")
    lines += [f"{seconds:9.3f} s   {name}" for name, seconds in report["seconds"].items()]
    click.echo("\n".join(lines), err=True)


@cli.command("run", epilog=EXIT_CODES)
@_code_options
@_migration
@_dirs
@click.option("--env", "env", multiple=True, metavar="K=V", help="Variable of the environment.")
@_saving
@click.argument("module", metavar="APP.wasm", type=click.Path(path_type=Path))
@click.argument("args", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGS...]")
def run_command(module: Path, args: tuple[str, ...], env: tuple[str, ...], **options: Any) -> None:
    """Compile a module through the cache and run it.

    This process becomes the program: signals, streams and exit code are its own. It sees the
    variables given with --env (K alone: with the value that it has here) and no others. Arguments
    of the program that begin with a dash stand behind "--".
    """
    with shown() as progress:
        command = api.prepare_run(module, args, env=_variables(env), progress=progress, **options)
    _become(command)


def _variables(items: tuple[str, ...]) -> dict[str, str]:
    """Return --env options as a mapping; a name alone takes its value from this process."""
    variables = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals:
            if name not in os.environ:
                raise UsageError(f'--env {name}: there is no such variable here; write "{name}="')
            value = os.environ[name]
        variables[name] = value
    return variables


def _become(command: api.Command) -> None:
    """Become the program, with nothing left in our buffers."""
    sys.stdout.flush()
    sys.stderr.flush()
    command.execute()


@cli.command("checkpoint", epilog=EXIT_CODES)
@click.argument("pid", type=click.IntRange(min=1))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Snapshot file.  [default: PID.snap]",
)
@click.option("--leave-running", is_flag=True, help="Let the program go on afterwards.")
@_with_files
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for its answer.",
)
def checkpoint_command(pid: int, output: Path | None, **options: Any) -> None:
    """Write a snapshot of the running program PID and end it (with exit status 75)."""
    path = api.checkpoint(pid, output, **options)
    click.echo(path)


@cli.command("resume", epilog=EXIT_CODES)
@click.argument("snap", metavar="SNAP", type=click.Path(path_type=Path))
@_code_options
@_dirs
@_saving
@click.option(
    "--allow-changed-files",
    is_flag=True,
    help="Go on with open files that have changed since as they are, and without missing ones.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="EXE",
    help="Write the executable instead; MVVM_RESTORE=SNAP makes it go on.",
)
def resume_command(
    snap: Path,
    output: Path | None,
    snapshot: Path | None,
    target: str | None,
    opt_level: int,
    cpu: str | None,
    **options: Any,
) -> None:
    """Go on from a snapshot, on this machine's ISA or another one.

    This process becomes the program. --dir remaps pre-opened directories by their guest names,
    --listen gives the listening sockets other addresses, in their order.
    """
    code: dict[str, Any] = {"target": target, "opt_level": opt_level, "cpu": cpu}
    with shown() as progress:
        if output is not None:
            api.extract(snap, output, progress=progress, **code)
            return
        command = api.prepare_resume(
            snap, next_snapshot=snapshot, progress=progress, **code, **options
        )
    _become(command)


@cli.command("validate", epilog=EXIT_CODES)
@click.argument(
    "modules", metavar="APP.wasm...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
def validate_command(modules: tuple[Path, ...], as_json: bool) -> None:
    """Check modules by the rules of the specification, without translating them.

    Prints a line for each; an error says where and which rule. The exit code is the first error's.
    """
    code = 0
    for path in modules:
        error: MvvmError | None = None
        functions = 0
        try:
            functions = api.validate(path)
        except MvvmError as caught:
            error = caught
            code = code or error.exit_code
        if as_json:
            click.echo(json.dumps(_verdict(path, functions, error)))
        elif error is None:
            click.echo(f"{path}: valid, {functions} functions")
        else:
            click.echo(f"{path}: {_one_line(str(error))}", err=True)
    sys.exit(code)


def _verdict(path: Path, functions: int, error: MvvmError | None) -> dict[str, Any]:
    """Return what ``validate --json`` says of a module."""
    if error is None:
        return {"module": str(path), "valid": True, "functions": functions}
    return {
        "module": str(path),
        "valid": False,
        "error": type(error).__name__,
        "message": str(error),
        "offset": getattr(error, "offset", None),
        "func_index": getattr(error, "func_index", None),
        "func_name": getattr(error, "func_name", None),
    }


@cli.command("inspect", epilog=EXIT_CODES)
@click.argument("snap", metavar="SNAP", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Everything, for programs.")
def inspect_command(snap: Path, as_json: bool) -> None:
    """Show what a snapshot holds: frames innermost first, memories, globals, descriptors."""
    found = api.inspect(snap)
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=2))
        return
    from .display import print_inspection

    print_inspection(found)


@cli.command("cache")
@click.option("--clear", is_flag=True, help="Remove everything.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def cache_command(clear: bool, as_json: bool) -> None:
    """Show or clear the cache of translated programs (MVVM_CACHE_DIR, MVVM_CACHE_SIZE)."""
    if clear:
        api.clear_cache()
    usage = api.cache_usage()
    if as_json:
        click.echo(json.dumps(usage))
        return
    click.echo(
        f"{usage['folder']}: {usage['artifacts']} artifacts, {usage['runtimes']} runtimes, "
        f"{usage['size'] / (1 << 20):.1f} MiB (artifacts: at most {usage['limit'] >> 20} MiB)"
    )


@contextmanager
def _reported() -> Iterator[None]:
    """Turn every exception into one line and an exit code."""
    try:
        yield
    except MvvmError as error:
        _fail(str(error), error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted", 130)
    except MemoryError:
        _fail("out of memory", 71)
    except Exception as error:
        if os.environ.get("MVVM_DEBUG"):
            raise
        _fail(
            f"this is a bug of mvvm-aot, please report it: {type(error).__name__}: {error} "
            "(MVVM_DEBUG=1 shows where)",
            70,
        )


def _one_line(message: str) -> str:
    """Return a message as one line of bounded length: names in a module can be anything."""
    line = "".join(
        c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in " ".join(message.split())
    )
    if len(line) <= MAX_LINE:
        return line
    return f"{line[: MAX_LINE // 2]} [...] {line[-MAX_LINE // 2 :]}"


def _fail(message: str, code: int) -> None:
    """Write one line and exit."""
    if os.environ.get("MVVM_DEBUG") and sys.exc_info()[0] is not None:
        import traceback

        traceback.print_exc()
    sys.stderr.write(f"mvvm-aot: error: {_one_line(message)}\n")
    sys.stderr.flush()
    sys.exit(code)


def main() -> None:
    """Run the command line and exit."""
    with _reported():
        try:
            cli.main(prog_name="mvvm-aot", standalone_mode=False)
        except click.exceptions.Exit as error:
            sys.exit(error.exit_code)
        except click.UsageError as error:
            command = error.ctx.command if error.ctx else None
            hint = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
            if isinstance(error, click.NoSuchOption) and command is run_command:
                hint += "; a program's own options stand behind --"
            _fail(f"{error.format_message()}{hint}", error.exit_code)
        except click.ClickException as error:
            _fail(error.format_message(), error.exit_code)


if __name__ == "__main__":
    main()
