"""The command line of care."""

from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from care.commands import app
from tests.care.example import TEXT, changed


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The example as a file of its own."""
    path = tmp_path / "county.toml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_a_file_is_checked_loaded_and_shown(database: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", database)
    run = CliRunner().invoke
    assert run(app, ["load", str(file), "--check"]).stdout.endswith("is in order: 7 patients, 6 devices\n")
    assert run(app, ["load", str(file)]).stdout.startswith("registry version 2: changed 14 organisations, 12 people,")
    assert run(app, ["load", str(file)]).stdout == "registry version 2: nothing to change\n"
    shown = run(app, ["show"]).stdout
    assert "p5  赵小梅  yellow  service tier 2  柳庄村卫生室  陈医生  C0:00:00:00:00:05 thermometer" in shown
    assert "on duty: 和平镇卫生院  township_duty  赵医生(镇值班)" in shown
    assert "gateway gw-demo  柳庄村卫生室 Liuzhuang Village Clinic  reads 0: nothing" in shown


def test_a_load_names_the_devices_that_were_bound_by_hand(
    database: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", database)
    run = CliRunner().invoke
    run(app, ["load", str(file)])
    with psycopg.connect(database) as db:
        db.execute("UPDATE device SET bound_by_hand = true WHERE key = 'C0:00:00:00:00:05'")
    said = run(app, ["load", str(file)]).stdout
    assert said.endswith("the file's bindings count no more: C0:00:00:00:00:05\n")


def test_a_wrong_file_is_refused_with_every_line(file: Path) -> None:
    file.write_text(changed(('sex = "male"', 'sex = "man"'), ('person = "ops"', 'person = "x"')), encoding="utf-8")
    result = CliRunner().invoke(app, ["load", str(file), "--check"])
    assert result.exit_code == 1
    assert f"{file}:" in result.output
    assert "patient.p2.sex: 'man' is not one of female, male, unknown" in result.output
    assert "has 2 problems; nothing was loaded" in result.output


def test_a_missing_database_is_told_in_one_line(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", "host=127.0.0.1 port=1")
    result = CliRunner().invoke(app, ["load", str(file)])
    assert result.exit_code == 1
    assert "the database cannot be reached" in result.output
