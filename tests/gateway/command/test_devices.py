"""`gateway devices` on the command line: a technician's claims, and what is said when something is wrong."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.claims.book import ClaimBook
from gateway.claims.claims import Config, parse_config, with_config
from gateway.commands import app
from tests.gateway.claims.test_device_list import STATUS

A, B, C = "C0:00:00:00:00:0A", "C0:00:00:00:00:0B", "C0:00:00:00:00:0C"


class Box:
    """A gateway's folder and its command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "gateway.toml"
        self.settings()

    def settings(self, more: str = "") -> None:
        self.config.write_text(f'gateway_id = "gw"\noutbox_path = "{self.folder}/outbox.sqlite"\n{more}\n')

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["devices", "--config", str(self.config), *arguments])

    def listed(self) -> dict[str, Any]:
        result = self.run("list", "--json")
        assert result.exit_code == 0, result.output
        document: dict[str, Any] = json.loads(result.stdout)
        return document

    @property
    def claimed(self) -> list[tuple[str, str, str | None]]:
        return [(line["address"], line["claimed_by"], line["driver"]) for line in self.listed()["devices"]]


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_a_device_is_claimed_listed_and_released(box: Box) -> None:
    assert box.run("claim", A.lower()).stdout == f"{A} is claimed here\n"
    assert box.run("claim", B, "--driver", "bluetooth_sig").exit_code == 0
    assert box.claimed == [(A, "technician", None), (B, "technician", "bluetooth_sig")]
    assert json.loads(box.run("release", A, "--json").stdout) == {"address": A, "claimed": False}
    assert box.claimed == [(B, "technician", "bluetooth_sig")]


def test_the_last_status_is_shown_with_its_age(box: Box) -> None:
    path = box.folder / "status.json"
    path.write_bytes(STATUS)
    box.run("claim", A)
    assert (box.listed()["running"], box.listed()["nearby"][0]["rssi"]) == (True, -71)
    hour_ago = path.stat().st_mtime - 3600
    os.utime(path, (hour_ago, hour_ago))
    assert (box.listed()["running"], box.listed()["nearby"][0]["rssi"]) == (False, None)
    assert "as of 60 min ago: the gateway is not running" in box.run().stdout


def test_the_status_is_looked_for_where_the_settings_say(box: Box) -> None:
    box.settings(f'status_file = "{box.folder}/run/now.json"')
    (box.folder / "run").mkdir()
    (box.folder / "run/now.json").write_bytes(STATUS)
    assert box.listed()["running"] is True


def test_on_an_installed_box_nothing_needs_naming(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """As /usr/local/bin/hearthwatch does it: the variable names the file, and the file where the status lies."""
    box.settings(f'status_file = "{box.folder}/run/now.json"')
    (box.folder / "run").mkdir()
    (box.folder / "run/now.json").write_bytes(STATUS)
    monkeypatch.setenv("HEARTHWATCH_GATEWAY_CONFIG", str(box.config))
    result = CliRunner().invoke(app, ["devices", "list", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["running"] is True


def test_options_may_stand_behind_the_command_too(box: Box) -> None:
    for arguments in (["devices", "list", "--json"], ["devices", "--json"], ["devices", "claim", A, "--json"]):
        result = CliRunner().invoke(app, [*arguments, "--config", str(box.config)])
        assert result.exit_code == 0, result.output
        json.loads(result.stdout)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["claim", "12:34"], 2, "'12:34' is no Bluetooth address"),
        (["claim", A, "--driver", "nonesuch"], 2, "--driver nonesuch: there is none of this name; there are"),
        (["release", A], 1, f"{A} is not claimed here"),
        (["release", B], 1, f"{B} is named in the settings: take it out of `devices` there"),
        (["release", C], 1, f"{C} is claimed by the centre: release it in the console"),
    ],
)
def test_what_can_not_be_done_is_said(box: Box, arguments: list[str], code: int, said: str) -> None:
    box.settings(f'devices = ["{B}"]')
    document = json.dumps({"issued_at": "2026-03-01T12:00:00+00:00", "devices": [{"address": C}]}).encode()
    config: Config = parse_config(document)
    ClaimBook(box.folder / "claims.json").change(lambda book: with_config(book, config, config.issued_at))
    result = box.run(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert [claimed_by for _, claimed_by, _ in box.claimed] == ["settings", "centre"]


def test_no_more_is_claimed_than_is_read(box: Box) -> None:
    box.settings(f'devices_max = 2\ndevices = ["{B}"]')
    assert box.run("claim", A).exit_code == 0
    result = box.run("claim", C)
    assert (result.exit_code, result.stderr) == (1, f"{C} not claimed: 2 devices are read already (devices_max)\n")
    assert box.run("claim", A, "--driver", "bluetooth_sig").exit_code == 0


def test_a_book_that_can_not_be_written_is_said(box: Box) -> None:
    (box.folder / ".claims.json.new").mkdir()
    result = box.run("claim", A)
    assert result.exit_code == 1
    assert "claims.json: Is a directory" in result.stderr


def test_a_wrong_setting_ends_with_2(box: Box) -> None:
    box.settings("nonsense = 1")
    result = box.run("list")
    assert (result.exit_code, "nonsense" in result.stderr) == (2, True)
