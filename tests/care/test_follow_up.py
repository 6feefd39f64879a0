"""When the next contact is due: by local days, over changes of the clock and ends of months; what a contact changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from care.follow_up import (
    DAYS,
    EVENING,
    NOON,
    TRIES_MAX,
    Answer,
    Antigen,
    Cadence,
    Contact,
    FollowUpRefused,
    Lateness,
    Sign,
    Standing,
    Way,
    after_change,
    after_contact,
    begun,
    check,
    lateness,
    next_due,
)
from care.helping import OPEN_TASKS_MAX, TaskRefused, What, Wish, check_task

SHANGHAI, BERLIN, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
ZONES = (SHANGHAI, BERLIN, NEW_YORK, ZoneInfo("Asia/Kathmandu"), ZoneInfo("Pacific/Apia"))
THREE, TWO, DAILY, TWICE = Cadence.EVERY_3_DAYS, Cadence.EVERY_2_DAYS, Cadence.DAILY, Cadence.TWICE_A_DAY
INSTANTS = st.integers(1_577_836_800, 2_208_988_800).map(lambda second: datetime.fromtimestamp(second, UTC))
NONE_OF_THEM = dict.fromkeys(Sign, Answer.NO)


def local(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("cadence", "after", "due", "zone"),
    [
        (THREE, "2026-11-22 09:00", "2026-11-25 20:00", SHANGHAI),
        (THREE, "2026-11-22 23:59", "2026-11-25 20:00", SHANGHAI),
        (THREE, "2026-11-23 00:00", "2026-11-26 20:00", SHANGHAI),
        (THREE, "2026-12-30 20:00", "2027-01-02 20:00", SHANGHAI),
        (THREE, "2028-02-27 10:00", "2028-03-01 20:00", SHANGHAI),
        (THREE, "2027-02-27 10:00", "2027-03-02 20:00", SHANGHAI),
        (TWO, "2026-04-29 10:00", "2026-05-01 20:00", SHANGHAI),
        (DAILY, "2026-10-31 21:00", "2026-11-01 20:00", SHANGHAI),
        (THREE, "2026-03-27 10:00", "2026-03-30 20:00", BERLIN),  # the clock is put forward on the 29th
        (THREE, "2026-10-23 10:00", "2026-10-26 20:00", BERLIN),  # and back on the 25th
        (DAILY, "2026-03-07 12:00", "2026-03-08 20:00", NEW_YORK),
        (TWICE, "2026-11-22 05:59", "2026-11-22 12:00", SHANGHAI),
        (TWICE, "2026-11-22 06:00", "2026-11-22 12:00", SHANGHAI),
        (TWICE, "2026-11-22 06:01", "2026-11-22 20:00", SHANGHAI),
        (TWICE, "2026-11-22 14:00", "2026-11-22 20:00", SHANGHAI),
        (TWICE, "2026-11-22 14:01", "2026-11-23 12:00", SHANGHAI),
        (TWICE, "2026-11-30 19:00", "2026-12-01 12:00", SHANGHAI),
    ],
)
def test_the_next_contact_is_due_by_local_days(cadence: Cadence, after: str, due: str, zone: ZoneInfo) -> None:
    assert next_due(cadence, after=local(after, zone), zone=zone) == local(due, zone)


def test_a_due_time_is_the_same_by_the_clock_on_both_sides_of_a_change_and_another_in_utc() -> None:
    before = next_due(THREE, after=local("2026-03-24 10:00", BERLIN), zone=BERLIN)
    behind = next_due(THREE, after=local("2026-03-27 10:00", BERLIN), zone=BERLIN)
    assert (before.hour, behind.hour) == (19, 18)


@given(INSTANTS, st.sampled_from(Cadence), st.sampled_from(ZONES))
def test_due_is_always_later_by_day_and_never_further_than_the_cadence(
    at: datetime, cadence: Cadence, zone: ZoneInfo
) -> None:
    due = next_due(cadence, after=at, zone=zone)
    there = due.astimezone(zone)
    assert due > at
    assert there.time() in ((EVENING,) if cadence in DAYS else (NOON, EVENING))
    if cadence in DAYS:
        assert (there.date() - at.astimezone(zone).date()).days == DAYS[cadence]
    else:
        assert timedelta(hours=6) <= due - at <= timedelta(hours=23)


@given(INSTANTS, INSTANTS, st.sampled_from(Cadence), st.sampled_from(ZONES), st.integers(0, 9))
def test_reaching_nobody_postpones_nothing(
    due_at: datetime, at: datetime, cadence: Cadence, zone: ZoneInfo, tries: int
) -> None:
    standing = Standing(cadence=cadence, due_at=due_at, anchor=at, tries=tries)
    new = after_contact(standing, reached=False, at=at, zone=zone)
    assert new.due_at <= due_at
    assert (new.tries, new.anchor, new.cadence) == (tries + 1, at, cadence)


@pytest.mark.parametrize(
    ("at", "due"),
    [
        ("2026-11-24 10:00", "2026-11-24 12:00"),
        ("2026-11-24 19:30", "2026-11-24 20:00"),
        ("2026-11-24 20:00", "2026-11-25 12:00"),
        ("2026-11-25 19:00", "2026-11-25 20:00"),
        ("2026-11-26 09:00", "2026-11-25 20:00"),
    ],
)
def test_it_is_tried_again_the_same_day(at: str, due: str) -> None:
    standing = begun(THREE, now=local("2026-11-22 09:00"), zone=SHANGHAI)
    assert after_contact(standing, reached=False, at=local(at), zone=SHANGHAI).due_at == local(due)


def test_after_so_many_tries_somebody_goes_there_once_and_reaching_begins_anew() -> None:
    standing = begun(THREE, now=local("2026-11-22 09:00"), zone=SHANGHAI)
    wanted = []
    for hour in range(TRIES_MAX + 2):
        standing = after_contact(standing, reached=False, at=local(f"2026-11-25 {10 + hour}:00"), zone=SHANGHAI)
        wanted.append(standing.needs_visit)
    assert wanted == [False] * (TRIES_MAX - 1) + [True, False, False]
    reached = after_contact(standing, reached=True, at=local("2026-11-25 18:00"), zone=SHANGHAI)
    assert (reached.tries, reached.due_at) == (0, local("2026-11-28 20:00"))


@pytest.mark.parametrize(
    ("now", "cadence", "due"),
    [
        ("2026-11-23 09:00", DAILY, "2026-11-23 20:00"),
        ("2026-11-24 09:00", DAILY, "2026-11-24 20:00"),  # yesterday has gone: from now on
        ("2026-11-24 21:00", DAILY, "2026-11-25 20:00"),
        ("2026-11-24 09:00", TWICE, "2026-11-24 12:00"),
        ("2026-11-26 09:00", DAILY, "2026-11-25 20:00"),  # overdue stays overdue
        ("2026-11-26 09:00", THREE, "2026-11-25 20:00"),
    ],
)
def test_denser_on_demand_counts_from_the_last_contact(now: str, cadence: Cadence, due: str) -> None:
    standing = begun(THREE, now=local("2026-11-22 09:00"), zone=SHANGHAI)
    changed = after_change(standing, cadence, now=local(now), zone=SHANGHAI)
    assert (changed.due_at, changed.cadence) == (local(due), cadence)


@pytest.mark.parametrize(
    ("now", "found"),
    [
        ("2026-11-24 23:59", Lateness.COMING),
        ("2026-11-25 00:00", Lateness.TODAY),
        ("2026-11-25 19:59", Lateness.TODAY),
        ("2026-11-25 20:00", Lateness.OVERDUE),
        ("2026-11-26 20:00", Lateness.OVERDUE),
        ("2026-11-26 20:01", Lateness.LONG_OVERDUE),
    ],
)
def test_how_late_it_is_goes_by_the_day_where_the_patient_lives(now: str, found: Lateness) -> None:
    assert lateness(local("2026-11-25 20:00"), local(now), SHANGHAI) is found


NOW = local("2026-11-22 09:00")
ASKED = {"way": Way.PHONE, "reached": True, "signs": NONE_OF_THEM}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"signs": {}}, "nothing was asked"),
        ({"reached": False}, "nobody was reached, yet"),
        ({"reached": False, "signs": {}, "spo2": "96"}, "nobody was reached, yet"),
        ({"antigen_at": NOW}, "no result"),
        ({"antigen": Antigen.POSITIVE, "antigen_at": NOW + timedelta(seconds=1)}, "to come"),
        ({"temperature": "3" * 41}, "at most 40 characters, not 41"),
        ({"note": "x" * 2001}, "this one has 2001"),
    ],
)
def test_a_contact_that_can_not_have_been_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(FollowUpRefused, match=says):
        check(Contact(**(ASKED | changes)), now=NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"reached": False, "signs": {}},
        {"signs": {}, "note": "asleep; the daughter answers for her"},
        {"way": Way.REPORT, "signs": {}},
        {"antigen": Antigen.NEGATIVE, "antigen_at": NOW, "temperature": "37.2", "spo2": "96-97"},
    ],
)
def test_a_contact_that_can_have_been_is_taken(changes: dict[str, object]) -> None:
    check(Contact(**(ASKED | changes)), now=NOW)  # type: ignore[arg-type]


def test_what_was_not_asked_is_neither_a_warning_nor_an_all_clear() -> None:
    part = Contact(way=Way.PHONE, reached=True, signs={Sign.PAIN: Answer.NO})
    assert (part.warning_signs, part.is_all_clear) == ((), False)
    every = Contact(way=Way.PHONE, reached=True, signs=NONE_OF_THEM)
    assert (every.warning_signs, every.is_all_clear) == ((), True)
    one = Contact(way=Way.PHONE, reached=True, signs=NONE_OF_THEM | {Sign.SEIZURE: Answer.YES})
    assert (one.warning_signs, one.is_all_clear) == ((Sign.SEIZURE,), False)


@pytest.mark.parametrize(
    ("wish", "count", "says"),
    [
        (Wish(what=What.VISIT, due_at=NOW), 0, "late when it is made"),
        (Wish(what=What.OTHER, due_at=NOW + timedelta(hours=1)), 0, "needs a note"),
        (Wish(what=What.MEASURE, due_at=NOW + timedelta(hours=1)), OPEN_TASKS_MAX, "20 tasks are open"),
    ],
)
def test_a_task_nobody_could_do_is_refused(wish: Wish, count: int, says: str) -> None:
    with pytest.raises(TaskRefused, match=says):
        check_task(wish, now=NOW, open_tasks=count)


def test_a_task_is_taken_up_to_the_bound() -> None:
    check_task(Wish(what=What.MEASURE, due_at=NOW + timedelta(hours=1)), now=NOW, open_tasks=OPEN_TASKS_MAX - 1)
