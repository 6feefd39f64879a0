"""Too many notices to one person become one that says how many; nothing urgent waits, and nothing is dropped."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.delivery import deliver
from alerting.episodes import Act, Audience
from alerting.escalation import tick
from alerting.gathering import gather
from alerting.paging import Page, page
from alerting.profile.profile import Consequence, Priority
from alerting.throttle import Decision, Limit, crowd, decide, may_wait
from alerting.trace import Link, Traced, trace
from alerting.words import MEASURE_AGAIN
from tests.alerting.test_delivery import Phone
from tests.alerting.ward import T0, Ward

LIMIT = Limit()
MEDIUM = Consequence(
    rule="SPO2-AMBER", family="spo2_low", priority=Priority.MEDIUM, emergency=False, tier3=False, technical=False
)
HIGH = replace(MEDIUM, rule="SPO2-CRIT", priority=Priority.HIGH)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


@pytest.mark.parametrize(
    ("sent", "due", "go", "gather", "at"),
    [
        ([], 6, 6, 0, None),
        ([], 7, 6, 1, 10),
        ([-9, -8, -7, -6, -5], 1, 1, 0, None),
        ([-9, -8, -7, -6, -5], 3, 1, 2, 1),
        ([-9, -8, -7, -6, -5, -4], 1, 0, 1, 1),
        ([-10, -9, -8, -7, -6, -5], 1, 1, 0, None),
        ([-9.99, -9, -8, -7, -6, -5], 1, 0, 1, 0.01),
        ([-9, -8, -7, -6, -5, -4, -3, -2], 1, 0, 1, 3),
        ([], 0, 0, 0, None),
    ],
)
def test_so_many_go_and_the_rest_is_gathered_until_the_window_allows(
    sent: list[float], due: int, go: int, gather: int, at: float | None
) -> None:
    decision = decide([T0 + minutes(each) for each in sent], range(due), limit=LIMIT, now=T0)
    assert (len(decision.go), len(decision.gather)) == (go, gather)
    assert decision.gathered_at == (None if at is None else T0 + minutes(at))


def test_what_comes_while_one_gathers_is_gathered_too() -> None:
    decision = decide([], [1, 2], limit=LIMIT, now=T0, is_gathering=True)
    assert (decision.go, decision.gather) == ((), (1, 2))


@given(
    sent=st.lists(st.integers(-1200, 0), max_size=30),
    due=st.integers(0, 30),
    most=st.integers(1, 10),
    is_gathering=st.booleans(),
)
def test_nothing_is_lost_and_the_window_is_never_exceeded(
    sent: list[int], due: int, most: int, is_gathering: bool
) -> None:
    limit = Limit(most=most, within=minutes(10))
    at = [T0 + timedelta(seconds=each) for each in sent]
    decision = decide(at, range(due), limit=limit, now=T0, is_gathering=is_gathering)
    assert [*decision.go, *decision.gather] == list(range(due))
    lately = [each for each in at if each > T0 - limit.within]
    assert len(lately) + len(decision.go) <= max(most, len(lately))
    if decision.gathered_at is not None:
        then = [each for each in (*at, *(T0 for _ in decision.go)) if each > decision.gathered_at - limit.within]
        assert len(then) < most
        assert T0 <= decision.gathered_at <= T0 + limit.within
    assert isinstance(decision, Decision)


@pytest.mark.parametrize(
    ("consequence", "audience", "step", "act", "is_referral", "waits"),
    [
        (MEDIUM, Audience.FAMILY_DOCTOR, 0, "", False, True),
        (MEDIUM, Audience.TOWNSHIP_DUTY, 1, Act.DEADLINE, False, True),
        (MEDIUM, Audience.OPERATIONS, 0, "", False, True),
        (replace(MEDIUM, priority=Priority.LOW), Audience.FAMILY_DOCTOR, 0, "", False, True),
        (HIGH, Audience.FAMILY_DOCTOR, 0, "", False, False),
        (replace(MEDIUM, emergency=True), Audience.FAMILY_DOCTOR, 0, "", False, False),
        (MEDIUM, Audience.COUNTY_EXPERT, 0, "", False, False),
        (MEDIUM, Audience.COUNTY_EXPERT, 2, Act.DEADLINE, False, False),
        (MEDIUM, Audience.FAMILY_DOCTOR, 2, Act.DEADLINE, False, False),
        (MEDIUM, Audience.FAMILY_DOCTOR, 3, Act.DEADLINE, False, False),
        (MEDIUM, Audience.FAMILY_DOCTOR, 0, Act.REFER, False, False),
        (MEDIUM, Audience.FAMILY_DOCTOR, 0, Act.REFERRAL_STUCK, False, False),
        (MEDIUM, Audience.FAMILY_DOCTOR, 0, "", True, False),
        (MEDIUM, Audience.HOUSEHOLD, 0, "", False, False),
    ],
)
def test_what_may_wait(
    consequence: Consequence, audience: Audience, step: int, act: str, is_referral: bool, waits: bool
) -> None:
    assert may_wait(consequence, audience, step=step, act=act, is_referral=is_referral) is waits


@pytest.fixture
def phone() -> Iterator[Phone]:
    made = Phone()
    made.thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    made.thread.join()


@pytest.fixture
def ward(database: str, phone: Phone) -> Iterator[Ward]:
    """A ward whose doctor has two channels, and whose others have none."""
    with Ward(database) as made:
        url = f"json://127.0.0.1:{phone.server.server_port}/"
        made.connection.execute("UPDATE person SET channels = '{}'; UPDATE patient SET household_channels = '{}'")
        made.connection.execute("UPDATE person SET channels = %s WHERE key = 'li'", ([url + "1", url + "2"],))
        yield made


def alarm(ward: Ward, number: int, consequence: Consequence = MEDIUM, **how: Any) -> int:
    """Open an episode and page its family doctor by alerting's own paging."""
    row: Any = ward.connection.execute(
        "INSERT INTO episode (patient_id, family, technical, rule, priority, emergency, tier3, condition, state, step,"
        " service_tier, since, raised_at, detected_at, alarmed_at, due_at, evidence, profile_hash)"
        " VALUES (1, %(family)s, false, %(rule)s, %(priority)s, false, false, 'present', 'unack', 0, 2, %(now)s,"
        " %(now)s, %(now)s, %(now)s, %(due)s, '{}', (SELECT profile_hash FROM clinical_profile)) RETURNING episode_id",
        {
            "family": f"f{number}",
            "rule": consequence.rule,
            "priority": consequence.priority.value,
            "now": ward.now,
            "due": ward.now + minutes(15),
        },
    ).fetchone()
    whose: Any = ward.desk().one("patient", patient_id=1)
    message = Page(
        episode_id=row.episode_id,
        event_id=number,
        step=0,
        consequence=consequence,
        whose=whose,
        since=ward.now,
        audiences=(Audience.FAMILY_DOCTOR,),
    )
    page(ward.desk(), replace(message, **how))
    return int(row.episode_id)


