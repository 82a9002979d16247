"""`python -m bench.wasmtime_runner REPORT MODULE [ARGS]...`: runs a precompiled module (WASI) and
writes the processor seconds that its `_start` took to REPORT.

Compiling, loading and instantiating are outside of the measured time.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import wasmtime


def create_engine() -> wasmtime.Engine:
    """Return an engine as wasmtime has it by default: Cranelift, optimising for speed."""
    return wasmtime.Engine()


def precompile(wasm: Path, out: Path) -> None:
    """Compile a module for this machine; raises wasmtime's errors."""
    data = wasmtime.Module(create_engine(), wasm.read_bytes()).serialize()
    scratch = out.with_name(out.name + ".new")
    scratch.write_bytes(data)
    scratch.rename(out)


def run(module_path: Path, arguments: list[str]) -> tuple[int, float]:
    """Run a module; return its exit status and its processor seconds."""
    engine = create_engine()
    module = wasmtime.Module.deserialize_file(engine, str(module_path))
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    store = wasmtime.Store(engine)
    wasi = wasmtime.WasiConfig()
    wasi.argv = [module_path.name, *arguments]
    wasi.inherit_stdout()
    wasi.inherit_stderr()
    store.set_wasi(wasi)
    start = linker.instantiate(store, module).exports(store)["_start"]
    assert isinstance(start, wasmtime.Func)
    status = 0
    began = time.process_time()
    try:
        start(store)
    except wasmtime.ExitTrap as ended:
        status = ended.code
    return status, time.process_time() - began


def main() -> None:
    """Run what the command line names."""
    report, module, *arguments = sys.argv[1:]
    status, seconds = run(Path(module), arguments)
    Path(report).write_text(f"{seconds:.6f}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
