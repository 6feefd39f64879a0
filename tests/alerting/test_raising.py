"""What a raise does beside what is open, and for whom it is urgent: each way, without a database."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

import pytest

from alerting.episodes import State
from alerting.profile.patient import PatientFacts, urgency_of
from alerting.profile.profile import Consequence, Priority
from alerting.raising import Basis, Effect, Raise, effect_of, facts_of, for_patient, is_special, reaches_tier3_at_once
from care.registry import SpecialGroup
from tests.alerting.streams import profile

HIGH = Consequence(rule="R", family="spo2_low", priority=Priority.HIGH, emergency=False, tier3=True)
EMERGENCY, MEDIUM, LOW = (
    replace(HIGH, emergency=True),
    replace(HIGH, priority=Priority.MEDIUM),
    replace(HIGH, priority=Priority.LOW),
)
ANSWERED = (State.ACK, State.T3_ACK, State.MONITOR, State.REFERRED)
RINGING = (State.UNACK, State.T3_UNACK, State.EXHAUSTED)


@dataclass(frozen=True, kw_only=True)
class Open:
    """An open episode."""

    priority: str = Priority.HIGH
    emergency: bool = False
    tier3: bool = True
    condition: str = "present"
    state: str = State.UNACK


@dataclass(frozen=True, kw_only=True)
class Patient:
    """A patient."""

    risk_colour: str = "green"
    special_groups: list[str] = field(default_factory=list)


def test_where_nothing_is_open_an_episode_opens() -> None:
    assert effect_of(None, HIGH, past=False) is Effect.OPEN
    assert effect_of(None, LOW, past=True) is Effect.OPEN


@pytest.mark.parametrize("state", [*ANSWERED, *RINGING])
@pytest.mark.parametrize("condition", ["present", "unknown", "cleared"])
def test_a_more_urgent_rule_alarms_anew_whatever_was_answered(state: State, condition: str) -> None:
    for opened, raised in ((Open(), EMERGENCY), (Open(priority="medium"), HIGH), (Open(priority="low"), MEDIUM)):
        found = replace(opened, state=state, condition=condition)
        assert effect_of(found, raised, past=False) is Effect.ALARM_ANEW
        assert effect_of(found, raised, past=True) is Effect.COUNT


@pytest.mark.parametrize("state", [*ANSWERED, *RINGING])
@pytest.mark.parametrize("condition", ["present", "unknown"])
def test_an_equal_or_lesser_rule_counts_while_the_condition_may_hold(state: State, condition: str) -> None:
    for raised in (HIGH, MEDIUM, LOW):
        assert effect_of(Open(state=state, condition=condition), raised, past=False) is Effect.COUNT
    emergency = Open(emergency=True, state=state, condition=condition)
    assert effect_of(emergency, HIGH, past=False) is Effect.COUNT


@pytest.mark.parametrize("state", [*ANSWERED, *RINGING])
@pytest.mark.parametrize("condition", ["present", "unknown", "cleared"])
def test_one_that_reaches_tier_3_alarms_anew_where_the_open_one_of_its_rank_does_not(
    state: State, condition: str
) -> None:
    found = Open(priority="medium", tier3=False, state=state, condition=condition)
    assert effect_of(found, MEDIUM, past=False) is Effect.ALARM_ANEW
    assert effect_of(found, MEDIUM, past=True) is Effect.COUNT


@pytest.mark.parametrize("state", [*ANSWERED, *RINGING])
def test_an_equal_rule_alarms_anew_after_it_was_over(state: State) -> None:
    assert effect_of(Open(state=state, condition="cleared"), HIGH, past=False) is Effect.ALARM_ANEW
    assert effect_of(Open(state=state, condition="cleared"), HIGH, past=True) is Effect.COUNT


@pytest.mark.parametrize(
    ("state", "effect"),
    [*((state, Effect.COUNT) for state in RINGING), *((state, Effect.ALARM_ANEW) for state in ANSWERED)],
)
def test_a_lesser_rule_after_it_was_over_does_not_turn_down_what_still_rings(state: State, effect: Effect) -> None:
    assert effect_of(Open(state=state, condition="cleared"), MEDIUM, past=False) is effect


@pytest.mark.parametrize(
    ("patient", "special"),
    [
        (Patient(), False),
        (Patient(risk_colour="yellow"), False),
        (Patient(risk_colour="red"), True),
        (Patient(special_groups=[SpecialGroup.INFANT]), True),
        (Patient(special_groups=[SpecialGroup.CHILD]), True),
        (Patient(special_groups=[SpecialGroup.OVER_65, SpecialGroup.PREGNANT]), True),
        (Patient(special_groups=[SpecialGroup.OVER_65]), False),
    ],
)
def test_red_patients_children_and_pregnancy_are_special(patient: Patient, special: bool) -> None:
    assert is_special(patient) is special
    assert reaches_tier3_at_once(HIGH, patient) is special
    assert reaches_tier3_at_once(MEDIUM, patient) is False
    raised = replace(MEDIUM, special_priority=Priority.HIGH)
    assert for_patient(raised, patient, past=False).priority is (Priority.HIGH if special else Priority.MEDIUM)
    assert for_patient(MEDIUM, patient, past=False) == MEDIUM


def test_what_is_past_pages_nobody_however_urgent_or_special() -> None:
    urgent = replace(EMERGENCY, special_priority=Priority.HIGH)
    past = for_patient(urgent, Patient(risk_colour="red"), past=True)
    assert (past.priority, past.emergency, past.tier3) == (Priority.LOW, False, False)
    assert for_patient(urgent, Patient(), past=False) == urgent


def test_a_raise_is_of_now_unless_it_is_said_to_be_past() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert Raise(patient_id=1, rule="R", basis=Basis.REPEAT, since=now, raised_at=now, key="k").past is False


def test_oxygen_at_home_is_read_off_the_registry() -> None:
    born_on = date(1950, 1, 1)
    assert facts_of(born_on, [SpecialGroup.HOME_OXYGEN]).on_oxygen is True
    facts = facts_of(born_on, [SpecialGroup.DIALYSIS])
    assert (facts.on_oxygen, facts.special_groups, facts.born_on) == (False, {"dialysis"}, born_on)


@dataclass
class Red:
    """A red patient."""

    risk_colour: str = "red"
    special_groups: list[str] = field(default_factory=list)


@pytest.mark.parametrize(
    ("own", "special", "told"),
    [
        (Priority.HIGH, Priority.MEDIUM, Priority.HIGH),
        (Priority.LOW, Priority.MEDIUM, Priority.MEDIUM),
        (Priority.MEDIUM, Priority.MEDIUM, Priority.MEDIUM),
    ],
)
def test_a_special_patients_priority_never_lowers_what_a_variant_says(
    own: Priority, special: Priority, told: Priority
) -> None:
    consequence = Consequence(
        rule="X", family="x", priority=own, special_priority=special, emergency=False, tier3=False
    )
    assert for_patient(consequence, Red(), past=False).priority is told


def test_a_red_adult_with_high_fever_is_told_as_the_profile_says() -> None:
    fever = urgency_of(profile(), "FEVER-HIGH", PatientFacts(born_on=date(1950, 1, 1)), on=date(2026, 3, 1))
    assert for_patient(fever, Red(), past=False).priority is Priority.MEDIUM
