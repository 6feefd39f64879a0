"""How urgent a raise is for one patient: the worse of what a variant says and what a special patient's priority is."""

from dataclasses import dataclass, field
from datetime import date

import pytest

from alerting.profile.patient import PatientFacts, urgency_of
from alerting.profile.profile import Consequence, Priority
from alerting.raising import for_patient
from tests.alerting.streams import profile


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
