"""The command that shows a profile: what a clinician reads, what is wrong, what one patient is held to."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alerting.commands import app
from alerting.profile.file import standard_adult


def shown(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["profile", *arguments], env={"COLUMNS": "240"})


def test_every_rule_and_variant_is_printed() -> None:
    result = shown()
    assert result.exit_code == 0
    for text in ("SPO2-OVER", "spo2 >= 97 %, only where a variant says so", "temperature > 38.5 °C", "child_1_5_years"):
        assert text in result.output
    assert "has no words yet" not in result.output


@pytest.mark.parametrize(
    ("arguments", "rule", "condition"),
    [
        (["--patient-age", "40d"], "RR-SEVERE", "respiratory_rate >= 60 /min"),
        (["--patient-age", "3y"], "RR-SEVERE", "respiratory_rate >= 40 /min"),
        (["--patient-age", "5mo"], "FEVER-INFANT", "temperature >= 39 °C"),
        (["--patient-age", "3y"], "NEWS2-HIGH", "does not hold"),
        (["--group", "home_oxygen"], "SPO2-REFER", "waits for a doctor's order"),
        (["--group", "hypercapnic", "--on-oxygen"], "SPO2-OVER", "spo2 >= 97 %"),
        (["--baseline", "97"], "SPO2-DROP", "spo2 <= 93 %"),
    ],
)
def test_what_a_patient_is_held_to(arguments: list[str], rule: str, condition: str) -> None:
    result = shown(*arguments, "--json")
    assert result.exit_code == 0
    document = json.loads(result.output)
    assert {line["condition"] for line in document["rules"] if line["rule"] == rule} == {condition}
    assert document["held_to"].startswith("standard-adult")


def test_the_next_change_of_a_child_is_named() -> None:
    assert "his age changes it on " in shown("--patient-age", "5mo").output
    assert "no more" in shown("--group", "pregnant").output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--patient-age", "three"], "'three' is no age"),
        (["--patient-age", "900y"], "'900y' is no age"),
        (["--altitude-m", "3000"], "3000 m"),
        (["--baseline", "9999"], "9999"),
        (["missing.toml"], "profile: missing.toml: no such file or directory\n"),
    ],
)
def test_what_can_not_be_shown_ends_it_with_the_reason(arguments: list[str], complaint: str) -> None:
    result = shown(*arguments)
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_a_countys_own_profile_begins_with_ours(tmp_path: Path) -> None:
    text = shown("--toml").stdout
    assert text == standard_adult()
    own = tmp_path / "county.toml"
    own.write_text(text.replace('name = "standard-adult"', 'name = "county"'), encoding="utf-8")
    assert json.loads(shown(str(own), "--json").output)["name"] == "county"
    own.write_text(text.replace("window_s = 120\n", "window_s = 121\n"), encoding="utf-8")
    wrong = shown(str(own))
    assert wrong.exit_code == 2
    assert "window of 121000 ms" in wrong.stderr


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    result = shown(str(tmp_path / "picture.png"))
    assert (result.exit_code, "picture.png: is no UTF-8 text (byte 0x89 at 0)" in result.stderr) == (2, True)
