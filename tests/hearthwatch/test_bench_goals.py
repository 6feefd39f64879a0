"""Goals: what is asked stands beside what was measured, and a command whose goal is missed ends with 1."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from hearthwatch.bench.commands import app, conclude
from hearthwatch.bench.goals import Goal, TooShort, at_least, at_most, exactly, in_words, verdict
from hearthwatch.bench.ingest import day as ingest_day
from hearthwatch.bench.ingest import fuzz as ingest_fuzz
from hearthwatch.bench.ingest import measure as ingest


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (at_most("ms", 20, 20.0), True),
        (at_most("ms", 20, 20.01), False),
        (at_most("ms", 20, None), False),
        (at_least("a second", 1000, 1000), True),
        (at_least("a second", 1000, 999.9), False),
        (at_least("a second", 1000, None), False),
        (exactly("lost", 0, 0), True),
        (exactly("lost", 0, 1), False),
        (exactly("lost", 0, -1), False),
        (exactly("lost", 0, None), False),
    ],
)
def test_a_goal_is_met_up_to_its_limit_and_missed_where_nothing_was_measured(goal: Goal, met: bool) -> None:
    assert goal.met is met


@pytest.mark.parametrize(
    ("goal", "line"),
    [
        (exactly("stored", 1_125_000, 1_124_999), "MISSED stored: 1,124,999 (asked 1,125,000)"),
        (exactly("stored", 345_600_000, 345_600_000), "met    stored: 345,600,000 (asked 345,600,000)"),
        (at_least("a second", 250_000, 300_000.5), "met    a second: 300,000.5 (asked >= 250,000)"),
        (at_most("µs", 2.0, 1.25), "met    µs: 1.25 (asked <= 2)"),
        (at_most("µs", 0.1, None), "MISSED µs: not measured (asked <= 0.1)"),
    ],
)
def test_numbers_stand_with_all_their_digits(goal: Goal, line: str) -> None:
    assert in_words(verdict([goal])) == [line]


def test_what_a_run_was_too_short_for_is_said_and_neither_met_nor_missed() -> None:
    document = verdict([exactly("lost", 0, 0), TooShort(goal="growth, MB", why="2 samples, of 8")])
    assert document["well"]
    assert in_words(document) == ["met    lost: 0 (asked 0)", "too short to tell growth, MB: 2 samples, of 8"]


def test_a_day_is_said_to_slow_down_only_where_its_sixths_are_long_enough() -> None:
    assert isinstance(ingest_day.steadiness([0.2, 0.5, 0.5, 0.5, 0.5, 4.0]), TooShort)
    assert isinstance(ingest_day.steadiness([19.9] * 6), TooShort)
    goals = [ingest_day.steadiness([first, 30, 30, 30, 30, last]) for first, last in ((20, 20), (20, 26), (1, 20))]
    assert [(goal.measured, goal.met) for goal in goals if isinstance(goal, Goal)] == [
        (1.0, True),
        (0.77, False),
        (0.05, False),
    ]


def test_a_day_whose_end_never_came_has_not_held_its_rate() -> None:
    goal = ingest_day.steadiness([30.0] * 5)
    assert isinstance(goal, Goal)
    assert (goal.measured, goal.met) == (None, False)


def test_memory_is_judged_after_the_first_quarter_of_enough_samples() -> None:
    assert isinstance(ingest_fuzz.flatness([]), TooShort)
    assert isinstance(ingest_fuzz.flatness([60.0] * 7), TooShort)
    goals = [ingest_fuzz.flatness([60.0, 90.0, *[100.0] * 5, last]) for last in (140.0, 140.1)]
    assert [(goal.measured, goal.met) for goal in goals if isinstance(goal, Goal)] == [(40.0, True), (40.1, False)]


@pytest.mark.parametrize("lost", [0, 1])
def test_a_command_prints_its_verdict_and_ends_with_1_where_a_goal_is_missed(
    capsys: pytest.CaptureFixture[str], lost: int
) -> None:
    document: dict[str, Any] = verdict([at_most("delay, ms", 50, 3.5), exactly("lost", 0, lost)])
    if lost:
        with pytest.raises(typer.Exit) as ended:
            conclude(lambda _: document, as_json=True)
        assert ended.value.exit_code == 1
    else:
        conclude(lambda _: document, as_json=True)
    said = capsys.readouterr()
    (line,) = said.out.splitlines()
    assert json.loads(line) == {
        "goals": [
            {"goal": "delay, ms", "asked": "<= 50", "measured": 3.5, "met": True},
            {"goal": "lost", "asked": "0", "measured": lost, "met": not lost},
        ],
        "well": not lost,
    }
    assert ("MISSED lost: 1 (asked 0)" in said.err) is bool(lost)


@pytest.mark.parametrize("rates", ["fast", "100,0", "1.5"])
def test_a_rate_that_is_none_is_named_before_anything_starts(rates: str) -> None:
    done = CliRunner().invoke(app, ["gateway", "--rates", rates])
    assert done.exit_code == 2
    assert repr(rates) in done.output


PAGE = (Path(__file__).resolve().parents[2] / "docs" / "bench.md").read_text()


def test_the_page_lists_and_explains_every_bench() -> None:
    names = {(command.name or command.callback.__name__).replace("_", "-") for command in app.registered_commands}  # type: ignore[union-attr]
    assert "ingest-fuzz" in names
    assert set(re.findall(r"^## `(.+)`$", PAGE, flags=re.M)) == names
    assert set(re.findall(r"^\| `(.+?)` \|", PAGE, flags=re.M)) >= names


@pytest.mark.parametrize(
    ("goal", "asked"),
    [
        ("packed readings a second", f"≥ {ingest.READINGS_PER_S_MIN:,}"),
        ("processor time of a packed reading, µs", f"≤ {ingest.CPU_US_MAX:g}"),
        ("times dearer with one JSON reading a message", f"≥ {ingest.RATIO_MIN:g}"),
        ("age at half the rate, p99, ms", f"≤ {ingest.AGE_P99_MS_MAX:,.0f}"),
        ("bytes a sample of two signals with its index", f"≤ {ingest.BYTES_PER_SAMPLE_MAX:g}"),
        ("growth of ingest's memory", f"≤ {ingest_fuzz.GROWTH_MB_MAX:g}"),
        ("rate of the last sixth beside the first", f"≥ {ingest_day.SLOWED_TO_MIN:g}"),
    ],
)
def test_the_page_asks_what_the_benches_of_ingest_ask(goal: str, asked: str) -> None:
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| {goal}")]
    assert row.split("|")[2].strip() == asked


def test_what_is_for_information_is_said_and_decides_nothing() -> None:
    document = verdict(
        [exactly("lost", 0, 0)], for_information=[at_most("strict, for information: alarms", 0.02, 0.03)]
    )
    assert document["well"] is True
    assert in_words(document) == [
        "met    lost: 0 (asked 0)",
        "(missed) strict, for information: alarms: 0.03 (would be asked <= 0.02)",
    ]
    assert "for_information" not in verdict([exactly("lost", 0, 0)])