def send(ward: Ward) -> int:
    with ThreadPoolExecutor(2) as pool:
        return deliver(ward.desk(), pool, speed=1, clock=lambda: ward.now, limit=LIMIT)


def rows(ward: Ward, outcome: str = "gathered") -> list[Any]:
    return ward.connection.execute("SELECT * FROM notice WHERE outcome = %s ORDER BY notice_id", (outcome,)).fetchall()


def gathering(ward: Ward) -> list[Any]:
    return ward.connection.execute("SELECT * FROM notice WHERE gathered IS NOT NULL ORDER BY notice_id").fetchall()


def test_beyond_six_in_ten_minutes_one_notice_speaks_of_the_rest(ward: Ward, phone: Phone) -> None:
    for number in range(9):
        alarm(ward, number)
    assert send(ward) == 6
    first, reserve = gathering(ward)
    assert (first.gathered, first.due_at, first.outcome) == (3, T0 + minutes(10), "")
    assert (reserve.gathered, reserve.due_at, reserve.outcome) == (3, None, "in reserve")
    assert [row.gathered_into for row in rows(ward)] == [first.notice_id] * 3
    ward.now += minutes(5)
    alarm(ward, 9)
    assert send(ward) == 0
    assert [row.gathered for row in gathering(ward)] == [4, 4]
    ward.now = T0 + minutes(10)
    assert send(ward) == 1
    sent = gathering(ward)[0]
    assert (sent.title.startswith("【汇总 SUMMARY】4条"), sent.body.splitlines()[-1]) == (True, "http://console/")
    assert (sent.sent_at, sent.outcome) == (ward.now, "accepted by channel")
    assert len(phone.keys) == 7
    ward.now += minutes(1)
    alarm(ward, 10)
    assert send(ward) == 1  # one has gone since: there is room again
    assert all(row.sent_at is None for row in rows(ward))


