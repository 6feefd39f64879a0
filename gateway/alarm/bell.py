"""Rings at home: joins who is in danger, whether the centre is there, and who asked for quiet, and shows what is due.

Readings reach it before the disk does: a full outbox must not keep a house asleep. A tick looks at what time decides.
The account of alarms is on the disk soon after each change; where that fails the alarm goes on, and says so. No disk
is waited for longer than `DISK_S_MAX`: one that hangs must not keep a house asleep either.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import timedelta

import structlog

from gateway.alarm.centre import Centre, Facts, observed, unobserved
from gateway.alarm.files import AlarmFiles
from gateway.alarm.held_up import HeldUp
from gateway.alarm.local_alarm import LocalAlarm
from gateway.alarm.log import AlarmLog, EndedBy, Moment, conditions_of, described, followed, last_sounded_at
from gateway.alarm.quiet import Quiet
from gateway.alarm.settings import LocalAlarmSettings, When
from gateway.alarm.signal import Situation, due
from gateway.alarm.sounder import Sounder, outputs_of
from gateway.box.machine import Timekeeper
from gateway.clocks.placing import Stamp, Stamped
from gateway.outbox.outbox import OutboxError

TICK_S_MAX = 1.0
TICK_S_MIN = 0.05
CENTRE_S_MAX = 5.0
DISK_S_MAX = 10.0
CENTRE_LOOKS = 20
"""So often the centre is looked at within its patience, and every 5 s at least."""

log = structlog.get_logger()


class Bell:
    """One per gateway; construct on the event loop, where every method is called.

    `facts` tells of the centre, `on_change` hears of every alarm that begins or ends.
    """

    def __init__(
        self,
        settings: LocalAlarmSettings,
        *,
        timekeeper: Timekeeper,
        files: AlarmFiles,
        facts: Callable[[], Awaitable[Facts]],
        on_change: Callable[[], None],
        disk_s_max: float = DISK_S_MAX,
    ) -> None:
        self._settings = settings
        self._timekeeper = timekeeper
        self._files = files
        self._facts = facts
        self._on_change = on_change
        self._sounder = Sounder(outputs_of(settings))
        self._alarm = LocalAlarm(settings.rules())
        self._centre = Centre(patience_ms=settings.patience // timedelta(milliseconds=1))
        self._handover_ms = settings.handover // timedelta(milliseconds=1)
        self._account = AlarmLog()
        self._kept = self._account
        self._unkept = 0
        self._quiet_until_ms = 0
        self._seeing = HeldUp[Facts](disk_s_max)
        self._seen_ms: int | None = None
        self._asking_quiet = HeldUp[Quiet | None](disk_s_max)
        self._keeping = HeldUp[AlarmLog](disk_s_max)
        self._wake = asyncio.Event()
        self._now_s = asyncio.get_running_loop().time
        self._next_facts_s = float("-inf")
        self._facts_s = min(CENTRE_S_MAX, timekeeper.clock.machine_s(settings.patience) / CENTRE_LOOKS)
        self._tick_s = max(TICK_S_MIN, min(TICK_S_MAX, timekeeper.clock.machine_s(timedelta(seconds=1))))

    @property
    def centre(self) -> Centre:
        """What is known of the centre."""
        return self._centre

    def heard(self, rows: Iterable[Stamped]) -> None:
        """Judge readings as they come, and show at once what is due; never waits, never fails."""
        for row in rows:
            self._alarm.hear(row.reading, self._timekeeper.elapsed_ms(row.mono_ms))
        self._show(self._timekeeper.stamp())

    def released(self, device: str) -> None:
        """Hear that people watch a device no more: its alarm ends by their word."""
        self._alarm.forget(device)
        self._show(self._timekeeper.stamp(), gone=EndedBy.RELEASED)

    async def run(self) -> None:
        """Watch for ever. Going on where the last run ended: silence while we were away ended nothing."""
        self._take_up(await asyncio.to_thread(self._files.read))
        await asyncio.to_thread(self._files.take_quiet)  # left before we began: for an alarm of its time
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._sounder.run())
                tasks.create_task(self._watch())
        finally:
            if self._account is not self._kept and not self._keeping.is_late:
                self._files.keep(self._account)

    def report(self, now: Stamp) -> dict[str, object]:
        """Give the status's `local_alarm` (docs/wire-format.md)."""
        moment = self._moment(now)
        counts = self._sounder.counts
        left_ms = self._quiet_until_ms - moment.elapsed_ms
        return {
            "when": self._settings.when.value,
            "armed": self._is_armed(moment.elapsed_ms),
            "sounding": [described(alarm, moment) for alarm in self._account.sounding],
            "ended": [described(alarm, moment) for alarm in self._account.alarms if alarm.ended],
            "quiet_for_s": round(left_ms / 1000) if left_ms > 0 else None,
            "sounded_total": self._account.sounded_total,
            "last_sounded_at": last_sounded_at(self._account, moment),
            "bursts": counts.bursts,
            "failures": counts.failures + self._unkept,
            "last_failure": counts.last_failure or None,
            "unwatched": self._alarm.unwatched,
        }

    async def _watch(self) -> None:
        while True:
            await self._look()
            await self._keep()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._tick_s):
                    await self._wake.wait()
            self._wake.clear()

    async def _look(self) -> None:
        quiet = await self._asked_quiet()
        await self._see_centre()
        now = self._timekeeper.stamp()
        now_ms = self._timekeeper.elapsed_ms(now.mono_ms)
        if quiet is not None:
            self._pause(quiet, now_ms)
        self._alarm.pass_time(now_ms)
        self._show(now)

    async def _asked_quiet(self) -> Quiet | None:
        try:
            return await self._asking_quiet.done(lambda: asyncio.to_thread(self._files.take_quiet))
        except TimeoutError:
            return None  # said where the centre is looked at

    async def _see_centre(self) -> None:
        """Look at the centre where it is time to. What a full disk does not tell is not the centre's absence."""
        if self._now_s() < self._next_facts_s:
            return
        self._next_facts_s = self._now_s() + self._facts_s
        began_ms = self._elapsed_ms()
        try:
            facts = await self._seeing.done(self._ask_facts)
        except OutboxError as exc:  # the outbox says itself what it lacks
            log.warning("nothing known of what is stored", error=str(exc))
            self._seen_ms = self._elapsed_ms()
        except TimeoutError:
            self._seen_ms = began_ms if self._seen_ms is None else self._seen_ms
            unseen = unobserved(self._centre, self._elapsed_ms(), since_ms=self._seen_ms)
            self._centre = _said(self._centre, unseen)
        else:
            self._seen_ms = self._elapsed_ms()
            self._centre = _said(self._centre, observed(self._centre, facts, self._seen_ms))

    async def _ask_facts(self) -> Facts:
        return await self._facts()

    def _elapsed_ms(self) -> int:
        return self._timekeeper.elapsed_ms(self._timekeeper.stamp().mono_ms)

    def _show(self, now: Stamp, *, gone: EndedBy = EndedBy.WELL) -> None:
        moment, conditions = self._moment(now), self._alarm.conditions
        is_armed, before = self._is_armed(moment.elapsed_ms), self._account
        self._account = followed(before, conditions, is_armed=is_armed, now=moment, gone=gone)
        if self._account.sounded_total > before.sounded_total:
            self._quiet_until_ms = 0  # whoever asked for quiet did not know of this one
        if self._account is not before:
            log.warning("local alarm", sounding=[described(a, moment) for a in self._account.sounding])
            self._wake.set()
            self._on_change()
        self._sounder.show(
            due(
                Situation(
                    is_armed=is_armed,
                    is_in_danger=bool(conditions),
                    awaits_repeat=bool(self._alarm.awaiting_repeat),
                    is_unreachable=self._settings.led_shows_unreachable and not self._centre.is_reachable,
                    is_paused=moment.elapsed_ms < self._quiet_until_ms,
                )
            )
        )

    async def _keep(self) -> None:
        account = self._account
        if account is self._kept:
            return
        was_late = self._keeping.is_late
        try:
            self._kept = await self._keeping.done(lambda: self._keep_on_disk(account))
        except OSError as exc:  # a TimeoutError is one: a disk that hangs
            if not was_late:
                self._unkept += 1
                log.error("the account of alarms is not on the disk", error=str(exc))

    async def _keep_on_disk(self, account: AlarmLog) -> AlarmLog:
        await asyncio.to_thread(self._files.keep, account)
        return account

    def _take_up(self, account: AlarmLog) -> None:
        """Go on with an earlier account: an alarm that sounds still has nobody else to tell."""
        now = self._moment(self._timekeeper.stamp())
        self._account = self._kept = account
        self._alarm.take_up(conditions_of(account, now))
        if account.sounding and self._settings.when is When.ALONE:
            self._centre = Centre(patience_ms=self._centre.patience_ms, unreachable_since_ms=now.elapsed_ms)

    def _pause(self, quiet: Quiet, now_ms: int) -> None:
        self._quiet_until_ms = now_ms + quiet.minutes * 60_000
        log.warning("the alarm's sound pauses", minutes=quiet.minutes, reason=quiet.reason)
        self._on_change()

    def _is_armed(self, now_ms: int) -> bool:
        return self._settings.when is When.ALWAYS or self._centre.is_alone(now_ms, handover_ms=self._handover_ms)

    def _moment(self, now: Stamp) -> Moment:
        return Moment(elapsed_ms=self._timekeeper.elapsed_ms(now.mono_ms), boot_id=now.boot_id, wall_ms=now.wall_ms)


def _said(before: Centre, after: Centre) -> Centre:
    if before.is_reachable and not after.is_reachable:
        log.error("the centre is out of reach, this home is on its own")
    if after.is_reachable and not before.is_reachable:
        log.info("the centre is back")
    return after
