"""What a household is asked reaches it: once, in time, by its channels, and no more when it is too late."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from alerting.delivery import deliver
from alerting.judging.asking import KEPT
from tests.alerting.spot.home import CLIP, CUFF, THERMOMETER, WELLNESS, SpotHome, clip
from vitals.signals import Signal

CHANNEL = "json://localhost:1/home"


@pytest.fixture
def home(any_database: str) -> Iterator[SpotHome]:
    """A home on each flavour of database."""
    with SpotHome(any_database) as made:
        yield made


def test_a_low_clip_asks_once_for_its_repeat_however_many_rules_wait(home: SpotHome) -> None:
    home.say(CLIP, [(0, Signal.SPO2, 8700)])
    assert len(home.waits()) == 3
    assert home.asked() == [(CHANNEL, "Please measure the SpO2 of P3 again, by 20:02.")]
    home.say(CLIP, [(10, Signal.PULSE, 8000)])
    assert len(home.asked()) == 1


def test_a_fever_is_to_be_measured_again_when_that_can_confirm_it(home: SpotHome) -> None:
    home.say(THERMOMETER, [(0, Signal.TEMPERATURE, 3950)])
    assert home.asked() == [(CHANNEL, "Please measure the temperature of P3 again between 20:15 and 21:00.")]


@pytest.mark.parametrize(
    ("facts", "value", "text"),
    [
        pytest.param("", 4120, "Please measure the temperature of P3 again, by 20:10.", id="41.2 is urgent"),
        pytest.param(
            "born_on = '2026-01-15', special_groups = '{infant}'",
            3950,
            "Please measure the temperature of P3 again, by 20:10.",
            id="so is an infant's 39.5",
        ),
    ],
)
def test_a_household_is_asked_in_time_for_the_rule_that_waits_shortest(
    home: SpotHome, facts: str, value: int, text: str
) -> None:
    if facts:
        home.connection.execute(f"UPDATE patient SET {facts} WHERE patient_id = 3".encode())  # noqa: S608
    home.say(THERMOMETER, [(0, Signal.TEMPERATURE, value)])
    assert {rule for _, rule in home.prompts()} >= {"FEVER-HIGH"}
    assert home.asked() == [(CHANNEL, text)]


def test_a_score_that_waits_for_a_repeat_asks_for_what_it_waits_for(home: SpotHome) -> None:
    home.say(CUFF, [(0, Signal.SYSTOLIC, 8800), (0, Signal.PULSE, 7000)])
    assert home.waits() == ["NEWS2-MEDIUM"]
    assert home.asked() == [(CHANNEL, "Please measure the systolic pressure of P3 again, by 20:15.")]


def test_who_was_measured_again_before_anybody_judged_is_not_asked(home: SpotHome) -> None:
    home.say(CLIP, [(0, Signal.SPO2, 9100)], judged=False)
    home.say(CLIP, [(60, Signal.SPO2, 9700)])
    assert home.asked() == []


def test_what_a_memory_tells_of_yesterday_asks_nobody(home: SpotHome) -> None:
    home.now += timedelta(hours=24)
    home.say(THERMOMETER, [(0, Signal.TEMPERATURE, 3950)], acquisition=2)
    assert home.prompts() == [("repeat", "FEVER-HIGH")]
    assert home.asked() == []


def test_a_finger_that_did_not_come_to_rest_is_asked_to(home: SpotHome) -> None:
    home.say(CLIP, clip([9100, 9600] * 20), acquisition=0)
    assert home.sessions()[-1][1] == "unstable"
    assert [text for _, text in home.asked()] == [
        "The readings of P3 did not come to rest: please keep the finger still in the clip for a minute."
    ]


def test_a_wearable_with_a_fever_asks_for_a_thermometer(home: SpotHome) -> None:
    home.say(WELLNESS, [(0, Signal.TEMPERATURE, 3950)], acquisition=0)
    assert [text for _, text in home.asked()] == ["What P3 wears shows a fever: please measure with a thermometer."]


def test_a_clip_that_is_left_on_does_not_ask_all_night(home: SpotHome) -> None:
    for minute in range(0, 240, 5):
        home.say(CLIP, clip([9500, 9900] * 20, begin_s=60 * minute), acquisition=0)
    assert len([status for _, status in home.sessions() if status == "unstable"]) > 40
    assert home.prompts() == [("unstable", "")] * 3
    home.say(CLIP, clip([9700] * 61, begin_s=250 * 60), acquisition=0)
    home.say(CLIP, clip([9500, 9900] * 20, begin_s=260 * 60), acquisition=0)
    assert home.prompts() == [("unstable", "")] * 4


def test_a_wearable_with_a_fever_asks_nothing_that_a_thermometer_has_just_said(home: SpotHome) -> None:
    home.say(THERMOMETER, [(0, Signal.TEMPERATURE, 3700)])
    home.say(WELLNESS, [(3000, Signal.TEMPERATURE, 3950)], acquisition=0)
    assert home.asked() == []
    home.say(WELLNESS, [(3700, Signal.TEMPERATURE, 3950)], acquisition=0)
    assert home.prompts() == [("worn_fever", "")]


@pytest.mark.parametrize(("born_on", "asked"), [("2026-01-15", 1), ("1950-01-01", 0)])
def test_an_infants_fever_begins_where_his_own_limit_is(home: SpotHome, born_on: str, asked: int) -> None:
    home.connection.execute("UPDATE patient SET born_on = %s WHERE patient_id = 3", [born_on])
    home.say(WELLNESS, [(0, Signal.TEMPERATURE, 3810)], acquisition=0)
    assert home.prompts() == [("worn_fever", "")] * asked


def test_several_channels_are_all_asked_and_none_is_noted(home: SpotHome) -> None:
    home.connection.execute("UPDATE patient SET household_channels = '{json://a,json://b}' WHERE patient_id = 3")
    home.say(CLIP, [(0, Signal.SPO2, 8700)])
    assert [channel for channel, _ in home.asked()] == ["json://a", "json://b"]
    home.connection.execute("UPDATE patient SET household_channels = '{}' WHERE patient_id = 3")
    home.say(THERMOMETER, [(60, Signal.TEMPERATURE, 3950)])
    assert home.asked()[-1][0] == "console:"
    row = home.connection.execute("SELECT outcome, due_at FROM notice WHERE channel_url = 'console:'").fetchone()
    assert row is not None
    assert (row.outcome, row.due_at) == ("no channel", None)


def test_a_refused_question_is_given_up_when_its_time_is_over(home: SpotHome) -> None:
    home.say(CLIP, [(0, Signal.SPO2, 8700)])
    for _ in range(20):
        with ThreadPoolExecutor(1) as pool:
            deliver(home.desk(), pool, speed=1, clock=lambda: home.now)
        home.now += timedelta(seconds=60)
    statement = "SELECT attempts, due_at, sent_at FROM notice WHERE patient_id = 3"
    (row,) = home.connection.execute(statement).fetchall()
    assert (row.due_at, row.sent_at) == (None, None)
    assert row.attempts >= 2


def test_what_was_asked_is_kept_for_its_time(home: SpotHome) -> None:
    home.say(CLIP, [(0, Signal.SPO2, 8700)])
    home.say(CLIP, [(round(KEPT.total_seconds()) + 60, Signal.SPO2, 8700)])
    assert len(home.asked()) == 1
    assert len({at for _, at in home.prompts()}) == len(home.prompts())
