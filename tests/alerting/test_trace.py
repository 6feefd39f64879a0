"""One episode's chain from the reading to the return home, on real databases, and the first link that is missing."""

import json
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from alerting.acts import acknowledge, decide, refer, say_of_referral
from alerting.cases.transfer import Event
from alerting.commands import app
from alerting.trace import Link, Trace, trace
from care.referral import Driver, Picture, Severity
from tests.alerting.streams import FALL_S
from tests.alerting.test_referring import DOCTOR, EXPERT, FIRST, HOSPITALS
from tests.alerting.ward import Ward

BEFORE_ANYBODY = ["reading", "stored", "judged", "episode", "notice"]


def traced(ward: Ward) -> Trace:
    found = trace(ward.desk(), ward.episodes()[0].episode_id)
    assert found is not None
    return found


def there(found: Trace) -> list[str]:
    return [each.link.value for each in found.links if each.at is not None]


@pytest.fixture
def fallen(ward: Ward) -> Ward:
    ward.connection.execute(HOSPITALS.encode())
    ward.spo2(1, [8400] * FALL_S)
    return ward


def deliver(ward: Ward) -> None:
    ward.connection.execute(
        "UPDATE notice SET sent_at = %s, outcome = 'accepted by channel', due_at = NULL", (ward.now,)
    )


def test_an_alarm_that_nobody_was_handed_lacks_its_delivery(fallen: Ward) -> None:
    found = traced(fallen)
    assert there(found) == BEFORE_ANYBODY
    assert found.missing is Link.DELIVERED
    assert found.due_at == fallen.episodes()[0].due_at


def test_every_link_is_there_in_its_order_when_the_patient_is_home_again(fallen: Ward) -> None:
    deliver(fallen)
    assert traced(fallen).missing is Link.ACKNOWLEDGED
    act: dict[str, Any] = {"episode_id": fallen.episodes()[0].episode_id, "channel": "test"}
    fallen.now += timedelta(minutes=1)
    acknowledge(fallen.connection, person_id=EXPERT, now=fallen.now, **act)
    assert traced(fallen).missing is Link.DECIDED
    severe = Picture(severity=Severity.SEVERE, driver=Driver.INFECTION)
    referral_id = refer(fallen.connection, person_id=EXPERT, picture=severe, note="", now=fallen.now, **act)
    said: dict[str, Any] = {"referral_id": referral_id, "channel": "test"}
    missing = []
    for event, person_id in (
        (Event.ACCEPT, FIRST),
        (Event.DEPART, DOCTOR),
        (Event.ARRIVE, FIRST),
        (Event.ADMIT, FIRST),
        (Event.DISCHARGE, FIRST),
        (Event.RETURN, DOCTOR),
    ):
        missing.append(traced(fallen).missing)
        fallen.now += timedelta(minutes=1)
        say_of_referral(fallen.connection, event=event, person_id=person_id, now=fallen.now, **said)
    assert missing == [Link.ACCEPTED, Link.DEPARTED, Link.ARRIVED, Link.ANSWERED, Link.RETURNED, Link.RETURNED]
    found = traced(fallen)
    assert found.missing is Link.CLOSED
    instants = [each.at for each in found.links if each.at is not None]
    assert there(found) == [link.value for link in Link if link is not Link.CLOSED]
    assert instants == sorted(instants)


def test_what_was_answered_before_it_rang_anew_is_not_answered(fallen: Ward) -> None:
    deliver(fallen)
    act: dict[str, Any] = {"episode_id": fallen.episodes()[0].episode_id, "channel": "test"}
    acknowledge(fallen.connection, person_id=EXPERT, now=fallen.now, **act)
    decide(fallen.connection, person_id=EXPERT, disposition="stay_home", note="", now=fallen.now, **act)
    assert traced(fallen).missing is Link.CLOSED
    fallen.spo2(1, [9700] * 700 + [8400] * FALL_S)
    assert traced(fallen).missing is Link.ACKNOWLEDGED


def test_an_alarm_that_the_clock_raised_misses_no_reading(fallen: Ward) -> None:
    fallen.connection.execute(
        "UPDATE episode SET raised_at = raised_at + INTERVAL '1 second', evidence = evidence || %s",
        ['{"why": "lost_while_low"}'],
    )
    assert there(traced(fallen)) == ["judged", "episode", "notice"]


def test_an_ambulances_patient_misses_no_acceptance(fallen: Ward) -> None:
    act: dict[str, Any] = {"episode_id": fallen.episodes()[0].episode_id, "channel": "test"}
    acknowledge(fallen.connection, person_id=EXPERT, now=fallen.now, **act)
    severe = Picture(severity=Severity.SEVERE, driver=Driver.INFECTION)
    referral_id = refer(fallen.connection, person_id=EXPERT, picture=severe, note="", now=fallen.now, **act)
    said: dict[str, Any] = {"referral_id": referral_id, "channel": "test", "now": fallen.now}
    deliver(fallen)
    say_of_referral(fallen.connection, event=Event.DEPART, person_id=DOCTOR, **said)
    assert traced(fallen).missing is Link.ARRIVED


def test_a_closed_alarm_has_no_missing_link(fallen: Ward) -> None:
    act: dict[str, Any] = {"episode_id": fallen.episodes()[0].episode_id, "channel": "test", "now": fallen.now}
    acknowledge(fallen.connection, person_id=EXPERT, **act)
    decide(fallen.connection, person_id=EXPERT, disposition="false_alarm", note="cold hand", **act)
    found = traced(fallen)
    assert found.missing is None
    assert found.links[-1].detail == "王主任"


def test_the_command_prints_a_line_a_link_and_names_the_missing_one(
    fallen: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", fallen.dsn)
    number = str(fallen.episodes()[0].episode_id)
    printed = CliRunner().invoke(app, ["trace", number, "--json"])
    assert printed.exit_code == 1
    lines = [json.loads(line) for line in printed.stdout.splitlines()]
    assert [line["link"] for line in lines if line["missing"]] == ["delivered"]
    assert "first missing link: delivered" in CliRunner().invoke(app, ["trace", number]).stdout
    unknown = CliRunner().invoke(app, ["trace", "99"])
    assert unknown.exit_code == 2
