"""docs/local-alarm.md, followed to the letter: its settings are settings, its script sounds the pulses."""

import asyncio
import re
import subprocess
from pathlib import Path

import pytest

from gateway.alarm.quiet import Quiet, Reason
from gateway.alarm.signal import PATTERNS, Notice
from gateway.alarm.sounder import Outputs, ring
from gateway.settings import PREFIX, load_settings

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "local-alarm.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """Give the page's one block of a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_its_settings_are_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}GATEWAY_ID", "gw")
    file = tmp_path / "gateway.toml"
    file.write_text(block("toml"), encoding="utf-8")
    alarm = load_settings(file, {f"{PREFIX}GATEWAY_ID": "gw"}).local_alarm
    assert (alarm.command, str(alarm.led)) == (
        ("/usr/local/bin/hearthwatch-beep",),
        "/sys/class/leds/alarm/brightness",
    )


def test_its_script_sounds_each_pulse_and_ends_silent(tmp_path: Path) -> None:
    buzzer, script = tmp_path / "buzzer", tmp_path / "beep"
    text = block("sh").replace("/sys/class/leds/buzzer/brightness", str(buzzer)).replace('> "$buzzer"', '>> "$buzzer"')
    script.write_text(text, encoding="utf-8")
    script.chmod(0o755)
    subprocess.run([script], env={"HEARTHWATCH_PULSES_MS": "1 2 1 2 1", "PATH": "/usr/bin:/bin"}, check=True)
    assert buzzer.read_text().split() == ["1", "0", "1", "0", "1", "0"]


async def test_its_script_is_well_within_the_commands_bound(tmp_path: Path) -> None:
    script = tmp_path / "beep"
    text = block("sh").replace("/sys/class/leds/buzzer/brightness", str(tmp_path / "buzzer"))
    await asyncio.to_thread(script.write_text, text, encoding="utf-8")
    await asyncio.to_thread(script.chmod, 0o755)
    assert PATTERNS[Notice.DANGER].burst_s < Outputs().command_s_max
    assert await ring(Outputs(command=(str(script),), command_s_max=60), Notice.DANGER) is None


def test_its_commands_are_allowed() -> None:
    asked = re.findall(r"quiet(?: `|`| --reason (\w+) --minutes (\d+)`)", PAGE)
    assert asked
    for reason, minutes in asked:
        Quiet(minutes=int(minutes or 2), reason=Reason(reason) if reason else None)


@pytest.mark.parametrize(("notice", "says"), [(Notice.DANGER, "8.5 s"), (Notice.MEASURE_AGAIN, "16 s")])
def test_its_intervals_are_those_of_the_patterns(notice: Notice, says: str) -> None:
    every_s = PATTERNS[notice].burst_s + PATTERNS[notice].gap_s
    assert f"{every_s:g} s" == says
    assert f"every {says}" in PAGE or f"three every {says}" in PAGE
