"""One row per target: what differs between the machines that mvvm-aot translates for.

The data layout is LLVM's own (backend.data_layout asks for it); everything else that another
stage has to know about an ISA stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .errors import UsageError


@dataclass(frozen=True, slots=True)
class Target:
    """A machine to translate for."""

    name: str  # what users write: --target x86_64
    triple: str  # LLVM's
    zig_target: str
    cpu: str  # the default of --cpu: what every machine of the kind has
    features: str  # LLVM's, comma-separated, in addition to the CPU's
    qemu: str  # the user-mode emulator for machines of another kind
    machines: tuple[str, ...]  # what platform.machine() answers on such a machine
    elf_machine: int
    capstone_arch: str  # names of capstone's constants
    capstone_mode: str


X86_64: Final = Target(
    name="x86_64",
    triple="x86_64-unknown-linux-musl",
    zig_target="x86_64-linux-musl",
    cpu="x86-64-v2",
    features="",
    qemu="qemu-x86_64",
    machines=("x86_64", "AMD64"),
    elf_machine=62,
    capstone_arch="CS_ARCH_X86",
    capstone_mode="CS_MODE_64",
)

AARCH64: Final = Target(
    name="aarch64",
    triple="aarch64-unknown-linux-musl",
    zig_target="aarch64-linux-musl",
    cpu="generic",
    features="",
    qemu="qemu-aarch64",
    machines=("aarch64", "arm64"),
    elf_machine=183,
    capstone_arch="CS_ARCH_ARM64",
    capstone_mode="CS_MODE_ARM",
)

TARGETS: Final = {target.name: target for target in (X86_64, AARCH64)}


def target_by_name(name: str) -> Target:
    """Return the row of a target. Raises UsageError that lists the known ones."""
    target = TARGETS.get(name)
    if target is None:
        raise UsageError(f'unknown target "{name}" (known: {", ".join(sorted(TARGETS))})')
    return target


def target_for_machine(machine: str) -> Target | None:
    """Return the target that runs natively where ``platform.machine()`` says ``machine``."""
    return next((target for target in TARGETS.values() if machine in target.machines), None)
