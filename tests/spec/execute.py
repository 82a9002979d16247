"""Runs a script's commands in its executable: lines in, answers out, one for each line.

A command that crashes the process costs its own answer only: the process is started again and all
lines but that one are repeated, so that the rest finds the state that it expects.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from mvvm_aot.errors import SystemFailure
from mvvm_aot.targets import Target

NATIVE_TIMEOUT: Final = 60.0
EMULATED_TIMEOUT: Final = 400.0
MAX_CRASHES: Final = 10
HANGS: Final = "hangs"


def is_native(target: Target) -> bool:
    """Return whether this machine runs the target's programs by itself."""
    return platform.machine() in target.machines


def launcher(target: Target) -> list[str]:
    """Return what stands in front of a command that runs a target's program."""
    if is_native(target):
        return []
    emulator = shutil.which(target.qemu)
    if emulator is None:
        raise SystemFailure(f"{target.qemu} is missing: install qemu-user")
    return [emulator]


def run_once(
    executable: Path, target: Target, lines: Sequence[str], env: Mapping[str, str]
) -> tuple[list[str], str]:
    """Return the answers, and why there are no more if there are fewer than lines."""
    command = [*launcher(target), str(executable)]
    timeout = NATIVE_TIMEOUT if is_native(target) else EMULATED_TIMEOUT
    try:
        done = subprocess.run(
            command,
            input="".join(f"{line}\n" for line in lines).encode(),
            capture_output=True,
            timeout=timeout,
            env={**os.environ, **env},
            check=False,
        )
        output, errors, status = done.stdout, done.stderr, done.returncode
    except subprocess.TimeoutExpired as late:
        output, errors, status = late.stdout or b"", late.stderr or b"", -signal.SIGALRM
    answers = output.decode("ascii", "replace").split("\n")[:-1]
    if status == -signal.SIGALRM:
        return answers, f"{HANGS} (more than {timeout:.0f} s)"
    ended = f"signal {-status}" if status < 0 else f"exit status {status}"
    last = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
    return answers, ": ".join((f"crash, {ended}", *last))


def run_lines(
    executable: Path, target: Target, lines: Sequence[str], env: Mapping[str, str]
) -> list[str]:
    """Return one answer per line; a line that ended the process has `crash ...` or `hangs ...`."""
    answers: dict[int, str] = {}
    crashed: set[int] = set()
    while len(crashed) <= MAX_CRASHES:
        remaining = [number for number in range(len(lines)) if number not in crashed]
        got, ending = run_once(executable, target, [lines[number] for number in remaining], env)
        answers.update(zip(remaining, got, strict=False))
        if len(got) >= len(remaining):
            break
        crashed.add(remaining[len(got)])
        answers[remaining[len(got)]] = ending
        if ending.startswith(HANGS):  # another minute is not worth it
            break
    return [answers.get(number, "not run after a crash") for number in range(len(lines))]
