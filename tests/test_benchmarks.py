from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast
from xml.etree import ElementTree  # what it parses here, we have just written

import pytest

from benchmarks import __main__ as harness
from benchmarks import guard, places
from benchmarks.figures import Figure, Plot, Section, Table, at_least, at_most, number, paired, percentile
from benchmarks.plots import svg
from benchmarks.report import write

if TYPE_CHECKING:
    from benchmarks.settings import Run

COUNTS = {"commits per message": 2.0, "instructions of a request": 100.0, "modules of the tick": 50.0}


def known(counts: dict[str, float], build: str = guard.BUILD) -> guard.Baseline:
    return {"build": build, "counts": counts}


def test_a_figure_is_the_median_with_its_range():
    assert Figure.of([3.0, 1.0, 8.0]).text() == "3.00 (1.00-8.00)"
    assert Figure.of([7.0]).text() == "7.00"


@pytest.mark.parametrize(
    ("value", "text"), [(12345.6, "12,346"), (99.94, "99.9"), (1.234, "1.23"), (0.0456, "0.046"), (0, "0.00")]
)
def test_numbers_have_about_three_digits(value, text):
    assert number(value) == text


def test_a_percentile_is_a_value_that_was_measured():
    assert [percentile(range(100), share) for share in (0.5, 0.99, 1.0)] == [50, 99, 99]


def test_ratios_are_taken_round_by_round():
    assert paired([10, 100, 20], [5, 50, 40]) == 2


def test_a_target_knows_on_which_side_of_its_bound_a_value_is_good():
    assert [at_least("x", value, 2).is_met for value in (1.9, 2, 3)] == [False, True, True]
    assert [at_most("x", value, 2).is_met for value in (1.9, 2, 3)] == [True, True, False]


def test_the_report_has_machine_targets_tables_and_pictures(tmp_path):
    bars = Plot("speed", "Speed <fast>", "messages/s", [("cronq", 10.0), ("raw", 20.0)])
    section = Section(
        "Speed", "As it is.", [Table(["", "messages/s"], [["cronq", "10"]])], [bars], [at_most("x", 3, 2)]
    )
    write([section], ["a machine"], tmp_path / "performance.md")
    text = (tmp_path / "performance.md").read_text()
    assert "- a machine\n" in text
    assert "| x | 3.00 | <= 2.00 | **no** |" in text
    assert "|  | messages/s |\n| --- | --- |\n| cronq | 10 |" in text
    assert "![Speed <fast>](performance/speed.svg)" in text
    assert ElementTree.parse(tmp_path / "performance" / "speed.svg").getroot().get("aria-label") == "Speed <fast>"  # noqa: S314


def lengths(*values: float) -> list[float]:
    root = ElementTree.fromstring(svg(Plot("p", "P", "s", [(f"bar {value}", value) for value in values])))  # noqa: S314
    return [float(one.get("width", 0)) for one in root.iter("{http://www.w3.org/2000/svg}rect")][1:]


def test_bars_are_as_long_as_their_values_the_longest_first():
    longest, shorter = lengths(5.0, 20.0)
    assert longest == 4 * shorter


def test_bars_far_apart_are_drawn_on_a_logarithmic_scale():
    longest, middle, shortest = lengths(1.0, 100.0, 10_000.0)
    assert longest - middle == pytest.approx(middle - shortest, abs=0.2)


def test_a_checkout_among_temporary_files_has_its_queues_in_the_home(monkeypatch, home):
    monkeypatch.setattr(places, "CACHE", Path("/tmp/clean/.benchmarks"))
    monkeypatch.setenv("HOME", str(home))
    with places.work_directory() as path:
        assert path.is_relative_to(home)
    assert not path.exists()


def test_the_guard_is_content_with_what_it_knows_and_with_a_little_more(capsys):
    assert guard.judge(known(COUNTS), {**COUNTS, "instructions of a request": 109.0}) == 0
    assert "GROWN" not in capsys.readouterr().out


@pytest.mark.parametrize("name", COUNTS)
def test_the_guard_fails_when_something_grows_by_more_than_a_tenth(name, capsys):
    assert guard.judge(known(COUNTS), {**COUNTS, name: COUNTS[name] * 1.11}) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "->" in line and line.startswith("GROWN")]
    assert name in line


def test_the_guard_fails_when_something_comes_that_was_nothing():
    assert guard.judge(known({"commits of an idle tick": 0}), {"commits of an idle tick": 1}) == 1


@pytest.mark.parametrize("counts", [{**COUNTS, "new": 1.0}, {"commits per message": 2.0}])
def test_the_guard_fails_when_it_counts_something_else_than_before(counts):
    assert guard.judge(known(COUNTS), counts) == 1


def test_on_another_build_the_guard_compares_what_does_not_depend_on_it(capsys):
    counts = {name: 2 * value for name, value in COUNTS.items()}
    assert guard.judge(known(COUNTS, "Python 3.1"), {**counts, "commits per message": 2.0}) == 0
    assert "the baseline is of Python 3.1:" in capsys.readouterr().out
    assert guard.judge(known(COUNTS, "Python 3.1"), counts) == 1


def test_less_than_before_is_told_and_no_failure(capsys):
    assert guard.judge(known(COUNTS), {**COUNTS, "commits per message": 1.0}) == 0
    assert "guard --update" in capsys.readouterr().out


def test_update_writes_what_is_counted_and_the_guard_then_agrees(tmp_path, monkeypatch):
    baseline = tmp_path / "guard.json"
    monkeypatch.setattr(guard, "count", lambda: COUNTS)
    assert guard.main(["--update"], baseline) == 0
    assert json.loads(baseline.read_text()) == known(COUNTS)
    assert guard.main([], baseline) == 0


def test_a_measure_that_cannot_be_done_is_told_and_costs_none_of_the_others(monkeypatch, capsys):
    class Broken(ModuleType):
        def measure(self, run: Run) -> Section:
            return Section(Path("/nowhere/missing.c").read_text(), "")

    monkeypatch.setitem(sys.modules, "benchmarks.measures.broken", Broken("broken"))
    section = harness._measure("broken", cast("Run", None))  # a measure that breaks before it looks at its run
    assert section.how.startswith("Not measured: ")
    assert "missing.c" in section.how
    assert "broken: " in capsys.readouterr().out
