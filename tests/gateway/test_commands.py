"""The gateway's command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.commands import app
from gateway.outbox import Outbox


def test_decode_prints_what_a_payload_means() -> None:
    result = CliRunner().invoke(
        app, ["decode", "2a5e", "0f" + "9ef34800" + "e807021d173b3a" + "8000" + "200000" + "1de0"]
    )
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "readings": [
            {"signal": "spo2", "value": 92.6, "unit": "%", "quality": "questionable", "reasons": ["low_perfusion"]},
            {"signal": "pulse", "value": 72.0, "unit": "/min", "quality": "questionable", "reasons": ["low_perfusion"]},
            {
                "signal": "perfusion_index",
                "value": 0.29,
                "unit": "%",
                "quality": "questionable",
                "reasons": ["low_perfusion"],
            },
        ],
        "measured_at": "2024-02-29T23:59:58",
        "status": ["validated", "low_perfusion"],
    }


def test_decode_prints_null_for_a_special() -> None:
    result = CliRunner().invoke(app, ["decode", "0x2A1C", "0xff" + "ffff7f00" + "00000000000000" + "02"])
    (reading,) = json.loads(result.stdout)["readings"]
    assert (reading["value"], reading["quality"], reading["reasons"]) == (None, "invalid", ["not_a_number"])


@pytest.mark.parametrize(
    ("uuid", "payload", "said"),
    [
        ("2a5f", "006100", "2a5f byte 3: pulse rate needs 2 bytes, 0 left"),
        ("2a5f", "0061", "2a5f byte 2: SpO2 needs 2 bytes, 1 left"),
        ("2a98", "0048", "2a98 byte 0: no decoder for this characteristic"),
        ("2a5f", "00 zz", "payload: non-hexadecimal"),
    ],
)
def test_a_malformed_payload_ends_with_2_and_names_the_byte(uuid: str, payload: str, said: str) -> None:
    result = CliRunner().invoke(app, ["decode", uuid, payload])
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""


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
