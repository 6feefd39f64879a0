"""The table [local_alarm] of a gateway's settings: read, refused by name, documented."""

from pathlib import Path

import pytest

from gateway.alarm.settings import LocalAlarmSettings, When
from gateway.settings import PREFIX, SettingsError, load_settings

ID = {f"{PREFIX}GATEWAY_ID": "gw"}


@pytest.fixture(autouse=True)
def _named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}GATEWAY_ID", "gw")


def loaded(tmp_path: Path, text: str) -> LocalAlarmSettings:
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    return load_settings(file, ID).local_alarm


def test_a_table_is_read(tmp_path: Path) -> None:
    text = '[local_alarm]\nwhen = "always"\ncommand = ["/usr/bin/aplay", "a.wav"]\nled = "/sys/class/leds/x/brightness"'
    alarm = loaded(tmp_path, text)
    assert (alarm.when, alarm.command) == (When.ALWAYS, ("/usr/bin/aplay", "a.wav"))
    assert alarm.led == Path("/sys/class/leds/x/brightness")
    assert loaded(tmp_path, "") == LocalAlarmSettings()


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('when = "never"', "local_alarm.when"),
        ('command = ["aplay"]', "command = 'aplay' is not an absolute path"),
        ("comand = []", "did you mean command"),
        ("window_s = 65", "local_alarm.window_s"),
        ("window_s = 320", "window of 320000 ms is no multiple of 60000"),
        ("building_s = 30", "building time of 30000 ms is no multiple of 20000"),
        ("share_percent = 0", "local_alarm.share_percent"),
        ("clear_at = 88", "clear_at = 88 is not above spo2_at_or_below = 88"),
        ("spo2_at_or_below = 1e9", "spo2"),
        ("patience_s = 0", "local_alarm.patience_s"),
        ("command_s_max = 61", "local_alarm.command_s_max"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        loaded(tmp_path, f"[local_alarm]\n{line}")


def test_every_setting_is_documented() -> None:
    assert [name for name, field in LocalAlarmSettings.model_fields.items() if not field.description] == []


def test_a_county_that_sets_its_profile_back_to_a_minute_sets_the_box_so(tmp_path: Path) -> None:
    rule = loaded(tmp_path, "[local_alarm]\nwindow_s = 60\nbuilding_s = 30").rules().sustained
    assert (rule.window_ms, rule.building_ms) == (60_000, 30_000)


def test_both_alarms_go_on_until_the_centre_can_have_raised() -> None:
    alarm = LocalAlarmSettings()
    rule = alarm.rules().sustained
    late_s = 60  # what arrives late is judged within this (ARCHITECTURE section 9)
    assert alarm.handover_s >= (rule.window_ms + rule.grain.bucket_ms) / 1000 + late_s
