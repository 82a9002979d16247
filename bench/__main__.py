"""`python -m bench [--runs N] [--kernel NAME]...`: measures, and rewrites docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.kernels import NAMES, measure_kernel
from bench.machine import describe_machine
from bench.moves import measure_moves
from bench.report import render
from bench.translation import measure_translation
from tests.migrate.lua_build import build_lua
from tests.migrate.sources import NoSources

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = ROOT / "bench" / "results"
DOCUMENT: Final = ROOT / "docs" / "benchmarks.md"


def say(text: str) -> None:
    """Tell what is being measured, on standard error."""
    print(text, file=sys.stderr, flush=True)


def measure(names: list[str], runs: int, folder: Path) -> dict[str, Any]:
    """Measure everything in a scratch folder."""
    notes: list[str] = []
    modules: dict[str, Path] = {}
    kernels = []
    for name in names:
        say(f"kernel {name}")
        kernels.append(measure_kernel(name, folder, runs))
    modules[names[0]] = folder / f"{names[0]}.wasm"
    say("checkpoint and resume")
    moves = measure_moves(folder, runs)
    try:
        modules["lua"] = build_lua(folder)
    except NoSources as error:
        notes.append(f"Lua was not translated: its sources cannot be had here ({error})")
    say("translation")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "runs": runs,
        "machine": describe_machine(),
        "kernels": kernels,
        "moves": moves,
        "translation": [measure_translation(name, path, folder) for name, path in modules.items()],
        "notes": notes,
    }


def main() -> None:
    """Measure, keep the figures, write the document."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each program (default 5)")
    parser.add_argument("--kernel", action="append", choices=NAMES, help="only these kernels")
    parser.add_argument("--output", type=Path, default=DOCUMENT, help="the Markdown to write")
    parser.add_argument("--note", action="append", default=[], help="a remark for the document")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(arguments.kernel or list(NAMES), arguments.runs, Path(folder))
    figures["notes"] = arguments.note + figures["notes"]
    RESULTS.mkdir(exist_ok=True)
    name = f"{figures['date']}.json"
    (RESULTS / name).write_text(json.dumps(figures, indent=1) + "\n")
    arguments.output.write_text(render(figures))
    say(f"wrote {RESULTS / name} and {arguments.output}")


if __name__ == "__main__":
    main()
