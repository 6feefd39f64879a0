"""Sound by a real command, light by a real file: bounded, one after the other, and a failure stops nothing."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.alarm.signal import PATTERNS, Notice, Pattern, Shown
from gateway.alarm.sounder import Outputs, Sounder, sound_once
from tests.gateway.waiting import eventually

QUICK = {
    notice: Pattern(pulses_ms=pattern.pulses_ms and (1,), gap_s=0.01, light_ms=pattern.light_ms)
    for notice, pattern in PATTERNS.items()
}
DANGER, PAUSED = Shown(notice=Notice.DANGER), Shown(notice=Notice.DANGER, is_audible=False)
MEASURE_AGAIN, UNREACHABLE = Shown(notice=Notice.MEASURE_AGAIN), Shown(notice=Notice.UNREACHABLE)

Script = Callable[[str], tuple[str, ...]]


@pytest.fixture
def heard(tmp_path: Path) -> Path:
    return tmp_path / "heard"


@pytest.fixture
def script(heard: Path) -> Script:
    """Make a command of shell lines; `$heard` is the file it writes to."""
    return lambda lines: ("/bin/sh", "-c", f"heard={heard}\n{lines}")


@pytest.fixture
def led(tmp_path: Path) -> Path:
    folder = tmp_path / "leds" / "alarm"
    folder.mkdir(parents=True)
    (folder / "max_brightness").write_text("255\n")
    path = folder / "brightness"
    path.write_text("0")
    return path


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@asynccontextmanager
async def sounding(outputs: Outputs) -> AsyncIterator[Sounder]:
    sounder = Sounder(outputs, patterns=QUICK)
    task = asyncio.create_task(sounder.run())
    try:
        yield sounder
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_is_due_is_sounded_again_and_again_and_nothing_else(heard: Path, script: Script) -> None:
    async with sounding(Outputs(command=script('echo "$HEARTHWATCH_ALARM $HEARTHWATCH_PULSES_MS" >> $heard'))) as it:
        it.show(DANGER)
        await eventually(lambda: len(lines(heard)) >= 3)
        it.show(Shown())
        it.show(MEASURE_AGAIN)
        await eventually(lambda: lines(heard)[-1].startswith("measure_again "))
    danger, again = (
        f"{notice} {' '.join(map(str, PATTERNS[notice].pulses_ms))}" for notice in (Notice.DANGER, Notice.MEASURE_AGAIN)
    )
    first = lines(heard).index(again)
    assert set(lines(heard)[:first]) == {danger}
    assert set(lines(heard)[first:]) == {again}
    assert it.counts.failures == 0


async def test_a_pause_and_a_centre_out_of_reach_are_seen_and_not_heard(heard: Path, script: Script, led: Path) -> None:
    async with sounding(Outputs(command=script('echo "$HEARTHWATCH_ALARM" >> $heard'), led=led)) as it:
        for silent in (UNREACHABLE, PAUSED):
            it.show(silent)
            await eventually(lambda: led.read_text() == "255")
            it.show(Shown())
            await eventually(lambda: led.read_text() == "0")
        assert lines(heard) == []
        it.show(MEASURE_AGAIN)
        await eventually(lambda: bool(lines(heard)))
    assert set(lines(heard)) == {"measure_again"}


async def test_what_is_more_urgent_does_not_wait_for_the_gap(heard: Path, script: Script) -> None:
    slow = QUICK | {Notice.MEASURE_AGAIN: Pattern(pulses_ms=(1,), gap_s=3600, light_ms=(1, 1))}
    sounder = Sounder(Outputs(command=script('echo "$HEARTHWATCH_ALARM" >> $heard')), patterns=slow)
    task = asyncio.create_task(sounder.run())
    sounder.show(MEASURE_AGAIN)
    await eventually(lambda: lines(heard) == ["measure_again"])
    sounder.show(DANGER)
    await eventually(lambda: "danger" in lines(heard))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_command_that_hangs_is_ended_with_what_it_has_started(heard: Path, script: Script) -> None:
    command = script("sleep 3600 &\necho $$ $! >> $heard\nwait")
    async with sounding(Outputs(command=command, command_s_max=0.2)) as it:
        it.show(DANGER)
        await eventually(lambda: it.counts.failures >= 2)
        assert it.counts.last_failure == "command: /bin/sh was ended after 0.2 s"
        it.show(Shown())
        await eventually(lambda: it.counts.failures == len(lines(heard)))
    for pid in (int(number) for line in lines(heard) for number in line.split()):
        await eventually(lambda pid=pid: not is_running(pid))  # type: ignore[misc]


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


async def test_no_two_commands_run_at_a_time(heard: Path, script: Script) -> None:
    command = script('mkdir "$heard.lock" || echo overlap >> $heard\nrmdir "$heard.lock"\necho done >> $heard')
    async with sounding(Outputs(command=command)) as it:
        for number in range(20):
            it.show((DANGER, MEASURE_AGAIN)[number % 2])
            await eventually(lambda number=number: it.counts.bursts > number)  # type: ignore[misc]
    assert "overlap" not in lines(heard)


@pytest.mark.parametrize(
    ("command", "says"),
    [(("/nonexistent/beep",), "/nonexistent/beep: "), (("/bin/sh", "-c", "exit 3"), "/bin/sh ended with 3")],
)
async def test_a_command_that_fails_is_counted_and_tried_again(command: tuple[str, ...], says: str) -> None:
    async with sounding(Outputs(command=command)) as it:
        it.show(DANGER)
        await eventually(lambda: it.counts.failures >= 3)
    assert it.counts.last_failure.startswith(f"command: {says}")


async def test_the_command_learns_no_password(heard: Path, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTHWATCH_GATEWAY_BROKER_PASSWORD", "secret")
    async with sounding(Outputs(command=script("env >> $heard"))) as it:
        it.show(DANGER)
        await eventually(lambda: it.counts.bursts >= 1)
    assert "HEARTHWATCH_ALARM=danger" in lines(heard)
    assert not [line for line in lines(heard) if "secret" in line]
    assert f"PATH={os.environ['PATH']}" in lines(heard)


async def test_the_light_says_what_the_sound_does_not(led: Path) -> None:
    async with sounding(Outputs(led=led)) as it:
        it.show(UNREACHABLE)
        await eventually(lambda: led.read_text() == "255")
        it.show(Shown())
        await eventually(lambda: led.read_text() == "0")
        it.show(PAUSED)
        for _ in range(2):
            await eventually(lambda: led.read_text() == "255")
            await eventually(lambda: led.read_text() == "0")
        it.show(UNREACHABLE)
        await eventually(lambda: led.read_text() == "255")
    assert lines(led) == ["0"]
    assert it.counts.failures == 0


async def test_a_missing_light_takes_no_sound_away(heard: Path, script: Script, tmp_path: Path) -> None:
    missing = tmp_path / "gone" / "brightness"
    async with sounding(Outputs(command=script("echo x >> $heard"), led=missing)) as it:
        it.show(DANGER)
        await eventually(lambda: len(lines(heard)) >= 2 and it.counts.failures >= 1)
        assert it.counts.last_failure.startswith("light: ")
    assert not missing.exists()


async def test_without_any_output_it_runs_and_says_nothing() -> None:
    async with sounding(Outputs()) as it:
        it.show(DANGER)
        await asyncio.sleep(0)
        assert (it.counts.bursts, it.counts.failures) == (0, 0)


async def test_a_technician_tries_it_once(heard: Path, script: Script, led: Path) -> None:
    command = script(f'echo "$HEARTHWATCH_ALARM $(cat {led})" >> $heard')
    assert await sound_once(Outputs(command=command, led=led)) == ()
    assert lines(heard) == ["test 255"]
    assert lines(led) == ["0"]
    failures = await sound_once(Outputs(command=("/nonexistent/beep",), led=led.with_name("none")))
    assert [failure.split(":")[0] for failure in failures] == ["light", "command"]
