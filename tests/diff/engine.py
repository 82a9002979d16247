"""Runs a module under wasmtime, the engine that translations are held against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import wasmtime

from tests.programs.catalog import TRAPPED, Program


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run left behind: standard output and exit status."""

    stdout: bytes
    status: int


def run_wasmtime(wasm: Path, program: Program, folder: Path) -> Outcome:
    """Run `wasm` as `program` says, with its files in `folder`."""
    stdin, stdout = folder / "stdin", folder / "stdout"
    stdin.write_bytes(program.stdin)
    config = wasmtime.WasiConfig()
    config.argv = [program.name, *program.args]
    config.env = list(program.env)
    config.stdin_file = str(stdin)
    config.stdout_file = str(stdout)
    if program.data_dir:
        data = folder / "data"
        data.mkdir()
        config.preopen_dir(str(data), "/data")
    status = run_configured(wasm, config)
    return Outcome(stdout.read_bytes(), status)


def run_configured(wasm: Path, config: wasmtime.WasiConfig) -> int:
    """Run a module's ``_start`` to its end, its output files closed; return the exit status."""
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    store.set_wasi(config)
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    try:
        instance = linker.instantiate(store, wasmtime.Module.from_file(engine, str(wasm)))
        start = instance.exports(store)["_start"]
        assert isinstance(start, wasmtime.Func)
        start(store)
    except wasmtime.ExitTrap as error:
        return error.code
    except wasmtime.Trap:
        return TRAPPED
    return 0
