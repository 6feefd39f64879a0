"""The gateway's command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.commands import app
from gateway.outbox import Outbox


def test_status_reads_the_outbox(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    Outbox(path, bytes_max=1 << 20, undecoded_max=1).close()
    config = tmp_path / "gateway.toml"
    config.write_text(f'gateway_id = "gw"\noutbox_path = "{path}"')
    result = CliRunner().invoke(app, ["status", "--config", str(config)])
    document = json.loads(result.stdout)
    assert (document["accepted"], document["depth"], document["end_row"]) == (0, 0, 1)


@pytest.mark.parametrize("command", ["status", "run"])
def test_a_wrong_setting_ends_with_2(tmp_path: Path, command: str) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text('gateway_id = "gw"\nnonsense = 1')
    result = CliRunner().invoke(app, [command, "--config", str(config)])
    assert result.exit_code == 2
    assert "nonsense" in result.stderr


def test_run_names_a_file_of_tls_that_is_missing(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(f'gateway_id = "gw"\nbroker_ca_file = "{tmp_path}/ca.pem"')
    result = CliRunner().invoke(app, ["run", "--config", str(config)])
    assert result.exit_code == 2
    assert result.stderr == f"broker_ca_file {tmp_path}/ca.pem: No such file or directory\n"


def test_run_names_a_folder_that_takes_no_outbox(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    (tmp_path / "file").touch()
    config.write_text(f'gateway_id = "gw"\noutbox_path = "{tmp_path}/file/outbox.sqlite"')
    result = CliRunner().invoke(app, ["run", "--config", str(config)])
    assert result.exit_code == 1
    assert str(tmp_path / "file") in result.stderr
    assert isinstance(result.exception, SystemExit)