def test_what_is_urgent_goes_at_once_among_hundreds_that_wait(ward: Ward, phone: Phone) -> None:
    for number in range(200):
        alarm(ward, number)
    send(ward)
    assert (len(phone.keys), len(rows(ward))) == (6, 194)
    urgent = [
        alarm(ward, 300, HIGH),
        alarm(ward, 301, replace(MEDIUM, emergency=True)),
        alarm(ward, 302, step=2, act=Act.DEADLINE.value),
        alarm(ward, 303, step=3, act=Act.DEADLINE.value),
        alarm(ward, 304, act=Act.REFER.value),
        alarm(ward, 305, words=MEASURE_AGAIN, path="/referrals#referral-1"),
    ]
    assert send(ward) == len(urgent)
    found = ward.connection.execute(
        "SELECT DISTINCT episode_id FROM notice WHERE sent_at IS NOT NULL AND episode_id = ANY(%s)", (urgent,)
    ).fetchall()
    assert len(found) == len(urgent)


def test_what_is_urgent_does_not_count(ward: Ward, phone: Phone) -> None:
    for number in range(8):
        alarm(ward, number, HIGH)
    for number in range(6):
        alarm(ward, 100 + number)
    assert send(ward) == 14
    assert gathering(ward) == []
    assert len(phone.keys) == 14


@pytest.mark.parametrize(
    ("due", "lately", "alone"),
    [
        (0, 0, 0),
        (8, 0, 8),
        (9, 0, 3),
        (300, 0, 3),
        (1, 7, 1),
        (1, 8, 1),
        (2, 8, 0),
        (5, 4, 0),
        (5, 3, 5),
        (7, 2, 1),
        (9, 1, 2),
    ],
)
def test_of_very_many_urgent_ones_within_a_minute_one_speaks_of_the_others(due: int, lately: int, alone: int) -> None:
    assert crowd(due, lately=lately) == alone


def test_very_many_urgent_ones_at_once_are_four_messages_at_once(ward: Ward, phone: Phone) -> None:
    for number in range(30):
        alarm(ward, number, HIGH)
    for number in range(3):
        alarm(ward, 100 + number)
    assert send(ward) == 4 + 3
    first, _reserve = gathering(ward)
    assert (first.gathered, first.sent_at, first.may_wait) == (27, ward.now, False)
    assert first.title == "【紧急汇总 URGENT】同时发生27条警报 / 27 alarms at once"
    lines = first.body.splitlines()
    assert (len(lines), lines[-2:]) == (14, ["… +17", "http://console/"])
    assert lines[2] == rows(ward)[0].title
    held = rows(ward)
    assert [row.gathered_into for row in held] == [first.notice_id] * 27
    assert len(phone.keys) == 7
    ward.now += minutes(1)
    alarm(ward, 200, HIGH)
    assert send(ward) == 1
    assert len(gathering(ward)) == 2


def test_a_gathered_notice_is_delivered_by_the_one_that_speaks_of_it(ward: Ward, phone: Phone) -> None:
    """The person's first channel refuses the notice that gathers, and the second takes it: the trace says so."""
    numbers = [alarm(ward, number, HIGH) for number in range(30)]

    def delivered() -> Traced:
        found = trace(ward.desk(), numbers[-1])
        assert found is not None
        return next(each for each in found.links if each.link is Link.DELIVERED)

    gather(ward.desk(), LIMIT)
    assert delivered().at is None
    phone.statuses = [503] * 4
    send(ward)
    first, second = gathering(ward)
    assert (first.outcome, second.outcome) == ("refused", "accepted by channel")
    assert delivered().at == second.sent_at
    assert delivered().detail == (
        f"0 accepted by their channel, 1 told by notice {second.notice_id} that gathers several"
    )


