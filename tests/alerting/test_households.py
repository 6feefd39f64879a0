"""A household's contacts are told in order: the first at once, the next who fails or stays unanswered; by consent."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from alerting.acts import acknowledge
from alerting.delivery import deliver
from alerting.escalation import tick
from alerting.paging import ask_household
from alerting.words import MEASURE_AGAIN
from tests.alerting.streams import FALL_S
from tests.alerting.test_delivery import Phone
from tests.alerting.ward import Ward

DOCTOR, EXPERT = 1, 3
STEP = timedelta(minutes=3)
"""After which the township's duty is told of a high alarm, and a household's next contact."""


@pytest.fixture
def phone() -> Iterator[Phone]:
    made = Phone()
    made.thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    made.thread.join()


class Family:
    """The ward's patient 1 with contacts whose channels a real webhook takes; nobody else has any."""

    def __init__(self, ward: Ward, phone: Phone) -> None:
        self.ward, self.phone = ward, phone
        self.url = f"json://127.0.0.1:{phone.server.server_port}/"
        ward.connection.execute("UPDATE person SET channels = '{}'; UPDATE patient SET household_channels = '{}'")

    def add(self, name: str, *paths: str, may_be_told: bool = True) -> None:
        self.ward.connection.execute(
            "INSERT INTO contact (patient_id, place, name, relation, phone, channels, may_be_told, lives_with,"
            " entered_at) SELECT 1, count(*) + 1, %s, 'child', '', %s, %s, false, %s FROM contact",
            (name, [self.url + path for path in paths], may_be_told, self.ward.now),
        )

    def consents(self, given: bool) -> None:
        self.ward.now += timedelta(seconds=1)
        self.ward.connection.execute(
            "INSERT INTO consent (patient_id, purpose, version, given, given_by, at, recorded_at)"
            " VALUES (1, 'telling_kin', '2026-01', %s, 'patient', %s, %s)",
            (given, self.ward.now, self.ward.now),
        )

    def own_channels(self, *paths: str) -> None:
        channels = [self.url + path for path in paths]
        self.ward.connection.execute("UPDATE patient SET household_channels = %s WHERE patient_id = 1", (channels,))

    def fall(self) -> int:
        self.ward.spo2(1, [8400] * FALL_S)
        return int(self.ward.episodes()[0].episode_id)

    def send(self, after: timedelta = timedelta(0)) -> None:
        self.ward.now += after
        with ThreadPoolExecutor(2) as pool:
            deliver(self.ward.desk(), pool, speed=1, clock=lambda: self.ward.now)

    @property
    def notices(self) -> list[Any]:
        return self.ward.connection.execute(
            "SELECT * FROM notice WHERE audience = 'household' ORDER BY notice_id"
        ).fetchall()

    @property
    def reached(self) -> list[str]:
        """Who has got a notice, in order."""
        rows = self.ward.connection.execute(
            "SELECT recipient FROM notice WHERE audience = 'household' AND sent_at IS NOT NULL"
            " ORDER BY sent_at, notice_id"
        ).fetchall()
        return [row.recipient for row in rows]


@pytest.fixture
def family(database: str, phone: Phone) -> Iterator[Family]:
    with Ward(database) as ward:
        yield Family(ward, phone)


def test_the_first_contact_is_told_at_once_and_the_next_while_nobody_answers(family: Family) -> None:
    for name in ("daughter", "son", "neighbour"):
        family.add(name, name)
    family.consents(True)
    family.fall()
    family.send()
    assert family.reached == ["daughter"]
    family.send(STEP - timedelta(seconds=1))
    assert family.reached == ["daughter"]
    family.send(timedelta(seconds=1))
    assert family.reached == ["daughter", "son"]
    family.send(STEP)
    assert family.reached == ["daughter", "son", "neighbour"]
    assert {row.body for row in family.notices} == {family.notices[0].body}
    assert "P1" in family.notices[0].body


