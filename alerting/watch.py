"""What the watchdog makes of what it sees: whom to tell, when again, and when it is over (core)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class Trouble(StrEnum):
    """What stands still. Each is told on its own."""

    DATABASE_GONE = "database_gone"
    DEADLINES_LATE = "deadlines_late"
    NOTICES_LATE = "notices_late"
    JUDGING_BEHIND = "judging_behind"


LATE_S = 30
"""Clinical seconds: deadlines fire, notices are tried and readings are judged within one of their time."""

AGAIN = timedelta(minutes=5)

WORDS: Mapping[Trouble, tuple[str, str]] = {
    Trouble.DATABASE_GONE: (
        "数据库无法访问:无人监测,预警不会升级",
        "the database is gone: nobody is watched, no alarm goes on",
    ),
    Trouble.DEADLINES_LATE: ("预警升级停滞:到期未升级", "escalation stands still: deadlines pass and nobody is paged"),
    Trouble.NOTICES_LATE: ("通知未发出", "notices are not sent"),
    Trouble.JUDGING_BEHIND: ("数据未判读:无人监测", "readings are not judged: nobody is watched"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one look gave: the oldest of each kind that is waiting, None where nothing is."""

    is_database_there: bool
    deadline_due_at: datetime | None = None
    notice_due_at: datetime | None = None
    unjudged_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """When each trouble that goes on was last told, and since when it goes on."""

    at: Mapping[Trouble, datetime] = field(default_factory=dict)
    since: Mapping[Trouble, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to operations; the key is the same for the same trouble at the same time."""

    trouble: Trouble
    is_over: bool
    since: datetime
    key: str

    @property
    def title(self) -> str:
        """Head it."""
        zh, en = ("恢复", "OVER") if self.is_over else ("系统告警", "WATCHDOG")
        return f"【{zh} {en}】{WORDS[self.trouble][0]} / {WORDS[self.trouble][1]}"

    @property
    def body(self) -> str:
        """Say since when."""
        return f"自 {self.since:%F %T} UTC\nsince {self.since:%F %T} UTC"


def troubles(seen: Seen, *, now: datetime) -> dict[Trouble, datetime]:
    """Say what stands still, and since when."""
    if not seen.is_database_there:
        return {Trouble.DATABASE_GONE: now}
    waiting = (
        (Trouble.DEADLINES_LATE, seen.deadline_due_at),
        (Trouble.NOTICES_LATE, seen.notice_due_at),
        (Trouble.JUDGING_BEHIND, seen.unjudged_since),
    )
    late = timedelta(seconds=LATE_S)
    return {trouble: since for trouble, since in waiting if since is not None and now - since > late}


def decide(told: Told, found: Mapping[Trouble, datetime], *, now: datetime) -> tuple[list[Message], Told]:
    """Tell what is new at once, what goes on every five minutes, and what is over once.

    While the database is gone nothing is known of the rest: it is neither told again nor called over.
    """
    blind = Trouble.DATABASE_GONE in found
    messages, at, since = [], dict(told.at), dict(told.since)
    for trouble, begun in found.items():
        since.setdefault(trouble, begun)
        if trouble not in at or now - at[trouble] >= AGAIN:
            messages.append(_message(trouble, since[trouble], now, is_over=False))
            at[trouble] = now
    for trouble in [each for each in at if each not in found and not blind]:
        messages.append(_message(trouble, since[trouble], now, is_over=True))
        del at[trouble], since[trouble]
    return messages, Told(at=at, since=since)


def _message(trouble: Trouble, since: datetime, now: datetime, *, is_over: bool) -> Message:
    key = f"watchdog:{trouble}:{'over' if is_over else 'on'}:{now.isoformat()}"
    return Message(trouble=trouble, is_over=is_over, since=since, key=key)
