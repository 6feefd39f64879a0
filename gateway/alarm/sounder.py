"""Makes the alarm heard and seen: a command for the sound, a brightness file for the light.

The command is run once for each burst, one after the other, and ended after its bound. It finds in its environment
what to say (`HEARTHWATCH_ALARM`: danger, measure_again, test) and how (`HEARTHWATCH_PULSES_MS`: sound, rest, in turn).
What fails is counted, said once, and tried again; nothing here ever waits for anything without a bound.
"""

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from gateway.alarm.settings import LocalAlarmSettings
from gateway.alarm.signal import DARK, PATTERNS, STEADY, Notice, Pattern, Shown

LIGHT_AGAIN_S = 5.0
KILLED_S_MAX = 2.0
KEPT_OF_ENVIRONMENT = ("PATH", "HOME", "LANG", "XDG_RUNTIME_DIR")
"""What the command needs to find a sound card; the settings, and with them passwords, stay here."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What there is to sound and shine with; an empty command and no path are silent and dark."""

    command: tuple[str, ...] = ()
    command_s_max: float = 5.0
    led: Path | None = None


def outputs_of(settings: LocalAlarmSettings) -> Outputs:
    """Give what a gateway's settings name."""
    return Outputs(command=settings.command, command_s_max=settings.command_s_max, led=settings.led)


@dataclass(slots=True, kw_only=True)
class SounderCounts:
    """What was done since the process began."""

    bursts: int = 0
    failures: int = 0
    last_failure: str = ""


class Sounder:
    """Two loops, sound and light, that follow what is last shown."""

    def __init__(self, outputs: Outputs, *, patterns: Mapping[Notice, Pattern] = PATTERNS) -> None:
        self.counts = SounderCounts()
        self._outputs = outputs
        self._patterns = patterns
        self._shown = Shown()
        self._sound_news = asyncio.Event()
        self._light_news = asyncio.Event()
        self._is_failing: dict[str, bool] = {}
        self._now_s = asyncio.get_running_loop().time

    def show(self, shown: Shown) -> None:
        """Say what is due from now on; returns at once."""
        if shown != self._shown:
            self._shown = shown
            self._sound_news.set()
            self._light_news.set()

    async def run(self) -> None:
        """Sound and shine for ever; ends dark."""
        try:
            async with asyncio.TaskGroup() as loops:
                loops.create_task(self._sound())
                loops.create_task(self._shine())
        finally:
            if self._outputs.led:
                light(self._outputs.led, is_on=False)

    async def _sound(self) -> None:
        while True:
            shown, pattern = self._shown, self._patterns[self._shown.notice]
            self._sound_news.clear()
            if not (self._outputs.command and shown.is_audible and pattern.pulses_ms):
                await self._sound_news.wait()
                continue
            burst_ends_s = self._now_s() + pattern.burst_s
            self._note("command", await ring(self._outputs, shown.notice))
            self.counts.bursts += 1
            next_s = max(burst_ends_s, self._now_s()) + pattern.gap_s
            while self._shown == shown and self._now_s() < next_s:
                await _news_within(self._sound_news, next_s - self._now_s())

    async def _shine(self) -> None:
        if self._outputs.led is None:
            return
        while True:
            shown, is_on = self._shown, True
            self._light_news.clear()
            on_ms, off_ms = self._patterns[shown.notice].light_ms
            while self._shown == shown:
                is_changing = (on_ms, off_ms) not in (DARK, STEADY)
                is_on = is_on if is_changing else (on_ms, off_ms) == STEADY
                failure = await asyncio.to_thread(light, self._outputs.led, is_on=is_on)
                self._note("light", failure)
                rest_s = (on_ms if is_on else off_ms) / 1000 if is_changing and not failure else LIGHT_AGAIN_S
                await _news_within(self._light_news, rest_s)
                is_on = not is_on

    def _note(self, output: str, failure: str | None) -> None:
        if failure:
            self.counts.failures += 1
            self.counts.last_failure = f"{output}: {failure}"
        if self._is_failing.get(output, False) is not bool(failure):
            self._is_failing[output] = bool(failure)
            if failure:
                log.error("the alarm can not be heard or seen as it should", output=output, error=failure)
            else:
                log.info("the alarm can be heard and seen again", output=output)


async def sound_once(outputs: Outputs) -> tuple[str, ...]:
    """Try everything once, for the technician who stands there; give what failed, empty where all was well."""
    failures = []
    if outputs.led and (failure := await asyncio.to_thread(light, outputs.led, is_on=True)):
        failures.append(f"light: {failure}")
    if outputs.command and (failure := await ring(outputs, Notice.TEST)):
        failures.append(f"command: {failure}")
    elif outputs.led:
        await asyncio.sleep(PATTERNS[Notice.TEST].burst_s)  # a light alone is there to be seen
    if outputs.led:
        await asyncio.to_thread(light, outputs.led, is_on=False)
    return tuple(failures)


async def ring(outputs: Outputs, notice: Notice) -> str | None:
    """Run the command once, at most so long; give what went wrong, None for nothing."""
    environment = {name: os.environ[name] for name in KEPT_OF_ENVIRONMENT if name in os.environ}
    environment["HEARTHWATCH_ALARM"] = notice.value
    environment["HEARTHWATCH_PULSES_MS"] = " ".join(map(str, PATTERNS[notice].pulses_ms))
    nothing = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *outputs.command, env=environment, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
        )
    except (OSError, ValueError) as exc:
        return f"{outputs.command[0]}: {exc}"
    try:
        async with asyncio.timeout(outputs.command_s_max):
            code = await process.wait()
    except TimeoutError:
        return f"{outputs.command[0]} was ended after {outputs.command_s_max:g} s"
    finally:
        await _ended(process)
    return f"{outputs.command[0]} ended with {code}" if code else None


def light(led: Path, *, is_on: bool) -> str | None:
    """Write a brightness; give what went wrong, None for nothing. The file must be there."""
    try:
        brightest = "1"
        if is_on:
            with suppress(FileNotFoundError):
                brightest = led.with_name("max_brightness").read_text(encoding="ascii").strip()
        handle = os.open(led, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(handle, (brightest if is_on else "0").encode())
        finally:
            os.close(handle)
    except (OSError, ValueError) as exc:
        return str(exc)
    return None


async def _ended(process: asyncio.subprocess.Process) -> None:
    """End the command and what it has started, if it is not over; a kernel that holds on to it is not waited for."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(KILLED_S_MAX):
            await process.wait()


async def _news_within(news: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await news.wait()
    news.clear()
