"""Says whether somebody was told of a condition that is over: only then is it not news."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from alerting.desk import Desk
from alerting.profile.profile import Consequence
from alerting.recording import urgency_for

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """A rule that was told, and from when until when its condition was known to hold."""

    rule: str
    since: datetime
    until: datetime


def was_told(desk: Desk, patient_id: int, rule: str, *, since: datetime, until: datetime) -> bool:
    """Say whether the rule itself, or one at least as urgent of its family, was told as of that time.

    An open episode by itself says nothing: behind a lesser rule, or behind its end, a worse fall is news.
    """
    family = desk.profile.consequences[rule].family
    rows = desk.all("told_of_family", patient_id=patient_id, family=family, since=since)
    at_that_time = {each.rule for each in _spans(rows) if each.since <= until and each.until >= since}
    if rule in at_that_time:
        return True
    patient = desk.one("patient", patient_id=patient_id)
    if patient is None or not at_that_time:
        return False
    rank = urgency_for(desk, rule, patient).rank
    return any(each.rank <= rank for each in _urgencies(desk, at_that_time, patient))


def _urgencies(desk: Desk, rules: Iterable[str], patient: Any) -> Iterator[Consequence]:
    return (urgency_for(desk, rule, patient) for rule in rules if rule in desk.profile.consequences)


def _spans(rows: Sequence[Any]) -> Iterator[_Told]:
    """Read the family's history: a raise holds until its episode's next end, what was past only when it was raised."""
    for number, row in enumerate(rows):
        if row.kind == "cleared":
            continue
        ends = (r.detail["at"] for r in rows[number:] if r.kind == "cleared" and r.episode_id == row.episode_id)
        end = next((datetime.fromisoformat(at) for at in ends), row.closed_at or _NEVER)
        raised_at = datetime.fromisoformat(row.detail["raised_at"])
        yield _Told(
            rule=row.detail["rule"],
            since=datetime.fromisoformat(row.detail["since"]),
            until=raised_at if row.detail.get("past") else max(end, raised_at),
        )
