"""Whom episodes told and what came of it, as the screens show it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from alerting.outcomes import Outcome
from dashboards.board import EVENTS_MOST, Episode
from dashboards.database import Connection, rows

ASKED_MOST = 5


class Fate(StrEnum):
    """What came of a notice."""

    SENT = "sent"
    BEING_SENT = "being_sent"
    NO_CHANNEL = "no_channel"
    NOT_DELIVERED = "not_delivered"
    GATHERED = "gathered"
    NOT_NEEDED = "not_needed"


FATES = {
    Outcome.GATHERED.value: Fate.GATHERED,
    Outcome.NO_CHANNEL.value: Fate.NO_CHANNEL,
    Outcome.ANSWERED.value: Fate.NOT_NEEDED,
}
"""By the outcome of what was not sent: told with others; somebody has to phone; answered before its turn came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """One message over one channel, and what came of it; `channel` is the kind of channel, never its address."""

    notice_id: int
    channel: str
    created_at: datetime
    due_at: datetime | None
    attempts: int
    sent_at: datetime | None
    outcome: str

    @property
    def at(self) -> datetime:
        """Give when it was sent, or else written."""
        return self.sent_at or self.created_at

    @property
    def fate(self) -> Fate:
        """Say what came of it."""
        if self.sent_at is not None:
            return Fate.SENT
        if self.due_at is not None:
            return Fate.BEING_SENT
        return FATES.get(self.outcome, Fate.NOT_DELIVERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Sending):
    """One message of an episode to one person."""

    episode_id: int
    recipient: str
    recipient_en: str
    audience: str
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Sending):
    """What a household was asked, in Chinese and English: a line each."""

    body: str

    def text(self, *, chinese: bool) -> str:
        """Give it in a reader's language."""
        zh, _, en = self.body.partition("\n")
        return zh if chinese else en


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Notices of one episode to one audience at one step with one fate, newest first: one line on the page."""

    notices: list[Notice]

    @property
    def newest(self) -> Notice:
        """Give the newest of them."""
        return self.notices[0]

    @property
    def recipients(self) -> list[Notice]:
        """Give one notice of each recipient."""
        return list({notice.recipient: notice for notice in self.notices}.values())

    @property
    def channels(self) -> list[str]:
        """Give the kinds of channel."""
        return list(dict.fromkeys(notice.channel for notice in self.notices))


def notices_of(connection: Connection, episodes: Iterable[Episode]) -> list[Notice]:
    """Give whom these episodes told, newest first."""
    return rows(connection, Notice, "notices", episodes=[each.episode_id for each in episodes], most=EVENTS_MOST)


def asked_of(connection: Connection, patient_id: int, *, since: datetime) -> list[Asked]:
    """Read what a household was asked since an instant, newest first."""
    return rows(connection, Asked, "asked", patient_id=patient_id, since=since, most=ASKED_MOST)


def told(notices: Iterable[Notice]) -> dict[int, list[Told]]:
    """Fold repeats, by episode; a different fate stays a line of its own, so that no failure hides behind a success."""
    folded: dict[tuple[int, int, str, Fate], list[Notice]] = {}
    for notice in notices:
        folded.setdefault((notice.episode_id, notice.step, notice.audience, notice.fate), []).append(notice)
    found: dict[int, list[Told]] = {}
    for (episode_id, *_), same in folded.items():
        found.setdefault(episode_id, []).append(Told(notices=same))
    return found
