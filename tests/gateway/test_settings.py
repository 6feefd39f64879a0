"""Settings from environment and file; every wrong one is named."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.box.machine import ClockTrust
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "",
            "gateway_id is missing: enrol this box (hearthwatch gateway enrol), or name a settings file by --config",
        ),
        ('gateway_id = "gw"\nbrokr_port = 1', "brokr_port is no setting of a gateway; did you mean broker_port?"),
        ('gateway_id = "gw"\nbroker_port = 70000', "broker_port is 70000; 65535 is the most"),
        ('gateway_id = "gw"\nbroker_port = "many"', "broker_port is 'many'; a whole number is wanted"),
        ('gateway_id = "gw"\nflush_s = 0', "flush_s is 0; it must be more than 0.0"),
        ('gateway_id = "gw"\nflush_s = nan', "flush_s is nan; a finite number is wanted"),
        ('gateway_id = "gw"\nclaim_all = "perhaps"', "claim_all is 'perhaps'; true or false is wanted"),
        (
            'gateway_id = "gw"\nclock_trust = "blind"',
            "clock_trust is 'blind'; it can be 'auto', 'synchronised' or 'unsynchronised'",
        ),
        ('gateway_id = "gw"\ndevices = 3', "devices is 3; a list is wanted"),
        ('gateway_id = "gw"\nbroker_ca_file = 3', "broker_ca_file is 3; a path is wanted"),
        ('gateway_id = "gw"\nbroker_password = 31415', "broker_password is of another kind; a text is wanted"),
        ('gateway_id = "gw"\nresend_s_max = 1', "resend_s_max is below resend_s_min"),
        (
            "gateway_id = 3\nconnect_s_max = 31",
            "gateway_id is 3; a text is wanted; connect_s_max is 31; 30.0 is the most",
        ),
    ],
)
def test_what_is_wrong_with_it_is_said_in_our_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, tmp_path, text)
    assert str(caught.value) == said


def test_a_variable_that_must_be_json_and_is_not_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="HEARTHWATCH_GATEWAY_DEVICES is no JSON"):
        load(monkeypatch, tmp_path, GATEWAY_ID="gw", DEVICES="AA:BB:CC:DD:EE:FF")


def test_a_variable_names_the_file_where_no_option_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text('gateway_id = "gw-file"')
    assert load(monkeypatch, tmp_path, CONFIG=str(tmp_path / "gateway.toml")).gateway_id == "gw-file"
    with pytest.raises(SettingsError, match=r"none\.toml: No such file"):
        load(monkeypatch, tmp_path, CONFIG=str(tmp_path / "none.toml"))


def test_an_unknown_variable_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="HEARTHWATCH_GATEWAY_BROKR"):
        load(monkeypatch, tmp_path, GATEWAY_ID="gw", BROKR="x")


def test_settings_are_those_of_the_environment_it_is_given_and_of_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HEARTHWATCH_GATEWAY_BROKER_PORT", "1885")
    (tmp_path / "gateway.toml").write_text('gateway_id = "gw-file"\ndevices = ["C0:00:00:00:00:0A"]')
    given = {"hearthwatch_gateway_gateway_id": "gw-1", "HEARTHWATCH_GATEWAY_LOCAL_ALARM": '{"clear_at": 91}'}
    settings = load_settings(tmp_path / "gateway.toml", given)
    assert (settings.gateway_id, settings.broker_port, settings.local_alarm.clear_at) == ("gw-1", 1883, 91)
    assert settings.devices == ("C0:00:00:00:00:0A",)
    assert GatewaySettings(gateway_id="gw").broker_port == 1883


def test_settings_are_frozen_and_every_one_is_documented() -> None:
    settings = GatewaySettings(gateway_id="gw")
    with pytest.raises(ValidationError):
        settings.broker_port = 1  # type: ignore[misc]
    assert [name for name, field in GatewaySettings.model_fields.items() if not field.description] == []
