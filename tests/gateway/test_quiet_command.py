"""The household's pause on the command line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.alarm_files import AlarmFiles
from gateway.commands import app
from gateway.quiet import Quiet, Reason


@pytest.fixture(autouse=True)
def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEARTHWATCH_GATEWAY_GATEWAY_ID", "gw")
    monkeypatch.setenv("HEARTHWATCH_GATEWAY_OUTBOX_PATH", str(tmp_path / "outbox.sqlite"))
    return tmp_path / "outbox.sqlite"


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ([], Quiet(minutes=2)),
        (["--minutes", "1"], Quiet(minutes=1)),
        (["--minutes", "720", "--reason", "in_hospital"], Quiet(minutes=720, reason=Reason.IN_HOSPITAL)),
    ],
)
def test_a_pause_is_left_for_the_gateway(outbox: Path, options: list[str], asked: Quiet) -> None:
    result = CliRunner().invoke(app, ["quiet", *options])
    assert (result.exit_code, result.stdout) == (
        0,
        f"quiet for {asked.minutes} min; a new danger sounds all the same\n",
    )
    assert AlarmFiles(outbox).take_quiet() == asked


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--minutes", "3"], "3 min: without a reason a pause is 1 to 2 min"),
        (["--minutes", "721", "--reason", "attended"], "721 min: for attended a pause is 1 to 720 min"),
        (["--minutes", "0"], "0 min"),
    ],
)
def test_a_pause_that_would_not_end_in_time_is_refused(outbox: Path, options: list[str], says: str) -> None:
    result = CliRunner().invoke(app, ["quiet", *options])
    assert result.exit_code == 2
    assert says in result.stderr
    assert AlarmFiles(outbox).take_quiet() is None


def test_an_unwritable_place_is_named(outbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (outbox.parent / "file").write_text("")
    monkeypatch.setenv("HEARTHWATCH_GATEWAY_OUTBOX_PATH", str(outbox.parent / "file" / "outbox.sqlite"))
    result = CliRunner().invoke(app, ["quiet"])
    assert result.exit_code == 1
    assert str(outbox.parent / "file") in result.stderr
