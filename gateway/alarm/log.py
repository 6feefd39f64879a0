"""The alarms that sounded in this home: what is kept across a restart and told to the centre when it is back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from gateway.alarm.local_alarm import Condition, Why
from vitals.reading import unscaled
from vitals.signals import Signal

ENDED_MAX = 8
"""So many alarms that are over are kept; those that sound are all kept."""


class EndedBy(StrEnum):
    """Why an alarm is over: good values or a centre for long enough, or people who watch the device no more."""

    WELL = "well"
    CENTRE = "centre"
    RELEASED = "released"


class LogError(ValueError):
    """A kept log can not be read; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """An instant on both clocks, so that a clock put right later puts it right too (clinical ms)."""

    elapsed_ms: int
    boot_id: int
    wall_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One device's alarm, from its first sound on."""

    device: str
    value: int
    why: Why
    since: Moment
    sounded: Moment
    ended: Moment | None = None
    ended_by: EndedBy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmLog:
    """All alarms kept, oldest first, and how many there ever were."""

    alarms: tuple[Alarm, ...] = ()
    sounded_total: int = 0

    @property
    def sounding(self) -> tuple[Alarm, ...]:
        """Those that sound now."""
        return tuple(alarm for alarm in self.alarms if alarm.ended is None)


def followed(
    log: AlarmLog,
    conditions: Sequence[Condition],
    *,
    is_armed: bool,
    now: Moment,
    gone: EndedBy = EndedBy.WELL,
) -> AlarmLog:
    """Bring the log to what holds now; the log itself where nothing has changed. `gone`: why a condition is over."""
    holding = {condition.device: condition for condition in conditions}
    sounding = {alarm.device for alarm in log.sounding}
    begun = [c for c in conditions if is_armed and c.device not in sounding]
    over = [alarm.device for alarm in log.sounding if not (is_armed and alarm.device in holding)]
    if not begun and not over:
        return log
    alarms = [
        replace(alarm, ended=now, ended_by=EndedBy.CENTRE if alarm.device in holding else gone)
        if alarm.ended is None and alarm.device in over
        else alarm
        for alarm in log.alarms
    ]
    alarms += [_begun(condition, now) for condition in begun]
    ended = [alarm for alarm in alarms if alarm.ended is not None]
    given_up = ended[: max(0, len(ended) - ENDED_MAX)]
    return AlarmLog(
        alarms=tuple(alarm for alarm in alarms if alarm not in given_up), sounded_total=log.sounded_total + len(begun)
    )


def conditions_of(log: AlarmLog, now: Moment) -> tuple[Condition, ...]:
    """Give what sounded when the log was kept as conditions on this boot's clock."""
    return tuple(
        Condition(
            device=alarm.device,
            since_ms=now.elapsed_ms - max(0, now.wall_ms - _wall_ms(alarm.since, now)),
            value=alarm.value,
            why=alarm.why,
        )
        for alarm in log.sounding
    )


def described(alarm: Alarm, now: Moment) -> dict[str, object]:
    """Give one alarm as the status says it."""
    return {
        "device": alarm.device,
        "since": _iso(alarm.since, now),
        "value": unscaled(Signal.SPO2, alarm.value),
        "why": alarm.why.value,
        "sounded_at": _iso(alarm.sounded, now),
        "ended_at": _iso(alarm.ended, now),
        "ended_by": alarm.ended_by.value if alarm.ended_by else None,
    }


def last_sounded_at(log: AlarmLog, now: Moment) -> str | None:
    """Give when an alarm was last heard or seen, None for never."""
    if not log.alarms:
        return None
    newest = log.alarms[-1]
    return _iso(now if log.sounding else newest.ended, now)


def log_text(log: AlarmLog) -> bytes:
    """Write a log down."""
    alarms = [
        {
            "device": alarm.device,
            "value": alarm.value,
            "why": alarm.why.value,
            "since": _numbers(alarm.since),
            "sounded": _numbers(alarm.sounded),
            "ended": _numbers(alarm.ended) if alarm.ended else None,
            "ended_by": alarm.ended_by.value if alarm.ended_by else None,
        }
        for alarm in log.alarms
    ]
    return json.dumps({"sounded_total": log.sounded_total, "alarms": alarms}).encode()


def parse_log(text: bytes) -> AlarmLog:
    """Read a log. Raises LogError."""
    try:
        document = json.loads(text)
        alarms = tuple(_alarm(item) for item in document["alarms"])
        return AlarmLog(alarms=alarms, sounded_total=int(document["sounded_total"]))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as exc:
        raise LogError(f"no log of alarms: {str(exc)[:200]}") from exc


def _begun(condition: Condition, now: Moment) -> Alarm:
    before_ms = now.elapsed_ms - condition.since_ms
    since = replace(now, elapsed_ms=condition.since_ms, wall_ms=now.wall_ms - before_ms)
    return Alarm(device=condition.device, value=condition.value, why=condition.why, since=since, sounded=now)


def _wall_ms(moment: Moment, now: Moment) -> int:
    """Give a moment's wall time by the clock as it is now; of another boot, as that boot's clock had it."""
    if moment.boot_id != now.boot_id:
        return moment.wall_ms
    return now.wall_ms - (now.elapsed_ms - moment.elapsed_ms)


def _iso(moment: Moment | None, now: Moment) -> str | None:
    if moment is None:
        return None
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=_wall_ms(moment, now))
    return at.isoformat(timespec="milliseconds")


def _numbers(moment: Moment) -> list[int]:
    return [moment.elapsed_ms, moment.boot_id, moment.wall_ms]


def _moment(numbers: Sequence[int]) -> Moment:
    elapsed_ms, boot_id, wall_ms = (int(number) for number in numbers)
    return Moment(elapsed_ms=elapsed_ms, boot_id=boot_id, wall_ms=wall_ms)


def _alarm(item: Mapping[str, Any]) -> Alarm:
    return Alarm(
        device=str(item["device"]),
        value=int(item["value"]),
        why=Why(item["why"]),
        since=_moment(item["since"]),
        sounded=_moment(item["sounded"]),
        ended=_moment(item["ended"]) if item["ended"] else None,
        ended_by=EndedBy(item["ended_by"]) if item["ended_by"] else None,
    )
