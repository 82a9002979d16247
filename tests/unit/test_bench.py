"""The parts of bench/ that compute: means, tables, ratios, the choice of programs."""

from pathlib import Path

import pytest

from bench import latency, resumed, tables, timing
from bench.build import Builder
from bench.chart import series_of
from bench.journal import Journal
from bench.measure import Plan, measure
from bench.moves import render_moves
from bench.programs import BY_NAME, GROUPS, PROGRAMS, Build, Program, select
from bench.report import render
from bench.run_time import ratios_of, render_columns
from bench.sources import Sources
from bench.timing import Job, interleave
from bench.translation import what_to_translate


def item(program: str, group: str, **seconds: float) -> dict[str, object]:
    return {
        "program": program,
        "group": group,
        "seconds": seconds,
        "ratios": ratios_of(seconds),
    }


def test_geometric_mean() -> None:
    assert tables.geometric_mean([1, 4]) == pytest.approx(2)
    assert tables.geometric_mean([0.5, 2, 1]) == pytest.approx(1)
    with pytest.raises(ValueError, match="no values"):
        tables.geometric_mean([])


@pytest.mark.parametrize(
    ("share", "wanted"), [(0.5, 50), (0.999, 100), (0.99, 99), (0.0, 1), (1.0, 100)]
)
def test_percentile_is_a_value_that_the_share_does_not_exceed(share: float, wanted: int) -> None:
    assert tables.percentile(range(100, 0, -1), share) == wanted


def test_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no values"):
        tables.percentile([], 0.5)


def test_ratios_need_both_columns() -> None:
    assert ratios_of({"points": 3.0, "plain": 2.0}) == {"points_over_plain": 1.5}


def test_table_of_run_time() -> None:
    items = [
        item("a", "one", native=1.0, points=2.0),
        item("b", "one", native=1.0, points=8.0),
        item("c", "two", native=2.0, points=1.0),
    ]
    assert render_columns(items) == [
        "| program | native, s | with points, s | points ÷ native |",
        "|---|---:|---:|---:|",
        "| **one** |  |  |  |",
        "| a | 1.000 | 2.000 | 2.00 |",
        "| b | 1.000 | 8.000 | 8.00 |",
        "| geometric mean |  |  | 4.000 |",
        "| **two** |  |  |  |",
        "| c | 2.000 | 1.000 | 0.50 |",
        "| geometric mean |  |  | 0.500 |",
        "| **geometric mean of all** |  |  | **2.000** |",
        "| worst |  |  | 8.00 (b) |",
    ]


def test_programs_have_names_of_their_own_and_sources() -> None:
    assert len(BY_NAME) == len(PROGRAMS)
    for program in PROGRAMS:
        if program.group != GROUPS["real"]:
            sources = program.build.fetch(Path("unused"))
            assert all(path.is_file() for path in sources.inputs), program.name


def test_select() -> None:
    assert select([], []) == list(PROGRAMS)
    assert [program.name for program in select(["tak", "nbody"], [])] == ["nbody", "tak"]
    names = {program.name for program in select(["tak"], ["real"])}
    assert {"tak", "sqlite", "bzip2"} <= names
    assert "matmul" not in names


def test_outputs_that_differ_are_refused() -> None:
    with pytest.raises(RuntimeError, match=r"b: b'2\\n' instead of b'1\\n'"):
        interleave({"a": Job(["echo", "1"]), "b": Job(["echo", "2"])}, 1)


def test_some_jobs_run_less_often() -> None:
    found = interleave({"a": Job(["true"]), "b": Job(["true"])}, 4, {"b": 2, "c": 1})
    assert [len(found[name].cpu) for name in "ab"] == [4, 2]


def test_a_job_that_fails_is_refused() -> None:
    with pytest.raises(RuntimeError, match="ended with status 1"):
        interleave({"a": Job(["false"])}, 1)


def test_a_job_can_report_its_own_seconds(tmp_path: Path) -> None:
    report = tmp_path / "seconds"
    job = Job(["sh", "-c", f"echo 12.5 > {report}"], report)
    assert interleave({"a": job}, 3)["a"].cpu == [12.5] * 3


def test_waits() -> None:
    waits = latency.parse_waits("1000 500\n3000 2500\n2000 1500\n")
    found = latency.summarize(waits)
    assert found["requests"] == 3
    assert found["clock_us"] == {"p50": 2.0, "p99": 3.0, "p999": 3.0, "worst": 3.0}
    assert found["cpu_us"]["worst"] == 2.5
    slow = latency.summarize([(2_000_000, 1)])
    figures = {"programs": [{"program": "x", **slow}], "all": slow}
    assert any("is above: x." in line for line in latency.render_latency(figures))


def test_times_of_a_run() -> None:
    text = "entered 5000000000 100000000\nleft 7500000000 1100000000\n"
    assert resumed.parse_times(text) == (2.5, 1.0)


