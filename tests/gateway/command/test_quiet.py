"""The household's pause on the command line."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.alarm.files import AlarmFiles
from gateway.alarm.quiet import Quiet, Reason
from gateway.commands import app
from gateway.outbox.outbox import Outbox


@pytest.fixture(autouse=True)
def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("HEARTHWATCH_GATEWAY_GATEWAY_ID", "gw")
    monkeypatch.setenv("HEARTHWATCH_GATEWAY_OUTBOX_PATH", str(tmp_path / "outbox.sqlite"))
    path = tmp_path / "outbox.sqlite"
    held = Outbox(path, bytes_max=1 << 20, undecoded_max=1)  # as a running gateway holds it
    yield path
    held.close()


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


def test_an_unwritable_place_is_named(outbox: Path) -> None:
    (outbox.parent / ".quiet.json.new").mkdir()
    result = CliRunner().invoke(app, ["quiet"])
    assert (result.exit_code, result.stderr) == (1, f"{outbox.parent}/.quiet.json.new: Is a directory\n")


def test_where_no_gateway_runs_nothing_is_paused(outbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = outbox.with_name("elsewhere.sqlite")
    monkeypatch.setenv("HEARTHWATCH_GATEWAY_OUTBOX_PATH", str(elsewhere))
    result = CliRunner().invoke(app, ["quiet"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no gateway runs here" in result.stderr
    assert AlarmFiles(elsewhere).take_quiet() is None
