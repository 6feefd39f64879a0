"""The watchdog: what it tells of, when again, when it is over; by its own channels, also without a database."""

from datetime import UTC, datetime, timedelta

import pytest

from alerting.sending import Taken
from alerting.settings import AlertingSettings
from alerting.watch import AGAIN, LATE_S, Message, Seen, Told, Trouble, decide, troubles
from alerting.watchdog import look, see
from hearthwatch.services.ports import free_port
from tests.alerting.streams import FALL_S
from tests.alerting.ward import Ward

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATE = timedelta(seconds=LATE_S + 1)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def said(messages: list[Message]) -> list[tuple[Trouble, bool]]:
    return [(each.trouble, each.is_over) for each in messages]


@pytest.mark.parametrize(
    ("seen", "trouble"),
    [
        (Seen(is_database_there=True, deadline_due_at=NOW - LATE), Trouble.DEADLINES_LATE),
        (Seen(is_database_there=True, notice_due_at=NOW - LATE), Trouble.NOTICES_LATE),
        (Seen(is_database_there=True, unjudged_since=NOW - LATE), Trouble.JUDGING_BEHIND),
        (Seen(is_database_there=False), Trouble.DATABASE_GONE),
    ],
)
def test_each_standstill_is_a_trouble_of_its_own(seen: Seen, trouble: Trouble) -> None:
    assert set(troubles(seen, now=NOW)) == {trouble}


def test_what_waits_no_longer_than_it_may_is_none() -> None:
    just = NOW - timedelta(seconds=LATE_S)
    seen = Seen(is_database_there=True, deadline_due_at=just, notice_due_at=just, unjudged_since=just)
    assert troubles(seen, now=NOW) == {}


def test_it_is_told_at_once_again_every_five_minutes_and_once_when_it_is_over() -> None:
    found = {Trouble.DEADLINES_LATE: at(-60)}
    first, told = decide(Told(), found, now=NOW)
    assert said(first) == [(Trouble.DEADLINES_LATE, False)]
    assert first[0].since == at(-60)
    quiet, told = decide(told, found, now=NOW + AGAIN - timedelta(seconds=1))
    assert quiet == []
    again, told = decide(told, {Trouble.DEADLINES_LATE: at(-10)}, now=NOW + AGAIN)
    assert said(again) == [(Trouble.DEADLINES_LATE, False)]
    assert again[0].since == at(-60)
    over, told = decide(told, {}, now=NOW + AGAIN + timedelta(seconds=5))
    assert said(over) == [(Trouble.DEADLINES_LATE, True)]
    assert decide(told, {}, now=NOW + 2 * AGAIN) == ([], Told())


def test_without_a_database_nothing_else_is_called_over() -> None:
    _, told = decide(Told(), {Trouble.NOTICES_LATE: NOW}, now=NOW)
    gone, told = decide(told, {Trouble.DATABASE_GONE: at(5)}, now=at(5))
    assert said(gone) == [(Trouble.DATABASE_GONE, False)]
    back, told = decide(told, {Trouble.NOTICES_LATE: NOW}, now=at(10))
    assert said(back) == [(Trouble.DATABASE_GONE, True)]
    assert set(told.at) == {Trouble.NOTICES_LATE}


def settings(dsn: str) -> AlertingSettings:
    return AlertingSettings(database_dsn=dsn, alerting_watchdog_channels="json://one json://two")


class Operations:
    """Whoever is told; `takes` says which addresses take a message."""

    def __init__(self, *takes: str) -> None:
        self.takes = set(takes)
        self.heard: list[tuple[str, Trouble, bool]] = []

    def __call__(self, url: str, message: Message) -> Taken:
        self.heard.append((url, message.trouble, message.is_over))
        return Taken(accepted=url in self.takes, outcome="")


def test_a_worker_that_does_nothing_is_seen_on_a_real_database(ward: Ward) -> None:
    ward.spo2(1, [8400] * FALL_S)
    seen = see(settings(ward.dsn))
    (episode,) = ward.episodes()
    assert seen.is_database_there
    assert seen.deadline_due_at == episode.due_at  # the ward's clock stands in the past: it should have fired long ago
    assert seen.notice_due_at == episode.alarmed_at
    assert seen.unjudged_since is None
    operations = Operations("json://one", "json://two")
    look(settings(ward.dsn), Told(), tell=operations)
    assert {trouble for _, trouble, _ in operations.heard} == {Trouble.DEADLINES_LATE, Trouble.NOTICES_LATE}


def test_readings_that_nobody_judges_are_seen(ward: Ward) -> None:
    ward.spo2(1, [9700] * 5, judged=False)
    assert see(settings(ward.dsn)).unjudged_since is not None


def test_a_database_that_is_gone_is_told_by_every_channel_and_again_until_one_takes_it() -> None:
    nowhere = settings(f"host=127.0.0.1 port={free_port()} dbname=hearthwatch")
    deaf = Operations()
    told = look(nowhere, Told(), tell=deaf)
    assert [url for url, *_ in deaf.heard] == ["json://one", "json://two"]
    hearing = Operations("json://two")
    told = look(nowhere, told, tell=hearing)
    assert len(hearing.heard) == 2
    look(nowhere, told, tell=hearing)
    assert len(hearing.heard) == 2
