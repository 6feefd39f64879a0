"""Real recordings say what they must; where they are absent, that is said."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hearthwatch.bench.commands import app
from hearthwatch.bench.recordings import in_table
from tests.alerting.streams import SPO2
from tests.alerting.streams import profile as standard
from tests.falls import fall_s


def test_each_recording_raises_what_it_must(recordings: Path) -> None:
    result = CliRunner().invoke(app, ["recordings", "--recordings", str(recordings), "--json"])
    document = json.loads(result.stdout)
    missed = [goal for goal in document["goals"] if not goal["met"]]
    assert (missed, result.exit_code) == ([], 0)
    assert len(document["goals"]) >= 9, document.get("too_short_to_tell")
    by_name = {(row["kind"], row["name"]): row for row in document["recordings"]}
    below = {row["name"]: row["minutes_below_93"] for row in by_name.values() if row["kind"] == "uw_hypoxia"}
    reference = _reference(recordings / "REFERENCE_spo2.csv")
    assert below == {name: pytest.approx(reference[name], abs=0.1) for name in below}
    windows_s = {rule.rule: fall_s(rule) for rule in standard().sustained[SPO2]}
    for name in below:
        row = by_name["uw_hypoxia", name]
        assert 0 <= row["first_delay_s"] <= windows_s[next(iter(row["raises"]))]
    assert any("SPO2-CRIT x1" in line for line in in_table(document))


def test_true_fevers_of_the_known_patients_are_raised(recordings: Path) -> None:
    result = CliRunner().invoke(app, ["recordings", "--recordings", str(recordings), "--json"])
    raises = {row["name"]: row["raises"] for row in json.loads(result.stdout)["recordings"]}
    # 39.2 at 18:11 and 39.1 at 19:11, beside a 0; 38.7 to 38.9 four times, beside a 0: never high.
    assert raises["135644"]["FEVER-HIGH"] == 1
    assert not {rule for rule in raises["135431"] if rule.startswith("FEVER")}


def test_a_folder_without_recordings_judges_nothing(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["recordings", "--recordings", str(tmp_path), "--json"])
    document = json.loads(result.stdout)
    assert document["goals"] == []
    assert {left["goal"] for left in document["too_short_to_tell"]} >= {"uw_hypoxia", "bidmc", "mimic2"}


def _reference(path: Path) -> dict[str, float]:
    """Read the published minutes below 93 of the fifth oximeter, by subject."""
    header, *rows = (line.split(",") for line in path.read_text(encoding="utf-8").splitlines())
    chosen = [row for row in rows if row[0] == "uw_hypoxia" and row[1].endswith("#dev5")]
    return {Path(row[1].partition("#")[0]).stem: float(row[header.index("min_lt93")]) for row in chosen}