def test_one_that_speaks_of_urgent_ones_goes_before_households_and_what_may_wait(ward: Ward) -> None:
    for number in range(30):
        alarm(ward, number, HIGH)
    ward.connection.execute(
        "INSERT INTO notice (patient_id, good_until, key, recipient, audience, service_tier, step, channel_url, title,"
        " body, created_at, due_at) SELECT 1, %s, 'ask:' || n, 'b1', 'household', 0, 0, 'json://localhost:1/', '', '',"
        " %s, %s FROM generate_series(1, 5) n",
        (T0 + minutes(1), T0, T0),
    )
    gather(ward.desk(), LIMIT)
    claimed = ward.desk().all("claim_notices", now=T0, lease_until=T0 + minutes(1), limit=4)
    assert sorted(row.key.partition(":")[0] == "gathered" for row in claimed) == [False, False, False, True]


def test_a_desk_that_is_asked_for_many_patients_is_asked_for_each(ward: Ward) -> None:
    for number in range(12):
        alarm(ward, number, HIGH)
    ward.connection.execute("UPDATE notice SET audience = 'receiver'")
    gather(ward.desk(), LIMIT)
    assert gathering(ward) == []


def test_deadlines_go_on_while_notices_are_held_back(ward: Ward) -> None:
    ward.connection.execute("UPDATE person SET channels = (SELECT channels FROM person WHERE key = 'li')")
    held = [alarm(ward, number) for number in range(9)][6:]
    send(ward)
    ward.now += minutes(15)
    tick(ward.desk())
    states = ward.connection.execute("SELECT step FROM episode WHERE episode_id = ANY(%s)", (held,)).fetchall()
    assert [row.step for row in states] == [1, 1, 1]
    told = ward.connection.execute("SELECT count(*) AS n FROM notice WHERE recipient_id = 2 AND step = 1").fetchone()
    assert told is not None
    assert told.n == 18  # nine alarms, over two channels


def test_one_that_gathers_goes_by_the_next_channel_where_the_first_refuses(ward: Ward, phone: Phone) -> None:
    for number in range(8):
        alarm(ward, number)
    send(ward)
    ward.now += minutes(10)
    phone.statuses = [503]
    assert send(ward) == 1
    assert [row.outcome for row in gathering(ward)] == ["refused", "accepted by channel"]


def test_what_comes_while_it_goes_over_to_the_next_channel_is_not_mixed_into_it(ward: Ward, phone: Phone) -> None:
    for number in range(8):
        alarm(ward, number)
    send(ward)
    ward.now += minutes(10)
    phone.statuses = [503]
    phone.when_called = lambda _: alarm(ward, 50) if phone.statuses else None
    send(ward)
    said = [(row.key.rpartition(":")[2], row.gathered) for row in gathering(ward)]
    assert said[:2] == [("0", 2), ("1", 2)]
    assert {row.gathered_into for row in rows(ward)} <= {
        row.notice_id for row in gathering(ward) if row.key[-2:] == ":0"
    }


def test_one_that_gathers_is_tried_for_as_long_as_any_of_its_alarms_is_open(ward: Ward, phone: Phone) -> None:
    for number in range(7):
        alarm(ward, number)
    send(ward)
    ward.now += minutes(10)
    phone.statuses = [503] * 60
    for _ in range(20):
        send(ward)
        ward.now += minutes(1)
    phone.statuses = []
    assert send(ward) >= 1
    assert gathering(ward)[0].outcome == "accepted by channel"


def test_each_person_has_a_window_of_his_own(ward: Ward, phone: Phone) -> None:
    ward.connection.execute("UPDATE person SET channels = (SELECT channels FROM person WHERE key = 'li')")
    for number in range(6):
        alarm(ward, number)
        alarm(ward, 100 + number, audiences=(Audience.TOWNSHIP_DUTY,), step=1)
    assert send(ward) == 12
    assert gathering(ward) == []
    assert len(phone.keys) == 12


def test_at_the_window_s_end_nothing_is_held_that_nothing_speaks_of(ward: Ward) -> None:
    for number in range(40):
        alarm(ward, number)
        ward.now += timedelta(seconds=20)
        send(ward)
    end: datetime = ward.now + minutes(30)
    while ward.now < end:
        ward.now += minutes(1)
        send(ward)
    held = rows(ward)
    sent = {row.notice_id: row for row in gathering(ward) if row.sent_at is not None}
    assert {row.gathered_into for row in held} <= set(sent)
    assert sum(row.gathered for row in sent.values()) == len(held)
    direct = ward.connection.execute(
        "SELECT count(*) AS n FROM notice WHERE sent_at IS NOT NULL AND gathered IS NULL"
    ).fetchone()
    assert direct is not None
    assert direct.n + len(held) == 40