def test_a_program_that_moves_prints_the_same(tmp_path: Path) -> None:
    """A shell script in a translation's place: it reports times and takes the request."""
    script = tmp_path / "fake"
    script.write_text(
        "#!/bin/sh\n"
        'report() { printf "entered 0 0\\nleft 0 %s\\n" "$1" > "$MVVM_TEST_TIMES"; }\n'
        'trap "echo before; report 100000000; exit 75" USR1\n'
        '[ -n "$MVVM_RESTORE" ] && { echo after; report 800000000; exit 0; }\n'
        '[ -z "$MVVM_SNAPSHOT" ] && { printf "before\\nafter\\n"; report 900000000; exit 0; }\n'
        "while :; do sleep 0.05; done\n"
    )
    script.chmod(0o755)
    mover = resumed.Mover([str(script)], tmp_path)
    assert mover.stay() == (0, 0.9, b"before\nafter\n")
    assert mover.move(0.3) == (0.1, 0.8, b"before\nafter\n")


def test_the_section_on_moves() -> None:
    size = {"mib": 8, "checkpoint_ms": 6.0, "dd_ms": 5.0, "copy_ms": 1.0}
    size |= {"first_instruction_ms": 0.7, "first_output_ms": 3.0, "all_read_ms": 3.5}
    lines = render_moves({"places": [{"place": "in memory", "sizes": [size]}]})
    assert lines[-1] == "| 8 | 6.00 | 5.00 | 1.00 | 1.20 | 0.70 | 3.00 | 3.50 |"
    assert "Snapshots in memory:" in lines


def test_a_journal_keeps_what_there_is(tmp_path: Path) -> None:
    """A failure is kept in words and loses nothing; the next time only the rest is measured."""
    path = tmp_path / "folder" / "journal.json"
    first = Journal(path, {"runs": 3})
    assert first.keep("run_time", "a", lambda: {"seconds": 1.5}) == {"seconds": 1.5}
    assert first.keep("run_time", "b", lambda: 1 // 0) is None
    (failure,) = first.failures
    assert "run time, b: FAILED: ZeroDivisionError" in failure
    second = Journal(path, {"runs": 3}, go_on=True)
    assert second.keep("run_time", "a", lambda: pytest.fail("again")) == {"seconds": 1.5}
    assert second.keep("run_time", "b", lambda: 2) == 2
    assert second.keep("latency", "a", lambda: 3) == 3
    assert not second.failures
    third = Journal(path, {"runs": 3})  # begins anew
    assert third.keep("run_time", "a", lambda: 4) == 4


def test_a_journal_of_another_plan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    with pytest.raises(ValueError, match="nothing to go on with"):
        Journal(path, {"runs": 3}, go_on=True)
    Journal(path, {"runs": 3, "cpu": "x"}).keep("run_time", "a", lambda: 1)
    with pytest.raises(ValueError, match="measured otherwise: runs differ"):
        Journal(path, {"runs": 5, "cpu": "x"}, go_on=True)


def test_a_hanging_program_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "LONGEST_RUN", 0.2)
    assert timing.run_once(["sleep", "30"]).status == -9


def fake_builder(folder: Path) -> Builder:
    """Return a builder whose programs are shell scripts; the one called `broken` fails."""

    class Fake(Builder):
        def native(self, build: Build) -> Path:
            script = self.folder / build.name
            script.write_text(f"#!/bin/sh\n[ {build.name} != broken ] && echo $1\n")
            script.chmod(0o755)
            return script

    return Fake(folder)


def test_a_program_that_fails_is_a_note_and_the_rest_is_measured(tmp_path: Path) -> None:
    def program(name: str) -> Program:
        build = Build(name, lambda _folder: Sources(()))
        return Program(name, "group", build, ("1",), ("1",), ("1",))

    programs = (program("first"), program("broken"), program("last"))
    plan = Plan(programs, ("run_time",), ("native",), "quick", 2, fake_builder(tmp_path / "build"))
    journal = Journal(tmp_path / "journal.json", plan.identity())
    figures = measure(plan, journal)
    assert [item["program"] for item in figures["run_time"]] == ["first", "last"]
    (note,) = figures["notes"]
    assert note.startswith("run time, broken: FAILED: ") and "status 1" in note
    assert f"- {note}" in render(figures)
    again = Journal(journal.path, plan.identity(), go_on=True)
    assert measure(plan, again)["run_time"] == figures["run_time"]


def test_the_chart_shows_what_was_measured_for_all() -> None:
    items = [item("a", "x", native=1, points=2, plain=1), item("b", "x", native=1, points=2)]
    assert list(series_of(items)) == ["points_over_native"]


def test_a_large_module_is_translated_for_this_machine_at_all_levels() -> None:
    assert len(what_to_translate(1000)) == 8
    assert sorted(level for _, level in what_to_translate(10**6)) == [0, 1, 2, 2, 3]
