"""The machine and the versions that figures belong to."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path


def describe_machine() -> dict[str, str]:
    """Return what is needed to tell one machine's figures from another's."""
    return {
        "cpu": cpu_model(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])} "
        f"{platform.machine()}",
        "python": platform.python_version(),
        "C library": " ".join(platform.libc_ver()) or "unknown",
        **{name: version(name) for name in ("llvmlite", "ziglang", "capstone", "wasmtime")},
        **{name: tool_version(name) for name in ("clang", "valgrind") if shutil.which(name)},
    }


def tool_version(name: str) -> str:
    """Return the first line of what `name --version` prints."""
    done = subprocess.run([name, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]


def cpu_model() -> str:
    """Return the processor's name as the system tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    wanted = {"model name", "vendor_id", "cpu family", "model"}
    facts: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in wanted:
            facts.setdefault(key.strip(), value.strip())
    if "model name" not in facts:
        return platform.processor() or platform.machine()
    return f"{facts['model name']} (family {facts.get('cpu family')}, model {facts.get('model')})"
