"""Settings from environment and file; every wrong one is named."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.machine import ClockTrust
from gateway.settings import PREFIX, GatewaySettings, SettingsError, load_settings

ID = {f"{PREFIX}GATEWAY_ID": "gw-1"}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [n for n in os.environ if n.startswith(PREFIX)]:
        monkeypatch.delenv(name)


def load(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None = None, **environment: str
) -> GatewaySettings:
    import os

    for name, value in environment.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    file = None
    if text is not None:
        file = tmp_path / "gateway.toml"
        file.write_text(text)
    return load_settings(file, os.environ)


def test_one_setting_is_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = load(monkeypatch, tmp_path, GATEWAY_ID="gw-1")
    assert (settings.gateway_id, settings.broker_port, settings.clock_trust) == ("gw-1", 1883, ClockTrust.AUTO)


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = load(monkeypatch, tmp_path, 'gateway_id = "gw-file"\nbroker_port = 1884', BROKER_PORT="1885")
    assert (settings.gateway_id, settings.broker_port) == ("gw-file", 1885)


def test_addresses_are_written_in_upper_case_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = 'gateway_id = "gw"\ndevices = ["c0:00:00:00:00:0a", "C0:00:00:00:00:0A"]'
    assert load(monkeypatch, tmp_path, text).devices == ("C0:00:00:00:00:0A",)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "gateway_id"),
        ('gateway_id = "Has Blank"', "gateway_id"),
        ('gateway_id = "+"', "gateway_id"),
        ('gateway_id = "gw"\nbrokr_port = 1', "brokr_port"),
        ('gateway_id = "gw"\nbroker_port = 0', "broker_port"),
        ('gateway_id = "gw"\nflush_s = 0', "flush_s"),
        ('gateway_id = "gw"\nflush_s = inf', "flush_s"),
        ('gateway_id = "gw"\ndevices = ["12:34"]', "devices"),
        ('gateway_id = "gw"\nsite_zone = "Mars/Base"', "site_zone"),
        ('gateway_id = "gw"\nsite_zone = "../etc"', "site_zone"),
        ('gateway_id = "gw"\nurgent_spo2_below = 1e9', "urgent limit"),
        ('gateway_id = "gw"\nresend_s_max = 1', "resend_s_max"),
        ('gateway_id = "gw"\nbroker_certificate_file = "c.pem"', "broker_ca_file"),
        ("gateway_id = ", "gateway.toml"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        load(monkeypatch, tmp_path, text)


def test_an_unknown_variable_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="HEARTHWATCH_GATEWAY_BROKR"):
        load(monkeypatch, tmp_path, GATEWAY_ID="gw", BROKR="x")


def test_settings_are_frozen_and_every_one_is_documented() -> None:
    settings = GatewaySettings(gateway_id="gw")
    with pytest.raises(ValidationError):
        settings.broker_port = 1  # type: ignore[misc]
    assert [name for name, field in GatewaySettings.model_fields.items() if not field.description] == []
