"""`python -m bench`: measures everything and rewrites docs/benchmarks.md.

With less than everything (`--quick`, `--section`, `--program`, ...) it prints the tables instead.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from bench.build import Builder
from bench.chart import draw_chart
from bench.journal import Journal, say
from bench.measure import MEASURED, Plan, measure
from bench.programs import BY_NAME, GROUPS, PROGRAMS, QUICK, select
from bench.report import render
from bench.run_time import COLUMNS

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = ROOT / "bench" / "results"
DOCUMENT: Final = ROOT / "docs" / "benchmarks.md"
CHART: Final = ROOT / "docs" / "benchmarks.png"
FOLDER: Final = ROOT / "build" / "bench"
QUICK_SECTIONS: Final = ("run_time", "sizes")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="small sizes, few runs, run time and code size only")
    add("--runs", type=int, help="runs of each program (default 5, quick 3)")
    add("--section", action="append", choices=MEASURED, help="only these (several times)")
    add("--program", action="append", default=[], choices=BY_NAME, help="only these programs")
    add("--group", action="append", default=[], choices=GROUPS, help="only these groups")
    add("--column", action="append", choices=COLUMNS, help="only these columns of run time")
    add("--cpu", help="CPU for native code and translations (native: this machine's)")
    add("--opt-level", type=int, default=2, help="mvvm-aot's -O (default 2)")
    add("--chart", type=Path, help="also draw the run times into this file (PNG)")
    add("--wasm-flag", action="append", default=[], help="for modules: --wasm-flag=-msimd128")
    add("--json", type=Path, help="also write the figures to this file")
    add(
        "--continue",
        dest="go_on",
        action="store_true",
        help="keep what an earlier measurement with the same options has, and measure the rest",
    )
    add("--note", action="append", default=[], help="a remark for the document")
    return parser.parse_args(arguments)


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Return what the command line asks for."""
    sections = arguments.section or (QUICK_SECTIONS if arguments.quick else tuple(MEASURED))
    narrowed = arguments.program or arguments.group
    names = QUICK if arguments.quick and not narrowed else arguments.program
    return Plan(
        programs=tuple(select(names, arguments.group)),
        sections=tuple(sections),
        columns=tuple(arguments.column or COLUMNS),
        size="quick" if arguments.quick else "full",
        runs=arguments.runs or (3 if arguments.quick else 5),
        builder=Builder(
            FOLDER,
            cpu=arguments.cpu,
            opt_level=arguments.opt_level,
            wasm_flags=arguments.wasm_flag,
        ),
    )


def is_complete(arguments: argparse.Namespace) -> bool:
    """Say whether everything is measured as the document shows it."""
    narrowed = (arguments.quick, arguments.section, arguments.program, arguments.group)
    changed = (arguments.column, arguments.cpu, arguments.wasm_flag, arguments.opt_level != 2)
    return not any(narrowed + changed)


def write_document(figures: dict[str, Any]) -> None:
    """Keep the figures and rewrite the document."""
    RESULTS.mkdir(exist_ok=True)
    kept = RESULTS / f"{figures['date']}.json"
    kept.write_text(json.dumps(figures, indent=1) + "\n")
    if figures.get("run_time"):
        draw_chart(figures["run_time"], CHART)
    DOCUMENT.write_text(render(figures, CHART.name))
    say(f"wrote {kept} and {DOCUMENT}")


def open_journal(arguments: argparse.Namespace, plan: Plan) -> Journal:
    """Return where figures are kept as they come, and say what is going to happen."""
    path = FOLDER / ("quick.json" if arguments.quick else "journal.json")
    try:
        journal = Journal(path, plan.identity(), go_on=arguments.go_on)
    except ValueError as error:
        sys.exit(f"bench: {error}")
    rest = "small sizes and few runs: a rough guide" if arguments.quick else "the whole sizes"
    say(f"{len(plan.programs)} of {len(PROGRAMS)} programs, {plan.runs} runs of each, {rest}.")
    say(f"Figures are kept in {path} as they come; --continue goes on from there.")
    return journal


def main() -> None:
    """Measure, then write or print; status 1 when anything failed."""
    arguments = parse()
    plan = plan_of(arguments)
    journal = open_journal(arguments, plan)
    figures = measure(plan, journal)
    figures["notes"] = arguments.note + figures["notes"]
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")
    if arguments.chart is not None:
        draw_chart(figures["run_time"], arguments.chart)
    if is_complete(arguments):
        write_document(figures)
    else:
        print(render(figures))
    if journal.failures:
        sys.exit("\n".join(["bench: not everything could be measured:", *journal.failures]))


if __name__ == "__main__":
    main()
