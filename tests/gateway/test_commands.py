"""The gateway's command line."""

import json
import logging
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.commands import LogFormat, app, configure_logging
from gateway.outbox.outbox import Outbox, Undecoded


def settings_file(folder: Path) -> Path:
    config = folder / "gateway.toml"
    config.write_text(f'gateway_id = "gw"\noutbox_path = "{folder}/outbox.sqlite"')
    return config


def status(folder: Path) -> Result:
    return CliRunner().invoke(app, ["status", "--config", str(settings_file(folder))])


def test_status_is_the_last_word_with_its_age_and_the_outbox_as_it_is_now(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite", bytes_max=1 << 20, undecoded_max=1)
    outbox.accept((), [Undecoded(wall_ms=1, device="d", characteristic="2a5f", payload=b"\x01", error="short")])
    word = {"state": "online", "boot_id": 7, "undecoded": 0, "outbox": {"accepted": -1, "in_flight": 3}}
    (tmp_path / "status.json").write_text(json.dumps(word))
    document = json.loads(status(tmp_path).stdout)
    assert (document["running"], document["state"], document["boot_id"]) == (True, "online", 7)
    assert document["age_s"] >= 0
    shown = document["outbox"]
    assert (shown["accepted"], shown["depth"], shown["end_row"], shown["in_flight"]) == (0, 0, 1, 3)
    assert shown["id"] == str(outbox.account().outbox_id)
    assert document["undecoded"] == 1
    assert document["newest_undecoded"] == [
        {"device": "d", "characteristic": "2a5f", "payload": "01", "error": "short"}
    ]
    outbox.close()


def test_status_of_an_outbox_that_nobody_holds_says_so(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite", bytes_max=1 << 20, undecoded_max=1)
    assert json.loads(status(tmp_path).stdout)["running"] is True
    outbox.close()
    document = json.loads(status(tmp_path).stdout)
    assert (document["running"], document["age_s"], document["outbox"]["accepted"]) == (False, None, 0)


def test_status_where_no_gateway_has_run_is_a_sentence(tmp_path: Path) -> None:
    result = status(tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"{tmp_path}/outbox.sqlite: no gateway has run here yet\n"


def test_status_of_a_broken_outbox_still_gives_the_last_word(tmp_path: Path) -> None:
    (tmp_path / "outbox.sqlite").write_bytes(b"no outbox " * 1000)
    (tmp_path / "status.json").write_text('{"state": "offline"}')
    result = status(tmp_path)
    assert result.exit_code == 1
    assert (json.loads(result.stdout)["running"], json.loads(result.stdout)["state"]) == (False, "offline")
    assert result.stderr == f"{tmp_path}/outbox.sqlite: the outbox can not be read: it is damaged, or no outbox\n"


@pytest.mark.parametrize("command", ["status", "run"])
def test_a_wrong_setting_ends_with_2(tmp_path: Path, command: str) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text('gateway_id = "gw"\nnonsense = 1')
    result = CliRunner().invoke(app, [command, "--config", str(config)])
    assert result.exit_code == 2
    assert "nonsense" in result.stderr


@pytest.mark.parametrize("trouble", [None, ValueError("odd")])
def test_what_a_library_warns_of_stands_in_our_log(
    capsys: pytest.CaptureFixture[str], trouble: Exception | None
) -> None:
    configure_logging(LogFormat.JSON)
    logging.getLogger("bleak.backends").warning("could not determine %s", "BlueZ", exc_info=trouble)
    logging.getLogger("bleak.backends").info("not this")
    (line,) = capsys.readouterr().err.splitlines()
    document = json.loads(line)
    assert (document["level"], document["logger"], document["event"]) == (
        "warning",
        "bleak.backends",
        "could not determine BlueZ",
    )
    assert ("ValueError: odd" in document.get("exception", "")) is (trouble is not None)


def test_run_refuses_settings_of_tls_that_contradict_each_other(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(f'gateway_id = "gw"\nbroker_certificate_file = "{tmp_path}/gateway.pem"')
    result = CliRunner().invoke(app, ["run", "--config", str(config)])
    assert result.exit_code == 2
    assert "broker_certificate_file needs broker_ca_file and broker_key_file" in result.stderr


def test_run_names_a_folder_that_takes_no_outbox(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    (tmp_path / "file").touch()
    config.write_text(f'gateway_id = "gw"\noutbox_path = "{tmp_path}/file/outbox.sqlite"')
    result = CliRunner().invoke(app, ["run", "--config", str(config)])
    assert result.exit_code == 1
    assert str(tmp_path / "file") in result.stderr
    assert isinstance(result.exception, SystemExit)