def test_once_somebody_has_taken_responsibility_no_further_contact_is_told(family: Family) -> None:
    family.add("daughter", "d")
    family.add("son", "s")
    family.consents(True)
    number = family.fall()
    family.send()
    acknowledge(family.ward.connection, episode_id=number, person_id=DOCTOR, channel="test", now=family.ward.now)
    family.send(STEP)
    assert [(row.recipient, row.outcome) for row in family.notices] == [
        ("daughter", "accepted by channel"),
        ("son", "answered meanwhile"),
    ]


def test_who_can_not_be_reached_is_followed_by_the_next_at_once_over_all_his_channels(
    family: Family, phone: Phone
) -> None:
    family.add("daughter", "d1", "d2")
    family.add("son", "s")
    family.consents(True)
    phone.statuses = [503, 503]
    family.fall()
    family.send()
    assert [(row.recipient, row.outcome) for row in family.notices] == [
        ("daughter", "refused"),
        ("daughter", "refused"),
        ("son", "accepted by channel"),
    ]


def test_the_households_own_channels_come_before_its_contacts(family: Family) -> None:
    family.own_channels("home", "grandfather")
    family.add("daughter", "d")
    family.consents(True)
    family.fall()
    family.send()
    assert family.reached == ["b1"]
    family.send(STEP)
    assert family.reached == ["b1", "daughter"]


@pytest.mark.parametrize(
    ("may_be_told", "consents"), [(False, [True]), (True, []), (True, [True, False]), (True, [False])]
)
def test_whom_the_patient_does_not_want_to_hear_is_not_told(
    family: Family, may_be_told: bool, consents: list[bool]
) -> None:
    family.own_channels("home")
    family.add("daughter", "d", may_be_told=may_be_told)
    for given in consents:
        family.consents(given)
    family.fall()
    family.send(3 * STEP)
    assert [row.recipient for row in family.notices] == ["b1"]


def test_two_contacts_of_one_name_are_two_and_who_has_no_channel_is_passed_by(family: Family) -> None:
    family.add("Zhang", "a")
    family.add("by telephone alone")
    family.add("Zhang", "b")
    family.consents(True)
    family.fall()
    family.send()
    family.send(STEP)
    assert family.reached == ["Zhang", "Zhang"]


def test_without_any_channel_the_household_has_to_be_phoned_as_ever(family: Family) -> None:
    family.add("by telephone alone")
    family.consents(True)
    family.fall()
    assert [(row.recipient, row.outcome) for row in family.notices] == [("b1", "no channel")]


def test_an_alarm_that_rings_anew_begins_with_the_first_contact_again(family: Family) -> None:
    family.add("daughter", "d")
    family.add("son", "s")
    family.consents(True)
    number = family.fall()
    family.send()
    for person in (DOCTOR, EXPERT):
        acknowledge(family.ward.connection, episode_id=number, person_id=person, channel="test", now=family.ward.now)
    family.ward.spo2(1, [9700] * 700 + [8400] * FALL_S)
    family.send()
    assert family.reached == ["daughter", "daughter"]
    family.send(STEP)
    assert family.reached == ["daughter", "daughter", "son"]
    tick(family.ward.desk())
    assert [row.outcome for row in family.notices if row.recipient == "son"] == [
        "answered meanwhile",
        "accepted by channel",
    ]


def test_what_a_household_is_asked_goes_to_a_contact_where_it_has_no_channel(family: Family, phone: Phone) -> None:
    family.add("daughter", "d")
    family.add("son", "s")
    family.consents(True)
    until = family.ward.now + timedelta(minutes=10)
    ask_household(family.ward.desk(), 1, MEASURE_AGAIN, key="asked:1", good_until=until)
    phone.statuses = [503]
    family.send()
    assert [(row.recipient, row.outcome) for row in family.notices] == [
        ("daughter", "refused"),
        ("son", "accepted by channel"),
    ]
