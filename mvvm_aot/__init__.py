"""mvvm-aot: compile WebAssembly ahead of time to native code that can move between ISAs.

    import mvvm_aot

    mvvm_aot.compile("app.wasm", "app", target="x86_64")
    mvvm_aot.checkpoint(pid, "app.snap")
    mvvm_aot.resume("app.snap", target="aarch64")

This package re-exports ``api`` and ``errors``; docs/cli.md describes the same on the command line.
"""

from .api import (
    Command,
    CompileResult,
    checkpoint,
    compile,
    extract,
    host_target,
    inspect,
    prepare_resume,
    prepare_run,
    resume,
    run,
    validate,
)
from .errors import (
    CodegenError,
    InvalidModule,
    LinkError,
    MalformedModule,
    ModuleError,
    MvvmError,
    SnapshotCorrupt,
    SnapshotError,
    SnapshotMismatch,
    SnapshotTruncated,
    SnapshotVersion,
    SystemFailure,
    TrapError,
    UnsupportedFeature,
    UsageError,
)

__version__ = "0.1.0"

__all__ = [
    "CodegenError",
    "Command",
    "CompileResult",
    "InvalidModule",
    "LinkError",
    "MalformedModule",
    "ModuleError",
    "MvvmError",
    "SnapshotCorrupt",
    "SnapshotError",
    "SnapshotMismatch",
    "SnapshotTruncated",
    "SnapshotVersion",
    "SystemFailure",
    "TrapError",
    "UnsupportedFeature",
    "UsageError",
    "__version__",
    "checkpoint",
    "compile",
    "extract",
    "host_target",
    "inspect",
    "prepare_resume",
    "prepare_run",
    "resume",
    "run",
    "validate",
]
