"""A change of duty is told by a low notice to those whom it concerns, once, and never to who has said it himself."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from alerting.delivery import deliver
from alerting.duty_news import tell_of_duty
from alerting.sweep import sweep
from alerting.throttle import Limit
from care.changing_duty import accept_swap, override, propose_swap, revoke, take_leave
from care.duty_changes import Leave, Override, Span, Swap
from care.registry import DutyRole
from tests.alerting.streams import FALL_S
from tests.alerting.test_delivery import Phone
from tests.alerting.ward import T0, Ward

HOUR = timedelta(hours=1)
LI, DUTY, KEEPER, CHEN = 1, 2, 5, 6
PEOPLE = """
INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier, channels) VALUES
    (5, 'keeper', '协调员', 'Coordinator', 1, 'coordinator', 2, '{json://localhost:1/keeper}'),
    (6, 'chen', '陈医生', 'Dr Chen', 2, 'family_doctor', 2, '{json://localhost:1/chen,json://localhost:1/chen-2}');
"""
TOWNSHIP = {"organisation": "town", "duty_role": DutyRole.TOWNSHIP_DUTY}


@pytest.fixture
def ward(database: str) -> Iterator[Ward]:
    with Ward(database) as made:
        made.connection.execute(PEOPLE)
        yield made


def span(begin_h: float, end_h: float) -> Span:
    return Span(since=T0 + begin_h * HOUR, until=T0 + end_h * HOUR)


def notices(ward: Ward) -> list[Any]:
    return ward.connection.execute(
        "SELECT * FROM notice WHERE duty_change_id IS NOT NULL ORDER BY notice_id"
    ).fetchall()


def told(ward: Ward) -> list[tuple[str, str]]:
    """Tell what was not told yet; gives to whom, and what in English."""
    before = len(notices(ward))
    ward.now += timedelta(seconds=5)
    sweep(ward.desk())
    new = [row for row in notices(ward)[before:] if row.key.endswith(":0")]
    return [(row.recipient, row.title.partition(": ")[2]) for row in new]


def stand_in(ward: Ward, *, by: int = KEEPER, **more: Any) -> int:
    return override(
        ward.connection, Override(**TOWNSHIP, person="chen", span=span(2, 5), **more), said_by=by, now=ward.now
    )


@pytest.mark.parametrize("in_place_of", [None, "duty"])
def test_who_is_put_on_and_who_is_replaced_are_told_and_again_when_it_is_taken_back(
    ward: Ward, in_place_of: str | None
) -> None:
    change = stand_in(ward, in_place_of=in_place_of)
    assert told(ward) == [("值班", "somebody is on duty in your place"), ("陈医生", "you are put on duty")]
    first, _, reserve = notices(ward)
    assert first.title == "【低 LOW】镇 乡镇值班 由他人代您值班 / Town township duty: somebody is on duty in your place"
    assert (
        first.body.splitlines()[0] == "由他人代您值班(03-01 22:00 – 03-02 01:00)"
    )  # 14:00 UTC, in the town's own time
    assert first.body.splitlines()[-1] == "http://console/duty"
    assert (first.urgency, first.may_wait, first.good_until) == (2, True, T0 + 5 * HOUR)
    assert (reserve.recipient, reserve.outcome, reserve.due_at) == ("陈医生", "in reserve", None)
    assert told(ward) == []
    revoke(ward.connection, change, person_id=KEEPER, now=ward.now)
    assert told(ward) == [
        ("值班", "taken back: you are on duty again"),
        ("陈医生", "taken back: you are no longer on duty"),
    ]
    assert told(ward) == []


def test_who_takes_a_duty_over_himself_is_not_told_of_it(ward: Ward) -> None:
    stand_in(ward, by=CHEN)
    assert told(ward) == [("值班", "somebody is on duty in your place")]


def test_a_swap_asks_and_answers(ward: Ward) -> None:
    ward.connection.execute("DELETE FROM duty WHERE duty_role = 'township_duty'")
    ward.connection.execute(
        "INSERT INTO duty (organisation_id, duty_role, person_id, valid) VALUES"
        " (2, 'township_duty', 2, tstzrange(%s, %s)), (2, 'township_duty', 6, tstzrange(%s, %s))",
        [T0, T0 + 10 * HOUR, T0 + 10 * HOUR, T0 + 20 * HOUR],
    )
    wish = Swap(**TOWNSHIP, person="duty", span=span(2, 10), other="chen", other_span=span(12, 20))
    change = propose_swap(ward.connection, wish, said_by=DUTY, now=ward.now)
    assert told(ward) == [("陈医生", "somebody asks to swap with you: please answer")]
    accept_swap(ward.connection, change, person_id=CHEN, now=ward.now)
    assert told(ward) == [("值班", "your swap is agreed")]
    revoke(ward.connection, change, person_id=DUTY, now=ward.now)
    assert told(ward) == [("陈医生", "the swap is taken back")]
    again = propose_swap(ward.connection, wish, said_by=DUTY, now=ward.now)
    assert len(told(ward)) == 1
    revoke(ward.connection, again, person_id=CHEN, now=ward.now)
    assert told(ward) == [("值班", "your swap is declined")]


def test_leave_tells_who_stands_in_and_without_one_the_coordinator(ward: Ward) -> None:
    away = Leave(person="li", span=span(2, 9))
    change = take_leave(ward.connection, away, said_by=LI, now=ward.now)
    assert told(ward) == [("协调员", "a family doctor is away and nobody stands in: please arrange it")]
    revoke(ward.connection, change, person_id=KEEPER, now=ward.now)
    assert told(ward) == [("李医生", "your leave is taken back: alarms come to you again")]
    with_substitute = Leave(person="li", span=span(2, 9), substitute="chen")
    take_leave(ward.connection, with_substitute, said_by=LI, now=ward.now)
    assert told(ward) == [("陈医生", "you stand in as family doctor")]
    take_leave(ward.connection, Leave(person="chen", span=span(40, 50)), said_by=KEEPER, now=ward.now)
    assert told(ward) == [("陈医生", "you are entered as away")]  # he is nobody's own family doctor


def test_what_is_over_is_not_told_and_no_notice_names_a_patient(ward: Ward) -> None:
    stand_in(ward)
    ward.now = T0 + 6 * HOUR
    assert told(ward) == []


@pytest.fixture
def phone() -> Iterator[Phone]:
    made = Phone()
    made.thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    made.thread.join()


def send(ward: Ward) -> None:
    with ThreadPoolExecutor(1) as pool:
        deliver(ward.desk(), pool, speed=1, clock=lambda: ward.now, limit=Limit())


def reach(ward: Ward, phone: Phone, *keys: str) -> None:
    """Let the webhook be the one channel of these people; nobody else has any."""
    url = f"json://127.0.0.1:{phone.server.server_port}/"
    ward.connection.execute("UPDATE person SET channels = '{}'; UPDATE patient SET household_channels = '{}'")
    ward.connection.execute("UPDATE person SET channels = ARRAY[%s || key] WHERE key = ANY(%s)", (url, list(keys)))


def test_an_alarm_goes_before_what_is_told_of_duty(ward: Ward, phone: Phone) -> None:
    reach(ward, phone, "chen", "li")
    stand_in(ward)
    tell_of_duty(ward.desk())
    ward.spo2(1, [8400] * FALL_S)
    send(ward)
    assert [key.partition(":")[0] for key in phone.keys] == ["1", "duty"]


def test_beyond_six_in_ten_minutes_changes_of_duty_are_gathered_as_low_alarms_are(ward: Ward, phone: Phone) -> None:
    reach(ward, phone, "chen")
    for hour in range(8):
        wish = Override(**TOWNSHIP, person="chen", span=span(10 + hour, 11 + hour), in_place_of="duty")
        override(ward.connection, wish, said_by=KEEPER, now=ward.now)
    tell_of_duty(ward.desk())
    send(ward)
    (gathered,) = ward.connection.execute("SELECT * FROM notice WHERE gathered IS NOT NULL").fetchall()
    assert (gathered.gathered, gathered.recipient, len(phone.keys)) == (2, "陈医生", 6)
    assert "其中2条为值班变更 / 2 of them are changes of duty: http://console/duty" in gathered.body
    ward.now += timedelta(minutes=10)
    send(ward)
    assert phone.keys[-1].startswith("gathered:")
